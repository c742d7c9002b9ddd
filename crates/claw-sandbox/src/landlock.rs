//! Builds Landlock rulesets: opens what a plan names and hands it to the kernel.
//!
//! Every right of a plan is one that the kernel has, so everything is a hard requirement: a right
//! that is missing after all is an error and never silently dropped.
#![forbid(unsafe_code)]

mod rules;

use std::os::fd::{BorrowedFd, OwnedFd};

use landlock::{
    AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};

use crate::ruleset::{RulePlan, RulesetPlan};
pub(crate) use rules::{RuleError, open};

/// An opened path and the rights beneath it.
pub(crate) type OpenedRule = PathBeneath<OwnedFd>;

/// A ruleset in the kernel, ready to restrict a thread.
#[derive(Debug)]
pub(crate) struct PreparedRuleset {
    created: RulesetCreated,
    handled: BitFlags<AccessFs>,
}

/// Landlock could not do what the plan says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LandlockError {
    #[error("landlock: {0}")]
    Ruleset(#[from] RulesetError),
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error("landlock does not enforce the whole ruleset")]
    Partial,
}

impl PreparedRuleset {
    /// Opens every path of `plan` and makes its ruleset.
    ///
    /// Fails when a required path does not exist or is not what it was when the policy was resolved.
    pub(crate) fn build(plan: &RulesetPlan) -> Result<Self, LandlockError> {
        Self::with_rules(plan, open(&plan.rules)?)
    }

    /// Makes the ruleset of `plan` from rules that are opened already, or elsewhere meanwhile.
    pub(crate) fn with_rules(
        plan: &RulesetPlan,
        rules: impl IntoIterator<Item = OpenedRule>,
    ) -> Result<Self, LandlockError> {
        let mut ruleset =
            Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(plan.files)?;
        if !plan.network.is_empty() {
            ruleset = ruleset.handle_access(plan.network)?;
        }
        if !plan.scopes.is_empty() {
            ruleset = ruleset.scope(plan.scopes)?;
        }
        let created = ruleset.create()?.add_rules(rules.into_iter().map(Ok::<_, RulesetError>))?;
        Ok(Self { created, handled: plan.files })
    }

    /// Grants the use of one opened terminal: not of its name, nor of the others beside it.
    pub(crate) fn grant_terminal(mut self, terminal: BorrowedFd<'_>) -> Result<Self, LandlockError> {
        let access = make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev}) & self.handled;
        self.created = self.created.add_rule(PathBeneath::new(terminal, access))?;
        Ok(self)
    }

    /// Restricts the current thread for ever.
    pub(crate) fn restrict_current_thread(self) -> Result<(), LandlockError> {
        enforce(self.created)
    }
}

/// Adds a domain to the current thread from which no signal leaves (ABI 6).
pub(crate) fn scope_signals_current_thread() -> Result<(), LandlockError> {
    enforce(layer(true, true)?)
}

/// The layer that a child takes before its program, as a descriptor that is closed on exec.
///
/// It takes nothing away that the child could do before. It makes the domain of the thread that starts the child an
/// ancestor of the child's: an ancestor's signals and looks reach down, and nothing reaches up. Without it the kernel
/// takes the two for equals.
pub(crate) fn child_layer(scopes_signals: bool, knows_refer: bool) -> Result<OwnedFd, LandlockError> {
    Option::from(layer(scopes_signals, knows_refer)?).ok_or(LandlockError::Partial)
}

// A layer that grants everywhere what it rules. To move files between directories is forbidden by every layer that does
// not rule it, also by one of scopes alone (seen on Linux 6.18). On ABI 1, which lacks that right, it is another one.
fn layer(scopes_signals: bool, knows_refer: bool) -> Result<RulesetCreated, LandlockError> {
    let right = if knows_refer { AccessFs::Refer } else { AccessFs::MakeBlock };
    let mut ruleset =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(right)?;
    if scopes_signals {
        ruleset = ruleset.scope(Scope::Signal)?;
    }
    let everywhere = open(&[RulePlan::everywhere(right.into())])?;
    Ok(ruleset.create()?.add_rules(everywhere.into_iter().map(Ok::<_, RulesetError>))?)
}

fn enforce(ruleset: RulesetCreated) -> Result<(), LandlockError> {
    let status = ruleset.restrict_self()?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        _ => Err(LandlockError::Partial),
    }
}
