//! Starts a child without copying this process.
//!
//! The child is made by `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)`: it shares our memory and the
//! calling thread sleeps until it has executed its program or ended. That costs the same however
//! large this process is, as `posix_spawn` does, which lacks some of the steps.
//!
//! What the child does, in this order, each a single system call:
//!  1. `setsid`: its own session and process group
//!  2. `prctl(PR_SET_PDEATHSIG, SIGKILL)`, `getppid`: it ends with the thread that started it
//!     `landlock_restrict_self`: below the thread that started it, where that one is out of its reach
//!     `personality`: the randomised addresses that our own caller may have switched off
//!     `write` of `0` to its control group, if it has one of its own
//!  3. `rt_sigaction` for all signals: default dispositions, so no handler of ours runs in it
//!  4. `fchdir` to the opened working directory
//!  5. `dup3` of the three streams onto 0, 1 and 2; `ioctl(0, TIOCSCTTY)` when they are a terminal of its own
//!  6. `close_range(3, ...)`: no other descriptor
//!  7. `prlimit64` for each limit
//!  8. `rt_sigprocmask`: nothing blocked
//!  9. `execve`
//!
//! INVARIANT: between clone and exec nothing is allocated, locked, unwound or dropped. `errno` is
//! the sleeping thread's, so writing it is harmless. The caller has blocked all signals.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

use nix::errno::Errno;
use nix::unistd::Pid;

use super::rlimit::ResourceLimit;

/// What a child is made of. Everything is borrowed: it is read until the exec.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    /// The program file.
    pub(crate) program: &'a CStr,
    /// Its arguments.
    pub(crate) argv: &'a [&'a CStr],
    /// Its whole environment.
    pub(crate) environment: &'a [&'a CStr],
    /// Its working directory, opened.
    pub(crate) directory: BorrowedFd<'a>,
    /// Its standard streams. INVARIANT: none of them is 0, 1 or 2.
    pub(crate) streams: [BorrowedFd<'a>; 3],
    /// Whether they are a terminal that becomes its controlling one.
    pub(crate) owns_terminal: bool,
    /// Its limits.
    pub(crate) limits: &'a [ResourceLimit],
    /// Where it enters a control group.
    pub(crate) group: Option<BorrowedFd<'a>>,
    /// The Landlock ruleset of its own.
    pub(crate) layer: Option<BorrowedFd<'a>>,
    /// What stands in the first two registers that `execve` does not read, for who looks at the call.
    pub(crate) registers: [u64; 2],
}

/// A child that runs its program.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its id, also that of its session and process group.
    pub(crate) id: Pid,
    /// Its descriptor.
    pub(crate) fd: OwnedFd,
}

/// The step at which a child could not be started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Making the process.
    Clone,
    /// Steps 1 to 3 and 8.
    Isolate,
    /// Within step 2.
    Restrict,
    /// Between steps 2 and 3.
    Group,
    /// Step 4.
    Directory,
    /// Steps 5 and 6.
    Streams,
    /// Step 7.
    Limits,
    /// Step 9.
    Execute,
}

/// Why a child could not be started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: Errno,
}

/// The memory that children run on until their exec. One child at a time.
///
/// 32 KiB: the deepest chain is a few small frames; the kernel does not use it, and no handler
/// runs on it because all signals are blocked. It is not written before: most of it is never touched, so the kernel
/// gives one page for it and not eight.
pub(crate) struct Stack(Box<MaybeUninit<[u128; 2048]>>);

impl Stack {
    pub(crate) fn new() -> Self {
        Self(Box::new_uninit())
    }

    /// One past the highest address, 16-byte aligned: stacks grow down.
    pub(super) fn top(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().wrapping_add(1).cast()
    }
}

// What the child reads, and where it reports. It lives in the parent's frame.
struct Shared {
    program: *const c_char,
    argv: *const *const c_char,
    environment: *const *const c_char,
    directory: RawFd,
    streams: [RawFd; 3],
    owns_terminal: bool,
    limits: *const ResourceLimit,
    limit_count: usize,
    // -1 for none.
    group: RawFd,
    // -1 for none.
    layer: RawFd,
    registers: [u64; 2],
    parent: Pid,
    failure: Option<(Step, c_int)>,
}

/// Starts a child and returns when it has executed its program.
///
/// INVARIANT: the calling thread has blocked all signals and does nothing else meanwhile.
pub(crate) fn start(image: &Image<'_>, stack: &mut Stack) -> Result<Child, Failure> {
    let argv = pointers(image.argv);
    let environment = pointers(image.environment);
    let mut shared = Shared {
        program: image.program.as_ptr(),
        argv: argv.as_ptr(),
        environment: environment.as_ptr(),
        directory: image.directory.as_raw_fd(),
        streams: image.streams.map(|stream| stream.as_raw_fd()),
        owns_terminal: image.owns_terminal,
        limits: image.limits.as_ptr(),
        limit_count: image.limits.len(),
        group: image.group.map_or(-1, |group| group.as_raw_fd()),
        layer: image.layer.map_or(-1, |layer| layer.as_raw_fd()),
        registers: image.registers,
        parent: Pid::this(),
        failure: None,
    };
    let child = clone(stack, &mut shared).map_err(|errno| Failure { step: Step::Clone, errno })?;
    match shared.failure {
        None => Ok(child),
        Some((step, errno)) => {
            // It has ended already; leave no zombie.
            let _ = super::pidfd::reap(child.fd.as_fd());
            Err(Failure { step, errno: Errno::from_raw(errno) })
        }
    }
}

fn pointers(strings: &[&CStr]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn clone(stack: &mut Stack, shared: &mut Shared) -> nix::Result<Child> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut fd: c_int = -1;
    // SAFETY: the child runs `child` on the exclusively borrowed stack with `shared`, which outlives it because CLONE_VFORK suspends us until
    // its exec or end. The kernel writes the descriptor to `fd`.
    let id = unsafe { libc::clone(child, stack.top(), flags, ptr::from_mut(shared).cast(), &raw mut fd) };
    let id = Errno::result(id)?;
    // SAFETY: the call above succeeded with CLONE_PIDFD, so this is a fresh descriptor of ours.
    Ok(Child { id: Pid::from_raw(id), fd: unsafe { OwnedFd::from_raw_fd(fd) } })
}

// The child's whole life. It runs in our memory while our thread sleeps.
extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: `clone` passed a pointer to a `Shared` that nobody else uses until we end.
    let shared = unsafe { &mut *shared.cast::<Shared>() };
    let Err(failure) = become_program(shared);
    shared.failure = Some(failure);
    // SAFETY: ends this process without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

type Refused = (Step, c_int);

fn become_program(shared: &Shared) -> Result<std::convert::Infallible, Refused> {
    isolate(shared).map_err(|errno| (Step::Isolate, errno))?;
    restrict(shared).map_err(|errno| (Step::Restrict, errno))?;
    enter_group(shared).map_err(|errno| (Step::Group, errno))?;
    call(libc::SYS_fchdir, [word(shared.directory), 0, 0, 0]).map_err(|errno| (Step::Directory, errno))?;
    set_streams(shared).map_err(|errno| (Step::Streams, errno))?;
    set_limits(shared).map_err(|errno| (Step::Limits, errno))?;
    unblock_signals().map_err(|errno| (Step::Isolate, errno))?;
    Err((Step::Execute, execute(shared)))
}

// A successful exec does not return.
fn execute(shared: &Shared) -> c_int {
    let &Shared { program, argv, environment, registers: [fourth, fifth], .. } = shared;
    // SAFETY: the strings and their arrays live until the exec, which ends in zeros as the kernel wants it. It takes three
    // arguments and ignores the others.
    unsafe { libc::syscall(libc::SYS_execve, program, argv, environment, fourth, fifth) };
    Errno::last_raw()
}

fn isolate(shared: &Shared) -> Result<(), c_int> {
    call(libc::SYS_setsid, [0; 4])?;
    call(libc::SYS_prctl, [word(libc::PR_SET_PDEATHSIG), word(libc::SIGKILL), 0, 0])?;
    if call(libc::SYS_getppid, [0; 4])? != word(shared.parent.as_raw()) {
        return Err(libc::ESRCH);
    }
    // PER_LINUX.
    call(libc::SYS_personality, [0; 4])?;
    reset_dispositions()
}

// The kernel's own sigaction with SIG_DFL is all zero on every architecture; 64 bytes are more than
// any of them reads.
static DEFAULT_ACTION: [u64; 8] = [0; 8];
const SIGNAL_SET_BYTES: c_long = 8;

fn reset_dispositions() -> Result<(), c_int> {
    let action = address(&raw const DEFAULT_ACTION);
    for signal in 1..=64 {
        if signal != libc::SIGKILL && signal != libc::SIGSTOP {
            call(libc::SYS_rt_sigaction, [word(signal), action, 0, SIGNAL_SET_BYTES])?;
        }
    }
    Ok(())
}

fn restrict(shared: &Shared) -> Result<(), c_int> {
    if shared.layer >= 0 { restrict_self(shared.layer) } else { Ok(()) }
}

fn restrict_self(layer: RawFd) -> Result<(), c_int> {
    call(libc::SYS_landlock_restrict_self, [word(layer), 0, 0, 0]).map(|_| ())
}

/// Has a child of the standard library take the layer before its program, too.
///
/// INVARIANT: `layer` stays open until the child was started.
pub(crate) fn take_layer(command: &mut Command, layer: BorrowedFd<'_>) {
    let layer = layer.as_raw_fd();
    let take = move || restrict_self(layer).map_err(io::Error::from_raw_os_error);
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe { command.pre_exec(take) };
}

fn enter_group(shared: &Shared) -> Result<(), c_int> {
    if shared.group >= 0 {
        call(libc::SYS_write, [word(shared.group), address(c"0".as_ptr()), 1, 0])?;
    }
    Ok(())
}

fn set_streams(shared: &Shared) -> Result<(), c_int> {
    let [stdin, stdout, stderr] = shared.streams;
    for (from, to) in [(stdin, 0), (stdout, 1), (stderr, 2)] {
        call(libc::SYS_dup3, [word(from), to, 0, 0])?;
    }
    if shared.owns_terminal {
        call(libc::SYS_ioctl, [0, super::pty::TIOCSCTTY.cast_signed(), 0, 0])?;
    }
    call(libc::SYS_close_range, [3, c_long::from(c_int::MAX), 0, 0]).map(|_| ())
}

fn set_limits(shared: &Shared) -> Result<(), c_int> {
    // SAFETY: pointer and length come from one slice that outlives the child.
    let limits = unsafe { std::slice::from_raw_parts(shared.limits, shared.limit_count) };
    for limit in limits {
        call(libc::SYS_prlimit64, [0, word(limit.resource), address(&raw const limit.limit), 0])?;
    }
    Ok(())
}

fn unblock_signals() -> Result<(), c_int> {
    let none = 0_u64;
    let how = word(libc::SIG_SETMASK);
    call(libc::SYS_rt_sigprocmask, [how, address(&raw const none), 0, SIGNAL_SET_BYTES]).map(|_| ())
}

pub(super) const fn word(value: c_int) -> c_long {
    value as c_long
}

pub(super) fn address<T>(pointer: *const T) -> c_long {
    pointer.expose_provenance().cast_signed() as c_long
}

pub(super) fn call(number: c_long, [a, b, c, d]: [c_long; 4]) -> Result<c_long, c_int> {
    // SAFETY: every caller in this file passes integers, or addresses of memory that lives until
    // the process's end or exec and that is large enough for what the kernel reads or writes.
    let result = unsafe { libc::syscall(number, a, b, c, d) };
    if result == -1 { Err(Errno::last_raw()) } else { Ok(result) }
}

#[cfg(test)]
mod tests;
