//! `lint`: mistakes and traps in policy files.

use claw_policy::{Diagnostic, Severity};

use crate::args::LintArgs;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output;
use crate::render::{self, Finding};

/// Looks at every file, whatever is wrong with the others.
pub(crate) fn run(args: &LintArgs) -> Outcome {
    let mut findings = Vec::new();
    let mut unreadable = false;
    if args.files.is_empty() {
        findings = super::policy::findings_in_force()?;
    }
    for path in &args.files {
        match super::policy::findings(path) {
            Ok(mut found) => findings.append(&mut found),
            Err(failure) => {
                unreadable = true;
                crate::report(&failure);
            }
        }
    }
    if args.json {
        output::print_json(&findings.iter().map(Finding::from).collect::<Vec<_>>())?;
    } else {
        output::complain(render::diagnostics(&findings));
    }
    let count =
        |severity| findings.iter().filter(|finding: &&Diagnostic| finding.severity == severity).count();
    Ok(if unreadable || count(Severity::Error) > 0 {
        Exit::CannotEnforce
    } else if args.deny_warnings && count(Severity::Warning) > 0 {
        Exit::Findings
    } else {
        Exit::Success
    })
}
