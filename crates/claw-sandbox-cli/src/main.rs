//! The `claw-sandbox` command: reads arguments, calls the library, prints.
//!
//! No decision is made here. `args` is the command line, each file in `command` is one command,
//! `wire` is the JSON that programs exchange with it, `render` and `output` are for people.
#![forbid(unsafe_code)]

mod args;
mod command;
mod describe;
mod exit;
mod failure;
mod lines;
mod output;
mod render;
mod signals;
mod terminal;
mod wire;

use std::panic;
use std::process::ExitCode;

use crate::exit::Exit;
use crate::failure::Failure;

fn main() -> ExitCode {
    // A panic is a bug of ours; whoever called us must not take it for the command's own status.
    panic::set_hook(Box::new(|report| {
        terminal::restore();
        output::say(format_args!("internal error: {report}; please report this"));
    }));
    let asked = || match command::stand_in::called() {
        Some(shell) => shell.run(),
        None => command::dispatch(args::read()?),
    };
    let exit = panic::catch_unwind(asked).unwrap_or(Ok(Exit::CannotEnforce));
    exit.unwrap_or_else(|failure| report(&failure)).into()
}

/// How a failure ends. A host takes every status of its hook but 2 for a yes, and a mistake in its settings must not be one.
fn exit_of(failure: &Failure) -> Exit {
    let is_hook = std::env::args_os().nth(1).is_some_and(|command| command == "hook");
    match failure.exit() {
        Exit::CannotEnforce if is_hook => Exit::Status(2),
        exit => exit,
    }
}

/// Says what went wrong, and how to end.
fn report(failure: &Failure) -> Exit {
    match failure {
        Failure::Policy(diagnostics) => output::complain(render::diagnostics(diagnostics)),
        Failure::Line { line, .. } => output::say(line),
        Failure::Arguments(error) => {
            let _ = error.print();
        }
        Failure::BrokenPipe => {}
    }
    exit_of(failure)
}
