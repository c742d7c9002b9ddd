//! The check of a tree against the table of keys.

use super::keys::{ARGUMENT_RULE, DOCUMENT, ENTRY, Key, Kind};
use super::node::{Node, Value};
use super::{duration, names, nearest, size};
use crate::{Diagnostic, Guarantee, Severity, Source, SourceSpan};

/// Nobody reads more, and each costs a walk through its line.
const MOST_ERRORS: usize = 100;

/// Everything that is wrong with the shape of `root`.
pub(super) fn check(source: &Source, root: &Node) -> Vec<Diagnostic> {
    let mut checker = Checker { source, found: Vec::new() };
    checker.nul(root);
    match root.value {
        // An empty file states nothing.
        Value::Null => {}
        _ => checker.map(root, DOCUMENT, "a policy"),
    }
    checker.found
}

struct Checker<'s> {
    source: &'s Source,
    found: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error(&mut self, code: &'static str, span: SourceSpan, message: String, help: Option<String>) {
        if self.found.len() == MOST_ERRORS {
            return;
        }
        let source = self.source.clone();
        self.found.push(Diagnostic { severity: Severity::Error, code, source, span, message, help });
    }

    fn wrong(&mut self, node: &Node, what: &str, expected: &str) {
        let found = match &node.value {
            Value::Text(text) | Value::Number(text) => format!("`{}`", shorten(text)),
            Value::Bool(value) => format!("`{value}`"),
            _ => node.kind().to_owned(),
        };
        // YAML reads these words and digits as something else than texts.
        let help = match &node.value {
            Value::Bool(value) if expected == "a text" => Some(format!("write \"{value}\" in quotes")),
            _ => None,
        };
        self.error("policy.type", node.span, format!("{what} must be {expected}, not {found}"), help);
    }

    /// A NUL that an escape brings in: no path, argument or variable can hold it.
    fn nul(&mut self, node: &Node) {
        match &node.value {
            Value::Text(text) if text.contains('\0') => {
                self.error("policy.nul", node.span, "contains a NUL character".to_owned(), None);
            }
            Value::List(items) => items.iter().for_each(|item| self.nul(item)),
            Value::Map(entries) => entries.iter().for_each(|entry| {
                if entry.key.contains('\0') {
                    self.error("policy.nul", entry.key_span, "contains a NUL character".to_owned(), None);
                }
                self.nul(&entry.value);
            }),
            _ => {}
        }
    }

    fn map(&mut self, node: &Node, keys: &[Key], what: &str) {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            // `exec:` with nothing below it states nothing.
            Value::Null => return,
            _ => return self.wrong(node, what, "a mapping"),
        };
        for entry in entries.iter() {
            match keys.iter().find(|key| key.name == entry.key) {
                Some(key) => self.value(&entry.value, key.kind, &format!("`{}`", key.name)),
                None => self.unknown(&entry.key, entry.key_span, keys),
            }
        }
    }

    fn unknown(&mut self, name: &str, span: SourceSpan, keys: &[Key]) {
        let names = keys.iter().map(|key| key.name);
        let help = nearest(name, names.clone()).map_or_else(
            || format!("known here: {}", names.collect::<Vec<_>>().join(", ")),
            |known| format!("did you mean `{known}`?"),
        );
        self.error("policy.unknown-key", span, format!("unknown key `{}`", shorten(name)), Some(help));
    }

    fn value(&mut self, node: &Node, kind: Kind, what: &str) {
        match kind {
            Kind::Map(keys) => self.map(node, keys, what),
            Kind::Maps(keys) => self.list(node, what, |checker, item| checker.map(item, keys, "an entry")),
            Kind::Bool if matches!(node.value, Value::Bool(_)) => {}
            Kind::Bool => self.wrong(node, what, "`true` or `false`"),
            Kind::Text | Kind::Secret | Kind::Path => self.text(node, what),
            Kind::HttpsUrl => self.https(node, what),
            Kind::Word(words) => self.word(node, what, words),
            Kind::Texts | Kind::Paths | Kind::Patterns => self.list(node, what, Self::item),
            Kind::Numbers => self.list(node, what, Self::number),
            Kind::Words(words) => self.one_or_more(node, |checker, item| checker.word(item, what, words)),
            Kind::Principals => self.one_or_more(node, Self::principal),
            Kind::Identifiers => self.one_or_more(node, Self::identifier),
            Kind::Tools => self.list(node, what, Self::tool),
            Kind::Protected => match &node.value {
                Value::Text(text) if text == "default" || text == "none" => {}
                Value::List(_) => self.list(node, what, Self::item),
                _ => self.wrong(node, what, "`default`, `none` or a list of paths"),
            },
            Kind::Programs => self.list(node, what, Self::program),
            Kind::Names => self.list(node, what, |checker, item| {
                checker.name(item, names::is_program, "a bare program name");
            }),
            Kind::Variables => self.list(node, what, |checker, item| {
                checker.name(
                    item,
                    names::is_variable_pattern,
                    "a variable's name, or its beginning with `*`",
                );
            }),
            Kind::Guarantees => self.list(node, what, Self::guarantee),
            Kind::Host if text_of(node).is_some_and(names::is_host) => {}
            Kind::Host => {
                self.wrong(node, what, "a host name, an address or a network, without scheme, port and path")
            }
            Kind::Port if number_of(node).is_some_and(|port| (1..=65_535).contains(&port)) => {}
            Kind::Port => self.wrong(node, what, "a number from 1 to 65535"),
            Kind::Count if number_of(node).is_some_and(|count| count > 0) => {}
            Kind::Count => self.wrong(node, what, "a whole number of at least 1"),
            Kind::Duration if text_of(node).and_then(duration).is_some() => {}
            Kind::Duration => self.wrong(node, what, "a duration such as `500ms`, `60s`, `5m` or `1h`"),
            Kind::Size if text_of(node).and_then(size).is_some() => {}
            Kind::Size => self.wrong(node, what, "a size such as `512KiB`, `1MiB` or `2GiB`"),
            Kind::VariableMap => self.variable_map(node, what),
            Kind::Bundles => self.bundles(node, what),
            Kind::Allowlist => self.list(node, what, Self::entry),
            Kind::ArgumentRules => self.list(node, what, Self::argument_rule),
        }
    }

    fn list(&mut self, node: &Node, what: &str, mut each: impl FnMut(&mut Self, &Node)) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| each(self, item)),
            // `allowlist:` with nothing below it is an empty list.
            Value::Null => {}
            _ => self.wrong(node, what, "a list"),
        }
    }

    fn one_or_more(&mut self, node: &Node, mut each: impl FnMut(&mut Self, &Node)) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| each(self, item)),
            _ => each(self, node),
        }
    }

    fn principal(&mut self, node: &Node) {
        let text = text_of(node).unwrap_or_default();
        if names::is_principal(text) {
            return;
        }
        let expected = "`owner`, `known`, `unknown` or an id such as `telegram:main:42`";
        self.wrong(node, "a principal", expected);
        let help = nearest(text, names::PRINCIPALS.iter().copied());
        if let (Some(last), Some(known)) = (self.found.last_mut(), help) {
            last.help = Some(format!("did you mean `{known}`?"));
        }
    }

    fn identifier(&mut self, node: &Node) {
        if !text_of(node).is_some_and(names::is_identifier) {
            self.wrong(node, "a name", "1 to 256 bytes without control characters");
        }
    }

    fn tool(&mut self, node: &Node) {
        self.name(node, names::is_tool_pattern, "a tool's name, or its beginning with `*`");
    }

    fn text(&mut self, node: &Node, what: &str) {
        if text_of(node).is_none_or(|text| text.trim().is_empty()) {
            self.wrong(node, what, "a text");
        }
    }

    fn item(&mut self, node: &Node) {
        self.text(node, "an entry");
    }

    fn https(&mut self, node: &Node, what: &str) {
        match text_of(node) {
            Some(text) if text.starts_with("https://") && text.len() > "https://".len() => {}
            Some(text) if text.starts_with("http://") => {
                let help = Some(format!("write https://{}", text.trim_start_matches("http://")));
                self.error("policy.insecure", node.span, format!("{what} must use https"), help);
            }
            _ => self.wrong(node, what, "an address that begins with `https://`"),
        }
    }

    fn word(&mut self, node: &Node, what: &str, words: &[&str]) {
        let text = match &node.value {
            Value::Text(text) => Some(&**text),
            _ => None,
        };
        if text.is_some_and(|text| words.contains(&text)) {
            return;
        }
        let help = text.and_then(|text| nearest(text, words.iter().copied()));
        let expected = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        self.wrong(node, what, &format!("one of {expected}"));
        if let (Some(last), Some(known)) = (self.found.last_mut(), help) {
            last.help = Some(format!("did you mean `{known}`?"));
        }
    }

    fn name(&mut self, node: &Node, is: impl Fn(&str) -> bool, expected: &str) {
        if !text_of(node).is_some_and(is) {
            self.wrong(node, "an entry", expected);
        }
    }

    fn number(&mut self, node: &Node) {
        if !text_of(node).is_some_and(names::is_owner_number) {
            self.wrong(node, "an owner's number", "3 to 20 digits, with an optional leading `+`");
        }
    }

    /// A program that never runs: the whole of it, never only some arguments.
    fn program(&mut self, node: &Node) {
        let text = match text_of(node) {
            Some(text) if !text.trim().is_empty() => text,
            _ => return self.wrong(node, "an entry", "a program's name or path"),
        };
        let (name, arguments) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if name.contains('/') || arguments.is_empty() {
            return;
        }
        let arguments = arguments.split_whitespace().collect::<Vec<_>>().join(", ");
        let help = format!("in `allowlist`: {{ command: {name}, deny: [[{arguments}]] }}");
        let message = format!("`{}` is more than a program", shorten(text));
        self.error("policy.command", node.span, message, Some(help));
    }

    fn guarantee(&mut self, node: &Node) {
        let Some(name) = text_of(node) else { return self.wrong(node, "an entry", "a guarantee's name") };
        if Guarantee::of_name(name).is_some() {
            return;
        }
        let known = || Guarantee::ALL.iter().map(|guarantee| guarantee.name());
        let help = nearest(name, known()).map_or_else(
            || format!("known: {}", known().collect::<Vec<_>>().join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        let message = format!("`{}` is not a guarantee", shorten(name));
        self.error("policy.guarantee", node.span, message, Some(help));
    }

    fn variable_map(&mut self, node: &Node, what: &str) {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return,
            _ => return self.wrong(node, what, "a mapping"),
        };
        for entry in entries.iter() {
            if !names::is_variable(&entry.key) {
                let message = format!("`{}` is not a variable's name", shorten(&entry.key));
                self.error("policy.environment", entry.key_span, message, None);
            }
            if text_of(&entry.value).is_none() && !matches!(entry.value.value, Value::Bool(_)) {
                self.wrong(&entry.value, &format!("`{}`", shorten(&entry.key)), "a text");
            }
        }
    }

    fn bundles(&mut self, node: &Node, what: &str) {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return,
            _ => return self.wrong(node, what, "a mapping"),
        };
        for entry in entries.iter() {
            if !names::is_program(&entry.key) {
                let message = format!("`{}` is not a bare program name", shorten(&entry.key));
                self.error("policy.command", entry.key_span, message, None);
            }
            self.list(&entry.value, &format!("`{}`", shorten(&entry.key)), Self::item);
        }
    }

    fn entry(&mut self, node: &Node) {
        let Value::Map(entries) = &node.value else {
            return self.text(node, "a command");
        };
        self.map(node, ENTRY, "a command");
        let names = entries.iter().filter(|entry| entry.key == "command" || entry.key == "path").count();
        if names != 1 {
            let help = Some("write `command: git` or `path: /opt/tools/*`".to_owned());
            let message = "an entry needs either `command` or `path`".to_owned();
            self.error("policy.entry", node.span, message, help);
        }
    }

    fn empty_rule(&mut self, node: &Node) {
        let help = Some("name arguments, or remove the rule".to_owned());
        let message = "an argument rule without arguments would match every command".to_owned();
        self.error("policy.entry", node.span, message, help);
    }

    fn argument_rule(&mut self, node: &Node) {
        match &node.value {
            Value::List(items) if items.is_empty() => self.empty_rule(node),
            Value::List(_) => self.list(node, "a rule", Self::item),
            Value::Map(entries) => {
                let says_nothing = |value: &Value| {
                    matches!(value, Value::Null) || matches!(value, Value::List(items) if items.is_empty())
                };
                if entries.iter().all(|entry| says_nothing(&entry.value.value)) {
                    self.empty_rule(node);
                }
                self.map(node, ARGUMENT_RULE, "a rule");
            }
            _ => {
                let help = Some("write `[push]` or `{ subcommand: [push], anyFlag: [--force] }`".to_owned());
                let message = format!("an argument rule is a list or a mapping, not {}", node.kind());
                self.error("policy.type", node.span, message, help);
            }
        }
    }
}

/// A text, or a number as its text.
pub(super) fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Some(text),
        _ => None,
    }
}

fn number_of(node: &Node) -> Option<u64> {
    text_of(node)?.parse().ok()
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push_str("...");
    }
    short
}
