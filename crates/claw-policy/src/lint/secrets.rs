//! Secrets that are written out instead of referred to.

use super::Linter;
use crate::decide::environment::is_secret;
use crate::document::keys::{DOCUMENT, Key, Kind};
use crate::document::{self, Node, Value};
use crate::{Severity, Source};

impl Linter<'_> {
    pub(super) fn secrets(&mut self) {
        for source in self.texts() {
            // It was read before, so it is a tree.
            if let Ok(root) = document::read(source) {
                self.secrets_of(source, &root, DOCUMENT);
            }
        }
    }

    fn secrets_of(&mut self, source: &Source, node: &Node, keys: &'static [Key]) {
        let Value::Map(entries) = &node.value else { return };
        for entry in entries.iter() {
            match keys.iter().find(|key| key.name == entry.key).map(|key| key.kind) {
                Some(Kind::Map(inner)) => self.secrets_of(source, &entry.value, inner),
                Some(Kind::Secret) => self.value(source, &entry.value, is_written_out),
                Some(Kind::VariableMap) => self.variables(source, &entry.value),
                _ => self.texts_of(source, &entry.value),
            }
        }
    }

    fn variables(&mut self, source: &Source, node: &Node) {
        let Value::Map(entries) = &node.value else { return };
        for entry in entries.iter() {
            let secret = is_secret(entry.key.as_bytes());
            self.value(source, &entry.value, |text| is_token(text) || (secret && is_written_out(text)));
        }
    }

    fn texts_of(&mut self, source: &Source, node: &Node) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.texts_of(source, item)),
            Value::Map(entries) => entries.iter().for_each(|entry| self.texts_of(source, &entry.value)),
            _ => self.value(source, node, is_token),
        }
    }

    fn value(&mut self, source: &Source, node: &Node, is_secret: impl Fn(&str) -> bool) {
        let (Value::Text(text) | Value::Number(text)) = &node.value else { return };
        if is_secret(text) {
            let message = "a secret is written into the policy".to_owned();
            let help = "keep it in the environment and write `${NAME}`";
            let code = "lint.hard-coded-secret";
            self.push(Severity::Warning, code, source, node.span, message, help);
        }
    }
}

fn is_written_out(text: &str) -> bool {
    !text.is_empty() && !text.contains("${")
}

fn is_token(text: &str) -> bool {
    claw_secrets::begins_token(text.as_bytes()).is_some()
        || !claw_secrets::find(claw_secrets::TextKind::File, text.as_bytes()).is_empty()
}
