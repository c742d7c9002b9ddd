//! `approvals`, `approve`, `deny`: questions that wait for a person who is not at the command's terminal.

use std::time::{SystemTime, UNIX_EPOCH};

use claw_sandbox::approval::{Approval, Broker, OpenQuestion};
use serde_json::{Value, json};

use crate::args::{ApprovalsArgs, ApproveArgs, DenyArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Shows what waits for an answer, all of it.
pub(crate) fn list(args: &ApprovalsArgs) -> Outcome {
    let questions = broker().open_questions().map_err(Failure::new)?;
    if args.json {
        output::print_json(&questions.iter().map(wire).collect::<Vec<_>>())?;
        return Ok(Exit::Success);
    }
    if questions.is_empty() {
        output::print("no question is open\n")?;
    }
    for question in &questions {
        let (id, detail) = (&question.id, &question.detail);
        output::print(format_args!("{id}, for another {} s:\n{detail}", left(question) / 1000))?;
    }
    Ok(Exit::Success)
}

/// Says yes.
pub(crate) fn approve(args: &ApproveArgs) -> Outcome {
    let approval = if args.always { Approval::Always } else { Approval::Once };
    answer(&args.id, approval, args.json)
}

/// Says no.
pub(crate) fn deny(args: &DenyArgs) -> Outcome {
    answer(&args.id, Approval::Denied, args.json)
}

fn answer(id: &str, approval: Approval, as_json: bool) -> Outcome {
    let question = broker().answer(id, approval).map_err(Failure::new)?;
    if as_json {
        output::print_json(&wire(&question))?;
        return Ok(Exit::Success);
    }
    let said = match approval {
        Approval::Once => "may run once",
        Approval::Always => "may always run",
        Approval::Denied => "may not run",
    };
    output::print(format_args!("{}: {said}:\n{}", question.id, question.detail))?;
    Ok(Exit::Success)
}

fn broker() -> Broker {
    Broker::new(Broker::default_path())
}

fn wire(question: &OpenQuestion) -> Value {
    json!({
        "id": question.id,
        "digest": question.digest,
        "detail": question.detail,
        "answer": question.answer,
        "left_ms": left(question),
    })
}

/// Milliseconds until it is too late.
fn left(question: &OpenQuestion) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    question.expires_ms.saturating_sub(u64::try_from(now).unwrap_or(u64::MAX))
}
