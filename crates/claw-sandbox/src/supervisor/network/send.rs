//! `sendto`, `sendmsg` and `sendmmsg`.
#![forbid(unsafe_code)]

use std::os::fd::AsFd as _;

use claw_policy::Protocol;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{MsgFlags, SockaddrStorage};

use super::super::oversight::Purpose;
use super::address::Address;
use super::message::{LENGTH_PLACE, MESSAGE_STRIDE, Message};
use super::socket::{Kind, Socket};
use super::worker::Waits;
use super::{Call, Progress, Supervisor};
use crate::sys::socket::send;

// UIO_MAXIOV, which is what `sendmmsg` takes at most, too.
const MESSAGES: u64 = 1024;
// How often a waiting send looks whether its caller lives.
const LOOK_MS: u8 = 100;

impl Supervisor<'_> {
    pub(super) fn send(&self, call: &Call<'_>, socket: Socket) -> nix::Result<Progress> {
        let arguments = call.notification.arguments;
        let [_, place, second, third, ..] = arguments;
        let flags = flags(if call.notification.call == libc::SYS_sendmsg { second } else { third });
        // The kernel would go on reading our copy after the call. Whoever asks for that copies for want of memory.
        if flags.bits() & libc::MSG_ZEROCOPY != 0 {
            return Err(Errno::ENOBUFS);
        }
        match call.notification.call {
            libc::SYS_sendto => {
                let message = Message::of_sendto(call.process, socket.kind, arguments)?;
                self.send_one(call, socket, message, flags)
            }
            libc::SYS_sendmsg => {
                let message = Message::read(call.process, socket.kind, place)?;
                self.send_one(call, socket, message, flags)
            }
            // `vlen` is an `unsigned int`.
            libc::SYS_sendmmsg => self.send_many(call, socket, place, u64::from(second as u32), flags),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn send_one(
        &self,
        call: &Call<'_>,
        socket: Socket,
        message: Message,
        flags: MsgFlags,
    ) -> nix::Result<Progress> {
        let name = self.addressee(call, &socket, &message)?;
        let outgoing = Outgoing { message, name, flags };
        let sent = match outgoing.try_send(&socket, 0) {
            Err(Errno::EAGAIN) => None,
            result => Some(result.map_err(|errno| self.signalled(call, flags, socket.kind, errno))?),
        };
        if !outgoing.waits(&socket, sent) {
            // An empty message is sent or not, as any other.
            return sent.map(|sent| Progress::Done(length(sent))).ok_or(Errno::EAGAIN);
        }
        self.workers.start(&self.listener, call.notification, socket, move |waits, socket| {
            outgoing.send_rest(waits, socket, sent).map(length)
        })?;
        Ok(Progress::Handed)
    }

    fn send_many(
        &self,
        call: &Call<'_>,
        socket: Socket,
        place: u64,
        count: u64,
        flags: MsgFlags,
    ) -> nix::Result<Progress> {
        for index in 0..count.min(MESSAGES) {
            let result = self.send_nth(call, &socket, place, index, flags);
            match result {
                Ok(()) => {}
                // A call that has sent anything succeeds.
                Err(_) if index > 0 => return Ok(Progress::Done(length_of(index))),
                Err(Errno::EAGAIN) if is_waiting_call(&socket, flags) => {
                    return self.wait_for_first(call, socket, place, flags);
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(Progress::Done(length_of(count.min(MESSAGES))))
    }

    fn send_nth(
        &self,
        call: &Call<'_>,
        socket: &Socket,
        place: u64,
        index: u64,
        flags: MsgFlags,
    ) -> nix::Result<()> {
        let place = place.checked_add(index * MESSAGE_STRIDE).ok_or(Errno::EFAULT)?;
        let message = Message::read(call.process, socket.kind, place)?;
        let name = self.addressee(call, socket, &message)?;
        let sent = Outgoing { message, name, flags }
            .try_send(socket, 0)
            .map_err(|errno| self.signalled(call, flags, socket.kind, errno))?;
        note_length(call, place, sent)
    }

    // The first of several messages has to wait: then it is the only one, which is a number that the kernel may
    // give as well.
    fn wait_for_first(
        &self,
        call: &Call<'_>,
        socket: Socket,
        place: u64,
        flags: MsgFlags,
    ) -> nix::Result<Progress> {
        let message = Message::read(call.process, socket.kind, place)?;
        let name = self.addressee(call, &socket, &message)?;
        // Written before: the worker does not touch the caller's memory, and a message is sent whole or not at all.
        note_length(call, place, message.data.len())?;
        let outgoing = Outgoing { message, name, flags };
        self.workers.start(&self.listener, call.notification, socket, move |waits, socket| {
            outgoing.send_rest(waits, socket, None).map(|_| 1)
        })?;
        Ok(Progress::Handed)
    }

    // To whom a message goes, judged. None to whom its socket is connected.
    fn addressee(
        &self,
        call: &Call<'_>,
        socket: &Socket,
        message: &Message,
    ) -> nix::Result<Option<SockaddrStorage>> {
        self.still(call)?;
        let address = match (socket.kind, &message.name) {
            (Kind::Inet(Protocol::Udp), Some(Address::Inet(address))) => *address,
            // An IPv4 socket does not look at the family, an IPv6 socket not at the address (`udp_sendmsg`).
            (Kind::Inet(Protocol::Udp), Some(Address::Unspecified(address))) => {
                if !socket.is_v4() {
                    return Ok(None);
                }
                address.ok_or(Errno::EINVAL)?.into()
            }
            (Kind::Inet(Protocol::Udp), Some(_)) => return Err(Errno::EAFNOSUPPORT),
            (Kind::Unix { stream: true }, Some(_)) => return Err(Errno::EISCONN),
            // The kernel takes none.
            (Kind::Inet(_) | Kind::Unix { .. }, _) => return Ok(None),
            (Kind::Other, None) => return Ok(None),
            (Kind::Other, Some(_)) => return Err(Errno::EACCES),
        };
        self.judge(call, Protocol::Udp, address, Purpose::Send)?;
        Ok(Some(SockaddrStorage::from(address)))
    }

    // The signal that the kernel would send with the error.
    fn signalled(&self, call: &Call<'_>, flags: MsgFlags, kind: Kind, errno: Errno) -> Errno {
        let has_signal = matches!(kind, Kind::Inet(Protocol::Tcp) | Kind::Unix { .. });
        if errno == Errno::EPIPE
            && has_signal
            && !flags.contains(MsgFlags::MSG_NOSIGNAL)
            && self.listener.is_waiting(call.notification)
        {
            let _ = kill(call.process.id(), Signal::SIGPIPE);
        }
        errno
    }
}

// A message with its judged addressee.
struct Outgoing {
    message: Message,
    name: Option<SockaddrStorage>,
    flags: MsgFlags,
}

impl Outgoing {
    fn try_send(&self, socket: &Socket, from: usize) -> nix::Result<usize> {
        let Message { data, control, .. } = &self.message;
        let rest = data.get(from..).unwrap_or_default();
        // What is passed is passed with the first bytes.
        let control = if from == 0 { control.as_slice() } else { &[] };
        let flags = self.flags | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        send(socket.as_fd(), rest, self.name.as_ref(), control, flags)
    }

    // Whether the caller waits until the rest is sent, too. `sent` is `None` where nothing could be, not even nothing.
    fn waits(&self, socket: &Socket, sent: Option<usize>) -> bool {
        sent.is_none_or(|sent| sent < self.message.data.len()) && is_waiting_call(socket, self.flags)
    }

    fn send_rest(&self, waits: &Waits<'_>, socket: &Socket, mut sent: Option<usize>) -> nix::Result<usize> {
        while sent.is_none_or(|sent| sent < self.message.data.len()) {
            let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
            let _ = poll(&mut fds, PollTimeout::from(LOOK_MS));
            if !waits() {
                break;
            }
            match self.try_send(socket, sent.unwrap_or(0)) {
                Ok(0) => break,
                Ok(more) => sent = Some(sent.unwrap_or(0) + more),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) if sent.is_some() => break,
                Err(errno) => return Err(errno),
            }
        }
        Ok(sent.unwrap_or(0))
    }
}

fn is_waiting_call(socket: &Socket, flags: MsgFlags) -> bool {
    socket.is_blocking() && !flags.contains(MsgFlags::MSG_DONTWAIT)
}

fn note_length(call: &Call<'_>, place: u64, sent: usize) -> nix::Result<()> {
    let sent = u32::try_from(sent).map_err(|_| Errno::EMSGSIZE)?;
    call.process.write(place.checked_add(LENGTH_PLACE).ok_or(Errno::EFAULT)?, &sent.to_ne_bytes())
}

// The kernel takes an `int`, and ignores what it does not know; MSG_FASTOPEN never comes here.
fn flags(argument: u64) -> MsgFlags {
    MsgFlags::from_bits_retain(argument as u32 as i32 & !libc::MSG_FASTOPEN)
}

fn length(sent: usize) -> i64 {
    i64::try_from(sent).unwrap_or(i64::MAX)
}

fn length_of(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use nix::unistd::gettid;

    use super::super::super::process::ProcessFiles;
    use super::*;

    #[test]
    fn a_message_without_bytes_that_cannot_be_sent_is_not_sent() {
        let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::empty()).unwrap();
        let (ours, _theirs) = pair;
        let files = ProcessFiles::open().unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&ours).cast_unsigned().into();
        let socket = Socket::of(files.thread(gettid()), descriptor).unwrap();
        let outgoing = |flags| {
            let message = Message { name: None, data: Vec::new(), control: Vec::new(), passed: Vec::new() };
            Outgoing { message, name: None, flags }
        };
        let (waiting, other) = (outgoing(MsgFlags::empty()), outgoing(MsgFlags::MSG_DONTWAIT));
        assert_eq!(waiting.try_send(&socket, 0), Ok(0));
        while other.try_send(&socket, 0).is_ok() {}
        assert_eq!(other.try_send(&socket, 0), Err(Errno::EAGAIN));
        assert!(waiting.waits(&socket, None) && !other.waits(&socket, None));
        assert!(!waiting.waits(&socket, Some(0)), "it is sent");
    }
}
