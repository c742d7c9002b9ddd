//! The arguments of calls, from text.
//!
//! | token | argument |
//! | --- | --- |
//! | `7`, `-100`, `0x10`, `0o777` | a number |
//! | `$2` | what the second call returned |
//! | `#` | the length of the buffer before it |
//! | `@text` | a pointer to the text, with a NUL |
//! | `*64` | a pointer to so many zeroes |
//! | `=0a00` | a pointer to these bytes |
//! | `in:127.0.0.1:80`, `in:[::1]:80`, `un:/path`, `un:@name` | a pointer to a socket address |
//! | `msg:ADDRESS`, `mmsg:ADDRESS` | a pointer to a message of one byte to that address |
//! | `iov:text`, `iov:ADDRESS,LENGTH` | a pointer to a vector: of a text, or at a place in another process |
//! | `argv:a,b` | a pointer to an argument vector |

use std::ffi::c_long;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// What has been said so far.
#[derive(Default)]
pub(crate) struct Words {
    answers: Vec<c_long>,
    length: usize,
}

impl Words {
    /// The argument that a token stands for.
    pub(crate) fn value(&mut self, token: &str) -> io::Result<c_long> {
        if token == "#" {
            return Ok(self.length as c_long);
        }
        if let Some(place) = token.strip_prefix('$') {
            let place: usize = place.parse().map_err(io::Error::other)?;
            let answer = self.answers.get(place.wrapping_sub(1));
            return answer.copied().ok_or_else(|| failure(format!("no answer {token}")));
        }
        if let Some(number) = number(token) {
            return Ok(number);
        }
        let (value, length) = buffer(token)?;
        self.length = length;
        Ok(value)
    }

    /// Keeps what a call returned.
    pub(crate) fn remember(&mut self, answer: c_long) {
        self.answers.push(answer);
    }
}

fn number(token: &str) -> Option<c_long> {
    if let Some(hex) = token.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(|value| value.cast_signed() as c_long);
    }
    if let Some(octal) = token.strip_prefix("0o") {
        return c_long::from_str_radix(octal, 8).ok();
    }
    token.parse().ok()
}

fn buffer(token: &str) -> io::Result<(c_long, usize)> {
    if let Some(name) = token.strip_prefix('@') {
        return Ok(text(name));
    }
    if let Some(length) = token.strip_prefix('*') {
        return Ok(bytes(vec![0; length.parse().map_err(io::Error::other)?]));
    }
    if let Some(hex) = token.strip_prefix('=') {
        let digits: Vec<char> = hex.chars().collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
        return Ok(bytes(digits.chunks(2).map(byte).collect::<Result<_, _>>().map_err(io::Error::other)?));
    }
    let Some((kind, rest)) = token.split_once(':') else {
        return Err(failure(format!("no argument: `{token}`")));
    };
    match kind {
        "in" => Ok(bytes(internet(rest.parse().map_err(io::Error::other)?))),
        "un" => Ok(bytes(unix(rest))),
        "msg" => Ok(message(rest, 7)?),
        "mmsg" => Ok(message(rest, 8)?),
        "iov" => Ok(vector(rest)),
        "argv" => {
            let mut pointers: Vec<u64> = rest.split(',').map(|word| pointer(text(word))).collect();
            pointers.push(0);
            Ok(numbers(&pointers))
        }
        _ => Err(failure(format!("no argument: `{token}`"))),
    }
}

fn vector(rest: &str) -> (c_long, usize) {
    let place = rest.split_once(',').and_then(|(address, length)| Some((number(address)?, number(length)?)));
    match place {
        Some((address, length)) => numbers(&[address.cast_unsigned(), length.cast_unsigned()]),
        None => {
            let (address, length) = text(rest);
            numbers(&[address.cast_unsigned(), length as u64])
        }
    }
}

/// A `struct msghdr` (seven words; a `struct mmsghdr` has one more) with one byte for an address.
fn message(address: &str, words: usize) -> io::Result<(c_long, usize)> {
    let (name, length) = buffer(address)?;
    let payload = pointer(numbers(&[pointer(text("x")), 1]));
    let mut header = vec![name.cast_unsigned(), length as u64, payload, 1];
    header.resize(words, 0);
    Ok(numbers(&header))
}

/// A `struct sockaddr_in` or `struct sockaddr_in6`.
fn internet(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    let (family, rest) = match address.ip() {
        IpAddr::V4(ip) => (libc::AF_INET, [&ip.octets()[..], &[0; 8]].concat()),
        IpAddr::V6(ip) => (libc::AF_INET6, [&[0; 4], &ip.octets()[..], &[0; 4]].concat()),
    };
    [&family_bytes(family)[..], &port, &rest].concat()
}

/// A `struct sockaddr_un`; a name that begins with `@` is abstract.
fn unix(name: &str) -> Vec<u8> {
    let family = family_bytes(libc::AF_UNIX);
    match name.strip_prefix('@') {
        Some(name) => [&family[..], &[0], name.as_bytes()].concat(),
        None => [&family[..], name.as_bytes(), &[0]].concat(),
    }
}

fn family_bytes(family: i32) -> [u8; 2] {
    u16::try_from(family).unwrap_or(0).to_ne_bytes()
}

/// A text with a NUL that stays; its length is without.
pub(crate) fn text(text: &str) -> (c_long, usize) {
    let (address, _) = bytes([text.as_bytes(), &[0]].concat());
    (address, text.len())
}

fn numbers(words: &[u64]) -> (c_long, usize) {
    // Pointers have to be aligned for the kernel to be content everywhere.
    let leaked = Box::leak(words.to_vec().into_boxed_slice());
    (leaked.as_mut_ptr().expose_provenance().cast_signed() as c_long, size_of_val(leaked))
}

fn bytes(bytes: Vec<u8>) -> (c_long, usize) {
    let leaked = Box::leak(bytes.into_boxed_slice());
    (leaked.as_mut_ptr().expose_provenance().cast_signed() as c_long, leaked.len())
}

const fn pointer((address, _): (c_long, usize)) -> u64 {
    address.cast_unsigned()
}

pub(crate) fn failure(text: String) -> io::Error {
    io::Error::other(text)
}

macro_rules! calls {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name)),*] };
}

/// The calls that attacks make. Only what every architecture has: the rest goes by number.
const CALLS: &[(&str, c_long)] = calls! {
    SYS_add_key SYS_adjtimex SYS_bind SYS_bpf SYS_chroot SYS_clone SYS_clone3 SYS_close SYS_connect
    SYS_copy_file_range SYS_dup3 SYS_execve SYS_execveat SYS_fanotify_init SYS_fanotify_mark SYS_fchdir
    SYS_fchmod SYS_fchmodat SYS_fchmodat2 SYS_fchown SYS_fchownat SYS_fcntl SYS_fsconfig SYS_fsetxattr
    SYS_fsmount SYS_fsopen SYS_ftruncate SYS_getpid SYS_init_module SYS_io_uring_setup SYS_ioctl SYS_keyctl
    SYS_kill SYS_linkat SYS_listen SYS_lsetxattr SYS_memfd_create SYS_memfd_secret SYS_mkdirat SYS_mknodat
    SYS_mount SYS_move_mount SYS_mq_open SYS_msgget SYS_name_to_handle_at SYS_open_by_handle_at SYS_open_tree
    SYS_openat SYS_openat2 SYS_perf_event_open SYS_personality SYS_pidfd_getfd SYS_pidfd_open
    SYS_pidfd_send_signal SYS_pivot_root SYS_pkey_alloc SYS_prctl SYS_prlimit64 SYS_process_vm_writev SYS_ptrace
    SYS_read SYS_removexattr SYS_renameat2 SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo SYS_sched_setaffinity SYS_sched_setscheduler SYS_setgroups SYS_setresgid SYS_setresuid
    SYS_sched_setattr SYS_seccomp SYS_semget SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_setdomainname
    SYS_sethostname SYS_setns SYS_setpriority SYS_setsockopt SYS_setxattr SYS_shmget SYS_socket SYS_socketpair
    SYS_symlinkat SYS_syslog SYS_tgkill SYS_tkill SYS_truncate SYS_umount2 SYS_unlinkat SYS_unshare
    SYS_userfaultfd SYS_utimensat SYS_write
};

/// A call's number, by its name or as a number.
pub(crate) fn call_number(name: &str) -> io::Result<c_long> {
    let found = CALLS.iter().find(|(known, _)| known.strip_prefix("SYS_") == Some(name));
    let number = found.map(|(_, number)| *number).or_else(|| number(name));
    number.ok_or_else(|| failure(format!("unknown call `{name}`")))
}
