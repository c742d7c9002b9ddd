//! Variables that builtins set: `export`, `declare`, `read`, `unset`.

use super::{Call, Collector};
use crate::Pieces;
use crate::bounds::Parsed;
use crate::parser::is_identifier;
use crate::script::{Assignment, Builtin, OpaqueKind, Piece, Span, Word};
use crate::sensitive;

impl Collector {
    /// `export`, `declare`, `typeset`, `local` and `readonly`.
    pub(super) fn declare(&mut self, name: &[u8], call: &Call<'_>) -> Parsed<Builtin> {
        let mut letters = Vec::new();
        let mut operands = call.arguments().iter().peekable();
        while let Some(text) = operands.peek().and_then(|word| word.as_literal()) {
            let (Some((b'-' | b'+', more)), false) = (text.split_first(), &*text == b"--") else { break };
            letters.extend_from_slice(more);
            operands.next();
        }
        let exported = name == b"export" || letters.contains(&b'x');
        self.shell.integers |= letters.contains(&b'i');
        let mut class = Builtin::Harmless;
        if letters.contains(&b'n') && name != b"export" {
            // A reference: later uses of the name reach another variable.
            self.mark(OpaqueKind::Construct, call.span);
            class = Builtin::Opaque;
        }
        if letters.contains(&b'f') || letters.contains(&b'F') {
            return Ok(class);
        }
        for word in operands {
            let evaluated = self.declare_one(word, exported, letters.contains(&b'i'))?;
            if evaluated == Builtin::Opaque {
                class = evaluated;
            }
        }
        Ok(class)
    }

    fn declare_one(&mut self, word: &Word, exported: bool, integer: bool) -> Parsed<Builtin> {
        let (name, value) = match split_assignment(word) {
            Some(split) => split,
            None if word.as_literal().is_some() => (word.literal_prefix().into_owned(), None),
            None => {
                // `export "$x"` may set anything.
                self.mark(OpaqueKind::Construct, word.span);
                return Ok(Builtin::Opaque);
            }
        };
        // A quoted array value is expanded once more, and so are subscripts and integers.
        let array = value.as_ref().is_some_and(|value| value.literal_prefix().starts_with(b"("));
        if array || integer || name.contains(&b'[') {
            self.evaluate_arithmetic(word)?;
        }
        if integer {
            self.note_arithmetic(word.span);
        }
        let plain = self.variable_name(&name, word.span)?;
        let reaches = exported || self.shell.exports_all || sensitive::is_sensitive(&plain);
        if exported {
            self.exported.insert(plain.clone());
        }
        if value.is_some() {
            self.assign(Assignment { span: word.span, name: plain, value, exported: reaches });
        }
        Ok(Builtin::Harmless)
    }

    /// Sets or, without a value, unsets a variable by its name, which may have a subscript.
    pub(super) fn set_variable(&mut self, name: &[u8], span: Span, value: Option<Word>) -> Parsed<()> {
        let plain = self.variable_name(name, span)?;
        if sensitive::is_notable(&plain) || self.shell.exports_all {
            let exported = self.shell.exports_all || sensitive::is_sensitive(&plain);
            self.assign(Assignment { span, name: plain, value, exported });
        }
        Ok(())
    }

    /// The name without its subscript; the code in the subscript is listed.
    fn variable_name(&mut self, name: &[u8], span: Span) -> Parsed<Vec<u8>> {
        let end = name
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
            .unwrap_or(name.len());
        let (plain, subscript) = name.split_at(end);
        if !subscript.is_empty() {
            self.evaluate_arithmetic(&Word::literal(subscript, span))?;
            self.note_arithmetic(span);
        }
        Ok(plain.to_vec())
    }

    pub(super) fn forget_function(&mut self, name: &[u8]) {
        self.shell.functions.remove(name);
    }
}

/// `NAME=value`, `NAME+=value` or `NAME[i]=value` in one word. What is appended is not known.
fn split_assignment(word: &Word) -> Option<(Vec<u8>, Option<Word>)> {
    let mut name = Vec::new();
    for (index, piece) in word.pieces.iter().enumerate() {
        let (Piece::Literal(text) | Piece::Glob(text)) = piece else { return None };
        let Some(equals) = text.iter().position(|byte| *byte == b'=') else {
            name.extend_from_slice(text);
            continue;
        };
        let (before, after) = text.split_at(equals);
        name.extend_from_slice(before);
        let mut pieces = Pieces::new();
        let after = after.get(1..).unwrap_or_default();
        if !after.is_empty() {
            pieces.push(Piece::Literal(after.into()));
        }
        pieces.extend(word.pieces.iter().skip(index + 1).cloned());
        if !is_identifier(&name) {
            pieces = Piece::Dynamic { quoted: true }.into();
        }
        return Some((name, Some(Word { span: word.span, pieces })));
    }
    None
}
