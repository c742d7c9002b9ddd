//! The audit log against other processes, a full disk and missing permissions. The children are this test binary.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use claw_sandbox::audit::{AuditLog, entries, verify};
use claw_sandbox::{
    ErrorKind, FileAction, FileErrorKind, FileRequest, Origin, Sandbox, WriteMode, policy_from_yaml,
};
use nix::sys::resource::{Resource, setrlimit};
use tempfile::TempDir;

/// Tells a test that it is the child, and where the log is.
const DIRECTORY: &str = "CLAW_TEST_AUDIT_DIRECTORY";
const EVENTS: usize = 200;

fn place() -> (TempDir, PathBuf) {
    let keep = tempfile::tempdir().unwrap();
    let directory = keep.path().canonicalize().unwrap();
    fs::create_dir(directory.join("work")).unwrap();
    (keep, directory)
}

fn sandbox(directory: &Path) -> Sandbox {
    let (work, log) = (directory.join("work"), directory.join("log"));
    let logging = format!("logging: {{ logFile: {}, auditFileAccess: true }}", log.display());
    let text = format!("workspace: {}\n{logging}\n", work.display());
    Sandbox::new(policy_from_yaml(&text, &work).unwrap()).unwrap()
}

/// One test of this binary in a process of its own that ignores `SIGXFSZ`.
fn child(test: &str, directory: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test]).env(DIRECTORY, directory).stdout(Stdio::null());
    command
}

/// The directory, in a child.
fn given() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

fn record(sandbox: &Sandbox, directory: &Path) {
    let request = FileRequest {
        action: FileAction::Read,
        path: b"/etc/hostname".to_vec(),
        to: None,
        recursive: false,
        cwd: directory.join("work"),
        origin: Origin::Runtime,
    };
    let _ = sandbox.authorize_file(&request).unwrap();
}

#[test]
fn two_processes_write_one_chain() {
    if let Some(directory) = given() {
        let sandbox = sandbox(&directory);
        (0..EVENTS).for_each(|_| record(&sandbox, &directory));
        return;
    }
    let (_keep, directory) = place();
    let start = || child("two_processes_write_one_chain", &directory).spawn().unwrap();
    for mut child in [start(), start()] {
        assert!(child.wait().unwrap().success());
    }
    let log = directory.join("log");
    let report = verify(&log, None).unwrap();
    assert!(report.is_intact() && report.notes.is_empty(), "{report:?}");
    let decisions = entries(&log).unwrap().filter(|entry| entry.field("event") == Some("file.decision"));
    assert_eq!(decisions.count(), 2 * EVENTS);
}

#[test]
fn an_event_that_fits_in_part_is_taken_back_and_nothing_runs() {
    if let Some(directory) = given() {
        let sandbox = sandbox(&directory);
        let length = fs::metadata(directory.join("log")).unwrap().len();
        // The disk is full in the middle of the next event.
        setrlimit(Resource::RLIMIT_FSIZE, length + 40, length + 40).unwrap();
        let run = sandbox.shell("echo x > made").current_dir(directory.join("work")).status();
        assert_eq!(run.unwrap_err().kind(), ErrorKind::Audit);
        fs::write(directory.join("tried"), "").unwrap();
        return;
    }
    let (_keep, directory) = place();
    record(&sandbox(&directory), &directory);
    let before = fs::read(directory.join("log")).unwrap();
    let name = "an_event_that_fits_in_part_is_taken_back_and_nothing_runs";
    assert!(child(name, &directory).status().unwrap().success());
    assert_eq!(fs::read(directory.join("log")).unwrap(), before);
    assert!(directory.join("tried").exists() && !directory.join("work/made").exists());
    record(&sandbox(&directory), &directory);
    let report = verify(&directory.join("log"), None).unwrap();
    assert!(report.is_intact() && report.notes.is_empty(), "{report:?}");
}

#[test]
fn a_directory_without_write_permission_takes_no_log() {
    if nix::unistd::geteuid().is_root() {
        eprintln!("skipped: root writes anywhere; run this as another user");
        return;
    }
    let (_keep, directory) = place();
    fs::set_permissions(directory.join("work"), fs::Permissions::from_mode(0o555)).unwrap();
    let error = AuditLog::open(directory.join("work/log")).unwrap_err().to_string();
    assert!(error.contains("permission denied") && error.contains("work/log"), "{error}");
}

#[test]
fn reads_are_recorded_when_the_process_ends_and_before_anything_is_changed() {
    let name = "reads_are_recorded_when_the_process_ends_and_before_anything_is_changed";
    if let Some(directory) = given() {
        let files = sandbox(&directory).files();
        for _ in 0..EVENTS {
            files.read("file").unwrap();
        }
        if directory.join("killed").exists() {
            files.write("made", b"x", WriteMode::Create).unwrap();
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
        // Nothing is dropped.
        std::process::exit(0);
    }
    for is_killed in [false, true] {
        let (_keep, directory) = place();
        fs::write(directory.join("work/file"), "content").unwrap();
        if is_killed {
            fs::write(directory.join("killed"), "").unwrap();
        }
        let status = child(name, &directory).status().unwrap();
        assert_eq!(status.success(), !is_killed, "{status}");
        let log = directory.join("log");
        let report = verify(&log, None).unwrap();
        assert!(report.is_intact() && report.notes.is_empty(), "{report:?}");
        let count = |event: &str, action: &str| {
            let has = |text: Option<&str>, wanted: &str| text.is_some_and(|text| text.contains(wanted));
            let events = entries(&log).unwrap().filter(|entry| entry.field("event") == Some(event));
            events.filter(|entry| has(entry.field("message"), action)).count()
        };
        assert_eq!((count("file.decision", "read"), count("file.outcome", "read: done")), (EVENTS, EVENTS));
        assert_eq!(count("file.decision", "create"), usize::from(is_killed));
    }
}

#[test]
fn nothing_is_read_for_long_and_nothing_written_when_the_log_is_full() {
    if let Some(directory) = given() {
        let files = sandbox(&directory).files();
        files.read("file").unwrap();
        assert_eq!(files.status("file").unwrap().size, 7);
        files.write("first", b"x", WriteMode::Create).unwrap();
        let length = fs::metadata(directory.join("log")).unwrap().len();
        setrlimit(Resource::RLIMIT_FSIZE, length + 40, length + 40).unwrap();
        let refused = (0..1_000_000).find_map(|_| files.read("file").err());
        assert_eq!(refused.unwrap().kind(), FileErrorKind::Audit);
        let made = files.write("made", b"x", WriteMode::Create).map_err(|error| error.kind());
        assert_eq!(made, Err(FileErrorKind::Audit));
        fs::write(directory.join("tried"), "").unwrap();
        return;
    }
    let (_keep, directory) = place();
    fs::write(directory.join("work/file"), "content").unwrap();
    let name = "nothing_is_read_for_long_and_nothing_written_when_the_log_is_full";
    assert!(child(name, &directory).status().unwrap().success());
    assert!(directory.join("tried").exists() && directory.join("work/first").exists());
    assert!(!directory.join("work/made").exists());
    assert!(verify(&directory.join("log"), None).unwrap().is_intact());
}
