//! Commands as people read them.

use crate::script::{Command, Piece, Word};

impl Command {
    /// The arguments as bytes to show: the value where the text tells it, else the source text.
    /// `text` is what was parsed (for an argument vector: its words joined by spaces).
    #[must_use]
    pub fn argv_for_display(&self, text: &[u8]) -> Vec<Vec<u8>> {
        self.words.iter().map(|word| self.word_for_display(word, text)).collect()
    }

    fn word_for_display(&self, word: &Word, text: &[u8]) -> Vec<u8> {
        if let Some(literal) = word.as_literal() {
            return literal.into_owned();
        }
        // In a text that was read again, every span is that of the word which holds the text.
        let source = text.get(word.span.start..word.span.end).unwrap_or_default();
        if word.span != self.span && !source.is_empty() && is_one_word(word, source) {
            return source.to_vec();
        }
        word.pieces.iter().flat_map(piece_for_display).collect()
    }
}

// A word of brace expansion has the span of the whole braces.
fn is_one_word(word: &Word, source: &[u8]) -> bool {
    let dynamic = |piece: &Piece| matches!(piece, Piece::Number | Piece::Dynamic { .. });
    word.pieces.iter().any(dynamic) || !source.contains(&b'{') || source.contains(&b'$')
}

fn piece_for_display(piece: &Piece) -> Vec<u8> {
    match piece {
        Piece::Literal(text) | Piece::Glob(text) => text.to_vec(),
        Piece::Tilde(name) => [b"~", name.as_slice()].concat(),
        Piece::Param { name, .. } => [b"${", name.as_slice(), b"}"].concat(),
        Piece::Number | Piece::Dynamic { .. } => b"$(...)".to_vec(),
    }
}
