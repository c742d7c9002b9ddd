//! The probes: what each of them tries.
#![forbid(unsafe_code)]

use std::ffi::{CString, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use claw_policy::Guarantee::{Exec, Files, Metadata, Network, Privileges, ProtectedPaths, Signals, Syscalls};
use nix::errno::Errno;
use nix::unistd::{Pid, geteuid, getppid};

use super::scene::{
    CLOSED_PORT, HIDDEN_FILE, HOOKS, LOADERS, OUTSIDE_FILE, OUTSIDE_NEW, OUTSIDE_SOCKET, WORKSPACE,
    abstract_address,
};
use super::{Observation, Probe, judge};
use crate::sys::{attempt, caps};

// What a program says that was started although it must not be. Not a probe of its own.
const RAN: &str = "ran";

const LOADER_GAP: &str = "the kernel needs the right to execute the dynamic loader for every program, and the loader \
     runs whatever it can read; only a look at each exec can tell";
const BROKER_GAP: &str =
    "Landlock knows neither metadata nor exceptions in a tree; only the supervisor's broker does";
const GATE_GAP: &str = "without the supervisor no socket can be opened to one address only";

macro_rules! probes {
    ($($name:literal $guarantee:ident $gap:expr, $attempt:literal => $run:expr;)*) => {
        /// Every probe.
        pub const PROBES: &[Probe] = &[$(
            Probe { name: $name, attempt: $attempt, guarantee: $guarantee, known_gap: $gap, run: $run },
        )*];
    };
}

probes! {
    "write-outside" Files None, "write a file outside of the workspace" => |scene| io(fs::write(scene.join(OUTSIDE_FILE), "x"));
    "create-outside" Files None, "create a file outside of the workspace" => |scene| io(fs::write(scene.join(OUTSIDE_NEW), "x"));
    "create-temporary" Files None, "create a file in the shared temporary directory" => |scene| create_temporary(scene);
    "truncate-outside" Files None, "truncate a file outside" => |scene| truncate(scene);
    "read-hidden" Files None, "read a hidden file of a readable directory" => |scene| io(fs::read(scene.join(HIDDEN_FILE)));
    "read-outside" Files None, "read a file outside" => |scene| io(fs::read(scene.join(OUTSIDE_FILE)));
    "parent-environment" Files None, "read the environment of the process outside, by any of its threads" => |_| of_parent(read_environment);
    "chmod-outside" Metadata Some(BROKER_GAP), "change the mode of a file outside" => |scene| chmod(scene);
    "chmod-read-only" Metadata Some(BROKER_GAP), "change the mode of a read-only file" => |scene| io(fs::set_permissions(scene.join("shared/plain"), Permissions::from_mode(0o640)));
    "write-hook" ProtectedPaths Some(BROKER_GAP), "write a hook for the next git command" => |scene| io(fs::write(scene.join(HOOKS).join("pre-commit"), "x"));
    "rename-hook" ProtectedPaths Some(BROKER_GAP), "rename a file of the workspace to a hook" => |scene| rename_hook(scene);
    "gate-connect" Network Some(GATE_GAP), "connect to a port that no rule opens, where another is open" => |scene| gate_connect(scene);
    "gate-udp" Network Some(GATE_GAP), "make a UDP socket where a TCP port is open" => |_| raw(attempt::socket(libc::AF_INET, libc::SOCK_DGRAM, 0));
    "tcp-socket" Network None, "make a TCP socket" => |_| raw(attempt::socket(libc::AF_INET, libc::SOCK_STREAM, 0));
    "tcp6-socket" Network None, "make a TCP socket over IPv6" => |_| raw(attempt::socket(libc::AF_INET6, libc::SOCK_STREAM, 0));
    "udp-socket" Network None, "make a UDP socket" => |_| raw(attempt::socket(libc::AF_INET, libc::SOCK_DGRAM, 0));
    "mptcp-socket" Network None, "make an MPTCP socket" => |_| raw(attempt::socket(libc::AF_INET, libc::SOCK_STREAM, 262));
    "sctp-socket" Network None, "make an SCTP socket" => |_| raw(attempt::socket(libc::AF_INET, libc::SOCK_STREAM, 132));
    "raw-socket" Network None, "make a raw socket" => |_| raw(attempt::socket(libc::AF_INET, libc::SOCK_RAW, 1));
    "netlink-socket" Network None, "make a netlink socket" => |_| raw(attempt::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0));
    "packet-socket" Network None, "make a packet socket" => |_| raw(attempt::socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0));
    "vsock-socket" Network None, "make a VSOCK socket" => |_| raw(attempt::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0));
    "alg-socket" Network None, "make a socket of the kernel's cryptography" => |_| raw(attempt::socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0));
    "unix-datagram" Network None, "make an AF_UNIX datagram socket" => |_| raw(attempt::socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0));
    "unix-abstract" Network None, "connect to an abstract AF_UNIX socket outside" => |scene| unix_abstract(scene);
    "unix-path" Network None, "connect to an AF_UNIX socket outside by its path" => |scene| io(UnixStream::connect(scene.join(OUTSIDE_SOCKET)));
    "signal-outside" Signals None, "signal the process outside, by any of its threads" => |_| of_parent(signal);
    "ptrace-parent" Signals None, "trace the process outside, by any of its threads" => |_| of_parent(attempt::ptrace_seize);
    "read-memory" Signals None, "read the memory of the process outside, by any of its threads" => |_| of_parent(read_memory);
    "int80" Syscalls None, "call the kernel through the 32-bit interface" => |_| int80();
    "x32" Syscalls None, "call the kernel by an x32 number" => |_| x32();
    "io-uring" Syscalls None, "make an io_uring" => |_| raw(attempt::io_uring_setup());
    "mount" Syscalls None, "mount a file system" => |scene| mount(scene);
    "unshare-user" Syscalls None, "enter a new user namespace" => |_| raw(attempt::unshare_user());
    "clone-user" Syscalls None, "make a process in a new user namespace" => |_| raw(attempt::clone_new_user());
    "clone3" Syscalls None, "make a process by clone3" => |_| raw(attempt::clone3());
    "terminal-input" Syscalls None, "type into the terminal (TIOCSTI)" => |_| raw(attempt::type_into_terminal());
    "keyring" Syscalls None, "use the session keyring" => |_| raw(attempt::keyctl());
    "bpf" Syscalls None, "use BPF" => |_| raw(attempt::bpf());
    "perf" Syscalls None, "open a performance counter" => |_| raw(attempt::perf_event_open());
    "userfaultfd" Syscalls None, "make a userfaultfd" => |_| raw(attempt::userfaultfd());
    "open-by-handle" Syscalls None, "open a file by its handle" => |_| raw(attempt::open_by_handle_at());
    "chroot" Syscalls None, "change the root directory" => |_| raw(attempt::chroot());
    "set-user" Privileges None, "become another user" => |_| set_user();
    "capabilities" Privileges None, "take capabilities back" => |_| nix(caps::raise_some());
    "exec-copy" Exec None, "execute a copied program in the workspace" => |scene| exec_copy(scene);
    "exec-memory" Exec None, "make an executable file in memory" => |_| raw(attempt::memfd_create());
    "exec-descriptor" Exec None, "execute an open file by its descriptor" => |_| exec_descriptor();
    "exec-loader" Exec Some(LOADER_GAP), "execute a file of the workspace by the dynamic loader" => |scene| exec_loader(scene);
}

/// Runs the probe of that name, aimed at the scene that [`super::diagnose`] made.
///
/// To be called in a process of its own, which then prints the observation. `None` when there is no
/// probe of that name.
#[must_use]
pub fn run_probe(name: &str, scene: &Path) -> Option<Observation> {
    if name == RAN {
        return Some(Observation::NotBlocked(String::from("it ran")));
    }
    PROBES.iter().find(|probe| probe.name == name).map(|probe| (probe.run)(scene))
}

// Only a want of permission is protection. Other errors show that the kernel would have gone on.
fn observe(errno: Errno) -> Observation {
    match errno {
        Errno::EPERM | Errno::EACCES | Errno::ENOSYS => Observation::Blocked(format!("{errno:?}")),
        _ => Observation::NotBlocked(format!("it got as far as {errno:?}")),
    }
}

fn raw(answer: attempt::Answer) -> Observation {
    match answer {
        Ok(_) => Observation::NotBlocked(String::from("it succeeded")),
        Err(errno) => observe(errno),
    }
}

fn nix(answer: nix::Result<()>) -> Observation {
    raw(answer.map(|()| 0))
}

fn io<T>(result: io::Result<T>) -> Observation {
    raw(answer(result))
}

fn answer<T>(result: io::Result<T>) -> attempt::Answer {
    result.map(|_| 0).map_err(|error| error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))
}

fn create_temporary(scene: &Path) -> Observation {
    let Some(name) = scene.file_name() else { return unusable("the scene has no name") };
    let mut name = name.to_owned();
    name.push(".probe");
    // Beside the scene: a run has a temporary directory of its own.
    let path = scene.with_file_name(name);
    let created = OpenOptions::new().write(true).create_new(true).open(&path);
    if created.is_ok() {
        let _ = fs::remove_file(&path);
    }
    io(created)
}

fn rename_hook(scene: &Path) -> Observation {
    let file = scene.join(WORKSPACE).join("harmless");
    match fs::write(&file, "x") {
        Ok(()) => io(fs::rename(&file, scene.join(HOOKS).join("pre-push"))),
        Err(error) => unusable(&format!("no file can be made in the workspace: {error}")),
    }
}

fn gate_connect(scene: &Path) -> Observation {
    let port = fs::read_to_string(scene.join(CLOSED_PORT)).ok().and_then(|port| port.parse::<u16>().ok());
    match port {
        Some(port) => io(TcpStream::connect((Ipv4Addr::LOCALHOST, port))),
        None => unusable("the scene has no port"),
    }
}

fn truncate(scene: &Path) -> Observation {
    nix(nix::unistd::truncate(&scene.join(OUTSIDE_FILE), 0))
}

// Tries the same on every thread of the parent: one of them has started us, under our own restrictions.
fn of_parent(attempt: impl Fn(i32) -> attempt::Answer) -> Observation {
    let parent = getppid();
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let tasks = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
    let mut refused = None;
    for task in [parent.as_raw()].into_iter().chain(tasks) {
        match attempt(task) {
            // It has ended since.
            Err(Errno::ESRCH | Errno::ENOENT) => {}
            answer => match raw(answer) {
                Observation::Blocked(evidence) => refused = Some(Observation::Blocked(evidence)),
                observation => return observation,
            },
        }
    }
    refused.unwrap_or_else(|| unusable("the parent is not seen"))
}

fn signal(task: i32) -> attempt::Answer {
    nix::sys::signal::kill(Pid::from_raw(task), None).map(|()| 0)
}

fn read_environment(task: i32) -> attempt::Answer {
    answer(fs::read(format!("/proc/{task}/environ")))
}

fn read_memory(task: i32) -> attempt::Answer {
    match attempt::process_vm_readv(task) {
        Err(Errno::EPERM | Errno::EACCES) => answer(File::open(format!("/proc/{task}/mem"))),
        answer => answer,
    }
}

fn chmod(scene: &Path) -> Observation {
    io(fs::set_permissions(scene.join(OUTSIDE_FILE), Permissions::from_mode(0o640)))
}

fn unix_abstract(scene: &Path) -> Observation {
    io(abstract_address(scene).and_then(|address| UnixStream::connect_addr(&address)))
}

#[cfg(target_arch = "x86_64")]
fn int80() -> Observation {
    raw(attempt::int80_getpid())
}

#[cfg(not(target_arch = "x86_64"))]
fn int80() -> Observation {
    unusable("this architecture has no 32-bit interface of that kind")
}

fn x32() -> Observation {
    if cfg!(target_arch = "x86_64") {
        return raw(attempt::x32_getpid());
    }
    unusable("this architecture has no x32 numbers")
}

fn mount(scene: &Path) -> Observation {
    let target = scene.join(WORKSPACE).into_os_string().into_vec();
    CString::new(target)
        .map_or_else(|_| unusable("the scene has no name"), |target| raw(attempt::mount(&target)))
}

// Root gives up what it is, others try to become root.
fn set_user() -> Observation {
    raw(attempt::set_user(if geteuid().is_root() { 65534 } else { 0 }))
}

fn exec_copy(scene: &Path) -> Observation {
    run_copy(scene, |copy| Command::new(copy))
}

fn exec_loader(scene: &Path) -> Observation {
    let Some(loader) = LOADERS.iter().find(|loader| Path::new(loader).exists()) else {
        return unusable("no dynamic loader is known here");
    };
    run_copy(scene, |copy| {
        let mut command = Command::new(loader);
        command.arg(copy);
        command
    })
}

// Copies this program into the workspace and runs it there.
fn run_copy(scene: &Path, command: impl FnOnce(&Path) -> Command) -> Observation {
    let copy = scene.join(WORKSPACE).join("copy");
    let copied = fs::copy("/proc/self/exe", &copy)
        .and_then(|_| fs::set_permissions(&copy, Permissions::from_mode(0o755)));
    if let Err(error) = copied {
        return unusable(&format!("the program cannot be copied: {error}"));
    }
    let output = command(&copy).args(arguments().into_iter().skip(1)).stdin(Stdio::null()).output();
    let _ = fs::remove_file(&copy);
    match output {
        Ok(output) => judge(&output),
        Err(error) => io::<()>(Err(error)),
    }
}

fn exec_descriptor() -> Observation {
    let file = match File::open("/proc/self/exe") {
        Ok(file) => file,
        Err(error) => return unusable(&format!("the program cannot be opened: {error}")),
    };
    let arguments: Vec<CString> =
        arguments().into_iter().filter_map(|argument| CString::new(argument.into_vec()).ok()).collect();
    let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    raw(attempt::execveat_empty(file.as_fd(), &arguments))
}

// Our own arguments with the probe's name replaced: who gets them says that it ran.
fn arguments() -> Vec<OsString> {
    let is_probe = |argument: &OsString| PROBES.iter().any(|probe| argument.as_os_str() == probe.name);
    std::env::args_os().map(|argument| if is_probe(&argument) { RAN.into() } else { argument }).collect()
}

fn unusable(why: &str) -> Observation {
    Observation::NotApplicable(why.to_owned())
}
