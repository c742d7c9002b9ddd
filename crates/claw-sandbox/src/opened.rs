//! What an opened file is.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd as _};

use claw_policy::FileId;
use nix::sys::stat::{FileStat, SFlag};

/// Its identity.
pub(crate) const fn id_of(status: &FileStat) -> FileId {
    FileId { device: status.st_dev, inode: status.st_ino }
}

/// How many names it has. The field is narrower on some architectures.
#[cfg_attr(
    target_arch = "x86_64",
    expect(clippy::useless_conversion, reason = "the field is 32 bits elsewhere")
)]
pub(crate) fn links_of(status: &FileStat) -> u64 {
    u64::from(status.st_nlink)
}

/// Its kind: one of the `S_IF` values.
pub(crate) const fn kind_of(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits())
}

/// The name under which this process has it.
pub(crate) fn own_name(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}
