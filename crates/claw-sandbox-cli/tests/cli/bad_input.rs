//! Bad input gives one clear line and the right status, and starts nothing.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::harness::{Place, Ran};

/// Writes `made` when it runs.
const TOUCH: [&str; 2] = ["--shell", "echo x > made"];

#[track_caller]
fn starts_nothing(place: &Place) {
    assert!(!place.work().join("made").exists());
}

#[test]
fn a_missing_or_unreadable_policy_is_named() {
    let place = Place::new();
    for policy in ["missing.yaml", "/", "a/b/c.yaml"] {
        place
            .run(["run", "--policy", policy].into_iter().chain(TOUCH))
            .exits(125)
            .says_one_line()
            .says(policy);
    }
    starts_nothing(&place);
}

#[test]
fn a_malformed_policy_is_shown_with_its_line_and_a_caret() {
    let place = Place::new();
    for (name, text, position) in [
        ("bad.yaml", "exec:\n  allowlst: [git]\n", "2:3"),
        ("twice.yaml", "exec: {}\nexec: {}\n", "2:1"),
        ("type.yaml", "exec:\n  allowlist: 7\n", "2:14"),
        ("bad.json", "{\"exec\": {\"allowlst\": []}}", "1:11"),
        ("cut.json", "{\"exec\": ", "1:10"),
        ("alias.yaml", "a: &a [1]\nb: *a\n", "1:7"),
        ("guarantee.yaml", "enforcement:\n  degrade: [filez]\n", "2:13"),
    ] {
        place.write(name, text);
        let policy = format!("../{name}");
        let ran = place.run(["run", "--policy", &policy].into_iter().chain(TOUCH)).exits(125);
        ran.says(&format!("{policy}:{position}")).says("^");
    }
    starts_nothing(&place);
}

#[test]
fn a_policy_that_is_no_text_is_shown_with_its_line_and_a_caret() {
    let place = Place::new();
    place.write("bytes.yaml", b"exec: {}\nworkspace: /\xff\n");
    let ran = place.run(["run", "--policy", "../bytes.yaml"].into_iter().chain(TOUCH)).exits(125);
    ran.says("../bytes.yaml:2:13").says("not UTF-8").says("^");
    starts_nothing(&place);
    let ran = place.run(["lint", "--json", "../bytes.yaml"]).exits(125);
    assert_eq!(ran.json()[0]["code"], "policy.encoding");
}

#[test]
fn a_policy_that_others_can_write_is_refused() {
    let place = Place::new();
    for mode in [0o620, 0o602, 0o666] {
        let path = place.write("policy.yaml", "exec: { allowlist: [git] }\n");
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let ran = place.run(["run", "--policy", "../policy.yaml"].into_iter().chain(TOUCH)).exits(125);
        ran.says_one_line().says("policy.yaml").says("chmod");
    }
    starts_nothing(&place);
}

#[test]
fn a_workspace_that_is_no_directory_is_refused() {
    let place = Place::new();
    place.write("file", "x");
    for workspace in ["missing", "../file"] {
        place.run(["run", "--workspace", workspace].into_iter().chain(TOUCH)).exits(125).says_one_line();
    }
    place.run(["run", "--cwd", "missing"].into_iter().chain(TOUCH)).says_one_line();
    starts_nothing(&place);
}

#[test]
fn a_linked_workspace_is_the_directory_it_leads_to() {
    let place = Place::new();
    fs::create_dir(place.path("real")).unwrap();
    symlink(place.path("real"), place.path("link")).unwrap();
    let link = place.path("link");
    let link = link.to_str().unwrap();
    place.run(["run", "--workspace", link, "--cwd", link].into_iter().chain(TOUCH)).exits(0);
    assert!(place.path("real/made").exists());
}

#[test]
fn a_policy_inside_its_own_workspace_cannot_be_changed_from_inside() {
    let place = Place::new();
    let path = place.write("work/policy.yaml", "exec: { allowlist: [git] }\n");
    let line = "echo 'exec: { security: full }' > policy.yaml";
    let ran = place.run(["run", "--policy", "policy.yaml", "--shell", line]);
    assert!([125, 126].contains(&ran.status), "{ran:#?}");
    assert_eq!(fs::read_to_string(path).unwrap(), "exec: { allowlist: [git] }\n");
}

#[test]
fn commands_that_cannot_run_are_told_apart() {
    let place = Place::new();
    let tools = place.path("tools");
    let policy = format!(
        "exec: {{ allowlist: [git, no-such-program, {{ path: '{0}' }}, {{ path: '{0}/*' }}] }}\n",
        tools.display()
    );
    place.write("policy.yaml", policy);
    place.write("tools/plain", "#!/bin/sh\n");
    let program = place.write("work/git", "#!/bin/sh\necho x > made\n");
    fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
    let plain = place.path("tools/plain");
    for (command, status) in [
        ("no-such-program", 127),
        ("/usr/bin/no-such-program", 127),
        (plain.to_str().unwrap(), 126),
        (tools.to_str().unwrap(), 126),
        ("./git", 126),
        ("", 125),
    ] {
        let ran = place.run(["run", "--policy", "../policy.yaml", "--", command]);
        assert!(ran.status == status || (command.is_empty() && ran.status == 126), "`{command}`: {ran:#?}");
        ran.says_one_line();
    }
    starts_nothing(&place);
}

#[test]
fn a_program_of_the_callers_own_path_is_pointed_out() {
    let place = Place::new();
    place.write("policy.yaml", "exec:\n  allowlist: [own-tool]\n");
    let tool = place.write("tools/own-tool", "#!/bin/sh\n");
    let mut command = place.cli(["run", "--policy", "../policy.yaml", "--", "own-tool"]);
    command.env("PATH", format!("relative:/usr/bin:{}", place.path("tools").display()));
    let run = |command: &mut std::process::Command| Ran::new("own-tool".into(), &command.output().unwrap());
    let seen = format!("`PATH` has it in {}", place.path("tools").display());
    assert!(!run(&mut command).exits(127).says_one_line().stderr.contains(&seen));
    fs::set_permissions(tool, Permissions::from_mode(0o755)).unwrap();
    run(&mut command).exits(127).says_one_line().says(&seen);
}

#[test]
fn a_workspace_that_a_policy_cannot_name_is_not_said_to_be_missing() {
    let place = Place::new();
    let odd = place.path(OsStr::from_bytes(b"\xff\xfe"));
    fs::create_dir(&odd).unwrap();
    let output = place.cli(["run", "--", "ls"]).current_dir(&odd).output().unwrap();
    Ran::new("ls".into(), &output).exits(125).says_one_line().says("is not UTF-8");
}

#[test]
fn lines_that_are_no_shell_lines_are_denied() {
    let place = Place::new();
    // One argument may have 128 KiB; `check --jsonl` takes the longer ones.
    let parentheses = "(".repeat(100_000);
    for line in [&b"echo \xff > made; ("[..], parentheses.as_bytes(), b"if", b"'", b"echo x > made; )"] {
        place
            .run([OsStr::new("run"), OsStr::new("--shell"), OsStr::from_bytes(line)])
            .exits(126)
            .says_one_line();
    }
    starts_nothing(&place);
}

#[test]
fn a_file_name_cannot_write_on_the_terminal() {
    let place = Place::new();
    place.run(["run", "--", "evil\u{1b}[31m\nclaw-sandbox: allowed"]).says_one_line();
}
