//! The answers to `execve` and `execveat`.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use claw_policy::Role;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::image::{ExecCall, Image};
use super::oversight::{ExecAttempt, Verdict};
use super::process::Process;
use super::stop::{self, Arrival};
use super::{Case, Supervisor, Watch};
use crate::sys::notify::{Answer, Notification};

const LOST: &str = "killed: what a process executed was not what had been allowed: program or arguments had changed in between";
const UNKNOWN: &str = "denied: a process executes a program, and it is not known which command it belongs to";
// How long a line for a full standard error waits for its reader.
const PATIENCE_MS: u8 = 100;
const LINE_BYTES: usize = 4096;

impl Supervisor<'_> {
    pub(super) fn answer_exec(&self, notification: &Notification) {
        let process = self.files.thread(notification.thread);
        if let Err(errno) = self.exec(notification, process) {
            self.listener.answer(notification, Answer::Fail(errno));
        }
    }

    // An error is the caller's answer.
    fn exec(&self, notification: &Notification, process: Process<'_>) -> nix::Result<()> {
        let Some((watch, role)) = self.caller(process)? else {
            self.listener.answer(notification, Answer::Continue);
            return Ok(());
        };
        let call = ExecCall::read(notification, process)?;
        let image = call.resolve(process, &watch)?;
        // What was read was the caller's only if it still waits: its id could be another's by now.
        if !self.listener.is_waiting(notification) {
            return Ok(());
        }
        let attempt = ExecAttempt {
            caller: process.id(),
            role: &role,
            program: &image.program,
            argv: &call.argv,
            cwd: &image.cwd,
        };
        match watch.oversight.exec(&attempt) {
            Verdict::Deny(message) => {
                // A question may have outlived its run, and the desk be another's by now.
                if self.is_watched_by(&watch) {
                    self.report(process, &message);
                }
                Err(Errno::EACCES)
            }
            Verdict::Allow(next) if watch.verify => {
                let lost = || watch.oversight.lost_race(&attempt);
                self.run_verified(notification, process, &watch, &image, next, lost)
            }
            Verdict::Allow(next) => {
                if let Some(case) = case_of(&mut self.desk.lock(), &watch) {
                    case.roles.note_program(image.executable, next);
                }
                self.listener.answer(notification, Answer::Continue);
                Ok(())
            }
        }
    }

    // Who judges, and what the caller is. `None` for the child that becomes the run's first process: it runs our
    // code until then, in our memory, and its program was decided and recorded before.
    fn caller(&self, process: Process<'_>) -> nix::Result<Option<(Watch, Role)>> {
        let mark = process.mark()?;
        let mut desk = self.desk.lock();
        let case = desk.as_mut().ok_or(Errno::EACCES)?;
        if mark == self.own {
            return Ok(None);
        }
        // Before the first call of a run there is one execution only, the first program's: who calls is it, or was
        // forked from it.
        if case.roles.is_empty() {
            case.roles.note(mark.clone(), Role::clone(&case.watch.role));
        }
        let role = match case.roles.of(&mark) {
            None if !case.watch.verify => case.roles.of_program(process.executable()?),
            role => role,
        };
        if let Some(role) = role {
            return Ok(Some((case.watch.clone(), Role::clone(role))));
        }
        drop(desk);
        self.report(process, UNKNOWN);
        Err(Errno::EACCES)
    }

    fn run_verified(
        &self,
        notification: &Notification,
        process: Process<'_>,
        watch: &Watch,
        image: &Image,
        role: Role,
        lost: impl FnOnce(),
    ) -> nix::Result<()> {
        let seized = stop::seize(process.id()).map_err(|errno| {
            self.report(process, &format!("denied: an exec cannot be verified on this host: {errno}"));
            Errno::EACCES
        })?;
        let is_callers = self.listener.answer(notification, Answer::Continue);
        let Arrival::Committed(held) = seized.arrive() else { return Ok(()) };
        if !is_callers {
            // The caller died meanwhile, and its id was given to a process that is no business of ours.
            held.release();
            return Ok(());
        }
        let held_process = self.files.thread(held.id());
        let found = held_process.executable().and_then(|executable| {
            Ok((executable, held_process.committed_arguments()?, held_process.mark()?))
        });
        match found {
            Ok((executable, arguments, mark))
                if executable == image.executable && arguments == image.committed =>
            {
                if let Some(case) = case_of(&mut self.desk.lock(), watch) {
                    case.roles.note(mark, role);
                }
                held.release();
            }
            Ok(_) => {
                held.kill();
                lost();
                self.report(process, LOST);
            }
            // It is being killed by somebody else, or shows nothing of itself.
            Err(_) => held.kill(),
        }
        Ok(())
    }

    fn is_watched_by(&self, watch: &Watch) -> bool {
        case_of(&mut self.desk.lock(), watch).is_some()
    }

    // Tells the run's standard error and the record.
    pub(super) fn report(&self, process: Process<'_>, message: &str) {
        let mut desk = self.desk.lock();
        let Some(case) = desk.as_mut() else { return };
        let id = process.id().as_raw().unsigned_abs();
        let stderr = case.stderr.as_ref().and_then(|stderr| stderr.try_clone().ok());
        let is_first = case.denials.add(id, message);
        drop(desk);
        if let Some(stderr) = stderr.filter(|_| is_first) {
            write_line(&stderr, message);
        }
    }
}

// The run on the desk, if it is still the one that `watch` belongs to.
fn case_of<'c>(case: &'c mut Option<Case>, watch: &Watch) -> Option<&'c mut Case> {
    case.as_mut().filter(|case| Arc::ptr_eq(&case.watch.oversight, &watch.oversight))
}

// A line is written whole or not at all, and a reader that does not read holds up nothing for long.
fn write_line(stderr: &OwnedFd, message: &str) {
    let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut fds, PollTimeout::from(PATIENCE_MS)).is_ok_and(|ready| ready > 0) {
        let mut line = format!("claw-sandbox: {message}").into_bytes();
        // What POLLOUT promises room for (PIPE_BUF).
        line.truncate(LINE_BYTES - 1);
        line.push(b'\n');
        let _ = nix::unistd::write(stderr, &line);
    }
}
