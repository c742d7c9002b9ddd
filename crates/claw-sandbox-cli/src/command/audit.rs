//! `audit`: what the log says, and whether it is still what was written.

use std::path::PathBuf;

use claw_sandbox::audit::{self, AuditLog, Filter, Report, Summary};
use jiff::Timestamp;
use serde_json::json;

use crate::args::{AuditCommand, GrepArgs, SummaryArgs, VerifyArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Runs one of the questions.
pub(crate) fn run(command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::Verify(args) => verify(args),
        AuditCommand::Grep(args) => grep(args),
        AuditCommand::Summary(args) => summary(args),
    }
}

fn log(given: Option<&PathBuf>) -> PathBuf {
    given.cloned().unwrap_or_else(AuditLog::default_path)
}

fn verify(args: &VerifyArgs) -> Outcome {
    let report = audit::verify(&log(args.file.as_ref()), args.head.as_deref()).map_err(Failure::new)?;
    if args.json {
        output::print_json(&report_json(&report))?;
    } else {
        for finding in &report.findings {
            output::print(format_args!("{finding}\n"))?;
        }
        for note in &report.notes {
            output::print(format_args!("note: {note}\n"))?;
        }
        let verdict = if report.is_intact() { "intact" } else { "NOT intact" };
        let verdict = match report.first {
            0 => verdict.to_owned(),
            first => format!("{verdict} from event {first} on, without the files before it"),
        };
        let head = report.head.as_ref().map_or_else(String::new, |head| format!(", head {}", head.hash));
        output::print(format_args!("{verdict}: {} events{head}\n", report.events))?;
    }
    Ok(if report.is_intact() { Exit::Success } else { Exit::Findings })
}

fn report_json(report: &Report) -> serde_json::Value {
    let list = |findings: &[audit::Finding]| -> Vec<_> {
        let one = |finding: &audit::Finding| json!({ "file": finding.file.to_string_lossy(), "line": finding.line, "message": finding.message });
        findings.iter().map(one).collect()
    };
    json!({
        "intact": report.is_intact(),
        "events": report.events,
        "firstEvent": report.first,
        "head": report.head.as_ref().map(|head| &head.hash),
        "findings": list(&report.findings),
        "notes": list(&report.notes),
    })
}

fn grep(args: &GrepArgs) -> Outcome {
    let now = Timestamp::now();
    let time = |text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let wrong = || {
            Failure::new(format_args!(
                "`{text}` is not a time; write 2026-02-02T10:00:00Z, 2026-02-02 or 24h"
            ))
        };
        audit::parse_time(text, now).map(Some).ok_or_else(wrong)
    };
    let filter = Filter {
        event: args.event.clone(),
        decision: args.decision.clone(),
        code: args.code.clone(),
        program: args.program.clone(),
        text: args.text.clone(),
        since: time(&args.since)?,
        until: time(&args.until)?,
    };
    let mut exit = Exit::Findings;
    let log = log(args.file.as_ref());
    let mut entries = audit::entries(&log).map_err(Failure::new)?;
    for entry in entries.by_ref().filter(|entry| filter.matches(entry)) {
        exit = Exit::Success;
        // Our own lines have no control characters; forged ones may.
        output::print(format_args!("{}\n", output::visible(entry.text.as_bytes())))?;
    }
    say_unreadable(&entries);
    Ok(exit)
}

fn say_unreadable(entries: &audit::Entries) {
    if entries.unreadable() > 0 {
        output::say(format_args!(
            "lines that are no events: {}; see `claw-sandbox audit verify`",
            entries.unreadable()
        ));
    }
}

fn summary(args: &SummaryArgs) -> Outcome {
    let log = log(args.file.as_ref());
    let mut entries = audit::entries(&log).map_err(Failure::new)?;
    let summary = audit::summarize(entries.by_ref());
    say_unreadable(&entries);
    if args.json {
        output::print_json(&summary_json(&summary))?;
    } else {
        output::print(summary_text(&summary))?;
    }
    Ok(Exit::Success)
}

fn summary_json(summary: &Summary) -> serde_json::Value {
    let programs: serde_json::Map<_, _> = summary
        .programs
        .iter()
        .map(|(name, counts)| (name.clone(), json!({ "allowed": counts.allowed, "denied": counts.denied })))
        .collect();
    json!({
        "events": summary.events,
        "period": summary.period,
        "kinds": summary.kinds,
        "programs": programs,
        "denials": summary.denials,
        "denialsUnwritten": summary.denials_unwritten,
        "endings": summary.endings,
        "authFailed": summary.auth_failed,
    })
}

/// The questions of a weekly review, most frequent first.
fn summary_text(summary: &Summary) -> String {
    let mut lines = vec![format!("{} events", summary.events)];
    if let Some((first, last)) = &summary.period {
        lines.push(format!("from {first} to {last}"));
    }
    let mut programs: Vec<_> = summary.programs.iter().collect();
    programs.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.allowed + counts.denied));
    let programs = programs.into_iter().map(|(name, counts)| {
        let denied = if counts.denied > 0 { format!("  ({} denied)", counts.denied) } else { String::new() };
        format!("{:>7} {}{denied}", counts.allowed + counts.denied, output::visible(name.as_bytes()))
    });
    section(&mut lines, "commands", programs);
    let counted = |counts: &std::collections::BTreeMap<String, u64>| {
        let mut counts: Vec<_> = counts.iter().map(|(name, count)| (*count, name.clone())).collect();
        counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        counts.into_iter().map(|(count, name)| format!("{count:>7} {}", output::visible(name.as_bytes())))
    };
    section(&mut lines, "denials", counted(&summary.denials));
    if summary.denials_unwritten > 0 {
        lines.push(format!("denials that were counted only: {}", summary.denials_unwritten));
    }
    section(&mut lines, "ends of runs", counted(&summary.endings));
    if summary.auth_failed > 0 {
        lines.push(format!("failed authentications: {}", summary.auth_failed));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn section(lines: &mut Vec<String>, title: &str, entries: impl Iterator<Item = String>) {
    let mut entries = entries.peekable();
    if entries.peek().is_some() {
        lines.push(format!("{title}:"));
        lines.extend(entries);
    }
}
