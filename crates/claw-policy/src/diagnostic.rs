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
    ///
    /// Of a long line it is the part around the span.
    #[must_use]
    pub fn excerpt(&self) -> (&str, usize, usize) {
        let at = self.source.line_column(self.span.start);
        let line = self.source.line(at.line);
        let column = at.column - 1;
        let covered = self.source.text().get(self.span.start..self.span.end).unwrap_or("");
        let width = covered.lines().next().unwrap_or("").chars().count().max(1);
        let skipped = if column + width > LONGEST_LINE { column.saturating_sub(LONGEST_LINE / 2) } else { 0 };
        let mut offsets = line.char_indices().map(|(offset, _)| offset).skip(skipped);
        let first = offsets.next().unwrap_or(line.len());
        let last = offsets.nth(LONGEST_LINE - 1).unwrap_or(line.len());
        let start = column - skipped;
        (line.get(first..last).unwrap_or(""), start, (start + width).min(LONGEST_LINE.max(start + 1)))
    }
}

/// Characters of a source line that are shown: about what a terminal has.
const LONGEST_LINE: usize = 160;

/// Policies may be a stranger's text: nothing in them reaches a terminal as a command to it.
fn harmless(text: &str) -> String {
    let replace = |character: char| {
        if character.is_control() && character != '\t' { char::REPLACEMENT_CHARACTER } else { character }
    };
    text.chars().map(replace).collect()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.source.line_column(self.span.start);
        let (severity, name) = (self.severity.name(), harmless(self.source.name()));
        write!(f, "{name}:{}:{}: {severity}: {}", at.line, at.column, harmless(&self.message))?;
        let (line, start, end) = self.excerpt();
        let line = harmless(line);
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
            Some(help) => write!(f, "\n  = help: {}", harmless(help)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, SourceSpan};

    fn shown(text: &str, part: &str) -> String {
        let start = text.find(part).unwrap();
        let span = SourceSpan { start, end: start + part.len() };
        let source = Source::new("p.yaml", text, Format::Yaml);
        let message = "no".to_owned();
        Diagnostic { severity: Severity::Error, code: "x", source, span, message, help: None }.to_string()
    }

    #[test]
    fn the_caret_stands_below_its_text() {
        assert_eq!(shown("a:\n\té: bad\n", "bad"), "p.yaml:2:5: error: no\n  | \té: bad\n  | \t   ^^^");
        assert_eq!(shown("a: 'x\n  y'\r\n", "'x\n  y'"), "p.yaml:1:4: error: no\n  | a: 'x\n  |    ^^");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let text = format!("{{{}bad{}}}", "é, ".repeat(100_000), ", x".repeat(100_000));
        let lines: Vec<String> = shown(&text, "bad").lines().map(str::to_owned).collect();
        assert!(lines.iter().all(|line| line.chars().count() < 200));
        let caret = lines[2].find('^').unwrap();
        let below: String = lines[1].chars().skip(caret).take(3).collect();
        assert_eq!(below, "bad");
        assert_eq!(lines[2].matches('^').count(), 3);
        assert!(shown(&"x".repeat(100_000), &"x".repeat(90_000)).len() < 500);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert!(!shown("a: \u{1b}[2Jbad\n", "bad").contains('\u{1b}'));
    }
}
