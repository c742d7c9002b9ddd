//! The answers to `execve` and `execveat`.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::image::{ExecCall, Image};
use super::oversight::{ExecAttempt, Verdict};
use super::process::Process;
use super::stop::{self, Arrival};
use super::{Role, Supervisor, Watch};
use crate::sys::notify::{Answer, Notification};

const LOST: &str = "killed: what a process executed was not what had been allowed: program or arguments had changed in between";
// How long a line for a full standard error waits for its reader.
const PATIENCE_MS: u8 = 100;

// Who makes an `execve`.
enum Caller {
    // The child that becomes the run's first process: it runs our code until then.
    Ours,
    Process(Role),
}

impl Supervisor<'_> {
    pub(super) fn answer_exec(&self, notification: &Notification) {
        let process = self.files.thread(notification.thread);
        if let Err(errno) = self.exec(notification, process) {
            self.listener.answer(notification, Answer::Fail(errno));
        }
    }

    // An error is the caller's answer.
    fn exec(&self, notification: &Notification, process: Process<'_>) -> nix::Result<()> {
        let (watch, caller) = self.caller(process)?;
        let call = ExecCall::read(notification, process)?;
        let image = call.resolve(process)?;
        // What was read was the caller's only if it still waits: its id could be another's by now.
        if !self.listener.is_waiting(notification) {
            return Ok(());
        }
        let (role, is_first) = match &caller {
            Caller::Ours => (&watch.role, true),
            Caller::Process(role) => (role, false),
        };
        let attempt = ExecAttempt {
            caller: process.id(),
            role,
            program: &image.program,
            argv: &call.argv,
            cwd: &image.cwd,
        };
        // The first program was decided and recorded before the run began.
        let verdict =
            if is_first { Verdict::Allow(Role::clone(role)) } else { watch.oversight.exec(&attempt) };
        match verdict {
            Verdict::Deny(message) => {
                self.report(process, &message);
                Err(Errno::EACCES)
            }
            Verdict::Allow(next) if watch.verify => {
                self.run_verified(notification, process, &image, next, || watch.oversight.lost_race(&attempt))
            }
            Verdict::Allow(next) => {
                if let Some(case) = self.desk.lock().as_mut() {
                    case.roles.note_program(image.executable, next);
                }
                self.listener.answer(notification, Answer::Continue);
                Ok(())
            }
        }
    }

    fn caller(&self, process: Process<'_>) -> nix::Result<(Watch, Caller)> {
        let mark = process.mark()?;
        let case = self.desk.lock();
        let case = case.as_ref().ok_or(Errno::EACCES)?;
        if mark == self.own {
            return Ok((case.watch.clone(), Caller::Ours));
        }
        let role = match case.roles.of(&mark) {
            None if !case.watch.verify => case.roles.of_program(process.executable()?),
            role => role,
        };
        let caller = role.map(|role| Caller::Process(Role::clone(role)));
        caller.map(|caller| (case.watch.clone(), caller)).ok_or(Errno::EACCES)
    }

    fn run_verified(
        &self,
        notification: &Notification,
        process: Process<'_>,
        image: &Image,
        role: Role,
        lost: impl FnOnce(),
    ) -> nix::Result<()> {
        let seized = stop::seize(process.id()).map_err(|errno| {
            self.report(process, &format!("denied: an exec cannot be verified on this host: {errno}"));
            Errno::EACCES
        })?;
        self.listener.answer(notification, Answer::Continue);
        let Arrival::Committed(held) = seized.arrive() else { return Ok(()) };
        let held_process = self.files.thread(held.id());
        let found = held_process.executable().and_then(|executable| {
            Ok((executable, held_process.committed_arguments()?, held_process.mark()?))
        });
        match found {
            Ok((executable, arguments, mark))
                if executable == image.executable && arguments == image.committed =>
            {
                if let Some(case) = self.desk.lock().as_mut() {
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

// A line is written whole or not at all, and a reader that does not read holds up nothing for long.
fn write_line(stderr: &OwnedFd, message: &str) {
    let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut fds, PollTimeout::from(PATIENCE_MS)).is_ok_and(|ready| ready > 0) {
        let line = format!("claw-sandbox: {message}\n");
        let _ = nix::unistd::write(stderr, line.as_bytes());
    }
}
