//! Endurance: five hundred runs of every sort, from eight threads, ended in every way and at random moments. All are
//! accounted for, and nothing of them is left.
//!
//! The runs belong to a second process, this test again, so that threads and descriptors can be counted and a hang can
//! be looked at from outside. `CLAW_TEST_SEED` repeats a choice of runs; each test prints its seed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it found"
)]

mod accounts;
mod place;
mod random;
mod sorts;
mod worker;

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use claw_testkit::scene::{Scene, is_alive, processes};

/// A second process that is not done by then hangs. It takes half a minute on two busy processors.
const PATIENCE: Duration = Duration::from_secs(400);

#[test]
fn five_hundred_mixed_runs_leave_nothing_behind() {
    if let Some(place) = place::given() {
        return worker::work(&place);
    }
    let seed = random::seed();
    say(&format!("seed {seed}: repeat it with CLAW_TEST_SEED={seed}"));
    let scene = Scene::new();
    place::furnish(&scene);
    let connections = run_the_worker(&scene, seed);

    let left: Vec<String> = of_this_place(&scene).into_iter().map(describe).collect();
    assert!(left.is_empty(), "seed {seed}: processes are left: {left:#?}");
    let temporary: Vec<_> = fs::read_dir(scene.path(place::TEMPORARY)).unwrap().flatten().collect();
    assert!(temporary.is_empty(), "seed {seed}: temporary directories are left: {temporary:?}");
    assert_eq!(connections, 0, "seed {seed}: somebody was reached whom no rule names");
    assert!(!scene.victim().was_signalled(&scene), "seed {seed}: a process outside was signalled");
    place::assert_untouched(&scene);
}

/// Starts this test again to do the runs, and waits for it. Returns how often the port that is closed was reached.
fn run_the_worker(scene: &Scene, seed: u64) -> usize {
    // The victim is there before anything runs.
    let _ = scene.victim();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "five_hundred_mixed_runs_leave_nothing_behind", "--nocapture"])
        .envs(place::environment(scene, seed))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let mut connections = 0;
    while child.try_wait().unwrap().is_none() {
        connections += scene.heard_other();
        let _ = scene.heard();
        if start.elapsed() > PATIENCE {
            give_up(&mut child, scene, seed);
        }
        thread::sleep(Duration::from_millis(20));
    }
    connections += scene.heard_other();
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&stdout);
    assert!(
        status.success() && said.contains("all accounted for"),
        "seed {seed}: the runs ended with {status} (signal {:?})\n{said}",
        status.signal()
    );
    for line in said.lines().filter(|line| line.contains("accounted for")) {
        say(line);
    }
    connections
}

/// Says where every thread of a process that hangs waits, and what it has started.
fn give_up(child: &mut Child, scene: &Scene, seed: u64) -> ! {
    let id = child.id();
    for task in fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten() {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        say(&format!(
            "{}: {}: {}; {}",
            task.file_name().display(),
            read("comm").trim_end(),
            read("wchan"),
            read("syscall").trim_end()
        ));
    }
    of_this_place(scene).into_iter().for_each(|process| say(&describe(process)));
    let _ = child.kill();
    let output = child.wait().unwrap();
    panic!("seed {seed}: the runs hang: {output}");
}

/// Every process of this place but for the victim: each run's environment names a directory in it.
fn of_this_place(scene: &Scene) -> Vec<u32> {
    let token = scene.fill("{token}");
    let victim = scene.victim().process.id();
    let names = |process: u32| {
        ["cmdline", "environ"].iter().any(|file| {
            let text = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&text).contains(&token)
        })
    };
    processes().filter(|process| *process != victim && is_alive(*process) && names(*process)).collect()
}

fn describe(process: u32) -> String {
    let read = |file| fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
    let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
    let status = String::from_utf8_lossy(&read("status")).into_owned();
    let of = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or("").replace('\t', " ");
    format!("{process}: {line} ({}, {}, {})", of("State"), of("PPid"), of("TracerPid"))
}

/// In the second process: says something to the first.
fn say_to_the_first(text: &str) {
    println!("{text}");
}

/// Says something that is to be seen, also when the test passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
