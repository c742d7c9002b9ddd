//! What the kernel has to enforce for a policy, laid over the facts.
//!
//! It belongs to the policy and the facts, not to the command, so it is made once and shared by every
//! grant: equal confinements share a launcher.

mod exceptions;
mod programs;
mod roots;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::network;
use super::world::World;
use crate::{Confinement, Policy, ProgramFact};

/// The confinement of a single run whose commands start no programs beside `programs` and their bundles.
///
/// `None` when a fact was missing.
pub(super) fn of_one<'p>(
    policy: &Policy,
    world: &World<'_>,
    programs: impl IntoIterator<Item = &'p ProgramFact>,
) -> Option<Arc<Confinement>> {
    let before = world.unanswered();
    // A decision without all facts is thrown away, so its confinement need not be made.
    if before > 0 {
        return None;
    }
    let mut confinement = frame(policy, world);
    for program in programs {
        confinement.add_program(program);
        programs::add_bundles(policy, world, program, &mut confinement);
    }
    (world.unanswered() == before).then(|| Arc::new(confinement))
}

/// The confinement of every run under `policy`; `programs` may be executed beside the allowlist's.
///
/// `None` when a fact was missing (then `world` has recorded it).
pub(super) fn build<'p>(
    policy: &Policy,
    world: &World<'_>,
    programs: impl IntoIterator<Item = &'p ProgramFact>,
) -> Option<Arc<Confinement>> {
    Some(world.confinement(policy, || base(policy, world))?.with(programs))
}

fn base(policy: &Policy, world: &World<'_>) -> Confinement {
    let mut confinement = frame(policy, world);
    programs::add(policy, world, &mut confinement);
    programs::add_supervised(policy, world, &mut confinement);
    confinement
}

/// Everything but the programs.
fn frame(policy: &Policy, world: &World<'_>) -> Confinement {
    let ground = world.ground(policy);
    let mut roots = roots::of_layers(ground);
    let mut system = roots::of_system(ground);
    let (nested, nested_hidden) = exceptions::nested(ground, &mut roots, &mut system);
    let writable = roots::writable(&roots);
    roots.append(&mut system);
    Confinement {
        nested,
        nested_hidden,
        protected: exceptions::protected(ground, &writable),
        roots,
        executables: Vec::new(),
        execute_any: programs::is_any(policy),
        argument_rules: programs::has_argument_rules(policy),
        supervise: programs::is_bounded(policy),
        verify: policy.verify,
        execute_supervised: Vec::new(),
        network: network::rules(policy),
        limits: policy.limits.clone(),
        floor: policy.floor.clone(),
        set_environment: policy.patterns().environment.to_vec(),
        search_path: policy.trusted_dirs.clone(),
        detach: policy.detach,
    }
}
