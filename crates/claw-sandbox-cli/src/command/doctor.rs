//! `doctor`: what this kernel offers, and attempts to break out of a real sandbox.

use std::env;
use std::ffi::OsStr;
use std::path::Path;

use claw_sandbox::doctor::{Finding, Observation, diagnose, run_probe};
use claw_sandbox::{CommandLine, Enforcement, ExecInput, KernelFeatures, Sandbox, State, built_in_policy};
use serde_json::{Value, json};

use crate::args::DoctorArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::wire::outcome::guarantees;

use super::kernel;

/// Shows the report, or is one of the attempts that the report is made of.
pub(crate) fn run(args: &DoctorArgs) -> Outcome {
    if let [name, directory] = args.probe.as_slice() {
        return probe(&name.to_string_lossy(), Path::new(directory));
    }
    let features = KernelFeatures::probe();
    let ourselves = env::current_exe().map_err(|error| {
        Failure::new(format_args!("cannot find our own program file: {error}; check that /proc is mounted"))
    })?;
    let arguments = ["doctor", "--probe"].map(OsStr::new);
    let findings = diagnose(&ourselves, &arguments, &features).map_err(|error| {
        Failure::new(format_args!(
            "the probes cannot run: {error}; run `claw-sandbox doctor` on another kernel or user"
        ))
    });
    let findings = findings?;
    let enforcement = enforcement(&features)?;
    if args.json {
        output::print_json(&report(&features, &enforcement, &findings))?;
    } else {
        output::print(text(&features, &enforcement, &findings))?;
    }
    Ok(if findings.iter().any(Finding::is_failure) { Exit::Findings } else { Exit::Success })
}

fn probe(name: &str, directory: &Path) -> Outcome {
    let observation =
        run_probe(name, directory).ok_or_else(|| Failure::new(format_args!("no such probe: {name}")))?;
    output::print(format_args!("{observation}\n"))?;
    Ok(Exit::Success)
}

/// What the built-in profile would have for a harmless command in an empty directory.
fn enforcement(features: &KernelFeatures) -> Result<Enforcement, Failure> {
    let cwd = env::temp_dir();
    let sandbox = Sandbox::builder(built_in_policy(&cwd)?).kernel(features.clone()).build()?;
    let command = CommandLine::Argv(vec![b"true".to_vec()]);
    Ok(sandbox.enforcement(&ExecInput { command, cwd, environment: Vec::new(), timeout: None })?)
}

fn text(features: &KernelFeatures, enforcement: &Enforcement, findings: &[Finding]) -> String {
    let mut text = format!("This kernel\n{}\nThe built-in profile here\n", kernel::table(features));
    for (guarantee, state) in enforcement.entries() {
        let (mark, why) = match state {
            State::Enforced { mechanism } => ("enforced", mechanism),
            State::Missing { reason, .. } => ("missing", reason),
        };
        text += &format!("  {:15}  {mark:8}  {why}\n", guarantee.name());
    }
    text += match findings.iter().all(|finding| finding.supervised) {
        true => "\nAttempts inside a real run, under full supervision\n",
        false => {
            "\nAttempts inside the kernel's own rules: this kernel cannot give everything that a run needs\n"
        }
    };
    for finding in findings {
        text += &line(finding);
    }
    let failures = findings.iter().filter(|finding| finding.is_failure()).count();
    text += &match failures {
        0 => "\nEverything that is promised is blocked.\n".to_owned(),
        1 => "\n1 attempt that must be blocked was not.\n".to_owned(),
        _ => format!("\n{failures} attempts that must be blocked were not.\n"),
    };
    text
}

fn line(finding: &Finding) -> String {
    let probe = finding.probe;
    let note = match (&finding.inside, finding.known_gap()) {
        (Observation::NotBlocked(_), Some(gap)) => format!(" (known gap: {gap})"),
        (Observation::Blocked(_), _) if !finding.is_proven() => {
            format!(" (outside: {}, {})", word(&finding.outside), finding.outside.evidence())
        }
        _ => String::new(),
    };
    let evidence = output::visible(finding.inside.evidence().as_bytes());
    format!("  {:14}  {:20}  {}: {evidence}{note}\n", word(&finding.inside), probe.name, probe.attempt)
}

const fn word(observation: &Observation) -> &'static str {
    match observation {
        Observation::Blocked(_) => "blocked",
        Observation::NotBlocked(_) => "not blocked",
        Observation::NotApplicable(_) => "not applicable",
    }
}

fn report(features: &KernelFeatures, enforcement: &Enforcement, findings: &[Finding]) -> Value {
    let observation = |observation: &Observation| json!({ "result": word(observation), "evidence": observation.evidence() });
    let probes: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "name": finding.probe.name,
                "attempt": finding.probe.attempt,
                "guarantee": finding.probe.guarantee.name(),
                "blocked": matches!(finding.inside, Observation::Blocked(_)),
                "proven": finding.is_proven(),
                "failure": finding.is_failure(),
                "knownGap": finding.known_gap(),
                "supervised": finding.supervised,
                "inside": observation(&finding.inside),
                "outside": observation(&finding.outside),
            })
        })
        .collect();
    json!({
        "ok": !findings.iter().any(Finding::is_failure),
        "kernel": kernel::json(features),
        "enforcement": guarantees(enforcement),
        "probes": probes,
    })
}
