//! Extended attributes of a file that another content takes the place of.
//!
//! An access control list is part of the mode: the group's bits of a file that has one are the list's mask, and mean more
//! without it. What the user wrote (`user.*`) stays too. What the system gave to this content or to this inode (capabilities,
//! labels, measurements) does not.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use nix::errno::Errno;

use crate::opened::own_name;
use crate::sys::xattr;

/// acl(5), as the kernel keeps it.
const ACCESS: &CStr = c"system.posix_acl_access";

/// Gives a new file the attributes of an opened old one.
pub(super) fn keep(old: &OwnedFd, new: &OwnedFd) -> nix::Result<()> {
    let old = own_name(old);
    let names = match xattr::list(old.as_str()) {
        // The file system has none.
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => return Ok(()),
        other => other?,
    };
    if !names.iter().any(|name| name.as_c_str() == ACCESS) {
        // It may have one from its directory.
        match xattr::remove(new, ACCESS) {
            Ok(()) | Err(Errno::ENODATA | Errno::EOPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    for name in names.iter().filter(|name| is_kept(name)) {
        match xattr::get(old.as_str(), name) {
            Ok(value) => xattr::set(new, name, &value)?,
            // It went away, or is not ours to read.
            Err(Errno::ENODATA | Errno::EACCES | Errno::EPERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn is_kept(name: &CStr) -> bool {
    name == ACCESS || name.to_bytes().starts_with(b"user.")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;

    use super::*;
    use crate::{Replacement, Sandbox, WriteMode, built_in_policy};

    const NOTE: &CStr = c"user.note";

    /// Entries of a list: tag, permissions and id, in the order that the kernel wants.
    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(permissions.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    fn value(path: &Path, name: &CStr) -> Option<Vec<u8>> {
        xattr::get(path.to_str().unwrap(), name).ok()
    }

    #[test]
    fn a_file_is_open_to_the_same_people_when_its_content_was_replaced() {
        const NOBODY: u32 = u32::MAX;
        let scene = tempfile::tempdir().unwrap();
        let workspace = scene.path().canonicalize().unwrap();
        let files = Sandbox::new(built_in_policy(&workspace).unwrap()).unwrap().files();
        // User 1 reads and writes, the group does not: the bits of the mode that look like the group's are the mask.
        let access = list(&[(1, 6, NOBODY), (2, 6, 1), (4, 0, NOBODY), (16, 6, NOBODY), (32, 0, NOBODY)]);
        let path = workspace.join("shared");
        fs::write(&path, "old").unwrap();
        let file = OwnedFd::from(File::open(&path).unwrap());
        if let Err(errno) = xattr::set(&file, ACCESS, &access) {
            eprintln!("skipped: no access control lists on this file system: {errno}");
            return;
        }
        xattr::set(&file, NOTE, b"mine").unwrap();
        files.write("shared", b"new", WriteMode::Replace).unwrap();
        files.edit("shared", &[Replacement::one("new", "newer")]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        assert_eq!(
            (value(&path, ACCESS), value(&path, NOTE)),
            (Some(access.clone()), Some(b"mine".to_vec()))
        );
        // A directory that gives a list to what is made in it gives none to what had none.
        let path = workspace.join("plain");
        fs::write(&path, "old").unwrap();
        xattr::set(&OwnedFd::from(File::open(&workspace).unwrap()), c"system.posix_acl_default", &access)
            .unwrap();
        files.write("plain", b"new", WriteMode::Replace).unwrap();
        assert_eq!(value(&path, ACCESS), None);
    }
}
