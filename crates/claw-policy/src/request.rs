//! What can be asked.

use std::path::{Path, PathBuf};

use claw_shell::Script;
pub use claw_wire::FileAction;

use crate::{ProgramFact, Role};

/// A question to the policy.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// May this command run?
    Exec(&'a ExecRequest<'a>),
    /// May this file be touched?
    File(&'a FileRequest),
    /// May this variable be passed on? A name and, when it is being set, a value.
    Environment(&'a [u8]),
    /// May this address be reached?
    Network(&'a NetworkRequest),
    /// May this tool be used, of which nothing but the name is known?
    Tool(&'a str),
    /// May this process of a run execute this program?
    Descendant(&'a DescendantRequest<'a>),
}

/// Name and value pairs, bytes as the kernel takes them.
pub type Environment = Vec<(Vec<u8>, Vec<u8>)>;

/// A command that somebody wants to run.
#[derive(Clone, Debug)]
pub struct ExecRequest<'a> {
    /// Everything it could run, from `claw_shell::parse` or `claw_shell::from_argv`.
    pub script: &'a Script,
    /// The shell that reads the line (a bare name or an absolute path); `None` for an argument vector, and for
    /// a line means `bash`. The line has to be parsed in this shell's dialect.
    pub shell: Option<&'a [u8]>,
    /// The line's own text, which `script`'s spans point into; `None` for an argument vector.
    pub line: Option<&'a [u8]>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The variables that the caller asks to pass.
    pub environment: Environment,
}

/// A program that a process of a run is about to execute.
#[derive(Clone, Debug)]
pub struct DescendantRequest<'a> {
    /// The file that would run, resolved: its real path, its identity, and the interpreters that the kernel opens
    /// for it.
    pub program: &'a ProgramFact,
    /// Its argument vector as the caller passes it.
    pub argv: &'a [Vec<u8>],
    /// The caller's working directory.
    pub cwd: &'a Path,
    /// What the calling process is.
    pub caller: &'a Role,
}

/// Who touches the file.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Origin {
    /// The agent runtime's own file tools: the workspace and the listed roots only.
    #[default]
    Runtime,
    /// A command (a redirection, an output option): the built-in system profile is readable too.
    Command,
}

/// A file that somebody wants to touch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileRequest {
    /// What is done.
    pub action: FileAction,
    /// The path as asked for: absolute, relative to `cwd`, or beginning with `~`. Bytes.
    pub path: Vec<u8>,
    /// The second path of rename and hardlink.
    pub to: Option<Vec<u8>>,
    /// Whether a whole tree is meant (delete, chmod).
    pub recursive: bool,
    /// Where a relative path starts, absolute.
    pub cwd: PathBuf,
    /// Who asks.
    pub origin: Origin,
}

/// An address that somebody wants to reach.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkRequest {
    /// `tcp`, `udp`.
    pub protocol: crate::Protocol,
    /// The port.
    pub port: u16,
    /// The host name or address, when known.
    pub host: Option<String>,
}
