//! What the running kernel offers, as a plain value.
//!
//! Everything that depends on the kernel is a pure function of this value, so every Landlock ABI
//! is a unit test.
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;

use crate::cgroup;
use crate::limits::meter::counts_writes;
use crate::sys::probe;

/// The newest Landlock ABI whose rights we know (Linux 7.2). A newer kernel is used as this one.
pub const NEWEST_KNOWN_ABI: u32 = 10;

/// Features of a kernel and of our own standing under it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelFeatures {
    /// Landlock ABI as the kernel states it; 0 is no Landlock.
    pub landlock_abi: u32,
    /// Bits of the Landlock errata that are fixed.
    pub landlock_errata: u32,
    /// Whether seccomp filters can be installed.
    pub seccomp_filter: bool,
    /// Names of the seccomp actions that the kernel knows.
    pub seccomp_actions: Vec<&'static str>,
    /// Whether `openat2` exists and is not blocked.
    pub openat2: bool,
    /// Whether `pidfd_open` exists and is not blocked.
    pub pidfd: bool,
    /// Whether `close_range` exists and is not blocked.
    pub close_range: bool,
    /// Whether an unprivileged process may make user namespaces, as far as the settings say.
    pub user_namespaces: bool,
    /// Yama's `ptrace_scope`; 0 without Yama.
    pub ptrace_scope: u32,
    /// Whether the kernel counts what each process writes to disk.
    pub write_accounting: bool,
    /// The control group (version 2) beneath which runs may have their own, with bounds of memory and tasks.
    pub cgroups: Option<PathBuf>,
    /// Kernel release, such as `6.12.3`.
    pub release: String,
    /// Machine name, such as `x86_64`.
    pub architecture: &'static str,
    /// Whether the effective user is root.
    pub root: bool,
}

impl KernelFeatures {
    /// Asks the running kernel. Never fails: what cannot be found out counts as missing.
    #[must_use]
    pub fn probe() -> Self {
        Self {
            landlock_abi: probe::landlock_abi(),
            landlock_errata: probe::landlock_errata(),
            seccomp_filter: probe::has_seccomp_filter(),
            seccomp_actions: probe::seccomp_actions(),
            openat2: probe::has_openat2(),
            pidfd: probe::has_pidfd(),
            close_range: probe::has_close_range(),
            user_namespaces: user_namespaces(),
            ptrace_scope: number("/proc/sys/kernel/yama/ptrace_scope").unwrap_or(0),
            write_accounting: counts_writes(),
            cgroups: cgroup::delegated(),
            release: release(),
            architecture: std::env::consts::ARCH,
            root: nix::unistd::geteuid().is_root(),
        }
    }

    /// A kernel with everything but this Landlock ABI. For tests and for `doctor`'s what-ifs.
    #[must_use]
    pub fn with_abi(landlock_abi: u32) -> Self {
        Self {
            landlock_abi,
            landlock_errata: 0,
            seccomp_filter: true,
            seccomp_actions: probe::SECCOMP_ACTIONS.iter().map(|(name, _)| *name).collect(),
            openat2: true,
            pidfd: true,
            close_range: true,
            user_namespaces: true,
            ptrace_scope: 0,
            write_accounting: true,
            cgroups: None,
            release: String::from("0.0.0"),
            architecture: std::env::consts::ARCH,
            root: false,
        }
    }

    /// The Landlock ABI that we use: the kernel's, but none that we do not know.
    #[must_use]
    pub fn used_abi(&self) -> u32 {
        self.landlock_abi.min(NEWEST_KNOWN_ABI)
    }

    /// Whether a supervisor can be notified of system calls.
    #[must_use]
    pub fn user_notification(&self) -> bool {
        self.seccomp_actions.contains(&"user_notif")
    }
}

fn release() -> String {
    nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default()
}

// Asking by doing would need a process of its own. These are the settings of the kernel, of Debian
// and of Ubuntu's AppArmor that forbid it; an absent file forbids nothing.
fn user_namespaces() -> bool {
    fs::exists("/proc/self/ns/user").unwrap_or(false)
        && number("/proc/sys/user/max_user_namespaces").is_none_or(|most| most > 0)
        && number("/proc/sys/kernel/unprivileged_userns_clone").is_none_or(|allowed| allowed > 0)
        && number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").is_none_or(|on| on == 0)
}

fn number(path: &str) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_newer_than_we_know_is_used_as_the_newest_known() {
        assert_eq!(KernelFeatures::with_abi(99).used_abi(), NEWEST_KNOWN_ABI);
        assert_eq!(KernelFeatures::with_abi(0).used_abi(), 0);
    }

    #[test]
    fn the_probe_agrees_with_proc() {
        let kernel = KernelFeatures::probe();
        let listed = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail");
        if let Ok(listed) = listed {
            assert_eq!(kernel.user_notification(), listed.contains("user_notif"));
            assert!(kernel.seccomp_filter);
        }
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
        assert_eq!(kernel.release, release.trim());
    }
}
