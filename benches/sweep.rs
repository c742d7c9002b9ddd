//! How long it takes to end a run with a hundred processes, each in a session of its own, until nothing of it is left:
//! by a kill, and when its main process ends. Beside it what the kernel takes to end as many in one group. Prints medians and
//! the aim; never fails.
//!
//! The aim was not reached where this was measured (two cores of an AMD EPYC, Linux 6.18, other work on them): the kernel
//! itself takes 5 to 7 ms at least, 6.6 ms as a rule, to end a hundred `sleep`s. That is a program of its own in C, process 1 of a PID
//! namespace, one `kill(-1)` and a wait until each one's descriptor is readable, without reaping and in whatever order. A
//! Landlock domain and a seccomp filter make no difference (7.0 and 6.7 ms), nor does how the wait is made (one after the
//! other, from the last to the first, all in one `poll`, sleeps in between). The signal is 0.3 ms of it; the rest is that the
//! processes give back their memory, which takes both cores: statically linked programs end in 3.3 to 5 ms, forks that have
//! executed nothing in 3.1 to 4. Until then a process holds its memory and descriptors and may be on its way out of a system
//! call, so a wait for less would not say that nothing is left. What the sweep adds is a look at everybody before (for the
//! count) and after.
//!
//! The zombies of runs before are looked at too, 6 us each, until whoever is process 1 has reaped them.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and gives up")]

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use claw_sandbox::{Child, Sandbox, Stdio, policy_from_yaml};
use claw_testkit::bench;

const ROUNDS: usize = 40;
const AIM: Duration = Duration::from_millis(5);
/// Says one byte when all are there, and ends with its standard input.
const CROWD: &str = "i=0; while [ $i -lt 100 ]; do setsid sleep 1000 > /dev/null < /dev/null & i=$((i+1)); done; echo; read x";
/// The same in one group.
const GROUP: &str = "i=0; while [ $i -lt 100 ]; do sleep 1000 > /dev/null & i=$((i+1)); done; echo; wait";

fn main() {
    println!("{}", bench::machine());
    let workspace = tempfile::tempdir().unwrap();
    let policy =
        format!("workspace: {}\nexec: {{allowlist: [sh, setsid, sleep]}}\n", workspace.path().display());
    let sandbox = Sandbox::new(policy_from_yaml(&policy, workspace.path()).unwrap()).unwrap();
    let crowd = || {
        let mut command = sandbox.command("sh");
        command
            .args(["-c", CROWD])
            .current_dir(workspace.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        wait_for_all(child.stdout.take().unwrap());
        child
    };
    report("killed", Some(AIM), || {
        let child = crowd();
        time(|| {
            child.kill();
            finish(child);
        })
    });
    report("left behind by its main process", Some(AIM), || {
        let child = crowd();
        // Closes its standard input first.
        time(|| finish(child))
    });
    report("the kernel alone: one group, killed and reaped", None, || {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GROUP]).process_group(0).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut end = child.stdout.take().unwrap();
        wait_for_all(&mut end);
        let group = format!("-{}", child.id());
        time(|| {
            assert!(Command::new("/bin/kill").args(["-s", "KILL", "--", &group]).status().unwrap().success());
            let _ = child.wait().unwrap();
        })
    });
}

fn finish(mut child: Child) {
    let outcome = child.outcome().unwrap();
    assert!(outcome.sweep.complete, "{outcome:?}");
}

fn wait_for_all(mut output: impl Read) {
    output.read_exact(&mut [0]).unwrap();
    // The last ones are on their way to be `sleep`.
    std::thread::sleep(Duration::from_millis(200));
}

fn report(what: &str, aim: Option<Duration>, round: impl FnMut() -> Duration) {
    let mut times: Vec<Duration> = std::iter::repeat_with(round).take(ROUNDS).collect();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "100 processes, {what}: {:.2} ms, at least {:.2} ms{}",
        times.get(ROUNDS / 2).copied().map_or(0.0, milliseconds),
        times.first().copied().map_or(0.0, milliseconds),
        aim.map_or(String::new(), |aim| format!(" (aim {:.2} ms)", milliseconds(aim)))
    );
}

fn time(subject: impl FnOnce()) -> Duration {
    let start = Instant::now();
    subject();
    start.elapsed()
}
