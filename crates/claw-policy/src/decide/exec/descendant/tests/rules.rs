//! Names, arguments and disguises.

use super::super::super::tests::with_rules;
use super::{chain, check, command, decided, machine, policy, words};
use crate::decide::testing::{rule, ruled};
use crate::policy::{Ask, ProgramMatcher, Security};
use crate::{Decision, Role};

const MISSING: &str = "exec.not-allowlisted";

fn name(text: &str) -> crate::policy::Ruled<ProgramMatcher> {
    ruled(text, ProgramMatcher::Name(text.as_bytes().to_vec()))
}

#[test]
fn a_program_is_the_file_that_it_is() {
    check(
        &policy(&["git", "ls", "python3"]),
        &[
            (&["/usr/bin/python3", "/w/mygit log"], "ok"),
            (&["/usr/bin/python3", "/w/hard log"], "ok"),
            (&["/usr/bin/python3", "/w/git log"], MISSING),
            (&["/usr/bin/python3", "/w/git=git log"], MISSING),
            (&["/usr/bin/python3", "/w/ls x"], MISSING),
            (&["/usr/bin/python3", "/usr/bin/rm=git x"], MISSING),
            (&["/usr/bin/python3", "/usr/bin/python3.11 x"], "ok"),
            (&["/usr/bin/python3", "/lib/ld-linux.so.2 /usr/bin/git"], MISSING),
            // One file, many programs.
            (&["/usr/bin/python3", "/usr/bin/ls x"], "ok"),
            (&["/usr/bin/python3", "/usr/bin/busybox ls x"], "ok"),
            (&["/usr/bin/python3", "/usr/bin/ls=rm x"], MISSING),
            (&["/usr/bin/python3", "/usr/bin/busybox rm x"], MISSING),
            (&["/usr/bin/python3", "/usr/bin/busybox busybox rm x"], MISSING),
            (&["/usr/bin/python3", "/usr/bin/busybox xargs rm"], MISSING),
            (&["/usr/bin/python3", "/usr/bin/busybox env git log"], "ok"),
        ],
    );
}

#[test]
fn every_trusted_directory_may_have_a_program_of_the_name() {
    let mut two = policy(&["git log", "cat"]);
    two.trusted_dirs.push("/opt/tools".into());
    two.trusted_dirs.push("/usr/local/bin".into());
    check(
        &two,
        &[
            (&["/usr/bin/cat", "/opt/tools/git log"], "ok"),
            (&["/usr/bin/cat", "/opt/tools/git push"], MISSING),
            (&["/usr/bin/cat", "/opt/tools/git=cat log"], "ok"),
            (&["/usr/bin/cat", "/opt/other/git log"], MISSING),
            (&["/usr/bin/cat", "/opt/tools/cat-link=cat log"], MISSING),
        ],
    );
}

#[test]
fn what_is_denied_is_denied_under_every_name_and_list() {
    let mut denying = policy(&["npm", "path:/opt/tools/*", "make", "env"]);
    denying.exec_deny =
        vec![name("rm"), name("node"), ruled("/usr/bin/c*", ProgramMatcher::Path("/usr/bin/c*".into()))];
    let cases: &[(&[&str], &str)] = &[
        (&["/usr/bin/make", "/usr/bin/rm x"], "exec.denied"),
        (&["/usr/bin/make", "/w/hard-rm x"], "exec.denied"),
        (&["/usr/bin/make", "/w/ls x"], "exec.denied"),
        (&["/usr/bin/make", "/usr/bin/busybox rm x"], "exec.denied"),
        (&["/usr/bin/make", "/usr/bin/ls=rm x"], "exec.denied"),
        (&["/usr/bin/npm x", "/usr/bin/node x"], "exec.denied"),
        (&["/usr/bin/npm x", "/w/node_modules/.bin/tsc"], "exec.denied"),
        (&["/usr/bin/make", "/opt/tools/eraser"], "exec.denied"),
        (&["/usr/bin/make", "/opt/tools/report"], "ok"),
        (&["/usr/bin/make", "/usr/bin/curl x"], "exec.denied"),
    ];
    check(&denying, cases);
    denying.exec[0].security = ruled("full", Security::Full);
    check(&denying, cases);
    check(&denying, &[(&["/usr/bin/make", "/usr/bin/vim x"], "ok")]);
}

#[test]
fn argument_rules_hold_at_every_level() {
    let mut ruled_policy = policy(&["npm", "make", "node server.js", "git"]);
    ruled_policy.exec[0].allowlist.push(with_rules("git", &[], &["push"]));
    ruled_policy.exec[0].allowlist.push(with_rules("cargo", &["build"], &[]));
    check(
        &ruled_policy,
        &[
            (&["/usr/bin/make", "/usr/bin/git -c x=y push origin"], "exec.arguments"),
            (&["/usr/bin/git x", "/usr/lib/git-core/git push"], "exec.arguments"),
            (&["/usr/bin/git x", "/usr/lib/git-core/git-push origin"], "exec.arguments"),
            (&["/usr/bin/git x", "/usr/lib/git-core/git=git push"], "exec.arguments"),
            (&["/usr/bin/make", "/usr/bin/git log"], "ok"),
            (&["/usr/bin/make", "/usr/bin/cargo publish"], "exec.arguments"),
            (&["/usr/bin/make", "/usr/bin/cargo build"], "ok"),
            // The entry says how node may run, also for npm.
            (&["/usr/bin/npm x", "/usr/bin/node server.js"], "ok"),
            (&["/usr/bin/npm x", "/usr/bin/node other.js"], MISSING),
        ],
    );
    ruled_policy.exec[0].security = ruled("full", Security::Full);
    check(&ruled_policy, &[(&["/usr/bin/make", "/usr/bin/git push"], "exec.arguments")]);
}

#[test]
fn program_text_is_refused_at_every_level() {
    let mut strict = policy(&["npm", "python3", "make"]);
    strict.exec[0].inline_eval_denied = Some(rule("inlineEval: deny"));
    check(
        &strict,
        &[
            (&["/usr/bin/make", "/usr/bin/python3 -c x"], "exec.inline-eval"),
            (&["/usr/bin/make", "/usr/bin/python3.11 -c x"], "exec.inline-eval"),
            (&["/usr/bin/make", "/usr/bin/python3 x.py"], "ok"),
            (&["/usr/bin/npm x", "/usr/bin/node -e x"], "exec.inline-eval"),
            (&["/usr/bin/npm x", "/usr/bin/sh -c 'node x.js'"], "ok"),
        ],
    );
}

#[test]
fn wrappers_pass_on_whom_their_caller_works_for() {
    check(
        &policy(&["npm", "python3", "git"]),
        &[
            (&["/usr/bin/npm x", "/usr/bin/timeout 5 node x", "/usr/bin/node x"], "ok"),
            (&["/usr/bin/python3", "/usr/bin/timeout 5 node x", "/usr/bin/node x"], MISSING),
            (&["/usr/bin/python3", "/usr/bin/env A=1 git log", "/usr/bin/git log"], "ok"),
            (&["/usr/bin/python3", "/usr/bin/xargs rm", "/usr/bin/rm x"], MISSING),
            (&["/usr/bin/bash -c x", "/usr/bin/git log"], "ok"),
            (&["/usr/bin/bash -c x", "/usr/bin/bash -c 'git log; rm x'"], MISSING),
            (&["/usr/bin/bash -c x", "/usr/bin/bash -c 'git log | git show'"], "ok"),
        ],
    );
}

#[test]
fn a_layer_that_restricts_is_asked_too() {
    let mut both = policy(&["npm", "git"]);
    both.exec.push(policy(&["npm"]).exec[0].clone());
    check(
        &both,
        &[(&["/usr/bin/npm x", "/usr/bin/git log"], MISSING), (&["/usr/bin/npm x", "/usr/bin/node x"], "ok")],
    );
    both.exec[1].security = ruled("deny", Security::Deny);
    check(&both, &[(&["/usr/bin/npm x", "/usr/bin/node x"], "exec.security-deny")]);
}

#[test]
fn what_is_missing_is_asked_about_when_the_policy_says_so() {
    let mut asking = policy(&["npm"]);
    asking.exec[0].ask = ruled("on-miss", Ask::OnMiss);
    asking.exec_deny = vec![name("rm")];
    let tree = machine();
    assert_eq!(
        chain(&tree, &asking, &["/usr/bin/npm x", "/usr/bin/curl x"]),
        format!("/usr/bin/curl x: ask {MISSING}")
    );
    assert_eq!(chain(&tree, &asking, &["/usr/bin/npm x", "/usr/bin/rm x"]), "/usr/bin/rm x: exec.denied");
    let Decision::Ask(question) =
        decided(&tree, &asking, &command(&tree, "/usr/bin/npm x"), "/usr/bin/curl", &words(&["curl", "x"]))
    else {
        panic!("it is asked");
    };
    assert_eq!(question.commands, [words(&["curl", "x"])]);
}

#[test]
fn messages_name_the_program_who_asked_and_the_change() {
    let tree = machine();
    let policy = policy(&["npm"]);
    let npm = command(&tree, "/usr/bin/npm run x");
    let Decision::Deny(denial) = decided(&tree, &policy, &npm, "/usr/bin/curl", &words(&["curl"])) else {
        panic!("it is denied");
    };
    let reason = &denial.reasons[0];
    assert_eq!(reason.message, "`curl` is neither in the allowlist nor a part of `npm` (the command)");
    assert_eq!(reason.change.as_deref(), Some("add \"curl\" to exec.allowlist"));
    let Decision::Allow(grant) = decided(&tree, &policy, &npm, "/usr/bin/sh", &words(&["sh", "-c", "x"]))
    else {
        panic!("it is allowed");
    };
    assert_eq!(grant.reasons()[0].message, "`sh` is a part of `npm`");
    let crate::Grant::Descendant(grant) = grant else { panic!("of another kind") };
    assert_eq!(grant.role().to_string(), "`sh` (started by `npm`)");
    assert_eq!(grant.role(), &Role::clone(grant.role()));
}
