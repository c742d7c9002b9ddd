use super::*;
use crate::decide::testing::{Tree, pattern, policy, root, ruled};
use crate::{Access, FileAction, FileRequest, Origin};

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
