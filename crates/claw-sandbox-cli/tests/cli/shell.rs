//! The command called as a shell, the way hosts call it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Place, Ran, User};

/// The stand-ins, installed as a user would.
fn installed(place: &Place) -> PathBuf {
    let into = place.path("shells");
    let args = ["shell", "install", "--host", "claude-code", "--into"].map(OsStr::new);
    place.run(args.into_iter().chain([into.as_os_str()])).exits(0).prints("claw-bash");
    into
}

fn run(place: &Place, shell: &Path, arguments: &[&str]) -> Ran {
    let output = command(place, shell, arguments).output().unwrap();
    Ran::new(format!("{arguments:?}"), &output)
}

fn command(place: &Place, shell: &Path, arguments: &[&str]) -> Command {
    let mut command = place.program(shell);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What Claude Code sends, with a name for its file that no other test has.
fn claude(command: &str, file: &Path) -> String {
    let quoted = command.replace('\'', "'\\''");
    format!(
        "source /nonexistent/snapshot.sh 2>/dev/null || true && \\builtin shopt -u extglob 2>/dev/null || true && \
         eval '{quoted}' < /dev/null && pwd -P >| {}",
        file.display()
    )
}

/// A name for Claude Code's file; it is removed with this.
struct DirectoryFile(PathBuf);

impl DirectoryFile {
    fn new(name: &str) -> Self {
        let file = Self(PathBuf::from(format!("/tmp/claude-{name}{}-cwd", std::process::id())));
        let _ = fs::remove_file(&file.0);
        file
    }
}

impl Drop for DirectoryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_forms_of_hosts_run_in_the_sandbox_and_pass_on_streams_and_status() {
    for user in User::all() {
        let place = Place::of(user);
        let shells = installed(&place);
        for (name, arguments) in [
            ("claw-sh", &["-c", "echo out; echo err >&2; exit 7"][..]),
            ("claw-bash", &["-c", "-l", "echo out; echo err >&2; exit 7"]),
            ("claw-bash", &["--noprofile", "--norc", "-c", "echo out; echo err >&2; exit 7"]),
        ] {
            let ran = run(&place, &shells.join(name), arguments).exits(7);
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"), "{arguments:?}");
        }
        // The inner shell is the one that the host thinks it has.
        run(&place, &shells.join("claw-bash"), &["-c", "shopt -s extglob && echo bash"])
            .exits(0)
            .prints("bash");
        // The control: the same program outside writes there.
        let outside = place.path("outside");
        let line = format!("echo x > {}", outside.display());
        assert!(place.program("bash").args(["-c", &line]).status().unwrap().success());
        fs::remove_file(&outside).unwrap();
        run(&place, &shells.join("claw-bash"), &["-c", &line]).exits(126);
        assert!(!outside.exists());
    }
}

#[test]
fn a_denial_is_126_and_one_line_with_the_rule() {
    let place = Place::new();
    let shells = installed(&place);
    for (line, part) in [
        ("curl http://127.0.0.1:1", "denied: `curl` is not in the allowlist"),
        ("git status; $(echo rm) x", "denied: "),
        ("if", "denied: the command line cannot be read"),
    ] {
        run(&place, &shells.join("claw-sh"), &["-c", line]).exits(126).says(part).says_one_line();
    }
    run(&place, &shells.join("claw-sh"), &[]).exits(126).says("use `-c LINE`").says_one_line();
    // Options that change what a line means are the real shell's, and the line is still read.
    let shell = shells.join("claw-sh");
    run(&place, &shell, &["-ec", "false; echo no"]).exits(1);
    run(&place, &shell, &["-ec", "true; curl x"]).exits(126).says("`curl` is not in the allowlist");
    run(&place, &shell, &["script.sh"]).exits(126).says("`sh` is not in the allowlist").says_one_line();
}

#[test]
fn a_link_with_a_shells_name_stands_in_for_it() {
    let place = Place::new();
    symlink("claw-sandbox", place.path("bin/bash")).unwrap();
    run(&place, &place.path("bin/bash"), &["-c", "echo $BASH_VERSION | head -c 1"]).exits(0).prints("5");
    // The real shell is never looked up in PATH, where the stand-in comes first.
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    let output =
        command(&place, Path::new("bash"), &["-c", "echo inner"]).env("PATH", path).output().unwrap();
    Ran::new("PATH shim".to_owned(), &output).exits(0).prints("inner");
}

#[test]
fn claude_code_learns_where_its_command_ended_up_and_nothing_else_in_tmp_is_open() {
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/sub/file", "");
        let shell = installed(&place).join("claw-bash");
        let file = DirectoryFile::new("a");
        run(&place, &shell, &["-c", &claude("cd sub && ls", &file.0)]).exits(0).prints("file");
        assert_eq!(fs::read_to_string(&file.0).unwrap(), format!("{}\n", place.path("work/sub").display()));
        fs::remove_file(&file.0).unwrap();

        run(&place, &shell, &["-c", &claude("false", &file.0)]).exits(1);
        assert!(!file.0.exists(), "a command that fails leaves no file");

        let other = DirectoryFile::new("b");
        let line = claude(&format!("echo x > {}", other.0.display()), &file.0);
        run(&place, &shell, &["-c", &line]).exits(126);
        assert!(!other.0.exists());

        run(&place, &shell, &["-c", &claude("curl x", &file.0)])
            .exits(126)
            .says("`curl` is not")
            .says_one_line();
    }
}

#[test]
fn a_link_in_place_of_claude_codes_file_is_not_followed() {
    let place = Place::new();
    let shell = installed(&place).join("claw-bash");
    let target = place.write("target", "whole");
    let file = DirectoryFile::new("c");
    symlink(&target, &file.0).unwrap();
    run(&place, &shell, &["-c", &claude("true", &file.0)]).exits(125).says("cannot be used");
    assert_eq!(fs::read_to_string(&target).unwrap(), "whole");
}

#[test]
fn an_unknown_wrapping_is_judged_with_the_command() {
    let place = Place::new();
    let shell = installed(&place).join("claw-bash");
    let snapshot = place.write("work/snapshot.sh", "echo sourced\n");
    let line = format!("source {} && eval 'echo x'", snapshot.display());
    run(&place, &shell, &["-c", &line]).exits(126);
}

#[test]
fn the_hosts_secrets_are_not_in_the_commands_environment() {
    let place = Place::new();
    let shell = installed(&place).join("claw-bash");
    let secrets = ["ANTHROPIC_API_KEY", "CLAUDE_CODE_MESSAGING_TOKEN", "BASH_ENV", "LD_PRELOAD_X"];
    let mut host = command(&place, &shell, &["-c", "python3 -c 'import os; print(dict(os.environ))'"]);
    let output = host.envs(secrets.map(|name| (name, "sk-secret"))).output().unwrap();
    let ran = Ran::new("env".to_owned(), &output).exits(0);
    assert!(ran.stdout.contains("PATH") && !ran.stdout.contains("sk-secret"), "{ran:#?}");
}

#[test]
fn who_asks_is_recorded_as_asserted_and_widens_nothing() {
    let place = Place::new();
    let shell = installed(&place).join("claw-bash");
    for (value, status) in [(r#"{"sender":{"id":"owner:1"},"chat":{"id":"2"}}"#, 126), ("not json", 126)] {
        let mut host = command(&place, &shell, &["-c", "curl x"]);
        let output = host.env("OPENCLAW_CHANNEL_CONTEXT", value).output().unwrap();
        Ran::new(value.to_owned(), &output).exits(status);
    }
    let log = fs::read_to_string(place.path("home/.local/state/claw-sandbox/audit.jsonl")).unwrap();
    assert!(log.contains("unknown:unknown:owner%3A1") && log.contains("claude-code"), "{log}");
}

#[test]
fn a_stand_in_that_others_can_write_or_that_says_nonsense_does_not_run() {
    let place = Place::new();
    let shell = installed(&place).join("claw-sh");
    let text = fs::read_to_string(&shell).unwrap();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o777)).unwrap();
    run(&place, &shell, &["-c", "echo x"]).exits(125).says("others can write");
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
    for (line, part) in [
        ("polcy: /x", ":5:1: `polcy` is none of policy,"),
        ("policy: relative", ":5:1: `policy` wants an absolute path"),
        ("host: again", ":5:1: `host` stands there twice"),
        ("policy: /nonexistent.yaml", "cannot read the policy"),
    ] {
        fs::write(&shell, format!("{text}{line}\n")).unwrap();
        run(&place, &shell, &["-c", "echo x"]).exits(125).says(part);
    }
}

#[test]
fn installing_again_changes_nothing_and_overwrites_nobody_elses_file() {
    let place = Place::new();
    let shells = installed(&place);
    let before = fs::read(shells.join("claw-sh")).unwrap();
    installed(&place);
    assert_eq!(fs::read(shells.join("claw-sh")).unwrap(), before);
    place.write("shells/bash", "#!/bin/sh\n");
    let into = shells.as_os_str();
    place
        .run([OsStr::new("shell"), "install".as_ref(), "--into".as_ref(), into, "bash".as_ref()])
        .exits(125)
        .says("somebody else's");
    assert_eq!(fs::read(shells.join("bash")).unwrap(), b"#!/bin/sh\n");
    place
        .run(["shell", "install", "--into", "/usr/local/bin", "bash"])
        .exits(125)
        .says("a directory of its own");
    place.run(["shell", "install", "--into", "x", "fish"]).exits(125).says("not the name of a shell");
}

#[test]
fn a_policy_that_the_stand_in_names_replaces_what_is_in_force() {
    let place = Place::new();
    let policy = place.write("home/agent.yaml", "exec: { allowlist: [wc] }\n");
    let into = place.path("shells");
    let mut args = ["shell", "install", "--policy", "--into"].map(OsStr::new).to_vec();
    args.insert(3, policy.as_os_str());
    args.push(into.as_os_str());
    place.run(&args).exits(0);
    run(&place, &into.join("claw-sh"), &["-c", "printf x | wc -c"]).exits(0).prints("1");
    run(&place, &into.join("claw-sh"), &["-c", "git status"])
        .exits(126)
        .says("`git` is not in the allowlist");
    run(&place, &into.join("claw-sh"), &["-c", "wc -c < nothing"]).exits(2);
}

#[test]
fn inside_a_run_a_stand_in_is_the_shell_that_the_runs_policy_judges() {
    for user in User::all() {
        let place = Place::of(user);
        symlink("claw-sandbox", place.path("bin/claw-bash")).unwrap();
        let shell = place.path("bin/claw-bash");
        let text = format!(
            "exec: {{ allowlist: [bash, wc, {{ path: {} }}] }}\nfilesystem: {{ readOnly: [{}] }}\n",
            place.path("bin/claw-sandbox").display(),
            place.path("bin").display()
        );
        let policy = place.write("home/outer.yaml", text);
        let nested = |line: &str| {
            let args = ["run", "--policy"].map(OsStr::new).into_iter();
            let args = args.chain([policy.as_os_str(), OsStr::new("--"), shell.as_os_str()]);
            place.run(args.chain(["-c", line].map(OsStr::new)))
        };
        // `wc` is the outer policy's to allow, and what it does not allow stays closed.
        nested("echo nested | wc -l").exits(0).prints("1");
        nested("git --version; echo $?")
            .exits(0)
            .prints("126")
            .says("`git` is neither in the allowlist nor a part of `bash`");
        // Variables do not make a process outside believe that it is inside.
        let mut outside = command(&place, &shell, &["-c", "git --version; curl x"]);
        let output = outside.env("CLAW_SANDBOX", "1").env("CLAW_INSIDE", "1").output().unwrap();
        Ran::new("outside".to_owned(), &output).exits(126);
    }
}

#[test]
fn the_environment_moves_neither_the_home_nor_the_workspace_nor_the_log() {
    for user in User::all() {
        let place = Place::of(user);
        let key = place.write("home/.ssh/id_ed25519", "PRIVATE");
        place.write("other/file", "");
        let policy = place
            .write("agent.yaml", format!("filesystem: {{ readOnly: [{}] }}\n", place.path("home").display()));
        let into = place.path("shells");
        let args = ["shell", "install", "--into"].map(OsStr::new).into_iter().chain([into.as_os_str()]);
        let work = place.work();
        let more = [OsStr::new("--policy"), policy.as_os_str(), OsStr::new("--workspace"), work.as_os_str()];
        place.run(args.chain(more)).exits(0);
        let run = |line: &str| {
            let mut host = command(&place, &into.join("claw-bash"), &["-c", line]);
            host.current_dir(place.path("other")).env("HOME", place.path("other"));
            host.env("XDG_STATE_HOME", place.path("other")).env("XDG_CONFIG_HOME", place.path("other"));
            Ran::new(line.to_owned(), &host.output().unwrap())
        };
        run(&format!("cat {}", key.display())).exits(126).says("hidden");
        run("echo x > file").exits(126);
        assert_eq!(fs::read_dir(place.path("other")).unwrap().count(), 1, "nothing of ours is there");
    }
}
