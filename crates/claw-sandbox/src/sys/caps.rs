//! Capabilities of the current thread: giving all of them up.

use std::ptr;

use nix::errno::Errno;

// linux/capability.h: version 3 has 64 bits in two halves.
const VERSION_3: u32 = 0x2008_0522;
// The largest number that the sets can hold. The kernel answers EINVAL above its own last one.
const LAST_CAPABILITY: u32 = 63;

// linux/securebits.h: root is nobody special on exec, a change of user ids changes no capability,
// none is kept over it, ambient ones cannot be raised; each locked.
const SECURE_BITS: libc::c_ulong = (1 << 0 | 1 << 1) | (1 << 2 | 1 << 3) | (1 << 5) | (1 << 6 | 1 << 7);

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Sets `no_new_privs` for the current thread.
pub(crate) fn set_no_new_privileges() -> nix::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, [1, 0, 0, 0]).map(|_| ())
}

/// Empties the ambient, bounding, inheritable, permitted and effective sets of the current thread.
///
/// A thread without `CAP_SETPCAP` cannot empty its bounding set. That is no error: with
/// `no_new_privs` an exec gives no capability that the thread did not hold before, not even to
/// user id 0 (`cap_bprm_creds_from_file` in security/commoncap.c).
pub(crate) fn drop_all() -> nix::Result<()> {
    clear_ambient()?;
    drop_bounding()?;
    set_securebits()?;
    set_empty()?;
    // INVARIANT: nothing is left that the calls above were silently kept from removing.
    if is_empty()? { Ok(()) } else { Err(Errno::EPERM) }
}

/// Whether the effective, permitted and inheritable sets of the current thread are empty.
pub(crate) fn is_empty() -> nix::Result<bool> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut sets = [Half::default(); 2];
    // SAFETY: version 3 makes the kernel write two halves, which `sets` holds.
    let answer = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) };
    Errno::result(answer)?;
    Ok(sets == [Half::default(); 2])
}

fn clear_ambient() -> nix::Result<()> {
    let clear = libc::c_ulong::try_from(libc::PR_CAP_AMBIENT_CLEAR_ALL).map_err(|_| Errno::EINVAL)?;
    prctl(libc::PR_CAP_AMBIENT, [clear, 0, 0, 0]).map(|_| ())
}

fn drop_bounding() -> nix::Result<()> {
    for capability in 0..=LAST_CAPABILITY {
        match prctl(libc::PR_CAPBSET_DROP, [capability.into(), 0, 0, 0]) {
            // Without CAP_SETPCAP, or above the kernel's last one (`cap_prctl_drop` in security/commoncap.c).
            Err(Errno::EPERM | Errno::EINVAL) => break,
            dropped => dropped.map(|_| ())?,
        }
    }
    Ok(())
}

fn set_securebits() -> nix::Result<()> {
    match prctl(libc::PR_SET_SECUREBITS, [SECURE_BITS, 0, 0, 0]) {
        // It needs CAP_SETPCAP. Without it no_new_privs does the work.
        Ok(_) | Err(Errno::EPERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn set_empty() -> nix::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let sets = [Half::default(); 2];
    // SAFETY: version 3 makes the kernel read two halves; it may write the header's version.
    let answer = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, ptr::from_ref(&sets)) };
    Errno::result(answer).map(|_| ())
}

fn prctl(option: i32, [a, b, c, d]: [libc::c_ulong; 4]) -> nix::Result<i32> {
    // SAFETY: the options used in this file take plain numbers and no pointers.
    Errno::result(unsafe { libc::prctl(option, a, b, c, d) })
}

/// Gives up, for the current thread and until it takes them back, what passes by the permissions of files.
pub(crate) fn lower_files() -> nix::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut sets = [Half::default(); 2];
    // SAFETY: version 3 makes the kernel write two halves, which `sets` holds.
    let answer = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) };
    Errno::result(answer)?;
    let [low, _] = &mut sets;
    // CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER and CAP_FSETID.
    low.effective &= !0b1_1111;
    // SAFETY: version 3 makes the kernel read two halves; it may write the header's version.
    let answer = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, ptr::from_ref(&sets)) };
    Errno::result(answer).map(|_| ())
}

/// Asks for the capabilities back that pass by the permissions of files.
pub(crate) fn raise_some() -> nix::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    // CAP_CHOWN and CAP_DAC_OVERRIDE, which even containers leave to root.
    let some = Half { effective: 0b11, permitted: 0b11, inheritable: 0 };
    let sets = [some, Half::default()];
    // SAFETY: version 3 makes the kernel read two halves; it may write the header's version.
    let answer = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, ptr::from_ref(&sets)) };
    Errno::result(answer).map(|_| ())
}
