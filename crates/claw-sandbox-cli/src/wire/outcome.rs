//! What `run --outcome` writes.

use std::os::unix::process::ExitStatusExt as _;

use claw_sandbox::{Decision, Ending, Enforcement, Error, Outcome, State, Stream, SweepMethod};
use serde_json::{Value, json};

use super::Answer;
use crate::exit::Exit;

/// How a run ended. `exit` is the status of this command, `status` and `signal` are the run's own.
pub(crate) fn ended(exit: Exit, outcome: &Outcome, enforcement: &Enforcement) -> Value {
    json!({
        "decision": "allow",
        "exit": exit.code(),
        "ending": ending(outcome.ending),
        "status": outcome.status.and_then(|status| status.code()),
        "signal": outcome.status.and_then(|status| status.signal()),
        "wallMilliseconds": milliseconds(outcome.wall),
        "usage": {
            "userMilliseconds": milliseconds(outcome.usage.user),
            "systemMilliseconds": milliseconds(outcome.usage.system),
            "maxResidentBytes": outcome.usage.max_resident,
        },
        "stdoutBytes": outcome.stdout,
        "stderrBytes": outcome.stderr,
        "sweep": {
            "method": match outcome.sweep.method {
                SweepMethod::Domain => "domain",
                SweepMethod::Session => "session",
                _ => "detached",
            },
            "swept": outcome.sweep.swept,
            "complete": outcome.sweep.complete,
        },
        "denials": { "count": outcome.denials.count(), "unsaid": outcome.denials.unsaid() },
        "enforcement": guarantees(enforcement),
    })
}

/// Why nothing was started.
pub(crate) fn refused(exit: Exit, error: &Error) -> Value {
    match error.denial() {
        Some(denial) => {
            let decision = Decision::Deny(denial.clone());
            // The fields of an answer, and ours.
            let mut report = serde_json::to_value(Answer::new(None, &decision)).unwrap_or_default();
            if let Some(fields) = report.as_object_mut() {
                fields.insert("exit".to_owned(), exit.code().into());
                fields.insert("ending".to_owned(), "denied".into());
            }
            report
        }
        None => json!({ "exit": exit.code(), "ending": "failed", "error": error.to_string() }),
    }
}

/// Per guarantee, what gives it or why nothing does.
pub(crate) fn guarantees(enforcement: &Enforcement) -> Value {
    let entry = |state: &State| match state {
        State::Enforced { mechanism } => json!({ "enforced": true, "mechanism": mechanism }),
        State::Missing { reason, next } => json!({ "enforced": false, "reason": reason, "next": next }),
    };
    enforcement.entries().map(|(guarantee, state)| (guarantee.name().to_owned(), entry(state))).collect()
}

const fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::TimedOut => "timed-out",
        Ending::OutputLimit(Stream::Stdout) => "stdout-limit",
        Ending::OutputLimit(_) => "stderr-limit",
        Ending::ProcessLimit => "process-limit",
        Ending::CpuLimit => "cpu-limit",
        Ending::Killed => "killed",
        _ => "exited",
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
