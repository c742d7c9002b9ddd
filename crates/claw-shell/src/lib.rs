//! Finds every simple command that a shell command line could run.
//!
//! [`parse`] reads a command line the way bash does and returns a [`Script`]: a flat list of the
//! simple commands that a real shell could reach, each with its words, redirections, assignments
//! and byte spans. [`from_argv`] does the same for an argument vector, where no shell is involved.
//! Wrappers (`env`, `timeout`, `xargs`, `find -exec` ...) and `sh -c` strings are opened, and
//! their inner commands are listed beside them.
//!
//! What it does *not* do: judge. Whether a command may run is decided by `claw-policy`. What cannot
//! be known from the text alone is listed in [`Script::opaque`], never guessed.
#![forbid(unsafe_code)]

mod argv;
mod bounds;
mod collect;
mod display;
pub mod invariants;
mod order;
mod parser;
mod quote;
mod script;
mod sensitive;
mod syntax;
mod text;
mod wrapper;

use bounds::MAX_LENGTH;
pub use quote::quote;
pub use script::{
    Assignment, Builtin, Command, CommandId, Cwd, CwdId, Dialect, Lookup, Opaque, OpaqueKind, Origin,
    ParseError, ParseErrorKind, Piece, Redirect, RedirectKind, Script, Span, Word,
};
pub use text::{Pieces, Text};

/// Reads `text` as one command line of the shell `dialect`.
///
/// Fails when a real shell would refuse the line, and when it exceeds a bound: 64 KiB, 32 levels of
/// nesting, or expansions beyond a fixed multiple of its length. The time is linear in the length.
///
/// ```
/// use claw_shell::{Dialect, parse};
///
/// let script = parse(b"cd src && git log | head -5", Dialect::Bash).unwrap();
/// let names: Vec<_> = script.commands.iter().map(|command| command.words[0].as_literal().unwrap()).collect();
/// assert_eq!(names, [&b"cd"[..], b"git", b"head"]);
/// assert!(script.opaque.is_empty());
///
/// let script = parse(br#"$tool --run; echo "$(whoami)""#, Dialect::Bash).unwrap();
/// assert_eq!(script.commands.len(), 3);
/// assert_eq!(script.opaque.len(), 1); // what `$tool` is cannot be known
///
/// assert!(parse(b"echo 'unterminated", Dialect::Bash).is_err());
/// ```
pub fn parse(text: &[u8], dialect: Dialect) -> Result<Script, ParseError> {
    if text.len() > MAX_LENGTH {
        let span = Span::new(0, text.len());
        return Err(bounds::error(ParseErrorKind::TooLong, span, "the command line is longer than 64 KiB"));
    }
    if let Some(offset) = text.iter().position(|byte| *byte == 0) {
        let span = Span::new(offset, offset + 1);
        return Err(bounds::error(ParseErrorKind::Nul, span, "the command line contains a NUL byte"));
    }
    collect::collect_line(text, dialect)
}

/// Reads an argument vector that is given to a program directly: shell syntax in it is data.
///
/// Spans are offsets into the arguments joined by one space each.
///
/// ```
/// let argv = ["timeout", "5", "git", "log; rm x"].map(|word| word.as_bytes().to_vec());
/// let script = claw_shell::from_argv(&argv).unwrap();
/// assert_eq!(script.commands.len(), 2); // `timeout` and the `git` that it runs
/// ```
pub fn from_argv(arguments: &[Vec<u8>]) -> Result<Script, ParseError> {
    argv::from_argv(arguments)
}
