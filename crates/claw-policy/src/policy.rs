//! The validated policy: what a document means after expansion and layering.
//!
//! A policy is made of layers (built-in, user, project, command line). A request is allowed only if
//! every layer that speaks about it allows it, so a later layer can only restrict. A document that
//! was *named* on the command line replaces what it states instead (see [`crate::Layer`]).

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::context::ContextRule;
use crate::pattern::LazyPatterns;
use crate::{Access, Floor, Guarantee, Limits, NetworkRule, RuleRef, Source};

/// A value and the rule that states it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ruled<T> {
    pub(crate) value: T,
    pub(crate) rule: RuleRef,
}

/// A validated policy. Made by [`crate::compile`]; asked through [`crate::decide`].
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) sources: Vec<Source>,
    /// The names of those that are the project's own: they only restrict, and may lie in the workspace.
    pub(crate) project_sources: Vec<String>,
    /// The names of those that were named by whoever asks, so that they can grant.
    pub(crate) named_sources: Vec<String>,
    /// Each must allow a command.
    pub(crate) exec: Vec<ExecLayer>,
    /// Never run, whatever a layer allows.
    pub(crate) exec_deny: Vec<Ruled<ProgramMatcher>>,
    /// Trusted directories in search order, canonical spelling as written.
    pub(crate) trusted_dirs: Vec<PathBuf>,
    /// What allowlisted programs need beside themselves; of a program that occurs twice the last holds.
    pub(crate) bundles: Vec<Bundle>,
    /// What a run's processes may start.
    pub(crate) descendants: Descendants,
    /// `exec.verify`.
    pub(crate) verify: bool,
    /// Each must allow a file.
    pub(crate) files: Vec<FileLayer>,
    /// Readable for commands (not for the runtime's own file tools): the system profile.
    pub(crate) system: Vec<Ruled<RootRule>>,
    /// Cannot be touched at all; union over layers.
    pub(crate) hidden: Vec<Ruled<PathPattern>>,
    /// Hidden entries of the default profile; a root of a named policy that is at or beneath such a path takes it back.
    pub(crate) hidden_by_default: Vec<Ruled<PathPattern>>,
    /// Never written inside a writable root; union over layers.
    pub(crate) protected: Vec<Ruled<PathPattern>>,
    /// Each must allow a connection.
    pub(crate) network: Vec<NetworkLayer>,
    pub(crate) environment: EnvironmentRules,
    pub(crate) limits: Limits,
    pub(crate) floor: Floor,
    pub(crate) detach: bool,
    pub(crate) secrets: Secrets,
    pub(crate) logging: Logging,
    pub(crate) front_door: FrontDoor,
    /// Names of tools (a trailing `*` is a prefix) that may be used; each list must have one.
    pub(crate) tools: Vec<Vec<Ruled<String>>>,
    /// What is narrower in some contexts.
    pub(crate) contexts: Vec<ContextRule>,
    pub(crate) places: Places,
    /// The path patterns above, compiled on first use.
    pub(crate) patterns: LazyPatterns,
}

/// `exec.security`, from the strictest.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Security {
    Deny,
    Allowlist,
    Full,
}

/// `exec.ask`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Ask {
    Off,
    OnMiss,
    Always,
}

/// The exec part of one layer.
#[derive(Clone, Debug)]
pub(crate) struct ExecLayer {
    pub(crate) security: Ruled<Security>,
    pub(crate) ask: Ruled<Ask>,
    pub(crate) allowlist: Vec<Ruled<Entry>>,
    /// `inlineEval: deny`, when stated.
    pub(crate) inline_eval_denied: Option<RuleRef>,
    pub(crate) safe_bins: Vec<Ruled<Vec<u8>>>,
}

/// One allowlist entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) program: ProgramMatcher,
    /// Leading arguments that must follow (`git log`).
    pub(crate) prefix: Vec<Vec<u8>>,
    /// When not empty, one must match.
    pub(crate) allow: Vec<Ruled<ArgumentRule>>,
    /// None may match.
    pub(crate) deny: Vec<Ruled<ArgumentRule>>,
}

/// What an allowlisted program runs as parts of itself (`git` and its `git-core`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Bundle {
    /// The program's bare name.
    pub(crate) program: Vec<u8>,
    /// Those that do not exist are skipped.
    pub(crate) parts: Vec<Part>,
}

/// A part of a bundle.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// The trusted program of this name. With leading arguments it is meant in this form also where entries
    /// of the allowlist name other forms only.
    Command { name: Vec<u8>, arguments: Vec<Vec<u8>> },
    /// An absolute file, or a directory for everything beneath.
    Path(PathBuf),
    /// An absolute glob on the file.
    Glob(String),
    /// A glob on the file beneath the workspace.
    Workspace(String),
    /// A glob on the file beneath the directory that the program's own directory lies in: of `/opt/rust/bin/cargo`
    /// beneath `/opt/rust`. Only bundles that are built in have such parts.
    Installation(String),
}

impl Part {
    /// What a text means that is expanded and holds no quotes.
    pub(crate) fn of_text(text: &str) -> Self {
        match text.starts_with('/') {
            true if crate::pattern::is_magic(text) => Self::Glob(text.to_owned()),
            true => Self::Path(text.into()),
            false if text.contains('/') => Self::Workspace(text.trim_start_matches("./").to_owned()),
            false => {
                let mut words = text.split_ascii_whitespace().map(|word| word.as_bytes().to_vec());
                Self::Command { name: words.next().unwrap_or_default(), arguments: words.collect() }
            }
        }
    }
}

/// `exec.descendants`, from the strictest.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Descendants {
    /// What the agent may ask for, and the parts of what they work for.
    #[default]
    Strict,
    /// Beside that every program of the trusted directories.
    System,
}

/// Which program a rule is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ProgramMatcher {
    /// A bare name, found in the trusted directories.
    Name(Vec<u8>),
    /// An absolute glob on the file, by either spelling of a link.
    Path(String),
}

/// A pattern on a program's arguments, after the program's own option syntax.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ArgumentRule {
    /// The leading operands (`[publish]`, `[remote, add]`), global options before them skipped.
    Prefix(Vec<Vec<u8>>),
    /// The subcommand (empty: any) together with any of the flags (empty: none needed).
    Flags { subcommand: Vec<Vec<u8>>, any_flag: Vec<Vec<u8>> },
}

/// The file part of one layer.
///
/// A layer without a workspace does not say where files may be; it only narrows: paths beneath its
/// roots get no more than the root gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileLayer {
    pub(crate) roots: Vec<Ruled<RootRule>>,
    /// The workspace, first among the writable roots; anchors relative patterns.
    pub(crate) workspace: Option<Ruled<PathBuf>>,
    pub(crate) workspace_exec: bool,
}

/// A tree (or file) with what may be done in it; absolute, as written after expansion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RootRule {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    pub(crate) execute: bool,
    /// Whether a policy that was named on the command line (or given inline) lists it itself: only
    /// then it takes back a hidden entry of the default profile.
    pub(crate) named: bool,
}

/// A pattern on paths.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PathPattern {
    /// Without `/`: any path component beneath a root.
    Component(String),
    /// An absolute path without pattern characters; covers everything below, and a link's target.
    Literal(PathBuf),
    /// An absolute glob; `*`, `?`, `[..]` do not cross `/`, `**` does. Covers everything below.
    Glob(String),
}

/// The network part of one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetworkLayer {
    pub(crate) default_allow: bool,
    pub(crate) allow: Vec<Ruled<NetworkRule>>,
}

/// The environment part.
#[derive(Clone, Debug, Default)]
pub(crate) struct EnvironmentRules {
    /// Names (a trailing `*` is a prefix) that pass; each layer must pass a name.
    pub(crate) pass: Vec<Vec<Ruled<String>>>,
    pub(crate) set: Vec<Ruled<(String, String)>>,
}

/// `secrets`, from the loosest: what happens to credentials in the files that the runtime itself reads and writes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Secrets {
    /// Nothing: they are content like any other.
    #[default]
    Allow,
    /// What is read has a mark in the place of each.
    Redact,
    /// What holds one is neither read nor written.
    Deny,
}

/// `logging.level`, from the least.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LogLevel {
    /// `error`.
    Error,
    /// `warn`.
    Warn,
    /// `info`.
    Info,
    /// `debug`.
    Debug,
    /// `trace`.
    Trace,
}

/// `logging`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Logging {
    /// How much is logged beside the audit (`level`).
    pub level: Option<LogLevel>,
    /// Whether commands are logged (`auditCommands`).
    pub audit_commands: bool,
    /// Whether file operations are logged (`auditFileAccess`).
    pub audit_file_access: bool,
    /// Where (`logFile`).
    pub log_file: Option<PathBuf>,
    /// `auditFailure: continue`: run even when the log cannot be written.
    pub continue_without_log: bool,
}

/// Where statements stand whose values carry no rule of their own; `lint` points there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// By dotted key (`exec.verify`), in the document whose statement holds.
    pub(crate) keys: BTreeMap<String, RuleRef>,
    pub(crate) trusted_dirs: Vec<Ruled<PathBuf>>,
    /// Of `exec.bundles`.
    pub(crate) parts: Vec<Ruled<Part>>,
    pub(crate) degrade: Vec<Ruled<Guarantee>>,
}

/// What the runtime's front door reads: validated here, used by other crates.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FrontDoor {
    /// The assistant's remaining sections, validated, as JSON.
    pub sections: serde_json::Map<String, serde_json::Value>,
}
