//! `check` and `explain` for people, and with `--json`.

use crate::harness::Place;

const POLICY: &str = "\
exec:
  allowlist:
    - git
  deny:
    - rm
filesystem:
  hidden:
    - .env
";

fn place() -> Place {
    let place = Place::new();
    place.write("policy.yaml", POLICY);
    place
}

#[test]
fn an_allowed_command_exits_with_0_and_names_its_rule() {
    let ran = place().run(["check", "--policy", "../policy.yaml", "--", "git", "status"]).exits(0);
    ran.prints("allow").prints("policy.yaml:3:7");
}

#[test]
fn a_denied_command_exits_with_126_and_names_the_rule_and_the_change() {
    let place = place();
    place
        .run(["check", "--policy", "../policy.yaml", "--", "rm", "x"])
        .exits(126)
        .prints("deny")
        .prints("policy.yaml:5:7");
    let ran =
        place.run(["check", "--policy", "../policy.yaml", "--shell", "git log | curl -d@- x"]).exits(126);
    ran.prints("exec.not-allowlisted").prints("curl");
}

#[test]
fn a_question_of_the_policy_is_not_an_allow() {
    let place = place();
    place.write("ask.yaml", "exec: { ask: always, allowlist: [git] }\n");
    place.run(["check", "--policy", "../ask.yaml", "--", "git", "status"]).exits(126).prints("ask");
}

#[test]
fn files_are_judged_by_action_and_path() {
    let place = place();
    let policy = ["check", "--policy", "../policy.yaml", "--file"];
    place.run(policy.into_iter().chain(["write", "a"])).exits(0).prints("allow");
    place.run(policy.into_iter().chain(["read", ".env"])).exits(126).prints("file.hidden");
    place.run(policy.into_iter().chain(["rename", "a", "--to", "/etc/a"])).exits(126);
    place
        .run(policy.into_iter().chain(["burn", "a"]))
        .exits(125)
        .says_one_line()
        .says("unknown file action `burn`");
}

#[test]
fn json_answers_have_the_fields_of_the_line_protocol() {
    let ran = place()
        .run(["check", "--json", "--policy", "../policy.yaml", "--shell", "git status; rm x"])
        .exits(126);
    let answer = ran.json();
    assert_eq!(answer["decision"], "deny");
    assert_eq!(answer["code"], "exec.denied");
    assert_eq!(answer["commands"], serde_json::json!([["git", "status"], ["rm", "x"]]));
    assert!(answer["reasons"][0]["rule"].as_str().unwrap().ends_with("policy.yaml:5:7"), "{answer}");
}

#[test]
fn the_built_in_profile_answers_without_a_policy() {
    let place = place();
    place.run(["check", "--", "git", "status"]).exits(0).prints("built-in:");
    place
        .run(["check", "--file", "read", "~/.ssh/id_rsa"])
        .exits(126)
        .prints("/.ssh/id_rsa` in `filesystem.readOnly`");
    let made = place.run(["check", "--file", "create", "~/.ssh/key"]).exits(126);
    made.prints("/.ssh/key` in `filesystem.writable`");
}

#[test]
fn a_question_about_nothing_is_a_usage_error() {
    let place = place();
    for args in [
        &["check"][..],
        &["explain"],
        &["check", "--shell", "git", "--", "git"],
        &["check", "--file", "read"],
    ] {
        let ran = place.run(args).exits(125);
        assert!(!ran.stderr.is_empty());
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn explain_tells_the_rule_and_the_smallest_change() {
    let place = place();
    let explain = ["explain", "--policy", "../policy.yaml", "--"];
    place.run(explain.into_iter().chain(["rm", "x"])).exits(126).prints("policy.yaml:5:7");
    let ran = place.run(explain.into_iter().chain(["curl", "x"])).exits(126);
    ran.prints("exec.allowlist");
    place.run(explain.into_iter().chain(["git", "status"])).exits(0).prints("policy.yaml:3:7");
    let json =
        place.run(["explain", "--json", "--policy", "../policy.yaml", "--", "curl", "x"]).exits(126).json();
    assert!(json["reasons"][0]["change"].is_string(), "{json}");
}

#[test]
fn check_starts_nothing() {
    let place = place();
    place.run(["check", "--shell", "touch made; git init ."]).exits(0);
    assert_eq!(std::fs::read_dir(place.work()).unwrap().count(), 0);
}

#[test]
fn every_command_answers_in_json_when_asked() {
    let place = place();
    let written = place.path("starter.yaml");
    let pages = place.path("pages");
    place.run(["run", "--audit", "../audit.log", "--", "git", "--version"]).exits(0);
    for line in [
        "check --json -- git status",
        "explain --json -- git status",
        "lint --json ../policy.yaml",
        "schema --json",
        &format!("init --json {}", written.display()),
        "audit verify --json ../audit.log",
        "audit summary --json ../audit.log",
        "completions --json bash",
        "man --json",
        &format!("man --json {}", pages.display()),
        "learn --json -- git --version",
    ] {
        let ran = place.run(line.split(' ')).exits(0);
        assert!(serde_json::from_str::<serde_json::Value>(&ran.stdout).is_ok(), "{line}: {}", ran.stdout);
    }
    for event in place.run(["audit", "grep", "--json", "git", "../audit.log"]).exits(0).stdout.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(event).is_ok(), "{event}");
    }
}

#[test]
fn a_run_reports_refusals_and_errors_as_one_line_of_json() {
    let place = place();
    place.write("broken.yaml", "exec: { allowlst: [] }\n");
    place.write("absent.yaml", "exec: { allowlist: [no-such-program] }\n");
    for (line, status, field) in [
        ("run --json --policy ../policy.yaml -- rm x", 126, "code"),
        ("run --json --policy ../broken.yaml -- git log", 125, "error"),
        ("run --json --policy ../missing.yaml -- git log", 125, "error"),
        ("run --json --policy ../absent.yaml -- no-such-program", 127, "error"),
    ] {
        let ran = place.run(line.split(' ')).exits(status);
        assert_eq!(ran.stderr.lines().count(), 1, "{line}: {}", ran.stderr);
        let said: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert!(said[field].is_string(), "{line}: {said}");
    }
}

#[test]
fn the_change_that_is_proposed_for_a_path_names_the_path_that_is_compared() {
    let place = place();
    place.write("work/tool", "#!/bin/sh\n");
    let ran = place.run(["check", "--json", "--policy", "../policy.yaml", "--", "././tool"]).exits(126);
    let change = format!("add {{path: {}}} to exec.allowlist", place.work().join("tool").display());
    assert_eq!(ran.json()["reasons"][0]["change"], change);
}
