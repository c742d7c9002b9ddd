//! A call on files as its caller asks for it, copied.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use claw_policy::FileAction;
use nix::errno::Errno;
use nix::sys::time::TimeSpec;

use super::super::image::Base;
use super::super::process::Process;
use super::table::{FLAG_REQUESTS, SYS_FCHMODAT2};
use crate::sys::notify::Notification;

/// Names and values of extended attributes (linux/limits.h).
const NAME_BYTES: usize = 256;
const VALUE_BYTES: usize = 65536;

/// What a path or descriptor names.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A path that begins at a directory.
    Path(Base, Vec<u8>),
    /// What a descriptor is open on.
    Descriptor(i32),
}

/// A new entry that is no regular file that stays open.
#[derive(Clone, Debug)]
pub(super) enum New {
    Directory(u32),
    Node(u32, u64),
    Symlink(CString),
    /// A socket that is bound to it by a path, as its caller writes it.
    Socket(Arc<OwnedFd>, Vec<u8>),
}

impl New {
    /// Whether the caller's mask changes it.
    pub(super) const fn has_mode(&self) -> bool {
        !matches!(self, Self::Symlink(_))
    }
}

/// A change of an object by itself.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Truncate(i64),
    Mode(u32),
    Owner(u32, u32),
    Times(TimeSpec, TimeSpec),
    SetAttribute { name: CString, value: Vec<u8>, flags: i32 },
    RemoveAttribute(CString),
    Flags(u32, [u8; 32]),
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Open {
        target: Target,
        flags: i32,
        mode: u32,
    },
    Make {
        target: Target,
        what: New,
    },
    Remove {
        target: Target,
        directory: bool,
    },
    Rename {
        from: Target,
        to: Target,
        flags: u32,
    },
    Link {
        from: Target,
        to: Target,
        follow: bool,
    },
    Change {
        target: Target,
        no_follow: bool,
        change: Change,
    },
    /// An extended attribute is read, or without a name their list, into so much room in the caller's memory.
    Attribute {
        target: Target,
        no_follow: bool,
        name: Option<CString>,
        room: (u64, usize),
    },
}

impl Operation {
    /// What it is, done to what is there or to a name that is free.
    pub(super) fn action(&self, is_there: bool) -> FileAction {
        match self {
            Self::Open { .. } if self.is_read() => FileAction::Read,
            Self::Open { .. } if is_there => FileAction::Write,
            Self::Open { .. } => FileAction::Create,
            Self::Make { what: New::Directory(_), .. } => FileAction::Mkdir,
            Self::Make { what: New::Symlink(_), .. } => FileAction::Symlink,
            Self::Make { .. } => FileAction::Create,
            Self::Remove { .. } => FileAction::Delete,
            Self::Rename { .. } => FileAction::Rename,
            Self::Link { .. } => FileAction::Hardlink,
            Self::Change { change: Change::Truncate(_), .. } => FileAction::Write,
            Self::Change { .. } => FileAction::Chmod,
            Self::Attribute { .. } => FileAction::Read,
        }
    }

    /// Whether it changes what the path of another call means, or depends on more than the entry that was judged.
    pub(super) const fn goes_alone(&self) -> bool {
        matches!(self, Self::Rename { .. } | Self::Link { .. } | Self::Make { what: New::Socket(..), .. })
    }

    /// Whether it only looks.
    pub(super) fn is_read(&self) -> bool {
        match self {
            Self::Open { flags, .. } => {
                let writes =
                    libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE & !libc::O_DIRECTORY;
                flags & libc::O_PATH != 0 || flags & writes == 0
            }
            Self::Attribute { .. } => true,
            _ => false,
        }
    }

    /// Reads the call from its caller's memory.
    pub(super) fn read(notification: &Notification, process: Process<'_>) -> nix::Result<Self> {
        let [a, b, c, d, e, _] = notification.arguments;
        let at = |directory: u64, path: u64| Ok(Target::Path(base(directory), process.path(path)?));
        let or_empty =
            |directory: u64, path: u64, flags: u64| empty_path(at(directory, path)?, directory, flags);
        let link = |flags: u64| flags & libc::AT_SYMLINK_NOFOLLOW as u64 != 0;
        Ok(match notification.call {
            libc::SYS_openat => Self::Open { target: at(a, b)?, flags: c as i32, mode: d as u32 },
            libc::SYS_mkdirat => Self::Make { target: at(a, b)?, what: New::Directory(c as u32) },
            libc::SYS_mknodat => Self::Make { target: at(a, b)?, what: New::Node(c as u32, d) },
            libc::SYS_symlinkat => Self::Make { target: at(b, c)?, what: New::Symlink(symlink(process, a)?) },
            libc::SYS_unlinkat => match c as i32 {
                0 | libc::AT_REMOVEDIR => Self::Remove { target: at(a, b)?, directory: c as i32 != 0 },
                _ => return Err(Errno::EINVAL),
            },
            libc::SYS_renameat => Self::Rename { from: at(a, b)?, to: at(c, d)?, flags: 0 },
            libc::SYS_renameat2 => Self::Rename { from: at(a, b)?, to: at(c, d)?, flags: e as u32 },
            libc::SYS_linkat => {
                let from = or_empty(a, b, e)?;
                let follow = e & libc::AT_SYMLINK_FOLLOW as u64 != 0 || matches!(from, Target::Descriptor(_));
                Self::Link { from, to: at(c, d)?, follow }
            }
            libc::SYS_truncate => {
                change(at(libc::AT_FDCWD as u64, a)?, false, Change::Truncate(b.cast_signed()))
            }
            libc::SYS_fchmod => change(Target::Descriptor(a as i32), false, Change::Mode(b as u32)),
            libc::SYS_fchmodat => change(at(a, b)?, false, Change::Mode(c as u32)),
            SYS_FCHMODAT2 => change(or_empty(a, b, d)?, link(d), Change::Mode(c as u32)),
            libc::SYS_fchown => {
                change(Target::Descriptor(a as i32), false, Change::Owner(b as u32, c as u32))
            }
            libc::SYS_fchownat => change(or_empty(a, b, e)?, link(e), Change::Owner(c as u32, d as u32)),
            libc::SYS_utimensat => {
                let target = if b == 0 { Target::Descriptor(a as i32) } else { or_empty(a, b, d)? };
                let times = times(process, c, 1)?;
                change(target, link(d), times)
            }
            libc::SYS_setxattr | libc::SYS_lsetxattr | libc::SYS_fsetxattr => {
                let target = attribute_target(notification, process, libc::SYS_fsetxattr)?;
                let length =
                    usize::try_from(d).ok().filter(|length| *length <= VALUE_BYTES).ok_or(Errno::E2BIG)?;
                let mut value = vec![0; length];
                process.read_exactly(c, &mut value)?;
                let set = Change::SetAttribute { name: attribute(process, b)?, value, flags: e as i32 };
                change(target, notification.call == libc::SYS_lsetxattr, set)
            }
            libc::SYS_removexattr | libc::SYS_lremovexattr | libc::SYS_fremovexattr => {
                let target = attribute_target(notification, process, libc::SYS_fremovexattr)?;
                let remove = Change::RemoveAttribute(attribute(process, b)?);
                change(target, notification.call == libc::SYS_lremovexattr, remove)
            }
            libc::SYS_getxattr | libc::SYS_lgetxattr => Self::Attribute {
                target: Target::Path(Base::Cwd, process.path(a)?),
                no_follow: notification.call == libc::SYS_lgetxattr,
                name: Some(attribute(process, b)?),
                room: (c, room(d)),
            },
            libc::SYS_listxattr | libc::SYS_llistxattr => Self::Attribute {
                target: Target::Path(Base::Cwd, process.path(a)?),
                no_follow: notification.call == libc::SYS_llistxattr,
                name: None,
                room: (b, room(c)),
            },
            libc::SYS_ioctl if FLAG_REQUESTS.contains(&(b as u32)) => {
                // What the kernel reads, whatever size the number states: an int, or struct fsxattr.
                let length = if b as u32 == 0x401c_5820 { 28 } else { 4 };
                let mut argument = [0; 32];
                process.read_exactly(c, argument.get_mut(..length).unwrap_or_default())?;
                change(Target::Descriptor(a as i32), false, Change::Flags(b as u32, argument))
            }
            _ => return old(notification, process),
        })
    }
}

// The kernel takes no more than the longest value, which is the longest list too.
fn room(size: u64) -> usize {
    usize::try_from(size).map_or(VALUE_BYTES, |size| size.min(VALUE_BYTES))
}

// The calls without a directory, from before there were others.
#[cfg(target_arch = "x86_64")]
fn old(notification: &Notification, process: Process<'_>) -> nix::Result<Operation> {
    let [a, b, c, ..] = notification.arguments;
    let path = |address: u64| Ok(Target::Path(Base::Cwd, process.path(address)?));
    Ok(match notification.call {
        libc::SYS_open => Operation::Open { target: path(a)?, flags: b as i32, mode: c as u32 },
        libc::SYS_creat => Operation::Open {
            target: path(a)?,
            flags: libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC,
            mode: b as u32,
        },
        libc::SYS_mkdir => Operation::Make { target: path(a)?, what: New::Directory(b as u32) },
        libc::SYS_mknod => Operation::Make { target: path(a)?, what: New::Node(b as u32, c) },
        libc::SYS_symlink => Operation::Make { target: path(b)?, what: New::Symlink(symlink(process, a)?) },
        libc::SYS_unlink => Operation::Remove { target: path(a)?, directory: false },
        libc::SYS_rmdir => Operation::Remove { target: path(a)?, directory: true },
        libc::SYS_rename => Operation::Rename { from: path(a)?, to: path(b)?, flags: 0 },
        libc::SYS_link => Operation::Link { from: path(a)?, to: path(b)?, follow: false },
        libc::SYS_chmod => change(path(a)?, false, Change::Mode(b as u32)),
        libc::SYS_chown => change(path(a)?, false, Change::Owner(b as u32, c as u32)),
        libc::SYS_lchown => change(path(a)?, true, Change::Owner(b as u32, c as u32)),
        libc::SYS_utime => change(path(a)?, false, seconds(process, b)?),
        libc::SYS_utimes => change(path(a)?, false, times(process, b, 1000)?),
        libc::SYS_futimesat => {
            let target =
                if b == 0 { Target::Descriptor(a as i32) } else { Target::Path(base(a), process.path(b)?) };
            change(target, false, times(process, c, 1000)?)
        }
        _ => return Err(Errno::ENOSYS),
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn old(_notification: &Notification, _process: Process<'_>) -> nix::Result<Operation> {
    Err(Errno::ENOSYS)
}

fn change(target: Target, no_follow: bool, change: Change) -> Operation {
    Operation::Change { target, no_follow, change }
}

// The kernel takes the low half of an `int`.
const fn base(directory: u64) -> Base {
    let directory = directory as u32 as i32;
    if directory == libc::AT_FDCWD { Base::Cwd } else { Base::Descriptor(directory) }
}

// With AT_EMPTY_PATH nothing after the directory means the directory's descriptor itself.
fn empty_path(target: Target, directory: u64, flags: u64) -> nix::Result<Target> {
    let Target::Path(base, path) = &target else { return Ok(target) };
    if !path.is_empty() {
        return Ok(target);
    }
    if flags & libc::AT_EMPTY_PATH as u64 == 0 {
        return Err(Errno::ENOENT);
    }
    Ok(match base {
        Base::Cwd => Target::Path(Base::Cwd, b".".to_vec()),
        Base::Descriptor(_) => Target::Descriptor(directory as u32 as i32),
    })
}

fn symlink(process: Process<'_>, address: u64) -> nix::Result<CString> {
    CString::new(process.path(address)?).map_err(|_| Errno::EINVAL)
}

fn attribute_target(
    notification: &Notification,
    process: Process<'_>,
    by_descriptor: i64,
) -> nix::Result<Target> {
    let [a, ..] = notification.arguments;
    if notification.call == by_descriptor {
        return Ok(Target::Descriptor(a as i32));
    }
    Ok(Target::Path(Base::Cwd, process.path(a)?))
}

fn attribute(process: Process<'_>, address: u64) -> nix::Result<CString> {
    let name = process.path(address)?;
    if name.is_empty() || name.len() >= NAME_BYTES {
        return Err(Errno::ERANGE);
    }
    CString::new(name).map_err(|_| Errno::ERANGE)
}

// Two pairs of seconds and parts of them; none is now.
fn times(process: Process<'_>, address: u64, nanoseconds: i64) -> nix::Result<Change> {
    if address == 0 {
        return Ok(Change::Times(TimeSpec::UTIME_NOW, TimeSpec::UTIME_NOW));
    }
    let mut bytes = [0; 32];
    process.read_exactly(address, &mut bytes)?;
    let mut numbers =
        bytes.chunks_exact(8).map(|chunk| i64::from_le_bytes(chunk.try_into().unwrap_or_default()));
    let mut number = || numbers.next().unwrap_or_default();
    let (first, second) = ((number(), number()), (number(), number()));
    let time = |(seconds, part): (i64, i64)| {
        if nanoseconds == 1 {
            return Ok(TimeSpec::new(seconds, part));
        }
        if (0..1_000_000).contains(&part) {
            Ok(TimeSpec::new(seconds, part * nanoseconds))
        } else {
            Err(Errno::EINVAL)
        }
    };
    Ok(Change::Times(time(first)?, time(second)?))
}

#[cfg(target_arch = "x86_64")]
fn seconds(process: Process<'_>, address: u64) -> nix::Result<Change> {
    if address == 0 {
        return Ok(Change::Times(TimeSpec::UTIME_NOW, TimeSpec::UTIME_NOW));
    }
    let mut bytes = [0; 16];
    process.read_exactly(address, &mut bytes)?;
    let mut numbers =
        bytes.chunks_exact(8).map(|chunk| i64::from_le_bytes(chunk.try_into().unwrap_or_default()));
    let mut number = || TimeSpec::new(numbers.next().unwrap_or_default(), 0);
    Ok(Change::Times(number(), number()))
}
