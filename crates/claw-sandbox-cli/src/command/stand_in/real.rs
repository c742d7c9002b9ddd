//! Inside a run the stand-in is only the shell: the run's own policy judges it and all that it starts.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use claw_sh::Shell;

use super::install::is_ours;
use crate::exit::Exit;
use crate::failure::Failure;

/// Where a shell is, on every system that has one. Never PATH, where a stand-in may come first.
const DIRECTORIES: [&str; 3] = ["/bin", "/usr/bin", "/usr/local/bin"];

/// Becomes the real shell. Returns only why it could not.
pub(super) fn exec(shell: Shell, arguments: &[Vec<u8>]) -> Failure {
    let Some(path) =
        DIRECTORIES.iter().map(|directory| Path::new(directory).join(shell.name())).find(is_real)
    else {
        return Failure::new(format_args!("there is no {} on this machine; install it", shell.name()))
            .with_exit(Exit::NotFound);
    };
    let arguments = arguments.iter().map(|argument| OsStr::from_bytes(argument));
    let error = Command::new(&path).args(arguments).exec();
    Failure::io("the shell cannot be run", &path, &error, "see what the run's policy says about it")
        .with_exit(Exit::Denied)
}

/// Whether it is there, and neither this command nor a file that leads to it.
fn is_real(path: &PathBuf) -> bool {
    let identity = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let Some(there) = identity(path) else { return false };
    let mut start = [0; 256];
    let read = File::open(path).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    identity(Path::new("/proc/self/exe")) != Some(there) && !is_ours(start.get(..read).unwrap_or_default())
}
