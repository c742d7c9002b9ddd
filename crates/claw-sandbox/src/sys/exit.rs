//! The end of the process.

use std::sync::OnceLock;

static LAST: OnceLock<fn()> = OnceLock::new();

/// Calls `last` when the process ends by itself: `exit`, or a return from `main`. Only the first one that is given is called.
pub(crate) fn at_exit(last: fn()) {
    extern "C" fn call() {
        if let Some(last) = LAST.get() {
            last();
        }
    }
    if LAST.set(last).is_ok() {
        // SAFETY: the function lives as long as the process and does not unwind.
        unsafe { libc::atexit(call) };
    }
}
