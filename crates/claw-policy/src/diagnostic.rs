//! What is wrong, or suspicious, in a policy text.

use std::fmt;

use crate::{Source, SourceSpan};

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// The policy probably means something else, or opens more than it seems to.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A finding in a policy text.
///
/// It displays as `file:line:column: error: message`, the source line, a caret line and the help.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name (`policy.unknown-key`, `lint.interpreter`).
    pub code: &'static str,
    /// The text it is about.
    pub source: Source,
    /// Where in the text.
    pub span: SourceSpan,
    /// One line for people: lower-case start, no final period.
    pub message: String,
    /// What to do about it, one line.
    pub help: Option<String>,
}

impl Diagnostic {
    /// The source line that the span begins in, and the columns (in characters, from 0) of the span within it.
    #[must_use]
    pub fn excerpt(&self) -> (&str, usize, usize) {
        let at = self.source.line_column(self.span.start);
        let line = self.source.line(at.line);
        let start = at.column - 1;
        let covered = self.source.text().get(self.span.start..self.span.end).unwrap_or("");
        let width = covered.lines().next().unwrap_or("").chars().count().max(1);
        (line, start, start + width)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.source.line_column(self.span.start);
        let (severity, name) = (self.severity.name(), self.source.name());
        write!(f, "{name}:{}:{}: {severity}: {}", at.line, at.column, self.message)?;
        let (line, start, end) = self.excerpt();
        if !line.trim().is_empty() {
            // Tabs stay tabs, so that the caret stands below its character.
            let indent: String = line
                .chars()
                .take(start)
                .map(|character| if character == '\t' { '\t' } else { ' ' })
                .collect();
            write!(f, "\n  | {line}\n  | {indent}{}", "^".repeat(end - start))?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  = help: {help}"),
            None => Ok(()),
        }
    }
}
