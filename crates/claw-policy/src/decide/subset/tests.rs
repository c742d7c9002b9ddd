//! Which policies lie within which, with the request that shows it when one does not.

use std::path::PathBuf;

use proptest::prelude::*;

use super::{Example, Excess, subset};
use crate::decide::testing::Tree;
use crate::{
    Decision, Environment, ExecRequest, Expansion, Facts, FileAction, FileRequest, Format, Layer, LayerKind,
    Origin, Policy, Request, Source, built_in, compile,
};

fn compiled(text: &str) -> Policy {
    let expansion = Expansion { home: Some("/home/me".into()), cwd: "/w".into(), ..Expansion::default() };
    let layers = [
        Layer { source: built_in(), kind: LayerKind::BuiltIn },
        Layer { source: Source::new("policy.yaml", text, Format::Yaml), kind: LayerKind::Named },
    ];
    compile(&layers, &expansion).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

fn tree() -> Tree {
    let mut tree = Tree::new(&["/w", "/v"]);
    for name in ["git", "npm", "rm", "cat", "id", "chmod", "true", "python3", "ls"] {
        tree.file(&format!("/usr/bin/{name}"));
    }
    tree.directory("/w/sub").directory("/v").directory("/home/me/.ssh").link("/w/out", "/v");
    tree
}

fn excesses(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let tree = tree();
    let mut facts = Facts::new(Some("/home/me".into()));
    for _ in 0..64 {
        match subset(inner, outer, &facts) {
            Ok(excesses) => return excesses,
            Err(missing) => missing.queries.iter().for_each(|query| tree.answer(query, &mut facts)),
        }
    }
    panic!("the facts do not settle")
}

fn decided(policy: &Policy, example: &Example) -> Decision {
    match example {
        Example::Exec(argv) => exec(policy, argv),
        Example::File(request) => tree().decide(policy, Request::File(request)),
        Example::Network(request) => tree().decide(policy, Request::Network(request)),
        Example::Environment(name) => tree().decide(policy, Request::Environment(name)),
        Example::Tool(name) => tree().decide(policy, Request::Tool(name)),
    }
}

fn exec(policy: &Policy, argv: &[Vec<u8>]) -> Decision {
    let script = claw_shell::from_argv(argv).unwrap();
    let request = ExecRequest {
        script: &script,
        shell: None,
        line: None,
        cwd: "/w".into(),
        environment: Environment::new(),
    };
    tree().decide(policy, Request::Exec(&request))
}

/// From the strictest.
fn rank(decision: &Decision) -> u8 {
    match decision {
        Decision::Deny(_) => 0,
        Decision::Ask(_) => 1,
        Decision::Allow(_) => 2,
    }
}

#[test]
fn what_only_narrows_lies_within() {
    for (outer, inner) in [
        ("workspace: /w", "workspace: /w"),
        ("workspace: /w\nexec: { allowlist: [git, npm] }", "workspace: /w\nexec: { allowlist: [git] }"),
        ("workspace: /w\nexec: { allowlist: [git] }", "workspace: /w\nexec: { allowlist: [git log] }"),
        (
            "workspace: /w\nexec: { allowlist: [git] }",
            "workspace: /w\nexec: { allowlist: [{ command: git, allow: [[log]] }] }",
        ),
        ("workspace: /w\nexec: { security: full }", "workspace: /w\nexec: { allowlist: [git] }"),
        ("workspace: /w\nexec: { security: full, deny: [rm] }", "workspace: /w\nexec: { allowlist: [git] }"),
        (
            "workspace: /w\nexec: { allowlist: [git], deny: [rm] }",
            "workspace: /w\nexec: { security: full, deny: [rm, git, id] }\n".trim_end(),
        ),
        ("workspace: /w\nexec: { allowlist: [git] }", "workspace: /w\nexec: { security: deny }"),
        ("workspace: /w\nfilesystem: { writable: [/v] }", "workspace: /w"),
        ("workspace: /w\nfilesystem: { writable: [/v] }", "workspace: /w\nfilesystem: { readOnly: [/v] }"),
        ("workspace: /w", "workspace: /w/sub"),
        ("workspace: /w", "workspace: /w\nfilesystem: { hidden: [\"*.pem\"], readOnly: [/w/sub] }"),
        ("workspace: /w\nlimits: { time: 60s }", "workspace: /w\nlimits: { time: 1s }"),
        (
            "workspace: /w\nnetwork: { allow: [{ port: 443 }] }",
            "workspace: /w\nnetwork: { allow: [{ port: 443, protocol: tcp, host: example.org }] }",
        ),
        (
            "workspace: /w\nenvironment: { pass: [\"FOO_*\"] }",
            "workspace: /w\nenvironment: { pass: [FOO_BAR] }",
        ),
    ] {
        let found = excesses(&compiled(inner), &compiled(outer));
        // `security: full` is never within an allowlist: the table says so once to keep itself honest.
        let is_within = !inner.contains("full");
        assert_eq!(found.is_empty(), is_within, "{outer}\n---\n{inner}\n{found:#?}");
    }
}

#[test]
fn what_widens_has_an_example_that_both_policies_confirm() {
    for (outer, inner) in [
        ("workspace: /w\nexec: { allowlist: [git] }", "workspace: /w\nexec: { allowlist: [git, npm] }"),
        ("workspace: /w\nexec: { allowlist: [git log] }", "workspace: /w\nexec: { allowlist: [git] }"),
        ("workspace: /w\nexec: { allowlist: [git] }", "workspace: /w\nexec: { security: full }"),
        ("workspace: /w\nexec: { security: full, deny: [rm] }", "workspace: /w\nexec: { security: full }"),
        (
            "workspace: /w\nexec: { allowlist: [{ command: git, deny: [[push]] }] }",
            "workspace: /w\nexec: { allowlist: [git] }",
        ),
        (
            "workspace: /w\nexec: { allowlist: [git] }",
            "workspace: /w\nexec: { allowlist: [git], ask: on-miss }",
        ),
        (
            "workspace: /w\nexec: { allowlist: [git], ask: always }",
            "workspace: /w\nexec: { allowlist: [git] }",
        ),
        (
            "workspace: /w\nexec: { allowlist: [python3], inlineEval: deny }",
            "workspace: /w\nexec: { allowlist: [python3] }",
        ),
        ("workspace: /w", "workspace: /w\nfilesystem: { writable: [/v] }"),
        ("workspace: /w\nfilesystem: { readOnly: [/w/sub] }", "workspace: /w"),
        ("workspace: /w", "workspace: /v"),
        ("workspace: /w", "workspace: /w/out"),
        ("workspace: /w\nfilesystem: { hidden: [\"*.pem\"] }", "workspace: /w"),
        ("workspace: /w\nfilesystem: { hidden: [/usr/bin/git] }", "workspace: /w"),
        (
            "workspace: /w\nexec: { security: full, allowlist: [{ command: git, allow: [[log]] }] }",
            "workspace: /w\nexec: { security: full, allowlist: [] }",
        ),
        // What a link leads to is hidden and protected too.
        ("workspace: /w\nfilesystem: { writable: [/v], hidden: [/w/out/x] }", "workspace: /v"),
        ("workspace: /w\nfilesystem: { writable: [/v], protected: [/w/out/x] }", "workspace: /v"),
        (
            "workspace: /w\nfilesystem: { writable: [/v], hidden: [out] }",
            "workspace: /v\nfilesystem: { hidden: [out] }",
        ),
        ("workspace: /w", "workspace: /w\nfilesystem: { readOnly: [/home/me/.ssh] }"),
        ("workspace: /w", "workspace: /w\nfilesystem: { protected: none }"),
        (
            "workspace: /w\nnetwork: { allow: [{ port: 443 }] }",
            "workspace: /w\nnetwork: { allow: [{ port: 443, host: loopback }] }",
        ),
        ("workspace: /w", "workspace: /w\nnetwork: { default: allow }"),
        (
            "workspace: /w\nenvironment: { pass: [\"FOO_*\"] }",
            "workspace: /w\nenvironment: { pass: [FOO_TOKEN] }",
        ),
    ] {
        let (inner_policy, outer_policy) = (compiled(inner), compiled(outer));
        let found = excesses(&inner_policy, &outer_policy);
        assert!(!found.is_empty(), "{outer}\n---\n{inner}");
        let shows = |example: &Example| {
            rank(&decided(&inner_policy, example)) > rank(&decided(&outer_policy, example))
        };
        assert!(
            found.iter().flat_map(|excess| &excess.examples).any(shows),
            "{outer}\n---\n{inner}\n{found:#?}"
        );
    }
}

#[test]
fn what_no_request_shows_is_an_excess_too() {
    for (outer, inner) in [
        ("limits: { time: 60s }", "limits: { time: 61s }"),
        ("{}", "exec: { verify: false }"),
        ("{}", "exec: { descendants: system }"),
        ("{}", "exec: { trustedDirs: [/opt/bin] }"),
        ("{}", "enforcement: { degrade: [sweep] }"),
        ("{}", "detach: true"),
        ("secrets: deny", "secrets: redact"),
        ("secrets: redact", "{}"),
        ("{}", "environment: { set: { A: b } }"),
    ] {
        assert!(!excesses(&compiled(inner), &compiled(outer)).is_empty(), "{outer}\n---\n{inner}");
    }
}

/// Parts of policies, small enough to meet often.
fn text() -> impl Strategy<Value = String> {
    let entry = prop::sample::select(vec![
        "git",
        "git log",
        "npm",
        "{ command: git, allow: [[log]] }",
        "{ command: git, deny: [[push]] }",
        "rm",
        "{ path: /usr/bin/* }",
        "{ command: git, deny: [{ subcommand: [], anyFlag: [-f] }] }",
    ]);
    let path = || {
        prop::collection::vec(
            prop::sample::select(vec!["/v", "/w/sub", "/home/me/.ssh", "/w/out", "/etc"]),
            0..2,
        )
    };
    (
        prop::sample::select(vec!["/w", "/w/sub", "/v"]),
        prop::sample::select(vec!["allowlist", "full", "deny"]),
        prop::sample::select(vec!["off", "on-miss", "always"]),
        prop::collection::vec(entry, 0..3),
        prop::collection::vec(prop::sample::select(vec!["rm", "git"]), 0..2),
        path(),
        path(),
        prop::collection::vec(prop::sample::select(vec!["'*.pem'", "sub", "/w/sub/x"]), 0..2),
    )
        .prop_map(|(workspace, security, ask, allowlist, deny, writable, read_only, hidden)| {
            format!(
                "workspace: {workspace}\nexec: {{ security: {security}, ask: {ask}, allowlist: [{}], deny: [{}] }}\nfilesystem: {{ writable: [{}], readOnly: [{}], hidden: [{}] }}\n",
                allowlist.join(", "), deny.join(", "), writable.join(", "), read_only.join(", "), hidden.join(", "),
            )
        })
}

fn example() -> impl Strategy<Value = Example> {
    let argv = prop::sample::select(vec![
        "git",
        "git log",
        "git push",
        "git -f log",
        "npm",
        "rm",
        "/usr/bin/git log",
        "id",
        "git log -f",
    ])
    .prop_map(|line| Example::Exec(line.split(' ').map(|word| word.as_bytes().to_vec()).collect()));
    let file = (
        prop::sample::select(vec![
            "/w/a",
            "/w/sub/x",
            "/w/sub",
            "/v/a.pem",
            "/w/out/a",
            "/home/me/.ssh/id",
            "/etc/passwd",
            "/w/.git/config",
            "/w/sub/.git/hooks/x",
        ]),
        prop::sample::select(vec![FileAction::Read, FileAction::Write, FileAction::Delete, FileAction::List]),
    )
        .prop_map(|(path, action)| {
            Example::File(FileRequest {
                action,
                path: path.into(),
                to: None,
                recursive: false,
                cwd: PathBuf::from("/w"),
                origin: Origin::Runtime,
            })
        });
    prop_oneof![argv, file]
}

proptest! {
    // A case compiles policies and decides a dozen times.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn within_a_policy_nothing_is_allowed_that_it_denies(inner in text(), outer in text(), examples in prop::collection::vec(example(), 8)) {
        let (inner, outer) = (compiled(&inner), compiled(&outer));
        if excesses(&inner, &outer).is_empty() {
            for example in examples {
                prop_assert!(rank(&decided(&inner, &example)) <= rank(&decided(&outer, &example)), "{example:?}");
            }
        }
    }

    #[test]
    fn every_policy_lies_within_itself_and_a_restricting_layer_keeps_it_there(outer in text(), restriction in text()) {
        let policy = compiled(&outer);
        prop_assert!(excesses(&policy, &policy).is_empty());
        let expansion = Expansion { home: Some("/home/me".into()), cwd: "/w".into(), ..Expansion::default() };
        let layers = [
            Layer { source: built_in(), kind: LayerKind::BuiltIn },
            Layer { source: Source::new("policy.yaml", outer, Format::Yaml), kind: LayerKind::Named },
            Layer { source: Source::new("child.yaml", restriction, Format::Yaml), kind: LayerKind::User },
        ];
        let Ok(narrowed) = compile(&layers, &expansion) else { return Ok(()) };
        let found = excesses(&narrowed, &policy);
        prop_assert!(found.is_empty(), "{found:#?}");
    }
}
