//! `run`: a command inside the sandbox, with our streams.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use claw_policy::{Facts, Request, decide};
use claw_sandbox::approval::{self, ApprovalStore, Broker};
use claw_sandbox::audit::AuditLog;
use claw_sandbox::claw_wire::Context;
use claw_sandbox::{
    Access, Ahead, Child, Decision, Ending, Error, ErrorKind, Outcome as Ended, Policy, Sandbox,
    SandboxBuilder, Stream,
};

use serde_json::json;

use super::question::Terminal;
use crate::args::{AskBy, CommandArgs, PolicyArgs, RunArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::signals::Signals;
use crate::terminal::{self, Raw};
use crate::wire::{Answer, outcome};

/// Runs the command to its end. A program that asked for JSON gets errors as a line of it too.
pub(crate) fn run(args: &RunArgs) -> Outcome {
    match to_the_end(args) {
        Err(failure @ (Failure::Policy(_) | Failure::Line { .. })) if args.json => {
            output::complain(format_args!("{}\n", json!({ "error": failure.to_string() })));
            Ok(failure.exit())
        }
        outcome => outcome,
    }
}

fn to_the_end(args: &RunArgs) -> Outcome {
    let signals = Signals::hold(args.tty);
    let sandbox = sandbox(args, &signals)?;
    if !args.json {
        say_left_out(sandbox.policy(), args);
    }
    let outcome = run_in(&sandbox, &signals, args);
    sandbox.finish();
    outcome
}

fn run_in(sandbox: &Sandbox, signals: &Signals, args: &RunArgs) -> Outcome {
    let report = args.outcome.as_deref().map(|path| open(path, sandbox.policy())).transpose()?;
    match command(sandbox, args)?.spawn() {
        Ok(child) => {
            let child = Arc::new(child);
            let (exit, ended) = watch(sandbox, signals, &child, args.tty)?;
            write(report, &outcome::ended(exit, &ended, child.enforcement(), sandbox))?;
            Ok(exit)
        }
        Err(error) => {
            let exit = signals.exit().unwrap_or_else(|| exit_of_error(error.kind()));
            say_unrecorded(sandbox);
            write(report, &outcome::refused(exit, &error))?;
            refuse(args, error, exit)
        }
    }
}

/// Passes signals on until the end, and says why it came.
pub(super) fn watch(
    sandbox: &Sandbox,
    signals: &Signals,
    child: &Arc<Child>,
    tty: bool,
) -> Result<(Exit, Ended), Failure> {
    signals.forward(child);
    let ended = observe(child, tty)?;
    let exit = signals.exit().unwrap_or_else(|| exit_of(&ended));
    say_why(&ended);
    say_unrecorded(sandbox);
    Ok((exit, ended))
}

fn sandbox(args: &RunArgs, signals: &Signals) -> Result<Sandbox, Failure> {
    // On another processor, while the policy is read.
    let ahead = Ahead::begin()?;
    let policy = super::policy::of_args(&args.policy)?;
    let asking = Asking { by: args.ask, context: args.context.as_ref() };
    sandbox_of(policy, ahead, args.audit.as_deref(), signals, asking)
}

/// Who asks, and who is asked where the policy asks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asking<'a> {
    pub(super) by: AskBy,
    pub(super) context: Option<&'a Context>,
}

/// The sandbox with its audit log: the stated file, the policy's, or the default one.
pub(super) fn sandbox_of(
    policy: Policy,
    ahead: Ahead,
    audit: Option<&Path>,
    signals: &Signals,
    asking: Asking<'_>,
) -> Result<Sandbox, Failure> {
    let asks = policy.may_ask();
    let mut builder = recorded(policy, audit)?.one_shot().ahead(ahead);
    if let Some(context) = asking.context {
        builder = builder.in_context(context.clone());
    }
    // A policy that never asks needs no terminal and no store.
    if asks {
        let broker = || Broker::new(Broker::default_path());
        builder = match asking.by {
            AskBy::Terminal => match Terminal::open(signals.came()) {
                Some(terminal) => builder.approver(Arc::new(terminal)),
                None => builder,
            },
            AskBy::Broker => builder.broker(broker()),
            AskBy::Defer => builder.broker(broker().deferring()),
        };
        builder = remembering(builder);
    }
    Ok(builder.build()?)
}

/// The same, with what the user has allowed for always.
pub(super) fn remembering(builder: SandboxBuilder) -> SandboxBuilder {
    match approval::default_path() {
        Some(path) => builder.approvals(ApprovalStore::new(path)),
        None => builder,
    }
}

/// A sandbox that is recorded where it has to be.
pub(super) fn recorded(policy: Policy, audit: Option<&Path>) -> Result<SandboxBuilder, Failure> {
    let log = match audit {
        Some(path) => AuditLog::open_for(&policy, path).map(Some),
        None => AuditLog::of_policy(&policy),
    };
    let goes_on = policy.logging().continue_without_log;
    let builder = Sandbox::builder(policy);
    match log {
        Ok(Some(log)) => Ok(builder.audit(log)),
        Ok(None) => Ok(builder),
        // The policy may let runs go on without; that nothing was written is said in the end.
        Err(error) if goes_on => Ok(builder.audit_lost(&error)),
        Err(error) => Err(Failure::new(error)),
    }
}

fn command(sandbox: &Sandbox, args: &RunArgs) -> Result<claw_sandbox::Command, Failure> {
    let mut command = command_of(sandbox, &args.command, &args.policy)?;
    if args.tty {
        command.tty(terminal::size());
    }
    if let Some(timeout) = args.timeout {
        command.timeout(timeout);
    }
    Ok(command)
}

/// The command that the arguments name, where they say.
pub(super) fn command_of(
    sandbox: &Sandbox,
    args: &CommandArgs,
    policy: &PolicyArgs,
) -> Result<claw_sandbox::Command, Failure> {
    let mut command = match (&args.shell, args.command.split_first()) {
        (Some(line), _) => sandbox.shell(line),
        (None, Some((program, arguments))) => {
            let mut command = sandbox.command(program);
            command.args(arguments);
            command
        }
        (None, None) => return Err(super::nothing_asked()),
    };
    command.envs(super::variables(&args.env));
    if let Some(directory) = &policy.cwd {
        command.current_dir(directory);
    }
    Ok(command)
}

/// Waits for the end. While it lasts, a terminal of the run's own gets what is typed into ours.
fn observe(child: &Child, tty: bool) -> Result<Ended, Failure> {
    let raw = tty.then(Raw::enter).transpose();
    if raw.is_err() {
        child.kill();
    }
    let ended = child.observe()?;
    raw.map(|_| ended)
}

/// Says, in a few lines or as one line of JSON, why nothing was started.
fn refuse(args: &RunArgs, error: Error, exit: Exit) -> Outcome {
    match error.denial() {
        Some(denial) if args.json => {
            let decision = Decision::Deny(denial.clone());
            let answer = serde_json::to_string(&Answer::new(None, &decision)).map_err(Failure::new)?;
            output::complain(format_args!("{answer}\n"));
            Ok(exit)
        }
        Some(_) => {
            output::say_denial(&error);
            Ok(exit)
        }
        None => Err(match Failure::from(error) {
            Failure::Line { line, .. } if exit == Exit::NotFound => {
                Failure::Line { line: line + &seen_elsewhere(&args.command), exit }
            }
            failure => failure.with_exit(exit),
        }),
    }
}

/// Where the caller's own `PATH` has the program: a toolchain of theirs, mostly.
fn seen_elsewhere(command: &CommandArgs) -> String {
    let Some(name) = command.command.first().filter(|name| !name.as_encoded_bytes().contains(&b'/')) else {
        return String::new();
    };
    let paths = env::var_os("PATH").unwrap_or_default();
    let is_program = |directory: &PathBuf| {
        directory.is_absolute()
            && fs::metadata(directory.join(name))
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let found = env::split_paths(&paths).find(is_program);
    found.map_or_else(String::new, |directory| {
        format!(", and `PATH` has it in {}", output::visible(directory.as_os_str().as_bytes()))
    })
}

/// A variable that was asked for by name is not left out without a word.
fn say_left_out(policy: &Policy, args: &RunArgs) {
    for (name, _) in super::variables(&args.command.env) {
        let asked = Request::Environment(name.as_bytes());
        if let Ok(Decision::Deny(denial)) = decide(policy, &Facts::default(), asked)
            && let Some(reason) = denial.reasons.first()
        {
            let step = reason.next_step().map(|step| format!("; to pass it: {step}")).unwrap_or_default();
            let line = format!("`--env` is left out: {}{step}", reason.message);
            output::say(output::visible(line.as_bytes()));
        }
    }
}

/// The policy lets runs go on without a log, but not unnoticed.
fn say_unrecorded(sandbox: &Sandbox) {
    if let Some(reason) = sandbox.unrecorded_because() {
        let events = if sandbox.unrecorded() == 1 { "event is" } else { "events are" };
        output::say(format_args!("{} {events} missing in the audit log: {reason}", sandbox.unrecorded()));
    }
}

/// The command's own end needs no word of ours; ours does.
fn say_why(ended: &Ended) {
    match ended.ending {
        Ending::TimedOut => output::say(format_args!(
            "the run was ended: it took longer than its time limit, {:.1} s",
            ended.wall.as_secs_f64()
        )),
        Ending::OutputLimit(Stream::Stdout) => {
            output::say("the run was ended: standard output grew beyond its limit")
        }
        Ending::OutputLimit(_) => output::say("the run was ended: standard error grew beyond its limit"),
        Ending::ProcessLimit => output::say("the run was ended: it had more processes than its limit"),
        Ending::CpuLimit => output::say("the run was ended: it used more CPU time than its limit"),
        Ending::MemoryLimit => output::say("the run was ended: it had more in memory than its limit"),
        Ending::DiskLimit => output::say("the run was ended: it wrote more to disk than its limit"),
        Ending::NewFilesLimit => output::say("the run was ended: it made more files than its limit"),
        Ending::FileSizeLimit => {
            output::say("the run was ended: it wrote a file beyond the limit on its size")
        }
        _ => {}
    }
}

fn exit_of(ended: &Ended) -> Exit {
    match (ended.ending, ended.status) {
        (Ending::TimedOut, _) => Exit::TimedOut,
        (_, Some(status)) => exit_of_status(status),
        // Somebody else took the status; the run is over and we do not know how.
        (_, None) => Exit::CannotEnforce,
    }
}

fn exit_of_status(status: ExitStatus) -> Exit {
    let number = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(number(code)),
        (None, signal) => Exit::of_signal(number(signal.unwrap_or(0))),
    }
}

pub(super) const fn exit_of_error(kind: ErrorKind) -> Exit {
    match kind {
        // A shell says 126 too for a file that it cannot run.
        ErrorKind::Denied | ErrorKind::NotExecutable => Exit::Denied,
        ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::CannotEnforce,
    }
}

/// Opened before the run: it must not start in vain, and what the run does to the path must not matter.
///
/// A run could have left a link or a pipe where commands may write, so the file must not be there.
fn open(path: &Path, policy: &Policy) -> Result<File, Failure> {
    let failed = |error: &io::Error| {
        Failure::io("cannot write the outcome", path, error, "name a regular file that can be written")
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = directory.canonicalize().map_err(|error| failed(&error))?;
    let exposed = policy
        .roots()
        .filter(|(_, access)| *access == Access::Write)
        .filter_map(|(root, _)| root.canonicalize().ok())
        .any(|root| directory.starts_with(root));
    if exposed {
        return Err(Failure::new(format_args!(
            "the outcome lies where commands can write: {}; name a file outside of the workspace",
            path.display()
        )));
    }
    let name = path.file_name().unwrap_or_default();
    let mut options = File::options();
    options.write(true).create(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(directory.join(name)).map_err(|error| failed(&error))?;
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        return Err(failed(&io::Error::from_raw_os_error(libc::EINVAL)));
    }
    file.set_len(0).map_err(|error| failed(&error))?;
    Ok(file)
}

fn write(file: Option<File>, report: &serde_json::Value) -> Result<(), Failure> {
    let Some(mut file) = file else { return Ok(()) };
    let mut text = serde_json::to_vec_pretty(report).map_err(Failure::new)?;
    text.push(b'\n');
    file.write_all(&text).map_err(|error| {
        Failure::new(format_args!("cannot write the outcome: {error}; make room and run again"))
    })
}
