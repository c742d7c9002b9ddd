//! The numbered rules of the semantics.

use super::*;
use crate::{Code, Grant};

#[test]
fn names_are_looked_up_in_trusted_directories_and_nowhere_else() {
    let policy = allowing(&["git", "python3", "ls", "path:/opt/tools/*/bin/*", "missing", "path:/usr/bin/*"]);
    check(
        &policy,
        &[
            ("git status", "ok"),
            ("GIT status", "exec.not-allowlisted"),
            ("/usr/bin/git status", "ok"),
            ("./git status", "exec.untrusted-path"),
            ("/w/git status", "exec.untrusted-path"),
            ("./mygit status", "ok"),
            ("/opt/tools/a/bin/x", "ok"),
            ("missing", "ok"),
            ("absent", "exec.not-allowlisted"),
            ("./absent", "exec.not-allowlisted"),
            ("/usr/bin/python3.11 x.py", "ok"),
            // A pattern on many files does not list a program that has to be named.
            ("sudo id", "exec.not-allowlisted"),
            ("''", "exec.not-allowlisted"),
        ],
    );
    let policy = allowing(&["ls"]);
    check(&policy, &[("ls", "ok"), ("./rm x", "exec.not-allowlisted"), ("rm x", "exec.not-allowlisted")]);
    let policy = allowing(&["path:/etc/*", "path:/w/*"]);
    check(&policy, &[("/etc/passwd", "ok"), ("/w/dir", "ok"), ("/w/git", "ok")]);
}

#[test]
fn a_prefix_entry_allows_only_those_leading_arguments() {
    let policy = allowing(&["git log", "git remote -v"]);
    check(
        &policy,
        &[
            ("git log", "ok"),
            ("git log --oneline", "ok"),
            ("git 'log'", "ok"),
            ("git push", "exec.not-allowlisted"),
            ("git", "exec.not-allowlisted"),
            ("git -C x log", "exec.not-allowlisted"),
            ("git remote -v", "ok"),
            ("git remote add", "exec.not-allowlisted"),
            ("git logs", "exec.not-allowlisted"),
        ],
    );
}

#[test]
fn every_member_of_a_line_needs_approval() {
    let policy = allowing(&["git", "cat"]);
    check(
        &policy,
        &[
            ("git log | cat", "ok"),
            ("git status; curl x", "exec.not-allowlisted"),
            ("cat x && mytool", "exec.not-allowlisted"),
            ("echo hi; cd /etc; true", "ok"),
            ("", "exec.empty"),
        ],
    );
}

#[test]
fn a_deny_entry_beats_everything_by_any_name() {
    let mut policy = allowing(&["git", "ls", "path:/usr/bin/*", "missing", "python3"]);
    policy.exec_deny = ["rm", "missing", "python3", "echo"]
        .iter()
        .map(|name| ruled(name, ProgramMatcher::Name(name.as_bytes().to_vec())))
        .chain([ruled("/opt/**", ProgramMatcher::Path("/opt/**".into()))])
        .collect();
    let cases = [
        ("rm x", "exec.denied"),
        ("/usr/bin/rm x", "exec.denied"),
        ("./rm x", "exec.denied"),
        ("missing", "exec.denied"),
        ("/usr/bin/python3.11 x.py", "exec.denied"),
        ("echo x", "exec.denied"),
        ("/opt/tools/a/bin/x", "exec.denied"),
        ("ls", "ok"),
        ("git log", "ok"),
    ];
    check(&policy, &cases);
    policy.exec[0].security = ruled("full", Security::Full);
    check(&policy, &cases);
    check(&policy, &[("curl x", "ok"), ("$x", "shell.opaque")]);
}

#[test]
fn full_allows_what_no_rule_forbids() {
    let mut policy = allowing(&[]);
    policy.exec[0].security = ruled("full", Security::Full);
    policy.exec[0].allowlist = vec![with_rules("git", &[], &["push"]), with_rules("cargo", &["build"], &[])];
    check(
        &policy,
        &[
            ("curl x", "ok"),
            ("git -c core.pager=evil log", "ok"),
            ("git push", "exec.arguments"),
            ("cargo build", "ok"),
            ("cargo publish", "exec.arguments"),
            ("cat x > /etc/passwd", "file.outside"),
            ("absent", "ok"),
        ],
    );
    policy.exec[0].security = ruled("deny", Security::Deny);
    check(&policy, &[("true", "exec.security-deny"), ("", "exec.security-deny")]);
}

#[test]
fn argument_rules_follow_the_option_syntax() {
    let mut policy = allowing(&[]);
    policy.exec[0].allowlist = vec![
        with_rules("git", &[], &["push --force -f", "remote add"]),
        with_rules("cargo", &["build", "test", "check"], &["publish", "--config"]),
        with_rules("npm", &[], &["install"]),
        with_rules("mytool", &[], &["publish"]),
        with_rules("curl", &[], &["-o --output"]),
    ];
    check(
        &policy,
        &[
            ("git push", "ok"),
            ("git push origin main", "ok"),
            ("git push --force", "exec.arguments"),
            ("git push origin --force", "exec.arguments"),
            ("git push -f", "exec.arguments"),
            ("git push -uf", "exec.arguments"),
            ("git push --forc", "exec.arguments"),
            ("git push --force-with-lease", "ok"),
            ("git push -- --force", "ok"),
            ("git -C x push -f", "exec.arguments"),
            ("git --git-dir x push -f", "exec.arguments"),
            ("git --no-pager push -f", "exec.arguments"),
            ("git -p -C a push -f", "exec.arguments"),
            ("git log -f", "ok"),
            ("git commit -m push -f", "ok"),
            ("git remote add x y", "exec.arguments"),
            ("git remote -v add x y", "exec.arguments"),
            ("git remote show", "ok"),
            ("git push \"$x\"", "shell.opaque"),
            ("git push origin $x", "shell.opaque"),
            ("git $x", "shell.opaque"),
            ("cargo build", "ok"),
            ("cargo b", "ok"),
            ("cargo +nightly build --release", "ok"),
            ("cargo --color always build", "ok"),
            ("cargo run", "exec.arguments"),
            ("cargo publish", "exec.arguments"),
            ("cargo build --config x", "exec.arguments"),
            ("cargo build --config=x", "exec.arguments"),
            ("cargo build --conf x", "ok"),
            ("cargo", "exec.arguments"),
            ("cargo $x", "shell.opaque"),
            ("npm i x", "exec.arguments"),
            ("npm --loglevel x install", "exec.arguments"),
            ("mytool publish", "exec.arguments"),
            ("mytool --unknown publish", "exec.arguments"),
            ("mytool --unknown value publish", "exec.arguments"),
            ("mytool build publish", "ok"),
            ("curl -sofile x", "exec.arguments"),
            ("curl --outp f x", "exec.arguments"),
            ("curl -H o x", "ok"),
        ],
    );
}

#[test]
fn a_deny_rule_of_one_entry_holds_for_all_and_order_does_not_matter() {
    let mut policy = allowing(&["git"]);
    policy.exec[0].allowlist.push(with_rules("git", &[], &["push"]));
    check(&policy, &[("git push", "exec.arguments"), ("git log", "ok")]);
    policy.exec[0].allowlist.reverse();
    check(&policy, &[("git push", "exec.arguments"), ("git log", "ok")]);
}

#[test]
fn inline_program_text_is_refused_when_the_policy_says_so() {
    let mut policy = developer();
    policy.exec[0].inline_eval_denied = Some(rule("inlineEval: deny"));
    check(
        &policy,
        &[
            ("python3 x.py", "ok"),
            ("python3 -m http.server", "ok"),
            ("python3 -c 'x'", "exec.inline-eval"),
            ("python3 -Bc 'x'", "exec.inline-eval"),
            ("python3 -W ignore -c x", "exec.inline-eval"),
            ("python3 -", "exec.inline-eval"),
            ("python3", "exec.inline-eval"),
            ("cat x | python3", "exec.inline-eval"),
            ("python3 /dev/stdin", "exec.inline-eval"),
            ("python3 x.py -c y", "ok"),
            ("python3 --version", "ok"),
            ("python3 \"$x\"", "shell.opaque"),
            ("node -e x", "exec.inline-eval"),
            ("node --eval=x", "exec.inline-eval"),
            ("node -pe x", "exec.inline-eval"),
            ("node x.js", "ok"),
            ("perl -ne x", "exec.inline-eval"),
            ("perl -lane 'x' f", "exec.inline-eval"),
            ("perl -i.bak -pe x f", "exec.inline-eval"),
            ("perl x.pl", "ok"),
            ("ruby -00pe x", "exec.inline-eval"),
            ("awk '{print $1}' f", "ok"),
            ("sed s/a/b/ f", "ok"),
            ("make -f -", "exec.inline-eval"),
            ("make test", "ok"),
        ],
    );
}

#[test]
fn safe_bins_run_as_filters_only() {
    let mut policy = allowing(&["cat"]);
    policy.exec[0].safe_bins = ["head", "sort", "grep", "tr", "cut", "wc"]
        .iter()
        .map(|name| ruled(name, name.as_bytes().to_vec()))
        .collect();
    check(
        &policy,
        &[
            ("cat x | head -5", "ok"),
            ("cat x | head -n 5", "ok"),
            ("cat x | sort -rn", "ok"),
            ("cat x | sort -k2 -t,", "ok"),
            ("sort x", "exec.safe-bin"),
            ("cat x | sort -o y", "exec.safe-bin"),
            ("cat x | sort --compress-prog=y", "exec.safe-bin"),
            ("cat x | grep -e y", "ok"),
            ("cat x | grep y", "exec.safe-bin"),
            ("cat x | grep -e y -f z", "exec.safe-bin"),
            ("cat x | tr a-z A-Z", "ok"),
            ("cat x | tr a b c", "exec.safe-bin"),
            ("cat x | head $n", "exec.safe-bin"),
            ("cat x | wc -l *", "exec.safe-bin"),
            ("/usr/bin/head -5", "ok"),
        ],
    );
}

#[test]
fn redirections_are_file_requests() {
    let policy = developer();
    check(
        &policy,
        &[
            ("cat x > y", "ok"),
            ("cat x > /dev/null", "ok"),
            ("cat x 2>/dev/null", "ok"),
            ("cat x > /etc/passwd", "file.outside"),
            ("cat x >> ../y", "file.outside"),
            ("cat x > out/y", "file.outside"),
            ("cat < .env", "file.hidden"),
            ("cat x > ~/y", "file.outside"),
            ("cat x > $y", "shell.opaque"),
            ("cat x > \"$y\"", "shell.opaque"),
            ("cat x > *", "shell.opaque"),
            ("cat < /dev/tcp/example.com/80", "network.denied"),
        ],
    );
}

#[test]
fn hidden_operands_are_refused() {
    let policy = developer();
    check(
        &policy,
        &[
            ("cat ~/.ssh/id_rsa", "file.hidden"),
            ("cat $HOME/.ssh/id_rsa", "file.hidden"),
            ("cat /home/me/.ssh/../.ssh/id_rsa", "file.hidden"),
            ("cat .env", "file.hidden"),
            ("cat ~/.ssh/*", "file.hidden"),
            ("cat \"$HOME/.ssh/$x\"", "file.hidden"),
            ("cat ~/.ss*", "ok"),
            ("curl -d @.env u", "file.hidden"),
            ("curl -T.env u", "file.hidden"),
            ("curl -F f=@.env u", "file.hidden"),
            ("curl file:///home/me/.ssh/id_rsa", "file.hidden"),
            ("cat src/.env", "file.hidden"),
            ("cat 'x.env'", "ok"),
            ("cat ./.env", "file.hidden"),
            ("grep x .env", "file.hidden"),
            ("grep .env x", "ok"),
            ("curl --data-binary=.env x", "file.hidden"),
            ("echo ~/.ssh", "ok"),
            ("git commit -m .env", "ok"),
            ("cat /etc/passwd", "ok"),
            ("test -f .env", "file.hidden"),
        ],
    );
}

#[test]
fn asking_covers_what_is_missed_and_not_what_is_refused() {
    let mut policy = allowing(&["git"]);
    policy.exec[0].ask = ruled("on-miss", Ask::OnMiss);
    policy.exec_deny = vec![ruled("rm", ProgramMatcher::Name(b"rm".to_vec()))];
    check(
        &policy,
        &[
            ("git status", "ok"),
            ("curl x", "ask exec.not-allowlisted"),
            ("$x", "ask shell.opaque"),
            ("git status; $x", "ask shell.opaque"),
            ("rm x", "exec.denied"),
            ("curl x > /etc/passwd", "file.outside"),
            ("git -c core.pager=curl log", "ask exec.not-allowlisted"),
        ],
    );
    policy.exec[0].ask = ruled("always", Ask::Always);
    check(&policy, &[("git status", "ask exec.ask"), ("absent", "ask exec.not-allowlisted")]);
}

#[test]
fn every_layer_has_to_allow() {
    let mut policy = allowing(&["git", "cat"]);
    let mut second = policy.exec[0].clone();
    second.allowlist = vec![entry("git log")];
    policy.exec.push(second);
    check(
        &policy,
        &[("git log", "ok"), ("git status", "exec.not-allowlisted"), ("cat x", "exec.not-allowlisted")],
    );
}

#[test]
fn an_allowed_program_that_is_not_there_is_granted_with_the_reason_that_keeps_it_from_running() {
    let policy = allowing(&["missing", "git", "path:/etc/passwd", "path:/w/dir"]);
    for (text, code) in [
        ("missing --help", Some(Code::ExecNotFound)),
        ("/etc/passwd", Some(Code::ExecNotExecutable)),
        ("/w/dir", Some(Code::ExecNotExecutable)),
        ("git status", None),
    ] {
        let argv: Vec<Vec<u8>> = text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let script = claw_shell::from_argv(&argv).unwrap();
        let Decision::Allow(Grant::Exec(grant)) = decided(&policy, &script, None) else { panic!("{text}") };
        assert_eq!(grant.program().err().map(|reason| reason.code), code, "{text}");
        assert_eq!(grant.argv(), argv, "{text}");
    }
}
