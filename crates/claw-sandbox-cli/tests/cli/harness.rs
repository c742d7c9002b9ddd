//! Runs the binary in a place of its own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Who runs the binary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum User {
    /// Whoever runs the tests.
    Current,
    /// Uid 65534 without groups and capabilities, through `setpriv`.
    Nobody,
}

impl User {
    /// Everybody that the tests can be here. A user that is left out is named on standard error.
    pub(crate) fn all() -> Vec<Self> {
        if !is_root() {
            let _ = Write::write_fmt(
                &mut std::io::stderr(),
                format_args!(
                    "skipped: uid 65534 needs root to become; this test runs as the current user only\n"
                ),
            );
            return vec![Self::Current];
        }
        if Command::new("setpriv").arg("--version").output().is_err() {
            let _ = Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("skipped: uid 65534 needs setpriv (util-linux); this test runs as root only\n"),
            );
            return vec![Self::Current];
        }
        vec![Self::Current, Self::Nobody]
    }
}

pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// A temporary directory with a home, a workspace and the binary.
pub(crate) struct Place {
    directory: TempDir,
    user: User,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::of(User::Current)
    }

    pub(crate) fn of(user: User) -> Self {
        let directory = TempDir::with_prefix("claw-cli-").unwrap();
        let place = Self { directory, user };
        for name in ["home", "work", "bin"] {
            fs::create_dir(place.path(name)).unwrap();
        }
        // Uid 65534 cannot always reach the build directory. A process of its own makes the copy: what another
        // test forks meanwhile would hold a file of ours open for writing, and such a file cannot be run.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_claw-sandbox")).arg(place.binary()).status();
        assert!(copied.unwrap().success());
        place.give(".");
        place
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    fn binary(&self) -> PathBuf {
        self.path("bin/claw-sandbox")
    }

    /// Writes a file (and the directories above it) that belongs to the user.
    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.give(".");
        path
    }

    /// Makes everything beneath `name` the user's own.
    pub(crate) fn give(&self, name: &str) {
        if self.user == User::Nobody {
            let status =
                Command::new("chown").args(["-Rh", "65534:65534"]).arg(self.path(name)).status().unwrap();
            assert!(status.success());
        }
    }

    /// A program as the place's user, in the workspace, with a small environment.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        // What `nohup` and background jobs ignore is inherited, and the tests send it.
        let mut command = Command::new("env");
        command.arg("--default-signal");
        if self.user == User::Nobody {
            let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--"];
            command.arg("setpriv").args(user);
        }
        command
            .arg(program)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// The binary.
    pub(crate) fn cli<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.program(self.binary());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What the binary does with these arguments.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let output = self.cli(&args).output().unwrap();
        Ran::new(format!("{args:?}"), &output)
    }

    /// What the binary does with these arguments and this standard input.
    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &[u8]) -> Ran {
        let mut child = self.cli(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join();
        Ran::new("with input".to_owned(), &output)
    }
}

/// What a finished process left.
#[derive(Debug)]
pub(crate) struct Ran {
    #[expect(dead_code, reason = "shown by Debug when a test fails")]
    what: String,
    /// As a shell counts: 128 + the signal that ended it.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(what: String, output: &std::process::Output) -> Self {
        Self {
            what,
            status: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap()),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless the exit status is this.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self.is_presentable();
        self
    }

    #[track_caller]
    pub(crate) fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "no `{part}` in {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, part: &str) -> Self {
        assert!(self.stdout.contains(part), "no `{part}` in {self:#?}");
        self
    }

    /// Fails the test unless standard error is exactly one line of ours.
    #[track_caller]
    pub(crate) fn says_one_line(self) -> Self {
        assert_eq!(self.stderr.lines().count(), 1, "{self:#?}");
        assert!(self.stderr.starts_with("claw-sandbox: "), "{self:#?}");
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// No panic, no Rust type and no escape sequence reaches the user.
    #[track_caller]
    fn is_presentable(&self) {
        for bad in ["panicked", "internal error", "RUST_BACKTRACE", "os error", "Some(", "Err(", "\u{1b}["] {
            assert!(!self.stderr.contains(bad), "`{bad}` in {self:#?}");
        }
    }
}

/// Waits until `done` says so; `false` when it does not within ten seconds.
pub(crate) fn eventually(mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..1_000 {
        if done() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    false
}

/// Sends a signal with the system's own `kill`.
pub(crate) fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args(["-s", signal]).arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
}

/// Whether a process with this text in its command line is alive.
pub(crate) fn is_running(text: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let alive = |stat: String| !stat.rsplit(") ").next().unwrap_or("").starts_with('Z');
        fs::read(entry.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
            && fs::read_to_string(entry.path().join("stat")).is_ok_and(alive)
    })
}
