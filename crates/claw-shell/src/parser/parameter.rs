//! `${...}`: parameter expansions with their operators, and the command forms `${ ...; }`.

use super::cursor::is_name;
use super::word::WordBuilder;
use super::{Parser, code_in_text};
use crate::bounds::{Parsed, syntax};
use crate::script::{Dialect, OpaqueKind, Piece};
use crate::syntax::{Code, Variable};

impl Parser<'_, '_> {
    /// The rest of a `${`, whose `$` stands at `start`.
    pub(super) fn parameter(&mut self, word: &mut WordBuilder, start: usize, quoted: bool) -> Parsed<()> {
        self.advance();
        match self.current() {
            Some(b' ' | b'\t' | b'\n' | b'|') => return self.function_substitution(word, start, quoted),
            // Left open by bash for later: `${(...}` of zsh runs code.
            Some(b'(') => {
                let span = self.span_from(start);
                self.shared.mark(OpaqueKind::Construct, span);
            }
            _ => {}
        }
        let indirect = self.current() == Some(b'!') && self.following().is_some_and(is_parameter);
        let length = self.current() == Some(b'#')
            && self.following().is_some_and(|next| next != b'}' && is_parameter(next));
        if indirect || length {
            self.advance();
        }
        let name = self.parameter_name();
        if self.current() == Some(b'}') && !indirect && !length && !name.is_empty() {
            self.advance();
            word.piece(Piece::Param { name: name.into(), quoted });
            return Ok(());
        }
        let mut code = Vec::new();
        let subscripted = self.current() == Some(b'[');
        if subscripted {
            self.subscript(&mut code, start)?;
        }
        if indirect && !subscripted && !matches!(self.current(), Some(b'*' | b'@')) {
            // The value of the variable is taken for a parameter and may hold a subscript with code.
            let span = self.span_from(start);
            self.shared.mark(OpaqueKind::DynamicCode, span);
        }
        self.operator(&name, &mut code, start, quoted)?;
        word.code.append(&mut code);
        word.dynamic(quoted);
        Ok(())
    }

    fn parameter_name(&mut self) -> Vec<u8> {
        let name = self.name();
        if !name.is_empty() {
            return name;
        }
        match self.current() {
            Some(byte) if is_parameter(byte) => {
                self.advance();
                vec![byte]
            }
            _ => name,
        }
    }

    fn subscript(&mut self, code: &mut Vec<Code>, start: usize) -> Parsed<()> {
        self.advance();
        self.arithmetic_in_braces(code, b'[', b']')?;
        self.expect(b']')?;
        let span = self.span_from(start);
        self.bash_only(span);
        Ok(())
    }

    /// The operator and its operand, up to and past the closing brace.
    fn operator(&mut self, name: &[u8], code: &mut Vec<Code>, start: usize, quoted: bool) -> Parsed<()> {
        let (operator, second) = (self.current(), self.following());
        match operator {
            Some(b'@') if second == Some(b'P') => {
                let span = self.span_from(start);
                self.shared.mark(OpaqueKind::DynamicCode, span);
            }
            Some(b':') if !matches!(second, Some(b'-' | b'=' | b'?' | b'+')) => {
                let span = self.span_from(start);
                self.bash_only(span);
                self.advance();
                self.arithmetic_in_braces(code, b'}', b'}')?;
                return self.close_parameter(start);
            }
            Some(b'/' | b'^' | b',' | b'@') => {
                let span = self.span_from(start);
                self.bash_only(span);
            }
            _ => {}
        }
        if operator == Some(b'=') || (operator == Some(b':') && second == Some(b'=')) {
            code.push(Code::Assign(Variable { name: name.to_vec(), span: self.span_from(start) }));
        }
        self.nested(|parser| parser.operand(code, start, quoted))?;
        self.close_parameter(start)
    }

    fn close_parameter(&mut self, start: usize) -> Parsed<()> {
        if self.eat(b'}') {
            return Ok(());
        }
        Err(syntax(self.span(start, start + 2), "unterminated parameter expansion"))
    }

    /// Everything up to the first `}` that is neither quoted nor part of another expansion.
    fn operand(&mut self, code: &mut Vec<Code>, start: usize, quoted: bool) -> Parsed<()> {
        let mut word = WordBuilder::default();
        loop {
            match self.current() {
                None | Some(b'}') => break,
                Some(b'\\') => self.position = (self.position + 2).min(self.end),
                Some(b'"') => {
                    self.advance();
                    self.nested(|parser| parser.double_quoted(&mut word))?;
                }
                Some(b'\'') => self.single_quotes_in_operand(&mut word, quoted)?,
                Some(b'$') if self.following() == Some(b'\'') => {
                    self.advance();
                    self.advance();
                    self.position -= 1;
                    self.ansi_c_in_operand(&mut word, quoted)?;
                }
                Some(b'$' | b'`') => self.expansion(&mut word, quoted)?,
                Some(b'<' | b'>') if !quoted && self.following() == Some(b'(') => {
                    // It runs, but bash looks for the `}` as if it were text.
                    let span = self.span_from(start);
                    self.shared.mark(OpaqueKind::Construct, span);
                    self.advance();
                }
                Some(_) => self.advance(),
            }
        }
        code.append(&mut word.code);
        Ok(())
    }

    // Inside double quotes, single quotes hide a `}` from the search for the end, but not the code
    // between them from being run.
    fn single_quotes_in_operand(&mut self, word: &mut WordBuilder, quoted: bool) -> Parsed<()> {
        self.advance();
        if quoted && self.dialect == Dialect::Posix {
            let here = self.here();
            self.shared.mark(OpaqueKind::Dialect, here);
        }
        let (start, end) = self.single_quoted()?;
        if quoted {
            let (_, mut code) = self.within(start, end, Self::expandable_text)?;
            word.code.append(&mut code);
        }
        Ok(())
    }

    // Inside double quotes the decoded text is expanded once more.
    fn ansi_c_in_operand(&mut self, word: &mut WordBuilder, quoted: bool) -> Parsed<()> {
        let start = self.position;
        let mut decoded = WordBuilder::default();
        self.ansi_c_quotes(&mut decoded)?;
        let span = self.span_from(start);
        for piece in decoded.pieces {
            if let Piece::Literal(text) = piece
                && quoted
            {
                word.code.append(&mut code_in_text(&text, span, self.dialect, self.shared)?);
            }
        }
        Ok(())
    }

    /// `${ list; }` and `${| list; }` of bash 5.3: run in the shell itself.
    fn function_substitution(&mut self, word: &mut WordBuilder, start: usize, quoted: bool) -> Parsed<()> {
        self.eat(b'|');
        let pending = self.pending.len();
        let list = self.nested(Self::list)?;
        self.no_pending_heredocs(pending)?;
        self.expect_word_start(b'}')?;
        let span = self.span_from(start);
        self.bash_only(span);
        word.code.push(Code::Inline(list));
        word.dynamic(quoted);
        Ok(())
    }

    fn expect_word_start(&mut self, byte: u8) -> Parsed<()> {
        self.skip_blanks();
        self.expect(byte)
    }
}

fn is_parameter(byte: u8) -> bool {
    is_name(byte) || matches!(byte, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')
}
