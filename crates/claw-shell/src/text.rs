//! Short texts and short lists: nearly every word is one piece of a few letters, so both lie in the word itself.

use std::fmt;
use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;

use crate::script::Piece;

/// Bytes of a literal that need no allocation. As many as an allocated one's bookkeeping takes, padding included.
const SHORT: usize = 24;

/// Bytes of a word. Short ones need no allocation.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub struct Text(SmallVec<[u8; SHORT]>);

impl Text {
    /// No bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `more` at the end.
    pub fn extend_from_slice(&mut self, more: &[u8]) {
        self.0.extend_from_slice(more);
    }

    /// Keeps the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(SmallVec::from_vec(bytes))
    }
}

impl<const N: usize> From<[u8; N]> for Text {
    fn from(bytes: [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<const N: usize> From<&[u8; N]> for Text {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl PartialEq<[u8]> for Text {
    fn eq(&self, other: &[u8]) -> bool {
        *self.0 == *other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Text {
    fn eq(&self, other: &[u8; N]) -> bool {
        *self.0 == *other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Text {
    fn eq(&self, other: &&[u8; N]) -> bool {
        *self.0 == **other
    }
}

/// The pieces of a word. One needs no allocation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pieces(SmallVec<[Piece; 1]>);

impl Pieces {
    /// No pieces: the empty string.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `piece` at the end.
    pub fn push(&mut self, piece: Piece) {
        self.0.push(piece);
    }

    /// The pieces.
    #[must_use]
    pub fn as_slice(&self) -> &[Piece] {
        &self.0
    }
}

impl Deref for Pieces {
    type Target = [Piece];

    fn deref(&self) -> &[Piece] {
        &self.0
    }
}

impl DerefMut for Pieces {
    fn deref_mut(&mut self) -> &mut [Piece] {
        &mut self.0
    }
}

impl From<Piece> for Pieces {
    fn from(piece: Piece) -> Self {
        Self(SmallVec::from_buf([piece]))
    }
}

impl From<&[Piece]> for Pieces {
    fn from(pieces: &[Piece]) -> Self {
        pieces.iter().cloned().collect()
    }
}

impl FromIterator<Piece> for Pieces {
    fn from_iter<I: IntoIterator<Item = Piece>>(pieces: I) -> Self {
        Self(pieces.into_iter().collect())
    }
}

impl Extend<Piece> for Pieces {
    fn extend<I: IntoIterator<Item = Piece>>(&mut self, pieces: I) {
        self.0.extend(pieces);
    }
}

impl IntoIterator for Pieces {
    type Item = Piece;
    type IntoIter = smallvec::IntoIter<[Piece; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'p> IntoIterator for &'p Pieces {
    type Item = &'p Piece;
    type IntoIter = std::slice::Iter<'p, Piece>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'p> IntoIterator for &'p mut Pieces {
    type Item = &'p mut Piece;
    type IntoIter = std::slice::IterMut<'p, Piece>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}
