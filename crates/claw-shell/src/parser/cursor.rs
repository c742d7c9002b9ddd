//! Moving over the text. A backslash before a newline vanishes wherever bash lets it vanish.

use super::Parser;
use crate::bounds::{Parsed, syntax};
use crate::script::Span;

/// Whether `byte` ends a word unless it is quoted.
pub(super) fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>')
}

pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Parser<'_, '_> {
    /// The byte at `offset`, whatever it is, within the part that may be read.
    pub(super) fn byte(&self, offset: usize) -> Option<u8> {
        if offset < self.end { self.text.get(offset).copied() } else { None }
    }

    /// The next byte that counts, after any line continuations.
    pub(super) fn current(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte(self.position)?;
            if byte != b'\\' || self.byte(self.position + 1) != Some(b'\n') {
                return Some(byte);
            }
            self.position += 2;
        }
    }

    /// The byte after the current one, after any line continuations.
    pub(super) fn following(&mut self) -> Option<u8> {
        self.current()?;
        let mut offset = self.position + 1;
        while self.byte(offset) == Some(b'\\') && self.byte(offset + 1) == Some(b'\n') {
            offset += 2;
        }
        self.byte(offset)
    }

    pub(super) fn advance(&mut self) {
        self.position += 1;
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.current() == Some(byte);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, byte: u8) -> Parsed<()> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The bytes from `start` up to `end`.
    pub(super) fn slice(&self, start: usize, end: usize) -> &[u8] {
        self.text.get(start..end.min(self.end)).unwrap_or_default()
    }

    /// The span from `start` up to the current position.
    pub(super) fn span_from(&self, start: usize) -> Span {
        self.span(start, self.position)
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        self.reread.unwrap_or(Span::new(start, end.min(self.text.len())))
    }

    /// The span of the byte at the current position.
    pub(super) fn here(&self) -> Span {
        self.span(self.position, self.position + 1)
    }

    /// Skips blanks and a comment, but no newline. Only space and tab are blanks in any locale that
    /// bash runs in here; a carriage return or a no-break space is part of a word.
    pub(super) fn skip_blanks(&mut self) {
        while let Some(byte) = self.current() {
            match byte {
                b' ' | b'\t' => self.advance(),
                b'#' => return self.skip_comment(),
                _ => return,
            }
        }
    }

    // A backslash at the end of a comment does not continue it.
    fn skip_comment(&mut self) {
        while self.byte(self.position).is_some_and(|byte| byte != b'\n') {
            self.advance();
        }
    }

    /// Skips blanks, comments and newlines; bodies of here-documents are read at the newlines.
    pub(super) fn skip_newlines(&mut self) -> Parsed<()> {
        self.skip_blanks();
        while self.current() == Some(b'\n') {
            self.newline()?;
            self.skip_blanks();
        }
        Ok(())
    }

    /// Passes one newline and reads the here-documents that were announced before it.
    pub(super) fn newline(&mut self) -> Parsed<()> {
        self.advance();
        if self.pending.is_empty() { Ok(()) } else { self.read_heredocs() }
    }

    /// The offset of the next `byte` at or after the current position.
    pub(super) fn find(&self, byte: u8) -> Option<usize> {
        let rest = self.text.get(self.position..self.end)?;
        rest.iter().position(|found| *found == byte).map(|offset| self.position + offset)
    }

    /// Reads up to and past the single quote that closes the one just passed.
    pub(super) fn single_quoted(&mut self) -> Parsed<(usize, usize)> {
        let start = self.position;
        let Some(close) = self.find(b'\'') else {
            return Err(syntax(self.span(start.saturating_sub(1), start), "unterminated single quote"));
        };
        self.position = close + 1;
        Ok((start, close))
    }
}
