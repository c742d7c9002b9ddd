//! Unified diffs: applied to all of their files, or to none.
//!
//! The format is that of `diff -u` and `git diff` (POSIX `diff`, "Diff -u Output Format"). A hunk must fit exactly; it may have
//! moved, then the nearest place where it fits is taken. There is no fuzz: a context line that differs is a conflict.
#![forbid(unsafe_code)]

use std::ops::Range;
use std::path::{Path, PathBuf};

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
}

impl Files {
    /// Applies a unified diff. Paths lose the `a/` and `b/` of git; `/dev/null` makes or removes a file.
    ///
    /// Everything is read and fitted before the first file is written. When a write fails then, the files that were
    /// written get their old content back.
    ///
    /// # Errors
    ///
    /// When any file is denied, or a hunk does not fit ([`FileErrorKind::PatchConflict`]): then nothing is changed.
    pub fn patch(&self, patch: &[u8]) -> Result<Vec<Patched>, FileError> {
        let files = parse(patch)
            .map_err(|message| FileError::new(FileErrorKind::Invalid, Path::new("patch"), message))?;
        let steps: Vec<Step> = files.iter().map(|file| self.step(file)).collect::<Result<_, _>>()?;
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

    fn step(&self, file: &FilePatch) -> Result<Step, FileError> {
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
        let after = fit(&path, before.as_deref().unwrap_or_default(), &file.hunks)?;
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
        Ok(Step { path, before, after, mode })
    }

    fn take(&self, step: &Step) -> Result<(), FileError> {
        match (&step.before, &step.after) {
            (None, Some(after)) => self.put(&step.path, after, WriteMode::Create),
            (Some(before), Some(after)) => self.exchange(&step.path, before, after),
            (Some(_), None) => self.remove(&step.path),
            (None, None) => Ok(()),
        }
    }

    /// Takes steps back, the last one first. What cannot be was changed by somebody else since; its paths are given back.
    fn take_back(&self, steps: &[Step]) -> Vec<PathBuf> {
        let mut lost = Vec::new();
        for Step { path, before, after, mode } in steps.iter().rev() {
            let taken_back = match (before, after) {
                (None, Some(_)) => self.remove(path),
                (Some(before), Some(after)) => self.exchange(path, after, before),
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
fn fit(path: &Path, content: &[u8], hunks: &[Hunk]) -> Result<Vec<u8>, FileError> {
    let lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
    let wide = lines.first().is_some_and(|line| line.ends_with(b"\r\n"));
    let mut fitted = Vec::with_capacity(content.len());
    // Lines of the old content that were taken, and how far the hunks before had moved.
    let (mut taken, mut moved) = (0, 0);
    for hunk in hunks {
        let old: Vec<Vec<u8>> = hunk.old.iter().map(|line| ends(line, wide)).collect();
        // Beyond the end nothing fits.
        let wanted = hunk.start.saturating_add_signed(moved).min(lines.len());
        let Some(place) = nearest(&lines, &old, wanted, taken) else {
            let message = format!(
                "the hunk at line {} of the patch does not fit; make the patch again from the file as it is",
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

/// How many lines a hunk may have moved: it bounds the work of a patch with many hunks.
const FURTHEST: usize = 10_000;

/// The place of these lines that is nearest to the wanted one, not before `first`.
fn nearest(lines: &[&[u8]], old: &[Vec<u8>], wanted: usize, first: usize) -> Option<Range<usize>> {
    let fits = |start: usize| {
        start >= first
            && lines
                .get(start..start + old.len())
                .is_some_and(|found| found.iter().zip(old).all(|(found, old)| *found == old.as_slice()))
    };
    (0..=FURTHEST)
        .flat_map(|distance| [wanted.checked_sub(distance), wanted.checked_add(distance)])
        .flatten()
        .find(|start| fits(*start))
        .map(|start| start..start + old.len())
}

fn parse(patch: &[u8]) -> Result<Vec<FilePatch>, String> {
    let lines: Vec<&[u8]> = patch.split_inclusive(|byte| *byte == b'\n').collect();
    let mut files: Vec<FilePatch> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let next = lines.get(at + 1);
        if let (Some(old), Some(new)) =
            (line.strip_prefix(b"--- "), next.and_then(|next| next.strip_prefix(b"+++ ")))
        {
            files.push(FilePatch { old: name(old, b"a/"), new: name(new, b"b/"), hunks: Vec::new() });
            at += 2;
        } else if line.starts_with(b"@@ ") {
            let file = files.last_mut().ok_or_else(|| format!("line {}: a hunk before any file", at + 1))?;
            let (hunk, end) = hunk(&lines, at)?;
            file.hunks.push(hunk);
            at = end;
        } else if line.starts_with(b"GIT binary patch") || line.starts_with(b"Binary files ") {
            return Err(format!("line {}: binary patches are not applied; write the file", at + 1));
        } else {
            // `diff --git`, `index` and what people write around a patch.
            at += 1;
        }
    }
    match files.iter().find(|file| file.old.is_none() && file.new.is_none()) {
        _ if files.is_empty() => Err("it holds no `---` and `+++` lines; give a unified diff".to_owned()),
        Some(_) => Err("both names of a file are /dev/null".to_owned()),
        None => Ok(files),
    }
}

/// A name without its time stamp and git's prefix; `None` for `/dev/null`.
fn name(text: &[u8], prefix: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let text = text.split(|byte| matches!(byte, b'\t' | b'\n' | b'\r')).next().unwrap_or_default();
    let text = text.strip_prefix(prefix).unwrap_or(text);
    (text != b"/dev/null").then(|| PathBuf::from(std::ffi::OsStr::from_bytes(text)))
}

/// The hunk that begins at a line, and the line behind it.
fn hunk(lines: &[&[u8]], at: usize) -> Result<(Hunk, usize), String> {
    let head = lines.get(at).copied().unwrap_or_default();
    let wrong = |what: &str| format!("line {}: {what}", at + 1);
    let head = std::str::from_utf8(head).map_err(|_| wrong("a hunk's head is not UTF-8"))?;
    let ranges = head.strip_prefix("@@ -").and_then(|rest| rest.split_once(" @@")).map(|(ranges, _)| ranges);
    let (old, new) = ranges
        .and_then(|ranges| ranges.split_once(" +"))
        .ok_or_else(|| wrong("a hunk begins with `@@ -1,2 +3,4 @@`"))?;
    let numbers = |text: &str| -> Option<(usize, usize)> {
        let (start, count) = text.split_once(',').unwrap_or((text, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    let ((start, old_count), (_, new_count)) =
        numbers(old).zip(numbers(new)).ok_or_else(|| wrong("a hunk's numbers are no numbers"))?;
    // Lines count from 1; an empty range names the line before it.
    let start = if old_count == 0 { start } else { start.saturating_sub(1) };
    let mut hunk = Hunk { start, old: Vec::new(), new: Vec::new(), line: at + 1 };
    let mut next = at + 1;
    while hunk.old.len() < old_count
        || hunk.new.len() < new_count
        || lines.get(next).is_some_and(|line| line.starts_with(b"\\"))
    {
        let line =
            lines.get(next).copied().ok_or_else(|| wrong("the hunk ends before all of its lines came"))?;
        match line.split_first() {
            Some((b' ', rest)) => {
                hunk.old.push(rest.to_vec());
                hunk.new.push(rest.to_vec());
            }
            Some((b'-', rest)) => hunk.old.push(rest.to_vec()),
            Some((b'+', rest)) => hunk.new.push(rest.to_vec()),
            // `\\ No newline at end of file`: of the line before.
            Some((b'\\', _)) => {
                let before = lines.get(next - 1).and_then(|line| line.first());
                let ended = |lines: &mut Vec<Vec<u8>>| {
                    lines.last_mut().filter(|line| line.ends_with(b"\n")).map(Vec::pop)
                };
                if before != Some(&b'+') {
                    ended(&mut hunk.old);
                }
                if before != Some(&b'-') {
                    ended(&mut hunk.new);
                }
            }
            // Some programs drop the blank of an empty context line.
            Some((b'\n' | b'\r', _)) => {
                hunk.old.push(line.to_vec());
                hunk.new.push(line.to_vec());
            }
            _ => return Err(format!("line {}: a hunk's lines begin with a blank, `-` or `+`", next + 1)),
        }
        next += 1;
    }
    if hunk.old.len() != old_count || hunk.new.len() != new_count {
        return Err(wrong("the hunk has other numbers of lines than it says"));
    }
    Ok((hunk, next))
}
