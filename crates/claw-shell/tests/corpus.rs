//! Runs the cases of `tests/data/*.txt`. A case is a block:
//!
//! ```text
//! == name
//! the command line, one or more lines (`\x00`-style escapes are not read)
//! -- runs NAME | NAME ...        names that are listed, in the order of the text
//! -- argv WORD|WORD...           this exact argument vector is listed
//! -- opaque Kind Kind            the kinds of what is opaque, sorted; none when absent
//! -- error Kind
//! -- posix                       the line is read by a POSIX shell
//! ```
//!
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

use std::fmt::Write as _;

use claw_shell::{Dialect, Script, parse};

#[derive(Debug, Default)]
struct Case {
    name: String,
    line: String,
    runs: Option<String>,
    argv: Vec<String>,
    opaque: String,
    error: Option<String>,
    posix: bool,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("##")) {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case { name: name.to_owned(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        let Some(fact) = line.strip_prefix("-- ") else {
            if !case.line.is_empty() {
                case.line.push('\n');
            }
            case.line.push_str(line);
            continue;
        };
        let (key, value) = fact.split_once(' ').unwrap_or((fact, ""));
        match key {
            "runs" => case.runs = Some(value.to_owned()),
            "argv" => case.argv.push(value.to_owned()),
            "opaque" => case.opaque = value.to_owned(),
            "error" => case.error = Some(value.to_owned()),
            "posix" => case.posix = true,
            other => panic!("{}: unknown fact `{other}`", case.name),
        }
    }
    cases
}

fn names(script: &Script, text: &[u8]) -> String {
    let names = script
        .commands
        .iter()
        .map(|command| String::from_utf8_lossy(&command.argv_for_display(text).swap_remove(0)).into_owned());
    names.collect::<Vec<_>>().join(" | ")
}

fn opaque(script: &Script) -> String {
    let mut kinds: Vec<String> = script.opaque.iter().map(|opaque| format!("{:?}", opaque.kind)).collect();
    kinds.sort();
    kinds.dedup();
    kinds.join(" ")
}

fn failures(case: &Case) -> String {
    let mut report = String::new();
    let text = case.line.trim_end_matches('\n').as_bytes();
    let dialect = if case.posix { Dialect::Posix } else { Dialect::Bash };
    let script = match (parse(text, dialect), &case.error) {
        (Err(error), Some(expected)) => {
            if format!("{:?}", error.kind) != *expected {
                writeln!(report, "  error {:?}, not {expected}", error.kind).unwrap();
            }
            return report;
        }
        (Err(error), None) => return format!("  fails: {error}\n"),
        (Ok(script), Some(expected)) => {
            return format!("  no error {expected}; runs {}\n", names(&script, text));
        }
        (Ok(script), None) => script,
    };
    claw_shell::invariants::assert_script(&script, text.len());
    let runs = names(&script, text);
    if case.runs.as_ref().is_none_or(|expected| *expected != runs) {
        writeln!(report, "-- runs {runs}").unwrap();
    }
    let kinds = opaque(&script);
    if kinds != case.opaque {
        writeln!(report, "-- opaque {kinds}").unwrap();
    }
    for argv in &case.argv {
        let listed = script.commands.iter().any(|command| {
            let words: Vec<_> = command.argv_for_display(text);
            words.join(&b'|') == argv.as_bytes()
        });
        if !listed {
            let all = script.commands.iter().map(|command| {
                String::from_utf8_lossy(&command.argv_for_display(text).join(&b'|')).into_owned()
            });
            let all: Vec<_> = all.collect();
            writeln!(report, "  no argv {argv} in {all:?}").unwrap();
        }
    }
    report
}

fn run(text: &str, least: usize) {
    let cases = cases(text);
    assert!(cases.len() >= least, "the corpus has {} cases", cases.len());
    let mut report = String::new();
    for case in &cases {
        let failures = failures(case);
        if !failures.is_empty() {
            writeln!(report, "== {}\n{}\n{failures}", case.name, case.line).unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn every_line_lists_what_it_runs() {
    run(include_str!("data/lines.txt"), 45);
}

#[test]
fn wrappers_builtins_and_evaluated_data_list_what_they_run() {
    run(include_str!("data/more.txt"), 100);
}
