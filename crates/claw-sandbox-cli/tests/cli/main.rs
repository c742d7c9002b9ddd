//! The command, end to end: every test runs the binary and looks at what comes out of it.

mod bad_input;
mod check;
mod harness;
mod jsonl;
mod policy_files;
mod run;
mod signals;
