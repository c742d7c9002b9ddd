//! The approvals document, version 1.

use claw_policy::Diagnostic;

use crate::config::{nested, overlay};
use crate::cursor::Cursor;
use crate::exec::{Exec, Origin};
use crate::report::Report;

/// Reads what holds for the agent; whether the document knows it.
pub(crate) fn read<'a>(
    root: &Cursor<'a>,
    agent: &str,
    exec: &mut Exec<'a>,
    report: &mut Report,
) -> Result<bool, Vec<Diagnostic>> {
    match root.member("version") {
        Some(version) if version.number() == Some(1) => report.mapped(&version, ""),
        Some(version) => {
            return Err(version.fail("import.version", "want version 1 of the approvals document"));
        }
        None => return Err(root.fail("import.version", "no version: this is not an approvals document")),
    }
    let (mut defaults, mut everybody, mut legacy, mut own) = (None, None, None, None);
    for member in root.members() {
        match member.name {
            "version" => {}
            "socket" => report.lost(&member, "how OpenClaw reaches its own approver"),
            "defaults" => defaults = Some(member),
            "agents" => {
                for entry in member.members() {
                    match entry.name {
                        "*" => everybody = Some(entry),
                        name if name == agent => own = Some(entry),
                        // OpenClaw merges it so.
                        "default" if agent == "main" => legacy = Some(entry),
                        _ => report.lost(&entry, "another agent; import it by itself with --agent"),
                    }
                }
            }
            // OpenClaw refuses such a document as a whole, and then nothing may run.
            "__proto__" => return Err(member.fail("import.shape", "a key that OpenClaw refuses")),
            _ => report.unknown(&member),
        }
    }
    let is_known = own.is_some();
    let levels: Vec<Cursor<'a>> = [defaults, everybody, legacy, own].into_iter().flatten().collect();
    for member in overlay(&levels, &["allowlist", "mcpTools"], report) {
        match member.name {
            "security" | "ask" => exec.state(&member, Origin::Document, report),
            "askFallback" => match member.text() {
                Some("deny") => report.mapped(&member, ""),
                _ => report.narrowed(&member, "a question that nobody answers is a denial"),
            },
            "autoAllowSkills" => match member.flag() {
                Some(false) => report.mapped(&member, ""),
                _ => report.narrowed(&member, "list the programs of skills by their paths"),
            },
            "allowlist" => {}
            "mcpTools" => report
                .lost(&member, "a policy speaks of commands and files, not of tools; keep it in OpenClaw"),
            "__proto__" => return Err(member.fail("import.shape", "a key that OpenClaw refuses")),
            _ => report.unknown(&member),
        }
    }
    for list in nested(&levels, "allowlist") {
        match list.is_list() {
            true => exec.allowlist.extend(list.items()),
            false => report.lost(&list, "not a list"),
        }
    }
    Ok(is_known)
}
