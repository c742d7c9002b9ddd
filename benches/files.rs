//! The file proxy against plain calls: opening a file, reading 4 KiB, walking 100,000 files; with the audit log and without.
//! Prints ratios; never fails.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and gives up")]

use std::fs;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;

use claw_sandbox::{Files, Sandbox, policy_from_yaml};
use claw_testkit::bench::{machine, pairs, report};

const CALLS: usize = 200;

fn main() {
    println!("{}", machine());
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let work = root.join("work");
    fs::create_dir_all(work.join("a/b")).unwrap();
    let file = work.join("a/b/file");
    fs::write(&file, [b'x'; 4096]).unwrap();
    for audited in [false, true] {
        let files = files(&root, &work, audited);
        let name = if audited { ", audited" } else { "" };
        let pair = pairs(
            41,
            || repeat(|| drop(black_box(files.open(&file).unwrap()))),
            || repeat(|| drop(black_box(fs::File::open(&file).unwrap()))),
        );
        report(&format!("200 opens{name}"), pair, 1.3);
        let pair = pairs(
            41,
            || repeat(|| drop(black_box(files.read(&file).unwrap()))),
            || repeat(|| drop(black_box(fs::read(&file).unwrap()))),
        );
        report(&format!("200 reads of 4 KiB{name}"), pair, 1.5);
    }
    let tree = work.join("tree");
    for directory in 0..1_000 {
        let directory = tree.join(format!("{:02}/{directory:03}", directory % 40));
        fs::create_dir_all(&directory).unwrap();
        (0..100).for_each(|file| fs::write(directory.join(format!("f{file}")), "").unwrap());
    }
    let files = files(&root, &work, true);
    let ours = || {
        let searched = files.walk(&tree, |entry| {
            black_box(entry);
            ControlFlow::Continue(())
        });
        assert!(searched.unwrap().entries > 100_000);
    };
    let theirs = || {
        let walk = ignore::WalkBuilder::new(&tree).standard_filters(false).build();
        let mut entries = 0;
        walk.for_each(|entry| {
            black_box(entry.unwrap());
            entries += 1;
        });
        assert!(entries > 100_000);
    };
    report("walk of 100,000 files, audited, against `ignore`", pairs(5, ours, theirs), 1.5);
}

fn files(root: &Path, work: &Path, audited: bool) -> Files {
    let log = if audited {
        format!("logging: {{ auditFileAccess: true, logFile: {} }}\n", root.join("audit.log").display())
    } else {
        String::new()
    };
    let text = format!("workspace: {}\n{log}", work.display());
    Sandbox::new(policy_from_yaml(&text, work).unwrap()).unwrap().files()
}

fn repeat(mut call: impl FnMut()) {
    (0..CALLS).for_each(|_| call());
}
