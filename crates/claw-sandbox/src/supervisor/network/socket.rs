//! A copy of a caller's socket.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use claw_policy::Protocol;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};

use super::super::process::Process;
use crate::sys::socket::option;

/// A socket of a process of the run. What it is cannot change any more; which descriptor of the caller's leads to it
/// can, so everything is done on the copy.
#[derive(Debug)]
pub(super) struct Socket {
    file: OwnedFd,
    pub(super) kind: Kind,
}

/// What a socket is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// TCP or UDP, over IPv4 or IPv6.
    Inet(Protocol),
    /// AF_UNIX, of which a run can make streams and sequenced packets only.
    Unix {
        /// Whether its messages have no bounds.
        stream: bool,
    },
    /// What no run can make. It was handed over.
    Other,
}

impl Socket {
    /// A copy of the caller's socket.
    pub(super) fn of(process: Process<'_>, descriptor: u64) -> nix::Result<Self> {
        // The kernel takes an `int`.
        let file = process.duplicate(descriptor as u32 as i32)?;
        let get = |name| option(file.as_fd(), name);
        let (family, kind) = (get(libc::SO_DOMAIN)?, get(libc::SO_TYPE)?);
        let kind = match (family, kind, get(libc::SO_PROTOCOL)?) {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_TCP) => {
                Kind::Inet(Protocol::Tcp)
            }
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDP) => {
                Kind::Inet(Protocol::Udp)
            }
            (libc::AF_UNIX, libc::SOCK_STREAM, _) => Kind::Unix { stream: true },
            (libc::AF_UNIX, libc::SOCK_SEQPACKET, _) => Kind::Unix { stream: false },
            _ => Kind::Other,
        };
        Ok(Self { file, kind })
    }

    /// The copy alone.
    pub(super) fn into_file(self) -> OwnedFd {
        self.file
    }

    /// Whether its calls wait. The caller can change it at any time.
    pub(super) fn is_blocking(&self) -> bool {
        let flags = fcntl(&self.file, FcntlArg::F_GETFL).unwrap_or(0);
        !OFlag::from_bits_truncate(flags).contains(OFlag::O_NONBLOCK)
    }

    /// Whether it waits for the answer of a TCP peer.
    pub(super) fn is_connecting(&self) -> bool {
        self.kind == Kind::Inet(Protocol::Tcp)
            && getpeername::<SockaddrStorage>(self.file.as_raw_fd()).is_err()
    }

    /// Whether it is of IPv4.
    pub(super) fn is_v4(&self) -> bool {
        option(self.as_fd(), libc::SO_DOMAIN) == Ok(libc::AF_INET)
    }

    /// Its own address.
    pub(super) fn name(&self) -> nix::Result<Option<SocketAddr>> {
        let name: SockaddrStorage = getsockname(self.file.as_raw_fd())?;
        let v4 = name.as_sockaddr_in().map(|name| SocketAddr::V4((*name).into()));
        Ok(v4.or_else(|| name.as_sockaddr_in6().map(|name| SocketAddr::V6((*name).into()))))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
