use std::path::Path;

use super::super::tests::{allowing, machine, program};
use crate::decide::testing::Tree;
use crate::policy::{Bundle, Policy};
use crate::{Decision, DescendantRequest, Facts, Grant, ProgramFact, Query, Request, Role};

fn answer(tree: &Tree, query: &Query, facts: &mut Facts) {
    super::super::tests::answer(tree, query, facts);
}

fn fact(tree: &Tree, path: &str) -> ProgramFact {
    program(tree, Path::new(path)).expect("the program is there")
}

fn words(argv: &[&str]) -> Vec<Vec<u8>> {
    argv.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn decided(tree: &Tree, policy: &Policy, caller: &Role, path: &str, argv: &[&str]) -> Decision {
    let program = fact(tree, path);
    let argv = words(argv);
    let request = DescendantRequest { program: &program, argv: &argv, cwd: Path::new("/w"), caller };
    let mut facts = Facts::new(Some("/home/me".into()));
    for _ in 0..8 {
        match crate::decide(policy, &facts, Request::Descendant(&request)) {
            Ok(decision) => return decision,
            Err(missing) => missing.queries.iter().for_each(|query| answer(tree, query, &mut facts)),
        }
    }
    panic!("the facts do not settle")
}

/// Runs a chain of programs, each started by the one before; `ok`, or who is refused and why.
fn chain(tree: &Tree, policy: &Policy, steps: &[&str]) -> String {
    let mut steps = steps.iter().map(|step| step.split(' ').collect::<Vec<_>>());
    let first = steps.next().expect("a command");
    let mut role = Role::of_command(Some(&fact(tree, first[0])), &words(&first));
    for argv in steps {
        match decided(tree, policy, &role, argv[0], &argv) {
            Decision::Allow(Grant::Descendant(grant)) => role = grant.role().clone(),
            Decision::Deny(denial) => return format!("{} {}", argv[0], denial.reasons[0].code.name()),
            other => panic!("{other:?}"),
        }
    }
    "ok".into()
}

fn bundle(program: &str, parts: &[&str]) -> Bundle {
    Bundle { program: program.into(), parts: parts.iter().map(|part| part.into()).collect() }
}

#[test]
fn a_part_runs_for_its_owner_and_nobody_else() {
    let mut policy = allowing(&["npm", "git", "python3", "git log"]);
    policy.bundles = vec![bundle("npm", &["/usr/bin/sh", "/usr/bin/node"])];
    let tree = machine();
    let cases: &[(&[&str], &str)] = &[
        (&["/usr/bin/npm test", "/usr/bin/sh -c x", "/usr/bin/node x.js"], "ok"),
        (&["/usr/bin/npm test", "/usr/bin/sh -c x", "/usr/bin/git log"], "ok"),
        (&["/usr/bin/npm test", "/usr/bin/sh -c x", "/usr/bin/curl x"], "/usr/bin/curl exec.not-allowlisted"),
        (
            &["/usr/bin/npm test", "/usr/bin/python3 x", "/usr/bin/sh -c x"],
            "/usr/bin/sh exec.not-allowlisted",
        ),
        (&["/usr/bin/python3", "/usr/bin/sh -c x"], "/usr/bin/sh exec.not-allowlisted"),
        (&["/usr/bin/python3", "/usr/bin/env git log", "/usr/bin/git log"], "ok"),
        (
            &["/usr/bin/python3", "/usr/bin/env node x", "/usr/bin/node x"],
            "/usr/bin/node exec.not-allowlisted",
        ),
        (&["/usr/bin/python3", "/w/mygit log"], "ok"),
        (&["/usr/bin/python3", "/w/git log"], "/w/git exec.not-allowlisted"),
        (&["/usr/bin/python3", "/w/rm x"], "/w/rm exec.not-allowlisted"),
    ];
    for (steps, expected) in cases {
        assert_eq!(chain(&tree, &policy, steps), *expected, "{steps:?}");
    }
}
