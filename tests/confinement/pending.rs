//! What does not hold yet.

use std::fs;
use std::os::unix::fs::MetadataExt;

const SCHEDULING: &str = "the scheduling of the same user's processes can be changed (docs/threat-model.md)";

const APPLETS: &str =
    "a shell of busybox with its tools inside runs them without an execution (docs/threat-model.md)";

/// Attacks that succeed in this version, and why.
pub(crate) const ALWAYS: &[(&str, &str)] = &[("busybox::a_shell_s_denied_applet", APPLETS)];

/// Attacks that succeed in this version when an unprivileged user runs them, and why; as root the victim has
/// privileges that the run lacks. A case that holds must not be listed: the test then fails.
pub(crate) const UNPRIVILEGED: &[(&str, &str)] =
    &[("process::lower_the_priority", SCHEDULING), ("process::change_the_affinity", SCHEDULING)];

/// Why the attack of that name succeeds here, if it does.
pub(crate) fn reason(name: &str) -> Option<&'static str> {
    let listed = |list: &[(&str, &'static str)]| {
        list.iter().find(|(pending, _)| *pending == name).map(|(_, reason)| *reason)
    };
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    listed(ALWAYS).or_else(|| listed(UNPRIVILEGED).filter(|_| !is_root))
}
