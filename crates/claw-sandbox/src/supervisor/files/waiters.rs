//! How many opens of one run wait at the same time.
#![forbid(unsafe_code)]

use std::sync::Arc;

use nix::errno::Errno;

/// Each is a thread of ours, or two; as many as calls of the network (`network::worker`).
const MOST: usize = 128;

/// The opens that wait for somebody at the other end.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Arc<()>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiter(#[expect(dead_code, reason = "counted by being there")] Arc<()>);

impl Waiters {
    /// One more; an error when there are too many.
    pub(super) fn one_more(&self) -> nix::Result<Waiter> {
        let waiter = Waiter(Arc::clone(&self.0));
        // Only the supervisor's thread makes them, so the number can only be smaller by now.
        if Arc::strong_count(&self.0) > MOST + 1 { Err(Errno::ENFILE) } else { Ok(waiter) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_and_no_more_until_one_has_gone() {
        let waiters = Waiters::default();
        let mut all: Vec<Waiter> = (0..MOST).map(|_| waiters.one_more().unwrap()).collect();
        assert_eq!(waiters.one_more().err(), Some(Errno::ENFILE));
        all.pop();
        assert!(waiters.one_more().is_ok());
    }
}
