//! `check` and `explain`: what the policy says, without running anything.

use std::os::unix::ffi::OsStrExt as _;

use claw_policy::{Decision, FileAction, FileRequest, Origin};
use claw_sandbox::{CommandLine, DEFAULT_SHELL, ExecInput, Judge};

use crate::args::{CheckArgs, CommandArgs, ExplainArgs, PolicyArgs, QuestionArgs};
use crate::describe;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::wire::{Answer, ExplainedAnswer, unknown_action};

use super::judge::{Asked, in_context};
use super::{jsonl, policy};

/// Answers.
pub(crate) fn check(args: &CheckArgs) -> Outcome {
    if args.jsonl {
        return jsonl::run(&args.question.policy);
    }
    let (judge, asked, contexts) = prepare(&args.question)?;
    let decision = asked.decide(&judge).map_err(Failure::new)?;
    if args.question.json {
        output::print_json(&Answer::new(None, &decision).in_contexts(contexts.as_deref()))?;
    } else {
        output::print(describe::answer(&decision))?;
    }
    Ok(exit(&decision))
}

/// Answers, and says why.
pub(crate) fn explain(args: &ExplainArgs) -> Outcome {
    let (judge, asked, contexts) = prepare(&args.question)?;
    let explanation = asked.explain(&judge).map_err(Failure::new)?;
    if args.question.json {
        output::print_json(&ExplainedAnswer::new(&explanation, contexts.as_deref()))?;
    } else {
        output::print(describe::explanation(&explanation) + &describe::contexts(contexts.as_deref()))?;
    }
    Ok(exit(&explanation.decision))
}

const fn exit(decision: &Decision) -> Exit {
    match decision {
        Decision::Allow(_) => Exit::Success,
        Decision::Deny(_) | Decision::Ask(_) => Exit::Denied,
    }
}

/// The judge, the question, and the rules about contexts that hold when there is a context.
fn prepare(args: &QuestionArgs) -> Result<(Judge, Asked, Option<Vec<String>>), Failure> {
    let asked = question(args)?;
    let judge = policy::judge(&args.policy)?;
    Ok(match &args.context {
        None => (judge, asked, None),
        Some(context) => {
            let (judge, rules) = in_context(&judge, context);
            (judge, asked, Some(rules))
        }
    })
}

fn question(args: &QuestionArgs) -> Result<Asked, Failure> {
    let [action, path] = args.file.as_slice() else { return command(&args.command, &args.policy) };
    let name = action.to_string_lossy();
    let action = FileAction::of_name(&name).ok_or_else(|| Failure::new(unknown_action(&name)))?;
    Ok(Asked::File(FileRequest {
        action,
        path: path.as_bytes().to_vec(),
        to: args.to.as_ref().map(|to| to.as_bytes().to_vec()),
        recursive: args.recursive,
        cwd: super::directory(args.policy.cwd.as_deref())?,
        origin: Origin::Runtime,
    }))
}

/// The command of the arguments.
fn command(args: &CommandArgs, policy: &PolicyArgs) -> Result<Asked, Failure> {
    let command = match &args.shell {
        Some(line) => CommandLine::Line { text: line.as_bytes().to_vec(), shell: DEFAULT_SHELL.into() },
        None if args.command.is_empty() => return Err(super::nothing_asked()),
        None => CommandLine::Argv(args.command.iter().map(|word| word.as_bytes().to_vec()).collect()),
    };
    let cwd = super::directory(policy.cwd.as_deref())?;
    let environment = super::variables(&args.env)
        .map(|(name, value)| (name.into_encoded_bytes(), value.into_encoded_bytes()))
        .collect();
    Ok(Asked::Exec(ExecInput { command, cwd, environment, timeout: None }))
}
