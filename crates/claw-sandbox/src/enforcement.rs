//! Which guarantees a policy needs, and what gives them on this kernel.
//!
//! The assessment is made and compared with the policy's floor before anything starts.
#![forbid(unsafe_code)]

mod limits;
mod mechanisms;

use std::fmt;

use claw_policy::{Confinement, Floor, Guarantee};

use crate::KernelFeatures;

pub use limits::{KeptLimit, LimitMechanism};

/// For each guarantee that a confinement needs, what gives it or why it is missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enforcement {
    entries: Vec<(Guarantee, State)>,
    limits: Vec<KeptLimit>,
}

/// Whether a guarantee is given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// It is, by this mechanism.
    Enforced {
        /// What gives it, and what it is known not to cover, as one line.
        mechanism: String,
    },
    /// It is not.
    Missing {
        /// Why, as one line.
        reason: String,
        /// What can be done about it, besides giving the guarantee up.
        next: String,
    },
}

/// A guarantee that a policy demands and that is not given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// The guarantee.
    pub guarantee: Guarantee,
    /// Why it is not given.
    pub reason: String,
    /// What can be done about it.
    pub next: String,
    /// All that a policy would have to give up to run here: what it gives up already, and what else is missing.
    pub degrade: Vec<Guarantee>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guarantee, reason, next, degrade } = self;
        let name = guarantee.name();
        write!(f, "`{name}` cannot be enforced: {reason}; {next}")?;
        if degrade.is_empty() {
            return Ok(());
        }
        // The key replaces what was given up before, so the whole list is named.
        let names: Vec<&str> = degrade.iter().map(|guarantee| guarantee.name()).collect();
        write!(f, ", or give it up with `enforcement: {{ degrade: [{}] }}`", names.join(", "))
    }
}

/// Assesses what `kernel` can enforce of `confinement`.
#[must_use]
pub fn assess(confinement: &Confinement, kernel: &KernelFeatures) -> Enforcement {
    let needed = Guarantee::ALL.into_iter().filter(|guarantee| is_needed(*guarantee, confinement));
    let entries =
        needed.map(|guarantee| (guarantee, mechanisms::state(guarantee, confinement, kernel))).collect();
    Enforcement { entries, limits: limits::kept(confinement, kernel) }
}

impl Enforcement {
    /// The guarantees that are needed, in the order of [`Guarantee::ALL`].
    pub fn entries(&self) -> impl Iterator<Item = (Guarantee, &State)> {
        self.entries.iter().map(|(guarantee, state)| (*guarantee, state))
    }

    /// The limits that the policy states, each with what keeps it.
    #[must_use]
    pub fn limits(&self) -> &[KeptLimit] {
        &self.limits
    }

    /// The state of one guarantee; `None` when the confinement does not need it.
    #[must_use]
    pub fn state(&self, guarantee: Guarantee) -> Option<&State> {
        self.entries().find(|(entry, _)| *entry == guarantee).map(|(_, state)| state)
    }

    /// Every guarantee that is needed and missing, given up or not.
    pub fn missing(&self) -> impl Iterator<Item = Missing> {
        self.entries().filter_map(|(guarantee, state)| match state {
            State::Enforced { .. } => None,
            State::Missing { reason, next } => {
                Some(Missing { guarantee, reason: reason.clone(), next: next.clone(), degrade: Vec::new() })
            }
        })
    }

    /// Compares with what the policy demands.
    ///
    /// # Errors
    ///
    /// All guarantees that are missing and that the policy does not give up by name.
    pub fn meets(&self, floor: &Floor) -> Result<(), Vec<Missing>> {
        let mut missing: Vec<_> =
            self.missing().filter(|missing| !floor.degrade.contains(&missing.guarantee)).collect();
        let all: Vec<Guarantee> =
            floor.degrade.iter().copied().chain(missing.iter().map(|missing| missing.guarantee)).collect();
        missing.iter_mut().for_each(|missing| missing.degrade.clone_from(&all));
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }
}

fn is_needed(guarantee: Guarantee, confinement: &Confinement) -> bool {
    match guarantee {
        Guarantee::NestedPaths => !confinement.nested.is_empty(),
        Guarantee::ProtectedPaths => !confinement.protected.is_empty(),
        Guarantee::ExecArguments => confinement.argument_rules,
        Guarantee::Exec => !confinement.execute_any,
        Guarantee::Sweep => !confinement.detach,
        Guarantee::Limits => confinement.limits != claw_policy::Limits::default(),
        _ => true,
    }
}

/// Whether each exec of a run is judged: unless everything may be executed anyhow.
pub(crate) fn is_supervised(confinement: &Confinement, kernel: &KernelFeatures) -> bool {
    kernel.user_notification() && confinement.supervise
}

/// Whether calls on files can be judged and made by the supervisor.
pub(crate) fn has_broker(kernel: &KernelFeatures) -> bool {
    kernel.seccomp_filter && kernel.openat2 && kernel.user_notification()
}

/// Whether the modes of files are judged where they are made and where they are changed, by the broker.
pub(crate) fn judges_modes(confinement: &Confinement, kernel: &KernelFeatures) -> bool {
    let calls = crate::supervisor::calls(confinement, kernel);
    [libc::SYS_openat, libc::SYS_fchmod]
        .iter()
        .all(|call| calls.iter().any(|notified| notified.call == *call))
}

/// Whether each address that a run uses is judged: where a policy has network rules.
pub(crate) fn is_gated(confinement: &Confinement, kernel: &KernelFeatures) -> bool {
    kernel.user_notification() && kernel.pidfd && !confinement.network.is_empty()
}

/// Whether a run has a supervisor.
pub(crate) fn has_supervisor(confinement: &Confinement, kernel: &KernelFeatures) -> bool {
    !crate::supervisor::calls(confinement, kernel).is_empty()
}

/// Whether a supervisor may hold the processes of its runs.
///
/// Under Yama's scope 1 a process may trace what descends from it, so what has left the tree is denied to execute.
pub(crate) fn has_exec_stop(kernel: &KernelFeatures) -> bool {
    kernel.ptrace_scope <= 1
}

#[cfg(test)]
mod tests;
