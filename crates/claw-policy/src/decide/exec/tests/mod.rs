//! Table tests: each case is a command line and the code of the first reason against it.

mod carriers;
mod git;
mod properties;
mod rules;
mod shell;

use std::path::{Path, PathBuf};

use claw_shell::Script;

use crate::decide::testing::{Node, Tree, policy, rule, ruled};
use crate::policy::{ArgumentRule, Ask, Entry, Policy, ProgramMatcher, Ruled, Security};
use crate::{Decision, ExecRequest, FactError, Facts, FileId, ProgramFact, Query, Request};

/// A machine: a file system in which every file of `/usr/bin`, `/opt` and the workspace is a program.
pub(super) fn machine() -> Tree {
    let mut tree = Tree::new(&["/w"]);
    for name in PROGRAMS {
        tree.file(&format!("/usr/bin/{name}"));
    }
    tree.file("/usr/bin/python3.11").link("/usr/bin/python3", "python3.11");
    tree.file("/usr/bin/coreutils").link("/usr/bin/ls", "coreutils").link("/usr/bin/rm", "coreutils");
    tree.file("/opt/tools/a/bin/x").file("/w/git").file("/w/src/a.c").file("/w/.env").file("/etc/passwd");
    tree.link("/w/mygit", "/usr/bin/git")
        .link("/w/rm", "/usr/bin/coreutils")
        .link("/w/out", "/etc")
        .link("/w/in", "dir");
    tree.directory("/w/build").directory("/home/me/.ssh").file("/home/me/.ssh/id_rsa").directory("/w/dir");
    tree
}

const PROGRAMS: &[&str] = &[
    "git", "xargs", "cat", "grep", "sort", "tar", "find", "sed", "awk", "rg", "fd", "cargo", "npm", "curl",
    "make", "gcc", "cp", "mv", "tee", "mkdir", "touch", "node", "perl", "wc", "head", "env", "bash", "sh",
    "sudo", "gzip", "less", "man", "dd", "vim", "ed", "docker", "go", "jq", "echo", "ssh", "rsync", "cut",
    "tr", "mytool", "nproc", "ruby", "chmod", "zip", "tcpdump", "sqlite3", "ln", "gawk",
];

pub(super) fn answer(tree: &Tree, query: &Query, facts: &mut Facts) {
    match query {
        Query::Program { name } => {
            let path = Path::new("/usr/bin").join(String::from_utf8_lossy(name).as_ref());
            facts.set_program(name.clone(), program(tree, &path));
        }
        Query::ProgramPath { path } => facts.set_program_path(path, program(tree, path)),
        other => tree.answer(other, facts),
    }
}

pub(super) fn program(tree: &Tree, path: &Path) -> Result<ProgramFact, FactError> {
    let real = tree.resolve(path, true)?.real;
    let parent = path.parent().map(|parent| tree.resolve(parent, true)).transpose()?;
    let name = path.file_name().ok_or(FactError::IsDirectory)?;
    let found = parent.map_or_else(PathBuf::new, |parent| parent.real).join(name);
    match tree.nodes.get(&real) {
        Some(Node::File(inode)) => Ok(ProgramFact {
            found,
            executable: !real.starts_with("/etc"),
            real,
            id: FileId { device: 1, inode: *inode },
            interpreters: Vec::new(),
        }),
        Some(Node::Directory) => Err(FactError::IsDirectory),
        _ => Err(FactError::NotFound),
    }
}

/// Asks until there is a decision.
pub(super) fn decided(policy: &Policy, script: &Script, line: Option<&str>) -> Decision {
    decided_on(&machine(), policy, script, line)
}

fn decided_on(tree: &Tree, policy: &Policy, script: &Script, line: Option<&str>) -> Decision {
    let mut facts = Facts::new(Some("/home/me".into()));
    let request = ExecRequest {
        script,
        shell: None,
        line: line.map(str::as_bytes),
        cwd: "/w".into(),
        environment: Vec::new(),
    };
    for _ in 0..64 {
        match crate::decide(policy, &facts, Request::Exec(&request)) {
            Ok(decision) => return decision,
            Err(missing) => missing.queries.iter().for_each(|query| answer(tree, query, &mut facts)),
        }
    }
    panic!("the facts do not settle")
}

pub(super) fn script(text: &str) -> Script {
    claw_shell::parse(text.as_bytes(), claw_shell::Dialect::Bash).expect("the line parses")
}

/// `ok`, `ask CODE`, or the code of the first reason.
fn verdict(policy: &Policy, text: &str) -> String {
    match decided(policy, &script(text), Some(text)) {
        Decision::Allow(_) => "ok".into(),
        Decision::Ask(question) => format!("ask {}", question.reasons[0].code.name()),
        Decision::Deny(denial) => denial.reasons[0].code.name().into(),
    }
}

#[track_caller]
fn check(policy: &Policy, cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(text, expected)| {
            let verdict = verdict(policy, text);
            (verdict != *expected).then(|| format!("{text}\n    expected {expected}, got {verdict}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn words(text: &str) -> Vec<Vec<u8>> {
    text.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}

/// An entry as a policy writes it: a name, a name with leading arguments, or `path:GLOB`.
pub(super) fn entry(text: &str) -> Ruled<Entry> {
    let mut parts = words(text).into_iter();
    let first = parts.next().expect("an entry is not empty");
    let program = match first.strip_prefix(b"path:") {
        Some(glob) => ProgramMatcher::Path(String::from_utf8_lossy(glob).into()),
        None => ProgramMatcher::Name(first),
    };
    ruled(text, Entry { program, prefix: parts.collect(), allow: Vec::new(), deny: Vec::new() })
}

/// A rule as a policy writes it: leading operands, then any flags.
pub(super) fn argument_rule(text: &str) -> Ruled<ArgumentRule> {
    let (flags, subcommand): (Vec<_>, Vec<_>) =
        words(text).into_iter().partition(|word| word.starts_with(b"-"));
    ruled(
        text,
        match flags.is_empty() {
            true => ArgumentRule::Prefix(subcommand),
            false => ArgumentRule::Flags { subcommand, any_flag: flags },
        },
    )
}

pub(super) fn with_rules(name: &str, allow: &[&str], deny: &[&str]) -> Ruled<Entry> {
    let mut entry = entry(name);
    entry.value.allow = allow.iter().map(|text| argument_rule(text)).collect();
    entry.value.deny = deny.iter().map(|text| argument_rule(text)).collect();
    entry
}

/// A policy with that allowlist, the workspace `/w`, hidden `.env` and `~/.ssh`.
pub(super) fn allowing(entries: &[&str]) -> Policy {
    let mut policy = policy("/w", &[], &[".env", "/home/me/.ssh"]);
    policy.exec[0].allowlist = entries.iter().map(|text| entry(text)).collect();
    policy
}

fn developer() -> Policy {
    let all: Vec<&str> =
        PROGRAMS.iter().copied().filter(|name| !matches!(*name, "sudo" | "sh" | "bash" | "env")).collect();
    let mut policy = allowing(&all);
    policy.exec[0].allowlist.push(entry("python3"));
    policy.exec[0].allowlist.push(entry("ls"));
    policy
}
