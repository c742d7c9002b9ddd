//! The table of denied system calls: data with the reason of each group.
//!
//! The numbers are libc's for the architecture that is compiled for. What several sandboxes of the
//! field deny for the same reason is denied here too; the reasons name what the calls would open.

use std::ffi::c_long;

/// The error numbers of the table. `ENOSYS` where libraries fall back to an older call.
pub(super) const EPERM: u32 = libc::EPERM as u32;
pub(super) const ENOSYS: u32 = libc::ENOSYS as u32;
pub(super) const EOPNOTSUPP: u32 = libc::EOPNOTSUPP as u32;

/// The last system call that was reviewed for this table: `file_setattr` of Linux 6.17. Later ones
/// answer `ENOSYS`, as do the x32 numbers of x86_64 (`0x4000_0000` and above).
pub(super) const LAST_REVIEWED: u32 = 469;

/// `AUDIT_ARCH_*` of the architecture (linux/audit.h); `None` where there is no table.
#[cfg(target_arch = "x86_64")]
pub(super) const AUDIT_ARCHITECTURE: Option<u32> = Some(0xC000_003E);
#[cfg(target_arch = "aarch64")]
pub(super) const AUDIT_ARCHITECTURE: Option<u32> = Some(0xC000_00B7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const AUDIT_ARCHITECTURE: Option<u32> = None;

/// A system call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    #[cfg_attr(not(test), expect(dead_code, reason = "read by Debug and by the tests' messages"))]
    pub(super) name: &'static str,
    pub(super) number: u32,
}

/// Calls that are denied whatever their arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    #[cfg_attr(not(test), expect(dead_code, reason = "documentation that the tests demand"))]
    pub(super) reason: &'static str,
    pub(super) errno: u32,
    pub(super) when: When,
    pub(super) calls: &'static [Call],
}

/// When a group is denied.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Always,
    /// Where Landlock has no rights for AF_UNIX paths (before ABI 9), and connecting is not asked about.
    NoUnixRules,
    /// Where what a run writes to disk is bounded.
    DiskLimit,
}

/// A call that is denied with some arguments: when all tests hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArgumentRule {
    #[cfg_attr(not(test), expect(dead_code, reason = "documentation that the tests demand"))]
    pub(super) reason: &'static str,
    pub(super) call: Call,
    pub(super) tests: &'static [Test],
}

/// A test of the low 32 bits of an argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Test {
    pub(super) argument: u8,
    pub(super) operation: Operation,
    pub(super) value: u32,
}

/// How an argument is compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Equal,
    NotEqual,
    /// The argument has exactly the value within the mask.
    Masked(u32),
}

// Names and numbers from libc's constants.
macro_rules! calls {
    ($($name:ident)*) => { &[$(call(stringify!($name), libc::$name)),*] };
}

const fn call(name: &'static str, number: c_long) -> Call {
    Call { name, number: number as u32 }
}

const fn always(errno: u32, calls: &'static [Call], reason: &'static str) -> Group {
    Group { reason, errno, when: When::Always, calls }
}

// Linux 6.15; libc does not have it yet.
const SYS_OPEN_TREE_ATTR: Call = call("SYS_open_tree_attr", 467);

/// The denied calls.
pub(super) const DENIED: &[Group] = &[
    always(
        EPERM,
        calls![SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_swapon SYS_swapoff],
        "change the file tree or what backs memory",
    ),
    always(
        EPERM,
        calls![SYS_fsopen SYS_fsmount SYS_fsconfig SYS_fspick SYS_open_tree SYS_move_mount SYS_mount_setattr],
        "the new mount interface",
    ),
    always(EPERM, &[SYS_OPEN_TREE_ATTR], "the new mount interface"),
    always(
        EPERM,
        calls![SYS_reboot SYS_sethostname SYS_setdomainname SYS_kexec_load SYS_init_module SYS_finit_module
            SYS_delete_module SYS_acct SYS_quotactl SYS_quotactl_fd SYS_syslog SYS_vhangup],
        "administration of the machine",
    ),
    always(
        EPERM,
        calls![SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex],
        "the machine's clock",
    ),
    always(EPERM, calls![SYS_unshare SYS_setns], "namespaces open most of the kernel's attack surface"),
    always(
        EPERM,
        calls![SYS_perf_event_open SYS_bpf SYS_userfaultfd SYS_fanotify_init SYS_memfd_secret],
        "kernel interfaces with a long record of vulnerabilities, and memory that hides from a supervisor",
    ),
    always(
        EPERM,
        calls![SYS_keyctl SYS_add_key SYS_request_key],
        "keyrings are shared with processes outside",
    ),
    always(
        EPERM,
        calls![SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_process_madvise SYS_kcmp SYS_pidfd_getfd],
        "reach into other processes",
    ),
    always(
        EPERM,
        calls![SYS_shmget SYS_shmat SYS_shmctl SYS_semget SYS_semop SYS_semtimedop SYS_semctl SYS_msgget SYS_msgsnd
            SYS_msgrcv SYS_msgctl],
        "System V objects are shared with processes outside, and no path or scope rules them",
    ),
    always(
        EPERM,
        calls![SYS_mq_open SYS_mq_unlink SYS_mq_timedsend SYS_mq_timedreceive SYS_mq_notify SYS_mq_getsetattr],
        "POSIX message queues are made and removed past every path that rules are about",
    ),
    always(
        EPERM,
        calls![SYS_open_by_handle_at SYS_name_to_handle_at],
        "open files past the path (CVE-2014-3519, the `shocker` escape)",
    ),
    always(EPERM, calls![SYS_nfsservctl SYS_lookup_dcookie], "obsolete"),
    #[cfg(target_arch = "x86_64")]
    always(EPERM, calls![SYS_ioperm SYS_iopl SYS_modify_ldt], "hardware ports and segment descriptors"),
    always(EPERM, calls![SYS_kexec_file_load], "administration of the machine"),
    always(
        ENOSYS,
        calls![SYS_clone3],
        "its flags are in memory, where a filter cannot look; libc falls back to clone",
    ),
    always(
        ENOSYS,
        calls![SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register],
        "its operations, sockets included, pass by every filter; libraries fall back to plain calls",
    ),
    Group {
        reason: "without a network only AF_UNIX is left, and its sockets (docker.sock, ssh-agent, D-Bus) lead outside",
        errno: EPERM,
        when: When::NoUnixRules,
        calls: calls![SYS_connect],
    },
    Group {
        reason: "takes space on disk that nobody counts; libc's posix_fallocate falls back to writing",
        errno: EOPNOTSUPP,
        when: When::DiskLimit,
        calls: calls![SYS_fallocate],
    },
];

const fn equal(argument: u8, value: u32) -> Test {
    Test { argument, operation: Operation::Equal, value }
}
const fn not_equal(argument: u8, value: u32) -> Test {
    Test { argument, operation: Operation::NotEqual, value }
}
// All of the bits are set.
const fn has(argument: u8, bits: u32) -> Test {
    Test { argument, operation: Operation::Masked(bits), value: bits }
}
// None of the bits is set.
const fn lacks(argument: u8, bits: u32) -> Test {
    Test { argument, operation: Operation::Masked(bits), value: 0 }
}

macro_rules! rules {
    ($($name:ident [$($test:expr),*] $reason:expr;)*) => {
        &[$(ArgumentRule { reason: $reason, call: call(stringify!($name), libc::$name), tests: &[$($test),*] }),*]
    };
}

const NAMESPACE: &str = "namespaces open most of the kernel's attack surface";
const FAMILY: &str = "without a network only AF_UNIX sockets are left";
const KIND: &str = "an AF_UNIX datagram may be sent to any socket by its path, past connect";
const VERSION: &str = "changes a file that may only be read (FS_IOC_SETVERSION, linux/fs.h)";
const TERMINAL: &str = "types into the caller's terminal (CVE-2017-5226, CVE-2023-28100)";

// linux/sched.h, linux/net.h, linux/memfd.h, linux/seccomp.h: constants that have a sign or another
// width in libc.
const NEW_CGROUP: u32 = libc::CLONE_NEWCGROUP as u32;
const NEW_IPC: u32 = libc::CLONE_NEWIPC as u32;
const NEW_NET: u32 = libc::CLONE_NEWNET as u32;
const NEW_NS: u32 = libc::CLONE_NEWNS as u32;
const NEW_PID: u32 = libc::CLONE_NEWPID as u32;
const NEW_USER: u32 = libc::CLONE_NEWUSER as u32;
const NEW_UTS: u32 = libc::CLONE_NEWUTS as u32;
const UNIX: u32 = libc::AF_UNIX as u32;
const INET: u32 = libc::AF_INET as u32;
const INET6: u32 = libc::AF_INET6 as u32;
const TCP: u32 = libc::IPPROTO_TCP as u32;
const UDP: u32 = libc::IPPROTO_UDP as u32;
const FASTOPEN: u32 = libc::MSG_FASTOPEN as u32;
const IP: u32 = libc::IPPROTO_IP as u32;
const IPV6: u32 = libc::IPPROTO_IPV6 as u32;
const IP_OPTIONS: u32 = libc::IP_OPTIONS as u32;
const IPV6_OLD_OPTIONS: u32 = libc::IPV6_2292PKTOPTIONS as u32;
const IPV6_OLD_ROUTE: u32 = libc::IPV6_2292RTHDR as u32;
const IPV6_ROUTE: u32 = libc::IPV6_RTHDR as u32;
// linux/in6.h; libc does not have it.
const IPV6_FLOW_LABELS: u32 = 32;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541C;
const SET_VERSION: u32 = 0x4008_7602;
const SET_VERSION_32: u32 = 0x4004_7602;
const SET_LEASE: u32 = libc::F_SETLEASE as u32;
const PTRACER: u32 = libc::PR_SET_PTRACER as u32;
const MEMORY_MAP: u32 = libc::PR_SET_MM as u32;
const DUMPABLE: u32 = libc::PR_SET_DUMPABLE as u32;
const INSIDE: u32 = crate::sys::probe::INSIDE_OPTION;
const EMPTY_PATH: u32 = libc::AT_EMPTY_PATH as u32;
const NEW_LISTENER: u32 = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32;
const NOEXEC_SEAL: u32 = libc::MFD_NOEXEC_SEAL;
// `personality(0xffffffff)` only asks.
const PERSONALITY_QUERY: u32 = u32::MAX;

// SOCK_TYPE_MASK: the flags SOCK_CLOEXEC and SOCK_NONBLOCK lie above it. Kinds from 0 to 15 but
// SOCK_STREAM (1) and SOCK_SEQPACKET (5).
const fn kind(value: u32) -> Test {
    Test { argument: 1, operation: Operation::Masked(0xf), value }
}

/// The calls that are denied with some arguments.
pub(super) const ARGUMENTS: &[ArgumentRule] = rules![
    SYS_clone [has(0, NEW_CGROUP)] NAMESPACE;
    SYS_clone [has(0, NEW_IPC)] NAMESPACE;
    SYS_clone [has(0, NEW_NET)] NAMESPACE;
    SYS_clone [has(0, NEW_NS)] NAMESPACE;
    SYS_clone [has(0, NEW_PID)] NAMESPACE;
    SYS_clone [has(0, NEW_USER)] NAMESPACE;
    SYS_clone [has(0, NEW_UTS)] NAMESPACE;
    SYS_socket [kind(0)] KIND;
    SYS_socket [equal(0, UNIX), kind(2)] KIND;
    SYS_socket [kind(3)] KIND;
    SYS_socket [kind(4)] KIND;
    SYS_socket [has(1, 6)] KIND;
    SYS_socket [has(1, 8)] KIND;
    SYS_socketpair [not_equal(0, UNIX)] FAMILY;
    SYS_socketpair [kind(0)] KIND;
    SYS_socketpair [kind(2)] KIND;
    SYS_socketpair [kind(3)] KIND;
    SYS_socketpair [kind(4)] KIND;
    SYS_socketpair [has(1, 6)] KIND;
    SYS_socketpair [has(1, 8)] KIND;
    SYS_personality [not_equal(0, 0), not_equal(0, PERSONALITY_QUERY)] "switches off address randomisation and the like";
    SYS_ioctl [equal(1, TIOCSTI)] TERMINAL;
    SYS_ioctl [equal(1, TIOCLINUX)] TERMINAL;
    SYS_ioctl [equal(1, SET_VERSION)] VERSION;
    SYS_ioctl [equal(1, SET_VERSION_32)] VERSION;
    SYS_fcntl [equal(1, SET_LEASE)] "makes whoever opens the file wait, the supervisor too";
    SYS_prctl [equal(0, PTRACER)] "lets a process outside reach in";
    SYS_prctl [equal(0, MEMORY_MAP)] "changes what the kernel says of a process, by which the supervisor knows it";
    SYS_prctl [equal(0, DUMPABLE), equal(1, 0)] "hides a process from its supervisor, which then denies what it does";
    SYS_prctl [equal(0, INSIDE)] "no option of the kernel: the answer tells who asks that it runs inside";
    SYS_memfd_create [lacks(1, NOEXEC_SEAL)] "a file in memory could be executed past the allowlist";
    SYS_execveat [has(4, EMPTY_PATH)] "executes a descriptor, past the path that rules are about";
    SYS_seccomp [has(1, NEW_LISTENER)] "a listener could answer the calls of other processes";
    SYS_prlimit64 [not_equal(0, 0)] "a limit of a process outside can end it (SIGXCPU), past the signal scope";
    SYS_move_pages [not_equal(0, 0)] "reach into other processes";
    SYS_migrate_pages [not_equal(0, 0)] "reach into other processes";
];

/// What is denied beside [`ARGUMENTS`] where what a run has in memory is summed up by looking.
pub(super) const NO_FILES_IN_MEMORY: &[ArgumentRule] = rules![
    SYS_memfd_create [has(1, NOEXEC_SEAL)] "a file in memory that is sent to oneself and closed is in no table that tells of it";
];

/// What is denied beside [`ARGUMENTS`] where a run has no network.
pub(super) const NO_NETWORK: &[ArgumentRule] = rules![
    SYS_socket [not_equal(0, UNIX)] FAMILY;
];

const SET_ID: &str = "a file that runs with the rights of its owner or group outlives the run, and root's rights are everybody's";

const CREATES: u32 = libc::O_CREAT as u32;
// O_TMPFILE without O_DIRECTORY, which alone is a look.
const NAMELESS: u32 = (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;
const SET_USER: u32 = libc::S_ISUID;
const SET_GROUP: u32 = libc::S_ISGID;

/// What is denied of the modes of new files where nobody judges them. A new directory ignores these bits (`vfs_mkdir` in fs/namei.c).
pub(super) const NEW_MODES: &[ArgumentRule] = rules![
    SYS_openat [has(2, CREATES), has(3, SET_USER)] SET_ID;
    SYS_openat [has(2, CREATES), has(3, SET_GROUP)] SET_ID;
    SYS_openat [has(2, NAMELESS), has(3, SET_USER)] SET_ID;
    SYS_openat [has(2, NAMELESS), has(3, SET_GROUP)] SET_ID;
    SYS_mknodat [has(2, SET_USER)] SET_ID;
    SYS_mknodat [has(2, SET_GROUP)] SET_ID;
];

/// The same of the calls without a directory.
#[cfg(target_arch = "x86_64")]
pub(super) const OLD_NEW_MODES: &[ArgumentRule] = rules![
    SYS_open [has(1, CREATES), has(2, SET_USER)] SET_ID;
    SYS_open [has(1, CREATES), has(2, SET_GROUP)] SET_ID;
    SYS_open [has(1, NAMELESS), has(2, SET_USER)] SET_ID;
    SYS_open [has(1, NAMELESS), has(2, SET_GROUP)] SET_ID;
    SYS_creat [has(1, SET_USER)] SET_ID;
    SYS_creat [has(1, SET_GROUP)] SET_ID;
    SYS_mknod [has(1, SET_USER)] SET_ID;
    SYS_mknod [has(1, SET_GROUP)] SET_ID;
];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const OLD_NEW_MODES: &[ArgumentRule] = &[];

// Linux 6.6; libc does not have it everywhere.
const SYS_FCHMODAT2: Call = call("SYS_fchmodat2", 452);

/// What is denied of changes of modes there; a directory cannot be told from a file then.
pub(super) const MODES: &[ArgumentRule] = &[
    mode(call("SYS_fchmod", libc::SYS_fchmod), &[has(1, SET_USER)]),
    mode(call("SYS_fchmod", libc::SYS_fchmod), &[has(1, SET_GROUP)]),
    mode(call("SYS_fchmodat", libc::SYS_fchmodat), &[has(2, SET_USER)]),
    mode(call("SYS_fchmodat", libc::SYS_fchmodat), &[has(2, SET_GROUP)]),
    mode(SYS_FCHMODAT2, &[has(2, SET_USER)]),
    mode(SYS_FCHMODAT2, &[has(2, SET_GROUP)]),
];

/// The same of the call without a directory.
#[cfg(target_arch = "x86_64")]
pub(super) const OLD_MODES: &[ArgumentRule] = rules![
    SYS_chmod [has(1, SET_USER)] SET_ID;
    SYS_chmod [has(1, SET_GROUP)] SET_ID;
];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const OLD_MODES: &[ArgumentRule] = &[];

const fn mode(call: Call, tests: &'static [Test]) -> ArgumentRule {
    ArgumentRule { reason: SET_ID, call, tests }
}

const PROTOCOL: &str = "MPTCP, SCTP and other protocols than TCP and UDP pass by the rules about ports";
const ADDRESS: &str = "connects to an address past connect";
const ROUTE: &str = "sends packets by way of an address that nobody was asked about";

/// What is denied beside [`ARGUMENTS`] where a run has TCP or UDP sockets.
pub(super) const NETWORK: &[ArgumentRule] = rules![
    SYS_socket [not_equal(0, UNIX), not_equal(0, INET), not_equal(0, INET6)] PROTOCOL;
    SYS_socket [not_equal(0, UNIX), kind(5)] PROTOCOL;
    SYS_socket [not_equal(0, UNIX), kind(1), not_equal(2, 0), not_equal(2, TCP)] PROTOCOL;
    SYS_socket [not_equal(0, UNIX), kind(2), not_equal(2, 0), not_equal(2, UDP)] PROTOCOL;
    SYS_sendto [has(3, FASTOPEN)] ADDRESS;
    SYS_sendmsg [has(2, FASTOPEN)] ADDRESS;
    SYS_sendmmsg [has(3, FASTOPEN)] ADDRESS;
    SYS_setsockopt [equal(1, IP), equal(2, IP_OPTIONS)] ROUTE;
    SYS_setsockopt [equal(1, IPV6), equal(2, IPV6_ROUTE)] ROUTE;
    SYS_setsockopt [equal(1, IPV6), equal(2, IPV6_OLD_ROUTE)] ROUTE;
    SYS_setsockopt [equal(1, IPV6), equal(2, IPV6_OLD_OPTIONS)] ROUTE;
    SYS_setsockopt [equal(1, IPV6), equal(2, IPV6_FLOW_LABELS)] ROUTE;
];

/// What is denied where a run has UDP sockets only.
pub(super) const NO_TCP: &[ArgumentRule] = rules![
    SYS_socket [not_equal(0, UNIX), kind(1)] PROTOCOL;
];

/// What is denied where a run has TCP sockets only.
pub(super) const NO_UDP: &[ArgumentRule] = rules![
    SYS_socket [not_equal(0, UNIX), kind(2)] PROTOCOL;
];

/// All argument rules, those of every case.
#[cfg(test)]
pub(super) fn all_arguments() -> impl Iterator<Item = &'static ArgumentRule> {
    let modes = [NEW_MODES, OLD_NEW_MODES, MODES, OLD_MODES];
    [ARGUMENTS, NO_FILES_IN_MEMORY, NO_NETWORK, NETWORK, NO_TCP, NO_UDP].into_iter().chain(modes).flatten()
}
