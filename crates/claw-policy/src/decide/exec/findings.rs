//! What was found while judging a request.

use std::collections::HashSet;

use crate::{Code, Reason};

/// Reasons, sorted by what they do to the decision. A long line can have thousands.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Why it may happen.
    pub(super) allowed: Vec<Reason>,
    /// Why it may not, whoever is asked.
    refused: Vec<Reason>,
    /// What no rule allows; somebody may be asked.
    missed: Vec<Reason>,
    /// The layers that miss something, `None` for all of them. There are few.
    missing: Vec<Option<usize>>,
    /// Allowed programs that are not there, or cannot be executed.
    pub(super) absent: Vec<Reason>,
}

impl Findings {
    pub(super) fn allow(&mut self, reason: Reason) {
        self.allowed.push(reason);
    }

    pub(super) fn refuse(&mut self, reason: Reason) {
        self.refused.push(reason);
    }

    /// What `layer` (all layers when `None`) does not allow, but may ask about.
    pub(super) fn miss(&mut self, layer: Option<usize>, reason: Reason) {
        self.missed.push(reason);
        if !self.missing.contains(&layer) {
            self.missing.push(layer);
        }
    }

    pub(super) fn absent(&mut self, reason: Reason) {
        self.absent.push(reason);
    }

    /// Whether something stands against it, whoever is asked.
    pub(super) const fn refuses(&self) -> bool {
        !self.refused.is_empty()
    }

    /// The layers that miss something, `None` for all of them.
    pub(super) fn missing(&self) -> &[Option<usize>] {
        &self.missing
    }

    /// Everything that stands against the request, each once, most important first.
    pub(super) fn against(&mut self) -> Vec<Reason> {
        let mut reasons = std::mem::take(&mut self.refused);
        reasons.sort_by_key(|reason| reason.code != Code::ExecDenied);
        let mut said = HashSet::new();
        reasons.retain(|reason| said.insert(reason.clone()));
        // Several layers may miss the same thing.
        let mut known: HashSet<_> = reasons.iter().map(|reason| (reason.code, reason.span)).collect();
        let missed = std::mem::take(&mut self.missed).into_iter();
        reasons.extend(missed.filter(|reason| known.insert((reason.code, reason.span))));
        reasons
    }
}
