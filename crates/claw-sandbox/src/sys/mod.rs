//! System calls: the only place with `unsafe`.
//!
//! Each file wraps one family of calls and knows nothing of policies. A block holds one call, and
//! its comment says why the arguments are valid.
#![expect(unsafe_code, reason = "this module talks to the kernel")]

pub(crate) mod attempt;
pub(crate) mod caps;
pub(crate) mod child;
pub(crate) mod exit;
pub(crate) mod fd;
pub(crate) mod file_calls;
pub(crate) mod guardian;
pub(crate) mod notify;
pub(crate) mod pidfd;
pub(crate) mod probe;
pub(crate) mod pty;
pub(crate) mod rlimit;
pub(crate) mod sentinel;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod thread;
pub(crate) mod trace;
pub(crate) mod xattr;
