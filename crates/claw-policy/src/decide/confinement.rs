//! What the kernel has to enforce for a policy, laid over the facts.

use std::sync::Arc;

use super::world::World;
use crate::{Confinement, Policy, ProgramFact};

/// The confinement of every run under `policy`; `programs` may be executed beside the allowlist's.
///
/// `None` when a fact was missing (then `world` has recorded it).
#[expect(dead_code, reason = "until exec uses it")]
pub(super) fn build(
    _policy: &Policy,
    _world: &World<'_>,
    _programs: &[ProgramFact],
) -> Option<Arc<Confinement>> {
    None
}
