//! The broker: calls that change files are made for their callers.
//!
//! The kernel's rules grant whole trees, and what an argument points to can change between a look and the call. So
//! such a call is never let through: its arguments are copied, its path is resolved from the caller's own directories,
//! what it leads to is judged, and the hands make the call on what was judged. The caller gets the result.
#![forbid(unsafe_code)]

mod call;
mod created;
mod links;
mod open;
mod perform;
mod place;
mod repository;
mod table;

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use claw_policy::{Denial, FileId, Touch, TouchRequest};
use nix::errno::Errno;

use self::call::{Change, Operation};
use self::place::{Final, Object, Resolver};
use super::process::Process;
use super::{FileAttempt, Supervisor, Watch};
use crate::opened;
use crate::sys::notify::{Answer, Notification};

pub(crate) use self::created::Created;
pub(crate) use self::links::Links;
pub(crate) use self::repository::Made;
pub(crate) use self::table::{calls, is_file_call};

/// Renames and links change what a path means that is being judged for another run of ours.
static ORDER: RwLock<()> = RwLock::new(());

/// How often a call is begun anew because somebody changes its path meanwhile.
const ATTEMPTS: usize = 8;

/// What came of a call.
enum Done {
    /// It returned this.
    Value(i64),
    /// It opened a file.
    File(OwnedFd, bool),
    /// It will be answered by somebody else.
    Later,
    /// It gives no right, and the kernel may go on with it whatever it is about by then.
    Harmless,
}

/// Why a call was not made.
enum Refusal {
    /// As the kernel would.
    Errno(Errno),
    /// The policy.
    Denied { path: std::path::PathBuf, denial: Denial },
    /// The path has changed meanwhile.
    Again,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

type Result<T> = std::result::Result<T, Refusal>;

impl Supervisor<'_> {
    pub(super) fn answer_file(&self, notification: &Notification) {
        let process = self.files.thread(notification.thread);
        // The run thread is ours and has no business of a run's. When it has ended its id may be anybody's.
        let is_ours = || process.group().is_ok_and(|group| group == std::process::id());
        if notification.thread == self.run_thread && is_ours() {
            self.listener.answer(notification, Answer::Continue);
            return;
        }
        match self.file(notification, process) {
            Ok(Done::Value(value)) => {
                self.listener.answer(notification, Answer::Done(value));
            }
            Ok(Done::File(file, close_on_exec)) => {
                answer_with(&self.listener, notification, &file, close_on_exec);
            }
            Ok(Done::Later) => {}
            Ok(Done::Harmless) => {
                self.listener.answer(notification, Answer::Continue);
            }
            Err(errno) => {
                self.listener.answer(notification, Answer::Fail(errno));
            }
        }
    }

    fn file(&self, notification: &Notification, process: Process<'_>) -> nix::Result<Done> {
        let case = self
            .desk
            .lock()
            .as_ref()
            .map(|case| (case.watch.clone(), Arc::clone(&case.made), Arc::clone(&case.created)));
        let (watch, made, created) = case.ok_or(Errno::EACCES)?;
        let operation = Operation::read(notification, process)?;
        let resolver = Resolver::new(process);
        let task = Task {
            supervisor: self,
            notification,
            process,
            watch: &watch,
            made: &made,
            created: &created,
            resolver,
        };
        for _ in 0..ATTEMPTS {
            match task.make(&operation) {
                Err(Refusal::Again) => {}
                Ok(done) => return Ok(done),
                Err(Refusal::Errno(errno)) => return Err(errno),
                Err(Refusal::Denied { path, denial }) => {
                    let attempt = task.attempt(&operation, &path);
                    if let Err(message) = watch.oversight.file(&attempt, Err(denial)) {
                        self.report(process, &message);
                    }
                    return Err(Errno::EACCES);
                }
            }
        }
        Err(Errno::EBUSY)
    }
}

/// Gives the caller a descriptor, or the error why it has no room for one.
fn answer_with(
    listener: &crate::sys::notify::Listener,
    notification: &Notification,
    file: &OwnedFd,
    close_on_exec: bool,
) {
    if let Err(errno) = listener.answer_with_file(notification, file.as_fd(), close_on_exec) {
        listener.answer(notification, Answer::Fail(errno));
    }
}

/// One call.
struct Task<'a> {
    supervisor: &'a Supervisor<'a>,
    notification: &'a Notification,
    process: Process<'a>,
    watch: &'a Watch,
    made: &'a Made,
    created: &'a Created,
    resolver: Resolver<'a>,
}

impl Task<'_> {
    fn make(&self, operation: &Operation) -> Result<Done> {
        let moves = matches!(operation, Operation::Rename { .. } | Operation::Link { .. });
        if moves {
            let _order = ORDER.write().unwrap_or_else(PoisonError::into_inner);
            self.dispatch(operation)
        } else {
            let _order = ORDER.read().unwrap_or_else(PoisonError::into_inner);
            self.dispatch(operation)
        }
    }

    fn dispatch(&self, operation: &Operation) -> Result<Done> {
        match operation {
            // What such a descriptor can be used for is asked about by itself.
            Operation::Open { flags, .. } if flags & libc::O_PATH != 0 => Ok(Done::Harmless),
            Operation::Open { target, flags, mode } => self.open(target, *flags, *mode),
            Operation::Make { target, what } => {
                let place = self.resolver.place(target)?;
                if place.existing()?.is_some() {
                    return Err(Errno::EEXIST.into());
                }
                self.judge(&place.path, None, Touch::Change)?;
                self.allowed(operation, &place.path)?;
                let what = what.clone();
                let umask = if what.has_mode() { Some(self.process.umask()?) } else { None };
                self.creating(|| self.perform(move || perform::make(&place, &what, umask)))
            }
            Operation::Remove { target, directory } => {
                let place = self.resolver.place(target)?;
                let object = place.existing()?.ok_or(Errno::ENOENT)?;
                match self.judge(&place.path, Some(object.id()), Touch::Remove) {
                    Err(Refusal::Denied { denial, .. }) if self.may_unmake(&denial, &place, &object) => {}
                    judged => judged?,
                }
                self.allowed(operation, &place.path)?;
                let directory = *directory;
                self.perform(move || perform::remove(&place, directory))
            }
            Operation::Rename { from, to, flags } => self.rename(operation, [from, to], *flags),
            Operation::Link { from, to, follow } => {
                let source = if *follow {
                    match self.resolver.follow(from)? {
                        Final::Missing(_) => return Err(Errno::ENOENT.into()),
                        Final::Existing(object) => object,
                    }
                } else {
                    self.resolver.place(from)?.existing()?.ok_or(Errno::ENOENT)?
                };
                let place = self.resolver.place(to)?;
                if place.existing()?.is_some() {
                    return Err(Errno::EEXIST.into());
                }
                self.judge_object(&source, Touch::Change)?;
                self.judge(&place.path, None, Touch::Change)?;
                self.allowed(operation, &place.path)?;
                self.creating(|| self.perform(move || perform::link(&source, &place)))
            }
            Operation::Change { target, no_follow, change } => {
                self.change(operation, target, *no_follow, change)
            }
        }
    }

    fn change(
        &self,
        operation: &Operation,
        target: &call::Target,
        no_follow: bool,
        change: &Change,
    ) -> Result<Done> {
        let object = if no_follow {
            self.resolver.place(target)?.existing()?.ok_or(Errno::ENOENT)?
        } else {
            match self.resolver.follow(target)? {
                Final::Missing(_) => return Err(Errno::ENOENT.into()),
                Final::Existing(object) => object,
            }
        };
        let touch = if matches!(change, Change::Truncate(_)) { Touch::Change } else { Touch::Metadata };
        self.judge_object(&object, touch)?;
        if let Some(path) = &object.path {
            self.allowed(operation, path)?;
        }
        let change = change.clone();
        self.perform(move || perform::change(&object, change))
    }

    fn rename(&self, operation: &Operation, [from, to]: [&call::Target; 2], flags: u32) -> Result<Done> {
        let [from, to] = [self.resolver.place(from)?, self.resolver.place(to)?];
        let moved = from.existing()?.ok_or(Errno::ENOENT)?;
        let replaced = to.existing()?;
        if replaced.is_some() && flags & libc::RENAME_NOREPLACE != 0 {
            return Err(Errno::EEXIST.into());
        }
        self.judge(&from.path, Some(moved.id()), Touch::Remove)?;
        match self.judge(&to.path, replaced.as_ref().map(Object::id), Touch::Remove) {
            Err(Refusal::Denied { path, denial }) => {
                let made = self.make_configuration(&denial, [&from, &to], &moved, replaced.as_ref());
                return made.unwrap_or(Err(Refusal::Denied { path, denial }));
            }
            judged => judged?,
        }
        self.judge_members(&moved, &from.path, &to.path)?;
        if flags & libc::RENAME_EXCHANGE != 0
            && let Some(replaced) = &replaced
        {
            self.judge_members(replaced, &to.path, &from.path)?;
        }
        self.allowed(operation, &to.path)?;
        self.perform(move || perform::rename(&from, &to, flags))
    }

    // Everything in a directory that moves, where it is and where it would be.
    fn judge_members(&self, object: &Object, from: &Path, to: &Path) -> Result<()> {
        if !object.is_directory() {
            return Ok(());
        }
        for (name, id) in links::members(object)? {
            self.judge(&from.join(&name), Some(id), Touch::Remove)?;
            self.judge(&to.join(&name), None, Touch::Change)?;
        }
        Ok(())
    }

    fn judge(&self, path: &Path, id: Option<FileId>, touch: Touch) -> Result<()> {
        if self.watch.temporary.as_ref().is_some_and(|temporary| path.starts_with(temporary)) {
            return Ok(());
        }
        let judged = self.watch.oversight.touch(&TouchRequest { path, id, touch });
        judged.map_err(|denial| Refusal::Denied { path: path.to_owned(), denial })
    }

    // An object by its own name, and by the others that it has.
    fn judge_object(&self, object: &Object, touch: Touch) -> Result<()> {
        let Some(path) = &object.path else { return Ok(()) };
        self.judge(path, Some(object.id()), touch)?;
        if touch != Touch::Read && object.has_other_names() {
            let links = &self.supervisor.links;
            if let Some((path, denial)) = links.denial(object.id(), self.watch) {
                return Err(Refusal::Denied { path, denial });
            }
        }
        Ok(())
    }

    fn allowed(&self, operation: &Operation, path: &Path) -> Result<()> {
        if !self.watch.oversight.records_files() || operation.is_read() {
            return Ok(());
        }
        let recorded = self.watch.oversight.file(&self.attempt(operation, path), Ok(()));
        recorded.map_err(|message| {
            self.supervisor.report(self.process, &message);
            Refusal::Errno(Errno::EACCES)
        })
    }

    fn attempt<'p>(&self, operation: &Operation, path: &'p Path) -> FileAttempt<'p> {
        FileAttempt { caller: self.process.id(), operation: operation.name(), path }
    }

    // What was read is the caller's only if it still waits: its id could be another's by now.
    fn perform(&self, work: impl FnOnce() -> nix::Result<i64> + Send + 'static) -> Result<Done> {
        self.waits()?;
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        let done = hands.run(work).ok_or(Errno::EACCES)?;
        Ok(Done::Value(done?))
    }

    fn waits(&self) -> Result<()> {
        if self.supervisor.listener.is_waiting(self.notification) { Ok(()) } else { Err(Errno::EINTR.into()) }
    }
}

/// The name under which this process has a descriptor.
fn own_name(file: impl AsFd) -> CString {
    CString::new(opened::own_name(file)).unwrap_or_default()
}
