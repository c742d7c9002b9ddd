//! A thread that waits for an answer, as the kernel and its memory show it.
//!
//! What is read from memory is what the caller says at that moment; another of its threads can change it
//! right after. What is read through `/proc` is the kernel's own knowledge.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use claw_policy::FileId;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat};
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

use crate::opened::{id_of, own_name};
use crate::sys::pidfd;

/// What the kernel takes of a path, its end included (`PATH_MAX`).
pub(crate) const PATH_BYTES: usize = 4096;
// Strings are read in parts that do not cross pages, so that one at the end of a mapping is read too.
const PAGE: u64 = 4096;
const PART: u64 = 256;
const STATUS_BYTES: usize = 16 << 10;
// What an execve may hand over: 6 MiB, three quarters of `_STK_LIM` (fs/exec.c), and as many pointers.
const ARGUMENT_BYTES: usize = 6 << 20;

/// `/proc`, opened once.
#[derive(Debug)]
pub(crate) struct ProcessFiles(OwnedFd);

impl ProcessFiles {
    pub(crate) fn open() -> nix::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(nix::fcntl::open("/proc", flags, Mode::empty())?))
    }

    /// The thread of that id.
    pub(crate) const fn thread(&self, id: Pid) -> Process<'_> {
        Process { files: self, id }
    }
}

/// What tells one execution of a program from every other.
///
/// The auxiliary vector that the kernel keeps of a process holds the random addresses of its stack, its loader
/// and its vDSO. A forked child has its parent's, an exec makes a new one, and nothing inside of the sandbox can
/// change it (`PR_SET_MM` and `personality` are denied). So it is inherited as a role is, without a look at each
/// fork.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Mark(Vec<u8>);

/// A thread whose system call waits for an answer, or which the exec stop holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process<'a> {
    files: &'a ProcessFiles,
    id: Pid,
}

impl Process<'_> {
    /// Its id.
    pub(crate) const fn id(self) -> Pid {
        self.id
    }

    /// What it executes.
    pub(crate) fn executable(self) -> nix::Result<FileId> {
        let status = fstatat(&self.files.0, format!("{}/exe", self.id).as_str(), AtFlags::empty())?;
        Ok(id_of(&status))
    }

    /// Its mark.
    pub(crate) fn mark(self) -> nix::Result<Mark> {
        let mark = self.read_file("auxv", 4096)?;
        if mark.is_empty() { Err(Errno::ESRCH) } else { Ok(Mark(mark)) }
    }

    /// The argument vector that the kernel has committed, each with its final NUL. Only in the exec stop is it
    /// certain that the process has not changed it.
    pub(crate) fn committed_arguments(self) -> nix::Result<Vec<u8>> {
        self.read_file("cmdline", ARGUMENT_BYTES)
    }

    /// Its working directory.
    pub(crate) fn directory(self) -> nix::Result<OwnedFd> {
        self.open_link("cwd")
    }

    /// The file of a descriptor of it.
    pub(crate) fn descriptor(self, descriptor: i32) -> nix::Result<OwnedFd> {
        let file = self.open_link(&format!("fd/{descriptor}"));
        file.map_err(|errno| if errno == Errno::ENOENT { Errno::EBADF } else { errno })
    }

    /// A copy of a descriptor of it: the same open file.
    pub(crate) fn duplicate(self, descriptor: i32) -> nix::Result<OwnedFd> {
        let process = match pidfd::open_thread(self.id) {
            // Before Linux 6.9; the threads of a process share its descriptors, as a rule.
            Err(Errno::EINVAL) => pidfd::open(Pid::from_raw(self.status("Tgid:", 10)?.cast_signed()))?,
            opened => opened?,
        };
        crate::sys::socket::duplicate(process.as_fd(), descriptor)
    }

    /// What it takes away from the mode of new files.
    pub(crate) fn umask(self) -> nix::Result<Mode> {
        self.status("Umask:", 8).map(Mode::from_bits_truncate)
    }

    // A number of its status.
    fn status(self, field: &str, radix: u32) -> nix::Result<u32> {
        let status = self.read_file("status", 1 << 16)?;
        let status = String::from_utf8_lossy(&status);
        let value = status.lines().find_map(|line| line.strip_prefix(field));
        value.and_then(|value| u32::from_str_radix(value.trim(), radix).ok()).ok_or(Errno::ESRCH)
    }

    /// The file that a link of `/proc/ID` leads to.
    pub(crate) fn open_link(self, name: &str) -> nix::Result<OwnedFd> {
        let path = format!("{}/{name}", self.id);
        openat(&self.files.0, path.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
    }

    fn read_file(self, name: &str, limit: usize) -> nix::Result<Vec<u8>> {
        let path = format!("{}/{name}", self.id);
        let file = openat(&self.files.0, path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        // Any of them at once, a long command line aside: /proc makes them anew for each part that is read.
        let mut bytes = Vec::with_capacity(4096);
        let read = File::from(file).take(limit as u64 + 1).read_to_end(&mut bytes);
        match read {
            Ok(length) if length > limit => Err(Errno::E2BIG),
            Ok(_) => Ok(bytes),
            Err(error) => Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))),
        }
    }

    /// A path in its memory, without the NUL.
    pub(crate) fn path(self, address: u64) -> nix::Result<Vec<u8>> {
        let path = self.string(address, PATH_BYTES)?;
        path.ok_or(Errno::ENAMETOOLONG)
    }

    /// A vector of strings in its memory, as `execve` takes it; a null pointer is an empty one.
    pub(crate) fn strings(self, address: u64) -> nix::Result<Vec<Vec<u8>>> {
        let mut strings = Vec::new();
        let mut left = ARGUMENT_BYTES;
        let mut place = address;
        if address == 0 {
            return Ok(strings);
        }
        loop {
            let pointer = self.pointer(place)?;
            if pointer == 0 {
                return Ok(strings);
            }
            let string = self.string(pointer, left)?.ok_or(Errno::E2BIG)?;
            left = left.checked_sub(string.len() + size_of::<u64>()).ok_or(Errno::E2BIG)?;
            strings.push(string);
            place = place.checked_add(8).ok_or(Errno::EFAULT)?;
        }
    }

    /// Bytes of its memory, all of them.
    pub(crate) fn read_exactly(self, address: u64, into: &mut [u8]) -> nix::Result<()> {
        if into.is_empty() {
            return Ok(());
        }
        let length = self.read(address, into)?;
        if length == into.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// The id of its process.
    pub(crate) fn group(self) -> nix::Result<u32> {
        self.status("Tgid:", 10)
    }

    /// The device number of its controlling terminal; 0 without one.
    pub(crate) fn terminal(self) -> nix::Result<u64> {
        let stat = self.read_file("stat", STATUS_BYTES)?;
        // The name before it may have blanks and parentheses. proc_pid_stat(5): state, parent, group, session, terminal.
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace());
        let number = fields.and_then(|mut fields| fields.nth(4)?.parse::<i32>().ok());
        number.map(|number| u64::from(number.cast_unsigned())).ok_or(Errno::ESRCH)
    }

    fn pointer(self, address: u64) -> nix::Result<u64> {
        let mut bytes = [0; 8];
        let length = self.read(address, &mut bytes)?;
        if length == bytes.len() { Ok(u64::from_le_bytes(bytes)) } else { Err(Errno::EFAULT) }
    }

    // `None` when it does not end within `limit` bytes.
    fn string(self, address: u64, limit: usize) -> nix::Result<Option<Vec<u8>>> {
        let mut string = Vec::new();
        let mut place = address;
        while string.len() < limit {
            let mut part = [0; PART as usize];
            let wanted = (PAGE - place % PAGE).min(PART);
            let part = part.get_mut(..wanted as usize).unwrap_or_default();
            let length = self.read(place, part)?;
            let read = part.get(..length).unwrap_or_default();
            if let Some(end) = read.iter().position(|byte| *byte == 0) {
                string.extend(read.iter().take(end));
                return Ok(Some(string).filter(|string| string.len() < limit));
            }
            if length == 0 {
                return Err(Errno::EFAULT);
            }
            string.extend_from_slice(read);
            place = place.checked_add(length as u64).ok_or(Errno::EFAULT)?;
        }
        Ok(None)
    }

    /// Exactly so many bytes of its memory.
    pub(crate) fn bytes(self, address: u64, length: usize) -> nix::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        if length == 0 || self.read(address, &mut bytes)? == length { Ok(bytes) } else { Err(Errno::EFAULT) }
    }

    /// Writes to its memory.
    pub(crate) fn write(self, address: u64, bytes: &[u8]) -> nix::Result<()> {
        let base = usize::try_from(address).map_err(|_| Errno::EFAULT)?;
        let remote = RemoteIoVec { base, len: bytes.len() };
        let length = process_vm_writev(self.id, &[IoSlice::new(bytes)], &[remote])?;
        if length == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Bytes of its memory. Returns how many could be read.
    pub(crate) fn read(self, address: u64, into: &mut [u8]) -> nix::Result<usize> {
        let base = usize::try_from(address).map_err(|_| Errno::EFAULT)?;
        let remote = RemoteIoVec { base, len: into.len() };
        process_vm_readv(self.id, &mut [IoSliceMut::new(into)], &[remote])
    }
}

/// The canonical path of an opened file, as the kernel knows it. `None` when it has none, or none that can be known.
pub(crate) fn path_of(file: impl AsFd) -> Option<PathBuf> {
    name_of(file).ok().filter(|path| path.is_absolute())
}

/// What the kernel calls an opened file: a path, or something like `pipe:[1]` for what lies in no directory.
pub(crate) fn name_of(file: impl AsFd) -> nix::Result<PathBuf> {
    Ok(PathBuf::from(nix::fcntl::readlink(own_name(file).as_str())?))
}
