//! The process that started the run, by the ids of its threads: one of them starts the run and has its restrictions.

use std::fs;
use std::path::{Path, PathBuf};

use claw_testkit::scene::Scene;

use crate::attack::{attacks, python};
use crate::evidence::Evidence::{After, Held, Loot, Said};
use crate::harness::Ran;

// Whoever starts the attack is `host` to it: the sandbox, or a shell that writes down how the attack ended.
const HOST: &[&str] = &["sh", "-c", "sh -c '\"$@\"; echo $? > {out}/ended' sh \"$@\"; true", "sh"];

// A host with a secret in its environment, so in its memory, and one in a pipe.
const KEEPER: &[&str] =
    &["env", "UNLISTED={secret}", "bash", "-c", "exec 9< <(echo {secret}); \"$@\"; true", "bash"];

macro_rules! on_each {
    ($($line:literal)*) => {
        python(concat!(
            "import signal, subprocess, time\nhost = os.getppid()\ntasks = [int(t) for t in os.listdir(f'/proc/{host}/task')]\n",
            "def do(line): subprocess.run(['{attack}', 'do', line], stderr=subprocess.DEVNULL)\n",
            "def of(t, name): return f'/proc/{host}/task/{t}/{name}'\n",
            "def each(attempt):\n  for t in tasks:\n    try: attempt(t)\n    except OSError: pass\n",
            $($line, "\n"),*
        ))
    };
}

attacks! { "threads";
    kill => on_each!("each(lambda t: os.kill(t, 9))" "time.sleep(0.2)").within(HOST).shows(After(ended_early));
    kill_the_task => on_each!("each(lambda t: do(f'tkill {t} 9'))" "time.sleep(0.2)").within(HOST).shows(After(ended_early));
    kill_the_thread => on_each!("each(lambda t: do(f'tgkill {host} {t} 9'))" "time.sleep(0.2)").within(HOST).shows(After(ended_early));
    kill_by_a_queued_signal => on_each!("info = '09000000' + '00000000' + 'ffffffff' + '00' * 116"
        "each(lambda t: do(f'rt_tgsigqueueinfo {host} {t} 9 ={info}'))" "each(lambda t: do(f'rt_sigqueueinfo {t} 9 ={info}'))" "time.sleep(0.2)")
        .within(HOST).shows(After(ended_early));
    // 0x80 is PIDFD_THREAD, which a kernel before 6.9 does not know.
    kill_by_descriptor => on_each!("each(lambda t: do(f'pidfd_open {t} 0x80; pidfd_send_signal $1 9 0 0'))"
        "each(lambda t: do(f'pidfd_open {t} 0; pidfd_send_signal $1 9 0 0'))" "time.sleep(0.2)")
        .within(HOST).shows(After(ended_early));
    // F_SETOWN_EX with F_OWNER_TID, F_SETSIG SIGKILL and O_ASYNC.
    kill_by_a_descriptor_s_owner => on_each!("import fcntl, socket, struct"
        "def own(t, kind):\n  a, b = socket.socketpair()\n  fcntl.fcntl(a, 15, struct.pack('ii', kind, t))\n  fcntl.fcntl(a, 10, 9)"
        "  fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\n  b.send(b'x')"
        "each(lambda t: own(t, 0))" "each(lambda t: own(t, 1))" "time.sleep(0.2)")
        .within(HOST).shows(After(ended_early));
    // Without /proc: whatever around the own id can be signalled. Only what is the host's is.
    kill_by_a_guessed_id => on_each!("def is_host(t): return f'Tgid:\\t{host}\\n' in open(f'/proc/{t}/status').read()"
        "def guess(t):\n  os.kill(t, 0)\n  if is_host(t): os.kill(t, 9)"
        "tasks = [host, *range(max(host, os.getpid() - 2000), os.getpid())]" "each(guess)" "time.sleep(0.2)")
        .within(HOST).shows(After(ended_early));
    // Whoever is stopped keeps no time.
    outlive_the_time_limit => on_each!("each(lambda t: os.kill(t, signal.SIGSTOP))" "time.sleep(6)"
        "stopped = ') T ' in open(f'/proc/{host}/stat').read()" "each(lambda t: os.kill(t, signal.SIGCONT))"
        "if stopped: open('{ws}/late', 'w')" "time.sleep(0.2)")
        .within(HOST).run_with(&["--timeout", "3s"]).ends("timed-out").shows(After(|scene, _| scene.path("ws/late").exists()));
    read_the_environment => on_each!("each(lambda t: print(open(of(t, 'environ')).read()))" "each(lambda t: print(open(f'/proc/{t}/environ').read()))")
        .within(KEEPER).after(name_the_secret).shows(Loot);
    read_the_memory => on_each!("import re" "def search(t):\n  memory = open(of(t, 'mem'), 'rb', 0)\n  for line in open(of(t, 'maps')):"
        "    start, end = (int(x, 16) for x in line.split()[0].split('-'))"
        "    try: memory.seek(start); print(re.findall(rb'PRIVATE-[-.\\w]*', memory.read(min(end - start, 1 << 26))))"
        "    except (OSError, OverflowError): pass" "each(search)")
        .within(KEEPER).after(name_the_secret).shows(Loot);
    read_the_map_of_the_memory => on_each!("each(lambda t: print(open(of(t, 'maps')).read()))").within(HOST).shows(Said("[stack]"));
    read_a_pipe => on_each!("each(lambda t: print(os.read(os.open(of(t, 'fd/9'), os.O_RDONLY | os.O_NONBLOCK), 999)))")
        .within(KEEPER).after(name_the_secret).shows(Loot);
    take_a_descriptor => on_each!("each(lambda t: do(f'pidfd_open {t} 0x80; pidfd_getfd $1 9 0; print $2'))"
        "each(lambda t: do(f'pidfd_open {t} 0; pidfd_getfd $1 9 0; print $2'))")
        .within(KEEPER).after(name_the_secret).shows(Loot);
    name_the_descriptors => on_each!("each(lambda t: [print('open is', os.readlink(of(t, 'fd/' + fd))) for fd in os.listdir(of(t, 'fd'))])")
        .within(HOST).shows(Said("open is "));
    name_the_directory => on_each!("each(lambda t: print('cwd is', os.readlink(of(t, 'cwd'))))").within(HOST).shows(Said("cwd is /"));
    name_the_root => on_each!("each(lambda t: print('root is', os.readlink(of(t, 'root'))))").within(HOST).shows(Said("root is /"));
    walk_through_the_root => on_each!("each(lambda t: print(open(of(t, 'root') + '{out}/secret').read()))").within(HOST).shows(Loot);
    name_the_program => on_each!("each(lambda t: print('exe is', os.readlink(of(t, 'exe'))))").within(HOST).shows(Said("exe is /"));
    seize => on_each!("for t in tasks: do(f'ptrace 0x4206 {t} 0 0; hold')").within(HOST)
        .shows(Held(is_traced));
    // What was attached to stays stopped.
    attach => on_each!("for t in tasks: do(f'ptrace 16 {t} 0 0; hold')" "each(lambda t: os.kill(t, signal.SIGCONT))").within(HOST)
        .shows(Held(is_traced));
    take_its_files => on_each!("each(lambda t: do(f'prlimit64 {t} 7 =03000000000000000300000000000000 0'))" "print('ready', flush=True)" "sys.stdin.read()")
        .within(HOST).shows(Held(|scene| hosts(scene).iter().any(|host| has(&host.join("limits"), "Max open files", |limits| limits.starts_with("3 ")))));
}

fn is_traced(scene: &Scene) -> bool {
    let mut tasks = hosts(scene).into_iter().flat_map(|host| tasks(&host));
    tasks.any(|task| has(&task.join("status"), "TracerPid:", |pid| pid != "0"))
}

// Its status is not that of an attack that came to its end.
fn ended_early(scene: &Scene, _: &Ran) -> bool {
    fs::read_to_string(scene.path("out/ended")).ok().as_deref() != Some("0\n")
}

fn name_the_secret(scene: &mut Scene) {
    let secret = scene.secret().to_owned();
    scene.name("secret", secret);
}

// The process that was started for the attack and its descendants, but for what is the attack's own.
fn hosts(scene: &Scene) -> Vec<PathBuf> {
    let mut all = vec![Path::new("/proc").join(scene.runner().to_string())];
    let mut next = 0;
    while let Some(process) = all.get(next).cloned() {
        let children =
            tasks(&process).into_iter().filter_map(|task| fs::read_to_string(task.join("children")).ok());
        let children: String = children.collect();
        all.extend(children.split_whitespace().map(|child| Path::new("/proc").join(child)));
        next += 1;
    }
    all.retain(|process| {
        fs::read_to_string(process.join("comm"))
            .is_ok_and(|name| ["sh\n", "claw-sandbox\n"].contains(&name.as_str()))
    });
    all
}

fn tasks(process: &Path) -> Vec<PathBuf> {
    fs::read_dir(process.join("task")).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn has(file: &Path, name: &str, holds: impl Fn(&str) -> bool) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().any(|line| line.strip_prefix(name).is_some_and(|value| holds(value.trim())))
}
