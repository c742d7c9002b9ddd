//! `[[ ... ]]`: an expression of its own, in which some operands are arithmetic.

use super::word::Mode;
use super::{Parser, code_in_text};
use crate::bounds::{Parsed, syntax};
use crate::syntax::{Code, Lexeme, Node};

/// Operators whose operands bash evaluates as arithmetic.
const ARITHMETIC: [&[u8]; 6] = [b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge"];

impl Parser<'_, '_> {
    /// The rest of a `[[`.
    pub(super) fn double_bracket(&mut self, start: usize) -> Parsed<Node> {
        let mut code = Vec::new();
        self.condition(&mut code)?;
        self.skip_newlines()?;
        self.expect_word(b"]]")?;
        let span = self.span_from(start);
        self.bash_only(span);
        Ok(Node::Evaluate(code))
    }

    /// Terms joined by `&&` and `||`.
    fn condition(&mut self, code: &mut Vec<Code>) -> Parsed<()> {
        loop {
            self.skip_newlines()?;
            self.term(code)?;
            self.skip_newlines()?;
            let (first, second) = (self.current(), self.following());
            match (first, second) {
                (Some(b'&'), Some(b'&')) | (Some(b'|'), Some(b'|')) => {
                    self.advance();
                    self.current();
                    self.advance();
                }
                _ => return Ok(()),
            }
        }
    }

    fn term(&mut self, code: &mut Vec<Code>) -> Parsed<()> {
        while self.eat_word(b"!") {
            self.skip_newlines()?;
        }
        if self.eat(b'(') {
            self.nested(|parser| parser.condition(code))?;
            self.skip_newlines()?;
            return self.expect(b')');
        }
        let mut left = self.operand_word(Mode::Value)?;
        self.skip_blanks();
        if let Some(operator) = left.plain_text().filter(|text| is_unary(text)).map(<[u8]>::to_vec)
            && self.at_word(Mode::Value)
            && !self.word_ahead().is_some_and(|ahead| ahead.text() == b"]]" || is_binary(ahead.text()))
        {
            let mut operand = self.operand_word(Mode::Value)?;
            if operator == b"-v" || operator == b"-R" {
                self.arithmetic_operand(&operand, code)?;
            }
            code.append(&mut operand.code);
            return Ok(());
        }
        self.comparison(&left, code)?;
        code.append(&mut left.code);
        Ok(())
    }

    /// A binary operator and its right side, if there is one.
    fn comparison(&mut self, left: &Lexeme, code: &mut Vec<Code>) -> Parsed<()> {
        if matches!(self.current(), Some(b'<' | b'>')) && self.following() != Some(b'(') {
            self.advance();
            self.skip_blanks();
            code.append(&mut self.operand_word(Mode::Value)?.code);
            return Ok(());
        }
        let Some(operator) = self.word_ahead().filter(|ahead| is_binary(ahead.text())) else {
            return Ok(());
        };
        for _ in 0..operator.text().len() {
            self.current();
            self.advance();
        }
        self.skip_blanks();
        let regex = operator.text() == b"=~";
        let mut right = self.operand_word(if regex { Mode::Regex } else { Mode::Value })?;
        if ARITHMETIC.contains(&operator.text()) {
            self.arithmetic_operand(left, code)?;
            self.arithmetic_operand(&right, code)?;
        }
        code.append(&mut right.code);
        Ok(())
    }

    fn operand_word(&mut self, mode: Mode) -> Parsed<Lexeme> {
        self.skip_blanks();
        let word = self.required_word(mode)?;
        if word.plain_text() == Some(b"]]") {
            return Err(syntax(word.word.span, "missing operand before `]]`"));
        }
        Ok(word)
    }

    /// Code in an operand that is evaluated, quoted or not.
    fn arithmetic_operand(&mut self, operand: &Lexeme, code: &mut Vec<Code>) -> Parsed<()> {
        let span = operand.word.span;
        for piece in &operand.word.pieces {
            if let crate::Piece::Literal(text) | crate::Piece::Glob(text) = piece
                && text.iter().any(|byte| matches!(byte, b'$' | b'`'))
            {
                code.append(&mut code_in_text(text, span, self.dialect, self.shared)?);
            }
        }
        code.push(Code::Arithmetic(span));
        Ok(())
    }
}

fn is_unary(text: &[u8]) -> bool {
    matches!(text, [b'-', letter] if b"abcdefghknoprstuvwxzGLNORS".contains(letter))
}

fn is_binary(text: &[u8]) -> bool {
    matches!(text, b"=" | b"==" | b"!=" | b"=~" | b"-nt" | b"-ot" | b"-ef") || ARITHMETIC.contains(&text)
}
