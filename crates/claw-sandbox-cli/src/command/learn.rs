//! `learn`: runs a command and says how the policy would have to change for what was refused.

use std::io;
use std::os::fd::AsFd as _;

use claw_sandbox::{ErrorKind, Sandbox, Stdio};
use serde_json::json;

use crate::args::LearnArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// What the kernel refuses by itself is not noticed by anybody.
const UNNOTICED: &str = "what the kernel refused by itself is in no list: reads outside of the trees of the policy, and calls that no run may make";

/// Runs the command as the policy allows it, its output on standard error, and prints the change as a diff.
pub(crate) fn run(args: &LearnArgs) -> Outcome {
    let policy = super::policy::of_args(&args.policy)?;
    let sandbox = Sandbox::builder(policy).learn().build()?;
    let mut command = super::run::command_of(&sandbox, &args.command, &args.policy)?;
    let stderr = io::stderr().as_fd().try_clone_to_owned();
    let stderr =
        stderr.map_err(|error| Failure::new(format_args!("standard error cannot be used: {error}")))?;
    command.stdout(Stdio::from(stderr));
    match command.status() {
        Ok(_) => {}
        // What the policy refuses is what is to be learnt.
        Err(error) if error.kind() == ErrorKind::Denied => output::say_denial(&error),
        Err(error) => return Err(error.into()),
    }
    let lesson = sandbox.lesson();
    if args.json {
        output::print_json(
            &json!({ "diff": lesson.to_string(), "notLearnt": lesson.left(), "note": UNNOTICED }),
        )?;
        return Ok(Exit::Success);
    }
    for line in lesson.left() {
        output::say(format_args!("not learnt: {}", output::visible(line.as_bytes())));
    }
    output::say(UNNOTICED);
    if lesson.is_empty() {
        output::say("nothing was refused that a change of the policy would allow");
    } else {
        output::print(lesson)?;
        if args.policy.policy.is_none() {
            output::say(
                "a policy in the workspace is refused: write it elsewhere, and name it with --policy",
            );
        }
    }
    Ok(Exit::Success)
}
