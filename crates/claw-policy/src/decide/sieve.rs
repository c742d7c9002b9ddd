//! Tells most names that are not in a set without a hash of the whole name.
//!
//! A walk looks up every directory above every entry, and nearly none of them is there.

use std::ffi::OsStr;

/// The lengths and last bytes of the names of a set, as marks of eight bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sieve([u64; 4]);

impl Sieve {
    /// A name of the set.
    pub(super) fn add(&mut self, name: &OsStr) {
        let (word, bit) = place(name);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// `false` for a name that is not in the set.
    pub(super) fn may_have(&self, name: &OsStr) -> bool {
        let (word, bit) = place(name);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(name: &OsStr) -> (usize, u64) {
    let bytes = name.as_encoded_bytes();
    let last = bytes.last().copied().unwrap_or_default();
    // Odd, so that all lengths below 256 have marks of their own.
    let mark = (bytes.len() % 256).wrapping_mul(37) as u8 ^ last;
    (usize::from(mark / 64), 1 << (mark % 64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_in_the_set_always_passes(names in prop::collection::vec(".{0,300}", 0..100)) {
            let mut sieve = Sieve::default();
            names.iter().for_each(|name| sieve.add(OsStr::new(name)));
            prop_assert!(names.iter().all(|name| sieve.may_have(OsStr::new(name))));
        }
    }

    #[test]
    fn other_lengths_and_other_last_bytes_are_told() {
        let mut sieve = Sieve::default();
        assert!(!sieve.may_have(OsStr::new("/home/user/.ssh")));
        sieve.add(OsStr::new("/home/user/.ssh"));
        for name in ["", "/", "/home", "/home/user/.ss", "/home/user/.ssi", "/home/user/x.ssh"] {
            assert!(!sieve.may_have(OsStr::new(name)), "{name}");
        }
    }
}
