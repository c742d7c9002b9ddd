//! A place for an attack or a tool: a workspace, what lies outside of it, and somebody outside to be attacked.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::programs;

/// What every file outside holds at first.
pub const ORIGINAL: &str = "original\n";

/// A place with a workspace (`ws`), a read-only root (`ro`), a home and what is nobody's business (`out`).
#[derive(Debug)]
pub struct Scene {
    directory: TempDir,
    names: BTreeMap<&'static str, String>,
    secret: String,
    victim: OnceCell<Victim>,
    runner: Cell<u32>,
    ears: Ears,
}

impl Scene {
    /// A new place.
    #[must_use]
    pub fn new() -> Self {
        let directory = TempDir::with_prefix("claw-suite-").unwrap();
        let root = directory.path().canonicalize().unwrap();
        let token = root.file_name().unwrap().to_string_lossy().into_owned();
        let ears = Ears::new(&root, &token);
        let mut names = BTreeMap::from([
            ("attack", programs::attack().display().to_string()),
            ("root", root.display().to_string()),
            ("token", token.clone()),
        ]);
        for name in ["ws", "out", "ro", "home", "state", "shut"] {
            fs::create_dir(root.join(name)).unwrap();
            names.insert(name, root.join(name).display().to_string());
        }
        ears.name(&mut names);
        let scene = Self {
            directory,
            names,
            secret: format!("PRIVATE-{token}"),
            victim: OnceCell::new(),
            runner: Cell::new(0),
            ears,
        };
        for file in ["out/kept", "ro/kept", "ws/own"] {
            scene.write(file, ORIGINAL);
        }
        scene.write("out/secret", scene.secret());
        fs::create_dir(root.join("out/empty")).unwrap();
        scene
    }

    /// A path in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        Path::new(&self.names["root"]).join(name)
    }

    /// Writes a file of mode 640, with the directories above it.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        path
    }

    /// What must not get out.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Gives a text the names of this place: `{ws}`, `{out}`, `{port}` ... Braces around other words stay.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        if ["{pid}", "{address}", "{length}", "{descriptor}"].iter().any(|name| text.contains(name)) {
            let victim = self.victim();
            filled = filled
                .replace("{pid}", &victim.process.id().to_string())
                .replace("{address}", &victim.address)
                .replace("{length}", &victim.length)
                .replace("{descriptor}", &victim.descriptor);
        }
        for (name, value) in &self.names {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        filled
    }

    /// Gives a name a value.
    pub fn name(&mut self, name: &'static str, value: String) {
        self.names.insert(name, value);
    }

    /// The process outside; it is started when it is first asked for.
    pub fn victim(&self) -> &Victim {
        self.victim.get_or_init(|| Victim::start(self))
    }

    /// Says which process was started for the attack.
    pub fn set_runner(&self, process: u32) {
        self.runner.set(process);
    }

    /// The process that was started for the attack: the sandbox's own where there is one.
    #[must_use]
    pub fn runner(&self) -> u32 {
        self.runner.get()
    }

    /// How many connections and datagrams have arrived so far.
    #[must_use]
    pub fn heard(&self) -> usize {
        self.ears.heard()
    }

    /// How many connections have arrived at the second TCP port.
    #[must_use]
    pub fn heard_other(&self) -> usize {
        self.ears.tcp.get(1).map_or(0, |ear| std::iter::from_fn(|| ear.accept().ok()).count())
    }

    /// Everything alive that names this place in its command line, but for the sandbox itself.
    #[must_use]
    pub fn attackers(&self) -> Vec<u32> {
        let victim = self.victim.get().map(|victim| victim.process.id());
        let token = &self.names["token"];
        processes()
            .filter(|process| Some(*process) != victim && is_alive(*process))
            .filter(|process| {
                let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
                let program = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains(token.as_str()) && program != programs::sandbox()
            })
            .collect()
    }

    /// Whether an attacker is alive and this holds for it.
    pub fn some_attacker(&self, holds: impl FnMut(u32) -> bool) -> bool {
        self.attackers().into_iter().any(holds)
    }

    /// Whether a file of the workspace, or `said`, holds the secret.
    #[must_use]
    pub fn is_out(&self, said: &[u8]) -> bool {
        let holds = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&self.secret);
        holds(said)
            || files(&self.path("ws")).iter().any(|file| fs::read(file).is_ok_and(|bytes| holds(&bytes)))
    }

    /// A program in the workspace, with a small environment.
    pub fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("ws"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null());
        command
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scene {
    /// Ends what an attack left running, so that one case cannot disturb another.
    fn drop(&mut self) {
        for process in self.attackers() {
            let _ = Command::new("kill").args(["-s", "KILL", &process.to_string()]).output();
        }
        let _ = &self.directory;
    }
}

/// A process outside with a secret in its memory, its environment and its descriptors.
#[derive(Debug)]
pub struct Victim {
    /// The process.
    pub process: Child,
    /// Where its secret lies in its memory.
    pub address: String,
    length: String,
    descriptor: String,
}

impl Victim {
    fn start(scene: &Scene) -> Self {
        let mut command = scene.program(programs::attack());
        command.args(["victim".into(), scene.path("out/signals"), scene.path("out/secret")]);
        command.env("SECRET", scene.secret()).stdout(Stdio::piped());
        // A group of its own, so that a signal to it cannot be one for the tests.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = said.into_iter().find(|line| line.starts_with("victim ")).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let [_, _, address, length, descriptor] = words[..] else { panic!("the victim says {line}") };
        let [address, length, descriptor] = [address, length, descriptor].map(str::to_owned);
        Self { process, address, length, descriptor }
    }

    /// Whether it has been signalled or ended.
    #[must_use]
    pub fn was_signalled(&self, scene: &Scene) -> bool {
        !is_alive(self.process.id()) || scene.path("out/signals").exists()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sockets outside that count who comes. All of them are on loopback or in the place.
#[derive(Debug)]
struct Ears {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
    unix: Vec<UnixListener>,
    datagrams: Vec<UnixDatagram>,
}

impl Ears {
    fn new(root: &Path, token: &str) -> Self {
        let address = |name: &str| SocketAddr::from_abstract_name(format!("{token}{name}")).unwrap();
        // Of two, a policy may open the first. The same port on IPv6 and for UDP as far as it is free.
        let tcp = vec![TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
        let udp = vec![UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap()];
        let mut ears = Self {
            tcp,
            udp,
            unix: vec![
                UnixListener::bind(root.join("socket")).unwrap(),
                UnixListener::bind_addr(&address("")).unwrap(),
            ],
            datagrams: vec![
                UnixDatagram::bind(root.join("datagrams")).unwrap(),
                UnixDatagram::bind_addr(&address("-datagrams")).unwrap(),
            ],
        };
        // A machine without IPv6 has no such ears; the control of a case then fails and says so.
        ears.tcp.extend(TcpListener::bind("[::1]:0"));
        ears.udp.extend(UdpSocket::bind("[::1]:0"));
        ears.tcp.iter().for_each(|ear| ear.set_nonblocking(true).unwrap());
        ears.udp.iter().for_each(|ear| ear.set_nonblocking(true).unwrap());
        ears.unix.iter().for_each(|ear| ear.set_nonblocking(true).unwrap());
        ears.datagrams.iter().for_each(|ear| ear.set_nonblocking(true).unwrap());
        ears
    }

    fn name(&self, names: &mut BTreeMap<&'static str, String>) {
        let mut tcp = self.tcp.iter().map(|ear| ear.local_addr().unwrap().port());
        let mut udp = self.udp.iter().map(|ear| ear.local_addr().unwrap().port());
        let mut next = |name: &'static str, ports: &mut dyn Iterator<Item = u16>| {
            names.insert(name, ports.next().unwrap_or(9).to_string());
        };
        next("port", &mut tcp);
        next("other", &mut tcp);
        next("port6", &mut tcp);
        next("uport", &mut udp);
        next("uother", &mut udp);
        next("uport6", &mut udp);
    }

    // What has arrived waits in the kernel's queues, so nothing has to be waited for.
    fn heard(&self) -> usize {
        let mut buffer = [0; 64];
        let mut heard = 0;
        heard += self.tcp.iter().map(|ear| std::iter::from_fn(|| ear.accept().ok()).count()).sum::<usize>();
        heard += self.unix.iter().map(|ear| std::iter::from_fn(|| ear.accept().ok()).count()).sum::<usize>();
        for ear in &self.udp {
            heard += std::iter::from_fn(|| ear.recv(&mut buffer).ok()).count();
        }
        for ear in &self.datagrams {
            heard += std::iter::from_fn(|| ear.recv(&mut buffer).ok()).count();
        }
        heard
    }
}

/// The ids of all processes that can be seen.
pub fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a process exists and is no zombie.
#[must_use]
pub fn is_alive(process: u32) -> bool {
    let state = |stat: String| stat.rsplit(") ").next().unwrap_or("").chars().next();
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.ok().and_then(state).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// All plain files beneath a directory.
#[must_use]
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}
