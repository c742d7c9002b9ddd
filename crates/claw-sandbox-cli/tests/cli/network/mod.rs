//! Network rules on the whole process tree, judged by what real servers on the loopback interface saw.
//!
//! Each attack is first shown to arrive without the sandbox.

mod works;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Place, Ran, User, eventually};

const ATTACKS: &str = include_str!("attacks.py");

/// A port for TCP and UDP, and what arrived there.
pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1. It ends with the test's process.
    pub(crate) fn start() -> Self {
        let (tcp, udp) = (0..100)
            .find_map(|_| {
                let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
                let udp = UdpSocket::bind(tcp.local_addr().ok()?).ok()?;
                Some((tcp, udp))
            })
            .unwrap();
        let (port, seen) = (tcp.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
        let by_udp = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = udp.recv(&mut bytes) {
                by_udp
                    .lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(bytes.get(..length).unwrap()).into_owned());
            }
        });
        let by_tcp = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                let (mut stream, seen) = (stream.unwrap(), Arc::clone(&by_tcp));
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    let mut text = String::new();
                    let _ = stream.read_to_string(&mut text);
                    // A connection alone is a contact, too.
                    seen.lock().unwrap().push(if text.is_empty() { "contact".to_owned() } else { text });
                });
            }
        });
        Self { port, seen }
    }

    /// What has arrived so far.
    pub(crate) fn seen(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().iter().cloned().collect()
    }

    fn sees(&self, text: &str) -> bool {
        eventually(|| self.seen().contains(text))
    }
}

/// Says what this host cannot test.
pub(crate) fn skip(what: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
}

/// A policy with these network rules, in a file that commands cannot change.
pub(crate) fn policy(place: &Place, programs: &str, rules: &str) -> String {
    let text = format!(
        "exec: {{ allowlist: [{programs}] }}\n\
         network: {{ allow: [{rules}] }}\n\
         enforcement: {{ degrade: [protected-paths, metadata] }}\n"
    );
    place.write("policy.yaml", text).to_str().unwrap().to_owned()
}

fn names() -> Vec<&'static str> {
    let lines = ATTACKS.split("@way\ndef ").skip(1);
    lines.map(|rest| rest.split('(').next().unwrap()).collect()
}

// What the system's python3 makes of the attacks, without a sandbox.
fn control(allowed: &Server, target: &Server) -> Vec<&'static str> {
    let place = Place::new();
    let script = place.write("work/attacks.py", ATTACKS);
    let output = Command::new("/usr/bin/python3")
        .arg(&script)
        .args([allowed.port.to_string(), target.port.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (works, other): (Vec<_>, Vec<_>) =
        names().into_iter().partition(|name| said.contains(&format!("{name} done")));
    for name in other {
        skip(&format!("`{name}` does not work on this host without a sandbox either: {said}"));
    }
    works
}

#[test]
fn no_way_reaches_a_port_that_no_rule_names() {
    let (allowed, target) = (Server::start(), Server::start());
    let works = control(&allowed, &target);
    for name in &works {
        assert!(target.sees(name), "the control of {name}");
    }
    assert!(works.len() >= 25, "{works:?}");
    for user in User::all() {
        let (allowed, target) = (Server::start(), Server::start());
        let place = Place::of(user);
        place.write("work/attacks.py", ATTACKS);
        let rule = format!("{{ host: 127.0.0.1, port: {} }}", allowed.port);
        let policy = policy(&place, "python3", &rule);
        let (good, bad) = (allowed.port.to_string(), target.port.to_string());
        let ran =
            place.run(["run", "--policy", &policy, "--", "python3", "attacks.py", &good, &bad]).exits(0);
        // Later than whatever an attack sent: it goes the same ways.
        assert_eq!(ran.stdout.lines().count(), names().len(), "{ran:#?}");
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(target.seen(), BTreeSet::new(), "{user:?}: {ran:#?}");
        ran.says(&format!("port {bad}/tcp")).says(&format!("port {bad}/udp"));
        // The races were real: what they may send arrived.
        for race in ["race_of_names", "race_of_messages", "race_of_connects"] {
            assert!(allowed.sees(race), "{race}");
        }
    }
}

#[test]
fn every_way_reaches_a_port_that_a_rule_names() {
    // What no rule can allow.
    let closed = ["tcp_mptcp", "tcp_fast_open", "tcp_fast_open_message", "race_of_descriptors"];
    for user in User::all() {
        let (first, second) = (Server::start(), Server::start());
        let place = Place::of(user);
        place.write("work/attacks.py", ATTACKS);
        let rules = [first.port, second.port].map(|port| format!("{{ host: loopback, port: {port} }}"));
        let policy = policy(&place, "python3", &rules.join(", "));
        let (good, bad) = (first.port.to_string(), second.port.to_string());
        let ran =
            place.run(["run", "--policy", &policy, "--", "python3", "attacks.py", &good, &bad]).exits(0);
        for name in names().into_iter().filter(|name| !closed.contains(name)) {
            assert!(second.sees(name), "{user:?} {name}: {ran:#?}");
        }
    }
}

// One protocol is not the other's.
#[test]
fn a_protocol_that_no_rule_names_has_no_sockets() {
    let script = "\
import socket
for name, family, kind, protocol in [
    ('tcp', 2, 1, 0), ('tcp6', 10, 1, 6), ('udp', 2, 2, 0), ('udp6', 10, 2, 17), ('mptcp', 2, 1, 262),
    ('sctp', 2, 1, 132), ('udplite', 2, 2, 136), ('ping', 2, 2, 1), ('dccp', 2, 6, 33), ('seqpacket', 2, 5, 132),
    ('raw', 2, 3, 1), ('raw6', 10, 3, 58), ('packet', 17, 2, 0), ('netlink', 16, 3, 0), ('vsock', 40, 1, 0),
    ('alg', 38, 5, 0), ('bluetooth', 31, 3, 0), ('unix datagram', 1, 2, 0), ('xdp', 44, 3, 0), ('smc', 43, 1, 0),
]:
    try: socket.socket(family, kind, protocol); print(name, 'made')
    except OSError as error: print(name, error.errno)
";
    let cases = [
        ("{ port: 443, protocol: tcp }", &["tcp", "tcp6"][..]),
        ("{ port: 53, protocol: udp }", &["udp", "udp6"]),
        ("{ port: 443, protocol: tcp }, { port: 53, protocol: udp }", &["tcp", "tcp6", "udp", "udp6"]),
        ("", &[]),
    ];
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/sockets.py", script);
        for (rules, expected) in cases {
            let policy = policy(&place, "python3", rules);
            let ran = place.run(["run", "--policy", &policy, "--", "python3", "sockets.py"]).exits(0);
            assert_eq!(ran.stdout.lines().count(), 20, "{ran:#?}");
            let made: Vec<_> = ran.stdout.lines().filter_map(|line| line.strip_suffix(" made")).collect();
            assert_eq!(made, expected, "{rules}: {ran:#?}");
            let errors = ran.stdout.lines().filter(|line| !line.ends_with(" made"));
            assert!(errors.clone().all(|line| line.ends_with(" 1")), "{ran:#?}");
        }
    }
}

#[test]
fn the_rules_of_the_seed_open_no_private_address() {
    let rules = "{ port: 443, protocol: tcp }, { port: 53, protocol: udp }";
    // Addresses that lead nowhere outside: each must be denied before a packet is sent.
    let script = "\
import socket, sys
for host, kind, port in [
    ('127.0.0.1', 1, 443), ('127.0.0.1', 2, 53), ('0.0.0.0', 1, 443), ('10.0.0.1', 1, 443), ('172.16.0.1', 2, 53),
    ('192.168.1.1', 1, 443), ('169.254.169.254', 1, 443), ('169.254.169.254', 2, 53), ('100.64.0.1', 1, 443),
    ('198.18.0.1', 1, 443), ('224.0.0.251', 2, 53), ('255.255.255.255', 2, 53), ('::1', 1, 443), ('::', 1, 443),
    ('fd00:ec2::254', 1, 443), ('fe80::1', 1, 443), ('ff02::1', 2, 53), ('::ffff:169.254.169.254', 1, 443),
    ('64:ff9b::a9fe:a9fe', 1, 443), ('2002:7f00:1::', 1, 443), ('192.0.2.1', 1, 80), ('192.0.2.1', 2, 443),
]:
    s = socket.socket(10 if ':' in host else 2, kind)
    s.settimeout(2)
    try: s.connect((host, port)); print(host, port, 'reached')
    except OSError as error: print(host, port, error.errno)
";
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/private.py", script);
        let policy = policy(&place, "python3", rules);
        let ran = place.run(["run", "--policy", &policy, "--", "python3", "private.py"]).exits(0);
        let denied = ran.stdout.lines().filter(|line| line.ends_with(" 13")).count();
        assert_eq!(denied, 22, "{ran:#?}");
    }
}

#[test]
fn rules_by_name_are_refused_unless_given_up() {
    let place = Place::new();
    let server = Server::start();
    let port = server.port;
    let rules = format!("{{ host: api.example.org, port: 443 }}, {{ host: 127.0.0.1, port: {port} }}");
    let path = policy(&place, "python3", &rules);
    place.write(
        "work/go.py",
        format!("import socket; socket.create_connection(('127.0.0.1', {port})).sendall(b'hi')"),
    );
    let ran = place.run(["run", "--policy", &path, "--", "python3", "go.py"]).exits(125).says_one_line();
    ran.says("any:api.example.org:443").says("network");
    let text = std::fs::read_to_string(&path).unwrap().replace("degrade: [", "degrade: [network, ");
    place.write("policy.yaml", text);
    place.run(["run", "--policy", &path, "--", "python3", "go.py"]).exits(0);
    assert!(server.sees("hi"));
}

#[test]
fn nothing_listens_but_where_the_loopback_is_open() {
    // Each listens in its own way and says where; the test knocks from outside.
    let script = "\
import socket, sys, time
way = sys.argv[1]
def wait(s):
    print(s.getsockname()[1], flush=True)
    s.settimeout(10)
    c, _ = s.accept()
    c.sendall(b'inside')
s = socket.socket(10 if way.endswith('6') else 2)
if way == 'unbound': s.listen()
elif way == 'any': s.bind(('0.0.0.0', 0)); s.listen()
elif way == 'any6': s.bind(('::', 0)); s.listen()
elif way == 'loopback': s.bind(('127.0.0.1', 0)); s.listen()
elif way == 'mapped6': s.bind(('::ffff:127.0.0.1', 0)); s.listen()
elif way == 'port': s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', int(sys.argv[2]))); s.listen()
wait(s)
";
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let knock = |mut command: Command| -> bool {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        let text = line.trim().parse::<u16>().ok().and_then(|port| {
            let mut text = String::new();
            std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?.read_to_string(&mut text).ok()?;
            Some(text)
        });
        let _ = child.kill();
        let _ = child.wait();
        text.as_deref() == Some("inside")
    };
    let ways = ["unbound", "any", "any6", "loopback", "mapped6", "port"];
    let place = Place::new();
    let path = place.write("work/listen.py", script);
    for way in ways {
        let mut plain = Command::new("/usr/bin/python3");
        plain.arg(&path).args([way, &free.to_string()]);
        assert!(knock(plain), "the control of {way}");
    }
    let cases = [
        ("{ port: 443 }", &[][..]),
        ("{ host: 127.0.0.1 }", &[]),
        ("{ host: loopback, port: 443 }", &[]),
        ("{ host: loopback, protocol: udp }, { port: 443, protocol: tcp }", &[]),
        ("{ host: loopback }", &["loopback", "mapped6", "port"]),
    ];
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/listen.py", script);
        for (rules, open) in cases {
            let policy = policy(&place, "python3", rules);
            for way in ways {
                let arguments =
                    ["run", "--policy", &policy, "--", "python3", "listen.py", way, &free.to_string()];
                assert_eq!(knock(place.cli(arguments)), open.contains(&way), "{user:?} {rules} {way}");
            }
        }
    }
}

#[test]
fn unix_sockets_are_open_in_writable_trees_only() {
    let script = "\
import os, socket, sys
def attempt(name, path, act):
    s = socket.socket(socket.AF_UNIX)
    try: getattr(s, act)(path); print(name, 'done', flush=True)
    except OSError as error: print(name, error.errno, flush=True)
os.symlink(sys.argv[1], 'link')
os.symlink(os.path.dirname(sys.argv[1]), 'directory')
attempt('outside', sys.argv[1], 'connect')
attempt('outside-by-link', 'link', 'connect')
attempt('outside-by-directory', 'directory/socket', 'connect')
attempt('outside-by-proc', '/proc/self/cwd/../socket', 'connect')
attempt('outside-new', sys.argv[1] + '2', 'bind')
attempt('outside-new-by-directory', 'directory/socket3', 'bind')
attempt('abstract', '\\0' + sys.argv[2], 'connect')
attempt('abstract-new', '\\0' + sys.argv[2] + '2', 'bind')
attempt('inside-new', 'mine', 'bind')
attempt('inside-long', os.path.abspath('mine2'), 'bind')
s = socket.socket(socket.AF_UNIX)
s.bind('listening'); s.listen()
attempt('inside', 'listening', 'connect')
print(s.getsockname(), oct(os.stat('listening').st_mode & 0o777))
";
    use std::os::linux::net::SocketAddrExt as _;
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/unix.py", script);
        let outside = place.path("socket");
        let abstract_name = format!("claw-test-{}-{user:?}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let servers = [
            std::os::unix::net::UnixListener::bind(&outside).unwrap(),
            std::os::unix::net::UnixListener::bind_addr(&address).unwrap(),
        ];
        place.give(".");
        for server in &servers {
            server.set_nonblocking(true).unwrap();
        }
        for rules in
            ["", "{ port: 443, protocol: tcp }", "{ port: 443, protocol: tcp }, { port: 53, protocol: udp }"]
        {
            let policy = policy(&place, "python3", rules);
            let arguments = ["run", "--policy", &policy, "--", "python3", "unix.py"];
            let arguments = arguments.into_iter().map(std::ffi::OsStr::new);
            let inside =
                place.cli(arguments.chain([outside.as_os_str(), abstract_name.as_ref()])).output().unwrap();
            let inside = Ran::new("inside".into(), &inside);
            for server in &servers {
                assert!(server.accept().is_err(), "{inside:#?}");
            }
            assert!(!place.path("socket2").exists() && !place.path("socket3").exists());
            for name in ["inside-new", "inside-long", "inside"] {
                assert!(inside.stdout.contains(&format!("{name} done\n")), "{inside:#?}");
            }
            // Without network rules nobody is asked about a bind; an abstract name leads in, not out.
            let by_kernel = usize::from(rules.is_empty());
            assert_eq!(inside.stdout.matches("done").count(), 3 + by_kernel, "{inside:#?}");
            assert!(inside.stdout.contains("listening 0o755"), "{inside:#?}");
            for name in ["link", "directory", "mine", "mine2", "listening"] {
                std::fs::remove_file(place.path("work").join(name)).unwrap();
            }
        }
        // The control.
        let plain =
            place.program("/usr/bin/python3").arg("unix.py").arg(&outside).arg(&abstract_name).output();
        let plain = Ran::new("outside".into(), &plain.unwrap());
        assert_eq!(plain.stdout.matches("done").count(), 11, "{plain:#?}");
        assert!(servers.iter().all(|server| server.accept().is_ok()));
    }
}
