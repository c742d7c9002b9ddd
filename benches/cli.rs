//! `claw-sandbox run -- true` against a bare spawn of `/bin/true`, interleaved. Prints ratios; never fails.
//!
//! Needs the release build of the command: `cargo build --release -p claw-sandbox-cli`.
//!
//! The aim leaves 0.3 x for everything but the start of two processes, and the start of this one alone
//! (`claw-sandbox --version`) takes 1.25 x. Where the rest went in a trace of one run of 3.9 ms on two processors, on
//! the way that the others wait for:
//!
//! | what | us |
//! | --- | --- |
//! | until `main` has read its arguments: the kernel, `cpuid` of libc under a hypervisor, 57 relocated pages | 550 |
//! | the built-in policy | 300 |
//! | the log, and what the policy's 160 paths are on this machine: 200 `statx`, then the decision | 850 |
//! | the decision's event | 70 |
//! | opening 82 files and giving them to Landlock, on two threads | 400 |
//! | the launcher's domain, guardian, hands and filter (364 instructions, of which the kernel makes machine code) | 340 |
//! | the run thread's domain and filter | 220 |
//! | the child: its exec with the supervisor's answer, its own start and end | 750 |
//! | waking up, the outcome's event, the guardian's and the directory's end, our own end | 260 |
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and gives up")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use claw_testkit::bench;

const ROUNDS: usize = 300;

fn main() {
    println!("{}", bench::machine());
    let Some(command) = release_binary() else {
        println!("no release build of claw-sandbox beside this benchmark; build it first");
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let workspace = tempfile::tempdir().unwrap();
    let pair = bench::pairs(
        ROUNDS,
        || {
            let status = Command::new(&command)
                .args(["run", "--", "true"])
                .current_dir(workspace.path())
                .env("XDG_STATE_HOME", state.path())
                .stdin(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
        },
        || {
            let status = Command::new("/bin/true")
                .current_dir(workspace.path())
                .stdin(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
        },
    );
    bench::report("claw-sandbox run -- true / bare spawn", pair, 2.3);
}

fn release_binary() -> Option<PathBuf> {
    let mut path = std::env::current_exe().ok()?;
    path.pop();
    path.pop();
    path.push("claw-sandbox");
    path.is_file().then_some(path)
}
