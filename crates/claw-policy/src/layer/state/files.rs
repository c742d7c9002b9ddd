//! `filesystem`: roots and patterns.

use super::reader::Reader;
use super::tree::{items, items_of, member, text};
use super::{Protected, Stated};
use crate::document::{Node, Value};
use crate::policy::{PathPattern, Ruled};

impl Reader<'_> {
    pub(super) fn filesystem(&mut self, stated: &mut Stated, filesystem: Option<&Node>) {
        let Some(filesystem) = filesystem else { return };
        let base = self.base.clone();
        stated.read_only = member(filesystem, "readOnly")
            .map(|node| items(node).iter().filter_map(|item| self.path(item, Some(&base))).collect());
        stated.writable = member(filesystem, "writable")
            .map(|node| items(node).iter().filter_map(|item| self.path(item, Some(&base))).collect());
        stated.hidden = self.patterns(items_of(filesystem, "hidden"));
        stated.protected = member(filesystem, "protected").map(|node| match &node.value {
            Value::List(list) => Protected::List(self.patterns(list)),
            _ if text(node) == "none" => Protected::None,
            _ => Protected::Default(self.rule(node.span)),
        });
    }

    pub(super) fn patterns(&mut self, nodes: &[Node]) -> Vec<Ruled<PathPattern>> {
        nodes.iter().filter_map(|node| self.pattern(node)).collect()
    }

    fn pattern(&mut self, node: &Node) -> Option<Ruled<PathPattern>> {
        let written = text(node);
        let trimmed = written.trim_end_matches('/');
        if trimmed.is_empty() || trimmed.split('/').all(|part| part == "**" || part.is_empty()) {
            let help = "name a directory below it".to_owned();
            self.error("policy.path", node.span, format!("`{written}` would hide everything"), Some(help));
            return None;
        }
        if matches!(trimmed, "." | "..") {
            let help = "write the directory that is meant".to_owned();
            self.error("policy.path", node.span, format!("`{written}` is no name"), Some(help));
            return None;
        }
        let pattern = if !trimmed.contains('/') && !trimmed.starts_with('~') {
            PathPattern::Component(self.name_glob(node, trimmed)?)
        } else if trimmed.starts_with("**") {
            PathPattern::Glob(format!("/{}", self.name_glob(node, trimmed)?))
        } else if trimmed.contains(['*', '?', '[']) {
            let glob = self.expanded_glob(node, trimmed)?;
            self.check_glob(node, &glob)?;
            PathPattern::Glob(glob)
        } else {
            let base = self.base.clone();
            PathPattern::Literal(self.expanded(node, trimmed, Some(&base))?)
        };
        Some(self.ruled(node, pattern))
    }

    /// A pattern that starts anywhere: only references in it are expanded.
    fn name_glob(&mut self, node: &Node, text: &str) -> Option<String> {
        match self.expansion.glob_variables(text) {
            Ok(glob) => self.check_glob(node, &glob).map(|()| glob),
            Err(error) => {
                self.refuse(node, error);
                None
            }
        }
    }

    /// An absolute glob. What it is expanded with is plain text, whatever characters that has.
    pub(super) fn expanded_glob(&mut self, node: &Node, text: &str) -> Option<String> {
        match self.expansion.glob(text, &self.base) {
            Ok(glob) => Some(glob),
            Err(error) => {
                self.refuse(node, error);
                None
            }
        }
    }

    pub(super) fn check_glob(&mut self, node: &Node, glob: &str) -> Option<()> {
        match globset::GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(_) => Some(()),
            Err(error) => {
                self.error("policy.glob", node.span, format!("not a pattern: {}", error.kind()), None);
                None
            }
        }
    }
}
