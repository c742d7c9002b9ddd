//! What a run was refused becomes a change of its policy, and then it runs.

use std::io::Write;

use crate::harness::Place;

const POLICY: &str = "exec:\n  allowlist:\n    - bash\nfilesystem:\n  writable: []\n";

#[test]
fn a_run_is_learnt_step_by_step_until_it_goes_through() {
    let place = Place::new();
    place.write("policy.yaml", POLICY);
    place.write("work/script", "/usr/bin/id -u > out || exit 3\n");
    let run = ["run", "--policy", "../policy.yaml", "--", "bash", "script"];
    assert_eq!(place.run(run).status, 3);
    let learnt = place.run(["learn", "--policy", "../policy.yaml", "--", "bash", "script"]);
    assert_eq!(learnt.status, 0, "{learnt:?}");
    let added: Vec<&str> =
        learnt.stdout.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++")).collect();
    assert_eq!(added, ["+    - id"], "{learnt:?}");
    assert!(!learnt.stderr.contains("write it elsewhere"), "{learnt:?}");
    place.write("diff", &learnt.stdout);
    let Ok(patched) = place.program("patch").args(["-s", "../policy.yaml", "../diff"]).status() else {
        // Past the test runner's capture.
        let _ = std::io::stderr().write_all(b"skipped: applying a diff needs patch\n");
        return;
    };
    assert!(patched.success());
    let ran = place.run(run);
    assert_eq!(ran.status, 0, "{ran:?}");
    let again = place.run(["learn", "--policy", "../policy.yaml", "--", "bash", "script"]);
    assert!(again.stdout.is_empty() && again.stderr.contains("nothing was refused"), "{again:?}");
    assert_eq!(again.stderr.matches("what the kernel refused by itself").count(), 1, "{again:?}");
}

#[test]
fn a_first_policy_is_not_to_lie_in_the_workspace() {
    let place = Place::new();
    let learnt = place.run(["learn", "--", "curl", "--version"]).exits(0).prints("+    - curl");
    learnt.says("write it elsewhere, and name it with --policy");
    place.write("work/policy.yaml", "exec: { allowlist: [default, curl] }\n");
    place.run(["run", "--policy", "policy.yaml", "--", "true"]).exits(125).says("move it elsewhere");
}

#[test]
fn the_command_itself_is_learnt_and_what_a_rule_forbids_is_not() {
    let place = Place::new();
    place.write("policy.yaml", "exec:\n  allowlist: [bash]\n  deny: [rm]\n");
    let learnt = place.run(["learn", "--policy", "../policy.yaml", "--shell", "git status; rm x"]);
    assert!(learnt.stdout.contains("git"), "{learnt:?}");
    assert!(!learnt.stdout.lines().any(|line| line.starts_with('+') && line.contains("rm")), "{learnt:?}");
    assert!(learnt.stderr.contains("not learnt"), "{learnt:?}");
}
