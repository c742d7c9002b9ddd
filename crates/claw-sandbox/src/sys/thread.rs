//! How threads are scheduled.

/// This thread, when it is woken, waits until another is done with its turn (`SCHED_BATCH`, sched(7)). A kernel that says no schedules it
/// like any other.
pub(crate) fn yield_when_woken() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads the parameters, which live for the whole call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) };
}
