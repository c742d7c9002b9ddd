//! Which policies lie within which, with the request that shows it when one does not.

use std::path::PathBuf;

use proptest::prelude::*;

use super::{Example, Excess, ExcessKind, subset};
use crate::decide::testing::Tree;
use crate::{
    Decision, Environment, ExecRequest, Expansion, Facts, FileAction, FileRequest, Format, Layer, LayerKind,
    NetworkRequest, Origin, Policy, Protocol, Request, Source, built_in, compile,
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
    tree.file("/w/tool").file("/v/a").directory("/v/deep");
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
fn who_records_less_does_not_lie_within() {
    let kinds = |inner: &str, outer: &str| {
        excesses(&compiled(inner), &compiled(outer)).iter().map(|excess| excess.kind).collect::<Vec<_>>()
    };
    for (less, more) in [
        ("logging: { auditCommands: false }", "logging: { auditCommands: true }"),
        ("{}", "logging: { auditFileAccess: true }"),
        ("logging: { auditFailure: continue }", "logging: { auditFailure: stop }"),
    ] {
        assert_eq!(kinds(less, more), [ExcessKind::Record], "{less} in {more}");
        assert_eq!(kinds(more, less), [], "{more} in {less}");
    }
    assert_eq!(
        kinds("logging: { logFile: /w/a }", "logging: { logFile: /w/b }"),
        [],
        "it is kept all the same"
    );
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

/// The value of a key.
type Value = BoxedStrategy<String>;

fn one(values: &'static [&'static str]) -> Value {
    prop::sample::select(values).prop_map(str::to_owned).boxed()
}

/// At most two of these, as a list.
fn list(values: &'static [&'static str]) -> Value {
    prop::collection::vec(prop::sample::select(values), 0..3)
        .prop_map(|values| format!("[{}]", values.join(", ")))
        .boxed()
}

/// The keys of a policy, with values that are few enough to meet often.
fn keys() -> Vec<(&'static str, Value)> {
    let entries = &[
        "git",
        "git log",
        "npm",
        "{ command: git, allow: [[log]] }",
        "{ command: git, deny: [[push]] }",
        "{ command: git, allow: [{ subcommand: [], anyFlag: [-f] }] }",
        "rm",
        "cat",
        "python3",
        "{ path: /usr/bin/* }",
        "{ path: /usr/bin/git, allow: [[log]] }",
        "{ path: /w/tool }",
        "{ command: git, deny: [{ subcommand: [], anyFlag: [-f] }] }",
    ];
    let trees =
        || list(&["/v", "/w", "/w/sub", "/home/me/.ssh", "/home/me/.ssh/id", "/w/out", "/etc", "/v/deep"]);
    vec![
        ("workspace", one(&["/w", "/w/sub", "/v"])),
        ("workspaceExec", one(&["false", "true"])),
        ("exec.security", one(&["allowlist", "full", "deny"])),
        ("exec.ask", one(&["off", "on-miss", "always"])),
        ("exec.allowlist", list(entries)),
        ("exec.deny", list(&["rm", "git", "/usr/bin/git", "/usr/bin/*"])),
        ("exec.inlineEval", one(&["allow", "deny"])),
        ("exec.safeBins", list(&["cat", "rm"])),
        ("exec.trustedDirs", one(&["[/usr/bin, /w]", "[/usr/bin]", "[]"])),
        ("filesystem.writable", trees()),
        ("filesystem.readOnly", trees()),
        ("filesystem.hidden", list(&["'*.pem'", "sub", "/w/sub/x", "/w/out/a", "out", "'**/deep/*'"])),
        ("filesystem.protected", one(&["default", "none", "[sub]", "[/w/out]", "[a]", "['*.pem', /w/sub]"])),
        ("network.default", one(&["deny", "allow"])),
        (
            "network.allow",
            list(&[
                "{ port: 443 }",
                "{ port: 443, protocol: tcp }",
                "{ host: 10.0.0.0/8 }",
                "{ host: 10.1.0.0/16, port: 443 }",
                "{ host: loopback }",
                "{ host: '*.example.org' }",
                "{ host: a.example.org, port: 53, protocol: udp }",
            ]),
        ),
        ("environment.pass", list(&["A", "'A*'", "'*'", "A_TOKEN", "'A_TOKEN*'"])),
    ]
}

/// A policy with these values, in the order of the keys.
fn written(values: &[String]) -> String {
    let mut text = String::new();
    let mut section = "";
    for ((key, _), value) in keys().iter().zip(values) {
        match key.split_once('.') {
            None => text.push_str(&format!("{key}: {value}\n")),
            Some((name, key)) => {
                if name != section {
                    section = name;
                    text.push_str(&format!("{name}:\n"));
                }
                text.push_str(&format!("  {key}: {value}\n"));
            }
        }
    }
    text
}

fn values() -> impl Strategy<Value = Vec<String>> {
    keys().into_iter().map(|(_, value)| value).collect::<Vec<_>>()
}

fn text() -> impl Strategy<Value = String> {
    values().prop_map(|values| written(&values))
}

/// Two policies that differ in few keys: others hardly ever lie within each other.
fn pair() -> impl Strategy<Value = (String, String)> {
    let differs = prop::collection::vec(prop::bool::weighted(0.12), keys().len());
    (values(), values(), differs).prop_map(|(outer, other, differs)| {
        let mixed = outer.iter().zip(other).zip(differs);
        let inner: Vec<String> =
            mixed.map(|((outer, other), differs)| if differs { other } else { outer.clone() }).collect();
        (written(&inner), written(&outer))
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
        "cat",
        "cat /w/a",
        "/usr/bin/git log",
        "/usr/bin/rm x",
        "/w/tool",
        "tool",
        "id",
        "git log -f",
        "python3 -c pass",
        "python3 x",
    ])
    .prop_map(|line| Example::Exec(line.split(' ').map(|word| word.as_bytes().to_vec()).collect()));
    let paths = &[
        "/w/a",
        "/w/sub/x",
        "/w/sub",
        "/v/a",
        "/v/a.pem",
        "/v/deep/a",
        "/w/out/a",
        "/w/out/deep/a.pem",
        "/home/me/.ssh/id",
        "/etc/passwd",
        "/w/.git/config",
        "/w/sub/.git/hooks/x",
        "/w/tool",
        "/usr/bin/git",
    ];
    let file = (
        prop::sample::select(&paths[..]),
        prop::sample::select(&paths[..]),
        prop::sample::select(&FileAction::ALL[..]),
        any::<bool>(),
        prop::sample::select(vec![Origin::Runtime, Origin::Command]),
    )
        .prop_map(|(path, to, action, recursive, origin)| {
            Example::File(FileRequest {
                action,
                path: path.into(),
                to: Some(to.into()),
                recursive,
                cwd: PathBuf::from("/w"),
                origin,
            })
        });
    let hosts = [
        "8.8.8.8",
        "10.1.2.3",
        "10.2.0.1",
        "127.0.0.1",
        "a.example.org",
        "example.org",
        "::1",
        "::ffff:10.1.2.3",
    ];
    let network = (
        prop::sample::select(hosts.to_vec()),
        prop::sample::select(vec![443, 53, 80]),
        prop::sample::select(vec![Protocol::Tcp, Protocol::Udp]),
    )
        .prop_map(|(host, port, protocol)| {
            Example::Network(NetworkRequest { protocol, port, host: Some(host.to_owned()) })
        });
    let variable = prop::sample::select(vec!["A", "AB", "B", "A_TOKEN", "A_TOKEN_X", "LD_PRELOAD"])
        .prop_map(|name| Example::Environment(name.into()));
    prop_oneof![3 => argv, 3 => file, 1 => network, 1 => variable]
}

proptest! {
    // A case compiles policies and decides a dozen times.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn within_a_policy_nothing_is_allowed_that_it_denies((inner, outer) in pair(), examples in prop::collection::vec(example(), 12)) {
        let (own, other) = (compiled(&inner), compiled(&outer));
        if excesses(&own, &other).is_empty() {
            for example in examples {
                let (by_own, by_other) = (decided(&own, &example), decided(&other, &example));
                prop_assert!(rank(&by_own) <= rank(&by_other), "{example:?}\n{inner}---\n{outer}---\n{by_own:?}\n{by_other:?}");
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
