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
        if trimmed.is_empty() {
            let help = "name a directory below it".to_owned();
            self.error("policy.path", node.span, format!("`{written}` would hide everything"), Some(help));
            return None;
        }
        let pattern = if !trimmed.contains('/') && !trimmed.starts_with('~') {
            let name = self.expansion.variables(trimmed).map_err(|error| self.refuse(node, error)).ok()?;
            self.check_glob(node, &name)?;
            PathPattern::Component(name)
        } else if trimmed.starts_with("**") {
            self.check_glob(node, trimmed)?;
            PathPattern::Glob(format!("/{trimmed}"))
        } else {
            let base = self.base.clone();
            let path = self.expanded(node, trimmed, Some(&base))?;
            if trimmed.contains(['*', '?', '[']) {
                let glob = path.to_string_lossy().into_owned();
                self.check_glob(node, &glob)?;
                PathPattern::Glob(glob)
            } else {
                PathPattern::Literal(path)
            }
        };
        Some(self.ruled(node, pattern))
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
