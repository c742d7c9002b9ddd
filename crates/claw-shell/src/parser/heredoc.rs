//! Here-documents: their delimiters, and their bodies after the next newline.

use super::cursor::is_meta;
use super::word::WordBuilder;
use super::{Parser, expand_text};
use crate::bounds::{Parsed, syntax};
use crate::script::{OpaqueKind, Span, Word};
use crate::syntax::Heredoc;

/// A here-document whose body was not read yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// Where its body goes in `Shared::heredocs`.
    index: usize,
    delimiter: Vec<u8>,
    /// Nothing is expanded when any part of the delimiter was quoted.
    quoted: bool,
    /// `<<-` removes leading tabs.
    strip_tabs: bool,
    span: Span,
}

impl Parser<'_, '_> {
    /// The delimiter after `<<` or `<<-`. Returns the index of the body that will follow.
    pub(super) fn announce_heredoc(&mut self, strip_tabs: bool) -> Parsed<usize> {
        self.skip_blanks();
        let start = self.position;
        if self.current().is_none_or(is_meta) {
            return Err(self.unexpected());
        }
        let (delimiter, quoted) = self.delimiter()?;
        let index = self.shared.heredocs.len();
        self.shared.heredocs.push(Heredoc::default());
        let span = self.span_from(start);
        self.pending.push(Pending { index, delimiter, quoted, strip_tabs, span });
        Ok(index)
    }

    /// The delimiter's text after quote removal, and whether any of it was quoted.
    fn delimiter(&mut self) -> Parsed<(Vec<u8>, bool)> {
        let (mut text, mut quoted) = (Vec::new(), false);
        while let Some(byte) = self.current().filter(|byte| !is_meta(*byte)) {
            self.advance();
            match byte {
                b'\\' => {
                    quoted = true;
                    text.extend(self.byte(self.position));
                    self.advance();
                }
                b'\'' => {
                    quoted = true;
                    let (start, end) = self.single_quoted()?;
                    text.extend_from_slice(self.slice(start, end));
                }
                b'"' => {
                    quoted = true;
                    let mut word = WordBuilder::default();
                    let start = self.position;
                    self.nested(|parser| parser.double_quoted(&mut word))?;
                    match (Word { span: Span::default(), pieces: word.pieces }).as_literal() {
                        Some(literal) => text.extend_from_slice(&literal),
                        None => {
                            return Err(syntax(
                                self.span_from(start),
                                "expansion in a here-document delimiter",
                            ));
                        }
                    }
                }
                b'$' | b'`'
                    if byte == b'`' || matches!(self.current(), Some(b'(' | b'{' | b'[' | b'\'' | b'"')) =>
                {
                    return Err(syntax(self.here(), "expansion in a here-document delimiter"));
                }
                byte => text.push(byte),
            }
        }
        Ok((text, quoted))
    }

    /// Fails when a here-document was announced that has no line to begin on.
    pub(super) fn no_pending_heredocs(&mut self, before: usize) -> Parsed<()> {
        match self.pending.get(before) {
            Some(pending) => Err(syntax(pending.span, "here-document without a body")),
            None => Ok(()),
        }
    }

    /// Reads the bodies of all announced here-documents; the position is after a newline.
    pub(super) fn read_heredocs(&mut self) -> Parsed<()> {
        for pending in std::mem::take(&mut self.pending) {
            let start = self.position;
            let end = self.body_end(&pending)?;
            let span = self.span(start, end);
            self.shared.bounds.charge(end - start, span)?;
            let (word, code) = self.body(&pending, start, end)?;
            if let Some(heredoc) = self.shared.heredocs.get_mut(pending.index) {
                *heredoc = Heredoc { word, code };
            }
        }
        Ok(())
    }

    /// Finds the delimiter line, moves past it, and returns where the body ends.
    fn body_end(&mut self, pending: &Pending) -> Parsed<usize> {
        while self.position < self.end {
            let line_start = self.position;
            let (line, next) = self.line(!pending.quoted);
            let line = if pending.strip_tabs { trim_tabs(&line) } else { &line };
            self.position = next;
            if line == pending.delimiter {
                return Ok(line_start);
            }
            // Inside `$(` bash also takes `EOF)`, and goes on with the parenthesis.
            if self.substitutions > 0
                && let Some(rest) = line.strip_prefix(pending.delimiter.as_slice())
                && rest.contains(&b')')
            {
                let newline = usize::from(self.byte(next.saturating_sub(1)) == Some(b'\n'));
                self.position = next - newline - rest.len();
                let span = self.span(line_start, next);
                self.shared.mark(OpaqueKind::Construct, span);
                return Ok(line_start);
            }
        }
        Err(syntax(pending.span, "unterminated here-document"))
    }

    /// The line at the current position without its newline, and where the next line begins.
    fn line(&self, join: bool) -> (Vec<u8>, usize) {
        let (mut line, mut offset) = (Vec::new(), self.position);
        while let Some(byte) = self.byte(offset) {
            offset += 1;
            match (byte, self.byte(offset)) {
                (b'\n', _) => break,
                (b'\\', Some(b'\n')) if join => offset += 1,
                (b'\\', Some(escaped)) if join => {
                    line.extend_from_slice(&[byte, escaped]);
                    offset += 1;
                }
                _ => line.push(byte),
            }
        }
        (line, offset)
    }

    fn body(
        &mut self,
        pending: &Pending,
        start: usize,
        end: usize,
    ) -> Parsed<(Word, Vec<crate::syntax::Code>)> {
        let span = self.span(start, end);
        let text = self.slice(start, end);
        let stripped = if pending.strip_tabs { Some(strip_leading_tabs(text)) } else { None };
        if pending.quoted {
            let text = stripped.unwrap_or_else(|| text.to_vec());
            return Ok((Word::literal(text, span), Vec::new()));
        }
        match stripped {
            Some(text) => self.nested_text(&text, span),
            None => self.within(start, end, |parser| parser.nested(Self::expandable_text)),
        }
    }

    fn nested_text(&mut self, text: &[u8], span: Span) -> Parsed<(Word, Vec<crate::syntax::Code>)> {
        self.shared.bounds.enter(span)?;
        let expanded = expand_text(text, span, self.dialect, self.shared)?;
        self.shared.bounds.leave();
        Ok(expanded)
    }
}

fn trim_tabs(line: &[u8]) -> &[u8] {
    let tabs = line.iter().take_while(|byte| **byte == b'\t').count();
    line.get(tabs..).unwrap_or_default()
}

fn strip_leading_tabs(text: &[u8]) -> Vec<u8> {
    text.split_inclusive(|byte| *byte == b'\n').flat_map(trim_tabs).copied().collect()
}
