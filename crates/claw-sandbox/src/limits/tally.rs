//! Sums up what processes use that come and go while it is summed up.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use nix::unistd::Pid;

/// What was used under each id, by those that have gone too.
///
/// What one used between the last look and its end is missing, so the sum is never too high.
#[derive(Debug, Default)]
pub(crate) struct Tally(HashMap<Pid, Used>);

#[derive(Debug, Default)]
struct Used {
    // By those that had the id before.
    former: u64,
    last: u64,
}

impl Tally {
    /// Notes what the one with this id has used until now.
    pub(crate) fn note(&mut self, id: Pid, now: u64) {
        let used = self.0.entry(id).or_default();
        if now < used.last {
            // The id has passed on to another, or its use is not known any more.
            used.former = used.former.saturating_add(used.last);
        }
        used.last = now;
    }

    /// What all that were ever noted have used.
    pub(crate) fn sum(&self) -> u64 {
        self.0.values().fold(0, |sum, used| sum.saturating_add(used.former).saturating_add(used.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_stays_in_the_sum_and_an_id_may_be_given_out_again() {
        let mut tally = Tally::default();
        for (id, now, sum) in
            [(5, 10, 10), (6, 7, 17), (5, 12, 19), (5, 3, 22), (5, 4, 23), (6, 0, 23), (6, 1, 24)]
        {
            tally.note(Pid::from_raw(id), now);
            assert_eq!(tally.sum(), sum, "{id} {now}");
        }
        tally.note(Pid::from_raw(7), u64::MAX);
        assert_eq!(tally.sum(), u64::MAX);
    }
}
