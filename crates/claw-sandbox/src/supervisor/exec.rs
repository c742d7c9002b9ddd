//! The answers to `execve` and `execveat`.
#![forbid(unsafe_code)]

use std::sync::Arc;

use claw_policy::{FileId, Role};
use nix::errno::Errno;

use super::image::{ExecCall, Image};
use super::oversight::{ExecAttempt, Inquiry, Judgement, Verdict};
use super::process::Process;
use super::stop::{self, Arrival};
use super::{Case, Supervisor, Watch};
use crate::sys::notify::{Answer, Listener, Notification};
use crate::terminal::RunTerminal;
use crate::told::one_line;

const LOST: &str = "killed: what a process executed was not what had been allowed: program or arguments had changed in between";
const UNKNOWN: &str = "denied: a process executes a program, and it is not known which command it belongs to";

/// An exec that is known and whose judgement may take a while. Its caller waits.
#[derive(Debug)]
pub(super) struct Pending {
    notification: Notification,
    watch: Watch,
    attempt: Arc<ExecAttempt>,
    // What the kernel will have made of it.
    executable: FileId,
    committed: Vec<u8>,
}

impl Pending {
    /// The terminal of the caller's run.
    pub(super) const fn terminal(&self) -> Option<&RunTerminal> {
        self.watch.terminal.as_ref()
    }

    /// Whether the caller still waits.
    pub(super) fn waits(&self, listener: &Listener) -> bool {
        listener.is_waiting(&self.notification)
    }
}

impl Supervisor<'_> {
    pub(super) fn answer_exec(&self, notification: &Notification) {
        let process = self.files.thread(notification.thread);
        if let Err(errno) = self.exec(notification, process) {
            self.listener.answer(notification, Answer::Fail(errno));
        }
    }

    /// Goes on with what a person was asked about.
    pub(super) fn answer_settled(&self, pending: &Pending, verdict: Verdict) {
        if let Err(errno) = self.conclude(pending, verdict) {
            self.listener.answer(&pending.notification, Answer::Fail(errno));
        }
    }

    // An error is the caller's answer.
    fn exec(&self, notification: &Notification, process: Process<'_>) -> nix::Result<()> {
        let Some((watch, role)) = self.caller(process)? else {
            self.listener.answer(notification, Answer::Continue);
            return Ok(());
        };
        let call = ExecCall::read(notification, process)?;
        let Image { program, cwd, executable, committed } = call.resolve(process, &watch)?;
        let attempt = ExecAttempt { caller: process.id(), role, program, argv: call.argv, cwd };
        let notification = *notification;
        let pending = Pending { notification, watch, attempt: Arc::new(attempt), executable, committed };
        // What was read was the caller's only if it still waits: its id could be another's by now.
        self.still_waits(&pending)?;
        match pending.watch.oversight.exec(&pending.attempt) {
            Judgement::Decided(verdict) => self.conclude(&pending, verdict),
            Judgement::Ask(inquiry) => self.put_question(pending, inquiry),
        }
    }

    fn put_question(&self, pending: Pending, inquiry: Inquiry) -> nix::Result<()> {
        let open = case_of(&mut self.desk.lock(), &pending.watch).map(|case| case.questions.clone());
        let open = open.ok_or(Errno::EACCES)?;
        self.questions.put(pending, inquiry, &open, &self.listener).or_else(|pending| {
            let verdict = pending.watch.oversight.unasked(&pending.attempt);
            self.conclude(&pending, verdict)
        })
    }

    fn conclude(&self, pending: &Pending, verdict: Verdict) -> nix::Result<()> {
        // A question may have outlived its caller, or its run, and the desk be another's by now.
        self.still_waits(pending)?;
        let is_watched = case_of(&mut self.desk.lock(), &pending.watch).is_some();
        let process = self.files.thread(pending.notification.thread);
        match verdict {
            _ if !is_watched => Err(Errno::EACCES),
            Verdict::Deny(message) => {
                self.report(process, &message);
                Err(Errno::EACCES)
            }
            Verdict::Allow(next) if pending.watch.verify => self.run_verified(pending, process, next),
            Verdict::Allow(next) => {
                if let Some(case) = case_of(&mut self.desk.lock(), &pending.watch) {
                    case.roles.note_program(pending.executable, next);
                }
                self.listener.answer(&pending.notification, Answer::Continue);
                Ok(())
            }
        }
    }

    fn still_waits(&self, pending: &Pending) -> nix::Result<()> {
        if pending.waits(&self.listener) { Ok(()) } else { Err(Errno::ESRCH) }
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

    fn run_verified(&self, pending: &Pending, process: Process<'_>, role: Role) -> nix::Result<()> {
        let seized = stop::seize(process.id()).map_err(|errno| {
            // Who was killed meanwhile was denied nothing: it cannot be seized because it is on its way out.
            if self.still_waits(pending).is_ok() {
                self.report(process, &format!("denied: an exec cannot be verified on this host: {errno}"));
            }
            Errno::EACCES
        })?;
        let is_callers = self.listener.answer(&pending.notification, Answer::Continue);
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
                if executable == pending.executable && arguments == pending.committed =>
            {
                if let Some(case) = case_of(&mut self.desk.lock(), &pending.watch) {
                    case.roles.note(mark, role);
                }
                held.release();
            }
            Ok(_) => {
                held.kill();
                pending.watch.oversight.lost_race(&pending.attempt);
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
        let is_news = case.denials.add(id, &one_line(message));
        let reporter = Arc::clone(&case.reporter);
        drop(desk);
        if is_news {
            reporter.say(message);
        }
    }
}

// The run on the desk, if it is still the one that `watch` belongs to.
fn case_of<'c>(case: &'c mut Option<Case>, watch: &Watch) -> Option<&'c mut Case> {
    case.as_mut().filter(|case| Arc::ptr_eq(&case.watch.oversight, &watch.oversight))
}
