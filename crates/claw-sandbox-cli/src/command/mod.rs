//! One file per command.

mod approvals;
mod audit;
mod check;
mod checkpoint;
mod completions;
mod doctor;
mod hook;
mod import;
mod init;
mod jsonl;
mod judge;
mod kernel;
mod learn;
mod lint;
mod man;
mod policy;
mod question;
mod run;
mod schema;
mod secrets;
mod serve;
pub(crate) mod stand_in;
mod subset;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::args::{self, Command, ImportCommand, PolicyCommand, SecretsCommand, ShellCommand};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Runs the command that the arguments name.
pub(crate) fn dispatch(command: Option<Command>) -> Outcome {
    let Some(command) = command else {
        output::print(args::short_help())?;
        return Ok(Exit::Success);
    };
    match command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Explain(args) => check::explain(&args),
        Command::Learn(args) => learn::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Approvals(args) => approvals::list(&args),
        Command::Approve(args) => approvals::approve(&args),
        Command::Deny(args) => approvals::deny(&args),
        Command::Audit(command) => audit::run(&command),
        Command::Lint(args) => lint::run(&args),
        Command::Policy(PolicyCommand::Subset(args)) => subset::run(&args),
        Command::Secrets(SecretsCommand::Scan(args)) => secrets::scan(&args),
        Command::Schema(args) => schema::run(args.of),
        Command::Init(args) => init::run(&args),
        Command::Import(ImportCommand::OpenClaw(args)) => import::run(&args),
        Command::Checkpoint(command) => checkpoint::run(&command),
        Command::Shell(ShellCommand::Install(args)) => stand_in::install::run(&args),
        Command::Hook(args) => hook::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::StandIn(args) => stand_in::of_script(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// The directory of the arguments, absolute; ours when none is given.
///
/// People write `../x` and links. The policy wants to know what is meant; what does not exist stays as written
/// for the message about it.
fn directory(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let ours = || {
        env::current_dir().map_err(|error| {
            Failure::io(
                "the current directory cannot be used",
                Path::new("."),
                &error,
                "change to one that exists",
            )
        })
    };
    let Some(given) = given else { return ours() };
    match fs::canonicalize(given) {
        Ok(real) => Ok(real),
        Err(_) if given.is_absolute() => Ok(given.to_owned()),
        Err(_) => Ok(ours()?.join(given)),
    }
}

/// `NAME=VALUE` as it is, `NAME` with our own value when there is one.
fn variables(given: &[OsString]) -> impl Iterator<Item = (OsString, OsString)> {
    given.iter().filter_map(|text| {
        let bytes = text.as_bytes();
        match bytes.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                let (name, value) = (bytes.get(..at)?, bytes.get(at + 1..)?);
                Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
            }
            None => Some((text.clone(), env::var_os(text)?)),
        }
    })
}

fn nothing_asked() -> Failure {
    Failure::new(
        "no command: nothing to run or judge was given; name one after `--`, or a line with `--shell`",
    )
}
