//! The audit log of real runs. The same tests run as root and as an unprivileged user.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use claw_sandbox::audit::{AuditLog, Entry, Filter, entries, summarize, verify};
use claw_sandbox::{
    Child, Command, Decision, Error, ErrorKind, FileAction, FileRequest, Origin, Sandbox, Stdio,
    policy_from_yaml,
};
use tempfile::TempDir;

/// A workspace, and a place for the log beside it.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("work")).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn sandbox(&self, logging: &str) -> Result<Sandbox, Error> {
        let work = self.path("work");
        let text = format!("workspace: {}\nlogging: {{ {logging} }}\n", work.display());
        Sandbox::new(policy_from_yaml(&text, &work).unwrap())
    }

    fn logged(&self) -> Sandbox {
        self.sandbox(&self.log_file("log")).unwrap()
    }

    fn log_file(&self, name: &str) -> String {
        format!("logFile: {}", self.path(name).display())
    }

    /// A command that waits for its standard input to end.
    fn waiting(&self) -> Child {
        let mut command = self.logged().shell("read line");
        command.current_dir(self.path("work")).stdin(Stdio::piped()).spawn().unwrap()
    }

    fn events(&self) -> Vec<Entry> {
        entries(&self.path("log")).unwrap().collect()
    }
}

fn kinds(events: &[Entry]) -> Vec<&str> {
    events.iter().filter_map(|event| event.field("event")).collect()
}

fn is_intact(path: &Path) -> bool {
    verify(path, None).unwrap().is_intact()
}

#[test]
fn a_run_has_a_decision_and_an_outcome_that_refers_to_it() {
    let place = Place::new();
    let status = place.logged().shell("exit 3").current_dir(place.path("work")).status().unwrap();
    assert_eq!(status.code(), Some(3));
    let events = place.events();
    assert_eq!(kinds(&events), ["log.opened", "exec.decision", "exec.outcome"]);
    assert_eq!(events[1].field("id"), events[2].field("id"));
    assert_eq!(events[1].field("decision"), Some("allow"));
    assert_eq!(events[1].field("message"), Some("exec: exit 3"));
    assert_eq!(events[2].event["status"], 3);
    assert!(is_intact(&place.path("log")));
}

#[test]
fn the_decision_is_there_while_the_command_runs() {
    let place = Place::new();
    let mut child = place.waiting();
    assert_eq!(kinds(&place.events()), ["log.opened", "exec.decision"]);
    let _ = child.wait().unwrap();
    assert_eq!(kinds(&place.events()).last(), Some(&"exec.outcome"));
}

#[test]
fn a_run_that_is_dropped_has_an_outcome_too() {
    let place = Place::new();
    drop(place.waiting());
    let events = place.events();
    assert_eq!(kinds(&events), ["log.opened", "exec.decision", "exec.outcome"]);
    assert_eq!(events[2].field("ending"), Some("killed"));
}

#[test]
fn a_denial_is_recorded_with_its_code() {
    let place = Place::new();
    let sandbox = place.logged();
    let error = sandbox.command("curl").arg("http://x").current_dir(place.path("work")).status().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let events = place.events();
    assert_eq!(kinds(&events), ["log.opened", "exec.decision"]);
    assert_eq!(events[1].field("code"), Some(error.denial().unwrap().reasons[0].code.name()));
    let denied = Filter { decision: Some("deny".into()), program: Some("curl".into()), ..Filter::default() };
    assert_eq!(events.iter().filter(|event| denied.matches(event)).count(), 1);
    assert_eq!(summarize(events.into_iter()).programs["curl"].denied, 1);
}

#[test]
fn secrets_and_values_of_variables_are_not_in_the_log() {
    let place = Place::new();
    let sandbox = place.logged();
    let run = |command: &mut Command| {
        let _ = command.current_dir(place.path("work")).env("LANG", "hunter0").output();
    };
    run(sandbox.command("echo").args(["--password", "hunter1", "https://u:hunter2@x", "API_KEY=hunter3"]));
    run(&mut sandbox.shell("API_TOKEN=hunter4 echo --secret 'hunter5'; curl -u me:hunter6 x"));
    let log = fs::read_to_string(place.path("log")).unwrap();
    assert!(log.contains("--password") && log.contains("[redacted]") && log.contains("LANG"), "{log}");
    assert!(!log.contains("hunter"), "{log}");
}

#[test]
fn a_log_that_cannot_be_written_stops_the_run_before_it_starts() {
    let place = Place::new();
    let sandbox = place.logged();
    let log = place.path("log");
    let run = |sandbox: &Sandbox| sandbox.shell("echo x > made").current_dir(place.path("work")).status();
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    let error = run(&sandbox).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Audit, "{error}");
    assert!(!place.path("work/made").exists());

    let stated = place.log_file("log");
    assert_eq!(place.sandbox(&stated).unwrap_err().kind(), ErrorKind::Audit);
    let sandbox = place.sandbox(&format!("{stated}, auditFailure: continue")).unwrap();
    assert!(run(&sandbox).unwrap().success());
    assert!(place.path("work/made").exists());
    assert_eq!(sandbox.unrecorded(), 2);
    let reason = sandbox.unrecorded_because().unwrap();
    assert!(reason.contains("is a directory") && reason.contains("audit log"), "{reason}");
}

#[test]
fn an_end_that_cannot_be_written_is_counted_even_if_nobody_asks_for_it() {
    let place = Place::new();
    let sandbox = place.logged();
    let log = place.path("log");
    let mut command = sandbox.shell("read line");
    let child = command.current_dir(place.path("work")).stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!((sandbox.unrecorded(), sandbox.unrecorded_because()), (0, None));
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    drop(child);
    assert_eq!(sandbox.unrecorded(), 1);
    assert!(sandbox.unrecorded_because().unwrap().contains("audit log"));
}

#[test]
fn a_log_where_commands_may_write_is_refused() {
    let place = Place::new();
    symlink(place.path("work"), place.path("link")).unwrap();
    for name in ["work/log", "work/deep/er/log", "link/log"] {
        let error = place.sandbox(&place.log_file(name)).unwrap_err();
        assert!(error.to_string().contains("writable tree"), "{name}: {error}");
    }
    let policy = policy_from_yaml("exec: { ask: off }", place.path("work")).unwrap();
    let log = AuditLog::open(place.path("work/log")).unwrap();
    assert_eq!(Sandbox::builder(policy).audit(log).build().unwrap_err().kind(), ErrorKind::Audit);
}

#[test]
fn files_are_recorded_when_the_policy_audits_them() {
    let place = Place::new();
    let request = FileRequest {
        action: FileAction::Read,
        path: b"/etc/shadow".to_vec(),
        to: None,
        recursive: false,
        cwd: place.path("work"),
        origin: Origin::Runtime,
    };
    let _ = place.logged().authorize_file(&request).unwrap();
    assert_eq!(fs::read_to_string(place.path("log")).unwrap(), "");
    let sandbox = place.sandbox(&format!("{}, auditFileAccess: true", place.log_file("log"))).unwrap();
    assert!(matches!(sandbox.authorize_file(&request).unwrap(), Decision::Deny(_)));
    let events = place.events();
    assert_eq!(events[1].field("message"), Some("file: read /etc/shadow"));
    assert_eq!(events[1].field("decision"), Some("deny"));
}

#[test]
fn runs_of_many_threads_are_one_chain() {
    let place = Place::new();
    let sandbox = place.logged();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let status = sandbox.command("true").current_dir(place.path("work")).status();
                    assert!(status.unwrap().success());
                }
            });
        }
    });
    assert_eq!(place.events().len(), 41);
    assert!(is_intact(&place.path("log")));
}
