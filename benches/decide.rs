//! Decisions: an argument vector, a shell line of 1 KiB, and lines up to 64 KiB to show that time is linear.
//! Facts are looked up beforehand. Prints times; never fails.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and gives up")]

use std::hint::black_box;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use claw_policy::{Decision, DescendantRequest, ExecRequest, FileId, Grant, ProgramFact, Request};
use claw_sandbox::{Judge, built_in_policy};
use claw_shell::{Dialect, Script, from_argv, parse};
use claw_testkit::bench;

const LINE: &[u8] =
    b"git log --oneline -n 5 | head -5; for f in *.rs; do wc -l \"$f\" 2>/dev/null; done && echo 'done' > out.txt; ";

fn main() {
    println!("{}", bench::machine());
    let directory = tempfile::tempdir().unwrap();
    let policy = built_in_policy(directory.path()).unwrap();
    let judge = Judge::new(policy);

    let argv: Vec<Vec<u8>> = [&b"git"[..], b"status"].map(<[u8]>::to_vec).into();
    let script = from_argv(&argv).unwrap();
    let argv_request = ExecRequest {
        script: &script,
        shell: None,
        line: None,
        cwd: directory.path().into(),
        environment: vec![],
    };
    let asked = Request::Exec(&argv_request);
    let facts = judge.facts(asked);
    let time = bench::median(21, 2_000, || {
        drop(black_box(claw_policy::decide(judge.policy(), &facts, asked).unwrap()));
    });
    println!("decide, argv                      {:>10.2} us (aim 2)", time.as_secs_f64() * 1e6);

    descendants(&judge, directory.path());

    for kibibytes in [1, 4, 16, 64] {
        let line: Vec<u8> =
            LINE.iter().copied().cycle().take(LINE.len() * (kibibytes * 1024 / LINE.len())).collect();
        let facts = judge.facts(Request::Exec(&request(
            &parse(&line, Dialect::Bash).unwrap(),
            &line,
            directory.path(),
        )));
        let time = bench::median(11, 64 / u32::try_from(kibibytes).unwrap() + 1, || {
            let script = parse(black_box(&line), Dialect::Bash).unwrap();
            let request = request(&script, &line, directory.path());
            drop(black_box(claw_policy::decide(judge.policy(), &facts, Request::Exec(&request)).unwrap()));
        });
        let micros = time.as_secs_f64() * 1e6;
        let aim = if kibibytes == 1 { " (aim 50)" } else { "" };
        println!(
            "parse and decide, {kibibytes:>2} KiB line     {micros:>10.2} us{aim}, {:.2} us a KiB",
            micros / (line.len() as f64 / 1024.0)
        );
    }
}

/// What every `execve` of a run's processes costs the policy: a listed program, a part, and one that is refused.
fn descendants(judge: &Judge, cwd: &Path) {
    let program = |path: &str| {
        let id = std::fs::metadata(path).unwrap();
        let real = std::fs::canonicalize(path).unwrap();
        ProgramFact {
            found: path.into(),
            real,
            id: FileId { device: id.dev(), inode: id.ino() },
            executable: true,
            interpreters: Vec::new(),
        }
    };
    let argv = ["make".into(), "all".into()];
    let script = from_argv(&argv).unwrap();
    let first =
        ExecRequest { script: &script, shell: None, line: None, cwd: cwd.into(), environment: vec![] };
    let Some(Decision::Allow(Grant::Exec(grant))) = judge.decide(Request::Exec(&first)) else { return };
    let caller = grant.role();
    let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    for (path, line) in [
        ("/usr/bin/git", "git log --oneline -n 5"),
        ("/bin/sh", "sh -c true"),
        ("/usr/bin/tar", "tar -czf x y"),
        ("/usr/bin/env", "env true"),
        ("/usr/bin/ssh", "ssh example.org"),
    ] {
        if !Path::new(path).exists() {
            println!("decide, descendant {line:<15} skipped: {path} is not there");
            continue;
        }
        let (program, argv) = (program(path), words(line));
        let request = DescendantRequest { program: &program, argv: &argv, cwd, caller: &caller };
        let asked = Request::Descendant(&request);
        let facts = judge.facts(asked);
        let time = bench::median(21, 2_000, || {
            drop(black_box(claw_policy::decide(judge.policy(), &facts, asked).unwrap()));
        });
        let name = argv.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
        println!("decide, descendant {name:<8}       {:>10.2} us (aim 5)", time.as_secs_f64() * 1e6);
    }
}

fn request<'a>(script: &'a Script, line: &'a [u8], cwd: &Path) -> ExecRequest<'a> {
    ExecRequest { script, shell: Some(b"bash"), line: Some(line), cwd: cwd.into(), environment: vec![] }
}
