//! What a document may do to the layers before it.

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::{Layer, LayerKind, compile};
use crate::decide::testing::Tree;
use crate::{
    Decision, ExecRequest, Expansion, FileAction, FileRequest, Format, NetworkRequest, Origin, Policy,
    Protocol, Request, Source, built_in,
};

fn layered(documents: &[(LayerKind, &str)]) -> Policy {
    let expansion = Expansion { home: Some("/home/me".into()), cwd: "/w".into(), ..Expansion::default() };
    let named = |(kind, text): &(LayerKind, &str)| Layer {
        source: Source::new(format!("{kind:?}.yaml"), *text, Format::Yaml),
        kind: *kind,
    };
    let ground = Layer { source: built_in(), kind: LayerKind::BuiltIn };
    let layers: Vec<Layer> = std::iter::once(ground).chain(documents.iter().map(named)).collect();
    compile(&layers, &expansion).unwrap_or_else(|errors| panic!("{documents:?}: {}", errors[0]))
}

fn machine() -> Tree {
    let mut tree = Tree::new(&["/w"]);
    for program in ["git", "jq", "cat", "python3", "curl", "head"] {
        tree.file(&format!("/usr/bin/{program}"));
    }
    tree.directory("/usr/local/bin").directory("/bin").directory("/home/me/.ssh").file("/home/me/.ssh/id");
    tree.file("/w/a").file("/w/docs/b").file("/w/sub/secret/key").file("/etc/passwd").file("/srv/data");
    tree
}

fn file(action: FileAction, path: &str) -> FileRequest {
    FileRequest {
        action,
        path: path.into(),
        to: None,
        recursive: false,
        cwd: "/w".into(),
        origin: Origin::Runtime,
    }
}

/// How much an answer permits.
const fn rank(decision: &Decision) -> u8 {
    match decision {
        Decision::Deny(_) => 0,
        Decision::Ask(_) => 1,
        Decision::Allow(_) => 2,
    }
}

/// What many different requests are answered, each with a name.
fn answers(policy: &Policy) -> Vec<(String, u8)> {
    let tree = machine();
    let mut answers = Vec::new();
    for line in [
        "git status",
        "git push",
        "jq .",
        "cat a",
        "python3 -c 1",
        "curl x",
        "head",
        "/srv/data",
        "cat a > docs/b",
    ] {
        let script = claw_shell::parse(line.as_bytes(), claw_shell::Dialect::Bash).expect("the line parses");
        let request = ExecRequest {
            script: &script,
            shell: None,
            line: Some(line.as_bytes()),
            cwd: "/w".into(),
            environment: Vec::new(),
        };
        answers.push((line.to_owned(), rank(&tree.decide(policy, Request::Exec(&request)))));
    }
    for path in [
        "/w/a",
        "/w/docs/b",
        "/w/sub/secret/key",
        "/home/me/.ssh/id",
        "/srv/data",
        "/etc/passwd",
        "/w/.bashrc",
    ] {
        for action in [FileAction::Read, FileAction::Write] {
            let decision = tree.decide(policy, Request::File(&file(action, path)));
            answers.push((format!("{} {path}", action.name()), rank(&decision)));
        }
    }
    for name in ["LANG", "CI", "API_TOKEN", "LD_PRELOAD"] {
        let decision = tree.decide(policy, Request::Environment(name.as_bytes()));
        answers.push((name.to_owned(), rank(&decision)));
    }
    for (port, host) in [(443, Some("example.com")), (80, None), (53, Some("127.0.0.1"))] {
        let request = NetworkRequest { protocol: Protocol::Tcp, port, host: host.map(str::to_owned) };
        answers.push((format!("port {port}"), rank(&tree.decide(policy, Request::Network(&request)))));
    }
    answers
}

/// Statements of a restricting document, one for each top-level key.
const STATEMENTS: &[&[&str]] = &[
    &[
        "workspace: /w\n",
        "workspace: /srv\n",
        "workspace: /\n",
        "workspaceExec: true\n",
        "workspaceExec: false\n",
    ],
    &[
        "exec: { security: full }\n",
        "exec: { security: allowlist }\n",
        "exec: { security: deny }\n",
        "exec: { security: full, ask: on-miss }\n",
        "exec: { ask: always }\n",
        "exec: { allowlist: [git, curl, { path: /srv/data }] }\n",
        "exec: { security: full, allowlist: [{ command: git, deny: [[push]] }] }\n",
        "exec: { inlineEval: allow, safeBins: [head, cat] }\n",
        "exec: { inlineEval: deny, trustedDirs: [/usr/bin, /srv], verify: false }\n",
        "exec: { deny: [jq] }\n",
    ],
    &[
        "filesystem: { readOnly: [/etc, ~/.ssh, docs] }\n",
        "filesystem: { writable: [/srv, /etc] }\n",
        "filesystem: { protected: none }\n",
        "filesystem: { hidden: [secret], protected: [a] }\n",
    ],
    &["network: { default: allow }\n", "network: { allow: [{ port: 443 }] }\n"],
    &["environment: { pass: [CI, API_TOKEN, LD_PRELOAD] }\n", "environment: { pass: [] }\n"],
    &["enforcement: { degrade: [] }\n", "limits: { processes: 9999999 }\n", "detach: true\n"],
];

fn document() -> impl Strategy<Value = String> {
    let of = |choices: &'static [&'static str]| prop_oneof![Just(""), prop::sample::select(choices)];
    let statements: Vec<_> = STATEMENTS.iter().map(|choices| of(choices)).collect();
    statements.prop_map(|statements| statements.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_restricting_layer_never_allows_what_the_layers_before_it_do_not(
        first in document(), second in document(), kinds in subsequence(vec![LayerKind::User, LayerKind::Project], 1..=2),
    ) {
        let documents: Vec<_> = kinds.into_iter().zip([first.as_str(), second.as_str()]).collect();
        for end in 1..=documents.len() {
            let (before, after) = (layered(&documents[..end - 1]), layered(&documents[..end]));
            for ((request, before), (_, after)) in answers(&before).into_iter().zip(answers(&after)) {
                prop_assert!(after <= before, "{request}: {before} became {after} by {:?}", documents[end - 1]);
            }
            prop_assert!(after.limits.processes <= before.limits.processes);
            prop_assert!(after.verify || !before.verify);
            prop_assert!(before.detach || !after.detach);
            prop_assert!(after.floor.degrade.iter().all(|given_up| before.floor.degrade.contains(given_up)));
        }
    }
}

#[test]
fn the_requests_of_these_tests_are_answered_differently() {
    let ranks: Vec<_> = answers(&layered(&[])).into_iter().map(|(_, rank)| rank).collect();
    assert!(ranks.contains(&0) && ranks.contains(&2), "{ranks:?}");
}

fn answer(policy: &Policy, wanted: &str) -> u8 {
    let all = answers(policy);
    all.iter()
        .find(|(request, _)| request == wanted)
        .map(|(_, rank)| *rank)
        .expect("the request is among them")
}

#[test]
fn a_named_document_replaces_what_it_states_and_nothing_else() {
    let user = (LayerKind::User, "exec: { allowlist: [jq], inlineEval: deny }\n");
    let cases = [
        ("exec: { allowlist: [git] }\n", "git status", 2),
        ("exec: { allowlist: [git] }\n", "jq .", 0),
        ("exec: { allowlist: [python3] }\n", "python3 -c 1", 0),
        ("exec: { allowlist: [python3], inlineEval: allow }\n", "python3 -c 1", 2),
        ("exec: { security: full }\n", "curl x", 2),
        ("exec: { inlineEval: allow }\n", "git status", 0),
        ("environment: { pass: [CI] }\n", "CI", 2),
        ("filesystem: { readOnly: [~/.ssh] }\n", "read /home/me/.ssh/id", 2),
        ("filesystem: { readOnly: [~] }\n", "read /home/me/.ssh/id", 0),
        ("filesystem: { protected: none }\n", "write /w/.bashrc", 2),
        ("filesystem: { protected: [a] }\n", "write /w/.bashrc", 0),
        ("filesystem: { protected: [a] }\n", "write /w/a", 0),
    ];
    for (text, request, expected) in cases {
        let policy = layered(&[user, (LayerKind::Named, text)]);
        assert_eq!(answer(&policy, request), expected, "{text}: {request}");
    }
}

#[test]
fn nothing_is_given_up_but_by_a_named_list_of_guarantees() {
    assert!(layered(&[]).floor.degrade.is_empty());
    let list = "enforcement: { degrade: [metadata] }\n";
    assert_eq!(layered(&[(LayerKind::Named, list)]).floor.degrade, [crate::Guarantee::Metadata]);
}

#[test]
fn relative_patterns_of_every_document_start_in_the_workspace_that_holds() {
    let user = (LayerKind::User, "filesystem: { hidden: [sub/secret] }\n");
    let policy = layered(&[user, (LayerKind::Named, "workspace: /srv/site\n")]);
    assert!(policy.hidden_paths().any(|path| path == std::path::Path::new("/srv/site/sub/secret")));
}

#[test]
fn a_project_does_not_say_who_owns_the_assistant() {
    let owner = "ownerNumbers: ['12345']\n";
    assert!(layered(&[(LayerKind::Project, owner)]).front_door.sections.is_empty());
    let both = layered(&[(LayerKind::User, owner), (LayerKind::Project, "ownerNumbers: ['99999']\n")]);
    assert_eq!(both.front_door.sections["ownerNumbers"], serde_json::json!(["12345"]));
}

#[test]
fn bundles_are_a_named_policys_and_strictness_everybodys() {
    use crate::policy::{Descendants, Part};
    let of = |policy: &Policy, program: &str| {
        let bundle = policy.bundles.iter().find(|bundle| bundle.program == program.as_bytes());
        bundle.map(|bundle| bundle.parts.clone()).unwrap_or_default()
    };
    let text =
        "exec: { descendants: system, bundles: { npm: [default, tools/x], tar: [git gc], new: [~/x/*] } }";
    let named = layered(&[(LayerKind::Named, text)]);
    let before = of(&layered(&[]), "npm");
    assert!(before.len() > 3 && of(&named, "npm").starts_with(&before));
    assert_eq!(of(&named, "npm").last(), Some(&Part::Workspace("tools/x".into())));
    assert_eq!(of(&named, "tar"), [Part::of_text("git gc")]);
    assert_eq!(of(&named, "new"), [Part::Glob("/home/me/x/*".into())]);
    assert_eq!(named.descendants, Descendants::System);

    let loosened = layered(&[(LayerKind::Project, "exec: { descendants: system, verify: false }")]);
    assert!(loosened.descendants == Descendants::Strict && loosened.exec_verify());
    let strict = layered(&[(LayerKind::Named, text), (LayerKind::Project, "exec: { descendants: strict }")]);
    assert_eq!(strict.descendants, Descendants::Strict);

    let expansion = Expansion { home: Some("/home/me".into()), cwd: "/w".into(), ..Expansion::default() };
    let refused = |kind, text: &str| {
        let source = Source::new("x.yaml", text, Format::Yaml);
        compile(&[Layer { source, kind }], &expansion).unwrap_err()[0].code
    };
    assert_eq!(refused(LayerKind::Project, "exec: { bundles: { npm: [sh] } }"), "policy.layer");
    assert_eq!(refused(LayerKind::Named, "exec: { bundles: { npm: [../x] } }"), "policy.path");
    assert_eq!(refused(LayerKind::Named, "exec: { bundles: { npm: ['**/*'] } }"), "policy.path");
    assert_eq!(refused(LayerKind::Named, "exec: { bundles: { npm: ['a; b'] } }"), "policy.command");
    assert_eq!(refused(LayerKind::Named, "exec: { bundles: { /x: [sh] } }"), "policy.command");
    assert_eq!(refused(LayerKind::Named, "exec: { descendants: sytem }"), "policy.type");
}

#[test]
fn default_in_an_allowlist_stands_for_the_profile_and_adds_to_it() {
    let entries = |policy: &Policy| {
        policy.exec[0].allowlist.iter().map(|entry| entry.value.clone()).collect::<Vec<_>>()
    };
    let built_in = entries(&layered(&[]));
    let named = |text| layered(&[(LayerKind::Named, text)]);
    for text in ["exec: { allowlist: [hugo, default] }", "exec:\n  allowlist:\n    - hugo\n    - 'default'\n"]
    {
        let policy = named(text);
        let all = entries(&policy);
        assert_eq!(all[1..], built_in, "{text}");
        assert_eq!(policy.exec[0].allowlist[1].rule.text.trim_matches('\''), "default");
    }
    let program = |text| named(text).exec[0].allowlist[0].value.program.clone();
    assert_eq!(
        program("exec: { allowlist: [{ command: default }] }"),
        crate::policy::ProgramMatcher::Name(b"default".to_vec())
    );
    let restricting = layered(&[(LayerKind::Project, "exec: { allowlist: [default] }")]);
    assert_eq!(restricting.exec[1].allowlist.len(), built_in.len());
}
