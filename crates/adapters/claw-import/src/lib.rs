//! OpenClaw's settings as a policy, with a report of what became of each key.
//!
//! Texts in, a text out: `openclaw.json` (JSON5) and the approvals document (version 1) are read as trees with places,
//! and what they permit becomes one YAML policy whose lines name the keys that they come from. A key is *mapped*,
//! *narrowed*, *inexpressible* or *unknown*, and the report says which, with its place.
//!
//! The policy is never wider than its source: what cannot be said exactly is left out where it permits, and what
//! restricts in a way that cannot be read forbids. `full` is taken over only where it is written.
//!
//! The crate is pure. Sizes are bounded by [`claw_policy::read_tree`].
#![forbid(unsafe_code)]

mod allowlist;
mod approvals;
mod config;
mod cursor;
mod draft;
mod exec;
mod report;
mod sandbox;
mod seed;

use claw_policy::{Diagnostic, Severity, Source, SourceSpan, read_tree};

pub use report::{Fate, Finding, Place};

/// What is to be translated.
#[derive(Clone, Copy, Debug)]
pub struct OpenClaw<'a> {
    /// `openclaw.json`, or a policy in the format that the project's articles show.
    pub config: Option<&'a Source>,
    /// The approvals document: `openclaw approvals get --json | jq .file`.
    pub approvals: Option<&'a Source>,
    /// Whose settings: `main` unless there are several agents.
    pub agent: &'a str,
}

/// A policy and what was lost on the way to it.
#[derive(Clone, Debug)]
pub struct Import {
    /// The policy, in YAML.
    pub policy: String,
    /// What became of each key, in the order of the texts; what is not written anywhere comes last.
    pub report: Vec<Finding>,
}

/// Translates.
///
/// # Errors
///
/// A text that is no tree, an approvals document of another version, and `$include`: what it stands for could restrict.
///
/// # Example
///
/// ```
/// use claw_import::{Fate, OpenClaw, openclaw};
/// use claw_policy::{Format, Source};
///
/// let text = r#"{version: 1, defaults: {security: "allowlist"}, agents: {main: {allowlist: ["git"]}}}"#;
/// let approvals = Source::new("exec-approvals.json", text, Format::Json5);
/// let import = openclaw(OpenClaw { config: None, approvals: Some(&approvals), agent: "main" }).unwrap();
/// assert!(import.policy.contains("    - git # exec-approvals.json:1:77 agents.main.allowlist[0]\n"));
/// assert!(import.report.iter().all(|finding| finding.fate != Fate::Unknown));
/// ```
pub fn openclaw(input: OpenClaw<'_>) -> Result<Import, Vec<Diagnostic>> {
    let read = |source: &Source| read_tree(source).map_err(|diagnostic| vec![*diagnostic]);
    let config = input.config.map(read).transpose()?;
    let approvals = input.approvals.map(read).transpose()?;
    if let (Some(source), Some(root)) = (input.config, &config)
        && seed::is_one(source, root)
    {
        return match input.approvals {
            None => seed::import(source, root),
            Some(approvals) => {
                let message = "a policy has no approvals document beside it; import them one by one";
                Err(vec![error("import.form", approvals, SourceSpan::default(), message)])
            }
        };
    }
    let config = input.config.zip(config.as_ref());
    let approvals = input.approvals.zip(approvals.as_ref());
    config::import(config, approvals, input.agent)
}

pub(crate) fn error(code: &'static str, source: &Source, span: SourceSpan, message: &str) -> Diagnostic {
    let (source, message) = (source.clone(), message.to_owned());
    Diagnostic { severity: Severity::Error, code, source, span, message, help: None }
}
