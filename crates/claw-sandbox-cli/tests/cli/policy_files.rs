//! `lint`, `schema`, `init`, `completions`, `man`, and the help.

use std::os::unix::fs::PermissionsExt;

use crate::harness::{Place, User};

#[test]
fn an_unknown_key_is_shown_with_its_line_a_caret_and_the_nearest_key() {
    let place = Place::new();
    place.write("work/policy.yaml", "exec:\n  allowlst:\n    - git\n");
    let ran = place.run(["lint", "policy.yaml"]).exits(125);
    ran.says("policy.yaml:2:3").says("  allowlst:").says("^^^^^^^^").says("allowlist");
}

#[test]
fn findings_are_data_with_json() {
    let place = Place::new();
    place.write("work/policy.yaml", "exec:\n  allowlst: [git]\n");
    let ran = place.run(["lint", "--json", "policy.yaml"]).exits(125);
    let finding = ran.json()[0].clone();
    assert_eq!(
        (&finding["severity"], &finding["line"], &finding["column"]),
        (&"error".into(), &2.into(), &3.into())
    );
    assert_eq!(finding["file"], "policy.yaml");
    assert_eq!(finding["span"], serde_json::json!([8, 16]));
    assert_eq!(ran.stderr, "");
}

#[test]
fn traps_are_warnings_and_fail_only_when_asked_to() {
    let place = Place::new();
    place.write("work/policy.yaml", "exec:\n  allowlist: [python3]\n");
    place.run(["lint", "policy.yaml"]).exits(0).says("warning").says("python3");
    place.run(["lint", "--deny-warnings", "policy.yaml"]).exits(1).says("warning");
    place.write("work/clean.yaml", "workspace: .\n");
    let ran = place.run(["lint", "--deny-warnings", "clean.yaml"]).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn without_a_file_what_is_in_force_is_looked_at() {
    let place = Place::new();
    place.run(["lint", "--json"]).exits(0).prints("[");
    place.write("work/.claw-sandbox.yaml", "exek: 1\n");
    place.run(["lint"]).exits(125).says("exek");
}

#[test]
fn the_word_default_adds_to_the_built_in_commands() {
    let place = Place::new();
    place.write("policy.yaml", "exec:\n  allowlist: [default, curl]\n");
    for command in ["curl x", "git status", "ls"] {
        let allowed = ["check", "--policy", "../policy.yaml", "--shell", command];
        place.run(allowed).exits(0);
    }
    place.run(["lint", "../policy.yaml"]).exits(0);
}

#[test]
fn every_file_is_looked_at_even_when_one_is_missing() {
    let place = Place::new();
    place.write("work/bad.yaml", "exek: 1\n");
    let ran = place.run(["lint", "missing.yaml", "bad.yaml"]).exits(125);
    ran.says("missing.yaml").says("exek");
}

#[test]
fn the_schema_is_a_json_schema() {
    let schema = Place::new().run(["schema"]).exits(0).json();
    assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"));
    assert!(schema["properties"]["exec"].is_object(), "{schema}");
}

#[test]
fn init_writes_a_private_policy_that_is_valid_and_works() {
    for user in User::all() {
        let place = Place::of(user);
        let ran = place.run(["init", "new/dir/policy.yaml"]).exits(0);
        assert!(ran.stdout.contains("policy.yaml"), "{ran:?}");
        let path = place.work().join("new/dir/policy.yaml");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("# "));
        let ran = place.run(["lint", "new/dir/policy.yaml"]).exits(0);
        assert!(!ran.stderr.contains("error"), "{ran:?}");
        place.run(["check", "--policy", "new/dir/policy.yaml", "--", "git", "status"]).exits(0);
        place.run(["check", "--policy", "new/dir/policy.yaml", "--", "curl", "x"]).exits(126);
        place.run(["check", "--policy", "new/dir/policy.yaml", "--file", "read", "~/.ssh/id_rsa"]).exits(126);
    }
}

#[test]
fn what_init_writes_by_default_runs_a_command() {
    for user in User::all() {
        let place = Place::of(user);
        let ran = place.run(["init"]).exits(0);
        let line = ran.stdout.lines().find(|line| line.contains("run --policy")).unwrap().to_owned();
        let policy = line.split_whitespace().nth(3).unwrap();
        place.run(["run", "--policy", policy, "--", "git", "--version"]).exits(0).prints("git version");
    }
}

#[test]
fn init_replaces_a_file_only_when_forced() {
    let place = Place::new();
    let path = place.write("home/.config/claw-sandbox/starter.yaml", "mine\n");
    place.run(["init"]).exits(125).says_one_line().says("starter.yaml").says("--force");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine\n");
    place.run(["init", "--force"]).exits(0);
    assert_ne!(std::fs::read_to_string(&path).unwrap(), "mine\n");
}

#[test]
fn init_does_not_write_through_a_link() {
    let place = Place::new();
    let target = place.write("target", "mine\n");
    std::os::unix::fs::symlink(&target, place.work().join("p.yaml")).unwrap();
    place.run(["init", "p.yaml"]).exits(125).says_one_line();
    place.run(["init", "--force", "p.yaml"]).exits(0);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine\n");
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        place.run(["completions", shell]).exits(0).prints("explain");
    }
    place.run(["man", "pages"]).exits(0);
    for page in ["claw-sandbox.1", "claw-sandbox-run.1", "claw-sandbox-check.1"] {
        assert!(place.work().join("pages").join(page).exists(), "{page}");
    }
    place.run(["man"]).exits(0).prints(".TH");
}

#[test]
fn help_is_printed_when_asked_for_or_when_nothing_is_asked() {
    let place = Place::new();
    for args in [&[][..], &["--help"], &["help"]] {
        place.run(args).exits(0).prints("Usage: claw-sandbox").prints("doctor");
    }
    place.run(["run", "--help"]).exits(0).prints("Usage: claw-sandbox run").prints("Exit status");
    place.run(["--version"]).exits(0).prints(env!("CARGO_PKG_VERSION"));
}

#[test]
fn usage_errors_exit_with_125() {
    let place = Place::new();
    for args in [
        &["nonsense"][..],
        &["run", "--nonsense", "git"],
        &["run"],
        &["run", "--timeout", "soon", "git"],
        &["lint", "--x"],
    ] {
        let ran = place.run(args).exits(125);
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{ran:#?}");
    }
}

#[test]
fn output_that_nobody_reads_ends_the_command_quietly() {
    let place = Place::new();
    let mut child = place.cli(["schema"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let ran = crate::harness::Ran::new("schema".into(), &output);
    // The pipe may have taken all of it before it was closed.
    assert!([0, 141].contains(&ran.status), "{ran:?}");
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_project_file_may_lie_in_the_workspace_but_not_when_it_is_named() {
    let place = Place::new();
    place.write("work/.claw-sandbox.yaml", "exec:\n  deny: [ls]\n");
    place.run(["run", "--", "true"]).exits(0);
    place.run(["run", "--", "ls"]).exits(126).says(".claw-sandbox.yaml:2:10");
    place
        .run(["run", "--policy", ".claw-sandbox.yaml", "--", "true"])
        .exits(125)
        .says("commands could change it");
}

#[test]
fn a_project_file_that_leads_elsewhere_is_named_and_not_quoted() {
    for name in [".claw-sandbox.yaml", ".claw-sandbox.json5", ".claw-sandbox.json"] {
        let links: [fn(&std::path::Path, &std::path::Path) -> std::io::Result<()>; 2] =
            [|from, to| std::os::unix::fs::symlink(from, to), |from, to| std::fs::hard_link(from, to)];
        for link in links {
            let place = Place::new();
            let secret = place.write("home/.ssh/id", "{\"secret\": 1}\n");
            let project = place.work().join(name);
            // The control: what is the workspace's own is quoted.
            std::fs::copy(&secret, &project).unwrap();
            place.run(["check", "--", "ls"]).exits(125).says("secret");
            std::fs::remove_file(&project).unwrap();
            link(&secret, &project).unwrap();
            for arguments in [
                &["run", "--", "ls"][..],
                &["run", "--json", "--", "ls"],
                &["check", "--", "ls"],
                &["check", "--json", "--", "ls"],
                &["explain", "--", "ls"],
            ] {
                let ran = place.run(arguments).exits(125);
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert!(said.contains(name) && said.contains("leads elsewhere"), "{ran:#?}");
                assert!(!said.contains("secret"), "{ran:#?}");
            }
        }
    }
}
