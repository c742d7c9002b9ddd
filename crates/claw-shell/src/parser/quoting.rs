//! Quotes: `'...'`, `"..."`, `$'...'` and `$"..."`.

use super::Parser;
use super::word::WordBuilder;
use crate::Text;
use crate::bounds::{Parsed, syntax};
use crate::script::Piece;

impl Parser<'_, '_> {
    pub(super) fn single_quotes(&mut self, word: &mut WordBuilder) -> Parsed<()> {
        word.quote();
        self.advance();
        let (start, end) = self.single_quoted()?;
        let text = self.text.get(start..end).unwrap_or_default();
        word.literal(text);
        word.quote();
        keep_empty(word);
        Ok(())
    }

    pub(super) fn double_quotes(&mut self, word: &mut WordBuilder) -> Parsed<()> {
        word.quote();
        self.advance();
        self.double_quoted(word)?;
        word.quote();
        keep_empty(word);
        Ok(())
    }

    /// The rest of a double-quoted string and its closing quote.
    pub(super) fn double_quoted(&mut self, word: &mut WordBuilder) -> Parsed<()> {
        let start = self.position;
        self.expandable(word, Some(b'"'))?;
        if self.eat(b'"') {
            return Ok(());
        }
        Err(syntax(self.span(start.saturating_sub(1), start), "unterminated double quote"))
    }

    /// Text in which only `\`, `$` and backquotes mean something, up to `close` or the end.
    pub(super) fn expandable(&mut self, word: &mut WordBuilder, close: Option<u8>) -> Parsed<()> {
        loop {
            let start = self.position;
            while let Some(byte) = self.byte(self.position) {
                if matches!(byte, b'\\' | b'$' | b'`') || Some(byte) == close {
                    break;
                }
                self.position += 1;
            }
            let run = self.text.get(start..self.position).unwrap_or_default();
            word.literal(run);
            match self.current() {
                None => return Ok(()),
                Some(b'\\') => self.escape_in_double_quotes(word, close),
                Some(b'$' | b'`') => self.expansion(word, true)?,
                Some(byte) if Some(byte) == close => return Ok(()),
                // A line continuation was passed: go on with what follows it.
                Some(_) => {}
            }
        }
    }

    fn escape_in_double_quotes(&mut self, word: &mut WordBuilder, close: Option<u8>) {
        self.advance();
        match self.byte(self.position) {
            Some(byte) if matches!(byte, b'$' | b'`' | b'\\') || Some(byte) == close => {
                word.literal(&[byte]);
                self.advance();
            }
            _ => word.literal(b"\\"),
        }
    }

    /// `$'...'`, from the opening quote on.
    pub(super) fn ansi_c_quotes(&mut self, word: &mut WordBuilder) -> Parsed<()> {
        let start = self.position;
        word.quote();
        self.advance();
        let mut text = Vec::new();
        // Bash drops what follows an escaped NUL.
        let mut ended = false;
        loop {
            let Some(byte) = self.byte(self.position) else {
                return Err(syntax(self.span(start, start + 1), "unterminated single quote"));
            };
            self.advance();
            match byte {
                b'\'' => break,
                b'\\' => {
                    let length = text.len();
                    ended |= self.ansi_c_escape(&mut text);
                    if ended {
                        text.truncate(length.min(text.len()));
                    }
                }
                byte if !ended => text.push(byte),
                _ => {}
            }
        }
        word.literal(&text);
        word.quote();
        keep_empty(word);
        Ok(())
    }

    /// One escape after its backslash. Returns whether it is a NUL.
    fn ansi_c_escape(&mut self, text: &mut Vec<u8>) -> bool {
        let Some(byte) = self.byte(self.position) else { return false };
        self.advance();
        let value = match byte {
            b'a' => 0x07,
            b'b' => 0x08,
            b'e' | b'E' => 0x1b,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'\\' | b'\'' | b'"' | b'?' => byte,
            b'0'..=b'7' => {
                self.position -= 1;
                match self.number(8, 3) {
                    Some(value) => value.to_le_bytes()[0],
                    None => return false,
                }
            }
            b'x' => return self.hexadecimal_byte(text),
            b'u' => return self.unicode(text, 4, byte),
            b'U' => return self.unicode(text, 8, byte),
            b'c' => return self.control(text),
            other => {
                text.extend_from_slice(&[b'\\', other]);
                return false;
            }
        };
        text.push(value);
        value == 0
    }

    fn hexadecimal_byte(&mut self, text: &mut Vec<u8>) -> bool {
        // `\x{...}` takes any number of digits.
        let braced = self.byte(self.position) == Some(b'{')
            && self.byte(self.position + 1).is_some_and(|byte| byte.is_ascii_hexdigit());
        if braced {
            self.advance();
        }
        let Some(value) = self.number(16, if braced { usize::MAX } else { 2 }) else {
            text.extend_from_slice(b"\\x");
            return false;
        };
        if braced && self.byte(self.position) == Some(b'}') {
            self.advance();
        }
        let [value, ..] = value.to_le_bytes();
        text.push(value);
        value == 0
    }

    fn unicode(&mut self, text: &mut Vec<u8>, digits: usize, letter: u8) -> bool {
        let Some(value) = self.number(16, digits) else {
            text.extend_from_slice(&[b'\\', letter]);
            return false;
        };
        if let Some(character) = char::from_u32(value) {
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            // Bash encodes what is no character all the same; no program has such a name.
            text.extend_from_slice("\u{fffd}".as_bytes());
        }
        value == 0
    }

    fn control(&mut self, text: &mut Vec<u8>) -> bool {
        let Some(byte) = self.byte(self.position) else { return false };
        self.advance();
        if byte == b'\\' && self.byte(self.position) == Some(b'\\') {
            self.advance();
        }
        let value = if byte == b'?' { 0x7f } else { byte.to_ascii_uppercase() & 0x1f };
        text.push(value);
        value == 0
    }

    fn number(&mut self, radix: u32, most: usize) -> Option<u32> {
        let (mut value, mut digits) = (0_u32, 0);
        while digits < most
            && let Some(digit) = self.byte(self.position).and_then(|byte| char::from(byte).to_digit(radix))
        {
            value = value.wrapping_mul(radix).wrapping_add(digit);
            digits += 1;
            self.advance();
        }
        (digits > 0).then_some(value)
    }
}

/// `''` alone is an argument: an empty piece makes sure that the word is not taken for nothing.
fn keep_empty(word: &mut WordBuilder) {
    if word.pieces.is_empty() {
        word.pieces.push(Piece::Literal(Text::new()));
    }
}
