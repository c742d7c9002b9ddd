//! What was found while judging a request.

use crate::{Code, Reason};

/// Reasons, sorted by what they do to the decision.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Why it may happen.
    pub(super) allowed: Vec<Reason>,
    /// Why it may not, whoever is asked.
    pub(super) refused: Vec<Reason>,
    /// What no rule allows; somebody may be asked when the layer (all layers when `None`) says so.
    pub(super) missed: Vec<(Option<usize>, Reason)>,
    /// Allowed programs that are not there, or cannot be executed.
    pub(super) absent: Vec<Reason>,
}

impl Findings {
    pub(super) fn allow(&mut self, reason: Reason) {
        self.allowed.push(reason);
    }

    pub(super) fn refuse(&mut self, reason: Reason) {
        if !self.refused.contains(&reason) {
            self.refused.push(reason);
        }
    }

    pub(super) fn miss(&mut self, layer: Option<usize>, reason: Reason) {
        if !self.missed.iter().any(|(known, same)| *known == layer && *same == reason) {
            self.missed.push((layer, reason));
        }
    }

    pub(super) fn absent(&mut self, reason: Reason) {
        if !self.absent.contains(&reason) {
            self.absent.push(reason);
        }
    }

    /// Everything that stands against the request, most important first.
    pub(super) fn against(&mut self) -> Vec<Reason> {
        let mut reasons = std::mem::take(&mut self.refused);
        reasons.sort_by_key(|reason| reason.code != Code::ExecDenied);
        for (_, reason) in std::mem::take(&mut self.missed) {
            // Several layers may miss the same thing.
            if !reasons.iter().any(|known| known.code == reason.code && known.span == reason.span) {
                reasons.push(reason);
            }
        }
        reasons
    }
}
