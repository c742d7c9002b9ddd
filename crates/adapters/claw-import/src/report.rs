//! What became of each key.

use std::fmt;

use crate::cursor::Cursor;

/// What became of a key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fate {
    /// The policy says the same.
    Mapped,
    /// The policy permits less.
    Narrowed,
    /// A policy cannot say it; it is left out.
    Inexpressible,
    /// A key that is not known; it is left out.
    Unknown,
}

impl Fate {
    /// The stable name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::Narrowed => "narrowed",
            Self::Inexpressible => "cannot be expressed",
            Self::Unknown => "unknown",
        }
    }
}

/// Where a key stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The name of the text.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// What became of one key.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The key, dotted.
    pub key: String,
    /// Where it stands; `None` for what is not written and has a meaning all the same.
    pub place: Option<Place>,
    /// What became of it.
    pub fate: Fate,
    /// Why, in one line. Empty when there is nothing to add.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { file, line, column }) = &self.place {
            write!(f, "{file}:{line}:{column}: ")?;
        }
        write!(f, "{}: {}", self.fate.name(), self.key)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

/// The findings so far.
#[derive(Debug, Default)]
pub(crate) struct Report(pub(crate) Vec<Finding>);

impl Report {
    pub(crate) fn mapped(&mut self, at: &Cursor<'_>, message: impl Into<String>) {
        self.say(Fate::Mapped, at, message);
    }

    pub(crate) fn narrowed(&mut self, at: &Cursor<'_>, message: impl Into<String>) {
        self.say(Fate::Narrowed, at, message);
    }

    pub(crate) fn lost(&mut self, at: &Cursor<'_>, message: impl Into<String>) {
        self.say(Fate::Inexpressible, at, message);
    }

    pub(crate) fn unknown(&mut self, at: &Cursor<'_>) {
        self.say(Fate::Unknown, at, "this key is not known to the import; it is left out");
    }

    /// About a key that is not written.
    pub(crate) fn unstated(&mut self, key: &str, fate: Fate, message: &str) {
        self.0.push(Finding { key: key.to_owned(), place: None, fate, message: message.to_owned() });
    }

    pub(crate) fn say(&mut self, fate: Fate, at: &Cursor<'_>, message: impl Into<String>) {
        let (key, place) = (at.key.clone(), Some(at.place()));
        self.0.push(Finding { key, place, fate, message: message.into() });
    }

    /// In the order of the texts.
    pub(crate) fn sorted(mut self) -> Vec<Finding> {
        let order = |finding: &Finding| (finding.place.is_none(), finding.place.clone());
        self.0.sort_by_cached_key(order);
        self.0
    }
}
