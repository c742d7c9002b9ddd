//! Redirections: `2>&1`, `{fd}<file`, `&>>log`, `<<EOF`, `<<<word`.

use super::Parser;
use super::word::Mode;
use crate::bounds::Parsed;
use crate::script::{RedirectKind, Word};
use crate::syntax::{Lexeme, Redirection, Target, Variable};

/// What stands before the operator.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    /// The descriptor as written; empty when the operator's default counts.
    digits: Vec<u8>,
    variable: Option<Variable>,
}

impl Parser<'_, '_> {
    /// The redirections after a compound command.
    pub(super) fn redirects(&mut self) -> Parsed<Vec<Redirection>> {
        let mut redirects = Vec::new();
        loop {
            self.skip_blanks();
            match self.optional_redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(redirects),
            }
        }
    }

    /// A redirection, if one begins here.
    pub(super) fn optional_redirect(&mut self) -> Parsed<Option<Redirection>> {
        let start = self.position;
        let Some(prefix) = self.redirect_prefix() else { return Ok(None) };
        self.redirect(start, prefix).map(Some)
    }

    /// Moves to the operator when a redirection begins here.
    fn redirect_prefix(&mut self) -> Option<Prefix> {
        match self.current()? {
            b'<' | b'>' => (self.following() != Some(b'(')).then(Prefix::default),
            b'&' => (self.following() == Some(b'>')).then(Prefix::default),
            b'0'..=b'9' => self.descriptor_digits(),
            b'{' => self.descriptor_variable(),
            _ => None,
        }
    }

    fn descriptor_digits(&mut self) -> Option<Prefix> {
        let start = self.position;
        let mut digits = Vec::new();
        while let Some(byte) = self.current().filter(u8::is_ascii_digit) {
            digits.push(byte);
            self.advance();
        }
        if matches!(self.current(), Some(b'<' | b'>')) {
            return Some(Prefix { digits, variable: None });
        }
        self.position = start;
        None
    }

    fn descriptor_variable(&mut self) -> Option<Prefix> {
        let start = self.position;
        self.advance();
        if self.at_name() {
            let name = self.name();
            if self.current() == Some(b'[') {
                while self.current().is_some_and(|byte| !super::cursor::is_meta(byte) && byte != b']') {
                    self.advance();
                }
                self.eat(b']');
            }
            if self.eat(b'}') && matches!(self.current(), Some(b'<' | b'>')) {
                let span = self.span_from(start);
                let subscripted = self.slice(start, self.position).contains(&b'[');
                if subscripted {
                    self.shared.mark(crate::OpaqueKind::Construct, span);
                }
                self.bash_only(span);
                return Some(Prefix { digits: Vec::new(), variable: Some(Variable { name, span }) });
            }
        }
        self.position = start;
        None
    }

    fn redirect(&mut self, start: usize, prefix: Prefix) -> Parsed<Redirection> {
        let operator = self.redirect_operator()?;
        let input = operator.first() == Some(&b'<');
        // `0>&3` takes the input from descriptor 3: the direction is only the default's.
        let feeds_stdin = match prefix.digits.as_slice() {
            b"" => input && prefix.variable.is_none(),
            digits => digits.iter().all(|digit| *digit == b'0'),
        };
        if matches!(operator, b"&>" | b"&>>" | b"<<<") {
            let span = self.span_from(start);
            self.bash_only(span);
        }
        let (kind, target) = match operator {
            b"<<" | b"<<-" => {
                let index = self.announce_heredoc(operator.len() == 3)?;
                (RedirectKind::Heredoc, Target::Heredoc(index))
            }
            operator => {
                self.skip_blanks();
                let word = self.target(operator)?;
                (kind(operator, &word), Target::Word(word))
            }
        };
        Ok(Redirection {
            span: self.span_from(start),
            kind,
            target,
            descriptor: prefix.variable,
            feeds_stdin,
        })
    }

    fn target(&mut self, operator: &[u8]) -> Parsed<Lexeme> {
        let start = self.position;
        match self.redirect_prefix() {
            None => self.required_word(Mode::Argument),
            // `2>&1>file`: the descriptor ends where the next operator begins.
            Some(prefix) if operator.ends_with(b"&") && !prefix.digits.is_empty() => {
                let word = Word::literal(prefix.digits, self.span_from(start));
                Ok(Lexeme { word, ..Lexeme::default() })
            }
            // `< 2>x`: a descriptor is no file name.
            Some(_) => Err(self.unexpected()),
        }
    }

    /// The longest operator at the current position.
    fn redirect_operator(&mut self) -> Parsed<&'static [u8]> {
        // `&` only begins one.
        const OPERATORS: [&[u8]; 13] =
            [b"<", b"<<", b"<<<", b"<<-", b"<&", b"<>", b">", b">>", b">&", b">|", b"&", b"&>", b"&>>"];
        let mut operator: &[u8] = b"";
        while let Some(byte) = self.current() {
            let longer = OPERATORS.iter().find(|known| known.split_last() == Some((&byte, operator)));
            let Some(longer) = longer else { break };
            operator = longer;
            self.advance();
        }
        if matches!(operator, b"" | b"&") { Err(self.unexpected()) } else { Ok(operator) }
    }
}

fn kind(operator: &[u8], target: &Lexeme) -> RedirectKind {
    if operator != b"<<<" && target.is_pipe() {
        return RedirectKind::Duplicate;
    }
    match operator {
        b"<" => RedirectKind::Read,
        b"<>" => RedirectKind::ReadWrite,
        b">>" | b"&>>" => RedirectKind::Append,
        b"<<<" => RedirectKind::Heredoc,
        // `<&` never opens a file; `>&` does when its word is no descriptor.
        b"<&" => RedirectKind::Duplicate,
        b">&" if is_descriptor(target) => RedirectKind::Duplicate,
        _ => RedirectKind::Write,
    }
}

/// `1`, `-` or `3-`.
fn is_descriptor(word: &Lexeme) -> bool {
    let Some(text) = word.word.as_literal() else { return false };
    let number = text.strip_suffix(b"-").unwrap_or(&text);
    !text.is_empty() && number.iter().all(u8::is_ascii_digit)
}
