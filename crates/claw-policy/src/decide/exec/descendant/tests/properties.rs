//! What holds for all policies, roles and programs.

use proptest::prelude::*;

use super::super::super::tests::{argument_rule, decided as asked, entry, script, with_rules};
use super::{decided, machine, policy, words};
use crate::decide::testing::ruled;
use crate::policy::{Ask, Policy, ProgramMatcher, Security};
use crate::{Decision, Grant, Role};

/// Programs that are started, with arguments.
const STARTED: &[&str] = &[
    "/usr/bin/git log",
    "/usr/bin/git push",
    "/usr/bin/npm test",
    "/usr/bin/node x.js",
    "/usr/bin/python3 x.py",
    "/usr/bin/sh -c x",
    "/usr/bin/make",
    "/usr/bin/rm x",
    "/usr/bin/cat x",
    "/usr/bin/env git log",
    "/usr/bin/busybox rm x",
    "/w/mygit log",
    "/w/node_modules/.bin/tsc",
    "/w/target/debug/build/x/build-script-build",
    "/usr/lib/git-core/git push",
    "/opt/tools/report",
    "/usr/bin/cargo build",
    "/usr/bin/gcc x.c",
];

fn random_policy() -> impl Strategy<Value = Policy> {
    let entries = prop::sample::subsequence(
        vec![
            "git",
            "git log",
            "npm",
            "node",
            "python3",
            "cat",
            "make",
            "cargo",
            "path:/opt/tools/*",
            "sh",
            "gcc",
        ],
        0..7,
    );
    let deny = prop::sample::subsequence(vec!["push", "log"], 0..2);
    let security = prop::sample::select(vec![Security::Allowlist, Security::Allowlist, Security::Full]);
    let ask = prop::sample::select(vec![Ask::Off, Ask::Off, Ask::OnMiss]);
    (entries, deny, security, ask).prop_map(|(entries, deny, security, ask)| {
        let mut policy = policy(&entries);
        if !deny.is_empty() {
            policy.exec[0].allowlist.push(with_rules("git", &[], &deny));
        }
        policy.exec[0].security = ruled("security", security);
        policy.exec[0].ask = ruled("ask", ask);
        policy
    })
}

fn steps() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(STARTED), 1..5)
}

/// The role at the end of a chain, going on where a step is refused.
fn role(policy: &Policy, steps: &[&str]) -> Role {
    let tree = machine();
    let mut role = super::command(&tree, steps[0]);
    for step in &steps[1..] {
        let argv = words(&step.split(' ').collect::<Vec<_>>());
        let path = step.split(' ').next().unwrap();
        if let Decision::Allow(Grant::Descendant(grant)) = decided(&tree, policy, &role, path, &argv) {
            role = grant.role().clone();
        }
    }
    role
}

/// 0 is allow, 1 ask, 2 deny.
fn rank(decision: &Decision) -> u8 {
    match decision {
        Decision::Allow(_) => 0,
        Decision::Ask(_) => 1,
        Decision::Deny(_) => 2,
    }
}

fn strictness(policy: &Policy, role: &Role, step: &str) -> u8 {
    let argv = words(&step.split(' ').collect::<Vec<_>>());
    rank(&decided(&machine(), policy, role, step.split(' ').next().unwrap(), &argv))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn adding_a_deny_never_allows(policy in random_policy(), steps in steps(), step in prop::sample::select(STARTED), name in prop::sample::select(vec!["git", "rm", "sh", "node", "env"])) {
        let role = role(&policy, &steps);
        let mut stricter = policy.clone();
        stricter.exec_deny.push(ruled(name, ProgramMatcher::Name(name.as_bytes().to_vec())));
        prop_assert!(strictness(&stricter, &role, step) >= strictness(&policy, &role, step));
    }

    #[test]
    fn deny_beats_every_allow(policy in random_policy(), steps in steps(), name in prop::sample::select(vec!["git", "rm", "sh", "node", "npm", "make"])) {
        let role = role(&policy, &steps);
        let mut stricter = policy.clone();
        stricter.exec_deny.push(ruled(name, ProgramMatcher::Name(name.as_bytes().to_vec())));
        prop_assert_eq!(strictness(&stricter, &role, &format!("/usr/bin/{name} x")), 2);
    }

    #[test]
    fn adding_a_rule_that_denies_arguments_never_allows(policy in random_policy(), steps in steps(), step in prop::sample::select(STARTED), rule in prop::sample::select(vec!["push", "log", "x.js"])) {
        let role = role(&policy, &steps);
        let mut stricter = policy.clone();
        for entry in &mut stricter.exec[0].allowlist {
            entry.value.deny.push(argument_rule(rule));
        }
        prop_assert!(strictness(&stricter, &role, step) >= strictness(&policy, &role, step));
    }

    #[test]
    fn adding_an_entry_for_a_whole_program_never_refuses(policy in random_policy(), steps in steps(), step in prop::sample::select(STARTED), name in prop::sample::select(vec!["git", "node", "sh", "env", "python3"])) {
        let role = role(&policy, &steps);
        let mut wider = policy.clone();
        wider.exec[0].allowlist.push(entry(name));
        prop_assert!(strictness(&wider, &role, step) <= strictness(&policy, &role, step));
    }

    #[test]
    fn a_second_layer_only_restricts(policy in random_policy(), second in random_policy(), steps in steps(), step in prop::sample::select(STARTED)) {
        let role = role(&policy, &steps);
        let mut both = policy.clone();
        both.exec.extend(second.exec);
        prop_assert!(strictness(&both, &role, step) >= strictness(&policy, &role, step));
    }

    // What a role adds are parts: without bundles all roles are alike.
    #[test]
    fn what_may_be_asked_for_is_the_same_for_every_role(policy in random_policy(), one in steps(), other in steps(), step in prop::sample::select(STARTED)) {
        let (one, other) = (role(&policy, &one), role(&policy, &other));
        let mut bare = policy.clone();
        bare.bundles.clear();
        // The interpreter of a script is its part too.
        prop_assume!(one.script().is_none() && other.script().is_none());
        prop_assert_eq!(strictness(&bare, &one, step), strictness(&bare, &other, step));
    }

    #[test]
    fn whatever_the_agent_may_ask_for_every_process_may_start(policy in random_policy(), steps in steps(), words in prop::sample::select(vec!["git log", "git push", "cat x", "python3 x.py", "node x.js", "make", "env git log", "sh -c ls", "gcc x.c", "timeout 5 cat x"])) {
        let line = script(words);
        if matches!(asked(&policy, &line, None), Decision::Allow(_)) {
            let role = role(&policy, &steps);
            prop_assert_eq!(strictness(&policy, &role, &format!("/usr/bin/{words}")), 0);
        }
    }
}
