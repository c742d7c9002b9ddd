//! `git status` in a repository of a thousand files, inside against bare. The launch itself is measured beside it, with
//! `/bin/true`, and taken off. Prints the ratio; never fails.
//!
//! On a machine with other work on it the ratio says little (1.2 to 1.6). With that work out of the way (`chrt -r 10`) it was
//! 1.15 to 1.16 on two cores of an AMD EPYC, Linux 6.18, with a bare `git status` of 5 ms, before a sweep left out its signal
//! where nothing is left. What is more than 1.0 is: some hundred opens for reading (1.7 us each, what Landlock costs), 1,200
//! `stat`s (50 ns each, the filter), and three calls that the broker makes (`/dev/null` opened to write, `.git/index.lock`
//! made and removed).
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and gives up")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use claw_sandbox::{Sandbox, Stdio, built_in_policy};
use claw_testkit::bench;

const ROUNDS: usize = 60;
const DIRECTORIES: usize = 50;
const FILES: usize = 20;
const AIM: f64 = 1.15;

fn main() {
    println!("{}", bench::machine());
    let workspace = tempfile::tempdir().unwrap();
    let tree = workspace.path();
    repository(tree);
    let sandbox = Sandbox::new(built_in_policy(tree).unwrap()).unwrap();
    let mut ratios = Vec::new();
    let mut times = Vec::new();
    for round in 0..ROUNDS + ROUNDS / 10 {
        let bare_git = bare(tree, &["git", "status", "--porcelain"]);
        let git = inside(&sandbox, tree, &["git", "status", "--porcelain"]);
        let bare_true = bare(tree, &["true"]);
        let launch = inside(&sandbox, tree, &["true"]).saturating_sub(bare_true);
        // The first rounds warm up.
        if round >= ROUNDS / 10 {
            ratios.push(git.saturating_sub(launch).as_secs_f64() / bare_git.as_secs_f64());
            times.push((git, bare_git, launch));
        }
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let middle = |of: fn(&(Duration, Duration, Duration)) -> Duration| {
        let mut values: Vec<Duration> = times.iter().map(of).collect();
        values.sort_unstable();
        values.get(values.len() / 2).map_or(0.0, |value| value.as_secs_f64() * 1e3)
    };
    let least = |of: fn(&(Duration, Duration, Duration)) -> Duration| times.iter().map(of).min().unwrap();
    println!(
        "git status: inside {:.2} ms, bare {:.2} ms, launch {:.2} ms; (inside - launch) / bare {:.3} (aim {AIM:.2}), \
         of the least times {:.3}",
        middle(|times| times.0),
        middle(|times| times.1),
        middle(|times| times.2),
        ratios.get(ratios.len() / 2).unwrap(),
        (least(|times| times.0).saturating_sub(least(|times| times.2))).as_secs_f64()
            / least(|times| times.1).as_secs_f64()
    );
}

fn repository(tree: &Path) {
    for directory in 0..DIRECTORIES {
        let directory = tree.join(format!("src{directory}"));
        std::fs::create_dir(&directory).unwrap();
        for file in 0..FILES {
            std::fs::write(directory.join(format!("file{file}")), "content\n").unwrap();
        }
    }
    let script =
        "git init -q && git add . && git -c user.name=A -c user.email=a@example.org commit -q -m first";
    assert!(Command::new("sh").args(["-c", script]).current_dir(tree).status().unwrap().success());
}

fn inside(sandbox: &Sandbox, tree: &Path, argv: &[&str]) -> Duration {
    let (program, arguments) = argv.split_first().unwrap();
    let mut command = sandbox.command(program);
    command.args(arguments).current_dir(tree).stdin(Stdio::null()).stdout(Stdio::null());
    time(|| assert!(command.status().unwrap().success()))
}

fn bare(tree: &Path, argv: &[&str]) -> Duration {
    let (program, arguments) = argv.split_first().unwrap();
    // The same file: the built-in profile's trusted directories in their order.
    let places = ["/usr/local/bin", "/usr/bin", "/bin"];
    let program = places.iter().map(|place| Path::new(place).join(program)).find(|path| path.is_file());
    let mut command = Command::new(program.unwrap());
    command.args(arguments).current_dir(tree).stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::null());
    time(|| assert!(command.status().unwrap().success()))
}

fn time(subject: impl FnOnce()) -> Duration {
    let start = Instant::now();
    subject();
    start.elapsed()
}
