//! Policy texts and positions in them.

use std::fmt;
use std::sync::Arc;

/// How a policy text is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// YAML 1.2, without aliases, tags and duplicate keys.
    Yaml,
    /// JSON5; plain JSON is a part of it.
    Json5,
    /// Strict JSON.
    Json,
}

impl Format {
    /// The format that a file name asks for: `.json`, `.json5`, `.jsonc`, else YAML.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("json") => Self::Json,
            Some("json5" | "jsonc") => Self::Json5,
            _ => Self::Yaml,
        }
    }
}

/// A policy text and where it came from.
#[derive(Clone)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    format: Format,
}

impl Source {
    /// A text named `name` (a path, or `built-in`) in the given format.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>, format: Format) -> Self {
        Self { name: name.into(), text: text.into(), format }
    }

    /// The name that errors and rules are reported under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How it is written.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The line and column (both from 1, columns in characters) of a byte offset.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> LineColumn {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or("");
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or("").chars().count() + 1;
        LineColumn { line, column }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// A position for people, both counted from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LineColumn {
    /// The line.
    pub line: usize,
    /// The column in characters.
    pub column: usize,
}

/// A half-open byte range of a policy text.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SourceSpan {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset one past the last byte.
    pub end: usize,
}
