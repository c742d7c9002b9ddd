//! What stands in for a shell has to understand: which shell it is called as, what its arguments ask for, and which part of
//! a line a host wrapped around the agent's command.
//!
//! Hosts of agents run commands as `$SHELL -c LINE` or `bash -c LINE`. Where that names `claw-sh`, the line runs in the
//! sandbox. This crate is the reading, without I/O; `claw-sandbox` (called as `claw-sh`, `claw-bash`, `sh`, `bash` or `zsh`)
//! decides and runs.
//!
//! What is not understood is never guessed at: unknown options are arguments of the real shell, which the policy judges as a
//! program, and an unknown wrapping is judged with the command. Both are stricter, not looser.
#![forbid(unsafe_code)]

mod arguments;
mod context;
mod envelope;
mod shell;

pub use arguments::Invocation;
pub use context::{Said, said};
pub use envelope::{Envelope, peel};
pub use shell::Shell;
