//! Real runs of real processes, below the policy.
//!
//! The same tests run as root and as an unprivileged user.

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
use crate::domain::{PreparedDomain, scope_signals_current_thread};
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
        filters: Box::new(|| Ok(())),
        calls: Arc::default(),
        guarded: false,
    }
}

fn launcher() -> Arc<Launcher> {
    Arc::new(Launcher::start(restrictions(), None).unwrap())
}

fn unscoped_launcher() -> Arc<Launcher> {
    Arc::new(
        Launcher::start(
            Restrictions {
                domain: Box::new(|| Ok(())),
                filters: Box::new(|| Ok(())),
                scope: None,
                calls: Arc::default(),
                guarded: false,
            },
            None,
        )
        .unwrap(),
    )
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
fn the_sweep_works_by_domain_here() {
    let outcome = run(sh("exit 0"));
    assert_eq!(outcome.sweep.method, SweepMethod::Domain, "needs Landlock ABI 6");
    assert!(outcome.sweep.complete);
}

#[test]
fn usage_is_that_of_the_command() {
    let outcome = run(sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));
    assert!(outcome.usage.user > Duration::ZERO);
    assert!(outcome.usage.max_resident > 100_000);
    assert!(outcome.wall >= outcome.usage.user / 2);
}

#[test]
fn orphans_daemons_and_stopped_processes_are_swept() {
    let ways = [
        ("an orphan", "sleep MARK & exit 0"),
        ("a session of its own", "setsid sleep MARK & exit 0"),
        ("a double fork", "(setsid sh -c 'sleep MARK & exit 0' &) ; exit 0"),
        ("ignores SIGTERM and SIGHUP", "(trap '' TERM HUP INT; setsid sleep MARK) & exit 0"),
        ("stopped", "sleep MARK & kill -STOP $!; exit 0"),
        ("in a pipeline", "sleep MARK | sleep MARK | sleep MARK & exit 0"),
    ];
    for (name, script) in ways {
        let mark = mark();
        let outcome = run(sh(&script.replace("MARK", &mark)));
        assert_eq!(code(&outcome), Some(0), "{name}");
        assert!(outcome.sweep.complete, "{name}: {:?}", outcome.sweep);
        assert!(!runs(&mark), "{name} survived");
    }
}

#[test]
fn what_was_swept_is_counted() {
    let outcome = run(sh("setsid sleep 1000 & setsid sleep 1000 & sleep 0.2; exit 3"));
    assert_eq!(code(&outcome), Some(3));
    assert_eq!(outcome.sweep.swept, Some(2));
}

#[test]
fn processes_outside_survive_a_sweep() {
    let mut outsider = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    let launcher = launcher();
    let (mut said, write) = pipe();
    let mut other = sh("echo up; exec sleep 1000");
    other.streams.stdout = write;
    let sibling = launcher.spawn(other).unwrap();
    assert_eq!(wait_for_line(&mut said), "up");
    for _ in 0..5 {
        let outcome = launcher.spawn(sh("setsid sleep 1000 & sleep 0.05")).unwrap().wait();
        assert_eq!(outcome.sweep.method, SweepMethod::Domain);
    }
    assert!(outsider.try_wait().unwrap().is_none(), "a process outside was killed");
    assert!(sibling.try_wait().is_none(), "another run of the same launcher was killed");
    sibling.kill();
    assert_eq!(signal_of(&sibling.wait()), Some(libc::SIGKILL));
    outsider.kill().unwrap();
    outsider.wait().unwrap();
}

#[test]
fn a_run_that_may_stay_is_not_swept() {
    let mark = mark();
    let mut spec = sh(&format!("sleep {mark} & exit 0"));
    spec.supervision.detach = true;
    let outcome = run(spec);
    assert_eq!(outcome.sweep.method, SweepMethod::Detached);
    eventually("the daemon runs", || runs(&mark));
    end_by_mark(&mark);
}

/// Ends processes that this test program started, by id.
fn end_by_mark(mark: &str) {
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        if line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes()) {
            let id: i32 = process.file_name().to_str().unwrap().parse().unwrap();
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

#[test]
fn without_a_scope_the_session_is_swept_and_the_outcome_says_so() {
    let (in_session, escaped) = (mark(), mark());
    let launcher = unscoped_launcher();
    let script = format!("sleep {in_session} & setsid sleep {escaped} & sleep 0.2");
    let outcome = launcher.spawn(sh(&script)).unwrap().wait();
    assert_eq!(outcome.sweep.method, SweepMethod::Session);
    assert!(!runs(&in_session), "a member of the session survived");
    assert!(runs(&escaped), "the fallback reached a process it cannot know of");
    end_by_mark(&escaped);
}

#[test]
fn a_scope_that_does_not_hold_is_not_believed() {
    let restrictions = Restrictions { scope: Some(Arc::new(|| Ok(()))), ..restrictions() };
    let launcher = Arc::new(Launcher::start(restrictions, None).unwrap());
    let outcome = launcher.spawn(sh("exit 0")).unwrap().wait();
    assert_eq!(outcome.sweep.method, SweepMethod::Session);
}

#[test]
fn a_launcher_that_cannot_be_restricted_does_not_start() {
    let restrictions = Restrictions {
        domain: Box::new(|| Err("no such right".into())),
        filters: Box::new(|| Ok(())),
        scope: None,
        calls: Arc::default(),
        guarded: false,
    };
    let error = Launcher::start(restrictions, None).unwrap_err();
    assert_eq!(error, SpawnError::Restrict("no such right".into()));
}

#[test]
fn the_time_limit_ends_a_run_with_sigterm() {
    let mut spec = sh("sleep 1000");
    spec.supervision.time = Some(Duration::from_millis(50));
    let outcome = run(spec);
    assert_eq!(outcome.ending, Ending::TimedOut);
    assert_eq!(signal_of(&outcome), Some(libc::SIGTERM));
}

#[test]
fn a_run_may_clean_up_in_the_grace() {
    let mut spec = sh("trap 'exit 9' TERM; while :; do sleep 0.01; done");
    spec.supervision.time = Some(Duration::from_millis(200));
    spec.supervision.grace = Duration::from_secs(60);
    let outcome = run(spec);
    assert_eq!((outcome.ending, code(&outcome)), (Ending::TimedOut, Some(9)));
}

#[test]
fn who_ignores_sigterm_or_is_stopped_is_killed_after_the_grace() {
    for script in
        ["trap '' TERM; while :; do sleep 0.01; done", "trap '' TERM; kill -STOP $$; while :; do :; done"]
    {
        let mut spec = sh(script);
        spec.supervision.time = Some(Duration::from_millis(100));
        spec.supervision.grace = Duration::from_millis(100);
        let outcome = run(spec);
        assert_eq!(
            (outcome.ending, signal_of(&outcome)),
            (Ending::TimedOut, Some(libc::SIGKILL)),
            "{script}"
        );
        assert!(outcome.wall >= Duration::from_millis(200));
    }
}

#[test]
fn the_caller_can_kill_terminate_and_signal() {
    let launcher = launcher();
    let mark = mark();
    let run = launcher.spawn(sh(&format!("setsid sleep {mark} & exec sleep 1000"))).unwrap();
    eventually("the daemon runs", || runs(&mark));
    run.kill();
    assert_eq!((run.wait().ending, signal_of(&run.wait())), (Ending::Killed, Some(libc::SIGKILL)));
    assert!(!runs(&mark));

    let run = launcher.spawn(sh("exec sleep 1000")).unwrap();
    run.terminate();
    assert_eq!((run.wait().ending, signal_of(&run.wait())), (Ending::Killed, Some(libc::SIGTERM)));

    let run = launcher.spawn(sh("exec sleep 1000")).unwrap();
    run.signal(Signal::SIGINT);
    assert_eq!((run.wait().ending, signal_of(&run.wait())), (Ending::Exited, Some(libc::SIGINT)));
    // After the end it reaches nobody.
    run.signal(Signal::SIGKILL);
    run.kill();
}

#[test]
fn dropping_a_run_kills_it() {
    let mark = mark();
    let run = launcher().spawn(sh(&format!("setsid sleep {mark} & exec sleep {mark}"))).unwrap();
    eventually("it runs", || runs(&mark));
    drop(run);
    assert!(!runs(&mark));
}

#[test]
fn waiting_with_a_bound_gives_up() {
    let run = launcher().spawn(sh("exec sleep 1000")).unwrap();
    assert!(run.try_wait().is_none());
    assert!(run.wait_for(Duration::from_millis(10)).is_none());
    run.kill();
    assert!(run.wait_for(Duration::from_secs(60)).is_some());
    assert!(run.try_wait().is_some());
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
fn resource_limits_hold() {
    let limits = Limits {
        cpu: Some(Duration::from_millis(2500)),
        memory: Some(64 << 20),
        open_files: Some(32),
        file_size: Some(4096),
        ..Limits::default()
    };
    let limited = |script: &str| {
        let mut spec = sh(script);
        spec.rlimits = resource_limits(&limits).unwrap();
        output(spec)
    };
    let (_, shown) = limited("cat /proc/self/limits");
    for (name, soft, hard) in [
        ("Max cpu time", "3", "4"),
        ("Max data size", "67108864", "67108864"),
        ("Max open files", "32", "32"),
        ("Max file size", "4096", "4096"),
        ("Max core file size", "0", "0"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
        let values: Vec<&str> = line.trim_start_matches(name).split_whitespace().collect();
        assert_eq!(values[..2], [soft, hard], "{line}");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let (outcome, _) = limited(&format!("exec head -c 8192 /dev/zero > {}", file.display()));
    assert_eq!(signal_of(&outcome), Some(libc::SIGXFSZ));
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 4096);
}

#[test]
fn cpu_time_is_bounded() {
    let mut spec = sh("while :; do :; done");
    spec.rlimits =
        resource_limits(&Limits { cpu: Some(Duration::from_secs(1)), ..Limits::default() }).unwrap();
    assert_eq!(signal_of(&run(spec)), Some(libc::SIGXCPU));
}

#[test]
fn a_limit_above_our_own_is_our_own() {
    let limits = Limits { open_files: Some(u64::MAX - 1), ..Limits::default() };
    let mut spec = sh("exit 0");
    spec.rlimits = resource_limits(&limits).unwrap();
    assert_eq!(code(&run(spec)), Some(0));
}

#[test]
fn output_within_the_limit_passes_and_is_counted() {
    let mut spec = sh("head -c 1000000 /dev/zero; printf err >&2");
    spec.supervision.output = Some(1_000_000);
    let (mut errors, write) = pipe();
    spec.streams.stderr = write;
    let (outcome, text) = output(spec);
    assert_eq!((text.len(), outcome.ending, code(&outcome)), (1_000_000, Ending::Exited, Some(0)));
    assert_eq!((outcome.stdout, outcome.stderr), (Some(1_000_000), Some(3)));
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    assert_eq!(text, "err");
}

#[test]
fn output_beyond_the_limit_ends_the_run() {
    for (script, stream) in
        [("exec cat /dev/zero", Stream::Stdout), ("exec cat /dev/zero >&2", Stream::Stderr)]
    {
        let mut spec = sh(script);
        spec.supervision.output = Some(100_000);
        spec.streams.stderr = File::options().write(true).open("/dev/null").unwrap().into();
        let (outcome, text) = output(spec);
        assert_eq!(outcome.ending, Ending::OutputLimit(stream));
        assert_eq!(signal_of(&outcome), Some(libc::SIGKILL));
        let counted = if stream == Stream::Stdout { outcome.stdout } else { outcome.stderr };
        assert_eq!(counted, Some(100_000));
        assert_eq!(text.len(), if stream == Stream::Stdout { 100_000 } else { 0 });
    }
}

#[test]
fn counted_output_reaches_files_opened_in_any_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    for append in [false, true] {
        std::fs::write(&path, "").unwrap();
        let mut spec = sh("head -c 300000 /dev/zero; echo end");
        spec.supervision.output = Some(1 << 20);
        spec.streams.stdout = File::options().write(true).append(append).open(&path).unwrap().into();
        let outcome = run(spec);
        assert_eq!(outcome.stdout, Some(300_004));
        assert!(std::fs::read(&path).unwrap().ends_with(b"\0end\n"), "append: {append}");
    }
}

#[test]
fn counted_output_reaches_a_socket() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut spec = sh("head -c 3000000 /dev/zero");
    spec.supervision.output = Some(10_000_000);
    spec.streams.stdout = theirs.into();
    let run = launcher().spawn(spec).unwrap();
    let mut text = Vec::new();
    let mut ours = ours;
    ours.read_to_end(&mut text).unwrap();
    assert_eq!((text.len(), run.wait().stdout), (3_000_000, Some(3_000_000)));
}

#[test]
fn a_reader_that_goes_away_is_felt_by_the_run() {
    let (read, write) = pipe();
    let mut spec = sh("while :; do echo y; done");
    spec.supervision.output = Some(u64::MAX);
    spec.streams.stdout = write;
    let run = launcher().spawn(spec).unwrap();
    drop(read);
    let outcome = run.wait();
    assert_eq!((outcome.ending, signal_of(&outcome)), (Ending::Exited, Some(libc::SIGPIPE)));
}

#[test]
fn a_reader_that_does_not_read_cannot_hold_up_a_kill_or_the_time_limit() {
    let (_read, write) = pipe();
    let mut spec = sh("exec cat /dev/zero");
    spec.supervision.output = Some(u64::MAX);
    spec.supervision.time = Some(Duration::from_millis(200));
    spec.streams.stdout = write;
    assert_eq!(run(spec).ending, Ending::TimedOut);

    let (_read, write) = pipe();
    let mut spec = sh("exec head -c 100000 /dev/zero");
    spec.supervision.output = Some(u64::MAX);
    spec.streams.stdout = write;
    let run = launcher().spawn(spec).unwrap();
    assert!(run.wait_for(Duration::from_millis(200)).is_none(), "output was dropped");
    run.kill();
    assert_eq!(code(&run.wait()), Some(0), "it had ended by itself");
}

#[test]
fn much_output_streams_through() {
    let mut spec = sh("head -c 200000000 /dev/zero");
    spec.supervision.output = Some(u64::MAX);
    let (mut read, write) = pipe();
    spec.streams.stdout = write;
    let run = launcher().spawn(spec).unwrap();
    let copied = io::copy(&mut read, &mut io::sink()).unwrap();
    assert_eq!((copied, run.wait().stdout), (200_000_000, Some(200_000_000)));
}

#[test]
fn standard_input_reaches_the_run() {
    let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let mut spec = sh("cat");
    spec.streams.stdin = read;
    let (mut said, stdout) = pipe();
    spec.streams.stdout = stdout;
    let run = launcher().spawn(spec).unwrap();
    File::from(write).write_all(b"hello").unwrap();
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), code(&run.wait())), ("hello", Some(0)));
}

#[test]
fn a_stream_that_the_run_closes_ends_before_the_run() {
    for limit in [None, Some(100)] {
        let mut spec = sh("echo bye; exec sleep 1000 >&- 2>&-");
        spec.supervision.output = limit;
        let (mut read, write) = pipe();
        spec.streams.stdout = write;
        let run = launcher().spawn(spec).unwrap();
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bye\n");
        assert!(run.try_wait().is_none());
        run.kill();
        assert_eq!(run.wait().ending, Ending::Killed);
    }
}

#[test]
fn cpu_time_is_that_of_all_processes_together() {
    // None of them comes near the limit by itself, and the main process uses none.
    let line =
        "i=0; while [ $i -lt 8 ]; do setsid timeout 20 sh -c 'while :; do :; done' & i=$((i+1)); done; wait";
    let mut spec = sh(line);
    spec.supervision.cpu = Some(Duration::from_secs(2));
    assert_eq!(run(spec).ending, Ending::CpuLimit);
    let mut spec = sh("sleep 0.5");
    spec.supervision.cpu = Some(Duration::from_secs(2));
    assert_eq!(run(spec).ending, Ending::Exited);
}

#[test]
fn too_many_processes_end_the_run_where_the_kernel_does_not_bound_them() {
    let mut spec = sh("i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i+1)); done; wait");
    spec.supervision.processes = Some(20);
    assert_eq!(run(spec).ending, Ending::ProcessLimit);
}

#[test]
fn an_unprivileged_user_cannot_make_more_processes_than_the_limit() {
    if nix::unistd::getuid().is_root() {
        let _ = Write::write_fmt(
            &mut io::stderr(),
            format_args!("skipped: the kernel does not bound root's processes\n"),
        );
        return;
    }
    let limits = Limits { processes: Some(10), ..Limits::default() };
    let mut spec = sh("i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; exit 0");
    spec.rlimits = resource_limits(&limits).unwrap();
    // dash ends with 2 when it cannot fork.
    assert_ne!(code(&run(spec)), Some(0));
}

/// Set by who runs the tests in a PID namespace of their own.
fn in_own_pid_namespace() -> bool {
    std::env::var_os("CLAW_TEST_PID_NAMESPACE").is_some()
}

#[test]
fn processes_that_fork_and_exit_in_a_loop_are_swept() {
    if !in_own_pid_namespace() {
        let _ = Write::write_fmt(
            &mut io::stderr(),
            format_args!("skipped: needs a PID namespace (set CLAW_TEST_PID_NAMESPACE there)\n"),
        );
        return;
    }
    // Each incarnation forks the next in a new session and ends; 20 such chains.
    let chain = "export C='setsid sh -c \"$C\" & exit 0'; i=0; while [ $i -lt 20 ]; do setsid sh -c \"$C\" & i=$((i+1)); done; sleep 0.3; exit 7";
    let mut spec = sh(chain);
    spec.supervision.processes = Some(200);
    let outcome = run(spec);
    assert_eq!(code(&outcome), Some(7));
    assert!(outcome.sweep.complete, "{:?}", outcome.sweep);
    assert_eq!(outcome.sweep.method, SweepMethod::Domain);
    assert!(!runs("setsid sh -c \"$C\" & exit 0"));
}

/// Descriptors and threads of this process.
fn held() -> (usize, usize) {
    let count = |directory| std::fs::read_dir(directory).unwrap().count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

#[test]
fn many_runs_from_many_threads_leave_nothing_behind() {
    // The other tests open descriptors meanwhile.
    if !alone("many_runs_from_many_threads_leave_nothing_behind", "exec \"$0\" \"$@\"") {
        return;
    }
    let before = held();
    let mark = mark();
    let launcher = launcher();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (launcher, mark) = (&launcher, &mark);
            scope.spawn(move || (0..63).for_each(|round| mixed_run(launcher, mark, thread * 7 + round)));
        }
    });
    assert!(!runs(&mark), "a process survived");
    eventually("only the idle threads are left", || held().1 <= before.1 + 1 + IDLE_THREADS);
    drop(launcher);
    eventually("all threads are gone", || held().1 == before.1);
    assert_eq!(held().0, before.0, "descriptors, after and before");
}

fn mixed_run(launcher: &Arc<Launcher>, mark: &str, kind: usize) {
    let daemon = format!("setsid sleep {mark} & ");
    match kind % 6 {
        0 => assert_eq!(code(&launcher.spawn(sh("exit 3")).unwrap().wait()), Some(3)),
        1 => {
            let mut spec = sh(&format!("{daemon} exec sleep {mark}"));
            spec.supervision.time = Some(Duration::from_millis(20));
            assert_eq!(launcher.spawn(spec).unwrap().wait().ending, Ending::TimedOut);
        }
        2 => {
            let run = launcher.spawn(sh(&format!("{daemon} exec sleep {mark}"))).unwrap();
            std::thread::sleep(Duration::from_millis(kind as u64 % 9));
            run.kill();
            assert!(run.wait().sweep.complete);
        }
        3 => drop(launcher.spawn(sh(&format!("{daemon} exec sleep {mark}"))).unwrap()),
        4 => assert_eq!(launcher.spawn(spec(&["/nonexistent"])).unwrap_err().error, SpawnError::NotFound),
        _ => {
            let mut spec = sh("echo counted; exit 4");
            spec.supervision.output = Some(100);
            let outcome = launcher.spawn(spec).unwrap().wait();
            assert_eq!((code(&outcome), outcome.stdout), (Some(4), Some(8)));
        }
    }
}

#[test]
fn a_run_does_not_outlive_this_process() {
    const CHILD: &str = "CLAW_TEST_DIES";
    if let Some(mark) = std::env::var_os(CHILD) {
        let run = launcher().spawn(sh(&format!("exec sleep {}", mark.display()))).unwrap();
        eventually("it runs", || runs(mark.to_str().unwrap()));
        println!("runs");
        std::mem::forget(run);
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
    let mark = mark();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "launcher::tests::a_run_does_not_outlive_this_process", "--nocapture"])
        .env(CHILD, &mark)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    eventually("the run dies too", || !runs(&mark));
}

/// Runs the named test alone in a process of its own, through a shell script that ends in "$0" "$@".
fn alone(name: &str, script: &str) -> bool {
    const CHILD: &str = "CLAW_TEST_ALONE";
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let status = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("launcher::tests::{name}"), "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    false
}

#[test]
fn no_zombie_is_left_when_this_process_is_the_reaper_of_orphans() {
    if !alone("no_zombie_is_left_when_this_process_is_the_reaper_of_orphans", "exec \"$0\" \"$@\"") {
        return;
    }
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let outcome = run(sh("(sleep 0.01 &); (setsid sleep 1000 &); sleep 0.1"));
    assert!(outcome.sweep.complete);
    let us = Pid::this();
    let left = nix::sys::wait::waitpid(Pid::from_raw(-1), Some(nix::sys::wait::WaitPidFlag::WNOHANG));
    assert_eq!(left, Err(nix::errno::Errno::ECHILD), "{us} has children left");
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
