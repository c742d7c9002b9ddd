//! Argument vectors: no shell reads them, so every byte is data.

use crate::bounds::{MAX_LENGTH, Parsed, error};
use crate::collect::collect_argv;
use crate::script::{ParseErrorKind, Script, Span, Word};

pub(crate) fn from_argv(arguments: &[Vec<u8>]) -> Parsed<Script> {
    let mut words = Vec::with_capacity(arguments.len().min(MAX_LENGTH));
    let mut offset = 0;
    for argument in arguments {
        let span = Span::new(offset, offset + argument.len());
        if argument.contains(&0) {
            return Err(error(ParseErrorKind::Nul, span, "an argument contains a NUL byte"));
        }
        offset = span.end + 1;
        if span.end > MAX_LENGTH {
            return Err(error(ParseErrorKind::TooLong, span, "longer than 64 KiB"));
        }
        words.push(Word::literal(argument.as_slice(), span));
    }
    if words.is_empty() {
        return Err(error(ParseErrorKind::Syntax, Span::default(), "no command given"));
    }
    collect_argv(words, offset.saturating_sub(1))
}
