//! Questions are put to the person at the terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::pty::openpty;

use crate::harness::Place;

const POLICY: &str = "exec:\n  ask: on-miss\n  allowlist: [bash]\n";

/// Runs it in a session whose terminal is ours, answers each question, and returns the exit status and what the
/// terminal showed.
fn at_terminal(place: &Place, args: &[&str], answers: &[&str]) -> (i32, String) {
    let pty = openpty(None, None).unwrap();
    let binary = place.path("bin/claw-sandbox");
    // `setsid --ctty` gives the new session its standard input as its terminal.
    let mut command: Command = place.program("setsid");
    command.args(["--ctty", "--wait"]).arg(binary).args(args);
    let stream = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
    drop(command);
    drop(pty.slave);
    let mut terminal = std::fs::File::from(pty.master);
    let mut shown = String::new();
    let mut answers = answers.iter();
    let mut bytes = [0; 4096];
    // EIO is the end of what a terminal shows.
    while let Ok(length) = terminal.read(&mut bytes)
        && length > 0
    {
        shown.push_str(&String::from_utf8_lossy(bytes.get(..length).unwrap()));
        if shown.ends_with("[d]eny: ") {
            let answer = answers.next().unwrap_or_else(|| panic!("one question too many: {shown}"));
            writeln!(terminal, "{answer}").unwrap();
        }
    }
    assert_eq!(answers.next(), None, "a question is missing: {shown}");
    (child.wait().unwrap().code().unwrap(), shown)
}

fn place() -> Place {
    let place = Place::new();
    place.write("policy.yaml", POLICY);
    place
}

const RUN: &[&str] = &["run", "--policy", "../policy.yaml", "--", "echo", "it", "ran"];

#[test]
fn a_yes_runs_it_and_a_no_does_not() {
    let place = place();
    for (answers, runs) in
        [(&["o"][..], true), (&["what", "ONCE"], true), (&["d"], false), (&["", "no"], false)]
    {
        let (status, shown) = at_terminal(&place, RUN, answers);
        assert_eq!((status, shown.contains("\r\nit ran\r\n")), (if runs { 0 } else { 126 }, runs), "{shown}");
        assert!(shown.contains("echo it ran"), "{shown}");
    }
}

#[test]
fn always_is_remembered_for_the_same_command_only() {
    let place = place();
    let (status, _) = at_terminal(&place, RUN, &["a"]);
    assert_eq!(status, 0);
    let (status, shown) = at_terminal(&place, RUN, &[]);
    assert_eq!((status, shown.contains("it ran")), (0, true), "{shown}");
    // Also where nobody can be asked.
    let ran = place.run(RUN);
    assert_eq!((ran.status, &*ran.stdout), (0, "it ran\n"));
    let other = ["run", "--policy", "../policy.yaml", "--", "echo", "another"];
    assert_eq!(at_terminal(&place, &other, &["d"]).0, 126);
}

#[test]
fn without_a_terminal_nobody_says_yes() {
    let place = place();
    let ran = place.run(RUN);
    assert_eq!(ran.status, 126, "{ran:?}");
}

#[test]
fn what_a_process_of_the_run_executes_is_asked_about_and_waits() {
    let place = place();
    place.write("work/script", "/usr/bin/id -u && echo after\n");
    let run = ["run", "--policy", "../policy.yaml", "--", "bash", "script"];
    for (answer, runs) in [("o", true), ("d", false)] {
        let (_, shown) = at_terminal(&place, &run, &[answer]);
        assert!(shown.contains("asked for by: `bash`"), "{shown}");
        assert_eq!(shown.contains("\r\nafter\r\n"), runs, "{shown}");
    }
}
