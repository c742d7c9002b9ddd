//! The points between two changes of the disk: a test ends the process at each of them.
#![forbid(unsafe_code)]

/// Stands before and after each call that changes the store or a tree.
#[cfg(not(test))]
pub(super) const fn step() {}

#[cfg(test)]
pub(super) use counted::{die_at, step};

#[cfg(test)]
mod counted {
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Steps that are left; counted down only in processes that a test starts for that.
    static LEFT: AtomicI64 = AtomicI64::new(i64::MAX);

    /// Lets this process die of SIGKILL at the step with this number.
    pub(in super::super) fn die_at(number: i64) {
        LEFT.store(number, Ordering::SeqCst);
    }

    pub(in super::super) fn step() {
        if LEFT.fetch_sub(1, Ordering::SeqCst) == 0 {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    }
}
