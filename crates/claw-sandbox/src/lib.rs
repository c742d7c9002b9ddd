//! x

pub mod doctor;
mod domain;
mod enforcement;
mod kernel;
mod landlock;
mod launcher;
mod limits;
mod observe;
mod outcome;
mod plan;
mod pump;
mod ruleset;
mod run_thread;
mod seccomp;
mod spawn;
mod sweep;
mod sys;
mod temporary;

pub use enforcement::{Enforcement, Missing, State, assess};
pub use kernel::{KernelFeatures, NEWEST_KNOWN_ABI};
pub use launcher::LauncherCache;
pub use limits::unenforced;
pub use observe::Running;
pub use outcome::{Ending, Outcome, Stream, Sweep, SweepMethod, Usage};
pub use plan::{LaunchPlan, PrepareError};
pub use spawn::{SpawnError, StdioPlan, StreamPlan};
