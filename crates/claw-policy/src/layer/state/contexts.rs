//! What is narrower in some contexts, and tools that are known by name alone.

use std::sync::Arc;

use claw_wire::Chat;

use super::Stated;
use super::reader::Reader;
use super::tree::{items, member, text};
use crate::context::{ContextRule, When, Who};
use crate::document::{Node, Value};
use crate::layer::LayerKind;

impl Reader<'_> {
    pub(super) fn tools(&mut self, stated: &mut Stated, tools: Option<&Node>) {
        let Some(allow) = tools.and_then(|tools| member(tools, "allow")) else { return };
        stated.tools =
            Some(items(allow).iter().map(|item| self.ruled(item, text(item).to_owned())).collect());
    }

    pub(super) fn contexts(&mut self, stated: &mut Stated, contexts: Option<&Node>) {
        for entry in contexts.map_or(&[][..], items) {
            let when = member(entry, "when");
            let narrow = member(entry, "narrow");
            let empty = Stated::empty(self.source, LayerKind::User);
            let narrow = narrow.map_or(empty, |narrow| self.narrowing(narrow));
            stated.contexts.push(ContextRule {
                rule: self.rule(entry.span),
                when: when.map(read).unwrap_or_default(),
                narrow: Arc::new(narrow),
            });
        }
    }

    /// Restricts, whoever wrote it.
    fn narrowing(&mut self, narrow: &Node) -> Stated {
        let mut reader = Reader {
            source: self.source,
            kind: LayerKind::User,
            expansion: self.expansion,
            base: self.base.clone(),
            diagnostics: self.diagnostics,
        };
        reader.document(narrow)
    }
}

fn read(when: &Node) -> When {
    let names = |key| {
        let node = member(when, key)?;
        Some(one_or_more(node).iter().map(|item| text(item).to_owned()).collect::<Vec<_>>())
    };
    let who = |text: &String| match text.as_str() {
        "owner" => Who::Owner,
        "known" => Who::Known,
        "unknown" => Who::Unknown,
        id => Who::Id(id.to_owned()),
    };
    When {
        host: names("host"),
        principal: names("principal").map(|names| names.iter().map(who).collect()),
        chat: names("chat").map(|names| names.iter().filter_map(|name| Chat::of_name(name)).collect()),
        channel: names("channel"),
        session: names("session"),
        agent: names("agent"),
    }
}

fn one_or_more(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}
