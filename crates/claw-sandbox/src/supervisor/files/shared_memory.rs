//! Named semaphores and shared memory: a run has names of its own.
//!
//! `sem_open` and `shm_open` keep what they make in `/dev/shm`, which every process on the machine shares and no run may
//! write. The calls that a C library makes for them go to the run's private temporary directory instead. Nothing outside
//! is granted: what is meant there is judged as every other path.
//!
//! What is only read is not asked about, so a name that is opened to be read alone is looked up outside and not found.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use super::call::{Operation, Target};

/// Where glibc and musl keep them (`sysdeps/posix/shm-directory.h`, `src/mman/shm_open.c`).
const SHARED: &str = "/dev/shm/";

/// Before the name in the temporary directory, where a program may have a file called so.
const PREFIX: &str = "shm.";

/// Sends a call on a name in `/dev/shm` to `temporary`, unless the run may write there.
pub(super) fn make_private(operation: &mut Operation, temporary: Option<&Path>, writable: &[PathBuf]) {
    let Some(temporary) = temporary else { return };
    if writable.iter().any(|tree| tree.starts_with(SHARED) || Path::new(SHARED).starts_with(tree)) {
        return;
    }
    let redirect = |target: &mut Target| {
        let Target::Path(_, path) = target else { return };
        if let Some(name) = path.strip_prefix(SHARED.as_bytes()).filter(|name| is_plain(name)) {
            let mut private = temporary.as_os_str().as_encoded_bytes().to_vec();
            private.push(b'/');
            private.extend_from_slice(PREFIX.as_bytes());
            private.extend_from_slice(name);
            *path = private;
        }
    };
    match operation {
        Operation::Open { target, flags, .. } if is_of_library(*flags) => redirect(target),
        Operation::Remove { target, directory: false } => redirect(target),
        Operation::Link { from, to, .. } | Operation::Rename { from, to, .. } => {
            redirect(from);
            redirect(to);
        }
        _ => {}
    }
}

// How the libraries open them. A shell's `> /dev/shm/x` is denied as what it is, and does not vanish.
const fn is_of_library(flags: i32) -> bool {
    flags & libc::O_ACCMODE == libc::O_RDWR && flags & (libc::O_NOFOLLOW | libc::O_EXCL) != 0
}

fn is_plain(name: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&b'/') && name != b"." && name != b".."
}

#[cfg(test)]
mod tests {
    use super::super::super::image::Base;
    use super::*;

    fn opened(path: &str, flags: i32, writable: &[&str]) -> String {
        let target = Target::Path(Base::Cwd, path.into());
        let mut operation = Operation::Open { target, flags, mode: 0o600 };
        let writable: Vec<_> = writable.iter().map(PathBuf::from).collect();
        make_private(&mut operation, Some(Path::new("/tmp/own")), &writable);
        let Operation::Open { target: Target::Path(_, path), .. } = operation else { panic!("another call") };
        String::from_utf8(path).unwrap()
    }

    #[test]
    fn only_what_a_library_opens_by_a_plain_name_is_private() {
        let library = libc::O_RDWR | libc::O_NOFOLLOW;
        for (path, flags, expected) in [
            ("/dev/shm/sem.a", library, "/tmp/own/shm.sem.a"),
            ("/dev/shm/x", libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, "/tmp/own/shm.x"),
            ("/dev/shm/x", libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, "/dev/shm/x"),
            ("/dev/shm/x", libc::O_RDONLY | libc::O_NOFOLLOW, "/dev/shm/x"),
            ("/dev/shm/..", library, "/dev/shm/.."),
            ("/dev/shm/a/b", library, "/dev/shm/a/b"),
            ("/dev/shm/", library, "/dev/shm/"),
            ("/dev/shmx/a", library, "/dev/shmx/a"),
        ] {
            assert_eq!(opened(path, flags, &["/work"]), expected, "{path}");
        }
    }

    #[test]
    fn where_a_run_may_write_nothing_is_sent_elsewhere() {
        for tree in ["/dev/shm", "/dev", "/", "/dev/shm/work"] {
            assert_eq!(opened("/dev/shm/x", libc::O_RDWR | libc::O_EXCL, &[tree]), "/dev/shm/x", "{tree}");
        }
    }
}
