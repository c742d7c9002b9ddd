//! What was denied to the processes of a run.
#![forbid(unsafe_code)]

use std::path::Path;

/// How many denials are kept in words.
const KEPT: usize = 64;

/// What was denied during a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Denials {
    first: Vec<DeniedCall>,
    count: u64,
    pub(super) unsaid: u64,
}

/// A request of a run's process that was denied.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeniedCall {
    /// The process that asked.
    pub process: u32,
    /// What it asked for, why it was denied, by which rule and what would allow it, as one line.
    pub message: String,
}

impl Denials {
    /// The first ones, at most 64, and of those that say the same only the first.
    #[must_use]
    pub fn first(&self) -> &[DeniedCall] {
        &self.first
    }

    /// How many there were in all.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many lines about them the run's standard error did not take, because nobody read it. One of them may still
    /// arrive.
    #[must_use]
    pub const fn unsaid(&self) -> u64 {
        self.unsaid
    }

    /// Adds one. `true` when it is news, and kept in words: not when the same was said before, as for a loop, or a shell
    /// that looks for a program along its PATH.
    pub(crate) fn add(&mut self, process: u32, message: &str) -> bool {
        self.count += 1;
        let again = self.first.iter().any(|known| known.message == message);
        let is_kept = self.first.len() < KEPT && !again;
        if is_kept {
            self.first.push(DeniedCall { process, message: message.to_owned() });
        }
        is_kept
    }
}

/// A path without control characters.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().flat_map(char::escape_debug).collect()
}
