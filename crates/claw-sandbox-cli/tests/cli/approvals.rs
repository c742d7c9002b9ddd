//! Questions that wait for somebody who is not at the command's terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{Place, Ran, User, eventually, is_root};

const POLICY: &str = "exec:\n  ask: on-miss\n  allowlist: [bash]\n";

fn place(user: User) -> Place {
    let place = Place::of(user);
    place.write("policy.yaml", POLICY);
    place
}

fn open(place: &Place) -> Vec<Value> {
    place.run(["approvals", "--json"]).exits(0).json().as_array().unwrap().clone()
}

fn only_id(place: &Place) -> String {
    let open = open(place);
    let [question] = open.as_slice() else { panic!("want one question: {open:?}") };
    question.get("id").and_then(Value::as_str).unwrap().to_owned()
}

fn defer(place: &Place, command: &[&str]) -> Ran {
    place.run([&["run", "--ask", "defer", "--policy", "../policy.yaml"], command].concat())
}

const ECHO: &[&str] = &["--", "echo", "it", "ran"];

#[test]
fn a_command_that_was_approved_passes_once() {
    for user in User::all() {
        let place = place(user);
        assert!(open(&place).is_empty());
        let denied = defer(&place, ECHO).exits(126);
        let id = only_id(&place);
        assert!(denied.stderr.contains(&format!("run `claw-sandbox approve {id}`")), "{denied:?}");
        assert_eq!(defer(&place, ECHO).exits(126).stdout, "");
        assert_eq!(only_id(&place), id, "a retry is the same question");
        place.run(["approvals"]).exits(0).prints(&id).prints("echo it ran");
        place.run(["approve", id.get(..4).unwrap()]).exits(0).prints("may run once").prints("echo it ran");
        defer(&place, &["--", "echo", "it", "ran", "too"]).exits(126);
        assert_eq!(defer(&place, ECHO).exits(0).stdout, "it ran\n");
        defer(&place, ECHO).exits(126);
        place.run(["approve", &id]).exits(125).says("there is no question");
    }
}

#[test]
fn the_code_says_that_an_approval_is_missing() {
    let place = place(User::Current);
    let denied =
        place.run(["run", "--json", "--ask", "defer", "--policy", "../policy.yaml", "--", "echo"]).exits(126);
    let answer: Value = serde_json::from_str(denied.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(answer["code"], "exec.needs-approval", "{answer}");
}

#[test]
fn who_waits_is_let_through_by_an_answer_and_no_other_way() {
    for (answer, status) in [(&["approve"][..], 0), (&["deny"][..], 126)] {
        let place = place(User::Current);
        let waiting = place
            .cli([&["run", "--ask", "broker", "--policy", "../policy.yaml"], ECHO].concat())
            .spawn()
            .unwrap();
        assert!(eventually(|| open(&place).len() == 1));
        let id = only_id(&place);
        place.run([answer, &[id.as_str()]].concat()).exits(0);
        let ran = Ran::new("waiting".to_owned(), &waiting.wait_with_output().unwrap()).exits(status);
        assert_eq!(ran.stdout == "it ran\n", status == 0);
        assert!(open(&place).is_empty());
    }
}

#[test]
fn always_goes_into_the_approvals_file() {
    let place = place(User::Current);
    defer(&place, ECHO).exits(126);
    place.run(["approve", "--always", &only_id(&place)]).exits(0).prints("may always run");
    defer(&place, ECHO).exits(0);
    defer(&place, ECHO).exits(0);
    // Also where nobody can be asked.
    place.run([&["run", "--policy", "../policy.yaml"], ECHO].concat()).exits(0);
    defer(&place, &["--", "echo", "another"]).exits(126);
}

#[test]
fn a_yes_to_a_line_is_a_yes_to_the_commands_that_it_shows_and_to_no_other() {
    let place = place(User::Current);
    let line = &["--shell", "mkfifo pipe && cp /etc/hostname copy"];
    defer(&place, line).exits(126);
    place.run(["approve", &only_id(&place)]).exits(0).prints("mkfifo pipe").prints("cp /etc/hostname copy");
    defer(&place, line).exits(0);
    assert!(place.work().join("pipe").exists() && place.work().join("copy").exists());
    // A script that the line runs shows nothing of what it does.
    place.write("work/script", "mkfifo hidden\n");
    let line = &["--shell", "mkfifo shown && bash script"];
    defer(&place, line).exits(126);
    place.run(["approve", &only_id(&place)]).exits(0);
    let _ = defer(&place, line);
    assert!(place.work().join("shown").exists() && !place.work().join("hidden").exists());
    let asked = open(&place);
    assert!(asked[0]["detail"].as_str().unwrap().contains("mkfifo hidden"), "{asked:?}");
}

#[test]
fn a_yes_is_about_one_directory_and_one_principal_and_one_policy() {
    let place = place(User::Current);
    place.write("other.yaml", format!("{POLICY}# other\n"));
    fs::create_dir(place.work().join("sub")).unwrap();
    let base = ["run", "--ask", "defer", "--policy", "../policy.yaml"];
    let run = |more: &[&str]| place.run([&base[..], more, ECHO].concat());
    run(&[]).exits(126);
    place.run(["approve", &only_id(&place)]).exits(0);
    run(&["-C", "sub"]).exits(126);
    run(&["--context", r#"{"principal":{"known":"a:b:c"}}"#]).exits(126);
    place.run([&["run", "--ask", "defer", "--policy", "../other.yaml"], ECHO].concat()).exits(126);
    run(&[]).exits(0);
}

#[test]
fn nothing_inside_a_run_can_answer() {
    for user in User::all() {
        let place = place(user);
        let binary = place.path("bin/claw-sandbox");
        // The home is even readable here.
        let policy = format!(
            "exec:\n  ask: on-miss\n  descendants: system\n  allowlist: [bash, {{ path: {} }}]\n\
             filesystem: {{ readOnly: [{}] }}\n",
            binary.display(),
            place.path("home").display()
        );
        place.write("inside.yaml", policy);
        defer(&place, ECHO).exits(126);
        let id = only_id(&place);
        let directory = place.path("home/.local/state/claw-sandbox/approvals");
        let file = directory.join(format!("{id}.json"));
        let before = fs::read_to_string(&file).unwrap();
        let forged = before.replace("\"detail\"", "\"answer\":\"once\",\"detail\"");
        place.write("work/forged", &forged);
        let attack = |id: &str| {
            format!(
                "{} approve {id}; cat forged > {}; cp forged {}/x.json; mv forged {}; true",
                binary.display(),
                file.display(),
                directory.display(),
                file.display(),
            )
        };
        place.run(["run", "--policy", "../inside.yaml", "--env", "HOME", "--shell", &attack(&id)]);
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "{user:?}");
        assert!(!directory.join("x.json").exists());
        defer(&place, ECHO).exits(126);
        // The same outside does.
        let ran = place.program("bash").args(["-c", &attack(&id)]).output().unwrap();
        assert!(ran.status.success());
        assert_ne!(fs::read_to_string(&file).unwrap_or_default(), before);
    }
}

#[test]
fn a_directory_of_questions_in_the_workspace_is_refused() {
    let place = place(User::Current);
    let mut command = place.cli(["run", "--ask", "defer", "--policy", "../policy.yaml", "--", "echo"]);
    let output = command.env("XDG_STATE_HOME", place.work()).output().unwrap();
    let ran = Ran::new("state in the workspace".to_owned(), &output).exits(125);
    assert!(ran.stderr.contains("commands could change it"), "{ran:?}");
}

#[test]
fn what_others_own_or_can_reach_is_refused() {
    let place = place(User::Current);
    defer(&place, ECHO).exits(126);
    let id = only_id(&place);
    let directory = place.path("home/.local/state/claw-sandbox/approvals");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    place.run(["approve", &id]).exits(125).says("chmod 700");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&directory, Some(65534), None).unwrap();
        place.run(["approve", &id]).exits(125).says("belongs to somebody else");
    }
}

#[test]
fn an_approval_is_about_the_content_that_a_script_had() {
    for always in [false, true] {
        let place = Place::of(User::Current);
        place.write("policy.yaml", "workspaceExec: true\nexec:\n  ask: on-miss\n  allowlist: [bash, sh]\n");
        let script = |text: &str| {
            let path = place.path("work/script");
            place.write("work/script", format!("#!/bin/sh\n{text}\n"));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        };
        script("echo good");
        let run = || defer(&place, &["--", "./script"]);
        run().exits(126);
        let id = only_id(&place);
        place
            .run([&["approve", id.as_str()][..], if always { &["--always"] } else { &[] }].concat())
            .exits(0);
        if always {
            assert_eq!(run().exits(0).stdout, "good\n");
            assert_eq!(run().exits(0).stdout, "good\n");
        }
        script("echo evil");
        assert_eq!(run().exits(126).stdout, "", "always: {always}");
    }
}
