//! The decision point: a pure, total function from policy, facts and request to a decision.

mod confinement;
pub(crate) mod environment;
mod exec;
mod file;
mod ground;
pub(crate) mod network;
mod sieve;
mod subset;
#[cfg(test)]
pub(crate) mod testing;
mod tool;
mod world;

use crate::{Decision, Facts, MissingFacts, Policy, Query, Request};
pub(crate) use environment::set_for_every_run as environment_of_every_run;
pub(crate) use exec::{Index as ExecIndex, Known};
pub use file::{Touch, TouchRequest, decide_touch};
pub(crate) use ground::Ground;
pub use subset::{Example, Excess, ExcessKind, subset};
use world::World;

/// Decides `request` under `policy`, given what is known of the world.
///
/// Total: every policy, every facts and every request have an answer, and unknown means no.
///
/// # Errors
///
/// [`MissingFacts`] lists the facts to look up before asking again. Each round asks for facts that
/// `facts` does not hold, and the number of rounds is bounded by the links in the paths involved.
pub fn decide(policy: &Policy, facts: &Facts, request: Request<'_>) -> Result<Decision, MissingFacts> {
    let world = World::new(facts);
    let decision = match request {
        Request::Exec(request) => exec::decide(policy, &world, request),
        Request::File(request) => file::decide(policy, &world, request),
        Request::Environment(name) => environment::decide(policy, name),
        Request::Network(request) => network::decide(policy, request),
        Request::Tool(name) => tool::decide(policy, name),
        Request::Descendant(request) => exec::decide_descendant(policy, &world, request),
    };
    world.finish(decision)
}

/// The facts that every decision under this policy needs and that `facts` does not hold: its roots,
/// hidden entries and programs.
///
/// Answer them once per policy; [`decide`] would ask for them one by one otherwise. When nothing is
/// missing any more, `facts` remembers what follows from them, and decisions over it are fast.
#[must_use]
pub fn queries(policy: &Policy, facts: &Facts) -> Vec<Query> {
    let world = World::new(facts);
    if facts.one_shot {
        let _ = world.ground(policy);
    } else {
        let _ = confinement::build(policy, &world, &[]);
    }
    for entry in policy.trusted_dirs.iter() {
        let _ = world.path(entry, true);
    }
    world.into_missing()
}

/// The facts that every decision on a descendant needs beside those of [`queries`]: what the policy's names and
/// bundles mean. To be asked after them, and answered in the same way; then `facts` remembers what follows.
#[must_use]
pub fn descendant_queries(policy: &Policy, facts: &Facts) -> Vec<Query> {
    let world = World::new(facts);
    let _ = world.known(policy);
    world.into_missing()
}
