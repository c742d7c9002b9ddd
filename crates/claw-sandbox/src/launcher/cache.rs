//! The launchers in use, one for each confinement.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError};

use claw_policy::Confinement;

use super::Launcher;
use crate::ahead::Ahead;
use crate::spawn::SpawnError;

// A launcher is a thread, a few descriptors and a temporary directory. An agent uses one or two
// policies; sub-agents have their own.
const CAPACITY: usize = 16;

/// Keeps launchers, so that only the first run under a confinement pays for its restrictions.
///
/// Dropping it ends the launchers that no run uses any more.
#[derive(Debug, Default)]
pub struct LauncherCache {
    // Most recently used last.
    entries: Mutex<Vec<Entry>>,
    // For the first launcher.
    ahead: Mutex<Option<Ahead>>,
}

#[derive(Debug)]
struct Entry {
    confinement: Arc<Confinement>,
    launcher: Arc<Launcher>,
}

/// A launcher and whether it had been there before.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) launcher: Arc<Launcher>,
    pub(crate) is_fresh: bool,
}

impl LauncherCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty cache whose first launcher has begun already.
    pub(crate) fn with(ahead: Option<Ahead>) -> Self {
        Self { ahead: Mutex::new(ahead), ..Self::default() }
    }

    /// The beginning of the next launcher.
    pub(crate) fn take_ahead(&self) -> Result<Ahead, SpawnError> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        ahead.map_or_else(Ahead::for_launcher, Ok)
    }

    /// The launcher of an equal confinement, or the one that `start` makes.
    pub(crate) fn get(
        &self,
        confinement: &Arc<Confinement>,
        start: impl FnOnce() -> Result<Launcher, SpawnError>,
    ) -> Result<Found, SpawnError> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let matches = |entry: &Entry| {
            Arc::ptr_eq(&entry.confinement, confinement) || *entry.confinement == **confinement
        };
        if let Some(index) = entries.iter().position(matches) {
            let Entry { launcher, .. } = entries.remove(index);
            // The new one, because the next runs will come with it: two are found the same at a glance.
            entries.push(Entry { confinement: Arc::clone(confinement), launcher: Arc::clone(&launcher) });
            return Ok(Found { launcher, is_fresh: false });
        }
        // Under the lock, so that runs that start together make one launcher.
        let launcher = Arc::new(start()?);
        entries.push(Entry { confinement: Arc::clone(confinement), launcher: Arc::clone(&launcher) });
        let evicted = (entries.len() > CAPACITY).then(|| entries.remove(0));
        drop(entries);
        // Joins the launcher's threads, so not under the lock.
        drop(evicted);
        Ok(Found { launcher, is_fresh: true })
    }

    /// Finishes every launcher. None of them may start a run afterwards.
    pub(crate) fn finish(&self) {
        drop(self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take());
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().for_each(|entry| entry.launcher.finish());
    }

    /// Forgets `launcher`, so that the next run under its confinement makes a new one.
    pub(crate) fn forget(&self, launcher: &Arc<Launcher>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let index = entries.iter().position(|entry| Arc::ptr_eq(&entry.launcher, launcher));
        let forgotten = index.map(|index| entries.remove(index));
        drop(entries);
        drop(forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Restrictions;
    use super::*;

    fn confinement(name: &str) -> Arc<Confinement> {
        Arc::new(Confinement { executables: vec![name.into()], ..Confinement::default() })
    }

    fn start() -> Result<Launcher, SpawnError> {
        Launcher::start(Restrictions::none(), None)
    }

    #[test]
    fn equal_confinements_share_a_launcher() {
        let cache = LauncherCache::new();
        let first = cache.get(&confinement("a"), start).unwrap();
        let again = cache.get(&confinement("a"), start).unwrap();
        let other = cache.get(&confinement("b"), start).unwrap();
        assert!(first.is_fresh && !again.is_fresh && other.is_fresh);
        assert!(Arc::ptr_eq(&first.launcher, &again.launcher));
        assert!(!Arc::ptr_eq(&first.launcher, &other.launcher));
    }

    #[test]
    fn the_longest_unused_launcher_goes_first() {
        let cache = LauncherCache::new();
        for name in 0..CAPACITY {
            cache.get(&confinement(&name.to_string()), start).unwrap();
        }
        cache.get(&confinement("0"), start).unwrap();
        cache.get(&confinement("one more"), start).unwrap();
        assert!(!cache.get(&confinement("0"), start).unwrap().is_fresh);
        assert!(cache.get(&confinement("1"), start).unwrap().is_fresh);
    }

    #[test]
    fn a_forgotten_launcher_is_made_anew_and_a_failure_is_not_kept() {
        let cache = LauncherCache::new();
        let first = cache.get(&confinement("a"), start).unwrap();
        cache.forget(&first.launcher);
        assert!(cache.get(&confinement("b"), || Err(SpawnError::LauncherEnded)).is_err());
        assert!(cache.get(&confinement("a"), start).unwrap().is_fresh);
        assert!(cache.get(&confinement("b"), start).unwrap().is_fresh);
    }
}
