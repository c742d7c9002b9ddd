//! Bodies of the fuzz targets. Ordinary tests call them too, so they cannot rot.

use std::collections::BTreeMap;
use std::path::PathBuf;

use claw_policy::{
    Environment, ExecRequest, Expansion, Facts, Format, Layer, LayerKind, Request, Source, compile, decide,
};
use claw_shell::{Dialect, Script};

/// Any bytes are a command line or an error; spans and ids stay in range.
pub fn shell_parse(data: &[u8]) {
    for dialect in [Dialect::Bash, Dialect::Posix] {
        if let Ok(script) = claw_shell::parse(data, dialect) {
            check_script(&script, data.len());
        }
    }
}

/// Any text is a policy or a list of diagnostics, in every format.
pub fn policy_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for format in [Format::Yaml, Format::Json5, Format::Json] {
        match policy(text, format) {
            Ok(policy) => drop(claw_policy::lint(&policy)),
            Err(diagnostics) => {
                assert!(!diagnostics.is_empty(), "a refused policy says why");
                for diagnostic in diagnostics {
                    assert!(!diagnostic.to_string().is_empty());
                }
            }
        }
    }
}

/// Any command line under a fixed policy has a decision or asks for facts; it never allows what it could not see.
pub fn decide_line(data: &[u8]) {
    let policy = policy(
        "workspace: /w\nexec:\n  allowlist: [git, ls, find, {command: cargo, allow: [[build]]}]\n  deny: [rm]\n",
        Format::Yaml,
    )
    .expect("the fixed policy is valid");
    let Ok(script) = claw_shell::parse(data, Dialect::Bash) else { return };
    let request = ExecRequest {
        script: &script,
        shell: Some(b"bash"),
        line: Some(data),
        cwd: PathBuf::from("/w"),
        environment: Environment::new(),
    };
    if let Ok(decision) =
        decide(&policy, &Facts::new(Some(PathBuf::from("/home/u"))), Request::Exec(&request))
    {
        assert!(
            !matches!(decision, claw_policy::Decision::Allow(_)),
            "nothing is allowed while no program has been looked up"
        );
    }
}

fn policy(text: &str, format: Format) -> Result<claw_policy::Policy, Vec<claw_policy::Diagnostic>> {
    let expansion = Expansion {
        home: Some(PathBuf::from("/home/u")),
        cwd: PathBuf::from("/w"),
        variables: BTreeMap::new(),
        users: BTreeMap::new(),
    };
    compile(
        &[
            Layer { source: claw_policy::built_in(), kind: LayerKind::BuiltIn },
            Layer { source: Source::new("policy", text, format), kind: LayerKind::Named },
        ],
        &expansion,
    )
}

fn check_script(script: &Script, length: usize) {
    for command in &script.commands {
        assert!(!command.words.is_empty(), "a command has a name");
        assert!(
            command.span.start <= command.span.end && command.span.end <= length,
            "spans point into the line"
        );
        assert!(command.cwd.0 < script.cwds.len(), "directories are listed");
        if let claw_shell::Origin::Wrapper(by) = command.origin {
            assert!(by.0 < script.commands.len(), "wrappers are listed");
        }
    }
    for redirect in &script.redirects {
        assert!(redirect.cwd.0 < script.cwds.len(), "directories are listed");
        assert!(redirect.command.is_none_or(|id| id.0 < script.commands.len()), "commands are listed");
        assert!(redirect.span.end <= length, "spans point into the line");
    }
    for opaque in &script.opaque {
        assert!(
            opaque.span.start <= opaque.span.end && opaque.span.end <= length,
            "spans point into the line"
        );
    }
}
