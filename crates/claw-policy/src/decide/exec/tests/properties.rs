//! Properties over random policies and lines.

use proptest::prelude::*;

use super::*;

/// Parts of command lines: programs, operands, options that matter somewhere.
fn line() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "git",
        "push",
        "log",
        "-c",
        "core.pager=cat",
        "core.pager=evil",
        "--force",
        "-f",
        "sort",
        "-o",
        "x",
        "/etc/x",
        "$x",
        "\"$x\"",
        "--",
        "cat",
        ".env",
        "ls",
        "rm",
        "python3",
        "-c",
        "src/a.c",
        "tar",
        "-xf",
        "*",
        "FOO=1",
        "env",
        "sh",
        "find",
        "-delete",
        ">",
        "cd",
        "dir",
    ]);
    let command = prop::collection::vec(word, 1..6).prop_map(|words| words.join(" "));
    let separator = prop::sample::select(vec!["; ", " && ", " | ", " || "]);
    prop::collection::vec((command, separator), 1..4).prop_map(|parts| {
        parts.into_iter().map(|(command, separator)| format!("{command}{separator}")).collect::<String>()
            + "true"
    })
}

fn random_policy() -> impl Strategy<Value = Policy> {
    let entries = prop::sample::subsequence(
        vec!["git", "git log", "sort", "cat", "ls", "python3", "tar", "path:/usr/bin/*", "find", "git push"],
        0..6,
    );
    let deny = prop::sample::subsequence(vec!["push", "push -f --force", "log"], 0..2);
    let security = prop::sample::select(vec![Security::Allowlist, Security::Allowlist, Security::Full]);
    let ask = prop::sample::select(vec![Ask::Off, Ask::Off, Ask::OnMiss]);
    (entries, deny, security, ask).prop_map(|(entries, deny, security, ask)| {
        let mut policy = allowing(&entries);
        if !deny.is_empty() {
            policy.exec[0].allowlist.push(with_rules("git", &[], &deny));
        }
        policy.exec[0].security = ruled("security", security);
        policy.exec[0].ask = ruled("ask", ask);
        policy
    })
}

/// 0 is allow, 1 ask, 2 deny.
fn strictness(policy: &Policy, text: &str) -> Option<u8> {
    let script = claw_shell::parse(text.as_bytes(), claw_shell::Dialect::Bash).ok()?;
    Some(match decided(policy, &script, Some(text)) {
        Decision::Allow(_) => 0,
        Decision::Ask(_) => 1,
        Decision::Deny(_) => 2,
    })
}

proptest! {
    #[test]
    fn a_line_that_makes_a_directory_is_decided_as_where_it_is_there(
        made in prop::collection::vec(prop::sample::select(vec!["x", "y", "dir", "in", "out"]), 1..4),
        rest in prop::collection::vec(prop::sample::select(vec!["..", "..", "x", "dir", "in", "out", ".env"]), 1..6),
    ) {
        let (made, rest) = (made.join("/"), rest.join("/"));
        let policy = allowing(&["mkdir", "git"]);
        let line = format!("mkdir -p {made} && cd {made} && echo x > {rest}");
        let without = format!("git log && cd {made} && echo x > {rest}");
        let mut tree = machine();
        let real = tree.resolve(&Path::new("/w").join(&made), true).unwrap().real;
        let codes = |tree: &Tree, text: &str| match decided_on(tree, &policy, &script(text), Some(text)) {
            Decision::Deny(denial) => Some(denial.reasons.iter().map(|reason| reason.code).collect::<Vec<_>>()),
            _ => None,
        };
        let before = codes(&tree, &line);
        tree.directory(real.to_str().unwrap());
        let there = codes(&tree, &without);
        if real.starts_with("/w") {
            prop_assert_eq!(before, there, "{}", line);
        } else {
            prop_assert!(before.is_some(), "{}", line);
        }
    }

    #[test]
    fn adding_a_deny_never_allows(policy in random_policy(), line in line(), name in prop::sample::select(vec!["git", "rm", "sort", "cat", "sh"])) {
        let mut stricter = policy.clone();
        stricter.exec_deny.push(ruled(name, ProgramMatcher::Name(name.as_bytes().to_vec())));
        prop_assert!(strictness(&stricter, &line) >= strictness(&policy, &line), "{line}");
    }

    #[test]
    fn adding_an_argument_rule_that_denies_never_allows(policy in random_policy(), line in line(), rule in prop::sample::select(vec!["push", "log", "-f", "push --force"])) {
        let mut stricter = policy.clone();
        for entry in &mut stricter.exec[0].allowlist {
            entry.value.deny.push(argument_rule(rule));
        }
        prop_assert!(strictness(&stricter, &line) >= strictness(&policy, &line), "{line}");
    }

    #[test]
    fn the_order_of_rules_does_not_matter(policy in random_policy(), line in line()) {
        let mut reversed = policy.clone();
        reversed.exec[0].allowlist.reverse();
        for entry in &mut reversed.exec[0].allowlist {
            entry.value.deny.reverse();
        }
        prop_assert_eq!(strictness(&reversed, &line), strictness(&policy, &line), "{}", line);
    }

    #[test]
    fn a_second_layer_only_restricts(policy in random_policy(), second in random_policy(), line in line()) {
        let mut both = policy.clone();
        both.exec.extend(second.exec);
        prop_assert!(strictness(&both, &line) >= strictness(&policy, &line), "{line}");
    }

    #[test]
    fn every_spelling_of_a_word_decides_alike(policy in random_policy(), line in line(), seed in any::<u64>()) {
        prop_assert_eq!(strictness(&policy, &respelled(&line, seed)), strictness(&policy, &line), "{}", line);
    }
}

/// The same line with plain words quoted in other ways.
fn respelled(line: &str, mut seed: u64) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.-".contains(&byte))
    };
    let spelled = line.split(' ').map(|word| {
        seed = seed.rotate_left(5).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let first = word.chars().next().unwrap_or(' ');
        match seed % 4 {
            _ if !plain(word) => word.to_owned(),
            0 => format!("'{word}'"),
            1 => format!("\"{word}\""),
            2 => format!("\\{word}"),
            _ => format!("{first}''{}", word.chars().skip(1).collect::<String>()),
        }
    });
    spelled.collect::<Vec<_>>().join(" ")
}
