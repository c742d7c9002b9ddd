//! Files of a repository that take their place by a rename, as git's own do, if their content is harmless.
//!
//! Of a configuration the settings that are data may change, and every other one has to stay as it was; of an operation
//! that waits to be continued nothing may be added that git would execute.
//! The file that appears is a new one with the content that was judged: nobody has it open, maps it or has another name
//! for it.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use claw_policy::Denial;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::call::Operation;
use super::place::{Object, Place};
use super::repository::copy;
use super::settings::is_harmless_change;
use super::waiting::Waiting;
use super::{Done, Refusal, Result, Task, fresh};
use crate::opened::id_of;
use crate::repository::{because, is_in_repository, is_protection};

/// A file whose content decides whether it may take its place.
#[derive(Clone, Copy)]
enum Judged {
    Configuration,
    Waiting(Waiting),
}

impl Judged {
    // Git renames its own lock file; what waits is edited by others too, by their own drafts.
    fn of(from: &Place, to: &Place) -> Option<Self> {
        if from.path.parent() != to.path.parent() || from.path == to.path {
            return None;
        }
        if let Some(waiting) = Waiting::of(&to.path) {
            return Some(Self::Waiting(waiting));
        }
        let is_lock = from.name.as_bytes() == b"config.lock" && to.name.as_bytes() == b"config";
        (is_lock && is_in_repository(&to.path)).then_some(Self::Configuration)
    }

    fn is_harmless(self, old: &[u8], new: &[u8], directory: &Path) -> bool {
        match self {
            Self::Configuration => is_harmless_change(old, new, directory),
            Self::Waiting(waiting) => waiting.is_harmless(old, new),
        }
    }

    // The content and mode of a draft that may take the place of another.
    fn judge(
        self,
        source: &OwnedFd,
        old: Option<&OwnedFd>,
        directory: &Path,
    ) -> nix::Result<Option<(Vec<u8>, u32)>> {
        let old = match old {
            Some(old) => fresh::read(old)?.map(|(content, _)| content),
            None => Some(Vec::new()),
        };
        let (Some(old), Some((content, mode))) = (old, fresh::read(source)?) else { return Ok(None) };
        Ok(self.is_harmless(&old, &content, directory).then_some((content, mode)))
    }

    fn refused(self, denial: Denial, path: &Path) -> Refusal {
        let denial = match self {
            Self::Configuration => denial,
            Self::Waiting(waiting) => because(denial, path, waiting.why()),
        };
        Refusal::Denied { path: path.to_owned(), is_there: true, denial }
    }
}

impl Task<'_> {
    /// Makes `git`'s rename of a draft, if that is what it is and the change is harmless. `None` when the denial stands.
    pub(super) fn put_judged(
        &self,
        operation: &Operation,
        denial: &Denial,
        [from, to]: [&Place; 2],
        [moved, replaced]: [Option<&Object>; 2],
    ) -> Result<Option<Done>> {
        let (Some(path), Some(moved), Some(judged)) =
            (to.path.parent().map(Path::to_owned), moved, Judged::of(from, to))
        else {
            return Ok(None);
        };
        let are_files = [Some(moved), replaced].into_iter().flatten().all(Object::is_file);
        if !are_files || !is_protection(denial) {
            return Ok(None);
        }
        let (source, directory) = (copy(&moved.file)?, copy(&from.directory)?);
        let old = replaced.map(|replaced| copy(&replaced.file)).transpose()?;
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        let content =
            hands.run(move || judged.judge(&source, old.as_ref(), &path)).ok_or(Errno::EACCES)??;
        let Some((content, mode)) = content else { return Err(judged.refused(denial.clone(), &to.path)) };
        if matches!(judged, Judged::Waiting(Waiting::Todo)) {
            self.put_strategy(operation, denial, to)?;
        }
        self.allowed(operation, &to.path, true)?;
        let kept = matches!(judged, Judged::Configuration).then(|| Arc::clone(self.made));
        let id = replaced.map(Object::id);
        let (draft, name) = (from.name.clone(), to.name.clone());
        self.perform(move || {
            let new = fresh::replace(&directory, &name, &content, mode)?;
            if let Some(kept) = kept {
                kept.replace(id, (id_of(&fstat(&new)?), new));
            }
            // The caller's own draft, which it has given away.
            unlinkat(&directory, draft.as_c_str(), UnlinkatFlags::NoRemoveDir)?;
            Ok(0)
        })
        .map(Some)
    }

    // Keeps what the caller writes as a rebase's strategy aside, if that is what it wants to make and only its protection
    // is in the way.
    pub(super) fn make_strategy(&self, denial: &Denial, place: &Place, flags: OFlag) -> Result<Option<Done>> {
        let is_written = flags.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
        if !is_written || !is_protection(denial) || Waiting::of(&place.path) != Some(Waiting::Strategy) {
            return Ok(None);
        }
        let (directory, made) = (copy(&place.directory)?, Arc::clone(self.made));
        let make = move || {
            let aside = fresh::nameless(&directory, OFlag::O_RDWR)?;
            made.set_aside(directory, copy(&aside)?)?;
            Ok(aside)
        };
        self.creating(|| self.opened(flags.contains(OFlag::O_CLOEXEC), make)).map(Some)
    }

    // The strategy that was kept aside appears before the list does.
    fn put_strategy(&self, operation: &Operation, denial: &Denial, list: &Place) -> Result<()> {
        let directory = copy(&list.directory)?;
        let Some(aside) = self.made.kept_aside(id_of(&fstat(&directory)?)) else { return Ok(()) };
        let path = list.path.with_file_name("strategy");
        let judged = Judged::Waiting(Waiting::Strategy);
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        let content = hands.run(move || judged.judge(&aside, None, Path::new(""))).ok_or(Errno::EACCES)??;
        let Some((content, _)) = content else { return Err(judged.refused(denial.clone(), &path)) };
        self.allowed(operation, &path, false)?;
        let (mode, made) = (0o666 & !self.process.umask()?.bits(), Arc::clone(self.made));
        self.have_done(move || {
            fresh::replace(&directory, c"strategy", &content, mode)?;
            made.forget_aside(id_of(&fstat(&directory)?));
            Ok(())
        })
    }
}
