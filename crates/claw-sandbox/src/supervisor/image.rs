//! What an `execve` would run.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use claw_policy::{FileId, ProgramFact};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{SFlag, fstat};

use super::Watch;
use super::process::{Process, path_of};
use crate::edge::script::{Head, Shebang, read_head};
use crate::opened::{id_of, kind_of, own_name};
use crate::sys::notify::Notification;

// The kernel gives up after so many interpreters that are scripts themselves (fs/exec.c).
const INTERPRETERS: usize = 5;

/// An `execve` as the caller asks for it.
#[derive(Debug)]
pub(crate) struct ExecCall {
    /// The directory that a relative path begins at.
    pub(crate) base: Base,
    /// The path as written.
    pub(crate) path: Vec<u8>,
    /// The argument vector.
    pub(crate) argv: Vec<Vec<u8>>,
    /// Whether a link in the last component is refused.
    pub(crate) no_follow: bool,
}

/// Where a relative path begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Base {
    /// The working directory.
    Cwd,
    /// A directory of the caller's.
    Descriptor(i32),
}

/// The file that would run, opened, and what the kernel will have made of it when it does.
#[derive(Debug)]
pub(crate) struct Image {
    /// The program, links followed; for a script the script.
    pub(crate) program: ProgramFact,
    /// The caller's working directory.
    pub(crate) cwd: PathBuf,
    /// What the process will execute: the program, or the last interpreter of a script.
    pub(crate) executable: FileId,
    /// The argument vector that the kernel will commit, as [`Process::committed_arguments`] gives it.
    pub(crate) committed: Vec<u8>,
}

impl ExecCall {
    /// Reads the call from its caller's memory.
    pub(crate) fn read(notification: &Notification, process: Process<'_>) -> nix::Result<Self> {
        let [first, second, third, _, flags, _] = notification.arguments;
        if notification.call == libc::SYS_execve {
            let (path, argv) = (process.path(first)?, process.strings(second)?);
            return Ok(Self { base: Base::Cwd, path, argv, no_follow: false });
        }
        // The kernel takes the low half of an `int`.
        let directory = first as u32 as i32;
        let base = if directory == libc::AT_FDCWD { Base::Cwd } else { Base::Descriptor(directory) };
        let no_follow = flags & AtFlags::AT_SYMLINK_NOFOLLOW.bits() as u64 != 0;
        Ok(Self { base, path: process.path(second)?, argv: process.strings(third)?, no_follow })
    }

    /// Finds the file.
    ///
    /// In the trees that the run may write, it can change what a name leads to.
    pub(crate) fn resolve(&self, process: Process<'_>, watch: &Watch) -> nix::Result<Image> {
        if self.path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let cwd = process.directory()?;
        let cwd_path = path_of(&cwd).ok_or(Errno::ENOENT)?;
        let file = self.open(process, &cwd)?;
        let id = program_id(&file)?;
        // Nobody could judge what cannot be read.
        let head = read_head(own_name(&file).as_ref()).ok_or(Errno::EACCES)?;
        let program = self.program(&cwd_path, &file, (id, &head))?;
        let (executable, argv) = self.commit(id, &head, &cwd)?;
        if executable != id && !self.is_named_for_good(&program.real, watch) {
            return Err(Errno::EACCES);
        }
        let committed = argv.iter().flat_map(|word| word.iter().copied().chain([0])).collect();
        Ok(Image { program, cwd: cwd_path, executable, committed })
    }

    fn open(&self, process: Process<'_>, cwd: &OwnedFd) -> nix::Result<OwnedFd> {
        if let Some(link) = own_link(&self.path, process) {
            return process.open_link(&link);
        }
        let resolve = ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let base;
        let directory = match self.base {
            Base::Cwd => cwd.as_fd(),
            Base::Descriptor(_) if self.path.starts_with(b"/") => AT_FDCWD,
            Base::Descriptor(descriptor) => {
                base = process.descriptor(descriptor)?;
                base.as_fd()
            }
        };
        open_beneath(directory, &self.path, resolve, self.no_follow)
    }

    // The fact is looked up by path, so it is compared with the opened file.
    fn program(&self, cwd: &Path, file: &OwnedFd, (id, head): (FileId, &Head)) -> nix::Result<ProgramFact> {
        let spelled = match self.base {
            Base::Cwd => cwd.join(OsStr::from_bytes(&self.path)),
            Base::Descriptor(_) => PathBuf::new(),
        };
        let real = path_of(file).ok_or(Errno::EACCES)?;
        let facts = [spelled, real].into_iter().filter(|path| path.is_absolute());
        let mut facts = facts.filter_map(|path| crate::edge::program_at(&path, head).ok());
        let fact = facts.find(|fact| fact.id == id).ok_or(Errno::EACCES)?;
        if fact.executable { Ok(fact) } else { Err(Errno::EACCES) }
    }

    // Follows the interpreters as the kernel does.
    fn commit(&self, id: FileId, (_, head): &Head, cwd: &OwnedFd) -> nix::Result<(FileId, Vec<Vec<u8>>)> {
        let mut argv = if self.argv.is_empty() { vec![Vec::new()] } else { self.argv.clone() };
        let mut name = self.script_name();
        let (mut executable, mut next) = (id, Shebang::of(head));
        for _ in 0..=INTERPRETERS {
            let Some(Shebang { interpreter, argument }) = next else {
                return Ok((executable, argv));
            };
            let before = [interpreter.clone()].into_iter().chain(argument).chain([name]);
            argv = before.chain(argv.into_iter().skip(1)).collect();
            let file = open_beneath(cwd.as_fd(), &interpreter, ResolveFlag::RESOLVE_NO_MAGICLINKS, false)?;
            executable = program_id(&file)?;
            name = interpreter;
            next = read_shebang(&file);
        }
        Err(Errno::ELOOP)
    }

    // Whether the interpreter will open the script that was judged: it is given the name, not the file. A name in a tree
    // that the run can write may lead elsewhere by then, and so may one that begins at a working directory, which other
    // processes can share. What lies in such a tree itself can be changed anyhow.
    fn is_named_for_good(&self, real: &Path, watch: &Watch) -> bool {
        // An interpreter would take it for an option.
        if self.path.starts_with(b"-") {
            return false;
        }
        let trees = || watch.writable.iter().map(PathBuf::as_path).chain(watch.temporary.as_deref());
        let is_in_writable = |path: &Path| trees().any(|tree| path.starts_with(tree));
        let path = Path::new(OsStr::from_bytes(&self.path));
        let is_plain = path.is_absolute() && path.components().all(|part| part != Component::ParentDir);
        is_in_writable(real)
            || (is_plain && !is_in_writable(path) && !path.starts_with("/proc") && !path.starts_with("/dev"))
    }

    // The name under which an interpreter finds the script.
    fn script_name(&self) -> Vec<u8> {
        match self.base {
            Base::Descriptor(descriptor) if !self.path.starts_with(b"/") => {
                [format!("/dev/fd/{descriptor}/").as_bytes(), &self.path].concat()
            }
            _ => self.path.clone(),
        }
    }
}

fn open_beneath(
    directory: BorrowedFd<'_>,
    path: &[u8],
    resolve: ResolveFlag,
    no_follow: bool,
) -> nix::Result<OwnedFd> {
    let mut flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    if no_follow {
        flags |= OFlag::O_NOFOLLOW;
    }
    openat2(directory, OsStr::from_bytes(path), OpenHow::new().flags(flags).resolve(resolve))
}

// `/proc/self` and what leads there mean the caller, not us. Returns the name below `/proc/ID`.
fn own_link(path: &[u8], process: Process<'_>) -> Option<String> {
    let own = format!("/proc/{}/", process.id());
    let begins: [&[u8]; 3] = [b"/proc/self/", b"/proc/thread-self/", own.as_bytes()];
    let name = begins.iter().find_map(|begin| path.strip_prefix(*begin));
    if name == Some(b"exe") {
        return Some(String::from("exe"));
    }
    let number =
        name.and_then(|name| name.strip_prefix(b"fd/")).or_else(|| path.strip_prefix(b"/dev/fd/"))?;
    let number: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some(format!("fd/{number}"))
}

// Only a regular file can be executed.
fn program_id(file: &OwnedFd) -> nix::Result<FileId> {
    let status = fstat(file)?;
    if kind_of(&status) == SFlag::S_IFREG { Ok(id_of(&status)) } else { Err(Errno::EACCES) }
}

fn read_shebang(file: &OwnedFd) -> Option<Shebang> {
    let (_, head) = read_head(own_name(file).as_ref())?;
    Shebang::of(&head)
}
