//! The traps that `lint` finds, and where.

mod common;

use claw_policy::{Format, lint};

/// Code, policy, and the text that the finding stands under.
const TRAPS: &[(&str, &str, &str)] = &[
    ("lint.security-full", "exec:\n  security: full\n", "full"),
    ("lint.ask", "exec:\n  security: full\n  ask: on-miss\n", "on-miss"),
    ("lint.escalation", "exec:\n  allowlist:\n    - git\n    - sudo\n", "sudo"),
    ("lint.escalation", "exec: { allowlist: [ssh] }\n", "ssh"),
    ("lint.shell", "exec: { allowlist: [bash] }\n", "bash"),
    ("lint.wrapper", "exec: { allowlist: [env] }\n", "env"),
    ("lint.wrapper", "exec: { allowlist: [xargs] }\n", "xargs"),
    ("lint.interpreter", "exec: { allowlist: [python3] }\n", "python3"),
    ("lint.interpreter", "exec: { allowlist: [python3.12] }\n", "python3.12"),
    ("lint.interpreter", "exec: { allowlist: [{ path: /usr/bin/node }] }\n", "{ path: /usr/bin/node }"),
    ("lint.runner", "exec: { allowlist: [npm] }\n", "npm"),
    ("lint.runner", "exec: { inlineEval: deny, allowlist: [perl] }\n", "perl"),
    ("lint.carrier", "exec: { allowlist: [find] }\n", "find"),
    ("lint.carrier", "exec: { allowlist: [git] }\n", "git"),
    ("lint.wildcard", "exec: { allowlist: [{ path: '/opt/tools/*' }] }\n", "{ path: '/opt/tools/*' }"),
    ("lint.writable-program", "exec: { allowlist: [./tool] }\n", "./tool"),
    ("lint.unreachable", "exec:\n  allowlist: [git, jq]\n  deny: [jq]\n", "jq"),
    ("lint.unreachable", "exec:\n  security: deny\n  allowlist: [git]\n", "deny"),
    (
        "lint.unreachable",
        "exec: { allowlist: [{ command: cargo, allow: [[publish, x]], deny: [[publish]] }] }\n",
        "[publish, x]",
    ),
    ("lint.duplicate", "exec: { allowlist: [jq, \"jq\"] }\n", "\"jq\""),
    ("lint.duplicate", "exec: { allowlist: [jq, jq .] }\n", "jq ."),
    ("lint.trusted-dir", "exec: { trustedDirs: [/usr/bin, /tmp/bin] }\n", "/tmp/bin"),
    ("lint.trusted-dir", "filesystem: { writable: [/opt] }\nexec: { trustedDirs: [/opt/bin] }\n", "/opt/bin"),
    ("lint.trusted-dir", "exec: { trustedDirs: [] }\n", "[]"),
    ("lint.verify", "exec:\n  verify: false\n", "false"),
    ("lint.descendants", "exec:\n  descendants: system\n", "system"),
    ("lint.bundle", "exec:\n  bundles: { npm: [default, node, tools/*] }\n", "tools/*"),
    ("lint.bundle", "exec:\n  bundles: { npm: [/usr/bin] }\n", "/usr/bin"),
    ("lint.workspace", "workspace: /\n", "/"),
    ("lint.workspace", "workspace: \"~\"\n", "\"~\""),
    ("lint.workspace", "workspace: ~/.openclaw\n", "~/.openclaw"),
    ("lint.workspace-exec", "workspaceExec: true\n", "workspaceExec"),
    ("lint.broad-root", "filesystem: { writable: [/etc] }\n", "/etc"),
    ("lint.broad-root", "filesystem: { readOnly: [/] }\n", "/"),
    ("lint.credentials", "filesystem:\n  readOnly:\n    - ~/.ssh\n", "~/.ssh"),
    ("lint.credentials", "filesystem: { readOnly: [~/.aws/config] }\n", "~/.aws/config"),
    ("lint.unprotected", "filesystem: { protected: none }\n", "none"),
    ("lint.network", "network: { default: allow }\n", "allow"),
    ("lint.network", "network: { allow: [{ host: example.com }] }\n", "{ host: example.com }"),
    ("lint.environment", "environment: { pass: ['*'] }\n", "'*'"),
    ("lint.environment", "environment: { pass: [LD_PRELOAD] }\n", "LD_PRELOAD"),
    ("lint.environment", "environment: { set: { BASH_ENV: x } }\n", "BASH_ENV"),
    ("lint.degrade", "enforcement: { degrade: [metadata, files] }\n", "files"),
    ("lint.degrade", "enforcement: { degrade: [metadata] }\n", "metadata"),
    ("lint.detach", "detach: true\n", "detach"),
    ("lint.no-limits", "exec: { allowlist: [jq] }\n", "exec"),
    ("lint.log-writable", "logging: { logFile: /home/u/project/audit.log }\n", "/home/u/project/audit.log"),
    ("lint.logging-off", "logging: { auditCommands: false }\n", "false"),
    ("lint.logging-off", "logging: { auditFailure: continue }\n", "continue"),
    ("lint.context-never", "contexts: [{ when: { chat: [] } }]\n", "{ when: { chat: [] } }"),
    ("lint.context-no-effect", "contexts: [{ when: { chat: group } }]\n", "{ when: { chat: group } }"),
    (
        "lint.context-always",
        "contexts: [{ narrow: { exec: { deny: [jq] } } }]\n",
        "{ narrow: { exec: { deny: [jq] } } }",
    ),
    ("lint.hard-coded-secret", "anthropic: { apiKey: sk-ant-api03-xxxxx }\n", "sk-ant-api03-xxxxx"),
    ("lint.hard-coded-secret", "{\"slack\": {\"botToken\": \"abc\"}}", "\"abc\""),
    ("lint.hard-coded-secret", "environment: { set: { DEPLOY_TOKEN: abc } }\n", "abc"),
];

#[test]
fn every_trap_is_found_where_it_stands() {
    for (code, text, expected) in TRAPS {
        let policy =
            common::named(text, Format::Yaml).unwrap_or_else(|errors| panic!("{text}: {}", errors[0]));
        let findings = lint(&policy);
        let under: Vec<_> = findings
            .iter()
            .filter(|finding| finding.code == *code)
            .filter_map(|finding| text.get(finding.span.start..finding.span.end))
            .collect();
        assert!(under.contains(expected), "{code} in {text:?}: {under:?}");
    }
}

#[test]
fn every_code_is_in_the_table_of_the_reference_and_tested() {
    let reference = include_str!("../../../docs/policy-reference.md");
    let documented: Vec<&str> =
        reference.lines().filter_map(|line| line.strip_prefix("| `lint.")?.split('`').next()).collect();
    assert!(!documented.is_empty());
    for name in &documented {
        assert!(TRAPS.iter().any(|(code, ..)| *code == format!("lint.{name}")), "{name} is not tested");
    }
    for (code, ..) in TRAPS {
        assert!(reference.contains(&format!("| `{code}` |")), "{code} is not documented");
    }
}

#[test]
fn a_careful_policy_is_not_blamed() {
    let text = "workspace: ~/work/site\nexec:\n  allowlist: [git log, npm test, jq]\n  deny: [rm, curl]\n  inlineEval: deny\n\
        filesystem:\n  readOnly: [/srv/assets]\n  hidden: [.env]\nlimits: { time: 5m }\nnetwork: { default: deny }\n\
        anthropic: { apiKey: \"${ANTHROPIC_API_KEY}\" }\nlogging: { auditCommands: true, logFile: /var/log/claw.log }\n";
    let policy = common::named(text, Format::Yaml).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let findings: Vec<_> = lint(&policy).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{findings:#?}");
}
