//! What a run leaves behind is swept, and nothing else.

use super::*;

#[test]
fn the_sweep_works_by_domain_here() {
    let outcome = run(sh("exit 0"));
    assert_eq!(outcome.sweep.method, SweepMethod::Domain, "needs Landlock ABI 6");
    assert!(outcome.sweep.complete);
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
fn of_children_that_were_waited_for_nothing_is_left() {
    // Quickly enough that only the ids since the start are looked at, and not.
    for pause in ["0", "0.1"] {
        let outcome = run(sh(&format!("for i in 1 2 3; do sleep 0; done; sleep {pause}; exit 3")));
        assert_eq!(code(&outcome), Some(3));
        assert_eq!((outcome.sweep.swept, outcome.sweep.complete), (Some(0), true), "{pause}");
    }
}

#[test]
fn who_forks_while_its_parent_ends_is_swept() {
    // The last one is born as the main process ends, whose id was given out before.
    for _ in 0..50 {
        let mark = mark();
        let outcome = run(sh(&format!("(setsid sh -c 'sleep {mark} & exit 0' &) & exit 0")));
        assert!(outcome.sweep.complete, "{:?}", outcome.sweep);
        assert!(!runs(&mark), "it survived");
    }
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
    // Probed on a sentinel, and on the guardian.
    for guarded in [false, true] {
        let restrictions = Restrictions { scope: Some(Arc::new(|| Ok(()))), guarded, ..restrictions() };
        let launcher = Arc::new(Launcher::start(restrictions, None).unwrap());
        let outcome = launcher.spawn(sh("exit 0")).unwrap().wait();
        assert_eq!((outcome.guarded, outcome.sweep.method), (guarded, SweepMethod::Session));
    }
}

#[test]
fn a_guardian_proves_the_scope_and_what_escaped_is_swept() {
    let guarded = Restrictions { guarded: true, ..restrictions() };
    let launcher = Arc::new(Launcher::start(guarded, None).unwrap());
    for _ in 0..2 {
        let escaped = mark();
        let outcome = launcher.spawn(sh(&format!("setsid sleep {escaped} & sleep 0.2"))).unwrap().wait();
        assert_eq!((outcome.guarded, outcome.sweep.method), (true, SweepMethod::Domain));
        assert!(!runs(&escaped), "what left the session survived");
    }
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
    if !alone("sweep::many_runs_from_many_threads_leave_nothing_behind", "exec \"$0\" \"$@\"") {
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
        .args(["--exact", "launcher::tests::sweep::a_run_does_not_outlive_this_process", "--nocapture"])
        .env(CHILD, &mark)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    eventually("the run dies too", || !runs(&mark));
}

#[test]
fn no_zombie_is_left_when_this_process_is_the_reaper_of_orphans() {
    if !alone("sweep::no_zombie_is_left_when_this_process_is_the_reaper_of_orphans", "exec \"$0\" \"$@\"") {
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
fn a_guardian_without_proof_is_none_and_the_outcome_says_so() {
    let guarded = Launcher::start(Restrictions { guarded: true, ..restrictions() }, None).unwrap();
    assert!(Arc::new(guarded).spawn(sh("exit 0")).unwrap().wait().guarded);
    // Outside of a domain it could signal us, so its `kill(-1)` would reach everything: it ends at once.
    let unscoped = Launcher::start(Restrictions { guarded: true, ..Restrictions::none() }, None).unwrap();
    assert!(!Arc::new(unscoped).spawn(sh("exit 0")).unwrap().wait().guarded);
    assert!(!launcher().spawn(sh("exit 0")).unwrap().wait().guarded, "none was posted");
}
