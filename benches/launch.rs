//! The launch of `/bin/true` through the library, warm, against a bare spawn in the same process: with an idle
//! parent, and with 1 GiB resident in it. Prints ratios; never fails.
//!
//! The bare spawn is `std::process::Command`'s, which is `posix_spawn`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and gives up")]

use std::hint::black_box;
use std::process::Command;

use claw_sandbox::{Sandbox, Stdio, built_in_policy};
use claw_testkit::bench;

const ROUNDS: usize = 1_000;
const GIB: usize = 1 << 30;
const PAGE: usize = 4096;

fn main() {
    println!("{}", bench::machine());
    let workspace = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(built_in_policy(workspace.path()).unwrap()).unwrap();
    launch(&sandbox, workspace.path(), "launch / bare spawn, idle parent", 1.10);
    let mut resident = vec![0_u8; GIB];
    resident.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    launch(&sandbox, workspace.path(), "launch / bare spawn, 1 GiB in the parent", 1.15);
    black_box(resident);
}

fn launch(sandbox: &Sandbox, workspace: &std::path::Path, name: &str, aim: f64) {
    let pair = bench::pairs(
        ROUNDS,
        || {
            let mut command = sandbox.command("true");
            command.current_dir(workspace).stdin(Stdio::null());
            assert!(command.status().unwrap().success());
        },
        || {
            let status =
                Command::new("/bin/true").current_dir("/").stdin(std::process::Stdio::null()).status();
            assert!(status.unwrap().success());
        },
    );
    bench::report(name, pair, aim);
}
