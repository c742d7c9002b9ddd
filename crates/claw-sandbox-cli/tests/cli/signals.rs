//! Signals to the command reach the run; nothing is left.

use std::io::{BufRead, BufReader};

use crate::harness::{Place, Ran, User, eventually, is_running, signal};

fn interrupted(name: &str, line: &str) -> (Ran, Place) {
    let place = Place::new();
    place.write("policy.yaml", "exec:\n  allowlist: [sleep, setsid]\n");
    let mut child = place
        .cli(["run", "--policy", "../policy.yaml", "--outcome", "../outcome.json", "--shell", line])
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut started = String::new();
    stdout.read_line(&mut started).unwrap();
    if started != "started\n" {
        panic!("did not start: {:?}", child.wait_with_output());
    }
    signal(&child, name);
    let output = child.wait_with_output().unwrap();
    (Ran::new(name.to_owned(), &output), place)
}

#[test]
fn a_signal_ends_the_run_with_128_and_its_number() {
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("QUIT", 3)] {
        let (ran, place) = interrupted(name, "setsid sleep 98763.1 & echo started; sleep 98763.2");
        ran.exits(128 + number);
        assert!(eventually(|| !is_running("98763.")), "left running after {name}");
        assert!(place.path("outcome.json").exists());
    }
}

#[test]
fn the_run_is_told_before_it_is_ended() {
    let (ran, place) = interrupted(
        "TERM",
        "trap 'echo told > told; exit 0' TERM; echo started; while :; do sleep 0.05; done",
    );
    ran.exits(128 + 15);
    assert_eq!(std::fs::read_to_string(place.work().join("told")).unwrap(), "told\n");
}

#[test]
fn a_run_that_ignores_the_signal_is_ended_anyway() {
    let (ran, _place) =
        interrupted("TERM", "trap '' TERM INT; echo started; while :; do sleep 98762.1; done");
    ran.exits(128 + 15);
    assert!(eventually(|| !is_running("98762.")));
}

/// Starts sessions, orphans and a stopped process, then says so and waits.
fn scattered(mark: &str) -> String {
    format!(
        "setsid sleep {mark}1 & (setsid sh -c 'trap \"\" TERM HUP; sleep {mark}2; :' &) ; \
         sh -c 'kill -STOP $$; sleep {mark}3' & echo started; sleep {mark}4"
    )
}

fn start(mut command: std::process::Command) -> std::process::Child {
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut started = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut started).unwrap();
    assert_eq!(started, "started\n", "{child:?}");
    child
}

#[test]
fn killing_us_kills_the_tree_and_nothing_else() {
    // Without the sandbox what has left the session goes on.
    let _end = EndAll("98757.");
    let mut plain = std::process::Command::new("bash");
    plain.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    plain.args(["-c", &scattered("98757.")]);
    let mut plain = start(plain);
    plain.kill().unwrap();
    plain.wait().unwrap();
    assert!(eventually(|| is_running("sleep\u{0}98757.1") && is_running("sleep\u{0}98757.2")));

    for user in User::all() {
        let place = Place::of(user);
        place.write("policy.yaml", "exec:\n  security: full\n");
        let run = || start(place.cli(["run", "--policy", "../policy.yaml", "--shell", &scattered("98756.")]));
        let mut other =
            place.cli(["run", "--policy", "../policy.yaml", "--shell", "echo started; sleep 98755.1"]);
        other.stdin(std::process::Stdio::null());
        let mut other = start(other);
        let mut killed = run();
        assert!(eventually(|| is_running("sleep\u{0}98756.1") && is_running("sleep\u{0}98756.2")));
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert!(eventually(|| !is_running("98756.")), "left running");
        // Neither a run of another launcher nor a process without one.
        assert!(is_running("sleep\u{0}98755.1") && is_running("sleep\u{0}98757.1"));
        signal(&other, "TERM");
        other.wait().unwrap();
        assert!(eventually(|| !is_running("98755.")));
    }
}

/// Ends, when dropped, the processes that this test started and whose command line holds the mark.
struct EndAll(&'static str);

impl Drop for EndAll {
    fn drop(&mut self) {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(id) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(self.0) {
                let id = nix::unistd::Pid::from_raw(id);
                let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}
