//! What must keep working, and end, under network rules.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{policy, skip};
use crate::harness::{Place, User};

fn python(place: &Place, rules: &str, script: &str) -> crate::harness::Ran {
    let policy = policy(place, "python3", rules);
    place.write("work/script.py", script);
    place.run(["run", "--policy", &policy, "--", "python3", "script.py"])
}

#[test]
fn curl_reaches_an_http_server_that_is_named() {
    if Command::new("curl").arg("--version").output().is_err() {
        skip("there is no curl");
        return;
    }
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        }
    });
    for user in User::all() {
        let place = Place::of(user);
        let policy = policy(&place, "curl", &format!("{{ host: 127.0.0.1, port: {port}, protocol: tcp }}"));
        let url = format!("http://127.0.0.1:{port}/");
        let ran = place.run(["run", "--policy", &policy, "--", "curl", "-sS", &url]).exits(0).prints("hello");
        assert_eq!(ran.stderr, "", "{ran:#?}");
        let url = format!("http://localhost:{}/", port ^ 1);
        place.run(["run", "--policy", &policy, "--", "curl", "-sS", &url]).exits(7).says("denied");
    }
}

#[test]
fn processes_of_a_run_talk_over_the_open_loopback() {
    let script = "\
import os, socket, threading, asyncio
async def echo(reader, writer):
    writer.write((await reader.read(100)).upper()); await writer.drain(); writer.close()
async def main():
    server = await asyncio.start_server(echo, '127.0.0.1', 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b'tcp'); await writer.drain(); writer.write_eof()
    print((await reader.read()).decode())
    server = await asyncio.start_server(echo, '::1', 0)
    reader, writer = await asyncio.open_connection('::1', server.sockets[0].getsockname()[1])
    writer.write(b'six'); await writer.drain(); writer.write_eof()
    print((await reader.read()).decode())
asyncio.run(main())
a, b = socket.socket(2, 2), socket.socket(2, 2)
a.bind(('127.0.0.1', 0))
b.sendto(b'UDP', a.getsockname())
data, peer = a.recvfrom(10)
a.sendto(data + b'-BACK', peer)
print(b.recv(20).decode())
";
    if TcpListener::bind("[::1]:0").is_err() {
        skip("there is no IPv6 here");
        return;
    }
    for user in User::all() {
        let place = Place::of(user);
        let ran = python(&place, "{ host: loopback }", script).exits(0);
        assert_eq!((&*ran.stdout, &*ran.stderr), ("TCP\nSIX\nUDP-BACK\n", ""), "{ran:#?}");
    }
}

#[test]
fn messages_are_sent_whole_with_what_they_carry() {
    let script = "\
import array, os, signal, socket, subprocess, sys, threading
from multiprocessing.connection import Client, Listener
a, b = socket.socketpair()
got = bytearray()
def drain():
    while len(got) < 8 << 20: got.extend(b.recv(1 << 16))
thread = threading.Thread(target=drain)
thread.start()
data, sent = os.urandom(8 << 20), 0
while sent < len(data): sent += a.sendmsg([data[sent:sent + 300], data[sent + 300:sent + (1 << 20)]])
thread.join()
print('stream', bytes(got) == data)
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
r, w = os.pipe()
socket.send_fds(a, [b'one', b'two'], [w, w])
message, fds, _, _ = socket.recv_fds(b, 100, 5)
os.write(fds[1], b'through')
print('passed', message, len(fds), os.read(r, 20))
a, b = socket.socketpair()
b.close()
signal.signal(signal.SIGPIPE, lambda *_: print('SIGPIPE'))
try: a.sendmsg([b'x'])
except BrokenPipeError: print('broken pipe')
try: a.sendmsg([b'x'], [], socket.MSG_NOSIGNAL)
except BrokenPipeError: print('broken pipe without a signal')
a, b = socket.socketpair()
a.setblocking(False)
try:
    while True: a.sendmsg([bytes(1 << 16)])
except BlockingIOError: print('would block')
a, b = socket.socketpair()
try: os.close(r); socket.send_fds(a, [b'x'], [r])
except OSError as error: print('no such descriptor', error.errno)
s = socket.socket(2, 2)
try: s.sendmsg([bytes(70000)], [], 0, ('127.0.0.1', 9))
except OSError as error: print('too long', error.errno)
with Listener(family='AF_UNIX') as listener:
    child = os.fork()
    if child == 0:
        with Client(listener.address) as client: client.send({'a': [1, 2]})
        os._exit(0)
    with listener.accept() as connection: print('listener', connection.recv())
    os.waitpid(child, 0)
";
    for user in User::all() {
        let place = Place::of(user);
        let ran = python(&place, "{ host: loopback, protocol: udp }", script).exits(0);
        let expected = "stream True\npassed b'onetwo' 2 b'through'\nSIGPIPE\nbroken pipe\n\
             broken pipe without a signal\nwould block\nno such descriptor 9\ntoo long 90\n\
             listener {'a': [1, 2]}\n";
        assert_eq!(ran.stdout, expected, "{ran:#?}");
    }
}

#[test]
fn a_connect_behaves_as_the_kernel_s() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let script = format!(
        "\
import errno, select, socket
def code(act):
    try: return act()
    except OSError as error: return errno.errorcode[error.errno]
print(code(lambda: socket.create_connection(('127.0.0.1', {free}))))
s = socket.socket(); s.setblocking(False)
print(code(lambda: s.connect(('127.0.0.1', {free}))) in ('EINPROGRESS', 'ECONNREFUSED'))
print(code(lambda: socket.socket(2, 2).send(b'x')))
print(code(lambda: socket.socket().connect(('127.0.0.1', 1))))
print(code(lambda: socket.socket(fileno=0)))
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def raw(*arguments): libc.connect(*arguments); return errno.errorcode[ctypes.get_errno()]
t = socket.socket()
print(raw(999, b'', 16), raw(0, b'', 16), raw(t.fileno(), 8, 16), raw(t.fileno(), bytes(200), 200), raw(t.fileno(), b'\\2', 1))
"
    );
    let place = Place::new();
    let ran = python(&place, "{ host: loopback, port: 1 }, { host: loopback }", &script).exits(0);
    assert_eq!(
        ran.stdout,
        "ECONNREFUSED\nTrue\nEDESTADDRREQ\nECONNREFUSED\nENOTSOCK\nEBADF ENOTSOCK EFAULT EINVAL EINVAL\n",
        "{ran:#?}"
    );
}

// A peer that answers nothing: its queue is full.
fn silent_peer() -> (TcpListener, Vec<std::net::TcpStream>) {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    nix_listen(&server);
    let address = server.local_addr().unwrap();
    let patience = Duration::from_millis(300);
    let streams =
        (0..10).map_while(|_| std::net::TcpStream::connect_timeout(&address, patience).ok()).collect();
    (server, streams)
}

// Python makes the queue as short as it can be.
fn nix_listen(server: &TcpListener) {
    use std::os::fd::AsFd as _;
    let fd = server.as_fd().try_clone_to_owned().unwrap();
    let status = Command::new("/usr/bin/python3")
        .args(["-c", "import socket; socket.socket(fileno=0).listen(0)"])
        .stdin(fd)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_connect_that_waits_holds_up_nothing_and_ends_with_its_run() {
    let (server, streams) = silent_peer();
    assert!(streams.len() < 10, "the queue is full");
    let port = server.local_addr().unwrap().port();
    let script = format!(
        "\
import os, socket, subprocess, sys, threading
def wait(): socket.socket().connect(('127.0.0.1', {port}))
for _ in range(3): threading.Thread(target=wait, daemon=True).start()
if os.fork() == 0: wait()
print(subprocess.run([sys.executable, '-c', 'print(1 + 1)'], capture_output=True, text=True).stdout, flush=True)
s = socket.socket(); s.settimeout(0.5)
try: s.connect(('127.0.0.1', {port}))
except TimeoutError: print('timed out', flush=True)
threading.Event().wait()
"
    );
    for user in User::all() {
        let place = Place::of(user);
        let policy = policy(&place, "python3", &format!("{{ host: 127.0.0.1, port: {port} }}"));
        place.write("work/wait.py", &script);
        let since = Instant::now();
        let ran = place.run(["run", "--timeout", "5s", "--policy", &policy, "--", "python3", "wait.py"]);
        assert!(ran.stdout.contains("2\n") && ran.stdout.contains("timed out"), "{ran:#?}");
        // The kernel would try for two minutes.
        assert!(since.elapsed() < Duration::from_secs(60), "{ran:#?}");
    }
}
