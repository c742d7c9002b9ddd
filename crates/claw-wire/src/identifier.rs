//! Names that a host gives to people, chats, sessions and calls.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most bytes of a name. The longest that was seen is a session key of 110 bytes.
pub const MAX_IDENTIFIER: usize = 256;

/// A name that a host gives to something: opaque, compared byte by byte, never a path.
///
/// It is not empty, not longer than [`MAX_IDENTIFIER`] and has no control characters, so that it can be shown and logged.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier(String);

/// A text that is no [`Identifier`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidIdentifier;

impl fmt::Display for InvalidIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name has 1 to {MAX_IDENTIFIER} bytes and no control characters")
    }
}

impl std::error::Error for InvalidIdentifier {}

impl Identifier {
    /// The name.
    ///
    /// # Errors
    ///
    /// When it is empty, too long or holds a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidIdentifier> {
        let text = text.into();
        let is_valid = (1..=MAX_IDENTIFIER).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_valid { Ok(Self(text)) } else { Err(InvalidIdentifier) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Identifier {
    type Error = InvalidIdentifier;

    fn try_from(text: String) -> Result<Self, InvalidIdentifier> {
        Self::new(text)
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.0
    }
}

impl std::str::FromStr for Identifier {
    type Err = InvalidIdentifier;

    fn from_str(text: &str) -> Result<Self, InvalidIdentifier> {
        Self::new(text)
    }
}

impl AsRef<str> for Identifier {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_can_be_shown() {
        for good in ["a", "telegram:main:42", "agent:x:main", "ä b", &"x".repeat(MAX_IDENTIFIER)] {
            assert_eq!(Identifier::new(good).unwrap().as_str(), good);
        }
        for wrong in ["", "a\nb", "\u{1b}[2J", "a\0", "\u{85}", &"x".repeat(MAX_IDENTIFIER + 1)] {
            assert_eq!(Identifier::new(wrong), Err(InvalidIdentifier), "{wrong:?}");
            let json = serde_json::to_string(wrong).unwrap();
            assert!(serde_json::from_str::<Identifier>(&json).is_err(), "{wrong:?}");
        }
    }
}
