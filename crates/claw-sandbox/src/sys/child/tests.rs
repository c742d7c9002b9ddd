//! The child keeps its invariant: it allocates nothing.
//!
//! It shares our memory, so what its allocations would count is ours to read.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use nix::sys::signal::SigSet;

use super::*;
use crate::sys::rlimit::{Resource, ResourceLimit};

/// Counts the allocations of other processes than [`WATCHED_BY`]; 0 counts nothing.
struct Counting;

static WATCHED_BY: AtomicI32 = AtomicI32::new(0);
static COUNTED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    let us = WATCHED_BY.load(Ordering::Relaxed);
    if us != 0 && Pid::this().as_raw() != us {
        COUNTED.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: our caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: our caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Starts `program` with everything that a child can have, from a thread that may do so.
fn start_program(program: &CStr) -> Result<Child, Failure> {
    SigSet::all().thread_block().unwrap();
    let directory = File::open("/").unwrap();
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let image = Image {
        program,
        argv: &[program],
        environment: &[c"A=b"],
        directory: directory.as_fd(),
        streams: [null.as_fd(), null.as_fd(), null.as_fd()],
        owns_terminal: false,
        limits: &[ResourceLimit::new(Resource::Core, 0, 0)],
        group: Some(null.as_fd()),
        layer: None,
        registers: [1, 2],
    };
    start(&image, &mut Stack::new())
}

#[test]
fn nothing_is_allocated_between_clone_and_exec() {
    let check = || {
        WATCHED_BY.store(Pid::this().as_raw(), Ordering::Relaxed);
        let child = start_program(c"/bin/true").unwrap();
        let missing = start_program(c"/nonexistent").unwrap_err();
        WATCHED_BY.store(0, Ordering::Relaxed);
        assert_eq!(missing, Failure { step: Step::Execute, errno: Errno::ENOENT });
        let (status, _) = crate::sys::pidfd::reap(child.fd.as_fd()).unwrap();
        assert!(status.success());
        assert_eq!(COUNTED.load(Ordering::Relaxed), 0);
    };
    // Blocks its signals for good, so not the test runner's own thread.
    std::thread::spawn(check).join().unwrap();
}

#[test]
fn a_bad_directory_is_told_from_a_bad_program() {
    let failure = std::thread::spawn(|| {
        SigSet::all().thread_block().unwrap();
        let null = File::open("/dev/null").unwrap();
        let image = Image {
            program: c"/bin/true",
            argv: &[c"true"],
            environment: &[],
            directory: null.as_fd(),
            streams: [null.as_fd(), null.as_fd(), null.as_fd()],
            owns_terminal: false,
            limits: &[],
            group: None,
            layer: None,
            registers: [0; 2],
        };
        start(&image, &mut Stack::new()).unwrap_err()
    });
    assert_eq!(failure.join().unwrap(), Failure { step: Step::Directory, errno: Errno::ENOTDIR });
}

#[test]
#[cfg(target_arch = "x86_64")]
fn an_exec_clears_the_registers_that_it_does_not_read() {
    use nix::sys::ptrace;
    use nix::sys::wait::{WaitStatus, waitpid};

    let mut command = Command::new("/bin/true");
    let execute = || {
        ptrace::traceme()?;
        let argv = [c"true".as_ptr(), ptr::null()];
        let path = c"/bin/true".as_ptr();
        // SAFETY: path and arguments live until the exec; the kernel ignores the last two.
        unsafe {
            libc::syscall(libc::SYS_execve, path, argv.as_ptr(), ptr::null::<c_char>(), u64::MAX, u64::MAX)
        };
        Err(io::Error::last_os_error())
    };
    // SAFETY: between fork and exec it makes two system calls and allocates nothing.
    unsafe { command.pre_exec(execute) };
    let child = Pid::from_raw(command.spawn().unwrap().id().cast_signed());
    // Traced, it stops before the first instruction of its program.
    assert!(matches!(waitpid(child, None).unwrap(), WaitStatus::Stopped(..)));
    let registers = ptrace::getregs(child).unwrap();
    assert_eq!((registers.r10, registers.r8), (0, 0));
    ptrace::detach(child, None).unwrap();
    assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
}
