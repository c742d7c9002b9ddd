//! Runs a command under the built-in policy with the current directory as the workspace:
//! `cargo run --example run -- git status`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to the terminal")]

use std::error::Error;

use claw_sandbox::{Sandbox, built_in_policy};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("usage: run PROGRAM [ARGUMENT...]")?;
    let policy = built_in_policy(std::env::current_dir()?)?;
    let sandbox = Sandbox::new(policy)?;
    match sandbox.command(program).args(arguments).status() {
        Ok(status) => println!("{status}"),
        Err(error) => eprintln!("{error}"),
    }
    Ok(())
}
