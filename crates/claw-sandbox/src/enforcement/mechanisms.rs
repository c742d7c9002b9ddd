//! What gives each guarantee, by the kernel's features.
#![forbid(unsafe_code)]

use claw_policy::{Confinement, Guarantee, NetworkRule, Protocol};

use super::State;
use super::{has_exec_stop, is_gated, is_supervised};
use crate::KernelFeatures;
use crate::domain::has_signal_scope;

pub(super) fn state(guarantee: Guarantee, confinement: &Confinement, kernel: &KernelFeatures) -> State {
    match guarantee {
        Guarantee::Files => files(kernel),
        Guarantee::NestedPaths if confinement.nested_hidden => {
            brokered(kernel, "calls that open or change files are judged and made by the broker")
        }
        Guarantee::NestedPaths | Guarantee::ProtectedPaths => {
            brokered(kernel, "calls that change files are judged and made by the broker")
        }
        Guarantee::Metadata => brokered(
            kernel,
            "calls that change modes, owners, times and attributes are judged and made by the broker",
        ),
        Guarantee::ExecArguments => exec_arguments(confinement, kernel),
        Guarantee::Exec => exec(confinement, kernel),
        Guarantee::Network => network(confinement, kernel),
        Guarantee::Signals => signals(kernel),
        Guarantee::Syscalls => {
            with_filter(kernel, "seccomp filter: denied system calls, no foreign architecture")
        }
        Guarantee::Privileges => enforced("no_new_privs; all capability sets are emptied"),
        Guarantee::Sweep => sweep(kernel),
        Guarantee::Limits => limits(confinement, kernel),
        // The type may grow; what we do not know is not given.
        _ => missing("this version does not know it", "use a newer version"),
    }
}

fn files(kernel: &KernelFeatures) -> State {
    match kernel.used_abi() {
        0 => no_landlock(kernel),
        1 | 2 => older(kernel, 3, "files outside could be truncated"),
        abi => enforced(format!("Landlock ABI {abi}: rules on opened directories and files")),
    }
}

// A loader that may be executed runs what it may read. Landlock cannot tell its two uses apart; a look at each exec
// can.
fn exec(confinement: &Confinement, kernel: &KernelFeatures) -> State {
    let abi = match kernel.used_abi() {
        0 => return no_landlock(kernel),
        abi => abi,
    };
    let supervisor = if is_supervised(confinement, kernel) {
        "; every exec of the tree is judged (seccomp notification). Not covered: code that an allowed interpreter reads"
    } else {
        ". Not covered: code that an allowed interpreter or the dynamic loader reads"
    };
    let layers = "EXECUTE on the allowed files only; seccomp: no executable memory files";
    with_filter(kernel, &format!("Landlock ABI {abi}: {layers}{supervisor}"))
}

fn exec_arguments(confinement: &Confinement, kernel: &KernelFeatures) -> State {
    if !kernel.user_notification() {
        return missing("the kernel has no seccomp notification", "use Linux 5.19 or later");
    }
    if !confinement.verify {
        return enforced(
            "seccomp notification of every exec; without the exec stop (`exec.verify: false`) a race can win",
        );
    }
    if !has_exec_stop(kernel) {
        return missing(
            format!("Yama's ptrace_scope is {}: no exec can be held and checked", kernel.ptrace_scope),
            "set kernel.yama.ptrace_scope to 1, or give the exec stop up with `exec: { verify: false }`",
        );
    }
    enforced("seccomp notification of every exec, checked again in the exec stop (ptrace)")
}

fn network(confinement: &Confinement, kernel: &KernelFeatures) -> State {
    let landlock = if kernel.used_abi() >= 4 { "; Landlock: no bind, no connect of its own" } else { "" };
    if confinement.network.is_empty() {
        return with_filter(
            kernel,
            &format!("seccomp filter: no sockets but connected pairs and AF_UNIX streams{landlock}"),
        );
    }
    let by_name = confinement.network.iter().filter(|rule| rule.is_by_name());
    let by_name: Vec<String> = by_name.map(describe).collect();
    if !by_name.is_empty() {
        return missing(
            format!("rules by host name are not enforced by this version ({})", quoted(&by_name)),
            "name addresses or networks, or remove the rules (given up, what they name stays closed)",
        );
    }
    if !is_gated(confinement, kernel) {
        return missing(
            "the kernel has no seccomp notification, or no process descriptors",
            "use Linux 5.19 or later",
        );
    }
    with_filter(
        kernel,
        &format!(
            "seccomp filter: sockets of TCP and UDP only, as far as a rule needs them; seccomp notification: \
             connect, bind, listen and addressed messages are judged by address, protocol and port, and \
             performed with the judged address{landlock}"
        ),
    )
}

fn describe(rule: &NetworkRule) -> String {
    let protocol = match rule.protocol {
        Some(Protocol::Tcp) => "tcp",
        Some(Protocol::Udp) => "udp",
        None => "any",
    };
    let port = rule.port.map_or_else(|| String::from("*"), |port| port.to_string());
    format!("{protocol}:{}:{port}", rule.host.as_deref().unwrap_or("*"))
}

fn signals(kernel: &KernelFeatures) -> State {
    if has_signal_scope(kernel) {
        return with_filter(kernel, "Landlock signal scope; seccomp: no ptrace and no access to memory");
    }
    older(kernel, 6, "processes of the same user could be signalled")
}

fn sweep(kernel: &KernelFeatures) -> State {
    if has_signal_scope(kernel) {
        return enforced("one signal to the run's Landlock domain, which nothing leaves");
    }
    older(kernel, 6, "a process that makes a session of its own survives the run; only the session is killed")
}

fn limits(confinement: &Confinement, kernel: &KernelFeatures) -> State {
    let kept = super::limits::kept(confinement, kernel);
    let lost = kept.iter().filter(|limit| limit.mechanisms.is_empty());
    let lost: Vec<String> = lost.map(|limit| limit.name.to_owned()).collect();
    if lost.is_empty() {
        let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
        return enforced(kept.join("; "));
    }
    let reason = "the kernel does not count what processes write, or has no seccomp notification";
    missing(
        format!("nothing here keeps these limits: {} ({reason})", quoted(&lost)),
        "remove them from `limits`",
    )
}

fn with_filter(kernel: &KernelFeatures, mechanism: &str) -> State {
    if kernel.seccomp_filter {
        return enforced(mechanism);
    }
    missing("the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER")
}

fn no_landlock(kernel: &KernelFeatures) -> State {
    missing(
        format!("the kernel {} has no Landlock, or it is not switched on", kernel.release),
        "use Linux 6.12 or later with `landlock` among the `lsm=` boot parameters",
    )
}

fn older(kernel: &KernelFeatures, needed: u32, consequence: &str) -> State {
    if kernel.used_abi() == 0 {
        return no_landlock(kernel);
    }
    missing(
        format!("Landlock ABI {needed} is needed, this kernel has {}: {consequence}", kernel.used_abi()),
        format!("use Linux {} or later", first_release(needed)),
    )
}

// The release that brought a Landlock ABI (Documentation/userspace-api/landlock.rst).
const fn first_release(abi: u32) -> &'static str {
    match abi {
        0..=3 => "6.2",
        4 => "6.7",
        5 => "6.10",
        _ => "6.12",
    }
}

// The calls are stopped by a filter and made by the supervisor.
fn brokered(kernel: &KernelFeatures, what: &str) -> State {
    if !kernel.seccomp_filter || !kernel.user_notification() {
        return missing("the kernel has no seccomp notification", "use Linux 5.19 or later");
    }
    if !kernel.openat2 {
        return missing("`openat2` is missing or blocked, and paths cannot be resolved safely", "allow it");
    }
    enforced(format!("seccomp notification: {what}"))
}

/// The first few, for a message of one line.
fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        shown.push(format!("and {} more", names.len() - SHOWN));
    }
    shown.join(", ")
}

fn enforced(mechanism: impl Into<String>) -> State {
    State::Enforced { mechanism: mechanism.into() }
}

fn missing(reason: impl Into<String>, next: impl Into<String>) -> State {
    State::Missing { reason: reason.into(), next: next.into() }
}
