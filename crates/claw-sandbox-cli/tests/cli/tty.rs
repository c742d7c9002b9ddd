//! `--tty`: a terminal of the command's own. A Python program plays the outer terminal.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Place, User, eventually, is_root, is_running};

const OUTER: &str = include_str!("terminal.py");
const POLICY: &str = "exec:\n  security: full\nlimits:\n  output: 100KiB\n";

fn place(user: User) -> Place {
    let place = Place::of(user);
    place.write("policy.yaml", POLICY);
    place.write("work/.keep", "");
    place
}

/// What a command leaves that runs on an outer terminal. `run ARGS` is the binary.
fn on_terminal(place: &Place, steps: &Value, command: &[&str]) -> Value {
    let mut words = vec![place.path("bin/claw-sandbox").to_str().unwrap().to_owned()];
    words.extend(["run", "--policy", "../policy.yaml"].map(String::from));
    words.extend(command.iter().map(|word| (*word).to_owned()));
    outside(place, steps, &words)
}

fn outside(place: &Place, steps: &Value, command: &[String]) -> Value {
    let mut outer = place.program("python3");
    outer.env("TERM", "dumb").args(["-c", OUTER]).arg(steps.to_string()).args(command);
    let output = outer.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[track_caller]
fn ends(ran: &Value, status: i32) {
    assert_eq!(ran["problem"], Value::Null, "{ran:#}");
    assert_eq!(ran["status"], status, "{ran:#}");
    assert_eq!(ran["restored"], true, "{ran:#}");
    assert_eq!(ran["typed"], "", "{ran:#}");
}

#[test]
fn the_command_has_a_terminal_of_its_own_with_the_size_of_ours() {
    for user in User::all() {
        let place = place(user);
        let line = "tty; stty size; python3 -c 'import os; print([os.isatty(n) for n in range(3)])'; echo to-the-tty > /dev/tty; \
                    echo by-name > /dev/stdout; exit 3";
        let ran = on_terminal(&place, &json!([]), &["--tty", "-c", line]);
        ends(&ran, 3);
        let shown = ran["shown"].as_str().unwrap();
        for part in ["/dev/pts/", "30 100\r\n", "[True, True, True]", "to-the-tty\r\n", "by-name\r\n"] {
            assert!(shown.contains(part), "no {part:?} in {ran:#}");
        }
        assert!(!shown.contains(&format!("{}\r", ran["name"].as_str().unwrap())), "{ran:#}");
    }
}

#[test]
fn without_a_terminal_there_is_still_one_inside_and_bytes_are_copied() {
    for user in User::all() {
        let place = place(user);
        let run = |line: &str, input: &[u8]| {
            place.run_with(["run", "--policy", "../policy.yaml", "--tty", "-c", line], input)
        };
        let ran = run("stty size; cat; echo end", b"one\ntwo").exits(0);
        assert_eq!(ran.stdout, "24 80\r\none\r\ntwoend\r\n");
        // Many lines, slower read than written; the end comes after them all.
        let lines: String = (0..5_000).map(|n| format!("{n}\n")).collect();
        let ran = run("sleep 0.2; cat | wc -l; cat | wc -c", lines.as_bytes()).exits(0);
        assert_eq!(ran.stdout, "5000\r\n0\r\n");
        // Both streams come out of one, and an end that is not read does not matter.
        let ran = run("echo out; echo err >&2; exit 9", b"").exits(9);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\r\nerr\r\n", ""));
        // Closing all streams is not the end.
        run("exec > /dev/null 2>&1 < /dev/null; sleep 0.3; exit 4", b"").exits(4);
    }
}

#[test]
fn every_key_arrives_as_it_is() {
    let steps = json!([["expect", "ready"], ["send", "\u{0}\u{3}\u{4}\n\r\u{1a}\u{1c}"]]);
    let line = "stty raw; echo ready; head -c 7 | od -An -c";
    let ran = on_terminal(&place(User::Current), &steps, &["--tty", "-c", line]);
    ends(&ran, 0);
    assert!(ran["shown"].as_str().unwrap().contains(r"\0 003 004  \n  \r 032 034"), "{ran:#}");
}

#[test]
fn job_control_works_inside() {
    for user in User::all() {
        let place = place(user);
        // It makes no process meanwhile: a stop between vfork and exec would hold its parent too, sandbox or not.
        place.write(
            "work/job.py",
            "import os, signal, time\nsignal.signal(signal.SIGCONT, lambda *_: os.write(1, b'resumed\\n'))\n\
             os.write(1, b'begun\\n')\ntime.sleep(3600)\n",
        );
        let prompt = if is_root() && user == User::Current { "# " } else { "$ " };
        let steps = json!([
            ["expect", prompt],
            ["send", "python3 job.py\n"],
            ["expect", "begun\r\n"],
            ["send", "\u{1a}"],
            ["expect", "Stopped"],
            ["expect", prompt],
            ["send", "fg\n"],
            ["expect", "resumed\r\n"],
            ["send", "\u{3}"],
            ["expect", prompt],
            ["send", "echo still $((40 + 2))\n"],
            ["expect", "still 42"],
            ["send", "sleep 98761.2 & jobs\n"],
            ["expect", "Running"],
            ["send", "exit 5\n"]
        ]);
        let ran = on_terminal(&place, &steps, &["--tty", "--", "bash", "--norc", "-i"]);
        ends(&ran, 5);
        assert!(!ran["shown"].as_str().unwrap().contains("no job control"), "{ran:#}");
        assert!(eventually(|| !is_running("98761")));
    }
}

#[test]
fn the_window_follows_ours() {
    let line = "trap 'stty size; exit 6' WINCH; echo ready; while :; do sleep 0.05; done";
    let steps = json!([["expect", "ready"], ["resize", [40, 132]], ["expect", "40 132\r\n"]]);
    ends(&on_terminal(&place(User::Current), &steps, &["--tty", "-c", line]), 6);
}

#[test]
fn the_modes_are_restored_however_it_ends() {
    let place = place(User::Current);
    let sleep = ["--tty", "-c", "trap '' HUP INT QUIT TERM; echo ready; sleep 98760.1"];
    for (signal, number) in [("SIGTERM", 15), ("SIGINT", 2), ("SIGHUP", 1), ("SIGUSR1", 10), ("SIGALRM", 14)]
    {
        let steps = json!([["expect", "ready"], ["kill", signal]]);
        ends(&on_terminal(&place, &steps, &sleep), 128 + number);
    }
    ends(&on_terminal(&place, &json!([]), &["--tty", "--timeout", "300ms", "--", "sleep", "98760.2"]), 124);
    ends(&on_terminal(&place, &json!([]), &["--tty", "-c", "kill -9 $$"]), 137);
    ends(&on_terminal(&place, &json!([]), &["--tty", "--", "no-such-program"]), 127);
    // What the run does to its own terminal is not done to ours.
    ends(&on_terminal(&place, &json!([]), &["--tty", "-c", "stty raw -echo; exit 8"]), 8);
    assert!(eventually(|| !is_running("98760.")));
}

// Writes without end while it is asked about a program, and reads afterwards.
const CHATTERBOX: &str = "{ echo noise; echo noise; : > begun; while :; do echo noise; done; } &\n\
                          until [ -e begun ]; do :; done; rm -f begun\n/usr/bin/id -u > uid\nstatus=$?\nkill $!; wait $! 2>/dev/null\n\
                          echo ready; read -r line; echo \"$status got <$line>\"\n";

#[test]
fn a_question_is_put_on_our_terminal_and_the_command_neither_sees_nor_disturbs_it() {
    for user in User::all() {
        let place = place(user);
        place.write("policy.yaml", "exec:\n  ask: on-miss\n  allowlist: [bash, rm]\n");
        place.write("work/chatterbox", CHATTERBOX);
        for (answer, status) in [("o", 0), ("d", 126)] {
            let steps = json!([
                ["expect", "noise\r\nnoise\r\n"],
                ["expect", "claw-sandbox: may this run?\r\n"],
                ["expect", "[d]eny: "],
                ["send", "what\r"],
                ["expect", "[d]eny: "],
                ["send", format!("{answer}\r")],
                ["expect", "ready\r\n"],
                ["send", "typed\r"],
                ["expect", format!("{status} got <typed>\r\n")]
            ]);
            let ran = on_terminal(&place, &steps, &["--tty", "--", "bash", "chatterbox"]);
            ends(&ran, 0);
            let shown = ran["shown"].as_str().unwrap();
            let asked = shown.split("may this run?").nth(1).and_then(|rest| rest.rsplit_once("[d]eny: "));
            let (asked, _) = asked.unwrap();
            assert!(asked.contains("/usr/bin/id") && asked.contains("what\r\n"), "{asked}");
            assert!(!asked.contains("noise"), "{asked}");
        }
        // A run that ends while it is asked about leaves the terminal as it was.
        let steps = json!([["expect", "[d]eny: "], ["kill", "SIGTERM"]]);
        ends(&on_terminal(&place, &steps, &["--tty", "--", "bash", "chatterbox"]), 128 + 15);
    }
}

#[test]
fn the_question_about_the_command_itself_can_be_interrupted_and_says_what_it_understands() {
    for user in User::all() {
        let place = place(user);
        place.write("policy.yaml", "exec:\n  ask: on-miss\n  allowlist: [ls]\n");
        let asked = |step: Value| json!([["expect", "[d]eny: "], step]);
        for (step, status, says) in [
            (json!(["send", "y\r"]), 0, "uid="),
            (json!(["send", "\u{4}"]), 126, "no answer: denied"),
            (json!(["send", "\u{3}"]), 128 + 2, "interrupted: denied"),
            (json!(["kill", "SIGTERM"]), 128 + 15, "interrupted: denied"),
        ] {
            let ran = on_terminal(&place, &asked(step), &["--", "id"]);
            ends(&ran, status);
            assert!(ran["shown"].as_str().unwrap().contains(says), "{ran:#}");
        }
        let steps = json!([
            ["expect", "[d]eny: "],
            ["send", "maybe\r"],
            ["expect", "please answer with o, a or d"],
            ["expect", "[d]eny: "],
            ["send", "n\r"]
        ]);
        ends(&on_terminal(&place, &steps, &["--", "id"]), 126);
    }
}

#[test]
fn limits_hold_on_a_terminal() {
    let place = place(User::Current);
    let ran = place.run(["run", "--policy", "../policy.yaml", "--tty", "--", "yes"]);
    assert!(ran.stderr.contains("standard output grew beyond its limit"), "{ran:?}");
    assert_eq!(ran.stdout.len(), 100 * 1024);
}

#[test]
fn a_closed_terminal_ends_the_run() {
    let steps = json!([["expect", "ready"], ["close", null]]);
    let line = "setsid sleep 98759.1 & echo ready; sleep 98759.2";
    let ran = on_terminal(&place(User::Current), &steps, &["--tty", "-c", line]);
    assert_eq!((&ran["problem"], &ran["status"]), (&Value::Null, &json!(128 + 1)), "{ran:#}");
    assert!(eventually(|| !is_running("98759.")));
}

/// Tries to type and to write on the outer terminal, by its name and by every descriptor; says what worked.
const ATTACK: &str = r#"
import fcntl, os, sys
worked = []
def attempt(name, action):
    try:
        action()
        worked.append(name)
    except OSError as error:
        worked.append(f"{name}:{error.strerror}")
def push(fd):
    fcntl.ioctl(fd, 0x5412, b"!")
def paste(fd):
    fcntl.ioctl(fd, 0x541C, b"\x03")
def opened(name, action):
    fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
    action(fd)
outer = sys.argv[1]
attempt("open", lambda: opened(outer, lambda fd: os.write(fd, b"@written@")))
attempt("push-by-name", lambda: opened(outer, push))
attempt("push", lambda: push(0))
attempt("paste", lambda: paste(0))
attempt("controlling", lambda: opened("/dev/tty", lambda fd: None))
attempt("list", lambda: os.listdir("/dev/pts"))
attempt("new", lambda: opened("/dev/ptmx", lambda fd: None))
print("attacked", "; ".join(worked))
"#;

#[test]
fn the_outer_terminal_cannot_be_typed_into_or_written() {
    for user in User::all() {
        let place = place(user);
        place.write("work/attack.py", ATTACK);
        let attack = ["python3", "attack.py", "@TERMINAL@"];

        // Outside, all of it works; typing where the kernel still lets this user.
        let ran = outside(&place, &json!([]), &attack.map(String::from));
        let shown = ran["shown"].as_str().unwrap();
        assert!(shown.contains("attacked open; push"), "{ran:#}");
        assert!(shown.contains("@written@"), "{ran:#}");
        assert!(shown.contains("controlling; list; new"), "{ran:#}");
        if shown.contains("push;") {
            assert!(ran["typed"].as_str().unwrap().contains('!'), "{ran:#}");
        }

        // On the terminal of its caller it writes to what it was given, and that is all.
        let ran = on_terminal(&place, &json!([]), &[&["--"][..], &attack].concat());
        ends(&ran, 0);
        let shown = ran["shown"].as_str().unwrap();
        let expected = "attacked open:Permission denied; push-by-name:Permission denied; push:Operation not permitted; \
                        paste:Operation not permitted; controlling:No such device or address; list:Permission denied; \
                        new:Permission denied";
        assert!(shown.contains(expected), "{ran:#}");

        // With a terminal of its own it cannot type into that one either.
        let ran = on_terminal(&place, &json!([]), &[&["--tty", "--"][..], &attack].concat());
        ends(&ran, 0);
        let shown = ran["shown"].as_str().unwrap();
        let expected = "attacked open:Permission denied; push-by-name:Permission denied; push:Operation not permitted; \
                        paste:Operation not permitted; controlling; list:Permission denied; new:Permission denied";
        assert!(shown.contains(expected), "{ran:#}");
        assert!(!shown.contains("@written@"), "{ran:#}");
    }
}

#[test]
fn a_run_cannot_use_the_terminal_of_another_run() {
    let place = place(User::Current);
    let mut first = place
        .cli(["run", "--policy", "../policy.yaml", "--tty", "-c", "tty; sleep 98758.1"])
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(first.stdout.take().unwrap());
    let mut name = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut name).unwrap();
    let name = name.trim();
    assert!(name.starts_with("/dev/pts/"), "{name:?}");
    let write = format!("tty; echo intruder > {name}");
    let ran = place.run(["run", "--policy", "../policy.yaml", "--tty", "-c", &write]);
    let mut control = Command::new("sh");
    let control = control.args(["-c", &format!("echo outsider > {name}")]).status().unwrap();
    crate::harness::signal(&first, "TERM");
    let mut shown = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut shown).unwrap();
    first.wait().unwrap();
    assert!(control.success() && shown.contains("outsider"), "{shown:?}");
    assert!(!shown.contains("intruder"), "{shown:?}");
    assert!(ran.status != 0, "{ran:?}");
}
