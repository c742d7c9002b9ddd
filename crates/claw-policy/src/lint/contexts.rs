//! Traps in rules about contexts: those that never hold, and those that take nothing away.

use super::Linter;
use crate::Policy;
use crate::context::ContextRule;
use crate::layer::Stated;

impl Linter<'_> {
    pub(super) fn contexts(&mut self) {
        let policy = self.policy;
        for (place, rule) in policy.contexts.iter().enumerate() {
            let before = policy.contexts.iter().take(place);
            if rule.when.is_impossible() {
                let message = "no context is like this: a part of `when` is an empty list".to_owned();
                self.warn("lint.context-never", &rule.rule, message, "name a value, or leave the part out");
            } else if !narrows(policy, &rule.narrow) {
                let message = "nothing is narrower in this context than anywhere".to_owned();
                self.warn(
                    "lint.context-no-effect",
                    &rule.rule,
                    message,
                    "state in `narrow` what is not allowed there",
                );
            } else if repeats(rule, before) {
                let message = "a rule before this one says the same".to_owned();
                self.note("lint.context-no-effect", &rule.rule, message, "remove one of them");
            } else if rule.when.is_certain() {
                let message = "this holds in every context".to_owned();
                self.note(
                    "lint.context-always",
                    &rule.rule,
                    message,
                    "state `when`, or narrow the policy itself",
                );
            }
        }
    }
}

fn repeats<'a>(rule: &ContextRule, mut before: impl Iterator<Item = &'a ContextRule>) -> bool {
    before.any(|other| other.rule.text == rule.rule.text && !rule.rule.text.ends_with("..."))
}

/// Whether a text that only restricts takes something away, as far as that shows without a look at files.
fn narrows(policy: &Policy, narrow: &Stated) -> bool {
    narrow.restricts_exec(policy) || narrow.restricts_files(policy) || narrow.restricts_rest(policy)
}
