//! What begins with `$`, and backquotes.

use super::cursor::{is_name, is_name_start};
use super::word::WordBuilder;
use super::{Parser, parse_again};
use crate::bounds::{Parsed, syntax};
use crate::script::{OpaqueKind, Piece};
use crate::syntax::{Code, Item, List, Node, Pipeline, Simple, Stage};

/// The program of coreutils whose output is one number, whatever its environment says.
pub(crate) const NUMBER: &[u8] = b"nproc";

impl Parser<'_, '_> {
    /// The expansion at the current `$` or backquote. A `$` that expands nothing is a literal.
    pub(super) fn expansion(&mut self, word: &mut WordBuilder, quoted: bool) -> Parsed<()> {
        let start = self.position;
        if self.eat(b'`') {
            let list = self.backquotes(start, quoted)?;
            word.code.push(Code::Subshell(list));
            word.dynamic(quoted);
            return Ok(());
        }
        self.advance();
        match self.current() {
            Some(b'(') => self.dollar_parenthesis(word, quoted),
            Some(b'{') => self.parameter(word, start, quoted),
            Some(b'[') => self.bracket_arithmetic(word, start, quoted),
            Some(b'\'') if !quoted => {
                let span = self.span_from(start);
                self.bash_only(span);
                self.ansi_c_quotes(word)
            }
            Some(b'"') if !quoted => {
                let span = self.span_from(start);
                self.bash_only(span);
                self.translated_quotes(word)
            }
            Some(byte) if is_name_start(byte) => {
                let name = self.name();
                word.piece(Piece::Param { name: name.into(), quoted });
                Ok(())
            }
            Some(byte @ (b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')) => {
                self.advance();
                word.piece(Piece::Param { name: [byte].into(), quoted });
                Ok(())
            }
            _ => {
                word.literal(b"$");
                Ok(())
            }
        }
    }

    /// The name at the current position; empty when there is none.
    pub(super) fn name(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        while let Some(byte) = self.current().filter(|byte| is_name(*byte)) {
            name.push(byte);
            self.advance();
        }
        name
    }

    /// `$((...))` or `$(...)`. Like bash, it is arithmetic only when both parentheses close together.
    fn dollar_parenthesis(&mut self, word: &mut WordBuilder, quoted: bool) -> Parsed<()> {
        if self.following() == Some(b'(')
            && let Some(mut code) = self.try_arithmetic(2)?
        {
            word.code.append(&mut code);
            word.dynamic(quoted);
            return Ok(());
        }
        self.advance();
        let start = self.position;
        let list = self.substitution()?;
        if is_number(&list) {
            let span = self.span_from(start);
            self.shared.number = self.shared.number.or(Some(span));
            word.piece(Piece::Number);
        } else {
            word.dynamic(quoted);
        }
        word.code.push(Code::Subshell(list));
        Ok(())
    }

    /// The old `$[ ... ]`.
    fn bracket_arithmetic(&mut self, word: &mut WordBuilder, start: usize, quoted: bool) -> Parsed<()> {
        self.advance();
        let mut code = Vec::new();
        self.nested(|parser| parser.arithmetic(&mut code, b'[', b']'))?;
        self.expect(b']')?;
        let span = self.span_from(start);
        self.bash_only(span);
        word.code.append(&mut code);
        word.dynamic(quoted);
        Ok(())
    }

    /// `$"..."`: a message catalogue may replace the text.
    fn translated_quotes(&mut self, word: &mut WordBuilder) -> Parsed<()> {
        let mut text = WordBuilder::default();
        self.double_quotes(&mut text)?;
        word.quoted = true;
        word.code.append(&mut text.code);
        word.dynamic(true);
        Ok(())
    }

    /// The rest of a backquoted command. Escaped backquotes and dollars make it a text of its own.
    fn backquotes(&mut self, start: usize, quoted: bool) -> Parsed<List> {
        let (body, mut escaped) = (self.position, false);
        loop {
            match self.byte(self.position) {
                None => return Err(syntax(self.span(start, start + 1), "unterminated backquote")),
                Some(b'`') => break,
                Some(b'\\') => {
                    escaped |= self.byte(self.position + 1).is_some_and(|byte| unescapes(byte, quoted));
                    self.position += 2;
                }
                Some(_) => self.advance(),
            }
        }
        let end = self.position;
        self.advance();
        let span = self.span_from(start);
        self.shared.bounds.charge(end - body, span)?;
        if escaped {
            let text = unescape(self.slice(body, end), quoted);
            return parse_again(&text, span, self.dialect, self.shared);
        }
        let moves = self.moves;
        let pending = std::mem::take(&mut self.pending);
        let list = self.within(body, end, |parser| parser.nested(Self::program));
        self.pending = pending;
        self.moves = moves;
        let list = list?;
        if !self.pending.is_empty() && self.slice(body, end).contains(&b'\n') {
            self.shared.mark(OpaqueKind::Construct, span);
        }
        Ok(list)
    }
}

/// Whether the list is one program without arguments that prints nothing but a number.
fn is_number(list: &List) -> bool {
    let [Item { pipeline: Pipeline { negated: false, stages }, .. }] = list.items.as_slice() else {
        return false;
    };
    let [Stage { node: Node::Simple(Simple { assignments, words }), redirects, .. }] = stages.as_slice()
    else {
        return false;
    };
    assignments.is_empty()
        && redirects.is_empty()
        && matches!(words.as_slice(), [name] if name.plain_text() == Some(NUMBER))
}

fn unescapes(byte: u8, quoted: bool) -> bool {
    matches!(byte, b'$' | b'`' | b'\\') || (quoted && byte == b'"')
}

fn unescape(text: &[u8], quoted: bool) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            Some(next) if byte == b'\\' && unescapes(*next, quoted) => {
                plain.push(*next);
                bytes.next();
            }
            _ => plain.push(byte),
        }
    }
    plain
}
