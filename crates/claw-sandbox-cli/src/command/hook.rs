//! `hook`: an early word to a host that is about to use a tool.
//!
//! Every host goes on when its hook fails in a way that it does not know. So whatever goes wrong here, a panic too, ends as
//! the one form that all of them take for a no.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::panic;
use std::path::Path;

use claw_hooks::{Call, Host, MAX_INPUT, Reply, Surface, asks as surface_of, failure, read, reply};
use claw_sandbox::approval::Broker;
use claw_sandbox::claw_wire::{AskSurface, Decision, Effect};
use claw_sandbox::{LoadOptions, Proxy, load_policy};

use super::run::{recorded, remembering};
use crate::args::HookArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Answers one call.
pub(crate) fn run(args: &HookArgs) -> Outcome {
    let Some(host) = Host::of_name(&args.host) else {
        // A mistake in the host's settings must not let its tools run.
        return say(&failure(&format!(
            "`{}` is no host that is known; name claude, codex, gemini, copilot or cursor",
            args.host
        )));
    };
    let answered = panic::catch_unwind(|| answer(host, args));
    say(&match answered {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => failure(&error.to_string()),
        Err(_) => failure("internal error; please report this"),
    })
}

fn answer(host: Host, args: &HookArgs) -> Result<Reply, Failure> {
    let mut message = Vec::new();
    io::stdin().lock().take(MAX_INPUT as u64 + 1).read_to_end(&mut message).map_err(|error| {
        Failure::new(format_args!("the host's message cannot be read: {error}; see how it starts its hooks"))
    })?;
    let Call { requests, cwd, permission } = read(host, &message).map_err(Failure::new)?;
    let cwd = super::directory(cwd.as_deref().map(Path::new))?;
    let policy = load_policy(&LoadOptions { cwd, named: args.policy.clone(), ..LoadOptions::default() })?;
    let asks = policy.may_ask();
    let mut builder = recorded(policy, args.audit.as_deref())?;
    if asks {
        // A host does not wait for long: it is told no and how to answer, and the same call passes once it is answered.
        builder = remembering(builder.broker(Broker::new(Broker::default_path()).deferring()));
    }
    let proxy = Proxy::new(builder.build()?);
    let surface = if args.interactive { Surface::Interactive } else { Surface::Headless };
    let mut worst: Option<Decision> = None;
    for mut request in requests {
        request.context.ask = surface_of(host, permission, surface);
        let mut decided = proxy.decide(&request);
        if request.context.ask == AskSurface::Broker {
            decided = proxy.settle(decided);
        }
        // What is not recorded is not allowed.
        proxy.note(&decided)?;
        let decision = decided.decision();
        if worst.as_ref().is_none_or(|worst| rank(decision.effect) > rank(worst.effect)) {
            worst = Some(decision.clone());
        }
    }
    let decision = worst.ok_or_else(|| Failure::new("the host's message asks for nothing"))?;
    Ok(reply(host, &decision, permission, surface))
}

/// All of a call has to be allowed: the strictest answer is the call's.
const fn rank(effect: Effect) -> u8 {
    match effect {
        Effect::Allow => 0,
        Effect::Ask => 1,
        Effect::Deny => 2,
    }
}

fn say(reply: &Reply) -> Outcome {
    // A closed standard output is /dev/null by now, and what is said there is lost.
    if reply.stdout.is_some() && is_nowhere() {
        return say(&Reply { stdout: None, ..failure("standard output is closed") });
    }
    if let Some(line) = &reply.stderr {
        output::complain(format_args!("{line}\n"));
    }
    let printed = match &reply.stdout {
        Some(line) => output::print(format_args!("{line}\n")),
        None => Ok(()),
    };
    match printed {
        Ok(()) => Ok(Exit::Status(reply.exit)),
        // The host did not get its no.
        Err(_) => say(&Reply { stdout: None, ..failure("standard output cannot be written") }),
    }
}

/// Whether standard output is `/dev/null`.
fn is_nowhere() -> bool {
    let device = |path: &str| {
        fs::metadata(path).map(|metadata| (metadata.file_type().is_char_device(), metadata.rdev())).ok()
    };
    let null = device("/dev/null");
    null.is_some() && device("/proc/self/fd/1") == null
}
