//! What changed since a checkpoint.
#![forbid(unsafe_code)]

use std::io::Read as _;
use std::path::PathBuf;

use super::compare::{Change, Comparison, Pair};
use super::digest::Digest;
use super::manifest::State;
use super::walk::Kind;
use super::{CheckpointError, Checkpoints};
use crate::files::unified;
use crate::{FileLimits, FileType};

/// Texts that are compared line by line: larger ones tell nobody anything.
const TEXT: u64 = 1 << 20;

/// One path that differs from a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// Canonical.
    pub path: PathBuf,
    /// What happened to it.
    pub kind: DifferenceKind,
    /// What was there, and its mode.
    pub before: Option<(FileType, u32)>,
    /// What is there, and its mode.
    pub after: Option<(FileType, u32)>,
    /// Where a link led.
    pub target_before: Option<PathBuf>,
    /// Where a link leads.
    pub target_after: Option<PathBuf>,
    content: Option<Digest>,
}

/// What happened to a path since a checkpoint.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// It was made.
    Added,
    /// It went away.
    Removed,
    /// It has other bytes, leads elsewhere, or is another kind of thing.
    Changed,
    /// It has other permissions.
    Mode,
    /// It cannot be looked at any more.
    Unreadable,
}

impl DifferenceKind {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Mode => "mode",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Checkpoints {
    /// What changed since a checkpoint, in the order of the paths. What is not kept is not compared.
    ///
    /// # Errors
    ///
    /// When there is no such checkpoint, or a tree cannot be read.
    pub fn diff(&self, id: u64) -> Result<Vec<Difference>, CheckpointError> {
        let mut comparison = Comparison::new(self, self.store.manifest(id)?)?;
        let mut differences = Vec::new();
        while let Some(pair) = comparison.next()? {
            let Some(root) = comparison.roots().get(pair.root) else { continue };
            let path = if pair.path.as_os_str().is_empty() { root.clone() } else { root.join(&pair.path) };
            differences.extend(difference(path, pair));
        }
        Ok(differences)
    }

    /// A unified diff of a text file that was added, removed or changed, as far as the policy lets contents be seen. `None` for
    /// what is no text, is larger than a megabyte, or holds a credential that is not shown (`secrets: deny`).
    ///
    /// # Errors
    ///
    /// When the kept content is damaged.
    pub fn text(&self, difference: &Difference) -> Result<Option<String>, CheckpointError> {
        let is_file = |side: Option<(FileType, u32)>| side.is_some_and(|(kind, _)| kind == FileType::File);
        if !is_file(difference.before) && !is_file(difference.after) {
            return Ok(None);
        }
        let files = self.sandbox.files().limits(FileLimits { bytes: TEXT, ..FileLimits::default() });
        let before = match difference.content {
            Some(digest) => files.shown(&difference.path, self.kept(digest)?).ok(),
            None => Some(Vec::new()),
        };
        let after =
            if is_file(difference.after) { files.read(&difference.path).ok() } else { Some(Vec::new()) };
        let (Some(before), Some(after)) = (before, after) else { return Ok(None) };
        let is_text = |content: &[u8]| content.len() as u64 <= TEXT && !content.contains(&0);
        if before == after || !is_text(&before) || !is_text(&after) {
            return Ok(None);
        }
        Ok(Some(unified(&difference.path, &before, &after)))
    }

    /// The beginning of a kept content: enough to see that it is too large.
    fn kept(&self, digest: Digest) -> Result<Vec<u8>, CheckpointError> {
        let mut content = Vec::new();
        let read = self.store.object(digest)?.take(TEXT + 1).read_to_end(&mut content);
        let path = self.store.object_path(digest);
        read.map_err(|error| CheckpointError::io("read a kept content", &path, error))?;
        Ok(content)
    }
}

fn difference(path: PathBuf, pair: Pair) -> Option<Difference> {
    let kind = match pair.change {
        Change::None => return None,
        Change::Added => DifferenceKind::Added,
        Change::Removed => DifferenceKind::Removed,
        Change::Content => DifferenceKind::Changed,
        Change::Mode => DifferenceKind::Mode,
        Change::Unknown(_) => DifferenceKind::Unreadable,
    };
    let (mut before, mut target_before, mut content) = (None, None, None);
    match pair.then {
        Some(State::File { hash, mode, .. }) => {
            (before, content) = (Some((FileType::File, mode)), Some(hash))
        }
        Some(State::Directory { mode }) => before = Some((FileType::Directory, mode)),
        Some(State::Link { target }) => {
            (before, target_before) = (Some((FileType::Link, 0o777)), Some(target.path()));
        }
        Some(State::Left { .. }) | None => {}
    }
    let (mut after, mut target_after) = (None, None);
    if let Some(found) = pair.now {
        let mode = found.status.st_mode & 0o7777;
        let kind = match found.kind {
            Kind::File => FileType::File,
            Kind::Directory => FileType::Directory,
            Kind::Link(target) => {
                target_after = Some(target);
                FileType::Link
            }
            Kind::Special => FileType::Special,
            Kind::Left(_) => crate::files::type_of(&found.status),
        };
        after = Some((kind, mode));
    }
    Some(Difference { path, kind, before, after, target_before, target_after, content })
}
