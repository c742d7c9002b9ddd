//! A machine with real tools as values, and chains of programs that start one another on it.

mod chains;
mod properties;
mod rules;

use std::path::{Path, PathBuf};

use super::super::tests::{allowing, answer, program};
use crate::decide::testing::Tree;
use crate::policy::Policy;
use crate::{Decision, DescendantRequest, Expansion, Facts, Grant, ProgramFact, Request, Role, profile};

/// Scripts, with what the kernel starts for them.
const SCRIPTS: &[(&str, &[&str])] = &[
    ("/usr/bin/npm", &["/usr/bin/env", "/usr/bin/node"]),
    ("/w/node_modules/typescript/bin/tsc", &["/usr/bin/env", "/usr/bin/node"]),
    ("/w/node_modules/snake/bin/snake", &["/usr/bin/env", "/usr/bin/python3.11"]),
    ("/usr/lib/git-core/git-submodule", &["/usr/bin/dash"]),
    ("/opt/tools/report", &["/usr/bin/python3.11"]),
    ("/opt/tools/eraser", &["/usr/bin/rm"]),
    ("/w/build.sh", &["/usr/bin/dash"]),
    ("/w/build.py", &["/usr/bin/python3.11"]),
];

const FILES: &[&str] = &[
    "/lib/ld-linux.so.2",
    "/usr/bin/bash",
    "/usr/bin/busybox",
    "/usr/bin/cargo",
    "/usr/bin/cat",
    "/usr/bin/curl",
    "/usr/bin/dash",
    "/usr/bin/env",
    "/usr/bin/gcc-12",
    "/usr/bin/git",
    "/usr/bin/gzip",
    "/usr/bin/as",
    "/usr/bin/ld",
    "/usr/bin/make",
    "/usr/bin/mawk",
    "/usr/bin/node",
    "/usr/bin/python3.11",
    "/usr/bin/rm",
    "/usr/bin/rustc",
    "/usr/bin/sed",
    "/usr/bin/tar",
    "/usr/bin/timeout",
    "/usr/bin/uname",
    "/usr/bin/vim",
    "/usr/bin/xargs",
    "/usr/lib/gcc/x/12/cc1",
    "/usr/lib/gcc/x/12/collect2",
    "/usr/lib/git-core/git",
    "/usr/lib/rustlib/x/bin/gcc-ld/ld.lld",
    "/usr/lib/rustlib/x/lib/tool",
    "/usr/lib/git-core/git-remote-https",
    "/home/me/.rustup/toolchains/stable/bin/cargo",
    "/home/me/.rustup/toolchains/stable/bin/rustc",
    "/w/target/debug/build/x/build-script-build",
    "/opt/tools/git",
    "/opt/other/git",
    "/w/git",
    "/w/tool",
];

const LINKS: &[(&str, &str)] = &[
    ("/usr/bin/sh", "dash"),
    ("/usr/bin/python3", "python3.11"),
    ("/usr/bin/gcc", "gcc-12"),
    ("/usr/bin/cc", "gcc"),
    ("/usr/bin/awk", "mawk"),
    ("/usr/bin/ls", "busybox"),
    ("/usr/lib/git-core/git-push", "git"),
    ("/usr/lib/git-core/git-gc", "git"),
    ("/w/node_modules/.bin/tsc", "../typescript/bin/tsc"),
    ("/w/node_modules/.bin/snake", "../snake/bin/snake"),
    ("/w/node_modules/.bin/evil", "/usr/bin/rm"),
    ("/opt/tools/cat-link", "/opt/other/git"),
    ("/w/mygit", "/usr/bin/git"),
    ("/w/ls", "/usr/bin/rm"),
];

fn machine() -> Tree {
    let mut tree = Tree::new(&["/w"]);
    for path in FILES.iter().chain(SCRIPTS.iter().map(|(path, _)| path)) {
        tree.file(path);
    }
    for (path, target) in LINKS {
        tree.link(path, target);
    }
    tree.hard_link("/w/hard", "/usr/bin/git").hard_link("/w/hard-rm", "/usr/bin/rm");
    tree
}

/// A policy with the bundles that ship.
fn policy(entries: &[&str]) -> Policy {
    let expansion = Expansion { home: Some("/home/me".into()), ..Expansion::default() };
    let mut policy = allowing(entries);
    policy.bundles = profile::bundles(&expansion);
    policy
}

fn fact(tree: &Tree, path: &str) -> ProgramFact {
    let mut fact = program(tree, Path::new(path)).expect("the program is there");
    let script = SCRIPTS.iter().find(|(path, _)| fact.real == Path::new(path));
    fact.interpreters = script.map_or(&[][..], |(_, list)| list).iter().map(PathBuf::from).collect();
    fact.interpreters.push("/lib/ld-linux.so.2".into());
    fact
}

fn words(argv: &[&str]) -> Vec<Vec<u8>> {
    argv.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn decided(tree: &Tree, policy: &Policy, caller: &Role, path: &str, argv: &[Vec<u8>]) -> Decision {
    let program = fact(tree, path);
    let request = DescendantRequest { program: &program, argv, cwd: Path::new("/w"), caller };
    let mut facts = Facts::new(Some("/home/me".into()));
    for _ in 0..16 {
        match crate::decide(policy, &facts, Request::Descendant(&request)) {
            Ok(decision) => return decision,
            Err(missing) => missing.queries.iter().for_each(|query| answer(tree, query, &mut facts)),
        }
    }
    panic!("the facts do not settle")
}

/// The role of a first process that runs `line`.
fn command(tree: &Tree, line: &str) -> Role {
    let argv: Vec<&str> = line.split(' ').collect();
    Role::of_command(Some(&fact(tree, argv[0])), &words(&argv))
}

/// Runs a chain of programs, each started by the one before, the first by the agent; `ok`, or who is refused and why.
///
/// A step is an argument vector; `PATH=ARGV...` calls the file PATH by another name. Quotes hold a word together.
fn chain(tree: &Tree, policy: &Policy, steps: &[&str]) -> String {
    let (first, rest) = steps.split_first().expect("a command");
    let mut role = command(tree, first);
    for step in rest {
        let (path, line) = step
            .split_once('=')
            .filter(|(path, _)| !path.contains(' '))
            .unwrap_or_else(|| (step.split(' ').next().unwrap_or_default(), step));
        let argv: Vec<Vec<u8>> = match line.split_once(" '") {
            Some((before, text)) => {
                let before = before.split(' ').map(|word| word.as_bytes().to_vec());
                before.chain([text.trim_end_matches('\'').as_bytes().to_vec()]).collect()
            }
            None => words(&line.split(' ').collect::<Vec<_>>()),
        };
        match decided(tree, policy, &role, path, &argv) {
            Decision::Allow(Grant::Descendant(grant)) => role = grant.role().clone(),
            Decision::Deny(denial) => return format!("{step}: {}", denial.reasons[0].code.name()),
            Decision::Ask(question) => return format!("{step}: ask {}", question.reasons[0].code.name()),
            other => panic!("{other:?}"),
        }
    }
    "ok".into()
}

/// Each case is a chain that is allowed but for its last step when a code is given.
#[track_caller]
fn check(policy: &Policy, cases: &[(&[&str], &str)]) {
    let tree = machine();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(steps, code)| {
            let last = steps.last().expect("a step");
            let expected = if *code == "ok" { "ok".to_owned() } else { format!("{last}: {code}") };
            let found = chain(&tree, policy, steps);
            (found != expected).then(|| format!("{steps:?}\n    expected {expected}, got {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
