//! The launch of `/bin/true` through the library, warm, against a bare spawn in the same process: with an idle
//! parent, and with 1 GiB resident in it. Prints ratios; never fails.
//!
//! The bare spawn is `std::process::Command`'s, which is `posix_spawn`.
//!
//! The aims are missed. A plain C program that makes the same system calls and decides nothing (a thread under the same
//! two filters and domains, woken up for each launch, and a `vfork` child that takes the same steps) has 1.15 here.
//! 0.08 of it is the child's own Landlock layer, for which the kernel copies the built-in policy's 195 rules; under 75
//! rules the program has 1.10, and without the layer, when a run could stop the thread that watches it, 1.06. The rest
//! of ours is the calling thread, in a trace 95 us from one run's end to the handing over of the next: facts that
//! are looked up anew (four directories, the program, the working directory), the decision, the environment, what is
//! opened.
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
