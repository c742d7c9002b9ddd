//! `open`, which follows links, creates, waits for other ends and means something else for a terminal.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use claw_policy::Touch;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, OFlag, fcntl, openat};
use nix::sys::stat::{Mode, SFlag, major, minor};

use super::call::{Operation, Target};
use super::place::{Final, Object};
use super::{Done, Refusal, Result, Task, answer_with, forbidden, own_name, perform};
use crate::sys::notify::Answer;

/// How often it is looked whether the other end of a FIFO is there, and whether the caller still is.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const INTERVAL: Duration = Duration::from_millis(50);
// Documentation/admin-guide/devices.txt.
const MEMORY_MAJOR: u64 = 1;
const CURRENT_TERMINAL: (u64, u64) = (5, 0);
const TERMINAL_MAJOR: u64 = 5;
const PTY_SLAVE_MAJORS: std::ops::RangeInclusive<u64> = 136..=143;

const MANY: &str = "denied: too many opens of this run wait for somebody at the other end";

impl Task<'_> {
    pub(super) fn open(
        &self,
        operation: &Operation,
        target: &Target,
        (flags, mode): (i32, u32),
    ) -> Result<Done> {
        let given = OFlag::from_bits_retain(flags);
        let close_on_exec = given.contains(OFlag::O_CLOEXEC);
        let creates = given.contains(OFlag::O_CREAT) && !given.contains(OFlag::O_PATH);
        let exclusive = creates && given.contains(OFlag::O_EXCL);
        let is_slashed = matches!(target, Target::Path(_, path) if path.ends_with(b"/"));
        if creates && given.contains(OFlag::O_DIRECTORY) {
            return Err(Errno::EINVAL.into());
        }
        if creates && is_slashed {
            return Err(Errno::EISDIR.into());
        }
        let found = if exclusive || given.contains(OFlag::O_NOFOLLOW) && !is_slashed {
            let place = self.resolver.place(target)?;
            match place.existing()? {
                None => Final::Missing(place),
                Some(_) if exclusive => return Err(Errno::EEXIST.into()),
                Some(object) => Final::Existing(object),
            }
        } else {
            self.resolver.follow(target)?
        };
        let touch = if operation.is_read() { Touch::Read } else { Touch::Change };
        match found {
            Final::Missing(_) if !creates => Err(Errno::ENOENT.into()),
            Final::Missing(place) => {
                forbidden::judge(&place.path, forbidden::of_mode(mode))?;
                match self.judge(&place.path, None, Touch::Change) {
                    Err(Refusal::Denied { denial, .. }) if self.may_make_sample(&denial, &place) => {}
                    Err(Refusal::Denied { path, is_there, denial }) => {
                        let made = self.make_part(operation, &denial, &place, (given, mode))?;
                        return made.ok_or(Refusal::Denied { path, is_there, denial });
                    }
                    judged => judged?,
                }
                let mark = self.judge_mark(&place)?;
                self.allowed(operation, &place.path, false)?;
                self.make_anew(operation, mark)?;
                let mask = self.process.umask()?;
                self.creating(|| {
                    self.opened(close_on_exec, move || perform::create(&place, given, mode, mask))
                })
            }
            // The object that was judged, whatever its name leads to by now.
            Final::Existing(object) => {
                self.judge_open(operation, &object, touch, creates)?;
                if let Some(done) = self.device(&object, given, close_on_exec)? {
                    return Ok(done);
                }
                if given.contains(OFlag::O_TMPFILE) {
                    let path = object.path.as_deref().unwrap_or(Path::new("."));
                    forbidden::judge(path, forbidden::of_mode(mode))?;
                    let mask = self.process.umask()?;
                    let make = move || perform::reopen(&object, given, mode, Some(mask));
                    return self.creating(|| self.opened(close_on_exec, make));
                }
                self.opened(close_on_exec, move || perform::reopen(&object, given, mode, None))
            }
        }
    }

    fn judge_open(&self, operation: &Operation, object: &Object, touch: Touch, creates: bool) -> Result<()> {
        // An existing file that is opened to be read with O_CREAT is only read.
        let Operation::Open { flags, .. } = operation else { return Ok(()) };
        let only_reads = creates && flags & (libc::O_ACCMODE | libc::O_TRUNC) == 0;
        self.judge_object(object, if only_reads { Touch::Read } else { touch })?;
        match &object.path {
            Some(path) if !only_reads => self.allowed(operation, path, true),
            _ => Ok(()),
        }
    }

    pub(super) fn opened(
        &self,
        close_on_exec: bool,
        work: impl FnOnce() -> nix::Result<OwnedFd> + Send + 'static,
    ) -> Result<Done> {
        self.waits()?;
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        match hands.run(work).ok_or(Errno::EACCES)? {
            Ok(file) => Ok(Done::File(file, close_on_exec)),
            Err(Errno::ESTALE) => Err(Refusal::Again),
            Err(errno) => Err(errno.into()),
        }
    }

    // What is no file with content of its own.
    fn device(&self, object: &Object, flags: OFlag, close_on_exec: bool) -> Result<Option<Done>> {
        let number = (major(object.status.st_rdev), minor(object.status.st_rdev));
        match object.kind() {
            _ if flags.contains(OFlag::O_PATH) => Ok(None),
            SFlag::S_IFCHR if number == CURRENT_TERMINAL => self.terminal(flags, close_on_exec).map(Some),
            SFlag::S_IFCHR
                if [MEMORY_MAJOR, TERMINAL_MAJOR].contains(&number.0)
                    || PTY_SLAVE_MAJORS.contains(&number.0) =>
            {
                Ok(None)
            }
            SFlag::S_IFIFO | SFlag::S_IFCHR | SFlag::S_IFBLK => {
                self.waiting(object, flags, close_on_exec).map(Some)
            }
            _ => Ok(None),
        }
    }

    // `/dev/tty` is the caller's terminal, not ours.
    fn terminal(&self, flags: OFlag, close_on_exec: bool) -> Result<Done> {
        let number = self.process.terminal()?;
        if !PTY_SLAVE_MAJORS.contains(&major(number)) {
            return Err(Errno::ENXIO.into());
        }
        // 256 of them have one major number.
        let index = (major(number) - PTY_SLAVE_MAJORS.start()) * 256 + minor(number);
        let flags = flags | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let path = format!("/dev/pts/{index}");
        self.opened(close_on_exec, move || openat(AT_FDCWD, path.as_str(), flags, Mode::empty()))
    }

    // An open that may wait for somebody gets a thread, which ends with its caller.
    fn waiting(&self, object: &Object, flags: OFlag, close_on_exec: bool) -> Result<Done> {
        self.waits()?;
        let waiter = self.supervisor.waiters.one_more().inspect_err(|_| {
            self.supervisor.report(self.process, MANY);
        })?;
        let hands = self.supervisor.hands.as_ref().ok_or(Errno::EACCES)?;
        let [file, watched] =
            [object.file.try_clone(), object.file.try_clone()].map(|file| file.map_err(|_| Errno::ENFILE));
        let (file, watched) = (file?, watched?);
        let [listener, failing, watching] = std::array::from_fn(|_| Arc::clone(&self.supervisor.listener));
        let notification = *self.notification;
        let flags = (flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY) & !(OFlag::O_NOFOLLOW | OFlag::O_CREAT);
        let waits_for_end = object.kind() == SFlag::S_IFIFO && !flags.contains(OFlag::O_NONBLOCK);
        let access = flags & OFlag::O_ACCMODE;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let work = move || {
            let waiter = waiter;
            let opened = if waits_for_end && access == OFlag::O_WRONLY {
                open_for_reader(&file, flags, || listener.is_waiting(&notification))
            } else {
                openat(AT_FDCWD, own_name(&file).as_c_str(), flags, Mode::empty())
            };
            over.store(true, Ordering::Release);
            // Before the answer: who gets it may wait again at once.
            drop(waiter);
            match opened {
                Ok(opened) => answer_with(&listener, &notification, &opened, close_on_exec),
                Err(errno) => {
                    listener.answer(&notification, Answer::Fail(errno));
                }
            }
        };
        let failed = move || {
            failing.answer(&notification, Answer::Fail(Errno::EAGAIN));
        };
        hands.detach(work, failed);
        if waits_for_end && access == OFlag::O_RDONLY {
            let release = move || {
                while !is_over.load(Ordering::Acquire) {
                    if !watching.is_waiting(&notification) {
                        // The other end is there for a moment, so that our thread does not wait for it any more.
                        let end = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
                        drop(openat(AT_FDCWD, own_name(&watched).as_c_str(), end, Mode::empty()));
                    }
                    std::thread::sleep(INTERVAL);
                }
            };
            hands.detach(release, || {});
        }
        Ok(Done::Later)
    }
}

// Waits for a reader without being a writer that somebody else could wait for.
fn open_for_reader(file: &OwnedFd, flags: OFlag, waits: impl Fn() -> bool) -> nix::Result<OwnedFd> {
    let mut pause = FIRST_PAUSE;
    // Asked each time before: a reader that we meet for nobody would see the end of a file.
    while waits() {
        match openat(AT_FDCWD, own_name(file).as_c_str(), flags | OFlag::O_NONBLOCK, Mode::empty()) {
            Ok(opened) => {
                fcntl(&opened, FcntlArg::F_SETFL(flags & !OFlag::O_CLOEXEC))?;
                return Ok(opened);
            }
            Err(Errno::ENXIO) => std::thread::sleep(pause),
            Err(errno) => return Err(errno),
        }
        pause = (pause * 2).min(INTERVAL);
    }
    Err(Errno::EINTR)
}
