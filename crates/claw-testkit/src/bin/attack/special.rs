//! Attacks that are more than a list of calls, and the victim that some of them need.

use std::ffi::c_long;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::{self, Write as _};

use crate::sys;
use crate::words::failure;

/// A process outside: says its id, the address of a secret in its memory and a descriptor of a secret file, then
/// writes the number of every signal that it gets into `journal`.
pub(crate) fn victim(journal: &str, secret: &str) -> io::Result<()> {
    sys::die_with_parent();
    sys::block_signals();
    let memory: &'static [u8] = Box::leak(std::fs::read(secret)?.into_boxed_slice());
    let descriptor = sys::call(
        libc::SYS_openat,
        [libc::AT_FDCWD.into(), crate::words::text(secret).0, libc::O_RDWR.into(), 0, 0, 0],
    )?;
    let address = memory.as_ptr().expose_provenance();
    crate::say(&format!("victim {} {address} {} {descriptor}", std::process::id(), memory.len()));
    loop {
        let signal = sys::next_signal();
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(journal)?
            .write_all(format!("{signal}\n").as_bytes())?;
    }
}

/// Prints memory of another process.
pub(crate) fn read_memory(process: &str, address: &str, length: &str) -> io::Result<()> {
    let number = |text: &str| text.parse::<c_long>().map_err(io::Error::other);
    let length = number(length)?;
    let mut buffer = vec![0_u8; usize::try_from(length).map_err(io::Error::other)?];
    let local = [buffer.as_mut_ptr().expose_provenance() as c_long, length];
    let remote = [number(address)?, length];
    let pointer = |pair: &[c_long; 2]| pair.as_ptr().expose_provenance() as c_long;
    sys::call(libc::SYS_process_vm_readv, [number(process)?, pointer(&local), 1, pointer(&remote), 1, 0])?;
    io::stdout().write_all(black_box(&buffer))
}

/// `umask` through `int 0x80`.
pub(crate) fn int80_umask(mask: &str) -> io::Result<()> {
    let mask = u32::from_str_radix(mask, 8).map_err(io::Error::other)?;
    #[cfg(target_arch = "x86_64")]
    {
        sys::int80_umask(mask);
        Ok(())
    }
    #[cfg(not(target_arch = "x86_64"))]
    Err(failure(format!("no 32-bit interface here for {mask}")))
}

/// Takes memory and touches all of it.
pub(crate) fn allocate(mebibytes: &str) -> io::Result<()> {
    const MEBIBYTE: usize = 1 << 20;
    let mebibytes: usize = mebibytes.parse().map_err(io::Error::other)?;
    let mut memory = Vec::<u8>::new();
    memory.try_reserve_exact(mebibytes * MEBIBYTE).map_err(|error| failure(error.to_string()))?;
    memory.resize(mebibytes * MEBIBYTE, 1);
    std::mem::forget(black_box(memory));
    Ok(())
}

/// Uses the processor until it is ended.
pub(crate) fn burn() -> io::Result<()> {
    crate::say("ready");
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}
