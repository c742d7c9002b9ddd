//! Runs commands under a policy that the Linux kernel enforces for the whole process tree.
//!
//! A [`Sandbox`] is made from a [`Policy`]; [`Sandbox::command`] mirrors `std::process::Command`. The pipeline, in
//! the order of the modules: a command is parsed ([`claw_shell`]), decided ([`claw_policy`]), recorded, prepared
//! ([`LaunchPlan`]), spawned and observed ([`Running`], [`Outcome`]).
//!
//! ```
//! use claw_sandbox::{Sandbox, built_in_policy};
//!
//! fn main() -> Result<(), claw_sandbox::Error> {
//!     let directory = std::env::temp_dir().join("claw-sandbox-example");
//!     std::fs::create_dir_all(&directory).expect("a directory");
//!     let sandbox = Sandbox::new(built_in_policy(&directory)?)?; // that directory is the workspace
//!     let output = sandbox.command("echo").arg("hello").current_dir(&directory).output()?;
//!     assert_eq!(output.stdout, b"hello\n");
//!     let error = sandbox.command("curl").arg("https://example.com").current_dir(&directory).output().unwrap_err();
//!     assert!(error.denial().is_some(), "{error}"); // says which rule, and the smallest change that would allow it
//!     Ok(())
//! }
//! ```
//!
//! What it does not protect against is listed in `docs/threat-model.md`; what the kernel gives, in
//! `docs/kernel-features.md`.
#![deny(unsafe_code)]

mod ahead;
pub mod approval;
pub mod audit;
mod cgroup;
pub mod checkpoint;
mod child;
mod command;
mod containment;
pub mod doctor;
mod domain;
mod edge;
mod enforcement;
mod error;
mod files;
mod judge;
mod kernel;
mod landlock;
mod launcher;
mod lessons;
mod limits;
mod load;
mod observe;
mod opened;
mod outcome;
mod overseer;
mod pipeline;
mod plan;
pub mod policy_file;
pub mod proxy;
mod pump;
mod reach;
mod record;
mod repository;
mod request;
mod ruleset;
mod run_thread;
mod sandbox;
mod seccomp;
mod spawn;
mod supervisor;
mod sweep;
mod sys;
mod temporary;
mod terminal;
mod told;

// The public interface is:
pub use ahead::Ahead;
pub use child::Child;
pub use claw_policy::{
    self, Access, Code, Confinement, Decision, Denial, Diagnostic, Explanation, FileAction, FileRequest,
    Guarantee, Limits, NetworkRequest, Origin, Policy, Reason, Request,
};
pub use claw_shell;
pub use claw_wire;
pub use command::{Command, Stdio, Streams};
pub use containment::{Containment, Counterexample};
pub use edge::own_home as home;
pub use enforcement::{Enforcement, KeptLimit, LimitMechanism, Missing, State, assess};
pub use error::{Error, ErrorKind, plain_io_error};
pub use files::{
    Edited, Entry, FileError, FileErrorKind, FileLimits, FileStatus, FileType, Files, Lines, Match, Patched,
    Replacement, Search, Searched, WriteMode,
};
pub use judge::Judge;
pub use kernel::{KernelFeatures, NEWEST_KNOWN_ABI};
pub use launcher::LauncherCache;
pub use load::{LoadOptions, built_in_policy, config_directory, load_policy, policy_from_yaml};
pub use observe::Running;
pub use outcome::{Ending, Outcome, Stream, Sweep, SweepMethod, Usage};
pub use plan::{LaunchPlan, PrepareError};
pub use proxy::{Decided, Performed, Proxy};
pub use request::{CommandLine, DEFAULT_SHELL, ExecInput};
pub use sandbox::{Sandbox, SandboxBuilder};
pub use spawn::{SpawnError, StdioPlan, StreamPlan};
pub use supervisor::{Denials, DeniedCall};
pub use terminal::TtySize;

/// Whether this process runs inside a sandbox of ours.
///
/// The kernel answers, through the filter of the run, so a process outside cannot be made to believe it by what somebody
/// puts into its environment. A process inside could install a filter of its own that hides it, and be restricted twice.
///
/// ```
/// assert!(!claw_sandbox::is_inside());
/// ```
#[must_use]
pub fn is_inside() -> bool {
    sys::probe::is_inside()
}

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The example of the adapters' page compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/adapters.md")]
struct Adapters;
