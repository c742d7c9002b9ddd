//! What an event says. Everything that a caller or a command chose goes through the redactor here.
#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use claw_policy::{Decision, Denial, DescendantGrant, ExecGrant, FileRequest, Protocol, Reason};
use serde_json::{Value, json};

use super::redact::Redactor;
use super::seal::{Fields, hexadecimal};
use crate::checkpoint::PathEvent;
use crate::files::{Change, FileError};
use crate::request::{CommandLine, ExecInput};
use crate::supervisor::{ExecAttempt, FileAttempt, NetworkAttempt, Purpose};
use crate::{Enforcement, Outcome, State};

/// A longer word or line is cut: the log is no store for data that travels in arguments.
const WORD_BYTES: usize = 4096;
const WORDS: usize = 1024;
/// What the words of one field may take together: escaped they still fit on a line.
const FIELD_BYTES: usize = 256 << 10;

/// The decision about a command.
pub(crate) fn decision(
    actor: &str,
    id: &str,
    input: &ExecInput,
    decided: Result<&ExecGrant, &Denial>,
) -> Fields {
    let (allowed, reasons, commands) = match decided {
        Ok(grant) => ("allow", grant.reasons(), grant.commands()),
        Err(denial) => ("deny", denial.reasons.as_slice(), denial.commands.clone()),
    };
    let mut redactor = Redactor::default();
    let mut left = FIELD_BYTES;
    let commands: Vec<Value> =
        commands.iter().take(WORDS).map(|argv| list(&redactor.argv(argv), &mut left)).collect();
    let (line, command) = match &input.command {
        CommandLine::Argv(argv) => {
            let argv = redactor.argv(argv);
            (argv.join(&b' '), ("argv", list(&argv, &mut { FIELD_BYTES })))
        }
        CommandLine::Line { text: line, .. } => {
            let line = redactor.text(line);
            let shown = text(&line);
            (line, ("line", shown))
        }
    };
    let mut fields = vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        ("message", json!(format!("exec: {}", String::from_utf8_lossy(cut(&line))))),
        ("decision", json!(allowed)),
    ];
    fields.extend(why(&redactor, reasons));
    fields.push(command);
    if let CommandLine::Line { shell, .. } = &input.command {
        fields.push(("shell", text(shell)));
    }
    fields.push(("commands", Value::Array(commands)));
    fields.push(("cwd", text(input.cwd.as_os_str().as_bytes())));
    if let Ok(grant) = decided {
        let program = grant.program().ok();
        fields.extend(program.map(|program| ("program", text(program.real.as_os_str().as_bytes()))));
        let passed = grant.environment().iter().map(|(name, _)| text(name));
        fields.push(("environment", passed.collect()));
    }
    fields
}

/// The decision about a file.
pub(crate) fn file_decision(actor: &str, id: &str, request: &FileRequest, decision: &Decision) -> Fields {
    let (name, reasons) = answer(decision);
    let mut fields = vec![("id", json!(id))];
    fields.extend(file_judged(actor, request, name, reasons));
    fields
}

/// The same without its id.
pub(crate) fn file_judged(actor: &str, request: &FileRequest, name: &str, reasons: &[Reason]) -> Fields {
    let path = String::from_utf8_lossy(cut(&request.path));
    let mut fields = vec![
        ("actor", json!(actor)),
        ("message", json!(format!("file: {} {path}", request.action.name()))),
        ("decision", json!(name)),
    ];
    fields.extend(why(&Redactor::default(), reasons));
    fields.push(("action", json!(request.action.name())));
    fields.push(("path", text(&request.path)));
    if let Some(to) = &request.to {
        fields.push(("to", text(to)));
    }
    fields.push(("recursive", json!(request.recursive)));
    fields.push(("cwd", text(request.cwd.as_os_str().as_bytes())));
    fields
}

fn answer(decision: &Decision) -> (&'static str, &[Reason]) {
    match decision {
        Decision::Allow(grant) => ("allow", grant.reasons()),
        Decision::Deny(denial) => ("deny", denial.reasons.as_slice()),
        Decision::Ask(question) => ("ask", question.reasons.as_slice()),
    }
}

/// The decision about a tool that is known by its name alone.
pub(crate) fn tool(actor: &str, id: &str, tool: &str, decision: &Decision) -> Fields {
    let (name, reasons) = answer(decision);
    let mut fields = vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        ("message", json!(format!("tool: {tool}"))),
        ("decision", json!(name)),
    ];
    fields.extend(why(&Redactor::default(), reasons));
    fields.push(("tool", json!(tool)));
    fields
}

/// What came of an operation on a file.
pub(crate) fn file_outcome(
    actor: &str,
    id: &str,
    request: &FileRequest,
    change: &Change,
    error: Option<&FileError>,
) -> Fields {
    let ending = error.map_or("done", FileError::code);
    let hash = |hash: &Option<[u8; 32]>| json!(hash.as_ref().map(|hash| hexadecimal(hash)));
    vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        ("message", json!(format!("file {}: {ending}", request.action.name()))),
        ("ending", json!(ending)),
        ("bytes", json!(change.bytes)),
        ("before", hash(&change.before)),
        ("after", hash(&change.after)),
    ]
}

/// The decision about a program that a process of a run is about to execute. `run` is the id of the decision that
/// allowed the run.
pub(crate) fn descendant(
    actor: &str,
    run: &str,
    attempt: &ExecAttempt,
    judged: Result<&DescendantGrant, &Denial>,
) -> Fields {
    let mut redactor = Redactor::default();
    let mut fields = of_attempt(actor, run, attempt, &mut redactor);
    fields.push(("decision", json!(if judged.is_ok() { "allow" } else { "deny" })));
    let reasons = judged.map_or_else(|denial| denial.reasons.as_slice(), DescendantGrant::reasons);
    fields.extend(why(&redactor, reasons));
    fields
}

/// The decision about a call on a file of a process of a run.
pub(crate) fn touched(
    actor: &str,
    run: &str,
    attempt: &FileAttempt<'_>,
    judged: Result<(), &Denial>,
) -> Fields {
    let path = attempt.path.as_os_str().as_bytes();
    let shown = String::from_utf8_lossy(cut(path));
    let mut fields = vec![
        ("id", json!(run)),
        ("actor", json!(actor)),
        ("message", json!(format!("file: {} {shown}", attempt.action.name()))),
        ("process", json!(attempt.caller.as_raw())),
        ("action", json!(attempt.action.name())),
        ("path", text(path)),
        ("decision", json!(if judged.is_ok() { "allow" } else { "deny" })),
    ];
    fields
        .extend(why(&Redactor::default(), judged.map_or_else(|denial| denial.reasons.as_slice(), |()| &[])));
    fields
}

/// An allowed exec that was ended before it ran, because program or arguments had changed by then.
pub(crate) fn lost_race(actor: &str, run: &str, attempt: &ExecAttempt) -> Fields {
    let mut fields = of_attempt(actor, run, attempt, &mut Redactor::default());
    fields.push(("decision", json!("deny")));
    fields.push(("code", json!("exec.changed")));
    fields
}

fn of_attempt(actor: &str, run: &str, attempt: &ExecAttempt, redactor: &mut Redactor) -> Fields {
    let argv = redactor.argv(&attempt.argv);
    vec![
        ("id", json!(run)),
        ("actor", json!(actor)),
        ("message", json!(format!("exec: {}", String::from_utf8_lossy(cut(&argv.join(&b' ')))))),
        ("process", json!(attempt.caller.as_raw())),
        ("caller", json!(attempt.role.name())),
        ("program", text(attempt.program.real.as_os_str().as_bytes())),
        ("argv", list(&argv, &mut { FIELD_BYTES })),
        ("cwd", text(attempt.cwd.as_os_str().as_bytes())),
    ]
}

/// An address that a process of a run was denied.
pub(crate) fn network(actor: &str, run: &str, attempt: &NetworkAttempt, denial: &Denial) -> Fields {
    let NetworkAttempt { caller, protocol, address, purpose } = attempt;
    let purpose = match purpose {
        Purpose::Connect => "connect",
        Purpose::Send => "send",
        Purpose::Listen => "listen",
    };
    let protocol = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let mut fields = vec![
        ("id", json!(run)),
        ("actor", json!(actor)),
        ("message", json!(format!("network: {purpose} {protocol} {address}"))),
        ("process", json!(caller.as_raw())),
        ("purpose", json!(purpose)),
        ("protocol", json!(protocol)),
        ("address", json!(address.ip().to_string())),
        ("port", json!(address.port())),
        ("decision", json!("deny")),
    ];
    fields.extend(why(&Redactor::default(), &denial.reasons));
    fields
}

/// More denials of a run than are written one by one.
pub(crate) fn flooded(actor: &str, run: &str, written: u64) -> Fields {
    let message = format!(
        "run: more than {written} denials; the next ones are counted, and the outcome has their number (`denialsUnwritten`)"
    );
    vec![("id", json!(run)), ("actor", json!(actor)), ("message", json!(message))]
}

/// Something that is about to be done with checkpoints.
pub(crate) fn checkpoint(actor: &str, id: &str, act: &str, store: &Path, checkpoint: Option<u64>) -> Fields {
    let which = checkpoint.map_or_else(String::new, |checkpoint| format!(" {checkpoint}"));
    vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        ("message", json!(format!("checkpoint: {act}{which}"))),
        ("action", json!(act)),
        ("checkpoint", json!(checkpoint)),
        ("store", text(store.as_os_str().as_bytes())),
    ]
}

/// What was done to a path.
pub(crate) fn checkpoint_path(actor: &str, id: &str, act: &str, event: &PathEvent<'_>) -> Fields {
    let PathEvent { change, path, after, skipped } = event;
    let shown = String::from_utf8_lossy(cut(path.as_os_str().as_bytes()));
    vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        ("message", json!(format!("checkpoint {act}: {change} {shown}"))),
        ("change", json!(change)),
        ("path", text(path.as_os_str().as_bytes())),
        ("ending", json!(if skipped.is_some() { "skipped" } else { "done" })),
        ("reason", json!(skipped)),
        ("after", json!(after)),
    ]
}

/// Checkpoints that are about to be given up.
pub(crate) fn given_up(actor: &str, id: &str, checkpoints: &[u64]) -> Fields {
    let message = format!("checkpoint: gives up {} checkpoints", checkpoints.len());
    vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        ("message", json!(message)),
        ("checkpoints", json!(checkpoints)),
    ]
}

/// What came of an act on checkpoints.
pub(crate) fn checkpoint_outcome(actor: &str, id: &str, act: &str, ending: &str, told: Fields) -> Fields {
    let mut fields = vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        ("message", json!(format!("checkpoint {act}: {ending}"))),
        ("action", json!(act)),
        ("ending", json!(ending)),
    ];
    fields.extend(told);
    fields
}

/// The end of a run. `unwritten` is how many denials of its processes have no event of their own.
pub(crate) fn outcome(
    actor: &str,
    id: &str,
    outcome: &Outcome,
    unwritten: u64,
    enforcement: &Enforcement,
) -> Fields {
    let status = outcome.status;
    let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let guarantees = enforcement.entries().map(|(guarantee, state)| {
        (guarantee.name().to_owned(), json!(matches!(state, State::Enforced { .. })))
    });
    vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        (
            "message",
            json!(format!(
                "exec ended: {}",
                status.map_or("unknown".to_owned(), |status| status.to_string())
            )),
        ),
        ("status", json!(status.and_then(|status| status.code()))),
        ("signal", json!(status.and_then(|status| status.signal()))),
        ("ending", json!(outcome.ending.name())),
        ("wallMs", json!(milliseconds(outcome.wall))),
        ("cpuMs", json!(milliseconds(outcome.usage.user + outcome.usage.system))),
        ("maxResidentBytes", json!(outcome.usage.max_resident)),
        ("stdoutBytes", json!(outcome.stdout)),
        ("stderrBytes", json!(outcome.stderr)),
        ("swept", json!(outcome.sweep.swept)),
        ("sweepComplete", json!(outcome.sweep.complete)),
        ("guarded", json!(outcome.guarded)),
        ("denials", json!(outcome.denials.count())),
        ("denialsUnsaid", json!(outcome.denials.unsaid())),
        ("denialsUnwritten", json!(unwritten)),
        ("enforced", Value::Object(guarantees.collect())),
    ]
}

/// A granted run that did not start.
pub(crate) fn not_started(actor: &str, id: &str, error: &str) -> Fields {
    let error = Redactor::default().text(error.as_bytes());
    vec![
        ("id", json!(id)),
        ("actor", json!(actor)),
        ("message", json!(format!("exec not started: {}", String::from_utf8_lossy(cut(&error))))),
        ("ending", json!("not-started")),
    ]
}

/// The code and the rule of the first reason, which is the most important one.
fn why(redactor: &Redactor, reasons: &[Reason]) -> Fields {
    let Some(reason) = reasons.first() else { return Vec::new() };
    let rule = reason.rule.as_ref().map(ToString::to_string);
    vec![
        ("code", json!(reason.code.name())),
        ("rule", json!(rule)),
        ("reason", text(&redactor.text(reason.message.as_bytes()))),
    ]
}

/// The words that fit in what is `left`, but at least the first one: the name of the program.
fn list(words: &[Vec<u8>], left: &mut usize) -> Value {
    let fits = |word: &&Vec<u8>| {
        let rest = left.checked_sub(cut(word).len());
        *left = rest.unwrap_or(0);
        rest.is_some()
    };
    let first = words.iter().take(1);
    let mut shown: Vec<Value> =
        first.chain(words.iter().take(WORDS).skip(1).take_while(fits)).map(|word| text(word)).collect();
    if shown.len() < words.len() {
        shown.push(json!(format!("… ({} words)", words.len())));
    }
    Value::Array(shown)
}

/// Text as a string; other bytes as `{"bytes": "<hexadecimal>"}`.
fn text(bytes: &[u8]) -> Value {
    let shown = cut(bytes);
    match std::str::from_utf8(shown) {
        Ok(text) if shown.len() == bytes.len() => json!(text),
        Ok(text) => json!(format!("{text}… ({} bytes)", bytes.len())),
        Err(_) => json!({ "bytes": hexadecimal(shown) }),
    }
}

/// At most [`WORD_BYTES`], and no part of a character.
fn cut(bytes: &[u8]) -> &[u8] {
    let Some((start, rest)) = bytes.split_at_checked(WORD_BYTES) else { return bytes };
    if rest.is_empty() {
        return start;
    }
    match std::str::from_utf8(start) {
        Err(error) if error.error_len().is_none() => start.get(..error.valid_up_to()).unwrap_or(start),
        _ => start,
    }
}
