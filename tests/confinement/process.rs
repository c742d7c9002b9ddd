//! Processes: nobody outside is signalled, traced, read or changed, and nothing of a run survives it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use claw_testkit::scene::Scene;

use crate::attack::{attacks, bash, calls, hostile, perl, python, sh};
use crate::evidence::Evidence::{After, Exists, Held, Loot, Signalled};

attacks! { "process";
    kill => sh("kill -s KILL {pid}").shows(Signalled);
    stop => sh("kill -s STOP {pid}").shows(After(|scene, _| eventually(|| stat(scene, 0) == "T")));
    signal => sh("kill -s USR1 {pid}").shows(Signalled);
    signal_the_group => sh("kill -s USR1 -- -{pid}").shows(Signalled);
    // In a process namespace of its own: everything in it is signalled.
    signal_everything => sh("setsid sleep 1000 {root}/child & kill -s USR1 -- -1; sleep 0.2")
        .within(&["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
            "sh -c 'trap \": > {out}/hit\" USR1; \"$@\" & wait' sh \"$@\"; true", "sh"])
        .needs("CAP_SYS_ADMIN, for a process namespace in which to signal everything").shows(Exists("{out}/hit"));
    signal_a_thread => calls(&["do", "tgkill {pid} {pid} 10"]).shows(Signalled);
    signal_a_task => calls(&["do", "tkill {pid} 10"]).shows(Signalled);
    queue_a_signal => calls(&["do", "rt_sigqueueinfo {pid} 10 =0a00000000000000ffffffff0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"])
        .shows(Signalled);
    signal_by_descriptor => calls(&["do", "pidfd_open {pid} 0; pidfd_send_signal $1 10 0 0"]).shows(Signalled);
    // F_SETOWN the victim, F_SETSIG SIGUSR1 and O_ASYNC on one end of a pair, then a byte into the other.
    signal_by_a_descriptor_s_owner => python(concat!(
        "import fcntl, socket\na, b = socket.socketpair()\nfcntl.fcntl(a, fcntl.F_SETOWN, {pid})\n",
        "fcntl.fcntl(a, 10, 10)\nfcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\nb.send(b'x')\n",
        "import time; time.sleep(0.2)")).shows(Signalled);
    // Whoever starts the attack writes down that it ended as it should.
    kill_the_sandbox => sh("kill -s KILL $PPID; sleep 0.2; true")
        .within(&["sh", "-c", "sh -c '\"$@\"; echo $? > {out}/ended' sh \"$@\"; true", "sh"])
        .shows(After(|scene, _| fs::read_to_string(scene.path("out/ended")).ok().as_deref() != Some("0\n")));
    end_a_process_by_its_limit => calls(&["do", "prlimit64 {pid} 7 =03000000000000000300000000000000 0"])
        .shows(After(|scene, _| fs::read_to_string(proc(scene, "limits")).unwrap().lines().any(|line| line.starts_with("Max open files") && line.contains(" 3 "))));
    attach => calls(&["do", "ptrace 16 {pid} 0 0; hold"]).shows(Held(|scene| status(scene, "TracerPid:") != "0"));
    seize => calls(&["do", "ptrace 0x4206 {pid} 0 0; hold"]).shows(Held(|scene| status(scene, "TracerPid:") != "0"));
    read_memory => hostile(&["read-memory", "{pid}", "{address}", "{length}"]).shows(Loot);
    write_memory => calls(&["do", "process_vm_writev {pid} iov:changed 1 iov:{address},7 1 0"]).shows(After(|scene, _| is_changed(scene)));
    read_memory_by_proc => python("f = open('/proc/{pid}/mem', 'rb'); f.seek({address}); print(f.read({length}))").shows(Loot);
    write_memory_by_proc => python("f = open('/proc/{pid}/mem', 'r+b', buffering=0); f.seek({address}); f.write(b'changed')").shows(After(|scene, _| is_changed(scene)));
    read_the_environment => sh("cat /proc/{pid}/environ").shows(Loot);
    read_the_environment_of_the_sandbox => bash("tr '\\0' '\\n' < /proc/$PPID/environ 2>/dev/null || cat /proc/$PPID/environ")
        .within(&["env", "UNLISTED={secret}", "bash", "-c", "\"$@\"; true", "bash"])
        .after(|scene| { let secret = scene.secret().to_owned(); scene.name("secret", secret); }).shows(Loot);
    take_a_descriptor => calls(&["do", "pidfd_open {pid} 0; pidfd_getfd $1 {descriptor} 0; print $2"]).shows(Loot);
    change_the_out_of_memory_score => sh("echo 1000 > /proc/{pid}/oom_score_adj")
        .shows(After(|scene, _| fs::read_to_string(proc(scene, "oom_score_adj")).unwrap() == "1000\n"));
    name_a_thread_of_another => sh("echo changed > /proc/{pid}/task/{pid}/comm")
        .needs("a kernel that lets another process of the user set a name")
        .shows(After(|scene, _| fs::read_to_string(proc(scene, "comm")).unwrap() == "changed\n"));
    lower_the_priority => calls(&["do", "setpriority 0 {pid} 19"]).shows(After(|scene, _| stat(scene, 16) == "19"));
    change_the_affinity => calls(&["do", "sched_setaffinity {pid} 8 =0100000000000000"]).needs("two processors")
        .shows(After(|scene, _| status(scene, "Cpus_allowed_list:") == "0"));
    survive_in_the_background => sh("sh -c 'sleep 1000; : {root}' > /dev/null 2>&1 &").shows(After(|scene, _| survives(scene)));
    survive_in_a_session => sh("setsid sh -c 'sleep 1000; : {root}' > /dev/null 2>&1 &").shows(After(|scene, _| survives(scene)));
    survive_as_a_daemon => python(concat!(
        "if os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\nfor fd in range(3): os.close(fd)\n",
        "os.execv('/bin/sh', ['sh', '-c', 'sleep 1000; : {root}'])")).shows(After(|scene, _| survives(scene)));
    survive_ignoring_signals => bash("trap '' TERM HUP INT; setsid nohup bash -c 'while :; do sleep 1; done; : {root}' > /dev/null 2>&1 &").shows(After(|scene, _| survives(scene)));
    survive_stopped => perl("if (!fork) { $0 = '{root}'; close STDOUT; close STDERR; kill 'STOP', $$; sleep 1000 }").shows(After(|scene, _| survives(scene)));
    survive_the_sandbox => sh("setsid sh -c 'sleep 1000; : {root}' > /dev/null 2>&1 & echo ready; read x; sleep 1000").shows(Held(|scene| {
        let runner = scene.runner();
        let _ = Command::new("kill").args(["-s", "KILL", &runner.to_string()]).status();
        !eventually(|| scene.attackers().is_empty())
    }));
}

fn proc(scene: &Scene, file: &str) -> std::path::PathBuf {
    format!("/proc/{}/{file}", scene.victim().process.id()).into()
}

fn stat(scene: &Scene, field: usize) -> String {
    let stat = fs::read_to_string(proc(scene, "stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(field).unwrap().to_owned()
}

fn status(scene: &Scene, name: &str) -> String {
    let status = fs::read_to_string(proc(scene, "status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned()
}

fn is_changed(scene: &Scene) -> bool {
    let memory = fs::File::open(proc(scene, "mem")).unwrap();
    let mut bytes = [0; 7];
    memory.read_exact_at(&mut bytes, scene.victim().address.parse().unwrap()).unwrap();
    &bytes == b"changed"
}

// A process that is being killed is gone soon; one that survives stays.
fn survives(scene: &Scene) -> bool {
    !eventually(|| scene.attackers().is_empty())
}

fn eventually(mut done: impl FnMut() -> bool) -> bool {
    (0..100).any(|_| {
        let done = done();
        if !done {
            thread::sleep(Duration::from_millis(20));
        }
        done
    })
}
