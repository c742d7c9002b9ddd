//! What can be done to a file.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is done to a file.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FileAction {
    /// Read its content.
    Read,
    /// Change its content, creating it if it is missing; follows a last link.
    Write,
    /// Create it; it must be new. Does not follow a last link.
    Create,
    /// Remove it, or with `recursive` the whole tree; acts on the link itself.
    Delete,
    /// Move it to `to`; acts on the link itself.
    Rename,
    /// List a directory.
    List,
    /// Make a directory.
    Mkdir,
    /// Make a symbolic link at `path`.
    Symlink,
    /// Make a hard link at `to` to the file at `path`.
    Hardlink,
    /// Change mode, owner, times or extended attributes.
    Chmod,
    /// Run it.
    Execute,
    /// Look at its metadata.
    Stat,
}

impl FileAction {
    /// Every action.
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Write,
        Self::Create,
        Self::Delete,
        Self::Rename,
        Self::List,
        Self::Mkdir,
        Self::Symlink,
        Self::Hardlink,
        Self::Chmod,
        Self::Execute,
        Self::Stat,
    ];

    /// The stable name used in requests and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::List => "list",
            Self::Mkdir => "mkdir",
            Self::Symlink => "symlink",
            Self::Hardlink => "hardlink",
            Self::Chmod => "chmod",
            Self::Execute => "execute",
            Self::Stat => "stat",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

impl Serialize for FileAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for FileAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::of_name(&name).ok_or_else(|| D::Error::custom(unknown_action(&name)))
    }
}

/// What to say about an action that does not exist.
#[must_use]
pub fn unknown_action(name: &str) -> String {
    let known: Vec<&str> = FileAction::ALL.iter().map(|action| action.name()).collect();
    format!("unknown file action `{name}`; want one of {}", known.join(", "))
}
