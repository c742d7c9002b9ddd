//! The limits that keep parsing bounded, and the counters that are held against them.

use crate::script::{ParseError, ParseErrorKind, Span};

/// The longest command line that is read. Linux itself stops at 128 KiB for one argument.
pub(crate) const MAX_LENGTH: usize = 64 * 1024;

/// The deepest nesting of compound commands, substitutions, re-read texts and wrappers.
pub(crate) const MAX_DEPTH: usize = 32;

/// How many words brace expansions may produce in one script.
pub(crate) const MAX_BRACE_WORDS: usize = 4096;

/// Bytes that may be read again or copied, for each byte of the line. A line that is honest about
/// what it runs needs one or two; [`MAX_DEPTH`] nested `sh -c` need one for each level.
pub(crate) const WORK_PER_BYTE: usize = 64;

/// The result of everything that can meet a bound or a syntax error.
pub(crate) type Parsed<T> = Result<T, ParseError>;

/// What is left of the bounds. One value is shared by all parsers of a line.
#[derive(Debug)]
pub(crate) struct Bounds {
    depth: usize,
    work: usize,
    brace_words: usize,
}

impl Bounds {
    pub(crate) fn for_length(length: usize) -> Self {
        Self { depth: 0, work: (length + 64) * WORK_PER_BYTE, brace_words: MAX_BRACE_WORDS }
    }

    /// One level deeper; every success needs a [`Bounds::leave`].
    pub(crate) fn enter(&mut self, span: Span) -> Parsed<()> {
        if self.depth >= MAX_DEPTH {
            return Err(error(ParseErrorKind::TooDeep, span, "nested deeper than 32 levels"));
        }
        self.depth += 1;
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The current depth, to go back to when an attempt is abandoned.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    /// Pays for reading or copying `bytes` once more.
    pub(crate) fn charge(&mut self, bytes: usize, span: Span) -> Parsed<()> {
        match self.work.checked_sub(bytes + 1) {
            Some(left) => self.work = left,
            None => return Err(error(ParseErrorKind::TooMany, span, "expands to more than can be read")),
        }
        Ok(())
    }

    pub(crate) fn charge_brace_words(&mut self, words: usize, span: Span) -> Parsed<()> {
        match self.brace_words.checked_sub(words) {
            Some(left) => self.brace_words = left,
            None => {
                return Err(error(ParseErrorKind::TooMany, span, "braces expand to more than 4096 words"));
            }
        }
        Ok(())
    }
}

pub(crate) fn error(kind: ParseErrorKind, span: Span, message: &str) -> ParseError {
    ParseError { kind, span, message: message.to_owned() }
}

pub(crate) fn syntax(span: Span, message: &str) -> ParseError {
    error(ParseErrorKind::Syntax, span, message)
}
