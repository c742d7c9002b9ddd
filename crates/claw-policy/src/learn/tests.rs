use super::*;
use crate::{Expansion, Layer, LayerKind, Protocol, built_in, compile};

fn policy(text: Option<(&str, Format)>) -> Policy {
    let mut layers = vec![Layer { source: built_in(), kind: LayerKind::BuiltIn }];
    layers.extend(
        text.map(|(text, format)| Layer { source: Source::new("p", text, format), kind: LayerKind::Named }),
    );
    let expansion = Expansion { home: Some("/home/me".into()), cwd: "/w".into(), ..Expansion::default() };
    compile(&layers, &expansion).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

fn command(found: &str, line: &str) -> Refusal {
    let program = ProgramFact {
        found: found.into(),
        real: found.into(),
        id: crate::FileId { device: 1, inode: 1 },
        executable: true,
        interpreters: Vec::new(),
    };
    let argv = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    Refusal { what: Refused::Command { program: Some(program), argv }, code: Code::ExecNotAllowlisted }
}

fn file(action: FileAction, path: &str) -> Refusal {
    Refusal { what: Refused::File { action, path: path.into() }, code: Code::FileOutside }
}

fn port(port: u16) -> Refusal {
    let rule = NetworkRule { protocol: Some(Protocol::Tcp), port: Some(port), host: None };
    Refusal { what: Refused::Network(rule), code: Code::NetworkDenied }
}

fn everything() -> Vec<Refusal> {
    vec![
        command("/usr/bin/git", "git fetch origin"),
        command("/usr/bin/git", "git fetch"),
        command("/usr/bin/hugo", "hugo --minify"),
        command("/w/tools/x", "x"),
        file(FileAction::Read, "/srv/data/a"),
        file(FileAction::Create, "/srv/out/b"),
        port(443),
    ]
}

/// Learns, compiles what came out, and looks whether it is all there.
#[track_caller]
fn check(text: &str, format: Format) -> String {
    let before = policy(Some((text, format)));
    let lesson = learn(&before, &everything());
    assert_eq!(lesson.left(), <[String; 0]>::default(), "{text}");
    let [(name, after)] = lesson.texts() else { panic!("one text: {:?}", lesson.texts()) };
    assert_eq!(name, "p");
    let learnt = policy(Some((after, format)));
    let programs = |policy: &Policy| {
        policy.exec[0].allowlist.iter().map(|entry| entry.value.clone()).collect::<Vec<_>>()
    };
    let (old, new) = (programs(&before), programs(&learnt));
    assert!(old.iter().all(|entry| new.contains(entry)), "nothing is lost in\n{after}");
    assert_eq!(new.len(), old.len() + 3, "{after}");
    let has = |path: &str, access| learnt.roots().any(|root| root == (Path::new(path), access));
    assert!(has("/srv/data/a", Access::Read) && has("/srv/out", Access::Write), "{after}");
    assert_eq!(learnt.network[0].allow.last().map(|rule| rule.value.port), Some(Some(443)), "{after}");
    lesson.to_string()
}

#[test]
fn lists_grow_in_the_style_that_they_have() {
    let diff = check(
        "exec:\n  allowlist:\n    - npm\n    - command: cargo\n      allow: [[build]]\n\n  deny: [rm]\nfilesystem:\n  readOnly: [/srv/x]\nnetwork:\n  allow: []\n",
        Format::Yaml,
    );
    assert_eq!(
        diff,
        "--- p\n+++ p\n@@ -3,9 +3,14 @@\n     - npm\n     - command: cargo\n       allow: [[build]]\n+    - git fetch\n+    - hugo\n\
         +    - path: /w/tools/x\n \n   deny: [rm]\n filesystem:\n-  readOnly: [/srv/x]\n+  writable:\n+    - /srv/out\n+  readOnly: [/srv/x, \"/srv/data/a\"]\n\
         \x20network:\n-  allow: []\n+  allow: [{ \"port\": 443, \"protocol\": \"tcp\" }]\n"
    );
    check("exec: { allowlist: [git log, npm] }\n", Format::Yaml);
    check("exec: { allowlist: [default] }\n", Format::Yaml);
    check("exec:\n  allowlist:\n    - default\n", Format::Yaml);
    check("workspace: /w\nexec:\n  allowlist: [npm]\nfilesystem: { hidden: [.env] }", Format::Yaml);
    check("# mine\nworkspace: /w\nlimits: { time: 5m }\n", Format::Yaml);
    check("{\n  \"exec\": { \"allowlist\": [\"npm\"] },\n  \"filesystem\": {}\n}\n", Format::Json);
    check("{ exec: { allowlist: ['npm', 'jq'], }, }", Format::Json5);
    check("{}\n", Format::Json);
    check("", Format::Yaml);
    check("exec:\r\n  allowlist:\r\n    - npm\r\n", Format::Yaml);
}

#[test]
fn without_a_policy_a_new_text_names_the_profile_and_what_is_new() {
    let lesson = learn(&policy(None), &[command("/usr/bin/hugo", "hugo")]);
    assert!(lesson.to_string().starts_with("--- /dev/null\n+++ policy.yaml\n@@ -0,0 +1,"));
    let learnt = policy(Some((&lesson.texts()[0].1, Format::Yaml)));
    assert!(
        lesson.texts()[0].1.contains("allowlist:\n    - default\n    - hugo\n"),
        "{}",
        lesson.texts()[0].1
    );
    assert_eq!(learnt.exec[0].allowlist.len(), policy(None).exec[0].allowlist.len() + 1);
}

#[test]
fn documents_that_only_restrict_are_left_alone() {
    let layer = |name: &str, text: &str, kind| Layer { source: Source::new(name, text, Format::Yaml), kind };
    let layers = [
        Layer { source: built_in(), kind: LayerKind::BuiltIn },
        layer("user", "exec: { allowlist: [git] }", LayerKind::User),
        layer("project", "filesystem: { readOnly: [/w/docs] }", LayerKind::Project),
    ];
    let expansion = Expansion { home: Some("/home/me".into()), cwd: "/w".into(), ..Expansion::default() };
    let policy = compile(&layers, &expansion).unwrap();
    let lesson = learn(&policy, &everything());
    assert_eq!(lesson.texts().len(), 1);
    assert_eq!(lesson.texts()[0].0, "policy.yaml");
}

#[test]
fn what_a_rule_forbids_is_not_learnt() {
    let mut denied = command("/usr/bin/rm", "rm -rf x");
    denied.code = Code::ExecDenied;
    let mut hidden = file(FileAction::Read, "/w/.env");
    hidden.code = Code::FileHidden;
    let lesson = learn(&policy(None), &[denied.clone(), denied, hidden]);
    assert!(lesson.is_empty());
    assert_eq!(
        lesson.left(),
        [
            "`rm -rf x` is refused by a rule (exec.denied)",
            "read `/w/.env` is refused by a rule (file.hidden)"
        ]
    );
}

#[test]
fn many_forms_are_the_program_and_many_files_the_directory() {
    let forms =
        ["add", "log", "show", "fetch", "push"].map(|form| command("/usr/bin/git", &format!("git {form}")));
    let wanted = Wanted::new(&policy(None), &forms);
    assert_eq!(wanted.entries(), [Item::of_text("git")]);
    let files = ["a", "b", "c", "d"].map(|name| file(FileAction::Read, &format!("/srv/x/{name}")));
    let wanted = Wanted::new(&policy(None), &files);
    assert_eq!(wanted.read, BTreeSet::from(["/srv/x".into()]));
    let wanted =
        Wanted::new(&policy(None), &[file(FileAction::Delete, "/s/x/a"), file(FileAction::Read, "/s/x/b")]);
    assert!(wanted.read.is_empty() && wanted.written == BTreeSet::from(["/s/x".into()]));
}
