//! Files and sockets that the probes aim at, and the confinement that must keep them away.
#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use claw_policy::{Access, Confinement, Root};
use serde_json::json;

use crate::temporary::{self, TemporaryDirectory};

pub(super) const WORKSPACE: &str = "workspace";
pub(super) const OUTSIDE_FILE: &str = "outside/file";
pub(super) const OUTSIDE_NEW: &str = "outside/new";
pub(super) const OUTSIDE_SOCKET: &str = "outside/socket";
pub(super) const HIDDEN_FILE: &str = "shared/hidden";
pub(super) const HOOKS: &str = "workspace/.git/hooks";
pub(super) const CLOSED_PORT: &str = "port";

/// The dynamic loaders of the platforms that are known; those that exist may be executed.
pub(super) const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

// What a program needs to start and what the probes look at: programs, libraries, /proc.
const SYSTEM: [&str; 5] = ["/usr", "/lib", "/lib64", "/etc", "/proc"];

/// A directory with files inside and outside of a workspace, and two listening sockets.
#[derive(Debug)]
pub(super) struct Scene {
    directory: TemporaryDirectory,
    _listeners: [UnixListener; 2],
    // Of two ports one is open to the probes about the connect gate.
    ports: [TcpListener; 2],
}

impl Scene {
    pub(super) fn make() -> io::Result<Self> {
        let directory = TemporaryDirectory::create(&temporary::parent())?;
        let base = directory.path();
        for name in [WORKSPACE, "outside", "shared", HOOKS] {
            std::fs::create_dir_all(base.join(name))?;
        }
        for name in [OUTSIDE_FILE, HIDDEN_FILE, "shared/plain"] {
            std::fs::write(base.join(name), "secret")?;
        }
        let listeners = [
            UnixListener::bind(base.join(OUTSIDE_SOCKET))?,
            UnixListener::bind_addr(&abstract_address(base)?)?,
        ];
        let port = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (open, closed) = (port()?, port()?);
        std::fs::write(base.join(CLOSED_PORT), closed.local_addr()?.port().to_string())?;
        Ok(Self { directory, _listeners: listeners, ports: [open, closed] })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.path().join(WORKSPACE)
    }

    /// The same as a policy. `gated` opens one port of this machine.
    pub(super) fn policy(&self, program: &Path, gated: bool) -> String {
        let program = program.canonicalize().unwrap_or_else(|_| program.to_owned());
        let open =
            self.ports.first().and_then(|port| port.local_addr().ok()).map_or(1, |address| address.port());
        let allow = json!([{ "port": open, "protocol": "tcp", "host": "127.0.0.1" }]);
        let policy = json!({
            "workspace": self.workspace(),
            "exec": { "allowlist": [{ "path": escaped(&program) }] },
            "filesystem": {
                "readOnly": [self.path().join("shared"), self.path().join(CLOSED_PORT)],
                "hidden": [self.path().join(HIDDEN_FILE)],
            },
            "network": { "default": "deny", "allow": if gated { allow } else { json!([]) } },
        });
        policy.to_string()
    }

    /// The workspace is writable, the system readable, one shared directory readable but for one
    /// file, and only the probing program may be executed.
    pub(super) fn confinement(&self, program: &Path) -> Confinement {
        let shared = Root { except: vec![self.path().join(HIDDEN_FILE)], ..root(self.path().join("shared")) };
        let workspace = Root { access: Access::Write, ..root(self.workspace()) };
        // Every process that is started opens it.
        let nothing = Root { access: Access::Write, ..root(PathBuf::from("/dev/null")) };
        let system = SYSTEM.iter().filter_map(|path| Path::new(path).canonicalize().ok()).map(root);
        let loaders = LOADERS.iter().filter_map(|path| Path::new(path).canonicalize().ok());
        Confinement {
            roots: system.chain([workspace, shared, nothing]).collect(),
            executables: program.canonicalize().into_iter().chain(loaders).collect(),
            ..Confinement::default()
        }
    }
}

// A glob that matches this path alone.
fn escaped(path: &Path) -> String {
    let escape = |letter| if r"*?[]{}\!".contains(letter) { vec!['\\', letter] } else { vec![letter] };
    path.to_string_lossy().chars().flat_map(escape).collect()
}

fn root(path: PathBuf) -> Root {
    Root { path, access: Access::Read, execute: false, required: true, except: Vec::new() }
}

/// The abstract socket that belongs to a scene.
pub(super) fn abstract_address(scene: &Path) -> io::Result<SocketAddr> {
    let name = scene.file_name().unwrap_or_default();
    SocketAddr::from_abstract_name(name.as_encoded_bytes())
}
