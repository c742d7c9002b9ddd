//! The configuration of a repository that a run makes itself.
//!
//! `.git/config` is protected, because what it says is executed by the next git. But `git init` and `git clone` write
//! one. So a run may put one where none was, and replace one that it has made, as git does: by renaming its lock file.
//! What counts is the content, and only settings that are data are let through. The file that appears is a new one with
//! the content that was judged: nobody has the old one open.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use claw_policy::{Code, Denial, FileId};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, unlinkat};

use super::place::{Object, Place};
use super::{Done, Result, Task, own_name};
use crate::opened::id_of;

/// Far more than a new repository's.
const BYTES: u64 = 64 << 10;

/// More repositories than that no run makes; each holds a descriptor of ours.
const MOST: usize = 256;

/// The configurations that a run has made. Each is held open, so that its inode is no other file's meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Made(Mutex<HashMap<FileId, OwnedFd>>);

impl Made {
    fn has(&self, id: FileId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    fn is_full(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() >= MOST
    }

    fn replace(&self, old: Option<FileId>, (id, file): (FileId, OwnedFd)) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = old {
            made.remove(&old);
        }
        made.insert(id, file);
    }
}

impl Task<'_> {
    /// Makes `git`'s rename of a configuration's lock file, if that is what it is and the content is data. `None` when
    /// the denial stands.
    pub(super) fn make_configuration(
        &self,
        denial: &Denial,
        [from, to]: [&Place; 2],
        moved: &Object,
        replaced: Option<&Object>,
    ) -> Option<Result<Done>> {
        let is_lock = from.path.parent() == to.path.parent()
            && from.name.as_bytes() == b"config.lock"
            && to.name.as_bytes() == b"config";
        let is_free = replaced.is_none_or(|replaced| self.made.has(replaced.id()));
        if !is_lock
            || !is_free
            || self.made.is_full()
            || !is_protection(denial)
            || moved.kind() != nix::sys::stat::SFlag::S_IFREG
        {
            return None;
        }
        let (hands, replaced) = (self.supervisor.hands.as_ref()?, replaced.map(Object::id));
        let (source, directory) = (moved.file.try_clone().ok()?, from.directory.try_clone().ok()?);
        if self.waits().is_err() {
            return Some(Err(Errno::EINTR.into()));
        }
        let made = hands.run(move || make(&source, &directory, replaced.is_some()))?;
        match made {
            Ok(Some(made)) => {
                self.made.replace(replaced, made);
                Some(Ok(Done::Value(0)))
            }
            Ok(None) => None,
            Err(errno) => Some(Err(errno.into())),
        }
    }

    /// Whether a denied removal is that of a configuration which the run has made.
    pub(super) fn may_unmake(&self, denial: &Denial, place: &Place, object: &Object) -> bool {
        is_protection(denial) && place.name.as_bytes() == b"config" && self.made.has(object.id())
    }
}

fn is_protection(denial: &Denial) -> bool {
    !denial.reasons.is_empty() && denial.reasons.iter().all(|reason| reason.code == Code::FileProtected)
}

// `None` when the content is more than data.
fn make(source: &OwnedFd, directory: &OwnedFd, replaces: bool) -> nix::Result<Option<(FileId, OwnedFd)>> {
    let read = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = openat(AT_FDCWD, own_name(source).as_c_str(), read, Mode::empty())?;
    let mode = fstat(&file)?.st_mode;
    let mut content = Vec::new();
    std::fs::File::from(file).take(BYTES + 1).read_to_end(&mut content).map_err(|_| Errno::EIO)?;
    if content.len() as u64 > BYTES || !is_data(&content) {
        return Ok(None);
    }
    let write = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let mut new = std::fs::File::from(openat(directory, ".", write, Mode::from_bits_truncate(0o600))?);
    new.write_all(&content).map_err(|_| Errno::EIO)?;
    fchmod(&new, Mode::from_bits_truncate(mode & 0o777))?;
    let id = id_of(&fstat(&new)?);
    // Both names are protected, so nobody else is there in between.
    if replaces {
        unlinkat(directory, c"config", UnlinkatFlags::NoRemoveDir)?;
    }
    let follow = LinkatFlags::AT_SYMLINK_FOLLOW;
    linkat(AT_FDCWD, own_name(&new).as_c_str(), directory, c"config", follow)?;
    unlinkat(directory, c"config.lock", UnlinkatFlags::NoRemoveDir)?;
    Ok(Some((id, new.into())))
}

/// Whether a configuration (git-config(1), "Syntax") says nothing that git would execute or follow elsewhere. What is
/// written in an unusual way is not.
fn is_data(content: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(content) else { return false };
    let mut section = None;
    text.split('\n').all(|line| {
        let line = line.trim_matches([' ', '\t']);
        if line.chars().any(|character| character.is_control() && character != '\t') || line.ends_with('\\') {
            return false;
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            return true;
        }
        if line.starts_with('[') {
            section = section_of(line);
            return section.is_some();
        }
        let (key, value) =
            line.split_once('=').map_or((line, ""), |(key, value)| (key.trim_end(), value.trim_start()));
        section
            .as_ref()
            .is_some_and(|section: &String| is_data_setting(section, &key.to_ascii_lowercase(), value))
    })
}

// `[name]` or `[name "part"]`, with nothing behind it.
fn section_of(line: &str) -> Option<String> {
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    let (name, part) = inner.split_once(' ').map_or((inner, None), |(name, part)| (name, Some(part)));
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric());
    let is_part = |part: &str| {
        let part = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
        part.is_some_and(|part| !part.contains(['"', '\\', ']']))
    };
    (is_name(name) && part.is_none_or(is_part)).then(|| name.to_ascii_lowercase())
}

fn is_data_setting(section: &str, key: &str, value: &str) -> bool {
    match (section, key) {
        (
            "core",
            "repositoryformatversion"
            | "filemode"
            | "bare"
            | "logallrefupdates"
            | "ignorecase"
            | "precomposeunicode"
            | "symlinks"
            | "autocrlf",
        )
        | ("remote", "fetch" | "tagopt" | "promisor" | "partialclonefilter")
        | ("branch", "merge" | "rebase")
        | ("extensions", "objectformat" | "refstorage")
        | ("user", "name" | "email")
        | ("submodule", "active") => true,
        // A URL may stand in each. Not another transport's program, nor an option; quotes could hide both.
        ("remote" | "submodule", "url") | ("branch", "remote") | ("extensions", "partialclone") => {
            !value.contains(['"', '\\']) && !value.contains("::") && !value.starts_with('-')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_writes_into_a_new_repository_is_data() {
        let init = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n";
        let clone = "[remote \"origin\"]\n\turl = https://example.org/x.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
                     [branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n";
        for text in ["", init, clone, "# a\n[user]\n name = A \"B\" C\n\temail=a@b\n"] {
            assert!(is_data(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_git_would_execute_or_what_is_written_oddly_is_not() {
        for text in [
            "evil",
            "[core]\n\tfsmonitor = evil\n",
            "[core]\n\thooksPath = x\n",
            "[core] fsmonitor = evil\n",
            "[core]\n\tbare = \\\n\tfsmonitor = evil\n",
            "[CORE]\n\tFSMonitor = evil\n",
            "[core.x]\n\tbare = 1\n",
            "[remote \"a\\\"]\"]\n\turl = x\n",
            "[remote \"a\"] url = x\n",
            "[remote \"a\"]\n\turl = ext::sh -c evil\n",
            "[remote \"a\"]\n\turl = \"--upload-pack=evil\"\n",
            "[remote \"a\"]\n\turl = ext:\"\":sh -c evil\n",
            "[branch \"a\"]\n\tremote = ext::sh -c evil\n",
            "[branch \"a\"]\n\tremote = ext:\"\":sh -c evil\n",
            "[extensions]\n\tpartialclone = ext::sh -c evil\n",
            "[remote \"a\"]\n\tuploadpack = evil\n",
            "[include]\n\tpath = x\n",
            "[alias]\n\tst = !evil\n",
            "[submodule \"a\"]\n\tupdate = !evil\n",
            "[core]\n\tbare = 1\r\tfsmonitor = evil\n",
            "[core]\n\tbare = \0\n",
            "bare = 1\n",
        ] {
            assert!(!is_data(text.as_bytes()), "{text}");
        }
        assert!(!is_data(b"\xff"));
    }
}
