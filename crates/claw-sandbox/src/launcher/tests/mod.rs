//! Real runs of real processes, below the policy.
//!
//! The same tests run as root and as an unprivileged user.

mod ending;
mod layer;
mod limits;
mod streams;
mod sweep;

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use claw_policy::{Access, Confinement, Limits, Root};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};

use super::*;
use crate::KernelFeatures;
use crate::domain::{PreparedDomain, child_layer, scope_signals_current_thread};
use crate::limits::resource_limits;
use crate::outcome::{Ending, Outcome, Stream, SweepMethod};
use crate::spawn::{StdioPlan, StreamPlan, Streams, Supervision};

// Files are all allowed, and all else is as in every launcher: no capability, the filters, the scopes.
fn open_confinement() -> Confinement {
    Confinement {
        roots: vec![Root {
            path: "/".into(),
            access: Access::Write,
            execute: true,
            required: true,
            except: Vec::new(),
        }],
        execute_any: true,
        ..Confinement::default()
    }
}

fn restrictions() -> Restrictions {
    let domain = PreparedDomain::prepare(&open_confinement(), &KernelFeatures::probe(), None).unwrap();
    Restrictions {
        domain: Box::new(|| domain.restrict_current_thread().map_err(|error| error.to_string())),
        scope: Some(Arc::new(|| scope_signals_current_thread().map_err(|error| error.to_string()))),
        child_layer: child_layer(&KernelFeatures::probe()).unwrap().map(Arc::new),
        ..Restrictions::none()
    }
}

fn launcher() -> Arc<Launcher> {
    Arc::new(Launcher::start(restrictions(), None).unwrap())
}

fn unscoped_launcher() -> Arc<Launcher> {
    Arc::new(Launcher::start(Restrictions::none(), None).unwrap())
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn spec(argv: &[&str]) -> ChildSpec {
    ChildSpec {
        program: c(argv[0]),
        argv: argv.iter().copied().map(c).collect(),
        environment: vec![c("PATH=/usr/bin:/bin")],
        directory: File::open("/").unwrap().into(),
        streams: Streams::open(StdioPlan {
            stdin: StreamPlan::Null,
            stdout: StreamPlan::Null,
            stderr: StreamPlan::Inherit,
            tty: None,
        })
        .unwrap()
        .0,
        terminal: None,
        rlimits: resource_limits(&Limits::default()).unwrap(),
        supervision: Supervision::default(),
        bounds: None,
        group: None,
        watch: None,
    }
}

fn sh(script: &str) -> ChildSpec {
    spec(&["/bin/sh", "-c", script])
}

fn pipe() -> (File, OwnedFd) {
    let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    (read.into(), write)
}

fn run(spec: ChildSpec) -> Outcome {
    launcher().spawn(spec).unwrap().wait()
}

/// Runs it with standard output captured.
fn output(mut spec: ChildSpec) -> (Outcome, String) {
    let (mut read, write) = pipe();
    spec.streams.stdout = write;
    let run = launcher().spawn(spec).unwrap();
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    (run.wait(), text)
}

fn code(outcome: &Outcome) -> Option<i32> {
    outcome.status.unwrap().code()
}

fn signal_of(outcome: &Outcome) -> Option<i32> {
    outcome.status.unwrap().signal()
}

/// Waits for what the machine does in its own time. The bound is for a hang only.
fn eventually(what: &str, mut happens: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happens() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process other than a zombie has this argument.
fn runs(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
    })
}

/// A number of seconds that no other test sleeps, as a mark in the process list.
fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("9{}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn wait_for_line(read: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while read.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn exit_codes_and_signals_come_back() {
    assert_eq!(code(&run(sh("exit 0"))), Some(0));
    assert_eq!(code(&run(sh("exit 42"))), Some(42));
    let killed = run(sh("kill -USR1 $$"));
    assert_eq!(signal_of(&killed), Some(libc::SIGUSR1));
    assert_eq!(killed.ending, Ending::Exited);
}

#[test]
fn usage_is_that_of_the_command() {
    let outcome = run(sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));
    assert!(outcome.usage.user > Duration::ZERO);
    assert!(outcome.usage.max_resident > 100_000);
    assert!(outcome.wall >= outcome.usage.user / 2);
}

#[test]
fn a_launcher_that_cannot_be_restricted_does_not_start() {
    let restrictions =
        Restrictions { domain: Box::new(|| Err("no such right".into())), ..Restrictions::none() };
    let error = Launcher::start(restrictions, None).unwrap_err();
    assert_eq!(error, SpawnError::Restrict("no such right".into()));
}

#[test]
fn no_descriptor_but_the_streams_is_inherited() {
    let leaked = File::open("/dev/null").unwrap();
    nix::fcntl::fcntl(&leaked, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    assert!(leaked.as_raw_fd() > 2);
    // `ls` itself opens the directory as 3.
    let (_, listed) = output(spec(&["/bin/ls", "/proc/self/fd"]));
    assert_eq!(listed, "0\n1\n2\n3\n");
}

#[test]
fn signals_are_neither_blocked_nor_ignored() {
    // The test program itself ignores SIGPIPE, as every Rust program does.
    let (_, status) = output(spec(&["/bin/cat", "/proc/self/status"]));
    for name in ["SigBlk", "SigIgn", "SigCgt"] {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.ends_with("\t0000000000000000"), "{line}");
    }
}

#[test]
fn it_has_a_session_of_its_own_and_dies_with_its_thread() {
    let (_, ids) = output(sh("cut -d' ' -f1,5,6 /proc/$$/stat"));
    let ids: Vec<&str> = ids.split_whitespace().collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "process, group, session: {ids:?}");
}

#[test]
fn the_working_directory_is_the_opened_one() {
    let parent = tempfile::tempdir().unwrap();
    let (before, after) = (parent.path().join("before"), parent.path().join("after"));
    std::fs::create_dir(&before).unwrap();
    let mut spec = sh("pwd -P");
    spec.directory = File::open(&before).unwrap().into();
    std::fs::rename(&before, &after).unwrap();
    std::fs::create_dir(&before).unwrap();
    let (_, directory) = output(spec);
    assert_eq!(Path::new(directory.trim_end()), after.canonicalize().unwrap());
}

#[test]
fn what_cannot_be_executed_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cases = [
        ("/nonexistent/program".to_owned(), "NotFound"),
        (file("plain", "echo hi\n", 0o644), "Denied(EACCES)"),
        (file("no-format", "\u{1}\u{2}\u{3}\n", 0o755), "NotExecutable(ENOEXEC)"),
        ("/".to_owned(), "Denied(EACCES)"),
    ];
    let launcher = launcher();
    for (program, expected) in cases {
        let error = launcher.spawn(spec(&[&program])).unwrap_err().error;
        assert_eq!(format!("{error:?}"), expected, "{program}");
    }
    let long = "x".repeat(200_000);
    assert_eq!(launcher.spawn(spec(&["/bin/true", &long])).unwrap_err().error, SpawnError::TooLong);
    // The launcher still works.
    assert_eq!(code(&launcher.spawn(sh("exit 5")).unwrap().wait()), Some(5));
}

#[test]
fn a_status_that_this_program_throws_away_is_not_made_up() {
    if !alone(
        "a_status_that_this_program_throws_away_is_not_made_up",
        "exec env --ignore-signal=CHLD \"$0\" \"$@\"",
    ) {
        return;
    }
    let outcome = run(sh("exit 3"));
    assert_eq!((outcome.status, outcome.ending), (None, Ending::Exited));
}

#[test]
fn a_private_temporary_directory_goes_with_its_launcher() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let temporary = TemporaryDirectory::create(parent.path()).unwrap();
    let path = temporary.path().to_owned();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
    let launcher = Arc::new(Launcher::start(restrictions(), Some(temporary)).unwrap());
    let mut spec = sh("mkdir -p d/e; echo x > d/e/f; ln -s / d/root; chmod 0 d/e d");
    spec.directory = File::open(&path).unwrap().into();
    let running = launcher.spawn(spec).unwrap();
    drop(launcher);
    assert_eq!(code(&running.wait()), Some(0));
    assert!(path.exists(), "it must stay until its last run is let go");
    drop(running);
    assert!(!path.exists());
    assert!(Path::new("/usr").exists());
}

/// Runs the named test alone in a process of its own, through a shell script that ends in "$0" "$@".
fn alone(name: &str, script: &str) -> bool {
    const CHILD: &str = "CLAW_TEST_ALONE";
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let output = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("launcher::tests::{name}"), "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    // A name that no test has runs none, and that is a success too.
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}
