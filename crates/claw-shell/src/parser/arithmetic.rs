//! Arithmetic, subscripts and other text that bash reads like a double-quoted string: only the
//! code in it matters here.

use super::Parser;
use super::cursor::{is_name, is_name_start};
use super::word::WordBuilder;
use crate::bounds::{Parsed, syntax};
use crate::script::Word;
use crate::sensitive;
use crate::syntax::{Code, Variable};

impl Parser<'_, '_> {
    /// Reads up to, not past, the `close` that is not paired with an `open` inside.
    pub(super) fn arithmetic(&mut self, code: &mut Vec<Code>, open: u8, close: u8) -> Parsed<()> {
        let (start, mut level) = (self.position, 0_usize);
        let mut reads_variables = false;
        loop {
            match self.current() {
                None => return Err(syntax(self.span_from(start), "unterminated arithmetic expression")),
                Some(byte) if byte == close && level == 0 => break,
                // Inside `${` bash ends the expansion at the first `}`, whatever bracket is open.
                Some(b'}') if self.in_braces => {
                    return Err(syntax(self.here(), "`}` in a subscript"));
                }
                Some(byte) if byte == close => {
                    level -= 1;
                    self.advance();
                }
                Some(byte) if byte == open => {
                    level += 1;
                    self.advance();
                }
                Some(byte) if is_name_start(byte) => {
                    reads_variables = true;
                    self.arithmetic_name(code);
                }
                // `0x1f` and `16#ff` are numbers, not names.
                Some(b'0'..=b'9') => {
                    while self.current().is_some_and(|byte| is_name(byte) || byte == b'#') {
                        self.advance();
                    }
                }
                Some(byte) => reads_variables |= self.text_item(byte, code)?,
            }
        }
        if reads_variables {
            code.push(Code::Arithmetic(self.span_from(start)));
        }
        Ok(())
    }

    fn arithmetic_name(&mut self, code: &mut Vec<Code>) {
        let (start, mut name) = (self.position, Vec::new());
        while let Some(byte) = self.current().filter(|byte| is_name(*byte)) {
            name.push(byte);
            self.advance();
        }
        // Whether it is read or assigned is not told apart: programs do not calculate with PATH.
        if sensitive::is_notable(&name) {
            code.push(Code::Assign(Variable { name, span: self.span_from(start) }));
        }
    }

    /// [`Parser::arithmetic`] between the braces of a parameter expansion.
    pub(super) fn arithmetic_in_braces(&mut self, code: &mut Vec<Code>, open: u8, close: u8) -> Parsed<()> {
        let outer = std::mem::replace(&mut self.in_braces, true);
        let result = self.nested(|parser| parser.arithmetic(code, open, close));
        self.in_braces = outer;
        result
    }

    /// One character or expansion. Returns whether a parameter is read.
    fn text_item(&mut self, byte: u8, code: &mut Vec<Code>) -> Parsed<bool> {
        let in_braces = std::mem::take(&mut self.in_braces);
        let result = self.text_item_outside_braces(byte, code);
        self.in_braces = in_braces;
        result
    }

    fn text_item_outside_braces(&mut self, byte: u8, code: &mut Vec<Code>) -> Parsed<bool> {
        match byte {
            b'\\' => {
                self.position = (self.position + 2).min(self.end);
                Ok(false)
            }
            // Single quotes pair up, but what they hold is evaluated nevertheless.
            b'\'' => {
                self.advance();
                let (start, end) = self.single_quoted()?;
                code.extend(self.within(start, end, Self::expandable_text)?.1);
                Ok(false)
            }
            b'"' => {
                self.advance();
                let mut word = WordBuilder::default();
                self.nested(|parser| parser.double_quoted(&mut word))?;
                code.append(&mut word.code);
                Ok(true)
            }
            b'$' | b'`' => {
                let mut word = WordBuilder::default();
                self.expansion(&mut word, true)?;
                code.append(&mut word.code);
                Ok(true)
            }
            _ => {
                self.advance();
                Ok(false)
            }
        }
    }

    /// Everything up to the end as a double-quoted string in which `"` is an ordinary character.
    pub(super) fn expandable_text(&mut self) -> Parsed<(Word, Vec<Code>)> {
        let start = self.position;
        let mut word = WordBuilder::default();
        self.expandable(&mut word, None)?;
        let span = self.span_from(start);
        Ok((Word { span, pieces: word.pieces }, word.code))
    }
}
