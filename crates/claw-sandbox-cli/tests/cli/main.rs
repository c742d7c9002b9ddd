//! The command, end to end: every test runs the binary and looks at what comes out of it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking and says what it skips")]

mod approvals;
mod ask;
mod audit;
mod bad_input;
mod check;
mod checkpoint;
mod contexts;
mod everyday;
mod harness;
mod hook;
mod import;
mod jsonl;
mod learn;
mod network;
mod policy_files;
mod run;
mod secrets;
mod serve;
mod shell;
mod signals;
mod subset;
mod tty;
