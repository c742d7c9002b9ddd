//! The judges of the policies that hold in the contexts that were asked for.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use claw_policy::Narrowing;

use crate::Judge;

/// Each has facts and compiled patterns of its own. A policy has a handful of rules about contexts, and most sets of them
/// never hold together.
const KEPT: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Views(Mutex<HashMap<Narrowing, Arc<Judge>>>);

impl Views {
    /// The judge under `narrowing`; `base` is the one that holds for everybody.
    pub(super) fn judge(&self, base: &Arc<Judge>, narrowing: Narrowing) -> Arc<Judge> {
        if narrowing.is_none() {
            return Arc::clone(base);
        }
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judge) = views.get(&narrowing) {
            return Arc::clone(judge);
        }
        if views.len() >= KEPT {
            views.clear();
        }
        let judge = Arc::new(base.narrowed(&narrowing));
        views.insert(narrowing, Arc::clone(&judge));
        judge
    }
}
