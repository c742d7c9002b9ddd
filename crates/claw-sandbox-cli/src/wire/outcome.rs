//! What `run --outcome` writes.

use std::os::unix::process::ExitStatusExt as _;

use claw_sandbox::{
    Decision, Enforcement, Error, Guarantee, KeptLimit, Outcome, Sandbox, State, SweepMethod,
};
use serde_json::{Value, json};

use super::Answer;
use crate::exit::Exit;

/// How a run ended. `exit` is the status of this command, `status` and `signal` are the run's own.
pub(crate) fn ended(exit: Exit, outcome: &Outcome, enforcement: &Enforcement, sandbox: &Sandbox) -> Value {
    json!({
        "decision": "allow",
        "exit": exit.code(),
        "ending": outcome.ending.name(),
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
            "guarded": outcome.guarded,
        },
        "denials": { "count": outcome.denials.count(), "unsaid": outcome.denials.unsaid() },
        "audit": { "missing": sandbox.unrecorded(), "reason": sandbox.unrecorded_because() },
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

/// Per guarantee, what gives it or why nothing does; per limit, what keeps it.
pub(crate) fn guarantees(enforcement: &Enforcement) -> Value {
    let entry = |state: &State| match state {
        State::Enforced { mechanism } => json!({ "enforced": true, "mechanism": mechanism }),
        State::Missing { reason, next } => json!({ "enforced": false, "reason": reason, "next": next }),
    };
    let entries = enforcement.entries().map(|(guarantee, state)| (guarantee.name().to_owned(), entry(state)));
    let mut entries: serde_json::Map<String, Value> = entries.collect();
    if let Some(Value::Object(limits)) = entries.get_mut(Guarantee::Limits.name()) {
        limits.insert("each".to_owned(), each_limit(enforcement));
    }
    Value::Object(entries)
}

fn each_limit(enforcement: &Enforcement) -> Value {
    let names =
        |limit: &KeptLimit| limit.mechanisms.iter().map(|mechanism| mechanism.name()).collect::<Value>();
    enforcement.limits().iter().map(|limit| (limit.name.to_owned(), names(limit))).collect()
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
