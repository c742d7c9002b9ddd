//! Policy documents in every format: what is accepted, what is refused, and how the refusal reads.

use claw_policy::{
    Diagnostic, Expansion, Format, Layer, LayerKind, LogLevel, Policy, Source, built_in, compile, lint,
};

fn expansion() -> Expansion {
    Expansion {
        home: Some("/home/u".into()),
        cwd: "/home/u/project".into(),
        variables: [("PROJECT".to_owned(), "claw".to_owned())].into(),
        ..Expansion::default()
    }
}

fn compile_as(text: &str, format: Format) -> Result<Policy, Vec<Diagnostic>> {
    let named = Source::new("policy.yaml", text, format);
    let layers = [
        Layer { source: built_in(), kind: LayerKind::BuiltIn },
        Layer { source: named, kind: LayerKind::Named },
    ];
    compile(&layers, &expansion())
}

fn yaml(text: &str) -> Result<Policy, Vec<Diagnostic>> {
    compile_as(text, Format::Yaml)
}

fn first_error(text: &str, format: Format) -> String {
    let errors = compile_as(text, format).err().unwrap_or_default();
    errors.first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn the_built_in_profile_is_valid_and_clean() {
    let policy = compile(&[Layer { source: built_in(), kind: LayerKind::BuiltIn }], &expansion()).unwrap();
    assert_eq!(lint(&policy).len(), 0);
}

/// The YAML that OpenClaw's best-practice text shows, block by block and as one document.
const ASSISTANT: &[&str] = &[
    "anthropic:\n  apiKey: \"sk-ant-api03-xxxxx\"\n",
    "anthropic:\n  apiKey: \"${ANTHROPIC_API_KEY}\"\n",
    "ownerNumbers:\n  - \"1234567890\"  # Your primary number only\n",
    "telegram:\n  # Private chat - full access\n  privateChat:\n    allowCommands: true\n    allowFileAccess: true\n    \n  # Group chats - limited access\n  groupChats:\n    allowCommands: false\n    allowFileAccess: false\n",
    "exec:\n  security: allowlist\n  allowlist:\n    - \"git\"\n    - \"npm\"\n    - \"python3\"\n    # Don't add rm, sudo, etc.\n",
    "workspace: /home/openclaw/.openclaw/workspace\n",
    "filesystem:\n  readOnly:\n    - ~/.ssh\n    - ~/.gnupg\n    - /etc\n",
    "telegram:\n  webhookUrl: \"https://your-domain.com/webhook\"  # Not http://\n",
    "rateLimit:\n  messagesPerMinute: 20\n  commandsPerMinute: 10\n",
    "logging:\n  level: info\n  auditCommands: true\n  auditFileAccess: true\n  logFile: /var/log/openclaw/audit.log\n",
    "alerts:\n  onFailedAuth: true\n  onUnknownNumber: true\n  onHighUsage: true\n",
    "memory:\n  enabled: true\n  excludePatterns:\n    - \"password\"\n    - \"secret\"\n    - \"api_key\"\n",
    "retention:\n  conversationHistory: 30  # days\n  fileCache: 7  # days\n",
    "# DANGEROUS - don't do this\nexec:\n  security: full  # Allows any command including rm -rf /\n",
];

#[test]
fn every_block_of_the_assistant_s_text_is_valid() {
    for block in ASSISTANT {
        yaml(block).unwrap_or_else(|errors| panic!("{block}\n{}", errors[0]));
    }
}

#[test]
fn the_assistant_s_text_as_one_document_is_valid_and_its_traps_are_found() {
    // Not the blocks that are shown as wrong, and one `telegram` section.
    let whole: String =
        ASSISTANT[1..13].iter().filter(|block| !block.contains("webhookUrl")).copied().collect();
    let policy = yaml(&whole).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let codes: Vec<_> = lint(&policy).into_iter().map(|finding| finding.code).collect();
    for code in ["lint.interpreter", "lint.credentials", "lint.runner"] {
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
}

#[test]
fn the_dangers_that_the_assistant_s_text_warns_of_are_found() {
    let codes = |text| lint(&yaml(text).unwrap()).into_iter().map(|finding| finding.code).collect::<Vec<_>>();
    assert!(codes(ASSISTANT[0]).contains(&"lint.hard-coded-secret"));
    assert!(!codes(ASSISTANT[1]).contains(&"lint.hard-coded-secret"));
    assert!(codes(ASSISTANT[13]).contains(&"lint.security-full"));
    assert!(first_error("telegram:\n  webhookUrl: http://x\n", Format::Yaml).contains("must use https"));
}

#[test]
fn the_whole_format_is_valid_in_every_notation() {
    let value = serde_json::json!({
        "workspace": "~/.openclaw/workspace",
        "exec": {
            "security": "allowlist", "ask": "off",
            "allowlist": [
                "git", { "path": "/opt/tools/*/bin/*" }, "git log",
                { "command": "cargo", "allow": [["build"], ["test"]],
                  "deny": [["publish"], { "subcommand": [], "anyFlag": ["--config"] }] },
            ],
            "deny": ["rm", "sudo"], "inlineEval": "allow", "safeBins": [],
            "trustedDirs": ["/usr/local/bin", "/usr/bin", "/bin"], "verify": true,
        },
        "filesystem": {
            "readOnly": ["~/.ssh", "/etc"], "writable": [], "hidden": ["**/.env", "**/*.pem"], "protected": "default",
        },
        "network": { "default": "deny", "allow": [{ "port": 443, "protocol": "tcp" }, { "host": "api.github.com" }] },
        "environment": { "pass": ["LANG"], "set": { "CI": "1" } },
        "limits": { "time": "60s", "output": "1MiB", "cpu": "30s", "memory": "2GiB", "processes": 256,
                    "openFiles": 1024, "fileSize": "1GiB", "disk": "4GiB", "newFiles": 100_000 },
        "enforcement": { "floor": "full", "degrade": [] },
    });
    let json = serde_json::to_string_pretty(&value).unwrap();
    for format in [Format::Json, Format::Json5, Format::Yaml] {
        // JSON is YAML too.
        compile_as(&json, format).unwrap_or_else(|errors| panic!("{format:?}: {}", errors[0]));
    }
}

#[test]
fn refusals_name_the_place_and_the_way_out() {
    assert_eq!(
        first_error("exec:\n  allowlist:\n    - git\n  secruity: full\n", Format::Yaml),
        "policy.yaml:4:3: error: unknown key `secruity`\n  |   secruity: full\n  |   ^^^^^^^^\n  = help: did you mean `security`?"
    );
    assert_eq!(
        first_error("{\n  \"limits\": { \"time\": \"60 parsecs\" }\n}", Format::Json),
        "policy.yaml:2:23: error: `time` must be a duration such as `500ms`, `60s`, `5m` or `1h`, not `60 parsecs`\n  |   \"limits\": { \"time\": \"60 parsecs\" }\n  |                       ^^^^^^^^^^^^"
    );
}

#[test]
fn what_is_not_a_policy_is_refused_in_one_place() {
    let cases: &[(&str, Format, &str)] = &[
        ("workspace: /a\nworkspace: /b\n", Format::Yaml, "2:1: error: the key `workspace` is written twice"),
        ("{\"workspace\": \"/a\", \"workspace\": \"/b\"}", Format::Json, "written twice"),
        ("exec: &a\n  security: deny\n", Format::Yaml, "anchors, aliases, tags"),
        ("exec: !!map {}\n", Format::Yaml, "anchors, aliases, tags"),
        ("---\nworkspace: /a\n---\nworkspace: /b\n", Format::Yaml, "a policy is one document"),
        ("[]", Format::Json, "a policy must be a mapping, not a list"),
        ("{\"workspace\": \"/a\",}", Format::Json, "error"),
        ("{workspace: 'x' /* comment */}", Format::Json, "error"),
        ("workspace: /a/../b\n", Format::Yaml, "contains `..`"),
        ("workspace: ${MISSING}/x\n", Format::Yaml, "the variable `MISSING` is not set"),
        ("workspace: ${PROJECT:-x}\n", Format::Yaml, "is not a variable"),
        ("exec:\n  allowlist: git\n", Format::Yaml, "`allowlist` must be a list, not `git`"),
        ("exec:\n  allowlist: ['git; rm']\n", Format::Yaml, "is not a plain command"),
        ("exec:\n  security: maybe\n", Format::Yaml, "one of `deny`, `allowlist`, `full`"),
        ("limits: { processes: 0 }\n", Format::Yaml, "at least 1"),
        ("limits: { processes: -3 }\n", Format::Yaml, "at least 1"),
        ("network: { allow: [{ port: 70000 }] }\n", Format::Yaml, "from 1 to 65535"),
        ("network: { allow: [{}] }\n", Format::Yaml, "every address"),
        ("enforcement: { degrade: [filez] }\n", Format::Yaml, "did you mean `files`?"),
        ("ownerNumbers: [abc]\n", Format::Yaml, "3 to 20 digits"),
        ("filesystem: { hidden: ['a[b'] }\n", Format::Yaml, "not a pattern"),
        ("\u{feff}workspace: /a\n", Format::Yaml, "byte order mark"),
        ("workspace: \"a\0b\"\n", Format::Yaml, "NUL"),
        ("exec:\n\tsecurity: deny\n", Format::Yaml, "policy.yaml:2:"),
    ];
    for (text, format, expected) in cases {
        let error = first_error(text, *format);
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn large_and_deep_texts_are_refused_at_once() {
    for format in [Format::Yaml, Format::Json5, Format::Json] {
        for open in ["[", "{\"a\":", "{a: ", "- "] {
            let text = open.repeat(100_000);
            assert!(compile_as(&text, format).is_err(), "{open}");
        }
        assert!(compile_as(&"a".repeat(2 << 20), format).is_err());
    }
    let bomb = format!("a: &a [x]\n{}", (0..50).map(|n| format!("b{n}: [*a, *a, *a]\n")).collect::<String>());
    assert!(first_error(&bomb, Format::Yaml).contains("anchors"));
    let many = format!("exec:\n  allowlist: [{}]\n", "git, ".repeat(11_000));
    assert!(first_error(&many, Format::Yaml).contains("more than"));
}

#[test]
fn an_empty_text_states_nothing() {
    for (text, format) in
        [("", Format::Yaml), ("# nothing\n", Format::Yaml), ("{}", Format::Json), ("", Format::Json5)]
    {
        compile_as(text, format).unwrap_or_else(|errors| panic!("{text:?}: {}", errors[0]));
    }
}

#[test]
fn the_user_and_the_project_only_restrict() {
    for kind in [LayerKind::User, LayerKind::Project] {
        for text in ["environment: { set: { A: b } }\n", "enforcement: { degrade: [files] }\n"] {
            let source = Source::new("p.yaml", text, Format::Yaml);
            let layers = [Layer { source: built_in(), kind: LayerKind::BuiltIn }, Layer { source, kind }];
            let errors = compile(&layers, &expansion()).map(|_| ()).unwrap_err();
            assert!(errors[0].message.contains("only restricts"), "{}", errors[0]);
        }
    }
}

#[test]
fn other_crates_read_what_the_seed_states() {
    let whole: String =
        ASSISTANT[1..13].iter().filter(|block| !block.contains("webhookUrl")).copied().collect();
    let policy = yaml(&whole).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(policy.logging().level, Some(LogLevel::Info));
    assert_eq!(policy.logging().log_file.as_deref(), Some("/var/log/openclaw/audit.log".as_ref()));
    assert_eq!(policy.workspace(), Some("/home/openclaw/.openclaw/workspace".as_ref()));
    let sections = serde_json::Value::Object(policy.front_door().sections.clone());
    // A reference stays one: whoever needs the secret looks it up.
    assert_eq!(sections["anthropic"]["apiKey"], "${ANTHROPIC_API_KEY}");
    assert_eq!(sections["ownerNumbers"], serde_json::json!(["1234567890"]));
    assert_eq!(sections["rateLimit"]["commandsPerMinute"], 10);
    assert_eq!(sections["retention"]["fileCache"], 7);
    assert_eq!(sections["memory"]["excludePatterns"][2], "api_key");
    assert_eq!(sections["telegram"]["groupChats"]["allowCommands"], false);
    assert_eq!(sections["alerts"]["onHighUsage"], true);
}

#[test]
fn numbers_of_people_are_texts_however_they_are_written() {
    let sections = |text: &str| yaml(text).unwrap().front_door().sections["ownerNumbers"].clone();
    for text in ["ownerNumbers: [0123456789]\n", "ownerNumbers: ['0123456789']\n"] {
        assert_eq!(sections(text), serde_json::json!(["0123456789"]), "{text}");
    }
}

#[test]
fn a_key_without_a_value_states_nothing() {
    for text in
        ["exec:\n", "exec:\nworkspace: /a\n", "exec:\n  allowlist:\n", "limits: {}\n", "network:\n  # none\n"]
    {
        yaml(text).unwrap_or_else(|errors| panic!("{text}: {}", errors[0]));
    }
    // Least of all is it the home directory.
    let error = first_error("workspace:\n", Format::Yaml);
    assert!(error.contains("`workspace` must be a text, not nothing"), "{error}");
    assert_eq!(yaml("workspace: ~\n").unwrap().workspace(), Some("/home/u".as_ref()));
}

#[test]
fn rules_that_could_never_match_are_refused() {
    let cases = [
        ("exec: { deny: ['git push'] }\n", "`git push` is more than a program"),
        ("exec: { safeBins: [/usr/bin/cut] }\n", "a bare program name"),
        ("exec: { trustedDirs: ['/a:b'] }\n", "cannot stand in PATH"),
        ("exec: { allowlist: ['py*'] }\n", "is a pattern, not a name"),
        ("network: { allow: [{ host: 'https://x.org' }] }\n", "without scheme, port and path"),
        ("environment: { pass: ['A=b'] }\n", "a variable's name"),
        ("environment: { set: { 'A B': c } }\n", "is not a variable's name"),
        ("filesystem: { hidden: ['**'] }\n", "would hide everything"),
        ("filesystem: { hidden: ['..'] }\n", "is no name"),
    ];
    for (text, expected) in cases {
        let error = first_error(text, Format::Yaml);
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}
