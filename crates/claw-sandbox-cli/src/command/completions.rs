//! `completions`: a script for the shell's own completion.

use clap::CommandFactory as _;
use serde_json::json;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output;

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "claw-sandbox", &mut script);
    let script = String::from_utf8_lossy(&script);
    if args.json {
        output::print_json(&json!({ "shell": args.shell.to_string(), "script": script }))?;
    } else {
        output::print(script)?;
    }
    Ok(Exit::Success)
}
