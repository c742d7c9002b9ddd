//! A hostile program for the confinement suite: it makes the system calls that it is told to make, so that an
//! attack is a line in the suite's tables.
//!
//! `attack do "openat -100 @/etc/passwd 0; print $1; hold"` makes one call after the other. [`words`] has the form
//! of arguments, `$1` is what the first call returned, and a statement that begins with `?` may fail. `print FD`
//! copies a descriptor to standard output, and `hold` says `ready` and waits for the end of standard input, so that
//! the outside can look. Every attack says `started` first: what fails before it has attacked nothing.
#![expect(clippy::print_stdout, reason = "its output is the protocol with the suite")]

mod race;
mod special;
mod sys;
mod words;

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use words::{Words, failure};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    say("started");
    let done = match arguments.as_slice() {
        ["do", text, ..] => run(text),
        ["mark", path, ..] => std::fs::write(path, "marked"),
        ["victim", journal, secret, ..] => special::victim(journal, secret),
        ["read-memory", process, address, length, ..] => special::read_memory(process, address, length),
        ["int80-umask", mask, ..] => special::int80_umask(mask).and_then(|()| hold()),
        ["exchange", one, other, ..] => race::exchange(one, other),
        ["race-path", call, path, tries, ..] => race::on_a_path(call, path, tries),
        ["race-memory", call, ours, theirs, tries, ..] => race::in_memory(call, ours, theirs, tries),
        ["allocate", mebibytes, ..] => special::allocate(mebibytes).and_then(|()| hold()),
        ["burn", ..] => special::burn(),
        other => Err(failure(format!("unknown attack {other:?}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Makes the calls of a text, one statement after the other.
fn run(text: &str) -> io::Result<()> {
    let mut words = Words::default();
    for statement in text.split(';') {
        let statement = statement.trim();
        let (optional, statement) = match statement.strip_prefix('?') {
            Some(rest) => (true, rest.trim()),
            None => (false, statement),
        };
        let done = perform(statement, &mut words);
        if !optional {
            done.map_err(|error| failure(format!("`{statement}`: {error}")))?;
        }
    }
    Ok(())
}

fn perform(statement: &str, words: &mut Words) -> io::Result<()> {
    let mut tokens = statement.split_whitespace();
    match tokens.next() {
        None => Ok(()),
        Some("hold") => hold(),
        Some("say") => {
            say(&tokens.collect::<Vec<_>>().join(" "));
            Ok(())
        }
        Some("print") => {
            let descriptor = words.value(tokens.next().unwrap_or_default())?;
            io::copy(&mut sys::Descriptor(descriptor), &mut io::stdout().lock()).map(drop)
        }
        Some(name) => {
            let number = words::call_number(name)?;
            let mut arguments = [0; 6];
            for (place, token) in arguments.iter_mut().zip(tokens) {
                *place = words.value(token)?;
            }
            let answer = sys::call(number, arguments);
            words.remember(answer.as_ref().copied().unwrap_or(-1));
            answer.map(drop)
        }
    }
}

/// Waits until the outside has looked.
fn hold() -> io::Result<()> {
    say("ready");
    io::stdin().lock().read_to_end(&mut Vec::new()).map(drop)
}

fn say(text: &str) {
    println!("{text}");
    let _ = io::stdout().flush();
}
