//! Races: what a path leads to, or the path itself in memory, changes while calls are made.

use std::ffi::{CString, c_long};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys;
use crate::words::failure;

const HERE: c_long = libc::AT_FDCWD as c_long;
/// `sun_family` and `sun_path` of `sockaddr_un` (unix(7)).
const FAMILY: usize = 2;
const LENGTH: usize = 108;

/// Exchanges two names until it is ended.
pub(crate) fn exchange(one: &str, other: &str) -> io::Result<()> {
    sys::die_with_parent();
    let (one, other) = (text(one)?, text(other)?);
    loop {
        sys::call(
            libc::SYS_renameat2,
            [HERE, address(&one), HERE, address(&other), libc::RENAME_EXCHANGE.into(), 0],
        )?;
    }
}

/// Makes a call on a path so many times, whatever it leads to at that moment, and says how often it was made. The path
/// goes through a link that somebody exchanges.
pub(crate) fn on_a_path(call: &str, path: &str, tries: &str) -> io::Result<()> {
    let call = Call::of(call)?;
    let link = || Path::new(path).ancestors().find_map(|above| above.read_link().ok());
    let first = link();
    let path = text(path)?;
    let made = attempt(tries, || link() != first, || call.make(address(&path)))?;
    crate::say(&format!("made {made}"));
    Ok(())
}

/// Tries so many times, and on until the other side was seen in between: a call that takes a microsecond is over
/// before somebody else runs. Returns how often it succeeded.
fn attempt(tries: &str, is_theirs: impl Fn() -> bool, call: impl Fn() -> io::Result<()>) -> io::Result<u32> {
    const SEEN: u32 = 20;
    const PATIENCE: Duration = Duration::from_secs(60);
    let tries: u32 = tries.parse().map_err(io::Error::other)?;
    let (mut tried, mut seen, mut made) = (0_u32, 0, 0);
    let start = Instant::now();
    while (tried < tries || seen < SEEN) && start.elapsed() < PATIENCE {
        tried += 1;
        seen += u32::from(is_theirs());
        made += u32::from(call().is_ok());
    }
    Ok(made)
}

/// Makes a call with a path that another thread changes from `ours` to `theirs` and back. They have one length.
pub(crate) fn in_memory(call: &str, ours: &str, theirs: &str, tries: &str) -> io::Result<()> {
    let call = Call::of(call)?;
    let (ours, theirs) = (ours.as_bytes(), theirs.as_bytes());
    if ours.len() != theirs.len() || ours.len() >= LENGTH {
        return Err(failure("the paths have different lengths, or are too long".into()));
    }
    // The address of a socket: the family, in the machine's order, and the path.
    let [low, high] = (libc::AF_UNIX as u16).to_ne_bytes();
    let memory: [AtomicU8; FAMILY + LENGTH] = std::array::from_fn(|_| AtomicU8::new(0));
    for (place, byte) in memory.iter().zip([low, high]) {
        place.store(byte, Ordering::Relaxed);
    }
    let put = |path: &[u8]| {
        for (place, byte) in memory.iter().skip(FAMILY).zip(path) {
            place.store(*byte, Ordering::Relaxed);
        }
    };
    put(ours);
    let done = AtomicBool::new(false);
    let made = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                put(theirs);
                put(ours);
            }
        });
        let path = memory.as_ptr().expose_provenance().cast_signed() as c_long + FAMILY as c_long;
        let is_theirs = || {
            let now = memory.iter().skip(FAMILY).map(|place| place.load(Ordering::Relaxed));
            now.zip(theirs).all(|(now, theirs)| now == *theirs)
        };
        let made = attempt(tries, is_theirs, || call.make(path));
        done.store(true, Ordering::Relaxed);
        made
    })?;
    crate::say(&format!("made {made}"));
    Ok(())
}

/// A call that changes something.
#[derive(Clone, Copy)]
enum Call {
    Write,
    Truncate,
    Chmod,
    Times,
    Make,
    Delete,
    Bind,
}

impl Call {
    fn of(name: &str) -> io::Result<Self> {
        Ok(match name {
            "write" => Self::Write,
            "truncate" => Self::Truncate,
            "chmod" => Self::Chmod,
            "times" => Self::Times,
            "make" => Self::Make,
            "delete" => Self::Delete,
            "bind" => Self::Bind,
            other => return Err(failure(format!("no call {other}"))),
        })
    }

    fn make(self, path: c_long) -> io::Result<()> {
        match self {
            Self::Write => {
                let file = open(path, libc::O_WRONLY | libc::O_APPEND, 0)?;
                let written = sys::call(libc::SYS_write, [file, address(&text("changed")?), 7, 0, 0, 0]);
                close(file);
                written.map(drop)
            }
            Self::Truncate => sys::call(libc::SYS_truncate, [path, 3, 0, 0, 0, 0]).map(drop),
            Self::Chmod => sys::call(libc::SYS_fchmodat, [HERE, path, 0o777, 0, 0, 0]).map(drop),
            Self::Times => {
                // 1970, as the suite's evidence of changed times wants it.
                let times: [c_long; 4] = [1, 0, 1, 0];
                let pointer = times.as_ptr().expose_provenance().cast_signed() as c_long;
                sys::call(libc::SYS_utimensat, [HERE, path, pointer, 0, 0, 0]).map(drop)
            }
            Self::Make => open(path, libc::O_WRONLY | libc::O_CREAT, 0o600).map(close),
            Self::Delete => {
                // What the last try deleted is there again, where it may be made.
                let _ = open(path, libc::O_WRONLY | libc::O_CREAT, 0o600).map(close);
                sys::call(libc::SYS_unlinkat, [HERE, path, 0, 0, 0, 0]).map(drop)
            }
            Self::Bind => bind(path),
        }
    }
}

/// Binds a socket to the path in memory, whatever it is by then; one that is taken is removed for the next time.
fn bind(path: c_long) -> io::Result<()> {
    let socket = sys::call(libc::SYS_socket, [libc::AF_UNIX.into(), libc::SOCK_STREAM.into(), 0, 0, 0, 0])?;
    // The family lies before the path.
    let size = (FAMILY + LENGTH) as c_long;
    let bound = sys::call(libc::SYS_bind, [socket, path - FAMILY as c_long, size, 0, 0, 0]);
    close(socket);
    if bound.is_err() {
        sys::call(libc::SYS_unlinkat, [HERE, path, 0, 0, 0, 0])?;
    }
    bound.map(drop)
}

fn open(path: c_long, flags: i32, mode: u32) -> io::Result<c_long> {
    sys::call(libc::SYS_openat, [HERE, path, flags.into(), mode.into(), 0, 0])
}

fn close(descriptor: c_long) {
    let _ = sys::call(libc::SYS_close, [descriptor, 0, 0, 0, 0, 0]);
}

fn text(text: &str) -> io::Result<CString> {
    CString::new(Path::new(text).as_os_str().as_bytes()).map_err(io::Error::other)
}

fn address(text: &CString) -> c_long {
    text.as_ptr().expose_provenance().cast_signed() as c_long
}
