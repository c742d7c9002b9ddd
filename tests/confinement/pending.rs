//! What does not hold yet.

use std::fs;
use std::os::unix::fs::MetadataExt;

const SCHEDULING: &str = "the scheduling of the same user's processes can be changed (docs/threat-model.md)";

/// Attacks that succeed in this version when an unprivileged user runs them, and why; as root the victim has
/// privileges that the run lacks. A case that holds must not be listed: the test then fails.
pub(crate) const UNPRIVILEGED: &[(&str, &str)] =
    &[("process::lower_the_priority", SCHEDULING), ("process::change_the_affinity", SCHEDULING)];

/// Why the attack of that name succeeds here, if it does.
pub(crate) fn reason(name: &str) -> Option<&'static str> {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let listed = UNPRIVILEGED.iter().find(|(pending, _)| *pending == name);
    listed.filter(|_| !is_root).map(|(_, reason)| *reason)
}
