//! `claw-sandbox run -- true` against a bare spawn of `/bin/true`, interleaved. Prints ratios; never fails.
//!
//! Needs the release build of the command: `cargo build --release -p claw-sandbox-cli`.
//!
//! The aim leaves 0.3 x for everything but the start of two processes, and the start of this one alone
//! (`claw-sandbox --version`) takes 1.2 x. Where the time went in a trace of one run of 5.0 ms, in which a bare spawn took
//! 0.7 ms and other work had the other processor, so that nothing was done at the same time:
//!
//! | what | us |
//! | --- | --- |
//! | until the first thread is made: the kernel, `cpuid` of libc under a hypervisor, 90 pages of relocated pointers | 610 |
//! | the built-in policy; meanwhile, or here afterwards, what the kernel offers and the temporary directory | 735 |
//! | the log, what the policy's 160 paths are on this machine (200 `statx`, by two threads), the decision and its event | 1220 |
//! | opening 82 files and giving them to Landlock, by two threads | 480 |
//! | the launcher's domain, guardian, hands and filter (364 instructions, of which the kernel makes machine code) | 400 |
//! | the run thread's domain and filter | 180 |
//! | the child: 110 until its exec, then its own start and end | 760 |
//! | the outcome's event, the guardian's and the directory's end | 290 |
//! | the kernel's work for our own end: six threads and their memory | 300 |
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
