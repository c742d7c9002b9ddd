//! Messages as processes lay them out for `sendto`, `sendmsg` and `sendmmsg`.
#![forbid(unsafe_code)]

use std::ffi::c_int;
use std::os::fd::{AsRawFd as _, OwnedFd};

use claw_policy::Protocol;
use nix::errno::Errno;

use super::super::process::Process;
use super::address::{self, Address, array};
use super::socket::Kind;

// What a stream takes at once; it says how much it took. More than a datagram can hold.
const STREAM_BYTES: usize = 1 << 20;
// UIO_MAXIOV.
const PARTS: usize = 1024;
// The kernel's own bound is net.core.optmem_max, 128 KiB by default.
const CONTROL_BYTES: usize = 1 << 16;
// SCM_MAX_FD.
const DESCRIPTORS: usize = 253;
// `struct msghdr` and `struct mmsghdr` of 64-bit kernels.
const MESSAGE_BYTES: usize = 56;
const HEADER_BYTES: usize = 16;
/// From one message of `sendmmsg` to the next.
pub(super) const MESSAGE_STRIDE: u64 = 64;
/// Where in it the kernel says how much was sent.
pub(super) const LENGTH_PLACE: u64 = 56;

/// A message, copied.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) name: Option<Address>,
    pub(super) data: Vec<u8>,
    // In the kernel's form.
    pub(super) control: Vec<u64>,
    // What `control` names.
    pub(super) passed: Vec<OwnedFd>,
}

impl Message {
    /// The message of a `sendto`.
    pub(super) fn of_sendto(process: Process<'_>, kind: Kind, arguments: [u64; 6]) -> nix::Result<Self> {
        let [_, data, length, _, name, name_length] = arguments;
        let name = read_name(process, name, name_length)?;
        let data = read_parts(process, kind, &[(data, length)])?;
        Ok(Self { name, data, control: Vec::new(), passed: Vec::new() })
    }

    /// The message of a `sendmsg`.
    pub(super) fn read(process: Process<'_>, kind: Kind, place: u64) -> nix::Result<Self> {
        let header = process.bytes(place, MESSAGE_BYTES)?;
        let word = |place| array(&header, place).map(u64::from_ne_bytes);
        let name_length = u64::from(u32::from_ne_bytes(array(&header, 8)?));
        let count = usize::try_from(word(24)?).ok().filter(|count| *count <= PARTS).ok_or(Errno::EMSGSIZE)?;
        let parts = process.bytes(word(16)?, count * 16)?;
        let (parts, _) = parts.as_chunks::<16>();
        let parts: Vec<(u64, u64)> = parts
            .iter()
            .map(|part| Ok((u64::from_ne_bytes(array(part, 0)?), u64::from_ne_bytes(array(part, 8)?))))
            .collect::<nix::Result<_>>()?;
        let name = read_name(process, word(0)?, name_length)?;
        let data = read_parts(process, kind, &parts)?;
        let mut message = Self { name, data, control: Vec::new(), passed: Vec::new() };
        message.read_control(process, kind, word(32)?, word(40)?)?;
        Ok(message)
    }

    fn read_control(&mut self, process: Process<'_>, kind: Kind, place: u64, length: u64) -> nix::Result<()> {
        let length = usize::try_from(length).ok().filter(|length| *length <= CONTROL_BYTES);
        let length = length.ok_or(Errno::ENOBUFS)?;
        if place == 0 || length < HEADER_BYTES {
            return Ok(());
        }
        let mut bytes = process.bytes(place, length)?;
        let mut at = 0;
        // As CMSG_FIRSTHDR, CMSG_OK and CMSG_NXTHDR of the kernel go through them.
        while at + HEADER_BYTES <= length {
            let size = usize::try_from(u64::from_ne_bytes(array(&bytes, at)?)).map_err(|_| Errno::EINVAL)?;
            let end = at.checked_add(size).filter(|end| size >= HEADER_BYTES && *end <= length);
            let end = end.ok_or(Errno::EINVAL)?;
            let level = c_int::from_ne_bytes(array(&bytes, at + 8)?);
            let what = c_int::from_ne_bytes(array(&bytes, at + 12)?);
            let data = bytes.get_mut(at + HEADER_BYTES..end).ok_or(Errno::EINVAL)?;
            match (kind, level, what) {
                (Kind::Unix { .. }, libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    self.copy_descriptors(process, data)?
                }
                (Kind::Inet(Protocol::Udp), level, what) if is_harmless(level, what) => {}
                _ => return Err(Errno::EPERM),
            }
            at = end.next_multiple_of(8);
        }
        // Without what is left behind the last one: it was not looked at.
        bytes.resize(at, 0);
        let (words, _) = bytes.as_chunks::<8>();
        self.control = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        Ok(())
    }

    // Puts copies in place of the caller's descriptors.
    fn copy_descriptors(&mut self, process: Process<'_>, data: &mut [u8]) -> nix::Result<()> {
        let (descriptors, _) = data.as_chunks_mut::<4>();
        if self.passed.len() + descriptors.len() > DESCRIPTORS {
            return Err(Errno::EINVAL);
        }
        for descriptor in descriptors {
            let copy = process.duplicate(c_int::from_ne_bytes(*descriptor))?;
            *descriptor = copy.as_raw_fd().to_ne_bytes();
            self.passed.push(copy);
        }
        Ok(())
    }
}

// What changes nothing about whom a datagram reaches: the source address, segments, times to live, classes.
// IP_RETOPTS and the IPv6 headers could route it elsewhere.
const fn is_harmless(level: c_int, what: c_int) -> bool {
    matches!(
        (level, what),
        (libc::IPPROTO_IP, libc::IP_PKTINFO | libc::IP_TTL | libc::IP_TOS)
            | (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO | libc::IPV6_HOPLIMIT | libc::IPV6_TCLASS)
            | (libc::SOL_UDP, libc::UDP_SEGMENT)
    )
}

fn read_name(process: Process<'_>, place: u64, length: u64) -> nix::Result<Option<Address>> {
    let length = address::length(length)?;
    if place == 0 || length == 0 {
        return Ok(None);
    }
    Address::read(&process.bytes(place, length)?).map(Some)
}

fn read_parts(process: Process<'_>, kind: Kind, parts: &[(u64, u64)]) -> nix::Result<Vec<u8>> {
    let total = parts.iter().try_fold(0_u64, |total, (_, length)| total.checked_add(*length));
    let total = total.and_then(|total| usize::try_from(total).ok()).ok_or(Errno::EINVAL)?;
    let is_stream = matches!(kind, Kind::Inet(Protocol::Tcp) | Kind::Unix { stream: true });
    if total > STREAM_BYTES && !is_stream {
        return Err(Errno::EMSGSIZE);
    }
    let mut left = total.min(STREAM_BYTES);
    let mut data = Vec::with_capacity(left);
    for (place, length) in parts {
        let taken = left.min(usize::try_from(*length).unwrap_or(left));
        data.append(&mut process.bytes(*place, taken)?);
        left -= taken;
    }
    Ok(data)
}
