//! The kernel's features, as `doctor` shows them.

use claw_sandbox::{KernelFeatures, NEWEST_KNOWN_ABI};
use serde_json::{Value, json};

/// One line of the table: what, whether it is there, and what it is for.
struct Row {
    name: &'static str,
    value: String,
    use_for: &'static str,
}

/// The table for people.
pub(crate) fn table(kernel: &KernelFeatures) -> String {
    let rows = rows(kernel);
    let width = |column: fn(&Row) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let (name, value) = (width(|row| row.name.len()), width(|row| row.value.len()));
    rows.iter().map(|row| format!("  {:name$}  {:value$}  {}\n", row.name, row.value, row.use_for)).collect()
}

/// The same for programs.
pub(crate) fn json(kernel: &KernelFeatures) -> Value {
    json!({
        "release": kernel.release,
        "architecture": kernel.architecture,
        "landlockAbi": kernel.landlock_abi,
        "landlockErrata": kernel.landlock_errata,
        "seccompFilter": kernel.seccomp_filter,
        "seccompActions": kernel.seccomp_actions,
        "openat2": kernel.openat2,
        "pidfd": kernel.pidfd,
        "closeRange": kernel.close_range,
        "userNamespaces": kernel.user_namespaces,
        "ptraceScope": kernel.ptrace_scope,
        "root": kernel.root,
    })
}

fn rows(kernel: &KernelFeatures) -> Vec<Row> {
    let row = |name, value, use_for| Row { name, value, use_for };
    let has = |there: bool| if there { "yes" } else { "no" }.to_owned();
    vec![
        row("kernel", format!("{} {}", kernel.release, kernel.architecture), ""),
        row("Landlock ABI", abi(kernel), "files, programs; from 6 on signals and abstract sockets"),
        row("seccomp filters", has(kernel.seccomp_filter), "network, the kernel's surface"),
        row("seccomp notification", has(kernel.user_notification()), "decisions about single system calls"),
        row("openat2", has(kernel.openat2), "paths that cannot be raced"),
        row("pidfd", has(kernel.pidfd), "ending the right process"),
        row("close_range", has(kernel.close_range), "no inherited descriptors"),
        row("user namespaces", has(kernel.user_namespaces), "not needed"),
        row("Yama ptrace_scope", kernel.ptrace_scope.to_string(), "argument rules want 0 or 1"),
        row("root", has(kernel.root), "not needed"),
    ]
}

fn abi(kernel: &KernelFeatures) -> String {
    match kernel.landlock_abi {
        0 => "none".to_owned(),
        newer if newer > NEWEST_KNOWN_ABI => format!("{newer} (used as {NEWEST_KNOWN_ABI})"),
        known => known.to_string(),
    }
}
