//! What the sandbox costs a running program: opens to read and to write, stats, and spawns of `/bin/true` inside it,
//! against the same program bare and against the floor (a process under ten Landlock rules and a filter of 60
//! instructions). All layers are on: protected paths, and the audit of what is changed.
//!
//! The program is this benchmark itself, started again with a mode as its argument. Prints ratios; never fails.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark prints and gives up"
)]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use claw_sandbox::{Sandbox, policy_from_yaml};

const OPENS: u32 = 200_000;
const CALLS: u32 = 20_000;
const SPAWNS: u32 = 1_000;
const ROUNDS: usize = 11;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("work") => return work(&arguments[2], &arguments[3]),
        Some("floor") => {
            floor(Path::new(&arguments[4]));
            return work(&arguments[2], &arguments[3]);
        }
        _ => {}
    }
    println!("{}", claw_testkit::bench::machine());
    let (tree, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Depth 5 below the root, as in the figures of docs/ARCHITECTURE.md.
    let directory = tree.path().join("a/b");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("file");
    std::fs::write(&file, "content").unwrap();
    let program = std::env::current_exe().unwrap();
    let sandbox = |more: &str, log: &str| {
        let policy = policy(tree.path(), &program, more, &state.path().join(log));
        Sandbox::new(policy_from_yaml(&policy, tree.path()).unwrap()).unwrap()
    };
    let plain = sandbox("protected: [Makefile]", "log");
    // Patterns of hidden names make every open one to be judged.
    let hiding = sandbox("hidden: [.env, '*.pem']", "hiding-log");
    for (operation, sandbox, floor_aim, bare_aim) in [
        ("open", &plain, Some(1.10), None),
        ("open where names are hidden", &hiding, None, None),
        ("write", &plain, None, None),
        ("stat", &plain, None, Some(1.05)),
        ("spawn", &plain, None, Some(1.30)),
    ] {
        let mut inside = Vec::new();
        let mut floors = Vec::new();
        let mut bare = Vec::new();
        for _ in 0..ROUNDS {
            let mut command = sandbox.command(&program);
            command.args(["work", operation]).arg(&file).current_dir(tree.path());
            inside.push(nanoseconds(&command.output().unwrap().stdout));
            floors.push(run(Command::new(&program).args(["floor", operation]).arg(&file).arg(tree.path())));
            bare.push(run(Command::new(&program).args(["work", operation]).arg(&file)));
        }
        let ratio = |others: &[f64]| median(inside.iter().zip(others).map(|(a, b)| a / b).collect());
        println!(
            "{operation}: inside {:.0} ns, floor {:.0} ns, bare {:.0} ns; inside/floor {:.3}{}, inside/bare {:.3}{}",
            median(inside.clone()),
            median(floors.clone()),
            median(bare.clone()),
            ratio(&floors),
            floor_aim.map_or(String::new(), |aim| format!(" (aim {aim:.2})")),
            ratio(&bare),
            bare_aim.map_or(String::new(), |aim| format!(" (aim {aim:.2})")),
        );
    }
}

fn policy(tree: &Path, program: &Path, more: &str, log: &Path) -> String {
    format!(
        "workspace: {}\nexec: {{allowlist: [{{path: {}}}, 'true']}}\nfilesystem: {{{more}}}\n\
         logging: {{auditFileAccess: true, logFile: {}}}\n",
        tree.display(),
        program.display(),
        log.display()
    )
}

fn work(operation: &str, file: &str) {
    let calls = match operation {
        "open" => OPENS,
        "spawn" => SPAWNS,
        _ => CALLS,
    };
    let start = Instant::now();
    for _ in 0..calls {
        match operation {
            "open" | "open where names are hidden" => drop(std::fs::File::open(file).unwrap()),
            // Made by the broker, as everything that may change a file.
            "write" => drop(std::fs::File::options().write(true).open(file).unwrap()),
            "stat" => drop(std::fs::metadata(file).unwrap()),
            _ => assert!(Command::new("/bin/true").status().unwrap().success()),
        }
    }
    println!("{}", start.elapsed().as_nanos() / u128::from(calls));
}

/// Ten rules and 60 instructions on this process, by the crates directly.
fn floor(tree: &Path) {
    use landlock::{ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};
    let all = AccessFs::from_all(ABI::V5);
    let mut ruleset = Ruleset::default().handle_access(all).unwrap().create().unwrap();
    let read = AccessFs::from_read(ABI::V5);
    for path in ["/usr", "/lib", "/lib64", "/bin", "/etc", "/sbin", "/proc", "/opt", "/var"] {
        if let Ok(fd) = PathFd::new(path) {
            ruleset = ruleset.add_rule(PathBeneath::new(fd, read)).unwrap();
        }
    }
    ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(tree).unwrap(), all)).unwrap();
    ruleset.restrict_self().unwrap();
    // Eleven argument-free entries compile to 60 instructions (five an entry and five more).
    let rules = (400..411).map(|number| (number, Vec::new())).collect();
    let filter = seccompiler::SeccompFilter::new(
        rules,
        seccompiler::SeccompAction::Allow,
        seccompiler::SeccompAction::Errno(1),
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

fn run(command: &mut Command) -> f64 {
    nanoseconds(&command.output().unwrap().stdout)
}

fn nanoseconds(output: &[u8]) -> f64 {
    String::from_utf8_lossy(output).trim().parse().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
