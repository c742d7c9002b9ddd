//! Standard output and standard error, and whether they are terminals that show colour.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;

/// Writes `text` to standard output and flushes it.
pub(crate) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    write!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| closed(&error))
}

/// Writes `value` to standard output as JSON: indented for people, one line for programs.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    print(format_args!("{}\n", text.map_err(Failure::new)?))
}

/// Writes one line to standard error. When that fails there is nobody left to tell.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "claw-sandbox: {line}");
}

/// Says on standard error what was denied: in three lines to a person, in one to a program.
pub(crate) fn say_denial(error: &claw_sandbox::Error) {
    say(if io::stderr().is_terminal() { error.report_lines() } else { error.report() });
}

/// Writes `text` to standard error as it is.
pub(crate) fn complain(text: impl fmt::Display) {
    let _ = write!(io::stderr().lock(), "{text}");
}

/// What a failed write to standard output means.
pub(crate) fn closed(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
        _ => Failure::new(format_args!("cannot write to standard output: {error}; check where it goes")),
    }
}

/// Whether colour helps on this stream: a terminal that can show it, and nobody asked for none.
pub(crate) fn colour(stream: &impl IsTerminal) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && !set("NO_COLOR") && !dumb
}

/// Text between backticks in a message: control characters would let a file name write on the terminal.
pub(crate) fn visible(bytes: &[u8]) -> String {
    claw_wire::visible(&String::from_utf8_lossy(bytes))
}
