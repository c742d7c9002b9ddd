use super::*;
use crate::decide::testing::{Tree, pattern, policy, root, ruled};
use crate::policy::{Entry, ProgramMatcher};
use crate::{Access, ExecRequest, FileAction, FileRequest, Origin};

fn read(path: &str) -> FileRequest {
    FileRequest {
        action: FileAction::Read,
        path: path.into(),
        to: None,
        recursive: false,
        cwd: "/w".into(),
        origin: Origin::Runtime,
    }
}

fn tree() -> Tree {
    let mut tree = Tree::new(&["/w"]);
    tree.file("/w/a").file("/w/key.pem").file("/ro/x").file("/outside/y").file("/w/.git/config");
    tree.file("/usr/bin/git").file("/usr/bin/npm").file("/usr/bin/bash");
    tree
}

fn explained(policy: &Policy, request: Request<'_>) -> Explanation {
    let tree = tree();
    let mut facts = Facts::new(Some("/home/me".into()));
    for _ in 0..64 {
        match explain(policy, &facts, request) {
            Ok(explanation) => return explanation,
            Err(missing) => missing.queries.iter().for_each(|query| tree.answer(query, &mut facts)),
        }
    }
    panic!("the facts do not settle")
}

fn texts(explanation: &Explanation) -> Vec<&str> {
    explanation.deciding.iter().map(|rule| &*rule.text).collect()
}

#[test]
fn the_rule_behind_an_allow_and_a_deny_is_named() {
    let mut policy = policy("/w", &[("/ro", Access::Read)], &["*.pem"]);
    policy.protected = vec![pattern("**/.git/config")];
    let cases = [
        (read("/w/a"), vec!["/w"], "remove `/w` (test.yaml:1:1)"),
        (read("/w/key.pem"), vec!["*.pem"], "remove `*.pem` (test.yaml:1:1)"),
        (read("/outside/y"), vec![], "add `/outside/y` to `filesystem.readOnly`"),
        (read("../outside/../outside/y"), vec![], "add `/outside/y` to `filesystem.readOnly`"),
        (
            FileRequest { action: FileAction::Write, ..read("/ro/x") },
            vec![],
            "add `/ro/x` to `filesystem.writable`",
        ),
        (
            FileRequest { action: FileAction::Write, ..read("/w/.git/config") },
            vec!["**/.git/config"],
            "remove `**/.git/config` (test.yaml:1:1)",
        ),
        (
            FileRequest { action: FileAction::Delete, ..read("/outside/y") },
            vec![],
            "add `/outside` to `filesystem.writable`",
        ),
    ];
    for (request, rules, change) in cases {
        let explanation = explained(&policy, Request::File(&request));
        assert_eq!(texts(&explanation), rules, "{request:?}");
        let change_found = explanation.change.expect("there is a change");
        assert_eq!(change_found.text, change);
        assert!(change_found.verified);
    }
}

#[test]
fn overlapping_rules_are_named_together() {
    let policy = policy("/w", &[], &["*.pem", "key.*", ".env"]);
    let explanation = explained(&policy, Request::File(&read("/w/key.pem")));
    assert_eq!(texts(&explanation), ["*.pem", "key.*"]);
}

#[test]
fn changes_for_variables_and_addresses_are_verified() {
    let mut policy = policy("/w", &[], &[]);
    policy.network.push(Default::default());
    let explanation = explained(&policy, Request::Environment(b"FOO"));
    assert_eq!(explanation.change.as_ref().map(|change| change.verified), Some(true));
    assert!(explained(&policy, Request::Environment(b"LD_PRELOAD")).change.is_none());
    let request =
        NetworkRequest { protocol: crate::Protocol::Tcp, port: 80, host: Some("127.0.0.1".to_owned()) };
    let change = explained(&policy, Request::Network(&request)).change.expect("there is a change");
    assert_eq!(change.text, "add `{ host: \"127.0.0.1\", port: 80, protocol: tcp }` to `network.allow`");
    assert!(change.verified);
}

#[test]
fn an_explanation_reads_as_lines() {
    let mut policy = policy("/w", &[], &["*.pem"]);
    policy.files[0].roots.push(root("/w/key.pem", Access::Read));
    policy.environment.pass.push(vec![ruled("X", "X".to_owned())]);
    let text = explained(&policy, Request::File(&read("/w/key.pem"))).to_string();
    let expected = "deny\n  file.hidden: `/w/key.pem` is hidden by `*.pem` (test.yaml:1:1)\n\
                    decided by test.yaml:1:1: `*.pem`\nto change it: remove `*.pem` (test.yaml:1:1)";
    assert_eq!(text, expected);
}

#[test]
fn a_missing_program_is_the_smallest_change_and_an_allowing_entry_is_named() {
    let mut policy = policy("/w", &[], &[]);
    let cases: [(&str, &[&str], Option<&str>); 4] = [
        ("git status", &[], Some("add `git` to `exec.allowlist`")),
        ("git status; npm test", &[], Some("add `git` and `npm` to `exec.allowlist`")),
        ("nothere", &[], Some("add `nothere` to `exec.allowlist`")),
        ("true", &[], None),
    ];
    for (line, rules, change) in cases {
        let script = claw_shell::parse(line.as_bytes(), claw_shell::Dialect::Bash).expect("it parses");
        let request = exec(&script, line);
        let explanation = explained(&policy, Request::Exec(&request));
        assert_eq!(texts(&explanation), rules, "{line}");
        let verified = explanation.change.as_ref().filter(|change| change.verified);
        assert_eq!(verified.map(|change| change.text.as_str()), change, "{line}");
    }
    let entry = Entry {
        program: ProgramMatcher::Name(b"git".to_vec()),
        prefix: Vec::new(),
        allow: Vec::new(),
        deny: Vec::new(),
    };
    policy = policy.edited(|policy| policy.exec[0].allowlist.push(ruled("git", entry)));
    let script = claw_shell::parse(b"git status", claw_shell::Dialect::Bash).expect("it parses");
    let request = exec(&script, "git status");
    let explanation = explained(&policy, Request::Exec(&request));
    assert!(matches!(explanation.decision, Decision::Allow(_)), "{explanation}");
    assert_eq!(texts(&explanation), ["git"]);
}

fn exec<'a>(script: &'a claw_shell::Script, line: &'a str) -> ExecRequest<'a> {
    ExecRequest {
        script,
        shell: None,
        line: Some(line.as_bytes()),
        cwd: "/w".into(),
        environment: Vec::new(),
    }
}

#[test]
fn what_a_descendant_lacks_is_proposed_and_verified() {
    let policy = policy("/w", &[], &[]);
    let program = crate::ProgramFact {
        found: "/usr/bin/git".into(),
        real: "/usr/bin/git".into(),
        id: tree().resolve("/usr/bin/git".as_ref(), true).expect("it is there").id.expect("it exists"),
        executable: true,
        interpreters: Vec::new(),
    };
    let argv = [b"git".to_vec(), b"log".to_vec()];
    let caller = crate::Role::of_command(None, &[b"npm".to_vec()]);
    let request =
        crate::DescendantRequest { program: &program, argv: &argv, cwd: "/w".as_ref(), caller: &caller };
    let change = explained(&policy, Request::Descendant(&request)).change.expect("there is a change");
    assert_eq!(change, Change { text: "add `git` to `exec.allowlist`".into(), verified: true });
}
