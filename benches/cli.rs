//! `claw-sandbox run -- true` against a bare spawn of `/bin/true`, interleaved. Prints ratios; never fails.
//!
//! Needs the release build of the command: `cargo build --release -p claw-sandbox-cli`.
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
