//! The audit log: written by `run`, read by `audit`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Place, User};

#[test]
fn every_run_leaves_a_decision_and_an_outcome_that_verify() {
    for user in User::all() {
        let place = Place::of(user);
        place.run(["run", "--", "true"]).exits(0);
        place.run(["run", "--", "curl", "--token=hunter2", "http://me:pw@127.0.0.1"]).exits(126);
        place.run(["run", "--timeout", "100ms", "--", "sleep", "9"]).exits(124);
        place.run(["audit", "verify"]).exits(0).prints("intact");
        place.run(["audit", "grep", "--event", "exec.outcome"]).exits(0).prints("\"ending\":\"timed-out\"");
        let denied =
            place.run(["audit", "grep", "--decision", "deny"]).exits(0).prints("exec.not-allowlisted");
        let denied = denied.prints("[redacted]");
        assert!(!denied.stdout.contains("hunter2") && !denied.stdout.contains("me:pw"), "{denied:?}");
        place.run(["audit", "summary"]).exits(0).prints("curl").prints("1 denied");
        place.run(["audit", "grep", "no such text anywhere"]).exits(1);
    }
}

#[test]
fn a_changed_line_is_found_with_its_number() {
    let place = Place::new();
    let log = place.path("home/log.jsonl");
    let file = log.to_str().unwrap();
    for _ in 0..2 {
        place.run(["run", "--audit", file, "--", "true"]).exits(0);
    }
    place.run(["audit", "verify", file]).exits(0);
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("exec: true", "exec: frue", 1)).unwrap();
    place.run(["audit", "verify", file]).exits(1).prints("log.jsonl:2:");
}

#[test]
fn without_a_log_nothing_runs_unless_the_policy_says_so() {
    let place = Place::new();
    let run = ["run", "--shell", "echo ran > ran"];
    // A directory where the log should be cannot be written by anybody, root included.
    fs::create_dir_all(place.path("home/.local/state/claw-sandbox/audit.jsonl")).unwrap();
    place.run(run).exits(125).says_one_line();
    assert!(!place.work().join("ran").exists(), "the run must not start");
    place.write("policy.yaml", "logging:\n  auditFailure: continue\n");
    let policy = place.path("policy.yaml");
    let report = place.path("home/outcome.json");
    for log in [&[][..], &["--audit", place.path("home").to_str().unwrap()]] {
        let run = ["run", "--policy", policy.to_str().unwrap(), "--outcome", report.to_str().unwrap()];
        let ran = place.run([&run[..], log, &["--shell", "echo ran > ran"]].concat()).exits(0);
        assert!(place.work().join("ran").exists());
        // What is not written is not forgotten.
        ran.says("2 events are missing in the audit log: ");
        let outcome: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        assert_eq!(outcome["audit"]["missing"], 2, "{outcome:#}");
        assert!(outcome["audit"]["reason"].as_str().unwrap().contains("is a directory"), "{outcome:#}");
        fs::remove_file(place.work().join("ran")).unwrap();
    }
}

#[test]
fn a_log_that_commands_could_write_is_refused() {
    let place = Place::new();
    let log = place.work().join("log.jsonl");
    place.run(["run", "--audit", log.to_str().unwrap(), "--", "true"]).exits(125).says("log.jsonl");
    let open = place.write("home/open.jsonl", "");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
    place.run(["run", "--audit", open.to_str().unwrap(), "--", "true"]).exits(125).says("open.jsonl");
}

#[test]
fn a_broken_line_does_not_end_a_search_and_a_forged_one_does_not_write_on_the_terminal() {
    let place = Place::new();
    let log = place.path("home/log.jsonl");
    let file = log.to_str().unwrap();
    place.run(["run", "--audit", file, "--", "true"]).exits(0);
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("broken\n{{\"event\": \"exec.decision\",\r\"x\": \"\u{9b}31m\"}}\n{text}"))
        .unwrap();
    let found = place.run(["audit", "grep", "--event", "exec", "event", file]).exits(0);
    let found = found.says("lines that are no events: 1").prints("exec.outcome");
    assert_eq!(found.stdout.lines().count(), 3, "{found:?}");
    assert!(!found.stdout.replace('\n', "").contains(char::is_control), "{found:?}");
}

#[test]
fn a_flood_of_denials_does_not_fill_the_log_and_none_of_them_is_forgotten() {
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/.git/config", "original");
        place.write(
            "work/flood.sh",
            "for ((i = 0; i < 5000; i++)); do echo evil >> .git/config; done 2>&-; echo new > allowed",
        );
        place.write("policy.yaml", "exec:\n  security: full\nlogging:\n  auditFileAccess: true\n");
        let (policy, report) = (place.path("policy.yaml"), place.path("home/outcome.json"));
        let run = ["run", "--policy", policy.to_str().unwrap(), "--outcome", report.to_str().unwrap()];
        place.run([&run[..], &["--", "bash", "flood.sh"]].concat()).exits(0);
        assert_eq!(fs::read_to_string(place.path("work/.git/config")).unwrap(), "original");
        let outcome: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        let all = outcome["denials"]["count"].as_u64().unwrap();
        assert!(all >= 5000, "{outcome:#}");
        let log = fs::read_to_string(place.path("home/.local/state/claw-sandbox/audit.jsonl")).unwrap();
        let count = |event: &str, text: &str| {
            let event = format!("\"event\":\"{event}\"");
            log.lines().filter(|line| line.contains(&event) && line.contains(text)).count()
        };
        assert_eq!(count("file.descendant", "\"decision\":\"deny\""), 1000);
        assert_eq!(count("run.flooded", ""), 1);
        assert_eq!(count("file.descendant", "/allowed"), 1, "what is allowed is written all the same");
        let unwritten = format!("\"denialsUnwritten\":{}", all - 1000);
        assert_eq!(count("exec.outcome", &unwritten), 1, "{}", log.lines().last().unwrap());
        place.run(["audit", "verify"]).exits(0).prints("intact");
        let counted = format!("denials that were counted only: {}", all - 1000);
        place.run(["audit", "summary"]).exits(0).prints(&counted);
    }
}
