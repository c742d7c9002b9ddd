//! Reading: a whole file, a range of bytes, a range of lines, or a stream.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

use claw_policy::{FileAction, FileGrant};
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;

use super::place::{Object, Roots};
use super::{Change, Failed, FileError, FileErrorKind, Files};

/// O_NONBLOCK: a FIFO that was put there must not hold us up.
const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

/// A range of lines.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Lines {
    /// The lines with their ends, as they stand in the file.
    pub text: Vec<u8>,
    /// How many there are.
    pub count: u64,
    /// Whether more follow.
    pub more: bool,
}

impl Files {
    /// The whole content of a regular file.
    ///
    /// # Errors
    ///
    /// Among others [`FileErrorKind::TooLarge`] beyond the limit on bytes; [`Self::open`] has none.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, FileError> {
        let path = path.as_ref();
        self.raw(path).and_then(|content| self.shown(path, content))
    }

    /// The content as it is, for what does not show it.
    pub(super) fn raw(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        self.reading(path, |object, change| {
            let content = self.content(object, path)?;
            change.read(&content);
            Ok(content)
        })
    }

    /// Some bytes of a regular file: fewer where it ends before the range does. Under `secrets: redact` of what is
    /// shown of it.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`]; the limit is on the length of the range.
    pub fn read_range(&self, path: impl AsRef<Path>, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        let path = path.as_ref();
        let Some(length) = range.end.checked_sub(range.start) else {
            return Err(FileError::new(FileErrorKind::Invalid, path, "the range ends before it begins"));
        };
        if self.looks_through() {
            // A part of a credential does not look like one.
            let content = self.read(path)?;
            let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(content.len());
            let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(content.len());
            return Ok(content.get(start..end).unwrap_or_default().to_vec());
        }
        self.reading(path, |object, change| {
            let mut file = File::from(object.file);
            file.seek(SeekFrom::Start(range.start))?;
            let content = self.bounded(file.take(length), 0, path)?;
            change.read(&content);
            Ok(content)
        })
    }

    /// Some lines of a regular file, of which `first` is the first; they count from 1. A line ends with `\n`.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`]; the limit is on the bytes of the lines together.
    pub fn read_lines(&self, path: impl AsRef<Path>, first: u64, count: u64) -> Result<Lines, FileError> {
        let path = path.as_ref();
        if first == 0 {
            return Err(FileError::new(FileErrorKind::Invalid, path, "lines count from 1"));
        }
        if self.looks_through() {
            let content = self.read(path)?;
            return self
                .lines_of(content.as_slice(), path, first, count)
                .map_err(|failed| failed.into_error(path));
        }
        self.reading(path, |object, change| {
            let file = BufReader::new(File::from(object.file));
            let lines = self.lines_of(file, path, first, count)?;
            change.read(&lines.text);
            Ok(lines)
        })
    }

    fn lines_of(&self, mut file: impl BufRead, path: &Path, first: u64, count: u64) -> Result<Lines, Failed> {
        for _ in 1..first {
            if file.skip_until(b'\n')? == 0 {
                break;
            }
        }
        let mut lines = Lines { text: Vec::new(), count: 0, more: false };
        while lines.count < count {
            let left = self.limits.bytes.saturating_sub(lines.text.len() as u64);
            let read = (&mut file).take(left + 1).read_until(b'\n', &mut lines.text)?;
            if read as u64 > left {
                return Err(self.too_large(path).into());
            }
            if read == 0 {
                break;
            }
            lines.count += 1;
        }
        lines.more = !file.fill_buf()?.is_empty();
        Ok(lines)
    }

    /// A regular file, opened to be read as a stream. Only the opening is recorded.
    ///
    /// # Errors
    ///
    /// When it is denied, or cannot be opened, or the policy wants contents to be looked through (`secrets`).
    pub fn open(&self, path: impl AsRef<Path>) -> Result<File, FileError> {
        let path = path.as_ref();
        if self.looks_through() {
            let message =
                "a stream cannot be looked through for credentials, as the policy wants (`secrets`); read it";
            return Err(FileError::new(FileErrorKind::Secret, path, message));
        }
        self.reading(path, |object, _| Ok(File::from(object.file)))
    }

    /// Decides, records, and acts on the opened file.
    fn reading<T>(
        &self,
        path: &Path,
        mut act: impl FnMut(Object, &mut Change) -> Result<T, Failed>,
    ) -> Result<T, FileError> {
        if let Some(done) = self.reading_known(path, &mut act) {
            return done;
        }
        self.perform(&self.request(FileAction::Read, path), path, |grant, change| {
            act(self.regular(grant)?, change)
        })
    }

    /// The same with an allowance that still holds. `None` when there is none, or the file is another one by now.
    fn reading_known<T>(
        &self,
        path: &Path,
        act: &mut impl FnMut(Object, &mut Change) -> Result<T, Failed>,
    ) -> Option<Result<T, FileError>> {
        let known = self.known.get(path)?;
        let recorder = &self.sandbox.parts().recorder;
        let id = match known.told().map(|told| recorder.known_read(told)).transpose() {
            Ok(id) => id,
            Err(error) => return Some(Err(FileError::audit(path, &error))),
        };
        let mut change = Change::deferred(self.sandbox.policy());
        let opened = Roots::known(known.path(), READ).ok().filter(|object| known.is(object));
        let done = opened.map(|object| act(object, &mut change).map_err(|failed| failed.into_error(path)));
        if let Some(id) = id {
            let ending = match &done {
                Some(Ok(_)) => "done",
                Some(Err(error)) => error.code(),
                // It is decided again, which is another event.
                None => FileErrorKind::Changed.code(),
            };
            recorder.known_read_outcome(id, change.into_content(), ending);
        }
        if done.is_none() {
            self.known.forget(path);
        }
        done
    }

    /// Opens the granted file to be read. What is no regular file was refused by the decision, or came there since.
    pub(super) fn regular(&self, grant: &FileGrant) -> Result<Object, Failed> {
        let object = self.roots.object(grant.root(), grant.path(), READ)?;
        let path = &grant.path().real;
        match object.kind() {
            SFlag::S_IFREG => Ok(object),
            SFlag::S_IFDIR => {
                Err(FileError::new(FileErrorKind::IsDirectory, path, "a directory is there; list it").into())
            }
            _ => Err(FileError::new(FileErrorKind::Special, path, "it is no regular file").into()),
        }
    }

    pub(super) fn content(&self, object: Object, path: &Path) -> Result<Vec<u8>, Failed> {
        if object.size() > self.limits.bytes {
            return Err(self.too_large(path).into());
        }
        let size = usize::try_from(object.size()).unwrap_or(0);
        self.bounded(File::from(object.file), size, path)
    }

    /// All that is left of a stream, about `size` bytes, which may grow meanwhile.
    fn bounded(&self, stream: impl std::io::Read, size: usize, path: &Path) -> Result<Vec<u8>, Failed> {
        let mut content = Vec::with_capacity(size);
        stream.take(self.limits.bytes.saturating_add(1)).read_to_end(&mut content)?;
        if content.len() as u64 > self.limits.bytes {
            return Err(self.too_large(path).into());
        }
        Ok(content)
    }

    pub(super) fn too_large(&self, path: &Path) -> FileError {
        let message = format!("more than the limit of {} bytes; ask for a range of it", self.limits.bytes);
        FileError::new(FileErrorKind::TooLarge, path, message)
    }
}
