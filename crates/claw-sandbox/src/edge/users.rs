//! Home directories, from `/etc/passwd`.
//!
//! The C library's own look-up loads modules that other software may have configured; a policy must not
//! depend on those. A user that only a directory service knows is unknown, and unknown means no.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// What `~user` means.
pub(super) fn home_of(user: &[u8]) -> Option<PathBuf> {
    find(|fields| fields.first() == Some(&user))
}

/// What `~` means: HOME when it is absolute, else the entry of our user id.
pub fn own_home() -> Option<PathBuf> {
    if let Some(home) = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()) {
        return Some(home);
    }
    let id = nix::unistd::getuid().to_string();
    find(|fields| fields.get(2) == Some(&id.as_bytes()))
}

fn find(matches: impl Fn(&[&[u8]]) -> bool) -> Option<PathBuf> {
    let table = fs::read("/etc/passwd").ok()?;
    table.split(|byte| *byte == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let home = fields.get(5).filter(|home| home.starts_with(b"/"))?;
        matches(&fields).then(|| PathBuf::from(OsStr::from_bytes(home)))
    })
}
