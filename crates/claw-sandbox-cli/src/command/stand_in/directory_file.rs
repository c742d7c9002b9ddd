//! The file in which a host reads where its command ended up.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The file, ready to be written by a command. A command that did not write it leaves none behind, as without us.
#[derive(Debug)]
pub(super) struct DirectoryFile(PathBuf);

impl DirectoryFile {
    /// Makes the file, or takes one that is there if it is nobody else's.
    ///
    /// `/tmp` is everybody's: what lies there under that name could be a link, or a file of another user who would then
    /// choose what the host reads.
    pub(super) fn make(path: &[u8]) -> Result<Self, Failure> {
        let path = Path::new(OsStr::from_bytes(path));
        let failed = |error: io::Error| {
            let next = "remove it and run the command again";
            Failure::io("the file for the last directory cannot be used", path, &error, next)
        };
        let mut options = File::options();
        options.write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
        let file = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
            made => made,
        };
        let metadata = file.and_then(|file| file.metadata()).map_err(failed)?;
        let ours = metadata.is_file() && metadata.nlink() == 1;
        if !ours || metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(failed(io::Error::from_raw_os_error(libc::EPERM)));
        }
        Ok(Self(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DirectoryFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.0).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0) {
            let _ = fs::remove_file(&self.0);
        }
    }
}
