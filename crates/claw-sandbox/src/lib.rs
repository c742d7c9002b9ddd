//! x

mod launcher;
mod limits;
mod observe;
mod outcome;
mod pump;
mod run_thread;
mod spawn;
mod sweep;
mod sys;
mod temporary;

pub use launcher::LauncherCache;
pub use limits::unenforced;
pub use observe::Running;
pub use outcome::{Ending, Outcome, Stream, Sweep, SweepMethod, Usage};
pub use spawn::{SpawnError, StdioPlan, StreamPlan};
