//! Real runs under a supervisor, judged by tables in place of a policy.
//!
//! The same tests run as root and as an unprivileged user. What a command may do is shown by what it leaves in a
//! file or writes to its output, and each attack is first shown to succeed where everything is allowed.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read as _, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use claw_policy::{Decision, DescendantRequest, Grant, Request};
use nix::unistd::pipe2;

use super::*;
use crate::Judge;
use crate::launcher::{Launcher, Restrictions};
use crate::observe::Running;
use crate::outcome::Outcome;
use crate::request::{CommandLine, ExecInput};
use crate::spawn::{ChildSpec, StdioPlan, StreamPlan, Streams, Supervision};

type Rule = fn(&ExecAttempt) -> bool;

type Person = Arc<dyn Fn(Verdict, &(dyn Fn() -> bool + Sync)) -> Verdict + Send + Sync>;

struct Table {
    rule: Rule,
    // Who is asked about what the rule allows and whose last word is `asked`.
    person: Option<Person>,
    // Gives the roles: a policy that has nothing against anything.
    judge: Judge,
    seen: Mutex<Vec<String>>,
    lost: Mutex<u32>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Table")
    }
}

impl Oversight for Table {
    fn exec(&self, attempt: &Arc<ExecAttempt>) -> Judgement {
        let argv: Vec<_> = attempt.argv.iter().map(|word| String::from_utf8_lossy(word)).collect();
        self.seen.lock().unwrap().push(format!("{} > {}", attempt.role, argv.join(" ")));
        if !(self.rule)(attempt) {
            return Judgement::Decided(Verdict::Deny(format!("denied: `{}`", argv.join(" "))));
        }
        let ExecAttempt { role: caller, program, argv, cwd, .. } = &**attempt;
        let verdict =
            match self.judge.decide(Request::Descendant(&DescendantRequest { program, argv, cwd, caller })) {
                Some(Decision::Allow(Grant::Descendant(grant))) => Verdict::Allow(grant.role().clone()),
                other => panic!("{other:?}"),
            };
        match &self.person {
            Some(person) if argv.last().is_some_and(|word| word == b"asked") => {
                let person = Arc::clone(person);
                Judgement::Ask(Box::new(move |_, waits| person(verdict, waits)))
            }
            _ => Judgement::Decided(verdict),
        }
    }

    fn unasked(&self, _attempt: &ExecAttempt) -> Verdict {
        Verdict::Deny("denied: not asked".into())
    }

    fn network(&self, _attempt: &NetworkAttempt) -> NetworkVerdict {
        NetworkVerdict::Deny("denied: no network".into())
    }

    fn touch(&self, _request: &claw_policy::TouchRequest<'_>) -> Result<(), claw_policy::Denial> {
        Ok(())
    }

    fn records_files(&self) -> bool {
        false
    }

    fn file(&self, _: &FileAttempt<'_>, judged: Result<(), claw_policy::Denial>) -> Result<(), String> {
        judged.map_err(|denial| format!("{denial:?}"))
    }

    fn lost_race(&self, _attempt: &ExecAttempt) {
        *self.lost.lock().unwrap() += 1;
    }
}

fn judge() -> Judge {
    Judge::new(crate::policy_from_yaml("exec: { security: full }\n", Path::new("/")).unwrap())
}

fn first_role(judge: &Judge, argv: &[&str]) -> Role {
    let argv: Vec<Vec<u8>> = argv.iter().map(|word| word.as_bytes().to_vec()).collect();
    let input = ExecInput {
        command: CommandLine::Argv(argv),
        cwd: "/".into(),
        environment: Vec::new(),
        timeout: None,
    };
    let script = input.parse().unwrap();
    match judge.decide(Request::Exec(&input.request(&script))) {
        Some(Decision::Allow(Grant::Exec(grant))) => grant.role(),
        other => panic!("{other:?}"),
    }
}

struct Ran {
    outcome: Outcome,
    output: String,
    seen: Vec<String>,
    lost: u32,
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn pipe() -> (File, OwnedFd) {
    let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    (read.into(), write)
}

fn run_in(directory: &Path, argv: &[&str], verify: bool, rule: Rule) -> Ran {
    run_from(directory, directory, argv, verify, rule)
}

fn start_launcher() -> Arc<Launcher> {
    let restrict = || crate::sys::caps::set_no_new_privileges().map_err(|errno| errno.to_string());
    let restrictions =
        Restrictions { domain: Box::new(restrict), calls: EXECS.as_slice().into(), ..Restrictions::none() };
    Arc::new(Launcher::start(restrictions, None).unwrap())
}

fn table(rule: Rule, person: Option<Person>) -> Arc<Table> {
    Arc::new(Table { rule, person, judge: judge(), seen: Mutex::default(), lost: Mutex::default() })
}

fn spec(cwd: &Path, argv: &[&str], [stdout, stderr]: [OwnedFd; 2], table: &Arc<Table>) -> ChildSpec {
    let streams = StdioPlan {
        stdin: StreamPlan::Null,
        stdout: StreamPlan::Descriptor(stdout),
        stderr: StreamPlan::Descriptor(stderr),
        tty: None,
    };
    ChildSpec {
        program: c(argv[0]),
        argv: argv.iter().copied().map(c).collect(),
        environment: vec![c("PATH=/usr/bin:/bin")],
        directory: File::open(cwd).unwrap().into(),
        streams: Streams::open(streams).unwrap().0,
        terminal: None,
        rlimits: Vec::new(),
        supervision: Supervision::default(),
        bounds: None,
        group: None,
        watch: Some(Watch {
            oversight: Arc::clone(table) as Arc<dyn Oversight>,
            role: first_role(&table.judge, &["/bin/true"]),
            verify: true,
            sockets: SocketPlaces::default(),
            temporary: None,
            writable: Arc::default(),
            new_files: None,
            terminal: None,
        }),
    }
}

// `cwd` is where it runs; `directory` holds the trees that it may write, `ws` and `writable`.
fn run_from(directory: &Path, cwd: &Path, argv: &[&str], verify: bool, rule: Rule) -> Ran {
    let table = table(rule, None);
    let (mut read, write) = pipe();
    let mut spec = spec(cwd, argv, [write.try_clone().unwrap(), write], &table);
    let watch = spec.watch.as_mut().unwrap();
    watch.verify = verify;
    watch.writable = Arc::from([directory.join("writable"), directory.join("ws")]);
    let running = start_launcher().spawn(spec).unwrap();
    let mut output = String::new();
    read.read_to_string(&mut output).unwrap();
    let outcome = running.wait();
    let (seen, lost) = (table.seen.lock().unwrap().clone(), *table.lost.lock().unwrap());
    Ran { outcome, output, seen, lost }
}

fn run(argv: &[&str], rule: Rule) -> Ran {
    run_in(Path::new("/"), argv, true, rule)
}

fn name(attempt: &ExecAttempt) -> String {
    attempt.program.real.file_name().unwrap().to_string_lossy().into_owned()
}

fn is_shell(attempt: &ExecAttempt) -> bool {
    ["sh", "dash", "bash"].contains(&&*name(attempt))
}

// A directory that an unprivileged test can use too.
fn scene() -> (tempfile::TempDir, PathBuf) {
    let scene = tempfile::tempdir().unwrap();
    let path = scene.path().canonicalize().unwrap();
    (scene, path)
}

fn copy_program(from: &str, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_exec_of_the_tree_is_asked_about_with_its_callers_role() {
    let ran =
        run(&["/bin/sh", "-c", "/bin/sh -c '/usr/bin/env /bin/echo deep; :'; /bin/echo shallow"], |_| true);
    assert_eq!(ran.output, "deep\nshallow\n");
    assert_eq!(ran.outcome.denials.count(), 0);
    let shell = fs::canonicalize("/bin/sh").unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let agent = "`true` (the command)";
    let seen: Vec<String> = ran.seen.iter().map(|line| line.replace(&format!("`{shell}`"), "`sh`")).collect();
    assert_eq!(
        seen,
        [
            format!("{agent} > /bin/sh -c /usr/bin/env /bin/echo deep; :"),
            "`sh` (started by `true`) > /usr/bin/env /bin/echo deep".to_owned(),
            "`env` (started by `sh`) > /bin/echo deep".to_owned(),
            format!("{agent} > /bin/echo shallow"),
        ]
    );
}

#[test]
fn a_denied_exec_fails_with_eacces_and_says_so() {
    let ran = run(&["/bin/sh", "-c", "/bin/echo no; echo $?"], is_shell);
    assert!(ran.output.contains("claw-sandbox: denied: `/bin/echo no`\n"), "{}", ran.output);
    assert!(ran.output.contains("126\n") && !ran.output.contains("\nno\n"), "{}", ran.output);
    let denials = ran.outcome.denials;
    assert_eq!((denials.count(), &*denials.first()[0].message), (1, "denied: `/bin/echo no`"));
}

#[test]
fn a_missing_program_is_not_found_as_usual() {
    let ran = run(&["/bin/sh", "-c", "/nowhere/program; echo $?; exec /etc"], |_| true);
    assert!(ran.output.contains("127\n"), "{}", ran.output);
    assert_eq!(ran.outcome.denials.count(), 0);
}

#[test]
fn a_copied_renamed_or_linked_program_is_what_it_is() {
    let (_keep, path) = scene();
    copy_program("/bin/echo", &path.join("copied"));
    symlink("/bin/echo", path.join("linked")).unwrap();
    for allowed in [true, false] {
        let rule: Rule =
            if allowed { |_| true } else { |attempt| is_shell(attempt) || name(attempt) == "cat" };
        let script = "./copied one; ./linked two; exec -a cat /bin/echo three";
        let ran = run_in(&path, &["/bin/bash", "-c", script], true, rule);
        assert_eq!(ran.output.contains("one\n"), allowed, "{}", ran.output);
        assert_eq!(ran.output.contains("two\n"), allowed, "{}", ran.output);
        assert_eq!(ran.output.contains("three\n"), allowed, "{}", ran.output);
    }
}

// A script that may be executed.
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_script_runs_with_the_interpreter_that_was_judged() {
    let (_keep, path) = scene();
    let inner = path.join("ws/inner").display().to_string();
    script(&path.join("ws/inner"), "#!/bin/sh -u\necho inner \"$0\" \"$@\"\n");
    script(&path.join("ws/script"), &format!("#! {inner} with spaces \necho never\n"));
    let ran = run_in(&path, &["/bin/sh", "-c", "cd ws; ./inner a; ./script b c"], true, |_| true);
    assert_eq!(ran.output, format!("inner ./inner a\ninner {inner} with spaces ./script b c\n"));
    assert_eq!(ran.lost, 0);
}

#[test]
fn a_script_whose_interpreter_cannot_be_known_is_no_program() {
    let (_keep, path) = scene();
    let shell = fs::canonicalize("/bin/sh").unwrap();
    symlink(&shell, path.join("ws-sh")).unwrap();
    symlink(&shell, path.join("a\x0cb")).unwrap();
    nix::unistd::mkfifo(&path.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let here = path.display();
    let lines =
        ["#!ws-sh".to_owned(), "#!./ws-sh".to_owned(), "#!/nowhere/sh".to_owned(), format!("#!{here}/fifo")];
    for (place, line) in lines.iter().enumerate() {
        script(&path.join(format!("ws/s{place}")), &format!("{line}\necho ran\n"));
    }
    let odd = format!("#!{here}/a\x0cb\necho judged\n");
    script(&path.join("ws/odd"), &odd);
    // As the kernel splits it: the interpreter's name has a form feed in it, and it is a shell.
    let rule: Rule = |attempt| !attempt.program.interpreters.is_empty() || is_shell(attempt);
    let list = "for s in ws/s0 ws/s1 ws/s2 ws/s3 fifo; do ./$s; echo $?; done; ./ws/odd";
    let ran = run_in(&path, &["/bin/sh", "-c", list], true, rule);
    assert!(!ran.output.contains("ran\n") && ran.output.ends_with("judged\n"), "{}", ran.output);
    assert_eq!(ran.output.matches("126\n").count(), 5, "{}", ran.output);
}

#[test]
fn an_interpreter_gets_no_name_that_is_an_option_or_may_lead_elsewhere() {
    let (_keep, path) = scene();
    script(&path.join("opt/tool"), "#!/bin/sh\necho the tool\n");
    fs::create_dir(path.join("ws")).unwrap();
    symlink(path.join("opt/tool"), path.join("ws/-c")).unwrap();
    symlink(path.join("opt/tool"), path.join("ws/link")).unwrap();
    let tool = path.join("opt/tool").display().to_string();
    let link = path.join("ws/link").display().to_string();
    let text = "import os,sys\nfor name in sys.argv[1:]:\n    if os.fork() == 0:\n        try: os.execv(name, ['x', 'echo option'])\n        except OSError as error: print(error.errno, flush=True)\n        os._exit(0)\n    os.wait()\n";
    let words = ["-c", "./link", &link, "../opt/tool", &tool];
    let argv: Vec<&str> = ["/usr/bin/python3", "-c", text].into_iter().chain(words).collect();
    let plain =
        std::process::Command::new(argv[0]).args(&argv[1..]).current_dir(path.join("ws")).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&plain.stdout),
        "option\nthe tool\nthe tool\nthe tool\nthe tool\n",
        "the control"
    );
    let ran = run_from(&path, &path.join("ws"), &argv, true, |_| true);
    assert_eq!(ran.output, "13\n13\n13\n13\nthe tool\n");
}

#[test]
fn programs_without_a_name_are_denied() {
    // Python runs a copy of `echo` from a file in memory, and from one that has been removed.
    let script = "\
import os, shutil, sys, tempfile
def child(run):
    if os.fork() == 0:
        try: run()
        except OSError as error: print('failed', error.errno, flush=True)
        os._exit(0)
    os.wait()
memory = os.memfd_create('x', 0)
os.write(memory, open('/bin/echo', 'rb').read())
child(lambda: os.execve('/proc/self/fd/%d' % memory, ['echo', 'memory'], {}))
path = tempfile.mktemp()
shutil.copy('/bin/echo', path)
gone = os.open(path, os.O_RDONLY)
os.unlink(path)
child(lambda: os.execve('/dev/fd/%d' % gone, ['echo', 'gone'], {}))
";
    let plain = std::process::Command::new("/usr/bin/python3").args(["-c", script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&plain.stdout), "memory\ngone\n", "the control");
    let ran = run(&["/usr/bin/python3", "-c", script], |_| true);
    assert_eq!(ran.output.matches("failed 13").count(), 2, "{}", ran.output);
}

#[test]
fn the_own_executable_may_be_named_by_its_link() {
    let ran = run(&["/bin/bash", "-c", "exec /proc/self/exe -c 'echo again'"], is_shell);
    assert_eq!(ran.output, "again\n");
}

#[test]
fn without_the_exec_stop_roles_go_by_the_program() {
    let rule: Rule = |attempt| is_shell(attempt) || name(attempt) == "env";
    let ran = run_in(Path::new("/"), &["/bin/bash", "-c", "/usr/bin/env /bin/echo no"], false, rule);
    assert!(ran.seen.last().unwrap().starts_with("`env` (started by"), "{:?}", ran.seen);
    assert!(!ran.output.starts_with("no"), "{}", ran.output);
}

#[test]
fn a_thread_that_is_not_the_first_may_execute() {
    let script = "import os, threading\n\
        threading.Thread(target=lambda: os.execv('/bin/echo', ['echo', 'from', 'a', 'thread'])).start()\n\
        import time\ntime.sleep(60)";
    let ran = run(&["/usr/bin/python3", "-c", script], |_| true);
    assert_eq!(ran.output, "from a thread\n");
}

// The racer, if there is a compiler.
fn racer(directory: &Path) -> Option<PathBuf> {
    let racer = directory.join("racer");
    let source = directory.join("racer.c");
    fs::write(&source, include_str!("racer.c")).unwrap();
    let compiled =
        std::process::Command::new("cc").arg("-pthread").arg("-o").arg(&racer).arg(&source).status();
    let is_there = compiled.is_ok_and(|status| status.success());
    is_there.then_some(racer)
}

#[test]
fn no_race_between_the_judgement_and_the_exec_is_won() {
    let (_keep, path) = scene();
    let Some(racer) = racer(&path) else {
        // Past the test runner's capture.
        let _ = Write::write_all(&mut io::stderr(), b"skipped: the racer needs a C compiler (cc)\n");
        return;
    };
    let touch = fs::canonicalize("/usr/bin/touch").unwrap();
    // Names of one length, so that the argument is never a mixture that is neither.
    let (allowed, denied) = (path.join("allowed"), path.join("refused"));
    let rule: Rule = |attempt| !attempt.argv.iter().any(|word| word.ends_with(b"refused"));
    for (verify, races) in [(false, "300"), (true, "2000")] {
        let argv = [&racer, Path::new(races), &touch, &allowed, &denied]
            .map(|word| word.to_str().unwrap().to_owned());
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let ran = run_in(&path, &argv, verify, rule);
        assert!(ran.outcome.status.unwrap().success());
        assert!(allowed.exists(), "no exec was allowed");
        if verify {
            assert!(!denied.exists(), "{} races were noticed", ran.lost);
            assert!(ran.lost > 0, "no exec changed in between: the race was not tried");
        } else {
            // The control: with the notification alone the race is won.
            assert!(denied.exists());
            fs::remove_file(&denied).unwrap();
        }
    }
}

// The end of a run that must not take for ever. A run that does is killed by its drop.
#[track_caller]
fn ended(running: &Running) -> Outcome {
    running.wait_for(Duration::from_secs(120)).expect("it ends")
}

#[test]
fn a_standard_error_that_nobody_reads_holds_up_nothing() {
    let (unread, mut full) =
        pipe2(nix::fcntl::OFlag::O_CLOEXEC).map(|(read, write)| (read, File::from(write))).unwrap();
    let size = nix::fcntl::fcntl(&full, nix::fcntl::FcntlArg::F_GETPIPE_SZ).unwrap();
    full.write_all(&vec![b'.'; size as usize]).unwrap();
    let (mut read, write) = pipe();
    let table = table(is_shell, None);
    // What the shell itself has to say would hold it up, as it would without us.
    let script = "exec 2>/dev/null; for n in {1..300}; do /bin/echo $n; done; echo end";
    let running = start_launcher()
        .spawn(spec(Path::new("/"), &["/bin/bash", "-c", script], [write, full.into()], &table))
        .unwrap();
    let outcome = ended(&running);
    let mut output = String::new();
    read.read_to_string(&mut output).unwrap();
    assert_eq!(output, "end\n");
    assert_eq!((outcome.denials.count(), outcome.denials.first().len()), (300, 64));
    assert_eq!(outcome.denials.unsaid(), 64);
    drop(unread);
}

#[test]
fn an_open_question_holds_up_neither_its_run_nor_the_next_one() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let (answer, answers) = std::sync::mpsc::channel::<()>();
    let (asked, answers) = (Mutex::new(asked), Mutex::new(answers));
    let person = move |verdict, _: &(dyn Fn() -> bool + Sync)| {
        asked.lock().unwrap().send(()).unwrap();
        answers.lock().unwrap().recv().unwrap();
        verdict
    };
    let table = table(|_| true, Some(Arc::new(person)));
    let launcher = start_launcher();
    let run = |script: &str| {
        let (read, write) = pipe();
        let argv = ["/bin/bash", "-c", script];
        let streams = [write.try_clone().unwrap(), write];
        (launcher.spawn(spec(Path::new("/"), &argv, streams, &table)).unwrap(), read)
    };
    let (first, mut read) = run("/bin/echo asked & /bin/echo free; /bin/sleep 600");
    is_asked.recv().unwrap();
    let mut bytes = [0; 16];
    let length = read.read(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"free\n");
    first.kill();
    ended(&first);
    // On the same threads, and the question is still open.
    for _ in 0..3 {
        let (next, mut read) = run("/bin/echo next");
        ended(&next);
        let mut output = String::new();
        read.read_to_string(&mut output).unwrap();
        assert_eq!(output, "next\n");
    }
    // Its answer is nobody's; the next one is waited for.
    answer.send(()).unwrap();
    let (last, mut read) = run("/bin/bash -c '/bin/echo $0' asked");
    for _ in 0..2 {
        is_asked.recv().unwrap();
        answer.send(()).unwrap();
    }
    ended(&last);
    let mut output = String::new();
    read.read_to_string(&mut output).unwrap();
    assert_eq!(output, "asked\n");
    assert_eq!(table.seen.lock().unwrap().last().unwrap(), "`bash` (started by `true`) > /bin/echo asked");
}

#[test]
fn a_question_too_many_is_denied_aloud_and_starves_no_other_run() {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    let (asked, is_asked) = std::sync::mpsc::channel();
    let (over, is_over) = std::sync::mpsc::channel();
    let (asked, over) = (Mutex::new(asked), Mutex::new(over));
    let is_patient = Arc::new(AtomicBool::new(false));
    let looks = Arc::clone(&is_patient);
    // At first it asks on whether anybody waits or not.
    let person = move |verdict, waits: &(dyn Fn() -> bool + Sync)| {
        asked.lock().unwrap().send(()).unwrap();
        while !looks.load(SeqCst) || waits() {
            std::thread::sleep(Duration::from_millis(5));
        }
        over.lock().unwrap().send(()).unwrap();
        verdict
    };
    let table = table(|_| true, Some(Arc::new(person)));
    let launcher = start_launcher();
    let run = |script: &str| {
        let (read, write) = pipe();
        let argv = ["/bin/bash", "-c", script];
        let streams = [write.try_clone().unwrap(), write];
        (launcher.spawn(spec(Path::new("/"), &argv, streams, &table)).unwrap(), read)
    };
    let (first, read) = run("for i in {1..40}; do { /bin/echo asked 2> /dev/null || echo no; } & done; wait");
    (0..32).for_each(|_| is_asked.recv().unwrap());
    // The other eight are denied.
    let lines = io::BufRead::lines(io::BufReader::new(read));
    assert_eq!(lines.map(Result::unwrap).filter(|line| line == "no").take(8).count(), 8);
    first.kill();
    let denials = ended(&first).denials;
    assert_eq!(denials.count(), 8, "{denials:?}");
    assert_eq!(denials.first()[0].message, "denied: not asked");
    // Nobody has answered any of them yet.
    let (second, _read) = run("/bin/bash -c '/bin/echo $0' asked");
    is_asked.recv().unwrap();
    assert!(is_over.try_recv().is_err());
    second.kill();
    ended(&second);
    is_patient.store(true, SeqCst);
    (0..33).for_each(|_| is_over.recv().unwrap());
}

#[test]
fn a_person_who_fails_has_said_no() {
    let (mut read, write) = pipe();
    let table = table(|_| true, Some(Arc::new(|_, _| std::panic::resume_unwind(Box::new("no answer")))));
    let argv = ["/bin/bash", "-c", "/bin/echo asked; echo $?"];
    let running = start_launcher()
        .spawn(spec(Path::new("/"), &argv, [write.try_clone().unwrap(), write], &table))
        .unwrap();
    let outcome = ended(&running);
    let mut output = String::new();
    read.read_to_string(&mut output).unwrap();
    assert!(output.contains("nobody could be asked") && output.ends_with("126\n"), "{output}");
    assert_eq!(outcome.denials.count(), 1);
}

// Children that execute, alone and from a second thread, and are killed meanwhile; each is waited for.
const KILLER: &str = "\
import os, random, signal, sys, threading, time
random.seed(int(sys.argv[1]))
for n in range(300):
    child = os.fork()
    if child == 0:
        run = lambda: os.execv('/bin/true', ['true'])
        if n % 3 == 0:
            threading.Thread(target=run).start()
            while True: time.sleep(1)
        run()
    end = time.perf_counter() + random.random() * 0.002
    while time.perf_counter() < end: pass
    if n % 2: os.kill(child, signal.SIGSTOP)
    if n % 4: os.kill(child, signal.SIGRTMIN)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print('end')
";

#[test]
fn whoever_is_killed_at_any_moment_of_an_exec_is_gone_and_nobody_waits_for_ever() {
    let launcher = start_launcher();
    let table = table(|_| true, None);
    for seed in ["1", "2", "3"] {
        let (mut read, write) = pipe();
        let argv = ["/usr/bin/python3", "-c", KILLER, seed];
        let running =
            launcher.spawn(spec(Path::new("/"), &argv, [write.try_clone().unwrap(), write], &table)).unwrap();
        ended(&running);
        let mut output = String::new();
        read.read_to_string(&mut output).unwrap();
        assert_eq!(output, "end\n");
    }
}
