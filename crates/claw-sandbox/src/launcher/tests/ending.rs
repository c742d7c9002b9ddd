//! Who ends a run, and how.

use super::*;

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
