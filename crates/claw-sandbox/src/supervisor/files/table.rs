//! Which calls are asked about.
#![forbid(unsafe_code)]

use std::ffi::c_long;

use claw_policy::{Confinement, Guarantee};

use crate::KernelFeatures;
use crate::enforcement::{has_broker, is_gated};
use crate::seccomp::notify::{Notified, When};

/// What makes an `open` more than a look. `O_TMPFILE` without `O_DIRECTORY`, which alone is one.
const WRITES: u32 =
    (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY))
        as u32;

/// `chattr` and its like (linux/fs.h: FS_IOC_SETFLAGS with a long and an int, FS_IOC_FSSETXATTR).
pub(super) const FLAG_REQUESTS: &[u32] = &[0x4008_6602, 0x4004_6602, 0x401c_5820];

// Newer than our libc knows (asm-generic/unistd.h), or with their flags in memory, and not needed by anybody who can
// do without them on an older kernel: they do not exist inside.
const ABSENT: &[c_long] = &[libc::SYS_openat2, 463, 466, 469];

const CONTENT: &[c_long] = &[
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_truncate,
];

#[cfg(target_arch = "x86_64")]
const OLD_CONTENT: &[c_long] = &[
    libc::SYS_creat,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_mkdir,
    libc::SYS_mknod,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CONTENT: &[c_long] = &[];

const METADATA: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
];
/// By path: a file that is hidden cannot be opened to be read.
const ATTRIBUTES: &[c_long] =
    &[libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr];

/// Linux 6.13, and their arguments lie in memory; where something is hidden they do not exist inside either.
const ABSENT_ATTRIBUTES: &[c_long] = &[464, 465];

/// Linux 6.6, the same number everywhere.
pub(super) const SYS_FCHMODAT2: c_long = 452;

#[cfg(target_arch = "x86_64")]
const OLD_METADATA: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_METADATA: &[c_long] = &[];

/// Whether it is one of the calls that [`calls`] may name.
pub(crate) fn is_file_call(call: c_long) -> bool {
    let opens = call == libc::SYS_openat || call == libc::SYS_ioctl;
    let lists = [CONTENT, OLD_CONTENT, METADATA, OLD_METADATA, ABSENT, ATTRIBUTES, ABSENT_ATTRIBUTES];
    opens || lists.into_iter().flatten().any(|known| *known == call)
}

/// The calls on files that a run under the confinement has made for it. None when the policy gives up what needs it.
pub(crate) fn calls(confinement: &Confinement, kernel: &KernelFeatures) -> Vec<Notified> {
    if !has_broker(kernel) {
        return Vec::new();
    }
    let demands = |guarantee| !confinement.floor.degrade.contains(&guarantee);
    let nested = !confinement.nested.is_empty() && demands(Guarantee::NestedPaths);
    let protected = !confinement.protected.is_empty() && demands(Guarantee::ProtectedPaths);
    let counted = confinement.limits.new_files.is_some() && demands(Guarantee::Limits);
    let always = |call: &c_long| Notified { call: *call, when: When::Always };
    let mut calls = Vec::new();
    if nested || protected || counted {
        let opens = |call, argument| Notified {
            call,
            when: if nested && confinement.nested_hidden {
                When::Always
            } else {
                When::AnyBit { argument, bits: WRITES }
            },
        };
        calls.push(opens(libc::SYS_openat, 2));
        #[cfg(target_arch = "x86_64")]
        calls.push(opens(libc::SYS_open, 1));
        calls.extend(CONTENT.iter().chain(OLD_CONTENT).map(always));
        // Of AF_UNIX sockets; where there are others, who judges those asks about it.
        if !is_gated(confinement, kernel) {
            calls.push(always(&libc::SYS_bind));
        }
    }
    if nested && confinement.nested_hidden {
        calls.extend(ATTRIBUTES.iter().chain(ABSENT_ATTRIBUTES).map(always));
    }
    if demands(Guarantee::Metadata) {
        calls.extend(METADATA.iter().chain(OLD_METADATA).map(always));
        calls.push(Notified {
            call: libc::SYS_ioctl,
            when: When::OneOf { argument: 1, values: FLAG_REQUESTS },
        });
    }
    if !calls.is_empty() {
        calls.extend(ABSENT.iter().map(always));
    }
    calls
}
