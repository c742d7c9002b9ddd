//! The command line, as types.

mod hosts;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, ValueHint};
use claw_secrets::TextKind;
use claw_wire::Context;

pub(crate) use self::hosts::*;
use crate::failure::Failure;

/// Runs commands under a policy that the Linux kernel enforces for the whole process tree
#[derive(Debug, Parser)]
#[command(name = "claw-sandbox", bin_name = "claw-sandbox", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArgs),
    Check(CheckArgs),
    Explain(ExplainArgs),
    Learn(LearnArgs),
    Approvals(ApprovalsArgs),
    Approve(ApproveArgs),
    Deny(DenyArgs),
    Lint(LintArgs),
    Schema(SchemaArgs),
    Init(InitArgs),
    #[command(subcommand)]
    Import(ImportCommand),
    Doctor(DoctorArgs),
    #[command(subcommand)]
    Audit(AuditCommand),
    #[command(subcommand)]
    Policy(PolicyCommand),
    #[command(subcommand)]
    Secrets(SecretsCommand),
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
    #[command(subcommand)]
    Shell(ShellCommand),
    Hook(HookArgs),
    Serve(ServeArgs),
    StandIn(StandInArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Where the policy comes from and what it is about.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PolicyArgs {
    /// The policy file; without it the built-in profile with the current directory as the workspace, as far as
    /// ~/.config/claw-sandbox/policy.yaml and .claw-sandbox.yaml do not restrict it
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,
    /// The workspace, in place of the policy's
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) workspace: Option<PathBuf>,
    /// Where the command starts and relative paths resolve, and the workspace unless -w or a policy names one [default: the current directory]
    #[arg(short = 'C', long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cwd: Option<PathBuf>,
}

/// What runs: an argument vector or a shell line.
#[derive(Args, Debug, Default)]
pub(crate) struct CommandArgs {
    /// A shell command line, read by bash, in place of CMD
    #[arg(short = 'c', long, value_name = "STRING", conflicts_with = "command")]
    pub(crate) shell: Option<OsString>,
    /// Pass this variable on, or set it; only as far as the policy passes it (`environment.pass`)
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<OsString>,
    /// The command and its arguments; no shell is involved
    #[arg(value_name = "CMD", trailing_var_arg = true, value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

/// Run a command inside the sandbox
#[derive(Args, Debug, Default)]
#[command(after_help = RUN_STATUS)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// End the run after this time (500ms, 30s, 5m, 2h; seconds without a unit); the policy's limit still holds
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Write the outcome to this file as JSON
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) outcome: Option<PathBuf>,
    /// Keep the audit log in this file, in place of the policy's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) audit: Option<PathBuf>,
    /// Who asks: {"principal": "unknown", "chat": "group", ...}; without it the policy holds as it is
    #[arg(long, value_name = "JSON", value_parser = context)]
    pub(crate) context: Option<Context>,
    /// Who is asked where the policy asks (`exec.ask`)
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub(crate) ask: AskBy,
    /// Report a refusal or an error on standard error as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Give the command a terminal of its own, for shells, editors and job control
    ///
    /// What is typed here goes there as it is, and what the command writes, on either stream, comes out of
    /// standard output. Without it the command has no controlling terminal, and on the terminal that it is
    /// called from it can write and read but not type. Questions (`exec.ask`) are put on the caller's terminal. A shell
    /// that reads what to do from its terminal is asked about, or needs `security: full`: an allowlist permits scripts.
    #[arg(long)]
    pub(crate) tty: bool,
    #[command(flatten)]
    pub(crate) command: CommandArgs,
}

const RUN_STATUS: &str = "\
Exit status: the command's own; 128 + N when signal N ended it; 126 when the policy denies it or it
is no program; 125 when the policy cannot be read or enforced; 124 on a time-out; 127 when it is not found.";

/// Ask what the policy says, without running anything
#[derive(Args, Debug)]
#[command(after_help = CHECK_STATUS)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) question: QuestionArgs,
    /// Read requests from standard input, one JSON object a line, and answer each with one
    #[arg(long, conflicts_with_all = ["file", "shell", "command", "env", "json"])]
    pub(crate) jsonl: bool,
}

const CHECK_STATUS: &str = "\
Exit status: 0 when allowed, 126 when denied or when somebody would have to be asked,
125 when the policy cannot be read. With --jsonl: 0 once every line is answered.";

/// Say why the policy allows or denies a request, and the smallest change that would flip it
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) question: QuestionArgs,
}

/// Run a command and print, as a diff, the smallest change of the policy that would have let it through
///
/// The command runs as the policy allows it; its output goes to standard error. A refused command goes another way,
/// so apply the change and learn again until nothing is refused. What a rule forbids (deny, hidden, protected) is not
/// learnt, and what the kernel refuses by itself, such as reading outside of every tree, is not noticed.
#[derive(Args, Debug)]
pub(crate) struct LearnArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) command: CommandArgs,
    /// Print the change as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A request to be judged.
#[derive(Args, Debug)]
pub(crate) struct QuestionArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Ask about a file: read, write, create, delete, rename, list, mkdir, symlink, hardlink, chmod,
    /// execute or stat, then its path
    #[arg(short, long, num_args = 2, value_names = ["ACTION", "PATH"], conflicts_with_all = ["shell", "command", "env"])]
    pub(crate) file: Vec<OsString>,
    /// The second path of rename and hardlink
    #[arg(long, value_name = "PATH", requires = "file")]
    pub(crate) to: Option<OsString>,
    /// A whole tree is meant (delete, chmod)
    #[arg(short, long, requires = "file")]
    pub(crate) recursive: bool,
    /// Who asks: {"principal": "unknown", "chat": "group", ...}; without it the policy is asked as it is
    #[arg(long, value_name = "JSON", value_parser = context)]
    pub(crate) context: Option<Context>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) command: CommandArgs,
}

/// Read the audit log
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    Verify(VerifyArgs),
    Grep(GrepArgs),
    Summary(SummaryArgs),
}

/// Check that no event was changed, removed, inserted or reordered
#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 when the log is intact, 1 when it is not, 125 when it cannot be read."
)]
pub(crate) struct VerifyArgs {
    /// The log [default: the default log of `run`]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// The hash of an event that must be in it: finds events that were cut off at the end
    #[arg(long, value_name = "HASH")]
    pub(crate) head: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the events that match, as they stand in the log
#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 when an event matches, 1 when none does, 125 when the log cannot be read."
)]
pub(crate) struct GrepArgs {
    /// A text that the event contains, upper and lower case alike
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// The log [default: the default log of `run`]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// The kind of event: exec, exec.decision, exec.outcome, file ...
    #[arg(long, value_name = "KIND")]
    pub(crate) event: Option<String>,
    /// allow or deny
    #[arg(long, value_name = "DECISION")]
    pub(crate) decision: Option<String>,
    /// The code of the reason
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// A program that would run
    #[arg(long, value_name = "NAME")]
    pub(crate) program: Option<String>,
    /// Not before this time (2026-02-02T10:00:00Z, 2026-02-02, 30m, 24h, 7d)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Accepted for symmetry: the events are JSON anyway
    #[arg(long)]
    pub(crate) json: bool,
}

/// Count what happened: commands by program, denials by reason, ends of runs
#[derive(Args, Debug)]
pub(crate) struct SummaryArgs {
    /// The log [default: the default log of `run`]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Keep the trees that commands may change, see what changed, and bring them back
#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    Create(CheckpointCreateArgs),
    /// List the checkpoints, the oldest first
    #[command(long_about = None)]
    List(CheckpointArgs),
    /// Show what changed since a checkpoint
    #[command(long_about = None)]
    Diff(CheckpointIdArgs),
    /// Bring the trees back to a checkpoint
    ///
    /// What is there is kept as a checkpoint before, so an undo can be undone. Runs should have ended: what they change
    /// meanwhile may stay.
    #[command(after_help = UNDO_STATUS)]
    Undo(CheckpointIdArgs),
    /// Finish an undo that was interrupted, if there was one
    #[command(long_about = None, after_help = UNDO_STATUS)]
    Recover(CheckpointArgs),
    Prune(CheckpointPruneArgs),
}

const UNDO_STATUS: &str = "\
Exit status: 0 when all is as it was, 1 when something could not be brought back,
125 when nothing could be done, or it stopped half way.";

/// Keep the policy's writable trees as they are
///
/// What commands may not see is not read, what they cannot change is not kept. Old checkpoints are given up as `prune`
/// does by default.
#[derive(Args, Debug)]
pub(crate) struct CheckpointCreateArgs {
    /// What to call it
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    pub(crate) label: String,
    #[command(flatten)]
    pub(crate) common: CheckpointArgs,
}

/// Which checkpoints.
#[derive(Args, Debug)]
pub(crate) struct CheckpointArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Where the checkpoints are [default: ~/.local/state/claw-sandbox/checkpoints, one directory per workspace]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) store: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A checkpoint by its number.
#[derive(Args, Debug)]
pub(crate) struct CheckpointIdArgs {
    /// The number of the checkpoint [default: the newest that was asked for]
    #[arg(value_name = "ID")]
    pub(crate) id: Option<u64>,
    #[command(flatten)]
    pub(crate) common: CheckpointArgs,
}

/// Give up the oldest checkpoints; the newest stays
#[derive(Args, Debug)]
pub(crate) struct CheckpointPruneArgs {
    /// How many to keep
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) keep: usize,
    /// How old they become (30s, 5m, 2h)
    #[arg(long, value_name = "TIME", default_value = "720h", value_parser = duration)]
    pub(crate) age: Duration,
    /// How many bytes all contents may have together
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    pub(crate) bytes: u64,
    #[command(flatten)]
    pub(crate) common: CheckpointArgs,
}

/// Find mistakes and traps in policy files
#[derive(Args, Debug)]
#[command(after_help = LINT_STATUS)]
pub(crate) struct LintArgs {
    /// The policy files; without one the policies that are in force here
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Exit with 1 when there are warnings
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// Print the findings as a JSON array
    #[arg(long)]
    pub(crate) json: bool,
}

const LINT_STATUS: &str = "\
Exit status: 0 when there is no error, 1 when there are warnings and --deny-warnings is given,
125 when a file cannot be read or is not a valid policy.";

/// What a schema describes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A policy file
    #[default]
    Policy,
    /// What an agent wants to do, and who asks
    Request,
    /// The answer
    Decision,
}

/// Print the JSON Schema of policy files
#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// What it describes: a policy file, or what adapters and the sandbox say to each other
    #[arg(value_enum, default_value_t)]
    pub(crate) of: SchemaOf,
    /// Accepted for symmetry: the schema is JSON anyway
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write a commented policy to start from
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Where to write it, outside of the workspace [default: ~/.config/claw-sandbox/starter.yaml]
    #[arg(value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) path: Option<PathBuf>,
    /// Replace a file that is already there
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Say what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show what this kernel can enforce, and try to break out of a real sandbox
#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 when everything that is promised is blocked, 1 otherwise, 125 when nothing can run."
)]
pub(crate) struct DoctorArgs {
    /// Make one of the attempts; `doctor` starts itself so
    #[arg(long, hide = true, num_args = 2, value_names = ["NAME", "DIR"])]
    pub(crate) probe: Vec<OsString>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Compare policies
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    Subset(SubsetArgs),
}

/// Say whether everything that one policy allows is allowed by another: a sub-agent's within its parent's
///
/// A yes is a proof, for the files as they are now. A no names the rules that go further and, where one was found, a
/// request that shows it.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 when it lies within, 1 when not or not provably, 125 when a policy cannot be read."
)]
pub(crate) struct SubsetArgs {
    /// The policy that should allow less
    #[arg(value_name = "INNER", value_hint = ValueHint::FilePath)]
    pub(crate) inner: PathBuf,
    /// The policy that should allow more
    #[arg(value_name = "OUTER", value_hint = ValueHint::FilePath)]
    pub(crate) outer: PathBuf,
    /// Where relative paths of both policies start [default: the current directory]
    #[arg(short = 'C', long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cwd: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Find credentials
#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    Scan(ScanArgs),
}

/// Say where files hold what looks like a credential, without showing it
#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 when nothing is found, 1 when something is, 125 when a file cannot be read.\n\
                  With --jsonl: 0 once every line is answered."
)]
pub(crate) struct ScanArgs {
    /// Files, and directories with all that is in them; without one standard input is read
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// How names and values are written: config-yaml, json5, env, file or log-line [default: by the file's name]
    #[arg(short, long, value_name = "KIND", value_parser = text_kind)]
    pub(crate) kind: Option<TextKind>,
    /// Print the findings as a JSON array
    #[arg(long)]
    pub(crate) json: bool,
    /// Read texts from standard input, one JSON object a line ({"id", "kind", "text"}), and answer each with one
    #[arg(long, conflicts_with_all = ["paths", "kind", "json"])]
    pub(crate) jsonl: bool,
}

/// Print a completion script
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell that reads it
    pub(crate) shell: clap_complete::Shell,
    /// Print the script as a JSON string in an object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write the manual pages
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The directory for one page per command; without it the main page goes to standard output
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
    /// Say what was done, or print the page, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads the process's own arguments; `None` when there are none.
pub(crate) fn read() -> Result<Option<Command>, Failure> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(run) = plain_run(&arguments) {
        return Ok(Some(Command::Run(run)));
    }
    Ok(Cli::try_parse_from(arguments)?.command)
}

/// `run CMD ...` and `run -- CMD ...` without an option of ours.
///
/// That is what starts once per command of an agent. The full parser takes 0.11 ms to say the same, a fifth
/// of what starting a program costs.
fn plain_run(arguments: &[OsString]) -> Option<RunArgs> {
    let command = match arguments {
        [_, run, dashes, command @ ..] if run == "run" && dashes == "--" => command,
        [_, run, command @ ..] if run == "run" => match command.first() {
            Some(first) if !first.as_encoded_bytes().starts_with(b"-") => command,
            _ => return None,
        },
        _ => return None,
    };
    let command = CommandArgs { command: command.to_vec(), ..CommandArgs::default() };
    Some(RunArgs { command, ..RunArgs::default() })
}

/// What to print when nothing is asked.
pub(crate) fn short_help() -> String {
    Cli::command().render_help().to_string()
}

fn context(text: &str) -> Result<Context, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn text_kind(name: &str) -> Result<TextKind, String> {
    TextKind::from_name(name).ok_or_else(|| crate::wire::unknown_text_kind(name))
}

/// A time as policies write it.
fn duration(text: &str) -> Result<Duration, String> {
    claw_policy::duration(text)
        .ok_or_else(|| "want a time above zero: 500ms, 30s, 5m, 2h or 1d; seconds without a unit".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_definition_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn durations_are_written_as_in_policies() {
        for (text, milliseconds) in
            [("500ms", 500), ("30s", 30_000), ("10", 10_000), ("5m", 300_000), ("2h", 7_200_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "0", "-1s", "1.5s", "0s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_short_way_to_read_a_run_agrees_with_the_full_parser() {
        for (line, short) in [
            ("run git status", true),
            ("run -- git status", true),
            ("run -- --odd", true),
            ("run git --json -- --policy x", true),
            ("run -- -- git", true),
            ("run --", true),
            ("run", false),
            ("run - x", false),
            ("run --json git --json", false),
            ("run -p x -- git --policy y", false),
            ("check git", false),
        ] {
            let arguments: Vec<OsString> =
                ["claw-sandbox"].into_iter().chain(line.split(' ')).map(Into::into).collect();
            let plain = plain_run(&arguments);
            assert_eq!(plain.is_some(), short, "{line}");
            let Ok(Cli { command: Some(Command::Run(full)) }) = Cli::try_parse_from(&arguments) else {
                assert!(!short, "{line}");
                continue;
            };
            assert_eq!(format!("{:?}", plain.as_ref().unwrap_or(&full)), format!("{full:?}"), "{line}");
        }
    }

    #[test]
    fn options_after_the_command_belong_to_the_command() {
        let cli = Cli::parse_from(["claw-sandbox", "run", "--json", "git", "--version", "--policy"]);
        let Some(Command::Run(run)) = cli.command else { panic!("not a run") };
        assert_eq!(run.command.command, ["git", "--version", "--policy"]);
        assert!(run.json);
    }
}
