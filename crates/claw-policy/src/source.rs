//! Policy texts and positions in them.

use std::fmt;
use std::sync::Arc;

use crate::{Diagnostic, Severity};

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
    /// Offsets at which lines begin: every rule and message asks for its line.
    lines: Arc<[usize]>,
}

impl Source {
    /// A text named `name` (a path, or `built-in`) in the given format.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>, format: Format) -> Self {
        let text = text.into();
        let ends = text.match_indices('\n').map(|(offset, _)| offset + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self { name: name.into(), text, format, lines }
    }

    /// The same from bytes that nobody has looked at yet.
    ///
    /// # Errors
    ///
    /// Bytes that are not UTF-8, with the place of the first one.
    ///
    /// # Example
    ///
    /// ```
    /// use claw_policy::{Format, Source};
    ///
    /// let error = Source::from_bytes("policy.yaml", b"workspace: /\xff", Format::Yaml).unwrap_err();
    /// assert!(error.to_string().starts_with("policy.yaml:1:13: error: not UTF-8"));
    /// ```
    pub fn from_bytes(
        name: impl Into<Arc<str>>,
        bytes: &[u8],
        format: Format,
    ) -> Result<Self, Box<Diagnostic>> {
        let error = match std::str::from_utf8(bytes) {
            Ok(text) => return Ok(Self::new(name, text, format)),
            Err(error) => error,
        };
        let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let help = if wide { "it is UTF-16: save it as UTF-8" } else { "save it as UTF-8" };
        let start = error.valid_up_to();
        // Each byte that is no character shows as one.
        let shown = String::from_utf8_lossy(bytes).into_owned();
        Err(Box::new(Diagnostic {
            severity: Severity::Error,
            code: "policy.encoding",
            source: Self::new(name, shown, format),
            span: SourceSpan { start, end: start + char::REPLACEMENT_CHARACTER.len_utf8() },
            message: format!("not UTF-8 at byte {start}"),
            help: Some(help.to_owned()),
        }))
    }

    /// The name that errors and rules are reported under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, to keep.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
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
        let line = self.lines.partition_point(|start| *start <= end).max(1);
        let start = self.line_start(line);
        let column = self.text.get(start..end).unwrap_or("").chars().count() + 1;
        LineColumn { line, column }
    }

    /// A line by its number from 1, without its end; empty when there is none.
    #[must_use]
    pub fn line(&self, number: usize) -> &str {
        let rest = self.text.get(self.line_start(number)..).unwrap_or("");
        rest.lines().next().unwrap_or("")
    }

    fn line_start(&self, number: usize) -> usize {
        let index = number.saturating_sub(1);
        self.lines.get(index).copied().unwrap_or(self.text.len())
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
