//! A recursive-descent parser for bash, over bytes.
//!
//! It reads in place where it can, so that spans point into the caller's text. What a shell reads a
//! second time (escaped backquotes, `sh -c` strings) is parsed from a copy, and all its spans are
//! that of the outermost word.

mod arithmetic;
mod brace;
mod compound;
mod condition;
mod cursor;
mod dollar;
mod heredoc;
mod list;
mod parameter;
mod quoting;
mod redirect;
mod simple;
mod word;

use std::collections::HashSet;

use crate::bounds::{Bounds, Parsed, syntax};
use crate::script::{Dialect, Opaque, OpaqueKind, Span, Word};
use crate::syntax::{Code, Heredoc, List};
pub(crate) use compound::is_identifier;
use dollar::NUMBER;
use heredoc::Pending;

/// What all parsers of one line share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) bounds: Bounds,
    pub(crate) heredocs: Vec<Heredoc>,
    pub(crate) opaque: Vec<Opaque>,
    /// The names of all functions that the text defines anywhere.
    pub(crate) functions: HashSet<Vec<u8>>,
    /// Whether the text names the option `extglob`, with which `!(a)` is a pattern.
    pub(crate) extended_globs: bool,
    /// Whether any function body may change the working directory.
    pub(crate) function_moves: bool,
    /// The first `$(nproc)`, whose output is a number unless the name means something else.
    pub(crate) number: Option<Span>,
}

impl Shared {
    pub(crate) fn for_length(length: usize) -> Self {
        Self {
            bounds: Bounds::for_length(length),
            heredocs: Vec::new(),
            opaque: Vec::new(),
            functions: HashSet::new(),
            extended_globs: false,
            function_moves: false,
            number: None,
        }
    }

    /// Whether a function could print something else where a number is expected.
    pub(crate) fn number_is_redefined(&self) -> bool {
        [NUMBER, b"command_not_found_handle"].iter().any(|name| self.functions.contains(*name))
    }

    pub(crate) fn mark(&mut self, kind: OpaqueKind, span: Span) {
        self.opaque.push(Opaque { span, kind });
    }
}

/// Reads one text.
pub(crate) struct Parser<'t, 's> {
    text: &'t [u8],
    position: usize,
    /// One past the last byte that may be read now; a part of the text is parsed by narrowing it.
    end: usize,
    /// The span of everything, when the text is read again.
    reread: Option<Span>,
    dialect: Dialect,
    shared: &'s mut Shared,
    /// Here-documents whose bodies begin after the next newline.
    pending: Vec<Pending>,
    /// How many `$(` are open: there, `EOF)` ends a here-document.
    substitutions: usize,
    /// Whether arithmetic is read between the braces of `${...}`.
    in_braces: bool,
    /// Counts the commands that may change the directory of the shell that is being parsed.
    moves: usize,
    /// Until where no `]` is found (see `word.rs`), so that looking ahead stays linear.
    bracket_horizon: (usize, word::Bracket),
}

/// Parses a whole text that lies in the caller's line.
pub(crate) fn parse_line(text: &[u8], dialect: Dialect, shared: &mut Shared) -> Parsed<List> {
    Parser::new(text, None, dialect, shared).program()
}

/// Parses a text that a shell reads again, one level deeper. `span` is the word that holds it.
pub(crate) fn parse_again(text: &[u8], span: Span, dialect: Dialect, shared: &mut Shared) -> Parsed<List> {
    shared.bounds.charge(text.len(), span)?;
    shared.bounds.enter(span)?;
    let list = Parser::new(text, Some(span), dialect, shared).program()?;
    shared.bounds.leave();
    Ok(list)
}

/// The code inside a text that bash expands like a double-quoted string, such as a subscript.
pub(crate) fn code_in_text(
    text: &[u8],
    span: Span,
    dialect: Dialect,
    shared: &mut Shared,
) -> Parsed<Vec<Code>> {
    shared.bounds.charge(text.len(), span)?;
    shared.bounds.enter(span)?;
    let (_, code) = Parser::new(text, Some(span), dialect, shared).expandable_text()?;
    shared.bounds.leave();
    Ok(code)
}

/// `text` as data with expansions, and the code in it.
pub(crate) fn expand_text(
    text: &[u8],
    span: Span,
    dialect: Dialect,
    shared: &mut Shared,
) -> Parsed<(Word, Vec<Code>)> {
    shared.bounds.charge(text.len(), span)?;
    Parser::new(text, Some(span), dialect, shared).expandable_text()
}

impl<'t, 's> Parser<'t, 's> {
    fn new(text: &'t [u8], reread: Option<Span>, dialect: Dialect, shared: &'s mut Shared) -> Self {
        Self {
            text,
            position: 0,
            end: text.len(),
            reread,
            dialect,
            shared,
            pending: Vec::new(),
            substitutions: 0,
            in_braces: false,
            moves: 0,
            bracket_horizon: (0, word::Bracket::Literal),
        }
    }

    fn program(&mut self) -> Parsed<List> {
        let list = self.list()?;
        if self.position < self.end {
            return Err(self.unexpected());
        }
        self.no_pending_heredocs(0)?;
        Ok(list)
    }

    /// Runs `parse` on the bytes from `start` up to `end` alone, and returns to the place before.
    fn within<T>(
        &mut self,
        start: usize,
        end: usize,
        parse: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let outer = (self.position, self.end);
        (self.position, self.end) = (start, end);
        let result = parse(self);
        (self.position, self.end) = outer;
        result
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let here = self.here();
        self.shared.bounds.enter(here)?;
        let result = parse(self)?;
        self.shared.bounds.leave();
        Ok(result)
    }

    /// Runs `parse` as a shell of its own: a `cd` in it does not count for the outer one.
    fn subshell<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let moves = self.moves;
        let result = self.nested(parse)?;
        self.moves = moves;
        Ok(result)
    }

    /// Marks a construct that only bash has.
    fn bash_only(&mut self, span: Span) {
        if self.dialect == Dialect::Posix {
            self.shared.mark(OpaqueKind::Dialect, span);
        }
    }

    fn unexpected(&mut self) -> crate::ParseError {
        let here = self.here();
        match self.current() {
            None => syntax(here, "unexpected end of the command line"),
            Some(b'\n') => syntax(here, "unexpected newline"),
            Some(byte) => syntax(here, &format!("unexpected `{}`", byte.escape_ascii())),
        }
    }
}
