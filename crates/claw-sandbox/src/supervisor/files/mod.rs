//! The broker: calls that change files are made for their callers.
//!
//! The kernel's rules grant whole trees, and what an argument points to can change between a look and the call. So
//! such a call is never let through: its arguments are copied, its path is resolved from the caller's own directories,
//! what it leads to is judged, and the hands make the call on what was judged. The caller gets the result.
#![forbid(unsafe_code)]

mod call;
mod created;
mod draft;
mod forbidden;
mod fresh;
mod links;
mod open;
mod perform;
mod place;
mod repository;
mod settings;
mod shape;
mod shared_memory;
mod table;
mod waiters;
mod waiting;

use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use claw_policy::{Denial, FileId, Touch, TouchRequest};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag};

use self::call::{Change, New, Operation, Target};
use self::place::{Final, Object, Resolver};
use super::image::Base;
use super::process::Process;
use super::{FileAttempt, Supervisor, Watch};
use crate::opened;
use crate::repository::ORDER;
use crate::sys::notify::{Answer, Notification};
use crate::sys::rlimit::Resource;
use crate::sys::signal::signal_process;

pub(crate) use self::created::Created;
pub(crate) use self::links::Links;
pub(crate) use self::repository::Made;
pub(crate) use self::table::{calls, is_file_call};
pub(crate) use self::waiters::Waiters;

/// How often a call is begun anew because somebody changes its path meanwhile.
const ATTEMPTS: usize = 8;

const BUSY: &str = "denied: what a path leads to changes faster than it can be judged";

/// What came of a call.
enum Done {
    /// It returned this.
    Value(i64),
    /// It opened a file.
    File(OwnedFd, bool),
    /// It is answered by somebody else.
    Later,
    /// It gives no right, and the kernel may go on with it whatever it is about by then.
    Harmless,
}

/// Why a call was not made.
enum Refusal {
    /// As the kernel would.
    Errno(Errno),
    /// The policy.
    Denied { path: PathBuf, is_there: bool, denial: Denial },
    /// The path has changed meanwhile.
    Again,
    /// It depends on more than its own path, and nobody else may change that meanwhile.
    Alone,
    /// It has to be recorded first that this is allowed.
    Unrecorded { path: PathBuf, is_there: bool },
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

    /// Binds a socket of AF_UNIX to a name in a tree.
    pub(super) fn bind_in_tree(
        &self,
        notification: &Notification,
        process: Process<'_>,
        socket: Arc<OwnedFd>,
        path: &[u8],
    ) -> nix::Result<i64> {
        let target = Target::Path(Base::Cwd, path.to_owned());
        let operation = Operation::Make { target, what: New::Socket(socket, path.to_owned()) };
        match self.carry_out(notification, process, operation) {
            Ok(Done::Value(value)) => Ok(value),
            Ok(_) => Err(Errno::EACCES),
            // bind(2)
            Err(Errno::EEXIST) => Err(Errno::EADDRINUSE),
            Err(errno) => Err(errno),
        }
    }

    fn file(&self, notification: &Notification, process: Process<'_>) -> nix::Result<Done> {
        let operation = Operation::read(notification, process)?;
        self.carry_out(notification, process, operation)
    }

    fn carry_out(
        &self,
        notification: &Notification,
        process: Process<'_>,
        mut operation: Operation,
    ) -> nix::Result<Done> {
        let case = self
            .desk
            .lock()
            .as_ref()
            .map(|case| (case.watch.clone(), Arc::clone(&case.made), Arc::clone(&case.created)));
        let (watch, made, created) = case.ok_or(Errno::EACCES)?;
        shared_memory::make_private(&mut operation, watch.temporary.as_deref(), &watch.writable);
        let task = Task {
            supervisor: self,
            notification,
            process,
            watch: &watch,
            made: &made,
            created: &created,
            resolver: Resolver::new(process),
            recorded: RefCell::default(),
            is_alone: Cell::new(operation.goes_alone()),
        };
        for _ in 0..ATTEMPTS {
            match task.make(&operation) {
                Err(Refusal::Again) => {}
                Err(Refusal::Alone) => task.is_alone.set(true),
                Ok(done) => return Ok(done),
                Err(Refusal::Errno(errno)) => return Err(errno),
                Err(Refusal::Denied { path, is_there, denial }) => {
                    let attempt = task.attempt(&operation, &path, is_there);
                    task.record(&attempt, Err(denial))?;
                    return Err(Errno::EACCES);
                }
                // Nobody else waits for the log: what was judged is judged again.
                Err(Refusal::Unrecorded { path, is_there }) => {
                    task.record(&task.attempt(&operation, &path, is_there), Ok(()))?;
                    task.recorded.borrow_mut().push(path);
                }
            }
        }
        self.report(process, BUSY);
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
    made: &'a Arc<Made>,
    created: &'a Created,
    resolver: Resolver<'a>,
    // The paths of the changes that were recorded as allowed.
    recorded: RefCell<Vec<PathBuf>>,
    is_alone: Cell<bool>,
}

impl Task<'_> {
    fn make(&self, operation: &Operation) -> Result<Done> {
        if self.is_alone.get() {
            let _order = ORDER.write().unwrap_or_else(PoisonError::into_inner);
            self.dispatch(operation)
        } else {
            let _order = ORDER.read().unwrap_or_else(PoisonError::into_inner);
            self.dispatch(operation)
        }
    }

    fn alone(&self) -> Result<()> {
        if self.is_alone.get() { Ok(()) } else { Err(Refusal::Alone) }
    }

    fn dispatch(&self, operation: &Operation) -> Result<Done> {
        match operation {
            // What such a descriptor can be used for is asked about by itself.
            Operation::Open { flags, .. } if flags & libc::O_PATH != 0 => Ok(Done::Harmless),
            Operation::Open { target, flags, mode } => self.open(operation, target, (*flags, *mode)),
            Operation::Make { target, what } => {
                let place = self.resolver.place(target)?;
                if place.existing()?.is_some() {
                    return Err(Errno::EEXIST.into());
                }
                if let New::Node(mode, _) = what {
                    forbidden::judge(&place.path, forbidden::of_mode(*mode))?;
                }
                match self.judge(&place.path, None, Touch::Change) {
                    Err(Refusal::Denied { denial, .. }) if self.may_make_hooks(&denial, &place, what) => {}
                    judged => judged?,
                }
                if matches!(what, New::Symlink(_)) {
                    self.judge_link(&place.path)?;
                }
                let mark = self.judge_mark(&place)?;
                self.allowed(operation, &place.path, false)?;
                self.make_anew(operation, mark)?;
                let umask = if what.has_mode() { Some(self.process.umask()?) } else { None };
                if let New::Socket(socket, path) = what {
                    let (cwd, socket, path) = (self.process.directory()?, Arc::clone(socket), path.clone());
                    let mask = umask.unwrap_or(Mode::all());
                    // Its caller answers by itself.
                    let bind = move || perform::bind(&socket, &cwd, &path, mask);
                    return self.creating(|| self.have_done(bind).map(Done::Value));
                }
                self.make_entry(place, what.clone(), umask)
            }
            Operation::Remove { target, directory } => {
                let place = self.resolver.place(target)?;
                let object = place.existing()?.ok_or(Errno::ENOENT)?;
                match self.judge(&place.path, Some(object.id()), Touch::Remove) {
                    Err(Refusal::Denied { denial, .. }) if self.may_unmake(&denial, &place, &object) => {}
                    judged => judged?,
                }
                self.judge_unmark(&place.path)?;
                self.allowed(operation, &place.path, true)?;
                let directory = *directory;
                self.perform(move || perform::remove(&place, directory))
            }
            Operation::Rename { from, to, flags } => self.rename(operation, [from, to], *flags),
            Operation::Link { from, to, follow } => {
                let source = self.object(from, !follow)?;
                let place = self.resolver.place(to)?;
                if place.existing()?.is_some() {
                    return Err(Errno::EEXIST.into());
                }
                self.judge_object(&source, Touch::Change)?;
                self.judge(&place.path, None, Touch::Change)?;
                self.judge_link(&place.path)?;
                let mark = self.judge_mark(&place)?;
                self.allowed(operation, &place.path, false)?;
                self.make_anew(operation, mark)?;
                self.creating(|| self.perform(move || perform::link(&source, &place)))
            }
            Operation::Change { target, no_follow, change } => {
                self.change(operation, target, *no_follow, change)
            }
            Operation::Attribute { target, no_follow, name, room } => {
                let object = self.object(target, *no_follow)?;
                self.judge_object(&object, Touch::Read)?;
                self.attribute(object, name.clone(), *room)
            }
        }
    }

    // What is there.
    fn object(&self, target: &Target, no_follow: bool) -> Result<Object> {
        if no_follow {
            return Ok(self.resolver.place(target)?.existing()?.ok_or(Errno::ENOENT)?);
        }
        match self.resolver.follow(target)? {
            Final::Missing(_) => Err(Errno::ENOENT.into()),
            Final::Existing(object) => Ok(object),
        }
    }

    fn attribute(&self, object: Object, name: Option<CString>, (place, room): (u64, usize)) -> Result<Done> {
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        let read = hands.run(move || perform::attribute(&object, name.as_deref(), room));
        let (length, value) = read.ok_or(Errno::EACCES)??;
        self.waits()?;
        if !value.is_empty() {
            self.process.write(place, &value)?;
        }
        Ok(Done::Value(i64::try_from(length).unwrap_or_default()))
    }

    fn change(
        &self,
        operation: &Operation,
        target: &Target,
        no_follow: bool,
        change: &Change,
    ) -> Result<Done> {
        let object = self.object(target, no_follow)?;
        let touch = if matches!(change, Change::Truncate(_)) { Touch::Change } else { Touch::Metadata };
        match self.judge_object(&object, touch) {
            Err(Refusal::Denied { denial, .. }) if self.may_set_mode(&denial, &object, change) => {}
            judged => judged?,
        }
        let path = object.path.as_deref().unwrap_or(Path::new("(a file without a name)"));
        forbidden::judge(path, forbidden::of_change(change, object.kind()))?;
        if let Some(path) = &object.path {
            self.allowed(operation, path, true)?;
        }
        if let Change::Truncate(length) = change {
            self.check_size(&object, *length)?;
        }
        let change = change.clone();
        self.perform(move || perform::change(&object, change))
    }

    // The hands have no limit on the size of files, the caller may have one: as inode_newsize_ok in fs/attr.c.
    fn check_size(&self, object: &Object, length: i64) -> Result<()> {
        if object.kind() != SFlag::S_IFREG || length <= object.status.st_size {
            return Ok(());
        }
        let limit = Resource::FileSize.soft_limit_of(self.process.id())?;
        if u64::try_from(length).is_ok_and(|length| length <= limit) {
            return Ok(());
        }
        self.waits()?;
        signal_process(self.process.id(), Signal::SIGXFSZ);
        Err(Errno::EFBIG.into())
    }

    fn rename(&self, operation: &Operation, [from, to]: [&Target; 2], flags: u32) -> Result<Done> {
        let [from, to] = [self.resolver.place(from)?, self.resolver.place(to)?];
        let moved = from.existing()?.ok_or(Errno::ENOENT)?;
        let replaced = to.existing()?;
        if replaced.is_some() && flags & libc::RENAME_NOREPLACE != 0 {
            return Err(Errno::EEXIST.into());
        }
        self.judge(&from.path, Some(moved.id()), Touch::Remove)?;
        self.judge_unmark(&from.path)?;
        let exchanges = flags & libc::RENAME_EXCHANGE != 0;
        let id = replaced.as_ref().map(Object::id);
        let judged = self.judge(&to.path, id, Touch::Remove);
        match judged.and_then(|()| self.judge_part(&to.path, replaced.is_some())) {
            Err(Refusal::Denied { path, is_there, denial }) if !exchanges => {
                let files = [Some(&moved), replaced.as_ref()];
                let made = self.put_judged(operation, &denial, [&from, &to], files)?;
                return made.ok_or(Refusal::Denied { path, is_there, denial });
            }
            judged => judged?,
        }
        self.judge_members(&moved, &from.path, &to.path)?;
        let mut marks = vec![self.judge_mark(&to)?];
        if exchanges && let Some(replaced) = &replaced {
            self.judge_part(&from.path, true)?;
            marks.push(self.judge_mark(&from)?);
            self.judge_members(replaced, &to.path, &from.path)?;
        }
        self.allowed(operation, &to.path, true)?;
        for mark in marks {
            self.make_anew(operation, mark)?;
        }
        self.perform(move || perform::rename(&from, &to, flags))
    }

    // What moves, and everything in a directory, where it is and where it would be.
    fn judge_members(&self, object: &Object, from: &Path, to: &Path) -> Result<()> {
        if !object.is_directory() {
            return self.judge_link(to);
        }
        self.judge_links_in(from, to)?;
        let members = links::members(object).map_err(|_| Refusal::Denied {
            path: from.to_owned(),
            is_there: true,
            denial: links::unknown(from, "is moved, and what lies in it"),
        })?;
        for (name, id) in members {
            self.judge(&from.join(&name), Some(id), Touch::Remove)?;
            self.judge(&to.join(&name), None, Touch::Change)?;
            self.judge_moved(&name, to)?;
        }
        Ok(())
    }

    fn judge(&self, path: &Path, id: Option<FileId>, touch: Touch) -> Result<()> {
        if self.watch.temporary.as_ref().is_some_and(|temporary| path.starts_with(temporary)) {
            return Ok(());
        }
        let judged = self.watch.oversight.touch(&TouchRequest { path, id, touch });
        let is_there = id.is_some();
        judged.map_err(|denial| Refusal::Denied { path: path.to_owned(), is_there, denial })?;
        if matches!(touch, Touch::Change | Touch::Metadata) {
            self.judge_part(path, is_there)
        } else {
            Ok(())
        }
    }

    // An object by its own name, and by the others that it has.
    fn judge_object(&self, object: &Object, touch: Touch) -> Result<()> {
        let Some(path) = &object.path else { return Ok(()) };
        self.judge(path, Some(object.id()), touch)?;
        if touch != Touch::Read && object.has_other_names() {
            let links = &self.supervisor.links;
            if let Some((path, denial)) = links.denial(object.id(), path, self.watch) {
                return Err(Refusal::Denied { path, is_there: true, denial });
            }
        }
        Ok(())
    }

    fn allowed(&self, operation: &Operation, path: &Path, is_there: bool) -> Result<()> {
        let is_known = || self.recorded.borrow().iter().any(|known| known == path);
        if !self.watch.oversight.records_files() || operation.is_read() || is_known() {
            return Ok(());
        }
        Err(Refusal::Unrecorded { path: path.to_owned(), is_there })
    }

    fn attempt<'p>(&self, operation: &Operation, path: &'p Path, is_there: bool) -> FileAttempt<'p> {
        FileAttempt { caller: self.process.id(), action: operation.action(is_there), path }
    }

    // What is said about it goes to the run; what cannot be recorded does not happen.
    fn record(&self, attempt: &FileAttempt<'_>, judged: std::result::Result<(), Denial>) -> nix::Result<()> {
        self.watch.oversight.file(attempt, judged).map_err(|message| {
            self.supervisor.report(self.process, &message);
            Errno::EACCES
        })
    }

    // The call, and its answer: the caller goes on while this thread learns that it is done.
    fn perform(&self, work: impl FnOnce() -> nix::Result<i64> + Send + 'static) -> Result<Done> {
        let (listener, notification) = (Arc::clone(&self.supervisor.listener), *self.notification);
        self.have_done(move || {
            let value = work()?;
            listener.answer(&notification, Answer::Done(value));
            Ok(())
        })?;
        Ok(Done::Later)
    }

    // What was read is the caller's only if it still waits: its id could be another's by now.
    fn have_done<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> nix::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.waits()?;
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        Ok(hands.run(work).ok_or(Errno::EACCES)??)
    }

    fn waits(&self) -> Result<()> {
        if self.supervisor.listener.is_waiting(self.notification) { Ok(()) } else { Err(Errno::EINTR.into()) }
    }
}

/// The name under which this process has a descriptor.
fn own_name(file: impl AsFd) -> CString {
    CString::new(opened::own_name(file)).unwrap_or_default()
}
