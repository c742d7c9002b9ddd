//! Addresses as processes write them.
#![forbid(unsafe_code)]

use std::ffi::c_int;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use nix::errno::Errno;

// `struct sockaddr_storage`: the kernel takes no more (`move_addr_to_kernel`).
const LONGEST: usize = 128;
// `SIN6_LEN_RFC2133`: the kernel lets the scope be missing.
const SHORTEST_V6: usize = 24;

/// An address as the kernel would understand it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Address {
    /// Of IPv4 or IPv6.
    Inet(SocketAddr),
    /// Of a file.
    Path(Vec<u8>),
    /// Of AF_UNIX, but no file: abstract, with its bytes, or none when the kernel is to choose.
    Nameless(Option<Vec<u8>>),
    /// AF_UNSPEC, with the IPv4 address that it means where its family is not looked at.
    Unspecified(Option<SocketAddrV4>),
    /// Of another family.
    Other,
}

/// How long an address may be that a call states as `length`.
pub(super) fn length(length: u64) -> nix::Result<usize> {
    // The kernel takes an `int`.
    let length = usize::try_from(length as u32 as c_int).map_err(|_| Errno::EINVAL)?;
    if length > LONGEST { Err(Errno::EINVAL) } else { Ok(length) }
}

impl Address {
    /// Reads `struct sockaddr`.
    pub(super) fn read(bytes: &[u8]) -> nix::Result<Self> {
        let family = c_int::from(u16::from_ne_bytes(array(bytes, 0)?));
        Ok(match family {
            libc::AF_INET => Self::Inet(v4(bytes)?.into()),
            libc::AF_INET6 => Self::Inet(v6(bytes)?.into()),
            libc::AF_UNIX => path(bytes),
            libc::AF_UNSPEC => Self::Unspecified(v4(bytes).ok()),
            _ => Self::Other,
        })
    }
}

fn v4(bytes: &[u8]) -> nix::Result<SocketAddrV4> {
    // `sizeof(struct sockaddr_in)`, the padding included.
    let _: [u8; 16] = array(bytes, 0)?;
    let port = u16::from_be_bytes(array(bytes, 2)?);
    Ok(SocketAddrV4::new(Ipv4Addr::from(array::<4>(bytes, 4)?), port))
}

fn v6(bytes: &[u8]) -> nix::Result<SocketAddrV6> {
    let _: [u8; SHORTEST_V6] = array(bytes, 0)?;
    let port = u16::from_be_bytes(array(bytes, 2)?);
    let scope = array(bytes, SHORTEST_V6).map_or(0, u32::from_ne_bytes);
    // A flow label may stand for more than a number (a routing header), so none is passed on.
    Ok(SocketAddrV6::new(Ipv6Addr::from(array::<16>(bytes, 8)?), port, 0, scope))
}

fn path(bytes: &[u8]) -> Address {
    let path: Vec<u8> = bytes.iter().skip(2).copied().take_while(|byte| *byte != 0).collect();
    if !path.is_empty() {
        return Address::Path(path);
    }
    // `sun_path` begins with a NUL.
    Address::Nameless(bytes.get(3..).map(<[u8]>::to_vec))
}

/// Bytes at a place.
pub(super) fn array<const N: usize>(bytes: &[u8], place: usize) -> nix::Result<[u8; N]> {
    bytes.get(place..).and_then(|rest| rest.first_chunk()).copied().ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_v4(family: u16) -> Vec<u8> {
        let mut bytes = family.to_ne_bytes().to_vec();
        bytes.extend([0x01, 0xbb, 192, 0, 2, 1]);
        bytes.extend([0; 8]);
        bytes
    }

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let v4: SocketAddrV4 = "192.0.2.1:443".parse().unwrap();
        assert_eq!(Address::read(&of_v4(2)), Ok(Address::Inet(v4.into())));
        assert_eq!(Address::read(&of_v4(0)), Ok(Address::Unspecified(Some(v4))));
        assert_eq!(Address::read(&[0, 0]), Ok(Address::Unspecified(None)));
        assert_eq!(Address::read(&of_v4(2)[..15]), Err(Errno::EINVAL));
        assert_eq!(Address::read(&[2]), Err(Errno::EINVAL));
        assert_eq!(Address::read(&of_v4(16)), Ok(Address::Other));
        assert_eq!(Address::read(b"\x01\0/a/b\0junk"), Ok(Address::Path(b"/a/b".to_vec())));
        assert_eq!(Address::read(b"\x01\0\0abstract"), Ok(Address::Nameless(Some(b"abstract".to_vec()))));
        assert_eq!(Address::read(b"\x01\0"), Ok(Address::Nameless(None)));
    }

    #[test]
    fn a_scope_may_be_missing_and_a_flow_label_is_dropped() {
        let mut bytes = 10_u16.to_ne_bytes().to_vec();
        bytes.extend([0, 53, 1, 2, 3, 4]);
        bytes.extend(Ipv6Addr::LOCALHOST.octets());
        assert_eq!(Address::read(&bytes), Ok(Address::Inet("[::1]:53".parse().unwrap())));
        bytes.extend(7_u32.to_ne_bytes());
        assert_eq!(
            Address::read(&bytes),
            Ok(Address::Inet(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 53, 0, 7).into()))
        );
        assert_eq!(Address::read(&bytes[..23]), Err(Errno::EINVAL));
    }

    #[test]
    fn lengths_are_ints() {
        assert_eq!(length(0xffff_ffff_0000_0010), Ok(16));
        assert_eq!(length(129), Err(Errno::EINVAL));
        assert_eq!(length(0xffff_ffff), Err(Errno::EINVAL));
    }
}
