//! The connect gate: calls that name an address are performed by the supervisor.
//!
//! The address is in the caller's memory, and which socket a descriptor means is in a table that the caller's other
//! threads change. So the supervisor copies the address and the socket, has the copies judged, performs the call with
//! them and answers with its result: nothing is left to be changed after the judgement, and the kernel never goes on
//! with the caller's own call.
#![forbid(unsafe_code)]

mod address;
mod message;
mod send;
mod socket;
pub(super) mod unix;
mod worker;

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _};

use claw_policy::{Confinement, Protocol};
use nix::errno::Errno;
use nix::sys::socket::{Backlog, Shutdown, SockaddrStorage, bind, connect, listen, shutdown};

use super::oversight::{NetworkAttempt, NetworkVerdict, Purpose};
use super::process::Process;
use super::{Supervisor, Watch};
use crate::KernelFeatures;
use crate::enforcement::{is_gated, is_supervised};
use crate::seccomp::notify::{Notified, When};
use crate::sys::notify::{Answer, Notification};
use crate::sys::socket::disconnect;
use address::Address;
use socket::{Kind, Socket};
pub(super) use worker::Workers;

const CONNECT: Notified = Notified { call: libc::SYS_connect, when: When::Always };

const ALWAYS: [Notified; 3] = [
    CONNECT,
    Notified { call: libc::SYS_bind, when: When::Always },
    Notified { call: libc::SYS_listen, when: When::Always },
];

// Where there are UDP sockets. The name of a message is in memory, so each one is asked about; TCP takes none (but
// with MSG_FASTOPEN, which is denied), nor do the AF_UNIX sockets that a run can make.
const DATAGRAMS: [Notified; 3] = [
    Notified { call: libc::SYS_sendto, when: When::NotZero { argument: 4 } },
    Notified { call: libc::SYS_sendmsg, when: When::Always },
    Notified { call: libc::SYS_sendmmsg, when: When::Always },
];

/// The calls that are asked about.
///
/// Without network rules there are AF_UNIX sockets only. What they are bound to is a file, which Landlock rules on;
/// what they connect to it does not know before ABI 9.
pub(super) fn calls(confinement: &Confinement, kernel: &KernelFeatures) -> Vec<Notified> {
    if is_gated(confinement, kernel) {
        let datagrams = confinement.may_connect(Protocol::Udp).then_some(DATAGRAMS);
        return ALWAYS.into_iter().chain(datagrams.into_iter().flatten()).collect();
    }
    let asks = is_supervised(confinement, kernel) && kernel.used_abi() < 9;
    asks.then_some(CONNECT).into_iter().collect()
}

/// What a call came to, or who will answer it.
enum Progress {
    Done(i64),
    // A worker answers.
    Handed,
}

// A call whose caller is known to have made it.
struct Call<'a> {
    notification: &'a Notification,
    process: Process<'a>,
    watch: Watch,
}

impl Supervisor<'_> {
    pub(super) fn answer_network(&self, notification: &Notification) {
        let process = self.files.thread(notification.thread);
        match self.network(notification, process) {
            Ok(Progress::Done(value)) => {
                self.listener.answer(notification, Answer::Done(value));
            }
            Ok(Progress::Handed) => {}
            Err(errno) => {
                self.listener.answer(notification, Answer::Fail(errno));
            }
        }
    }

    // An error is the caller's answer.
    fn network(&self, notification: &Notification, process: Process<'_>) -> nix::Result<Progress> {
        let watch = self.desk.lock().as_ref().map(|case| case.watch.clone()).ok_or(Errno::EACCES)?;
        let [descriptor, second, third, ..] = notification.arguments;
        let socket = Socket::of(process, descriptor)?;
        let call = Call { notification, process, watch };
        match notification.call {
            libc::SYS_connect => self.connect(&call, socket, &read_address(process, second, third)?),
            libc::SYS_bind => self.bind(&call, socket, &read_address(process, second, third)?),
            // The kernel takes an `int`.
            libc::SYS_listen => self.listen(&call, &socket, second as u32 as i32),
            _ => self.send(&call, socket),
        }
    }

    // What was read was the caller's only if it still waits: its id could be another's by now.
    fn still(&self, call: &Call<'_>) -> nix::Result<()> {
        if self.listener.is_waiting(call.notification) { Ok(()) } else { Err(Errno::ESRCH) }
    }

    fn connect(&self, call: &Call<'_>, socket: Socket, address: &Address) -> nix::Result<Progress> {
        self.still(call)?;
        match (socket.kind, address) {
            (Kind::Inet(_), Address::Unspecified(_)) => done(disconnect(socket.as_fd())),
            (Kind::Inet(protocol), Address::Inet(address)) => {
                self.judge(call, protocol, *address, Purpose::Connect)?;
                let name = SockaddrStorage::from(*address);
                match protocol {
                    Protocol::Udp => done(connect(socket.as_fd().as_raw_fd(), &name)),
                    Protocol::Tcp => {
                        self.hand_over(call, socket, move |socket| connect(socket.as_fd().as_raw_fd(), &name))
                    }
                }
            }
            (Kind::Inet(_), _) => Err(Errno::EAFNOSUPPORT),
            (Kind::Unix { .. }, Address::Path(path)) => self.connect_unix(call, socket, path),
            (Kind::Unix { .. }, Address::Nameless(_)) => {
                self.deny(call, "denied: abstract AF_UNIX sockets are closed", Errno::EPERM)
            }
            (Kind::Unix { .. }, _) => Err(Errno::EINVAL),
            (Kind::Other, _) => Err(Errno::EACCES),
        }
    }

    fn bind(&self, call: &Call<'_>, socket: Socket, address: &Address) -> nix::Result<Progress> {
        self.still(call)?;
        match (socket.kind, address) {
            (Kind::Inet(protocol), Address::Inet(address)) => {
                // The kernel chooses such a port for every client.
                if address.port() != 0 {
                    self.judge(call, protocol, *address, Purpose::Listen)?;
                }
                done(bind_unprivileged(&socket, *address))
            }
            (Kind::Inet(_), _) => Err(Errno::EAFNOSUPPORT),
            (Kind::Unix { .. }, Address::Path(path)) => self.bind_unix(call, socket, path),
            // Where there is no network, a name without a file leads nowhere but to those who share it.
            (Kind::Unix { .. }, Address::Nameless(name)) if call.watch.sockets.may_be_abstract() => {
                done(unix::bind_abstract(&socket, name.as_deref()))
            }
            (Kind::Unix { .. }, Address::Nameless(_)) => {
                self.deny(call, "denied: abstract AF_UNIX sockets are closed", Errno::EPERM)
            }
            (Kind::Unix { .. }, _) => Err(Errno::EINVAL),
            (Kind::Other, _) => Err(Errno::EACCES),
        }
    }

    // A socket without an address would listen on all of this machine's.
    fn listen(&self, call: &Call<'_>, socket: &Socket, backlog: i32) -> nix::Result<Progress> {
        self.still(call)?;
        // The kernel takes too large ones for its largest, and so negative ones.
        let backlog = Backlog::new(backlog).unwrap_or(Backlog::MAXCONN);
        let Kind::Inet(protocol) = socket.kind else {
            let is_unix = matches!(socket.kind, Kind::Unix { .. });
            return if is_unix { done(listen(socket, backlog)) } else { Err(Errno::EACCES) };
        };
        let name = socket.name()?.ok_or(Errno::EACCES)?;
        self.judge(call, protocol, name, Purpose::Listen)?;
        listen(socket, backlog)?;
        if socket.name()? != Some(name) {
            // Another thread has changed it meanwhile.
            let _ = shutdown(socket.as_fd().as_raw_fd(), Shutdown::Both);
            return Err(Errno::EACCES);
        }
        Ok(Progress::Done(0))
    }

    fn judge(
        &self,
        call: &Call<'_>,
        protocol: Protocol,
        address: SocketAddr,
        purpose: Purpose,
    ) -> nix::Result<()> {
        let attempt = NetworkAttempt { caller: call.process.id(), protocol, address, purpose };
        match call.watch.oversight.network(&attempt) {
            NetworkVerdict::Allow => Ok(()),
            NetworkVerdict::Deny(message) => self.deny(call, &message, Errno::EACCES).map(drop),
            NetworkVerdict::DenySilently => Err(Errno::EACCES),
        }
    }

    fn deny(&self, call: &Call<'_>, message: &str, errno: Errno) -> nix::Result<Progress> {
        self.report(call.process, message);
        Err(errno)
    }

    // For calls that wait: the supervisor has others to answer.
    fn hand_over(
        &self,
        call: &Call<'_>,
        socket: Socket,
        perform: impl FnOnce(&Socket) -> nix::Result<()> + Send + 'static,
    ) -> nix::Result<Progress> {
        self.workers
            .start(&self.listener, call.notification, socket, move |_, socket| perform(socket).map(|()| 0))?;
        Ok(Progress::Handed)
    }
}

// From a thread that has no capability, as the run has none: some ports are for who has.
fn bind_unprivileged(socket: &Socket, address: SocketAddr) -> nix::Result<()> {
    let work = || {
        unix::give_up_privileges()?;
        bind(socket.as_fd().as_raw_fd(), &SockaddrStorage::from(address))
    };
    std::thread::scope(|scope| scope.spawn(work).join()).unwrap_or(Err(Errno::EACCES))
}

fn done(result: nix::Result<()>) -> nix::Result<Progress> {
    result.map(|()| Progress::Done(0))
}

fn read_address(process: Process<'_>, place: u64, length: u64) -> nix::Result<Address> {
    Address::read(&process.bytes(place, address::length(length)?)?)
}
