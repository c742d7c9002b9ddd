//! Findings in policy texts, shown like a compiler shows them.

use std::io;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use claw_policy::{Diagnostic, Severity};
use serde::Serialize;

use crate::output;

/// The findings as text for standard error, in colour when that is a terminal.
pub(crate) fn diagnostics(diagnostics: &[Diagnostic]) -> String {
    let renderer = if output::colour(&io::stderr()) { Renderer::styled() } else { Renderer::plain() };
    diagnostics.iter().map(|diagnostic| render(&renderer, diagnostic) + "\n\n").collect()
}

fn render(renderer: &Renderer, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let text = diagnostic.source.text();
    // The renderer wants character boundaries inside of the text.
    let start = boundary(text, diagnostic.span.start);
    let end = boundary(text, diagnostic.span.end).max(start);
    let snippet = Snippet::source(text)
        .path(diagnostic.source.name())
        .annotation(AnnotationKind::Primary.span(start..end));
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code).element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// The end of the text, or the character boundary at or before `offset`.
fn boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|offset| text.is_char_boundary(*offset)).unwrap_or(0)
}

/// A finding, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Finding<'a> {
    severity: &'static str,
    code: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    /// Byte offsets into the text.
    span: (usize, usize),
    message: &'a str,
    help: Option<&'a str>,
}

impl<'a> From<&'a Diagnostic> for Finding<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        let position = diagnostic.source.line_column(diagnostic.span.start);
        Self {
            severity: diagnostic.severity.name(),
            code: diagnostic.code,
            file: diagnostic.source.name(),
            line: position.line,
            column: position.column,
            span: (diagnostic.span.start, diagnostic.span.end),
            message: &diagnostic.message,
            help: diagnostic.help.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use claw_policy::{Format, Source, SourceSpan};

    use super::*;

    fn diagnostic(text: &str, start: usize, end: usize) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: "policy.unknown-key",
            source: Source::new("policy.yaml", text, Format::Yaml),
            span: SourceSpan { start, end },
            message: "unknown key `allowlst`".to_owned(),
            help: Some("did you mean `allowlist`?".to_owned()),
        }
    }

    #[test]
    fn a_finding_shows_its_place_the_line_a_caret_and_the_help() {
        let shown = render(&Renderer::plain(), &diagnostic("exec:\n  allowlst: [git]\n", 8, 16));
        assert_eq!(
            shown,
            "\
error[policy.unknown-key]: unknown key `allowlst`
 --> policy.yaml:2:3
  |
2 |   allowlst: [git]
  |   ^^^^^^^^
  |
  = help: did you mean `allowlist`?"
        );
    }

    #[test]
    fn any_span_can_be_shown() {
        for text in ["", "a", "ä", "a\r\nä\tb\n\n", "\u{1b}[31m"] {
            for start in 0..12 {
                for end in 0..12 {
                    let shown = render(&Renderer::plain(), &diagnostic(text, start, end));
                    assert!(shown.contains("policy.yaml"), "{text:?} {start}..{end}: {shown}");
                    assert!(!shown.contains('\u{1b}'), "{shown:?}");
                }
            }
        }
    }
}
