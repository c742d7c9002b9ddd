//! Attempts at what a sandbox must deny, each harmless where it is not denied.
//!
//! The calls get arguments that an unconfined kernel refuses after its permission checks, or they
//! open something that is closed again at once, or they change only the calling process.

use std::ffi::{CStr, c_long};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;

/// What the kernel answered: a number that is not negative, or an error.
pub(crate) type Answer = nix::Result<c_long>;

const NONE: c_long = 0;

// INVARIANT of the callers: an argument that the kernel takes for a pointer is null, invalid, or
// points to live memory that is large enough.
fn call(number: c_long, [a, b, c, d, e, f]: [c_long; 6]) -> Answer {
    // SAFETY: see the invariant; all callers are in this file.
    Errno::result(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

fn simple(number: c_long, first: c_long, second: c_long) -> Answer {
    call(number, [first, second, NONE, NONE, NONE, NONE])
}

fn address<T>(value: *const T) -> c_long {
    value.expose_provenance().cast_signed() as c_long
}

// A descriptor that nobody wants. The answer stays.
fn close(answer: Answer) -> Answer {
    let fd = i32::try_from(answer?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made it for us and nobody else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(fd.into())
}

/// Makes a socket.
pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> Answer {
    close(call(libc::SYS_socket, [family.into(), kind.into(), protocol.into(), NONE, NONE, NONE]))
}

/// Makes an io_uring.
pub(crate) fn io_uring_setup() -> Answer {
    // struct io_uring_params is 120 bytes.
    let mut parameters = [0_u64; 15];
    close(simple(libc::SYS_io_uring_setup, 1, address(parameters.as_mut_ptr())))
}

/// Attaches to a process. It is detached when this process ends.
pub(crate) fn ptrace_seize(process: i32) -> Answer {
    call(libc::SYS_ptrace, [libc::PTRACE_SEIZE.into(), process.into(), NONE, NONE, NONE, NONE])
}

/// Reads another process's memory, at an address that is never mapped.
pub(crate) fn process_vm_readv(process: i32) -> Answer {
    let mut byte = 0_u8;
    let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let remote = libc::iovec { iov_base: ptr::without_provenance_mut(1), iov_len: 1 };
    call(
        libc::SYS_process_vm_readv,
        [process.into(), address(&raw const local), 1, address(&raw const remote), 1, 0],
    )
}

/// Mounts a file system that does not exist.
pub(crate) fn mount(target: &CStr) -> Answer {
    let kind = c"claw-sandbox-probe";
    call(libc::SYS_mount, [address(kind.as_ptr()), address(target.as_ptr()), address(kind.as_ptr()), 0, 0, 0])
}

/// Moves this process into a new user namespace.
pub(crate) fn unshare_user() -> Answer {
    simple(libc::SYS_unshare, libc::CLONE_NEWUSER.into(), NONE)
}

/// Makes a process in a new user namespace, which ends at once.
pub(crate) fn clone_new_user() -> Answer {
    let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
    let id = simple(libc::SYS_clone, flags.into(), NONE)?;
    if id == 0 {
        // SAFETY: ends the new process without running anything of ours.
        unsafe { libc::_exit(0) }
    }
    Ok(id)
}

/// Makes a process by `clone3` with arguments that are too short.
pub(crate) fn clone3() -> Answer {
    simple(libc::SYS_clone3, NONE, 1)
}

/// Makes a file in memory that may be executed.
pub(crate) fn memfd_create() -> Answer {
    close(simple(libc::SYS_memfd_create, address(c"probe".as_ptr()), libc::MFD_CLOEXEC.into()))
}

/// Executes an open file by its descriptor. Returns only when it fails.
pub(crate) fn execveat_empty(file: BorrowedFd<'_>, arguments: &[&CStr]) -> Answer {
    let arguments = pointers(arguments);
    let fd = c_long::from(file.as_raw_fd());
    let (path, argv) = (address(c"".as_ptr()), address(arguments.as_ptr()));
    call(libc::SYS_execveat, [fd, path, argv, NONE, libc::AT_EMPTY_PATH.into(), NONE])
}

// A null-terminated array for the kernel; it borrows the strings without saying so.
fn pointers(strings: &[&CStr]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Types a character into the terminal of standard input.
pub(crate) fn type_into_terminal() -> Answer {
    let character = b' ';
    call(libc::SYS_ioctl, [0, 0x5412, address(&raw const character), NONE, NONE, NONE])
}

/// Asks for the session keyring's id.
pub(crate) fn keyctl() -> Answer {
    // KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING.
    simple(libc::SYS_keyctl, 0, -3)
}

/// Makes no BPF object: there is no such command.
pub(crate) fn bpf() -> Answer {
    simple(libc::SYS_bpf, c_long::from(i32::MAX), NONE)
}

/// Opens no performance counter: the attributes are missing.
pub(crate) fn perf_event_open() -> Answer {
    simple(libc::SYS_perf_event_open, NONE, NONE)
}

/// Makes a userfaultfd for our own page faults.
pub(crate) fn userfaultfd() -> Answer {
    // UFFD_USER_MODE_ONLY, which needs no privilege.
    close(simple(libc::SYS_userfaultfd, 1, NONE))
}

/// Opens no file by a handle: the handle is missing.
pub(crate) fn open_by_handle_at() -> Answer {
    simple(libc::SYS_open_by_handle_at, libc::AT_FDCWD.into(), NONE)
}

/// Changes the root directory to the one it is.
pub(crate) fn chroot() -> Answer {
    simple(libc::SYS_chroot, address(c"/".as_ptr()), NONE)
}

/// Becomes another user.
pub(crate) fn set_user(id: u32) -> Answer {
    simple(libc::SYS_setuid, id.into(), NONE)
}

/// An x32 `getpid`.
pub(crate) fn x32_getpid() -> Answer {
    simple(0x4000_0000 | 39, NONE, NONE)
}

/// A `getpid` of the 32-bit interface.
#[cfg(target_arch = "x86_64")]
pub(crate) fn int80_getpid() -> Answer {
    let answer: i64;
    // SAFETY: getpid takes no arguments and touches no memory; the registers that the 32-bit entry
    // does not keep are named.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") 20_i64 => answer,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nostack)
        );
    }
    Ok(answer)
}

/// Makes a system call that a filter is expected to answer, and returns the error number or 0.
#[cfg(test)]
pub(crate) fn denied_call(number: u32, arguments: [u64; 6]) -> u32 {
    let arguments = arguments.map(|argument| argument.cast_signed());
    match call(number.into(), arguments) {
        Ok(_) => 0,
        Err(_) => std::io::Error::last_os_error().raw_os_error().unwrap_or(0).unsigned_abs(),
    }
}
