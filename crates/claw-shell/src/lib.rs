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

mod script;

pub use script::{
    Assignment, Builtin, Command, CommandId, Cwd, CwdId, Dialect, Lookup, Opaque, OpaqueKind, Origin,
    ParseError, ParseErrorKind, Piece, Redirect, RedirectKind, Script, Span, Word,
};
