//! The policy as it grows, and its text.

use std::fmt::Write as _;

use crate::cursor::Cursor;

/// Every key that an import can state, in the order of the text. A key with a dot is in a section.
const KEYS: [&str; 17] = [
    "workspace",
    "exec.security",
    "exec.ask",
    "exec.allowlist",
    "exec.deny",
    "exec.inlineEval",
    "exec.safeBins",
    "exec.trustedDirs",
    "filesystem.readOnly",
    "filesystem.writable",
    "filesystem.hidden",
    "network.default",
    "environment.pass",
    "environment.set",
    "limits.time",
    "limits.memory",
    "limits.processes",
];

/// Limits beside those above.
const MORE_LIMITS: [&str; 3] = ["limits.openFiles", "limits.fileSize", "limits.cpu"];

#[derive(Debug)]
enum Statement {
    Value(Line),
    List(Vec<Line>),
    Map(Vec<Line>),
}

#[derive(Debug)]
struct Line {
    text: String,
    from: String,
}

#[derive(Debug, Default)]
pub(crate) struct Draft(Vec<(&'static str, Statement)>);

impl Draft {
    /// States one value.
    pub(crate) fn set(&mut self, key: &'static str, text: impl Into<String>, from: impl Into<String>) {
        let line = Line { text: text.into(), from: from.into() };
        self.0.retain(|(known, _)| *known != key);
        self.0.push((key, Statement::Value(line)));
    }

    /// States a list, empty so far.
    pub(crate) fn list(&mut self, key: &'static str) {
        if !self.0.iter().any(|(known, _)| *known == key) {
            self.0.push((key, Statement::List(Vec::new())));
        }
    }

    /// Adds to a list; what is in it stays as it is.
    pub(crate) fn add(&mut self, key: &'static str, text: impl Into<String>, from: impl Into<String>) {
        self.list(key);
        let (text, from) = (text.into(), from.into());
        if let Some(Statement::List(lines)) = self.of(key)
            && !lines.iter().any(|line| line.text == text)
        {
            lines.push(Line { text, from });
        }
    }

    /// States a member of a mapping, in place of an earlier one.
    pub(crate) fn pair(&mut self, key: &'static str, name: &str, value: &str, from: String) {
        let start = format!("{}: ", scalar(name));
        let line = Line { text: format!("{start}{}", quoted(value)), from };
        match self.of(key) {
            Some(Statement::Map(lines)) => {
                lines.retain(|line| !line.text.starts_with(&start));
                lines.push(line);
            }
            _ => self.0.push((key, Statement::Map(vec![line]))),
        }
    }

    fn of(&mut self, key: &str) -> Option<&mut Statement> {
        self.0.iter_mut().find(|(known, _)| *known == key).map(|(_, statement)| statement)
    }

    /// The whole text.
    pub(crate) fn text(&self, header: &str) -> String {
        let mut text = header.to_owned();
        let mut open = "";
        for key in KEYS.iter().chain(&MORE_LIMITS) {
            let Some((_, statement)) = self.0.iter().find(|(known, _)| known == key) else { continue };
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            if section != open {
                let _ = writeln!(text, "{section}:");
                open = section;
            }
            let margin = if section.is_empty() { "" } else { "  " };
            match statement {
                Statement::Value(line) => {
                    put(&mut text, &format!("{margin}{name}: {}", line.text), &line.from)
                }
                Statement::List(lines) if lines.is_empty() => {
                    put(&mut text, &format!("{margin}{name}: []"), "")
                }
                Statement::List(lines) | Statement::Map(lines) => {
                    let dash = if matches!(statement, Statement::List(_)) { "- " } else { "" };
                    put(&mut text, &format!("{margin}{name}:"), "");
                    for line in lines {
                        put(&mut text, &format!("{margin}  {dash}{}", line.text), &line.from);
                    }
                }
            }
        }
        text
    }
}

fn put(text: &mut String, line: &str, from: &str) {
    let _ = if from.is_empty() { writeln!(text, "{line}") } else { writeln!(text, "{line} # {from}") };
}

/// Where a line comes from, for its comment.
pub(crate) fn from(at: &Cursor<'_>) -> String {
    let place = at.place();
    format!("{}:{}:{} {}", place.file, place.line, place.column, at.key)
}

/// A text as YAML, without quotes where it cannot be read as anything else.
pub(crate) fn scalar(text: &str) -> String {
    let starts =
        text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/') || text.starts_with("~/");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+*?~@".contains(&byte);
    let is_word =
        matches!(text, "true" | "false" | "null" | "True" | "False" | "Null" | "TRUE" | "FALSE" | "NULL");
    if starts && !is_word && text.bytes().all(is_plain) { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            _ if u32::from(letter) < 0x1_0000 => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(letter));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// A text whose `${` a policy does not expand.
pub(crate) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
