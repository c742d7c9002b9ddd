//! The calls themselves: the only unsafe code of the attacker.
#![expect(unsafe_code, reason = "system calls with arbitrary arguments are what an attacker makes")]

use std::ffi::{c_int, c_long};
use std::io::{self, Read};

/// Makes a system call.
pub(crate) fn call(number: c_long, [a, b, c, d, e, f]: [c_long; 6]) -> io::Result<c_long> {
    // SAFETY: the suite's tables pass numbers and pointers to leaked buffers of the size that the call needs;
    // this process holds nothing that a mistake there could harm.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// A descriptor that is read and stays open.
pub(crate) struct Descriptor(pub(crate) c_long);

impl Read for Descriptor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let address = buffer.as_mut_ptr().expose_provenance().cast_signed() as c_long;
        let answer = call(libc::SYS_read, [self.0, address, buffer.len() as c_long, 0, 0, 0])?;
        usize::try_from(answer).map_err(io::Error::other)
    }
}

/// Sets the mask of new files' modes through the 32-bit interface.
#[cfg(target_arch = "x86_64")]
pub(crate) fn int80_umask(mask: u32) {
    // `umask` in arch/x86/entry/syscalls/syscall_32.tbl.
    const UMASK: u32 = 60;
    // SAFETY: `umask` takes a number and touches no memory. `rbx` is reserved by LLVM, so it is exchanged; the
    // kernel's 32-bit entry clears r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg {mask:r}, rbx", "int 0x80", "xchg {mask:r}, rbx",
            mask = inout(reg) u64::from(mask) => _, inout("rax") u64::from(UMASK) => _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
}

/// Blocks every signal that can be blocked.
pub(crate) fn block_signals() {
    let mut all = signal_set();
    // SAFETY: `all` is a live set.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: `all` is initialised, and no old mask is wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut()) };
}

/// Waits for the next signal.
pub(crate) fn next_signal() -> c_int {
    let (mut all, mut signal) = (signal_set(), 0);
    // SAFETY: `all` is a live set.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: both point to live values of this function.
    unsafe { libc::sigwait(&raw const all, &raw mut signal) };
    signal
}

/// Ends this process when its parent does.
pub(crate) fn die_with_parent() {
    let _ = call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG.into(), libc::SIGKILL.into(), 0, 0, 0, 0]);
}

fn signal_set() -> libc::sigset_t {
    // SAFETY: a set of signals is an array of integers, for which zeroes are a value.
    unsafe { std::mem::zeroed() }
}
