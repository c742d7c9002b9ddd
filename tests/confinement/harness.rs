//! Runs an attack twice: plainly, where it has to succeed, and in the sandbox, where it must not.

use std::fmt::Arguments;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use claw_testkit::programs;
use claw_testkit::scene::Scene;

use crate::attack::{Attack, Program};
use crate::pending;

/// No case takes this long; a run that does hangs, and fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// What most attacks may run.
const EXEC: &str = "{allowlist: [sh, bash, python3, perl, cat, ls, cp, mv, rm, ln, mkdir, rmdir, mkfifo, mknod, chmod, \
     chown, kill, find, xargs, env, timeout, nice, setsid, nohup, sleep, 'true', make, awk, mawk, gawk, sed, ed, vim, tar, git, \
     sort, id, head, printenv, truncate, dd, curl, npm, node, {path: {attack}}]}";

/// What an attack left.
#[derive(Debug)]
pub(crate) struct Ran {
    /// As a shell counts: 128 + the signal that ended it.
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    shown: bool,
    /// What the sandbox wrote about its end.
    outcome: String,
}

impl Ran {
    fn has_started(&self) -> bool {
        self.stdout.starts_with(b"started")
    }

    fn story(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned();
        format!(
            "status {}, started: {}, evidence: {}\n--- stdout\n{}\n--- stderr\n{}",
            self.status,
            self.has_started(),
            self.shown,
            text(&self.stdout),
            text(&self.stderr)
        )
    }
}

/// How often an attack is tried without a sandbox before it counts as one that does not work.
const CONTROLS: usize = 5;

/// The test of an attack.
pub(crate) fn check(name: &str, attack: &Attack) {
    // Whoever races is sometimes unlucky. That is no sign of a sandbox where there is none.
    let controls = std::iter::repeat_with(|| run(attack, Confined::No)).take(CONTROLS);
    let mut control = None;
    for ran in controls {
        let shown = ran.shown;
        control = Some(ran);
        if shown || attack.needs.is_some() {
            break;
        }
    }
    let control = control.unwrap();
    if !control.shown {
        let Some(needs) = attack.needs else {
            panic!("{name}: the control, without a sandbox, does not succeed: {}", control.story());
        };
        say(format_args!("skipped: {name}: it does not succeed without a sandbox either; it needs {needs}"));
        return;
    }
    let ran = run(attack, Confined::Yes);
    let refused = attack.may_be_refused && ran.status == 126;
    if let Some(ending) = attack.ending
        && !refused
    {
        assert!(
            ran.outcome.contains(&format!("\"ending\": \"{ending}\"")),
            "{name}: {}\n{}",
            ran.outcome,
            ran.story()
        );
    }
    let holds = !ran.shown && (ran.has_started() || refused);
    match pending::reason(name) {
        Some(_) if holds => panic!("{name} holds now: remove it from pending.rs"),
        Some(reason) => say(format_args!("pending: {name}: {reason}")),
        None => assert!(holds, "{name}: the sandbox does not hold: {}", ran.story()),
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Confined {
    No,
    Yes,
}

fn run(attack: &Attack, confined: Confined) -> Ran {
    let mut scene = Scene::new();
    scene.name("exec", EXEC.to_owned());
    scene.name("secret", scene.secret().to_owned());
    (attack.setup)(&mut scene);
    let words = words(attack, &scene);
    let mut line: Vec<String> = attack.before.iter().map(|word| scene.fill(word)).collect();
    if confined == Confined::Yes {
        let policy = scene.fill(&scene.fill(attack.policy));
        let policy = scene.write("policy.yaml", policy);
        line.push(programs::sandbox().display().to_string());
        line.extend(["run".into(), "--policy".into(), policy.display().to_string()]);
        line.extend(attack.options.iter().map(|&option| option.to_owned()));
        line.extend(["--outcome".into(), scene.path("outcome.json").display().to_string()]);
        match attack.program {
            Program::Line(_) => line.push("--shell".into()),
            _ => line.push("--".into()),
        }
    } else if let Program::Line(_) = attack.program {
        line.extend(["bash".into(), "-c".into()]);
    }
    line.extend(words);
    let mut command = scene.program(&line[0]);
    command.args(&line[1..]);
    command.envs(attack.environment.iter().map(|(name, value)| (name, scene.fill(value))));
    observe(command, attack, &scene)
}

/// The command of an attack; a script is written into the workspace first.
fn words(attack: &Attack, scene: &Scene) -> Vec<String> {
    let fill = |words: &[&str]| words.iter().map(|word| scene.fill(word)).collect::<Vec<_>>();
    match attack.program {
        Program::Script(interpreter, text) => {
            let first = match interpreter {
                "python3" => "import os, sys\nprint('started', flush=True)\n",
                "perl" => "$| = 1; print \"started\\n\";\n",
                _ => "echo started\n",
            };
            let script = scene.write("ws/script", scene.fill(&format!("{first}{text}\n")));
            vec![interpreter.into(), script.display().to_string()]
        }
        // The last word says whose it is.
        Program::Hostile(arguments) => fill(&[&["{attack}"], arguments, &["{root}"]].concat()),
        Program::Line(text) => vec![scene.fill(text)],
    }
}

fn observe(mut command: Command, attack: &Attack, scene: &Scene) -> Ran {
    let held = attack.evidence.needs_waiting();
    if held {
        command.stdin(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    scene.set_runner(child.id());
    let mut stderr = child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        bytes
    });
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut stdout = Vec::new();
    let mut shown = false;
    if held {
        while output.read_until(b'\n', &mut stdout).unwrap() > 0 {
            if stdout.ends_with(b"ready\n") {
                shown = attack.evidence.while_waiting(scene);
                break;
            }
        }
        drop(child.stdin.take());
    }
    // What the attack has left may keep the pipe open, so the end of the process is what is waited for.
    let rest = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.read_to_end(&mut bytes);
        bytes
    });
    let status = wait(&mut child);
    let outcome = fs::read_to_string(scene.path("outcome.json")).unwrap_or_default();
    let mut ran = Ran { status, stdout, stderr: Vec::new(), shown, outcome };
    if !attack.evidence.needs_waiting() {
        // With the output that is complete: an attack that leaves processes behind says nothing of interest.
        if scene.attackers().is_empty() {
            ran.stdout.extend(rest.join().unwrap());
            ran.stderr = errors.join().unwrap();
        } else {
            ran.stdout.extend(b"started, and something is left\n");
        }
        ran.shown = attack.evidence.afterwards(scene, &ran);
    } else if scene.attackers().is_empty() {
        ran.stdout.extend(rest.join().unwrap());
        ran.stderr = errors.join().unwrap();
    }
    ran
}

fn wait(child: &mut Child) -> i32 {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("a case did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Says something that is to be seen, also when the test passes.
pub(crate) fn say(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
