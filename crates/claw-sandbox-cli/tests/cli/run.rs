//! `run`: the main job, on real programs.

use std::process::Stdio;

use crate::harness::{Place, Ran, User, is_running};

/// A workspace that is a git repository with one commit and one untracked file.
fn repository(user: User) -> Place {
    let place = Place::of(user);
    place.write("work/tracked", "one\n");
    let git = |args: &[&str]| {
        let output = place
            .program("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "-q", "."]);
    git(&["add", "tracked"]);
    git(&["commit", "-q", "-m", "first"]);
    place.write("work/untracked", "two\n");
    place
}

#[test]
fn git_works_in_a_real_repository_without_a_policy() {
    for user in User::all() {
        let place = repository(user);
        let ran = place.run(["run", "--", "git", "status"]).exits(0);
        ran.prints("On branch main").prints("untracked");
        place.run(["run", "--shell", "git log --oneline | head -5"]).exits(0).prints("first");
        place.run(["run", "git", "add", "untracked"]).exits(0);
        place.run(["run", "git", "status", "--porcelain"]).exits(0).prints("A  untracked");
        // One of git's commands that are scripts.
        place.run(["run", "git", "submodule", "status"]).exits(0);
    }
}

#[test]
fn credentials_the_network_and_writes_outside_are_denied_with_the_rule() {
    for user in User::all() {
        let place = repository(user);
        place.write("home/.ssh/id_rsa", "PRIVATE");
        for args in [
            &["run", "--", "sh", "-c", "cat ~/.ssh/id_rsa"][..],
            &["run", "--", "curl", "http://127.0.0.1:1"],
            &["run", "--shell", "git status > ../outside"],
            &["run", "--shell", "echo x > ~/.bashrc"],
            &["run", "--", "sudo", "id"],
        ] {
            let ran = place.run(args).exits(126).says_one_line().says("denied");
            assert!(!ran.stdout.contains("PRIVATE"), "{ran:?}");
        }
        assert!(!place.path("outside").exists());
        assert!(!place.path("home/.bashrc").exists());
    }
}

#[test]
fn the_kernel_holds_where_the_text_does_not_tell() {
    for user in User::all() {
        let place = Place::of(user);
        place.write("secret", "PRIVATE");
        place.write("policy.yaml", "exec:\n  allowlist: [sh, cat, python3]\n");
        let script = format!("cat {0}; echo changed > {0}; true", place.path("secret").display());
        place.write("work/script", &script);
        let ran = place.run(["run", "--policy", "../policy.yaml", "--", "sh", "script"]);
        assert!(!ran.stdout.contains("PRIVATE"), "{ran:?}");
        assert_eq!(std::fs::read_to_string(place.path("secret")).unwrap(), "PRIVATE");
    }
}

#[test]
fn a_denial_is_one_line_with_the_rule_and_the_change() {
    let place = Place::new();
    let path = place.write("policy.yaml", "exec:\n  allowlist: [git]\n  deny: [rm]\n");
    let policy = path.to_str().unwrap();
    let ran = place.run(["run", "--policy", policy, "--", "rm", "x"]).exits(126).says_one_line();
    ran.says(&format!("{policy}:3:10"));
    let ran = place.run(["run", "--policy", policy, "--", "curl", "x"]).exits(126).says_one_line();
    ran.says("`curl`").says("exec.allowlist");
    let ran = place.run(["run", "--json", "--policy", policy, "--", "rm", "x"]).exits(126);
    let answer: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!((&answer["decision"], &answer["code"]), (&"deny".into(), &"exec.denied".into()));
}

#[test]
fn the_exit_status_is_the_commands_own() {
    let place = Place::new();
    place.write("policy.yaml", "exec:\n  allowlist: [sh, 'true', 'false', kill]\n");
    let run = |line: &str| place.run(["run", "--policy", "../policy.yaml", "--shell", line]);
    for status in [0, 1, 2, 77, 124, 125, 126, 127, 255] {
        let ran = run(&format!("exit {status}")).exits(status);
        assert_eq!(ran.stderr, "", "nothing of ours is said about the command's own status");
    }
    place.run(["run", "--", "false"]).exits(1);
    run("kill -s TERM $$").exits(128 + 15);
    run("kill -s KILL $$").exits(128 + 9);
}

#[test]
fn standard_streams_pass_through() {
    let place = Place::new();
    let ran = place.run_with(["run", "--", "cat"], b"in\xff and out").exits(0);
    assert!(ran.stdout.starts_with("in"), "{ran:?}");
    let big = vec![b'x'; 1 << 20];
    assert_eq!(place.run_with(["run", "--", "cat"], &big).exits(0).stdout.len(), big.len());
    place.run(["run", "--shell", "echo out; echo err >&2"]).exits(0).prints("out\n").says("err\n");
}

#[test]
fn closed_streams_and_a_broken_pipe_work() {
    let place = Place::new();
    let close = |line: &str| {
        let binary = place.path("bin/claw-sandbox");
        let output = place.program("sh").args(["-c", line, "sh"]).arg(binary).output().unwrap();
        Ran::new(line.to_owned(), &output)
    };
    close(r#""$1" run -- cat <&-"#).exits(0);
    close(r#""$1" run -- true >&- 2>&- <&-"#).exits(0);
    close(r#"{ "$1" run --shell 'while :; do echo y; done'; echo "status $?" >&2; } | head -1"#)
        .prints("y")
        .says("status 141");
}

#[test]
fn a_time_out_exits_with_124_and_leaves_nothing() {
    let place = Place::new();
    place.write("policy.yaml", "exec:\n  allowlist: [sleep, setsid]\n");
    let policy = ["run", "--policy", "../policy.yaml", "--timeout", "300ms"];
    let ran = place.run(policy.into_iter().chain(["--", "sleep", "98765.1"])).exits(124).says_one_line();
    ran.says("time");
    place.run(policy.into_iter().chain(["--shell", "setsid sleep 98765.2 & sleep 98765.3"])).exits(124);
    assert!(!is_running("98765."));
}

#[test]
fn nothing_survives_the_end_of_a_run() {
    let place = Place::new();
    place.write("policy.yaml", "exec:\n  allowlist: [sleep, setsid]\n");
    place
        .run(["run", "--policy", "../policy.yaml", "--shell", "setsid sleep 98764.1 & sleep 98764.2 & true"])
        .exits(0);
    assert!(!is_running("98764."));
}

#[test]
fn the_environment_is_filtered() {
    let place = Place::new();
    place.write("policy.yaml", "exec:\n  allowlist: [env]\nenvironment:\n  pass: [WANTED]\n");
    let mut command = place.cli([
        "run",
        "--policy",
        "../policy.yaml",
        "--env",
        "WANTED",
        "--env",
        "LD_PRELOAD=/x.so",
        "--",
        "env",
    ]);
    command.env("WANTED", "yes").env("LD_LIBRARY_PATH", "/y").env("AWS_SECRET_ACCESS_KEY", "s3cret");
    let ran = Ran::new("env".into(), &command.output().unwrap()).exits(0).prints("WANTED=yes");
    let ran = ran.says("`--env` is left out: `LD_PRELOAD`").says_one_line();
    for name in ["LD_", "AWS_", "s3cret"] {
        assert!(!ran.stdout.contains(name), "{name} in {ran:?}");
    }
}

#[test]
fn the_working_directory_and_the_workspace_can_be_named() {
    let place = Place::new();
    place.write("work/inner/file", "x");
    place.write("other/file", "x");
    place.run(["run", "--cwd", "inner", "--", "ls"]).exits(0).prints("file");
    let other = place.path("other");
    let other = other.to_str().unwrap();
    place.run(["run", "--workspace", other, "--cwd", other, "--shell", "echo y > made"]).exits(0);
    assert!(place.path("other/made").exists());
    place.run(["run", "--workspace", other, "--shell", "echo y > made"]).exits(126);
}

#[test]
fn the_outcome_is_written_whatever_it_is() {
    let place = Place::new();
    let outcome = |args: &[&str], status: i32| -> serde_json::Value {
        place.run(["run", "--outcome", "../outcome.json"].iter().chain(args)).exits(status);
        serde_json::from_str(&std::fs::read_to_string(place.path("outcome.json")).unwrap()).unwrap()
    };
    let report = outcome(&["--shell", "exit 3"], 3);
    assert_eq!(
        (&report["exit"], &report["status"], &report["ending"]),
        (&3.into(), &3.into(), &"exited".into())
    );
    assert_eq!(report["enforcement"]["files"]["enforced"], true, "{report}");
    let report = outcome(&["--", "curl", "x"], 126);
    assert_eq!((&report["exit"], &report["code"]), (&126.into(), &"exec.not-allowlisted".into()), "{report}");
    let report = outcome(&["--timeout", "200ms", "--shell", "while :; do :; done"], 124);
    assert_eq!((&report["exit"], &report["ending"]), (&124.into(), &"timed-out".into()), "{report}");
}

#[test]
fn an_outcome_that_cannot_be_written_stops_the_run_before_it_starts() {
    let place = Place::new();
    place
        .run(["run", "--outcome", "../missing/outcome.json", "--shell", "echo x > made"])
        .exits(125)
        .says_one_line();
    assert!(!place.work().join("made").exists());
}

#[test]
fn the_doctor_shows_evidence_for_each_probe() {
    for user in User::all() {
        let place = Place::of(user);
        let ran = place.run(["doctor"]);
        assert!([0, 1].contains(&ran.status), "{ran:#?}");
        let ran = ran.prints("Landlock").prints("blocked");
        assert_eq!(ran.stderr, "");
        let report = place.run(["doctor", "--json"]).json();
        assert!(report["probes"].as_array().unwrap().len() > 5, "{report}");
    }
}

#[test]
fn standard_input_of_a_terminal_less_run_is_not_waited_for() {
    let place = Place::new();
    let mut command = place.cli(["run", "--", "true"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(stdin);
}

#[test]
fn an_outcome_where_commands_can_write_is_refused_and_a_planted_link_or_pipe_is_not_used() {
    let place = Place::new();
    let precious = place.write("precious", "mine");
    place.run(["run", "--outcome", "out.json", "--", "true"]).exits(125).says("outside of the workspace");
    assert!(!place.work().join("out.json").exists());
    std::os::unix::fs::symlink(&precious, place.path("link.json")).unwrap();
    place.run(["run", "--outcome", "../link.json", "--", "true"]).exits(125).says_one_line();
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "mine");
    let fifo = place.path("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    place.run(["run", "--outcome", "../fifo", "--", "true"]).exits(125).says_one_line();
}

#[test]
fn a_physical_cd_makes_redirections_unknown() {
    let place = Place::new();
    std::os::unix::fs::symlink("/tmp", place.work().join("link")).unwrap();
    for line in [
        "cd -P link/..; echo x > q",
        "set -P; cd link/..; echo x > q",
        "set -o physical; cd link/..; echo x > q",
    ] {
        place.run(["check", "--shell", line]).exits(126);
    }
}

#[test]
fn the_place_for_temporary_files_is_what_tmpdir_says_if_it_says_anything() {
    let place = Place::new();
    let with = |tmpdir: &str| {
        let output = place.cli(["run", "--", "git", "--version"]).env("TMPDIR", tmpdir).output().unwrap();
        Ran::new(format!("TMPDIR={tmpdir}"), &output)
    };
    with("").exits(0);
    let ran = with("/nonexistent/tmp").exits(125).says_one_line();
    ran.says("in /nonexistent/tmp: no such file or directory; set `TMPDIR`");
}

#[test]
fn the_private_temporary_directory_goes_with_the_run() {
    for user in User::all() {
        let place = Place::of(user);
        place.write("policy.yaml", "exec:\n  allowlist: [sh, mktemp]\n");
        place.write("tmp/.keep", "");
        place.give("tmp");
        let script = place.write("work/script", "mktemp; mktemp -d\n");
        let args = ["run", "--policy", "../policy.yaml", "sh", script.to_str().unwrap()];
        let output = place.cli(args).env("TMPDIR", place.path("tmp")).output().unwrap();
        // The control: there was one, with something in it.
        Ran::new("mktemp".to_owned(), &output).exits(0).prints("/claw-sandbox-").prints("/tmp.");
        // It is made while the policy is read, so it must also go when there is no run.
        for args in
            [["run", "--policy", "../policy.yaml", "curl"], ["run", "--policy", "../none.yaml", "true"]]
        {
            let output = place.cli(args).env("TMPDIR", place.path("tmp")).output().unwrap();
            assert!(!output.status.success(), "{output:?}");
        }
        let left: Vec<_> =
            std::fs::read_dir(place.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".keep"]);
    }
}
