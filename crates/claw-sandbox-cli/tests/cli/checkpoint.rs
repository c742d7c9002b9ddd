//! `checkpoint`: what a run did to the workspace is shown and undone.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::harness::{Place, User};

#[test]
fn what_a_run_did_is_shown_and_undone_and_the_undo_undone() {
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/notes.txt", "one\n");
        place.write("work/src/main.rs", "fn main() {}\n");
        let made = place.run(["checkpoint", "create", "--label", "before", "--json"]).exits(0).json();
        assert_eq!((&made["id"], &made["label"]), (&json!(1), &json!("before")));
        assert_eq!(place.run(["checkpoint", "diff"]).exits(0).stdout, "");

        place.run(["run", "-c", "echo two >> notes.txt; mkdir new; echo x > new/file"]).exits(0);
        let shown = place.run(["checkpoint", "diff"]).exits(0);
        let shown = shown.prints("+two\n").prints("added      directory ").prints("changed    file ");
        assert!(!shown.stdout.contains("main.rs"), "{shown:#?}");
        let differences = place.run(["checkpoint", "diff", "1", "--json"]).exits(0).json();
        let changes: Vec<_> = differences["differences"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                (one["change"].as_str().unwrap(), one["path"].as_str().unwrap().rsplit('/').next().unwrap())
            })
            .collect();
        assert_eq!(changes, [("added", "new"), ("added", "file"), ("changed", "notes.txt")]);

        let undone = place.run(["checkpoint", "undo", "--json"]).exits(0).json();
        assert_eq!(undone, json!({"id": 1, "before": 2, "changed": 3, "notRestored": []}));
        assert_eq!(fs::read_to_string(place.path("work/notes.txt")).unwrap(), "one\n");
        assert!(!place.path("work/new").exists());
        place.run(["checkpoint", "undo", "2"]).exits(0).prints("back at checkpoint 2");
        assert_eq!(fs::read_to_string(place.path("work/notes.txt")).unwrap(), "one\ntwo\n");
        assert!(place.path("work/new/file").exists());
        // Without a number the checkpoint that somebody asked for is meant.
        place.run(["checkpoint", "undo"]).exits(0).prints("back at checkpoint 1");

        let all = place.run(["checkpoint", "list", "--json"]).exits(0).json();
        let of: Vec<_> =
            all["checkpoints"].as_array().unwrap().iter().map(|one| &one["beforeUndoOf"]).collect();
        assert_eq!(of, [&json!(null), &json!(1), &json!(2), &json!(1)]);
        place.run(["checkpoint", "prune", "--keep", "1"]).exits(0).prints("given up: 3 checkpoints");
        place.run(["checkpoint", "list"]).exits(0).prints("   4  ");
        place.run(["checkpoint", "recover", "--json"]).exits(0).prints(r#"{"interrupted":false}"#);
    }
}

#[test]
fn the_store_is_private_and_beneath_the_state_directory() {
    let place = Place::new();
    place.write("work/a", "1");
    place.run(["checkpoint", "create"]).exits(0);
    let parent = place.path("home/.local/state/claw-sandbox/checkpoints");
    let store = fs::read_dir(&parent).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o700);
    // No command gets there.
    let line = format!("cat {}/manifests/*", store.display());
    let ran = place.run(["run", "-c", &line]);
    assert!(ran.status != 0 && ran.stdout.is_empty(), "{ran:#?}");
}

#[test]
fn what_cannot_be_done_is_said_on_one_line_with_a_way_on() {
    let place = Place::new();
    place.write("work/a", "1");
    place.run(["checkpoint", "undo"]).exits(125).says_one_line().says("checkpoint create");
    place.run(["checkpoint", "diff", "7"]).exits(125).says_one_line().says("checkpoint list");
    place.run(["checkpoint", "undo", "seven"]).exits(125).says("seven");
    place
        .run(["checkpoint", "create", "--store", "kept"])
        .exits(125)
        .says_one_line()
        .says("commands could change it");
    assert!(!place.path("work/kept").exists());
    place.run(["checkpoint", "create", "--workspace", "missing"]).exits(125).says_one_line().says("missing");
    place.run(["checkpoint", "create", "--policy", "missing.yaml"]).exits(125).says_one_line();
}

#[test]
fn what_is_not_brought_back_is_named_and_the_status_says_so() {
    let place = Place::new();
    let policy = place.write("home/policy.yaml", "filesystem: { hidden: [secret] }\n");
    let policy = policy.to_str().unwrap();
    place.run(["checkpoint", "create", "--policy", policy]).exits(0);
    place.write("work/new/secret", "hidden");
    let ran = place.run(["checkpoint", "undo", "--policy", policy]).exits(1);
    ran.says_one_line().says("not brought back: ").says("/work/new: it holds what is not to be removed");
    assert!(place.path("work/new/secret").exists());
}

#[test]
fn names_that_are_no_text_are_shown_safely_and_come_back() {
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"bad\xff\x1b[31mname\n");
    place.write(std::path::Path::new("work").join(name), "1");
    place.run(["checkpoint", "create"]).exits(0);
    fs::remove_file(place.work().join(name)).unwrap();
    let ran = place.run(["checkpoint", "diff"]).exits(0);
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:#?}");
    let answer = place.run(["checkpoint", "diff", "--json"]).exits(0).json();
    assert!(answer["differences"][0]["path"]["bytes"].is_string(), "{answer}");
    place.run(["checkpoint", "undo"]).exits(0);
    assert_eq!(fs::read(place.work().join(name)).unwrap(), b"1");
}

#[test]
fn what_is_done_with_checkpoints_is_recorded_where_files_are() {
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/notes.txt", "one\n");
        place.write("policy.yaml", "logging:\n  auditFileAccess: true\n");
        let policy = place.path("policy.yaml");
        let act = |act: &[&str]| {
            let command = [&["checkpoint"], act, &["--policy", policy.to_str().unwrap()]].concat();
            place.run(command)
        };
        act(&["create"]).exits(0);
        place.write("work/notes.txt", "two\n");
        place.write("work/new.txt", "three\n");
        act(&["undo"]).exits(0);
        act(&["prune", "--keep", "1"]).exits(0).prints("given up: 1 checkpoints");
        let log = place.path("home/.local/state/claw-sandbox/audit.jsonl");
        let text = fs::read_to_string(&log).unwrap();
        let events: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> = events
            .iter()
            .filter(|event| event["event"] != "log.opened")
            .map(|event| {
                let what = event.get("action").or(event.get("change")).and_then(|what| what.as_str());
                let ending = event.get("ending").and_then(|ending| ending.as_str());
                (event["event"].as_str().unwrap(), what.unwrap_or("-"), ending.unwrap_or("-"))
            })
            .collect();
        let expected = [
            ("checkpoint.started", "create", "-"),
            ("checkpoint.outcome", "create", "done"),
            ("checkpoint.started", "undo", "-"),
            ("checkpoint.path", "remove", "done"),
            ("checkpoint.path", "write", "done"),
            ("checkpoint.outcome", "undo", "done"),
            ("checkpoint.started", "prune", "-"),
            ("checkpoint.given-up", "-", "-"),
            ("checkpoint.outcome", "prune", "done"),
        ];
        assert_eq!(told, expected, "{text}");
        let written = &events[5];
        assert_eq!(written["path"], json!(place.path("work/notes.txt")));
        // printf 'one\n' | sha256sum
        let hash = "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806";
        assert_eq!(written["after"], json!(hash), "{text}");
        place.run(["audit", "verify"]).exits(0).prints("intact");

        // What cannot be recorded does not begin.
        fs::remove_file(&log).unwrap();
        fs::create_dir(&log).unwrap();
        place.write("work/notes.txt", "four\n");
        act(&["undo"]).exits(125).says("is a directory");
        assert_eq!(fs::read_to_string(place.path("work/notes.txt")).unwrap(), "four\n");
    }
}
