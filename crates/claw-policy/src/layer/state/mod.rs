//! What one document states, typed and with the places of its rules.

mod commands;
mod contexts;
mod files;
mod reader;
mod restricting;
mod run;
mod tree;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::reader::Reader;
use super::LayerKind;
use crate::context::ContextRule;
use crate::document::Node;
use crate::expand::Expansion;
use crate::policy::{Ask, Descendants, Entry, Part, PathPattern, ProgramMatcher, Ruled, Secrets, Security};
use crate::{Diagnostic, Guarantee, Limits, LogLevel, NetworkRule, RuleRef, Source};

/// One document's statements; `None` and empty are "not stated".
#[derive(Clone, Debug)]
pub(crate) struct Stated {
    pub(super) kind: LayerKind,
    pub(super) source: Source,
    pub(super) workspace: Option<Ruled<PathBuf>>,
    pub(super) workspace_exec: Option<bool>,
    pub(super) detach: Option<bool>,
    pub(super) secrets: Option<Secrets>,
    pub(super) security: Option<Ruled<Security>>,
    pub(super) ask: Option<Ruled<Ask>>,
    pub(super) allowlist: Option<Vec<Ruled<Entry>>>,
    pub(super) deny: Vec<Ruled<ProgramMatcher>>,
    /// `Some(None)` is `allow`.
    pub(super) inline_eval_denied: Option<Option<RuleRef>>,
    pub(super) safe_bins: Option<Vec<Ruled<Vec<u8>>>>,
    pub(super) trusted_dirs: Option<Vec<Ruled<PathBuf>>>,
    pub(super) verify: Option<bool>,
    pub(super) descendants: Option<Descendants>,
    /// Programs with their parts.
    pub(super) bundles: Vec<(Vec<u8>, Vec<Ruled<Part>>)>,
    pub(super) read_only: Option<Vec<Ruled<PathBuf>>>,
    pub(super) writable: Option<Vec<Ruled<PathBuf>>>,
    pub(super) hidden: Vec<Ruled<PathPattern>>,
    pub(super) protected: Option<Protected>,
    pub(super) network_default_allow: Option<bool>,
    pub(super) network_allow: Option<Vec<Ruled<NetworkRule>>>,
    pub(super) pass: Option<Vec<Ruled<String>>>,
    pub(super) set: Vec<Ruled<(String, String)>>,
    pub(super) limits: Limits,
    pub(super) degrade: Option<Vec<Ruled<Guarantee>>>,
    pub(super) log_level: Option<LogLevel>,
    pub(super) audit_commands: Option<bool>,
    pub(super) audit_file_access: Option<bool>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) continue_without_log: Option<bool>,
    pub(super) tools: Option<Vec<Ruled<String>>>,
    pub(super) contexts: Vec<ContextRule>,
    pub(super) front_door: serde_json::Map<String, serde_json::Value>,
    /// By dotted key, for the keys of sections.
    pub(super) places: BTreeMap<String, RuleRef>,
}

/// `filesystem.protected`.
#[derive(Clone, Debug)]
pub(super) enum Protected {
    Default(RuleRef),
    None,
    List(Vec<Ruled<PathPattern>>),
}

/// The workspace that a document states, if it can be expanded.
pub(super) fn workspace(root: &Node, expansion: &Expansion) -> Option<PathBuf> {
    let node = tree::member(root, "workspace")?;
    expansion.path(tree::text(node), Some(&expansion.cwd)).ok()
}

impl Stated {
    /// `base` is the workspace that relative paths start in when this document states none.
    pub(super) fn new(
        source: &Source,
        kind: LayerKind,
        root: &Node,
        base: &Path,
        expansion: &Expansion,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut reader = Reader { source, kind, expansion, base: base.to_owned(), diagnostics };
        reader.document(root)
    }

    fn empty(source: &Source, kind: LayerKind) -> Self {
        Self {
            kind,
            source: source.clone(),
            workspace: None,
            workspace_exec: None,
            detach: None,
            secrets: None,
            security: None,
            ask: None,
            allowlist: None,
            deny: Vec::new(),
            inline_eval_denied: None,
            safe_bins: None,
            trusted_dirs: None,
            verify: None,
            descendants: None,
            bundles: Vec::new(),
            read_only: None,
            writable: None,
            hidden: Vec::new(),
            protected: None,
            network_default_allow: None,
            network_allow: None,
            pass: None,
            set: Vec::new(),
            limits: Limits::default(),
            degrade: None,
            log_level: None,
            audit_commands: None,
            audit_file_access: None,
            log_file: None,
            continue_without_log: None,
            tools: None,
            contexts: Vec::new(),
            front_door: serde_json::Map::new(),
            places: BTreeMap::new(),
        }
    }
}
