//! `import`: another program's settings as a policy.

use std::io::{self, Read as _};
use std::path::Path;

use claw_import::{Finding, Import, OpenClaw, openclaw};
use claw_policy::{Format, Source};
use claw_sandbox::policy_file;
use serde_json::json;

use crate::args::OpenClawArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

use super::policy::{self, Names};

/// The bound of policy files.
const MAX_BYTES: u64 = 1 << 20;

/// Translates, checks that the policy can be used, and only then writes anything.
pub(crate) fn run(args: &OpenClawArgs) -> Outcome {
    let is_stdin = |path: &Option<_>| path.as_deref() == Some(Path::new("-"));
    if is_stdin(&args.config) && is_stdin(&args.approvals) {
        return Err(Failure::new(
            "standard input can be one of the two documents; name a file for the other",
        ));
    }
    let config = args.config.as_deref().map(read).transpose()?;
    let approvals = args.approvals.as_deref().map(read).transpose()?;
    let input = OpenClaw { config: config.as_ref(), approvals: approvals.as_ref(), agent: &args.agent };
    let import = openclaw(input).map_err(Failure::Policy)?;
    check(&import)?;
    if let Some(path) = &args.output {
        super::init::place(path, &import.policy, args.force)?;
    }
    if args.json {
        let report: Vec<_> = import.report.iter().map(wire).collect();
        output::print_json(&json!({ "policy": import.policy, "report": report }))?;
        return Ok(Exit::Success);
    }
    for finding in &import.report {
        output::say(output::visible(finding.to_string().as_bytes()));
    }
    match &args.output {
        None => output::print(&import.policy)?,
        Some(path) => output::print(format_args!("wrote {0}\ntry: claw-sandbox lint {0}\n", path.display()))?,
    }
    Ok(Exit::Success)
}

fn wire(finding: &Finding) -> serde_json::Value {
    let place = finding.place.as_ref();
    json!({
        "key": finding.key,
        "fate": finding.fate.name(),
        "message": finding.message,
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}

/// What it names has to exist here too: a variable that is not set would be an error in every run.
fn check(import: &Import) -> Result<(), Failure> {
    let names = Names { home: claw_sandbox::home(), cwd: super::directory(None)?, ..Names::default() };
    let source = Source::new("imported policy", import.policy.as_str(), Format::Yaml);
    policy::compiled(Some(source), &names).map(drop).map_err(Failure::Policy)
}

/// OpenClaw reads its `.json` as JSON5.
fn read(path: &Path) -> Result<Source, Failure> {
    let source = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| {
            Failure::new(format_args!("cannot read standard input: {error}; check where it comes from"))
        })?;
        Source::from_bytes("standard input", &bytes, Format::Json5)
            .map_err(|error| Failure::Policy(vec![*error]))?
    } else {
        policy_file::read(path).map_err(Failure::new)?
    };
    Ok(match source.format() {
        Format::Json => Source::new(source.name(), source.text(), Format::Json5),
        Format::Json5 | Format::Yaml => source,
    })
}
