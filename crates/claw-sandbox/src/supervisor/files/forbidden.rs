//! What no run may make of a file, whoever the file belongs to: what outlives the run and gives rights away, or takes
//! the ground from under the rules.
#![forbid(unsafe_code)]

use std::path::Path;

use claw_policy::{Code, Denial, Reason};
use nix::sys::stat::SFlag;

use super::call::Change;
use super::{Refusal, Result};

/// The bits with which a program runs as the file's owner or group: of a root's run these would be root's.
const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;

/// FS_IOC_SETFLAGS with a long and an int, and FS_CASEFOLD_FL (linux/fs.h).
const SET_FLAGS: [u32; 2] = [0x4008_6602, 0x4004_6602];
const FOLDS_CASE: u32 = 0x4000_0000;

/// Why a file of that mode is none for a run.
pub(super) fn of_mode(mode: u32) -> Option<&'static str> {
    (mode & SET_ID != 0).then_some("would run with the rights of its owner or group")
}

/// Why the change of an object of that kind is none for a run.
pub(super) fn of_change(change: &Change, kind: SFlag) -> Option<&'static str> {
    match change {
        // For a directory the group's bit only says whose the files in it are.
        Change::Mode(mode) if kind == SFlag::S_IFREG => of_mode(*mode),
        Change::Flags(request, argument) if SET_FLAGS.contains(request) => {
            let [a, b, c, d, ..] = *argument;
            let flags = u32::from_ne_bytes([a, b, c, d]);
            (flags & FOLDS_CASE != 0).then_some("would fold case, and names are compared byte by byte")
        }
        _ => None,
    }
}

/// Refuses what there is such a reason against.
pub(super) fn judge(path: &Path, reason: Option<&str>) -> Result<()> {
    let Some(why) = reason else { return Ok(()) };
    let message = format!("`{}` {why}", path.display());
    let reason =
        Reason { code: Code::FileMode, message: message.into(), rule: None, span: None, change: None };
    let denial = Denial { reasons: vec![reason], commands: Vec::new() };
    Err(Refusal::Denied { path: path.to_owned(), is_there: true, denial })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(value: u32) -> [u8; 32] {
        let mut argument = [0; 32];
        argument[..4].copy_from_slice(&value.to_ne_bytes());
        argument
    }

    #[test]
    fn set_id_bits_are_for_no_file_and_a_directory_may_pass_its_group_on() {
        for (mode, kind, is_refused) in [
            (0o4755, SFlag::S_IFREG, true),
            (0o2755, SFlag::S_IFREG, true),
            (0o6000, SFlag::S_IFREG, true),
            (0o1777, SFlag::S_IFREG, false),
            (0o755, SFlag::S_IFREG, false),
            (0o2775, SFlag::S_IFDIR, false),
            (0o4755, SFlag::S_IFDIR, false),
        ] {
            let refused = of_change(&Change::Mode(mode), kind).is_some();
            assert_eq!(refused, is_refused, "{mode:o} {kind:?}");
        }
    }

    #[test]
    fn no_directory_is_made_to_fold_case() {
        for request in SET_FLAGS {
            for (value, is_refused) in
                [(FOLDS_CASE, true), (FOLDS_CASE | 0x80, true), (0x80, false), (0, false)]
            {
                let refused = of_change(&Change::Flags(request, flags(value)), SFlag::S_IFDIR).is_some();
                assert_eq!(refused, is_refused, "{request:x} {value:x}");
            }
        }
        // FS_IOC_FSSETXATTR has flags of its own, and none for that.
        assert!(of_change(&Change::Flags(0x401c_5820, flags(FOLDS_CASE)), SFlag::S_IFDIR).is_none());
    }
}
