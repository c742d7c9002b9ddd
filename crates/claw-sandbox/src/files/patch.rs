//! Unified diffs: applied to all of their files, or to none.
//!
//! A hunk must fit exactly; it may have moved, then the nearest place where it fits is taken. There is no fuzz: a context line that
//! differs is a conflict.
#![forbid(unsafe_code)]

mod parse;

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use self::parse::parse;
use super::edit::ends;
use super::{FileError, FileErrorKind, Files, WriteMode};

/// What a patch did to a file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Patched {
    /// It was made.
    Created(PathBuf),
    /// Its content was changed.
    Changed(PathBuf),
    /// It was removed.
    Removed(PathBuf),
}

/// What a patch says of one file.
#[derive(Debug)]
struct FilePatch {
    old: Option<PathBuf>,
    new: Option<PathBuf>,
    hunks: Vec<Hunk>,
    /// Whether it shall be a program, where the patch says so.
    is_program: Option<bool>,
}

#[derive(Debug)]
struct Hunk {
    /// The first line that it replaces, from 0.
    start: usize,
    old: Vec<Vec<u8>>,
    new: Vec<Vec<u8>>,
    /// Where it stands in the patch, from 1.
    line: usize,
}

/// A file's next content, and how to get back.
struct Step {
    path: PathBuf,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    /// Of the file that is there.
    mode: u32,
    is_program: Option<bool>,
}

impl Files {
    /// Applies a unified diff. Paths lose the `a/` and `b/` of git; `/dev/null` makes or removes a file. Of what git says beside it
    /// empty files are made and removed, and files become programs or cease to be; renames, copies and links are refused.
    ///
    /// Everything is read and fitted before the first file is written. When a write fails then, the files that were
    /// written get their old content back.
    ///
    /// # Errors
    ///
    /// When any file is denied, or a hunk does not fit ([`FileErrorKind::PatchConflict`]): then nothing is changed.
    pub fn patch(&self, patch: &[u8]) -> Result<Vec<Patched>, FileError> {
        let own = Path::new("patch");
        if patch.len() as u64 > self.limits.bytes {
            return Err(self.too_large(own));
        }
        let files = parse(patch).map_err(|message| FileError::new(FileErrorKind::Invalid, own, message))?;
        if files.len() > self.limits.entries {
            return Err(self.too_many(own));
        }
        let steps = self.steps(&files)?;
        for (done, step) in steps.iter().enumerate() {
            if let Err(error) = self.take(step) {
                let lost = self.take_back(steps.get(..done).unwrap_or_default());
                return Err(if lost.is_empty() { error } else { unrestored(error, &lost) });
            }
        }
        let told = steps.into_iter().map(|step| match (step.before, step.after) {
            (None, _) => Patched::Created(step.path),
            (_, None) => Patched::Removed(step.path),
            _ => Patched::Changed(step.path),
        });
        Ok(told.collect())
    }

    /// All of them are held in memory together.
    fn steps(&self, files: &[FilePatch]) -> Result<Vec<Step>, FileError> {
        let (mut steps, mut seen) = (Vec::with_capacity(files.len()), HashSet::new());
        let (mut held, mut work) = (0, WORK);
        for file in files {
            let step = self.step(file, &mut work)?;
            if !seen.insert(step.path.clone()) {
                let message = "the patch names it twice; make one of its parts";
                return Err(FileError::new(FileErrorKind::Invalid, &step.path, message));
            }
            let lengths = [&step.before, &step.after].map(|side| side.as_ref().map_or(0, Vec::len) as u64);
            held += lengths.into_iter().max().unwrap_or(0);
            if held > self.limits.bytes {
                return Err(self.too_large(&step.path));
            }
            steps.push(step);
        }
        Ok(steps)
    }

    fn step(&self, file: &FilePatch, work: &mut usize) -> Result<Step, FileError> {
        let path = file.new.as_ref().or(file.old.as_ref()).cloned().unwrap_or_default();
        if let (Some(old), Some(new)) = (&file.old, &file.new)
            && old != new
        {
            let message = "the patch renames it; rename it first, then patch it by its new name";
            return Err(FileError::new(FileErrorKind::Invalid, old, message));
        }
        let before = match &file.old {
            Some(old) => Some(self.raw(old)?),
            None if self.status(&path).is_ok() => {
                return Err(FileError::new(
                    FileErrorKind::Exists,
                    &path,
                    "the patch makes it, and something is there",
                ));
            }
            None => None,
        };
        let after = fit(&path, before.as_deref().unwrap_or_default(), &file.hunks, work)?;
        let after = match file.new {
            Some(_) => {
                self.admitted(&path, before.as_deref().unwrap_or_default(), &after)?;
                Some(after)
            }
            None if after.is_empty() => None,
            None => {
                let message = "the patch removes it, and it holds more than the patch knows";
                return Err(FileError::new(FileErrorKind::PatchConflict, &path, message));
            }
        };
        let mode = if before.is_some() { self.status(&path)?.mode } else { 0 };
        Ok(Step { path, before, after, mode, is_program: file.is_program })
    }

    fn take(&self, step: &Step) -> Result<(), FileError> {
        match (&step.before, &step.after) {
            (None, Some(after)) => self.put(&step.path, after, WriteMode::Create)?,
            (Some(before), Some(after)) => self.exchange(&step.path, before, after)?,
            (Some(_), None) => return self.remove(&step.path),
            (None, None) => return Ok(()),
        }
        let Err(error) = self.take_mode(step) else { return Ok(()) };
        let lost = self.take_back(std::slice::from_ref(step));
        Err(if lost.is_empty() { error } else { unrestored(error, &lost) })
    }

    /// As git does: whoever may read a program may run it.
    fn take_mode(&self, step: &Step) -> Result<(), FileError> {
        let Some(is_program) = step.is_program else { return Ok(()) };
        let mode = self.status(&step.path)?.mode & 0o777;
        let wanted = if is_program { mode | (mode & 0o444) >> 2 } else { mode & !0o111 };
        if wanted == mode { Ok(()) } else { self.set_mode(&step.path, wanted) }
    }

    /// Takes steps back, the last one first. What cannot be was changed by somebody else since; its paths are given back.
    fn take_back(&self, steps: &[Step]) -> Vec<PathBuf> {
        let mut lost = Vec::new();
        for Step { path, before, after, mode, is_program } in steps.iter().rev() {
            let taken_back = match (before, after) {
                (None, Some(_)) => self.remove(path),
                (Some(before), Some(after)) => self.exchange(path, after, before).and_then(|()| {
                    if is_program.is_some() { self.set_mode(path, mode & 0o777) } else { Ok(()) }
                }),
                // As it was: what the policy says of credentials is about what is new.
                (Some(before), None) => {
                    self.put(path, before, WriteMode::Create).and_then(|()| self.set_mode(path, mode & 0o777))
                }
                (None, None) => Ok(()),
            };
            if taken_back.is_err() {
                lost.push(path.clone());
            }
        }
        lost
    }

    /// Replaces one content by another if it is still there.
    fn exchange(&self, path: &Path, expected: &[u8], new: &[u8]) -> Result<(), FileError> {
        self.rewrite(path, |content| {
            if content == expected {
                Ok((new.to_vec(), ()))
            } else {
                Err(FileError::new(FileErrorKind::Changed, path, "it changed meanwhile; try again"))
            }
        })
        .map(drop)
    }
}

fn unrestored(error: FileError, lost: &[PathBuf]) -> FileError {
    let names: Vec<_> = lost.iter().map(|path| path.to_string_lossy()).collect();
    let message = format!("{error}; not all of the patch could be taken back, look at: {}", names.join(", "));
    FileError::new(error.kind(), error.path(), message)
}

/// The content after all hunks.
fn fit(path: &Path, content: &[u8], hunks: &[Hunk], work: &mut usize) -> Result<Vec<u8>, FileError> {
    let lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
    let wide = lines.first().is_some_and(|line| line.ends_with(b"\r\n"));
    let mut fitted = Vec::with_capacity(content.len());
    // Lines of the old content that were taken, and how far the hunks before had moved.
    let (mut taken, mut moved) = (0, 0);
    for hunk in hunks {
        let old: Vec<Vec<u8>> = hunk.old.iter().map(|line| ends(line, wide)).collect();
        // Beyond the end nothing fits.
        let wanted = hunk.start.saturating_add_signed(moved).min(lines.len());
        let Some(place) = nearest(&lines, &old, wanted, taken, work) else {
            let what = if *work == 0 { "is not found in a reasonable time" } else { "does not fit" };
            let message = format!(
                "the hunk at line {} of the patch {what}; make the patch again from the file as it is",
                hunk.line
            );
            return Err(FileError::new(FileErrorKind::PatchConflict, path, message));
        };
        moved = place.start.cast_signed().wrapping_sub(hunk.start.cast_signed());
        lines
            .get(taken..place.start)
            .unwrap_or_default()
            .iter()
            .for_each(|line| fitted.extend_from_slice(line));
        hunk.new.iter().for_each(|line| fitted.extend(ends(line, wide)));
        taken = place.end;
    }
    lines.get(taken..).unwrap_or_default().iter().for_each(|line| fitted.extend_from_slice(line));
    Ok(fitted)
}

/// How many lines a hunk may have moved.
const FURTHEST: usize = 10_000;

/// How many lines are compared for all hunks of a patch, longer ones counting more: some tenths of a second. A hunk that
/// has moved as far as it may takes twenty thousand, unless its lines are all alike.
const WORK: usize = 10_000_000;

/// The place of these lines that is nearest to the wanted one, not before `first`. None when `work` is used up.
fn nearest(
    lines: &[&[u8]],
    old: &[Vec<u8>],
    wanted: usize,
    first: usize,
    work: &mut usize,
) -> Option<Range<usize>> {
    let mut is_same = |found: &[u8], old: &[u8]| {
        *work = work.saturating_sub(1 + old.len() / 64);
        *work > 0 && found == old
    };
    let mut fits = |start: usize| {
        start >= first
            && lines
                .get(start..start + old.len())
                .is_some_and(|found| found.iter().zip(old).all(|(found, old)| is_same(found, old)))
    };
    (0..=FURTHEST)
        .flat_map(|distance| [wanted.checked_sub(distance), wanted.checked_add(distance)])
        .flatten()
        .find(|start| fits(*start))
        .map(|start| start..start + old.len())
}
