//! This command called as a shell: what a host runs as `claw-sh -c LINE` runs in the sandbox.
//!
//! Two ways lead here: a link to this command with a shell's name, which uses the policy in force in the current directory,
//! and a file that `shell install` wrote, whose first line names this command as its interpreter. The kernel tells us which
//! file that is, and where the user's own files are stands in it. What the environment says about who asks can only narrow.

mod directory_file;
pub(super) mod install;
mod real;
mod script;

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use claw_sandbox::claw_wire::{Action, Chat, Context, Exec, Identifier, Principal, Request};
use claw_sandbox::{Ahead, LoadOptions, Performed, Policy, Proxy, Streams, load_policy};
use claw_sh::{Invocation, Shell, peel, said};

use self::directory_file::DirectoryFile;
use self::script::Script;
use super::run;
use crate::args::{AskBy, StandInArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::signals::Signals;

/// A shell that we were called as.
#[derive(Debug)]
pub(crate) struct Called {
    shell: Shell,
    script: Script,
    arguments: Vec<Vec<u8>>,
}

/// What a command runs on.
struct Ground {
    policy: Policy,
    ahead: Ahead,
    cwd: PathBuf,
    signals: Signals,
}

/// Whether this process was called by a shell's name.
pub(crate) fn called() -> Option<Called> {
    let mut arguments = env::args_os();
    let shell = Shell::of_name(arguments.next()?.as_bytes())?;
    Some(Called { shell, script: Script::default(), arguments: arguments.map(OsString::into_vec).collect() })
}

/// Called through a file that `shell install` wrote.
pub(crate) fn of_script(args: &StandInArgs) -> Outcome {
    let Some(shell) = Shell::of_name(args.script.as_os_str().as_bytes()) else {
        return Err(Failure::new(format_args!(
            "`{}` is not the name of a shell: call the file sh, bash or zsh, or claw-sh, claw-bash or claw-zsh",
            args.script.display()
        )));
    };
    let script = Script::read(&args.script)?;
    let corrections = script.corrections();
    if !corrections.is_empty() {
        return Err(again(&corrections));
    }
    let arguments = args.arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
    Called { shell, script, arguments }.run()
}

/// Begins anew with the variables that were written down. Returns only why it could not.
fn again(corrections: &[(&str, Option<&Path>)]) -> Failure {
    let mut command = Command::new("/proc/self/exe");
    command.args(env::args_os().skip(1));
    for (variable, path) in corrections {
        match path {
            Some(path) => command.env(variable, path),
            None => command.env_remove(variable),
        };
    }
    Failure::new(format_args!("this command cannot be started again: {}; is /proc mounted?", command.exec()))
}

impl Called {
    /// Judges and runs what the arguments ask for.
    pub(crate) fn run(self) -> Outcome {
        if claw_sandbox::is_inside() {
            return Err(real::exec(self.shell, &self.arguments));
        }
        let signals = Signals::hold(false);
        // On another processor, while the policy is read.
        let ahead = Ahead::begin()?;
        let cwd = super::directory(None)?;
        let named = self.script.policy.clone();
        let workspace = self.script.workspace.clone();
        let policy =
            load_policy(&LoadOptions { cwd: cwd.clone(), named, workspace, narrowed_by: Vec::new() })?;
        match Invocation::read(self.shell, &self.arguments) {
            Invocation::Input => {
                output::say(
                    "denied: a shell that reads commands from its input cannot be judged ahead; use `-c LINE`",
                );
                Ok(Exit::Denied)
            }
            Invocation::Line(line) => self.run_line(&line, Ground { policy, ahead, cwd, signals }),
            Invocation::Arguments(arguments) => {
                let argv = [self.shell.name().as_bytes().to_vec()].into_iter().chain(arguments);
                self.perform(Exec::argv(argv), Ground { policy, ahead, cwd, signals })
            }
        }
    }

    /// A line, without what its host wrapped around it. The file that the host reads the last directory from is granted
    /// by its exact path, and made here: commands make nothing in `/tmp`.
    fn run_line(&self, line: &[u8], mut ground: Ground) -> Outcome {
        let shell = Some(self.shell.name().to_owned());
        // Another host's line of this form is the model's own.
        let is_claude = self.script.host.as_ref().is_none_or(|host| host.as_str() == "claude-code");
        let Some(envelope) = peel(line).filter(|_| is_claude) else {
            return self.perform(Exec { shell, ..Exec::line(line) }, ground);
        };
        let file = DirectoryFile::make(envelope.directory_file)?;
        let why = "where the host reads the last directory";
        ground.policy = ground.policy.also_writable(file.path().to_owned(), why);
        self.perform(Exec { shell, ..Exec::line(envelope.line) }, ground)
    }

    fn perform(&self, exec: Exec, ground: Ground) -> Outcome {
        let Ground { policy, ahead, cwd, signals } = ground;
        // The terminal, if there is one, is the host's.
        let asking = run::Asking { by: AskBy::Defer, context: None };
        let sandbox = run::sandbox_of(policy, ahead, None, &signals, asking)?;
        let proxy = Proxy::new(sandbox.clone());
        let request = Request::new(Action::Exec(exec))
            .in_directory(cwd.as_os_str().as_bytes())
            .in_context(self.context());
        let decided = proxy.decide(&request);
        let line = decided.decision().line();
        let outcome = match proxy.perform(decided, Streams::inherited()) {
            Ok(Performed::Started(child)) => {
                run::watch(&sandbox, &signals, &Arc::new(child), false).map(|(exit, _)| exit)
            }
            Ok(Performed::Files(_) | Performed::Noted) => Err(Failure::new("this is no command")),
            Err(error) => {
                let exit = signals.exit().unwrap_or_else(|| run::exit_of_error(error.kind()));
                match error.denial() {
                    Some(_) => {
                        output::say(line);
                        Ok(exit)
                    }
                    None => Err(Failure::from(error).with_exit(exit)),
                }
            }
        };
        sandbox.finish();
        outcome
    }

    /// Who asks, as far as the environment says. It proves nothing, so it can only narrow.
    fn context(&self) -> Context {
        let said = said(|name| env::var(name).ok());
        let sender = said.channel_context.as_deref().and_then(sender);
        Context {
            host: self.script.host.clone(),
            principal: sender.map_or(Principal::Unknown, Principal::Known),
            chat: Chat::Unknown,
            session: said.session.and_then(|session| Identifier::new(session).ok()),
            ..Context::default()
        }
    }
}

/// The sender in OpenClaw's channel context (`{"sender":{"id":"…"},"chat":{"id":"…"}}`), which names no channel.
fn sender(context: &str) -> Option<Identifier> {
    let context: serde_json::Value = serde_json::from_str(context).ok()?;
    let id = context.get("sender")?.get("id")?.as_str()?;
    Identifier::new(format!("unknown:unknown:{}", id.replace('%', "%25").replace(':', "%3A"))).ok()
}
