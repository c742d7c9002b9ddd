//! Every shape of OpenClaw's settings against the policy and the report that they become.
//!
//! A case is a directory of `tests/data`. With `CLAW_UPDATE=1` the expected files are written anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use claw_import::{Fate, Import, OpenClaw, openclaw};
use claw_policy::{
    Diagnostic, Expansion, Format, Layer, LayerKind, Policy, Severity, Source, built_in, compile, lint,
};
use proptest::prelude::*;

fn source(directory: &Path, name: &str) -> Option<Source> {
    let text = fs::read_to_string(directory.join(name)).ok()?;
    let format = if name.ends_with(".yaml") { Format::Yaml } else { Format::Json5 };
    Some(Source::new(name, text, format))
}

fn import_text(config: Option<&str>, approvals: Option<&str>) -> Result<Import, Vec<Diagnostic>> {
    let source = |name: &str, text: &str| Source::new(name, text, Format::Json5);
    let config = config.map(|text| source("openclaw.json", text));
    let approvals = approvals.map(|text| source("exec-approvals.json", text));
    openclaw(OpenClaw { config: config.as_ref(), approvals: approvals.as_ref(), agent: "main" })
}

fn compiled(text: &str) -> Result<Policy, Vec<Diagnostic>> {
    let layers = [
        Layer { source: built_in(), kind: LayerKind::BuiltIn },
        Layer { source: Source::new("imported.yaml", text, Format::Yaml), kind: LayerKind::Named },
    ];
    let variables = BTreeMap::from([("PROJECTS".to_owned(), "/projects".to_owned())]);
    let expansion =
        Expansion { home: Some("/home/u".into()), cwd: "/home/u".into(), variables, ..Expansion::default() };
    compile(&layers, &expansion)
}

#[test]
fn every_shape_becomes_the_policy_and_the_report_beside_it() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut cases = 0;
    for directory in fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()) {
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        let config = source(&directory, "openclaw.json").or_else(|| source(&directory, "policy.yaml"));
        let approvals = source(&directory, "exec-approvals.json");
        let agent = fs::read_to_string(directory.join("agent")).unwrap_or_else(|_| "main".to_owned());
        let input = OpenClaw { config: config.as_ref(), approvals: approvals.as_ref(), agent: agent.trim() };
        let import = openclaw(input).expect(&name);
        let report: String = import.report.iter().map(|finding| format!("{finding}\n")).collect();
        for (file, text) in [("imported.yaml", &import.policy), ("report.txt", &report)] {
            if std::env::var_os("CLAW_UPDATE").is_some() {
                fs::write(directory.join(file), text).unwrap();
            }
            assert_eq!(*text, fs::read_to_string(directory.join(file)).unwrap_or_default(), "{name}/{file}");
        }
        let policy = compiled(&import.policy).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        let errors: Vec<_> =
            lint(&policy).into_iter().filter(|finding| finding.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        cases += 1;
    }
    assert!(cases >= 10);
}

#[test]
fn what_cannot_be_read_as_a_whole_is_an_error_with_its_place() {
    let config = |text| import_text(Some(text), None);
    let approvals = |text| import_text(None, Some(text));
    for (result, start) in [
        (config("{"), "openclaw.json:1:1: error: unterminated object"),
        (config("[]"), "openclaw.json:1:1: error: not a mapping"),
        (config("{a: {'$include': 'x'}}"), "openclaw.json:1:6: error: what is included could restrict"),
        (config("{a: 1, a: 2}"), "openclaw.json:1:8: error: the key `a` is written twice"),
        (approvals("{}"), "exec-approvals.json:1:1: error: no version"),
        (approvals("{version: 2}"), "exec-approvals.json:1:2: error: want version 1"),
        (
            approvals("{version: 1, __proto__: {}}"),
            "exec-approvals.json:1:14: error: a key that OpenClaw refuses",
        ),
    ] {
        let errors = result.unwrap_err();
        assert!(errors[0].to_string().starts_with(start), "{start}: {}", errors[0]);
    }
}

#[test]
fn an_unknown_key_is_reported_and_stops_nothing() {
    let import = import_text(Some("{\n  tools: { exec: { mode: 'full', novelty: 1 } },\n}"), None).unwrap();
    let unknown: Vec<String> = import
        .report
        .iter()
        .filter(|finding| finding.fate == Fate::Unknown)
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        unknown,
        [
            "openclaw.json:2:34: unknown: tools.exec.novelty: this key is not known to the import; it is left out"
        ]
    );
    assert!(import.policy.contains("security: full"), "{}", import.policy);
}

#[test]
fn a_secret_of_the_settings_is_in_neither_text() {
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let text = format!(
        "{{agents: {{defaults: {{sandbox: {{mode: 'all', docker: {{env: {{GH: '{secret}'}}}}}}}}}}, env: {{A: '{secret}'}}}}"
    );
    let import = import_text(Some(&text), None).unwrap();
    let report: String = import.report.iter().map(ToString::to_string).collect();
    assert!(!import.policy.contains(secret) && !report.contains(secret));
    assert!(import.policy.contains("- GH "), "{}", import.policy);
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "git", "default", "*", "/**", "~/x/*", "../x", "a b", "true", "${X}", "$${X}", "=command:1", "", "[", "a]b",
            "\n- rm", "# x", "/a\\b", "é", "\u{2028}", "deny", "allowlist", "full", "ask", "on-miss", "always", "all", "rw",
            "ro", "none", "/w", "/a:/a", "/a:/b:ro", "1g", "^a$", "^a( .*)?$", "7",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = serde_like::Value> {
    let leaf = prop_oneof![
        word().prop_map(serde_like::Value::Text),
        any::<bool>().prop_map(serde_like::Value::Flag),
        any::<u64>().prop_map(serde_like::Value::Number),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_like::Value::List),
            prop::collection::btree_map(key(), inner, 0..8).prop_map(serde_like::Value::Map),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = "version tools agents defaults entries list id main * exec fs workspaceOnly allow deny profile mode security \
        ask askFallback allowlist pattern argPattern safeBins safeBinProfiles safeBinTrustedDirs pathPrepend strictInlineEval \
        timeoutSeconds sandbox fsize cpu nproc workspace workspaceAccess docker binds env network memory pidsLimit ulimits nofile PATH A";
    let known: Vec<String> = known.split_whitespace().map(str::to_owned).collect();
    prop_oneof![9 => prop::sample::select(known), 1 => word()]
}

/// Just enough JSON to write random documents.
mod serde_like {
    use std::collections::BTreeMap;
    use std::fmt;

    #[derive(Clone, Debug)]
    pub(crate) enum Value {
        Text(String),
        Flag(bool),
        Number(u64),
        List(Vec<Self>),
        Map(BTreeMap<String, Self>),
    }

    impl fmt::Display for Value {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Text(text) => text_of(f, text),
                Self::Flag(flag) => write!(f, "{flag}"),
                Self::Number(number) => write!(f, "{number}"),
                Self::List(items) => {
                    f.write_str("[")?;
                    items.iter().try_for_each(|item| write!(f, "{item},"))?;
                    f.write_str("]")
                }
                Self::Map(members) => {
                    f.write_str("{")?;
                    members.iter().try_for_each(|(key, value)| {
                        text_of(f, key)?;
                        write!(f, ":{value},")
                    })?;
                    f.write_str("}")
                }
            }
        }
    }

    fn text_of(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
        f.write_str("\"")?;
        for unit in text.encode_utf16() {
            write!(f, "\\u{unit:04x}")?;
        }
        f.write_str("\"")
    }
}

proptest! {
    #[test]
    fn whatever_the_documents_say_the_policy_loads(config in value(), approvals in value()) {
        let approvals = format!("{{version: 1, agents: {{main: {{allowlist: [{approvals}]}}}}, defaults: {approvals}}}");
        let config = format!("{{tools: {config}, agents: {{defaults: {config}}}}}");
        if let Ok(import) = import_text(Some(&config), Some(&approvals)) {
            let other: Vec<_> = compiled(&import.policy)
                .err()
                .unwrap_or_default()
                .into_iter()
                .filter(|error| error.code != "policy.expansion")
                .collect();
            prop_assert!(other.is_empty(), "{other:?}\n{}", import.policy);
        }
    }

    /// What one document permits is never more than it permits together with another.
    #[test]
    fn a_second_document_never_opens(security in prop::sample::select(vec!["deny", "allowlist", "full"]), mode in prop::sample::select(vec!["deny", "allowlist", "ask", "full"])) {
        let config = format!("{{tools: {{exec: {{mode: '{mode}'}}}}}}");
        let approvals = format!("{{version: 1, defaults: {{security: '{security}'}}}}");
        let both = import_text(Some(&config), Some(&approvals)).unwrap().policy;
        let is_full = both.contains("security: full");
        prop_assert_eq!(is_full, mode == "full" && security == "full");
        prop_assert_eq!(both.contains("security: deny"), mode == "deny" || security == "deny");
    }
}
