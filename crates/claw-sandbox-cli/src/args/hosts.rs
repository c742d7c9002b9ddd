//! The commands that stand between an agent's host and the sandbox.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use claw_wire::Identifier;

use super::PolicyArgs;

/// Answer an agent's host before it uses a tool, as its hook
#[derive(Args, Debug)]
#[command(after_help = HOOK_SETTINGS)]
pub(crate) struct HookArgs {
    /// claude, codex, gemini, copilot or cursor; the last two are written from their documentation
    #[arg(value_name = "HOST")]
    pub(crate) host: String,
    /// The policy; without it, what is in force in the directory that the host works in
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,
    /// A person sits at the host: a question may be put to them. Without it Gemini CLI is told no, because it would wait for ever
    #[arg(long)]
    pub(crate) interactive: bool,
    /// Keep the audit log in this file, in place of the policy's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) audit: Option<PathBuf>,
}

const HOOK_SETTINGS: &str = "\
A hook is an early word, not a wall: the host acts by itself. Have it run its commands in the sandbox
too, through `claw-sandbox shell install`. What goes into which settings is in docs/adapters.md.";

/// Serve a program that keeps this one as its child: JSON-RPC 2.0, one message a line
#[derive(Args, Debug)]
#[command(after_help = SERVE_METHODS)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Over standard input and standard output
    #[arg(long, required = true)]
    pub(crate) stdio: bool,
    /// Keep the audit log in this file, in place of the policy's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) audit: Option<PathBuf>,
}

const SERVE_METHODS: &str = "\
Methods: initialize, decide, exec, exec.write, exec.signal, exec.resize, exec.cancel, exec.list,
file.read, lines, write, edit, patch, status, list, walk, glob, grep, mkdir, remove, rename, copy,
symlink, chmod. Everything that was started ends when standard input closes. See docs/serve.md.";

/// Stand in for the shell of an agent's host
#[derive(Debug, Subcommand)]
pub(crate) enum ShellCommand {
    Install(ShellInstallArgs),
}

/// Write files that a host can be told are its shell
#[derive(Args, Debug)]
#[command(after_help = SHELL_HOSTS)]
pub(crate) struct ShellInstallArgs {
    /// The policy; without it, what is in force in the directory of each command
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,
    /// The workspace, whatever directory the host starts a command in
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) workspace: Option<PathBuf>,
    /// The host's name in the audit log and in the policy's contexts (claude-code, openclaw)
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<Identifier>,
    /// The directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) into: PathBuf,
    /// The shells
    #[arg(value_name = "NAME", default_values = ["claw-sh", "claw-bash"])]
    pub(crate) names: Vec<String>,
}

const SHELL_HOSTS: &str = "\
OpenClaw: SHELL=DIR/claw-sh in the gateway's environment. Claude Code: CLAUDE_CODE_SHELL=DIR/claw-bash.
ZeroClaw: shell = \"DIR/claw-sh\" under [runtime]. pi: \"shellPath\" in settings.json. goose: GOOSE_SHELL.
Gemini CLI and others that run `bash` from PATH: install bash and sh into a directory of their own, first in PATH.";

/// The interpreter of the files that `shell install` writes
#[derive(Args, Debug)]
#[command(hide = true, disable_help_flag = true)]
pub(crate) struct StandInArgs {
    pub(crate) script: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// Who is asked where the policy asks.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum AskBy {
    /// The person at the terminal; without one nobody
    #[default]
    Terminal,
    /// Whoever answers with `claw-sandbox approve`; waits up to ten minutes
    Broker,
    /// Nobody now: it is denied, and passes once after `claw-sandbox approve`
    Defer,
}

/// List the questions that wait for an answer
#[derive(Args, Debug)]
pub(crate) struct ApprovalsArgs {
    /// Print them as a JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

/// Allow what a question is about
#[derive(Args, Debug)]
#[command(after_help = ANSWER_STATUS)]
pub(crate) struct ApproveArgs {
    /// The question, or the beginning of its name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Also whenever exactly this command is to run again
    #[arg(long)]
    pub(crate) always: bool,
    /// Print the question as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Refuse what a question is about
#[derive(Args, Debug)]
#[command(after_help = ANSWER_STATUS)]
pub(crate) struct DenyArgs {
    /// The question, or the beginning of its name
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Print the question as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const ANSWER_STATUS: &str = "\
Exit status: 0 when the question is answered, 125 when there is no such question, or it was answered
before, or its time is over.";

/// Turn another program's settings into a policy
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    #[command(name = "openclaw")]
    OpenClaw(OpenClawArgs),
}

/// Turn OpenClaw's settings and approvals into a policy, and say what became of each key
///
/// The policy goes to standard output, or with --output to a file. The report goes to standard error, one key a line:
/// mapped, narrowed, cannot be expressed or unknown. The policy never permits more than the settings do.
#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 once there is a policy, 125 when the settings cannot be read.")]
#[group(skip)]
#[command(group = clap::ArgGroup::new("settings").args(["config", "approvals"]).required(true).multiple(true))]
pub(crate) struct OpenClawArgs {
    /// openclaw.json; - reads standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// The approvals document, as `openclaw approvals get --json | jq .file` prints it; - reads standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) approvals: Option<PathBuf>,
    /// Whose settings
    #[arg(long, value_name = "ID", default_value = "main")]
    pub(crate) agent: String,
    /// Write the policy to this file, outside of the workspace
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that is already there
    #[arg(short, long, requires = "output")]
    pub(crate) force: bool,
    /// Print policy and report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
