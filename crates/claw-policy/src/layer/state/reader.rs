//! The walk over one document.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Stated;
use super::run::limits;
use super::tree::{flag, json, member, pairs, text};
use crate::document::keys::{Kind, front_door};
use crate::document::{Node, Value};
use crate::expand::{ExpandError, Expansion, check_references};
use crate::layer::LayerKind;
use crate::policy::{Ruled, Secrets};
use crate::{Diagnostic, RuleRef, Severity, Source, SourceSpan};

pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) kind: LayerKind,
    pub(super) expansion: &'a Expansion,
    /// Where relative paths and patterns start.
    pub(super) base: PathBuf,
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    pub(super) fn document(&mut self, root: &Node) -> Stated {
        let mut stated = Stated::empty(self.source, self.kind);
        // The workspace first: other paths may be relative to it.
        if let Some(node) = member(root, "workspace") {
            let cwd = self.expansion.cwd.clone();
            stated.workspace = self.path(node, Some(&cwd));
        }
        // What a named document states may be replaced by a later one; what a restricting one states is its own.
        if let Some(workspace) = stated.workspace.as_ref().filter(|_| self.restricts()) {
            self.base = workspace.value.clone();
        }
        stated.places = self.places(root);
        stated.workspace_exec = flag(root, "workspaceExec");
        stated.detach = flag(root, "detach");
        stated.secrets = member(root, "secrets").map(|node| match text(node) {
            "redact" => Secrets::Redact,
            "deny" => Secrets::Deny,
            _ => Secrets::Allow,
        });
        self.exec(&mut stated, member(root, "exec"));
        self.filesystem(&mut stated, member(root, "filesystem"));
        self.network(&mut stated, member(root, "network"));
        self.environment(&mut stated, member(root, "environment"));
        limits(&mut stated.limits, member(root, "limits"));
        self.enforcement(&mut stated, member(root, "enforcement"));
        self.logging(&mut stated, member(root, "logging"));
        self.tools(&mut stated, member(root, "tools"));
        self.contexts(&mut stated, member(root, "contexts"));
        for key in front_door() {
            if let Some(node) = member(root, key.name) {
                self.secrets(node, key.kind);
                stated.front_door.insert(key.name.to_owned(), json(node, key.kind));
            }
        }
        stated
    }

    fn places(&self, root: &Node) -> BTreeMap<String, RuleRef> {
        let mut places = BTreeMap::new();
        for section in pairs(root) {
            places.insert(section.key.to_string(), self.rule(section.key_span));
            for pair in pairs(&section.value) {
                places.insert(format!("{}.{}", section.key, pair.key), self.rule(pair.value.span));
            }
        }
        places
    }

    /// References to secrets: the names are checked, the values are looked up by whoever needs them.
    fn secrets(&mut self, node: &Node, kind: Kind) {
        match (&node.value, kind) {
            (Value::Text(text), Kind::Secret) => {
                if let Err(error) = check_references(text) {
                    self.refuse(node, error);
                }
            }
            (Value::Map(pairs), _) => {
                pairs.iter().for_each(|pair| self.secrets(&pair.value, kind.of(&pair.key)));
            }
            _ => {}
        }
    }

    pub(super) const fn restricts(&self) -> bool {
        matches!(self.kind, LayerKind::User | LayerKind::Project)
    }

    pub(super) fn path(&mut self, node: &Node, base: Option<&Path>) -> Option<Ruled<PathBuf>> {
        let path = self.expanded(node, text(node), base)?;
        Some(self.ruled(node, path))
    }

    pub(super) fn expanded(&mut self, node: &Node, text: &str, base: Option<&Path>) -> Option<PathBuf> {
        match self.expansion.path(text, base) {
            Ok(path) => Some(path),
            Err(error) => {
                self.refuse(node, error);
                None
            }
        }
    }

    pub(super) fn refuse(&mut self, node: &Node, (message, help): ExpandError) {
        self.error("policy.expansion", node.span, message, help);
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        span: SourceSpan,
        message: String,
        help: Option<String>,
    ) {
        let source = self.source.clone();
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code, source, span, message, help });
    }

    pub(super) fn ruled<T>(&self, node: &Node, value: T) -> Ruled<T> {
        Ruled { value, rule: self.rule(node.span) }
    }

    pub(super) fn rule(&self, span: SourceSpan) -> RuleRef {
        let at = self.source.line_column(span.start);
        let written = self.source.text().get(span.start..span.end).unwrap_or("");
        let text = in_one_line(written);
        RuleRef { source: self.source.shared_name(), line: at.line, column: at.column, text: text.into() }
    }
}

/// A rule as it is shown in one line of a message.
fn in_one_line(written: &str) -> Cow<'_, str> {
    const LONGEST: usize = 60;
    // Most rules are one word.
    if written.len() <= LONGEST && written.bytes().all(|byte| byte.is_ascii_graphic()) {
        return written.into();
    }
    let mut text = String::new();
    for word in written.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
        // What follows would not be shown.
        if text.chars().count() > LONGEST {
            return text.chars().take(LONGEST - 3).chain("...".chars()).collect();
        }
    }
    text.into()
}
