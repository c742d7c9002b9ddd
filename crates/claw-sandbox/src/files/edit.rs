//! Editing: exact pieces of text are replaced, all of them or none.
#![forbid(unsafe_code)]

use std::path::Path;

use claw_policy::FileAction;
use nix::fcntl::OFlag;

use super::diff::unified;
use super::write::{WriteMode, replace_unchanged};
use super::{Change, Failed, FileError, FileErrorKind, Files};

/// A piece of text, and what takes its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replacement {
    /// The text, exactly as it stands in the file. Where the file's lines end with CR LF, LF here means that.
    pub old: Vec<u8>,
    /// What takes its place.
    pub new: Vec<u8>,
    /// Whether every occurrence is meant; otherwise there must be exactly one.
    pub all: bool,
}

impl Replacement {
    /// One occurrence of `old`, which must be the only one, becomes `new`.
    #[must_use]
    pub fn one(old: impl Into<Vec<u8>>, new: impl Into<Vec<u8>>) -> Self {
        Self { old: old.into(), new: new.into(), all: false }
    }
}

/// What an edit did.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Edited {
    /// The change as a unified diff; bytes that are not UTF-8 are shown as U+FFFD. One line says that the files differ where
    /// the change takes more than eight megabytes, or a quarter of a million lines.
    pub diff: String,
    /// How many pieces were replaced.
    pub replaced: usize,
}

impl Files {
    /// Replaces pieces of a regular file, in order, each in what the ones before have left. Mode, owner and line ends stay.
    ///
    /// # Errors
    ///
    /// When it is denied, or a text occurs not at all ([`FileErrorKind::NoMatch`]) or several times
    /// ([`FileErrorKind::ManyMatches`]): then nothing is replaced.
    pub fn edit(&self, path: impl AsRef<Path>, replacements: &[Replacement]) -> Result<Edited, FileError> {
        let path = path.as_ref();
        self.rewrite(path, |content| {
            // The diff shows what was there: what it may not show is refused before anything is done.
            self.clear(path, content)?;
            let (edited, replaced) = self.apply(path, content, replacements)?;
            self.admitted(path, content, &edited)?;
            Ok((edited, replaced))
        })
        .and_then(|(old, new, replaced)| {
            let diff = unified(path, &self.shown(path, old)?, &self.shown(path, new)?);
            Ok(Edited { diff, replaced })
        })
    }

    fn apply(
        &self,
        path: &Path,
        content: &[u8],
        replacements: &[Replacement],
    ) -> Result<(Vec<u8>, usize), FileError> {
        let wide = has_wide_ends(content);
        let mut edited = content.to_vec();
        let mut replaced = 0;
        for (index, replacement) in replacements.iter().enumerate() {
            let fails = |kind, what: &str| {
                FileError::new(kind, path, format!("text {} of {}: {what}", index + 1, replacements.len()))
            };
            if replacement.old.is_empty() {
                return Err(fails(FileErrorKind::Invalid, "it is empty; write the file to fill it"));
            }
            let (old, new) = (ends(&replacement.old, wide), ends(&replacement.new, wide));
            // Counted and not kept: there may be one for each byte.
            let places = || memchr::memmem::find_iter(&edited, &old);
            let count = places().count();
            match count {
                0 => {
                    return Err(fails(
                        FileErrorKind::NoMatch,
                        "it does not occur; read the file again and copy it exactly",
                    ));
                }
                1 => {}
                _ if replacement.all => {}
                _ => {
                    let what = format!("it occurs {count} times; add lines around it, or replace all");
                    return Err(fails(FileErrorKind::ManyMatches, &what));
                }
            }
            let grown = new.len().saturating_sub(old.len()).saturating_mul(count);
            if edited.len().saturating_add(grown) as u64 > self.limits.bytes {
                return Err(self.too_large(path));
            }
            edited = replaced_at(&edited, places(), (old.len(), &new), grown);
            replaced += count;
        }
        Ok((edited, replaced))
    }

    /// Reads a regular file and puts what is made of its content in its place, if nobody else changed it meanwhile.
    pub(super) fn rewrite<T>(
        &self,
        path: &Path,
        mut make: impl FnMut(&[u8]) -> Result<(Vec<u8>, T), FileError>,
    ) -> Result<(Vec<u8>, Vec<u8>, T), FileError> {
        self.perform(&self.request(FileAction::Write, path), path, |grant, change| {
            let place = self.roots.place(grant.root(), &grant.path().real)?;
            let old = self.old(&place, grant, WriteMode::Replace)?.ok_or(nix::errno::Errno::ENOENT)?;
            let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
            let before = self.content(self.roots.object(grant.root(), grant.path(), flags)?, path)?;
            let (after, more) = make(&before)?;
            if after.len() as u64 > self.limits.bytes {
                return Err(self.too_large(path).into());
            }
            if after != before {
                replace_unchanged(&place, &old, &after, || self.judge_last(grant, &place))?;
            }
            note(change, &before, &after);
            Ok::<_, Failed>((before, after, more))
        })
    }
}

fn note(change: &mut Change, before: &[u8], after: &[u8]) {
    change.read(before);
    let before = change.after.take();
    change.wrote(before, after);
}

/// Whether lines end with CR LF: the first line tells.
fn has_wide_ends(content: &[u8]) -> bool {
    let end = content.iter().position(|byte| *byte == b'\n');
    end.and_then(|end| content.get(end.checked_sub(1)?)) == Some(&b'\r')
}

/// The text with the line ends of the file.
pub(super) fn ends(text: &[u8], wide: bool) -> Vec<u8> {
    if !wide || text.contains(&b'\r') {
        return text.to_vec();
    }
    let mut widened = Vec::with_capacity(text.len() + 16);
    for &byte in text {
        if byte == b'\n' {
            widened.push(b'\r');
        }
        widened.push(byte);
    }
    widened
}

/// The content with a text of this length at each of these places replaced.
fn replaced_at(
    content: &[u8],
    places: impl Iterator<Item = usize>,
    (length, new): (usize, &[u8]),
    grown: usize,
) -> Vec<u8> {
    let mut edited = Vec::with_capacity(content.len() + grown);
    let mut at = 0;
    for place in places {
        edited.extend_from_slice(content.get(at..place).unwrap_or_default());
        edited.extend_from_slice(new);
        at = place + length;
    }
    edited.extend_from_slice(content.get(at..).unwrap_or_default());
    edited
}
