//! Signals to the command reach the run; nothing is left.

use std::io::{BufRead, BufReader};

use crate::harness::{Place, Ran, eventually, is_running, signal};

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
