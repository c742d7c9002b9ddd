//! Limits: no run uses more than its policy states, however many processes it spreads over, and none outstays its time.
//!
//! An attack goes beyond the limit, stays there for a while, and then writes `done`: what is stopped writes nothing.
//! What would go on for ever without the sandbox has an end of its own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use claw_testkit::programs;
use claw_testkit::scene::{self, Scene};

use crate::attack::{attacks, bash, hostile, perl, python, sh};
use crate::evidence::Evidence::{After, Exists, Held};
use crate::harness::say;

const DONE: crate::evidence::Evidence = Exists("{ws}/done");

// 64 MiB for all together.
const MEMORY: &str = "workspace: {ws}\nexec: {exec}\nlimits: {memory: 64MiB}\n";
const PROCESSES: &str = "workspace: {ws}\nexec: {exec}\nlimits: {processes: 40}\n";
const CPU: &str = "workspace: {ws}\nexec: {exec}\nlimits: {cpu: 1s}\n";
const OUTPUT: &str = "workspace: {ws}\nexec: {exec}\nlimits: {output: 100KiB}\n";
const OPEN_FILES: &str = "workspace: {ws}\nexec: {exec}\nlimits: {openFiles: 64}\n";
const FILE_SIZE: &str = "workspace: {ws}\nexec: {exec}\nlimits: {fileSize: 1MiB}\n";
const DISK: &str = "workspace: {ws}\nexec: {exec}\nlimits: {disk: 16MiB}\n";
const NEW_FILES: &str = "workspace: {ws}\nexec: {exec}\nlimits: {newFiles: 50}\n";
const TIME: &str = "workspace: {ws}\nexec: {exec}\nlimits: {time: 1s}\n";

const DISK_NEEDED: &str = "a file system on a disk";

attacks! { "limits";
    // Memory.
    memory_of_one_process => hostile(&["allocate", "300"]).under(MEMORY)
        .shows(Held(|scene| scene.some_attacker(|process| resident(process) > 200 << 20))).ends("exited");
    memory_of_many_processes => python(concat!("import time\nfor i in range(8):\n  if os.fork() == 0:\n",
        "    kept = b'1' * (40 << 20); time.sleep(6); os._exit(0)\ntime.sleep(3); open('{ws}/done', 'w')"))
        .under(MEMORY).shows(DONE).ends("memory-limit");
    memory_of_daemons => python(concat!("import time\nfor i in range(8):\n  if os.fork() == 0:\n    os.setsid()\n",
        "    if os.fork(): os._exit(0)\n    kept = b'1' * (40 << 20); time.sleep(6); os._exit(0)\n",
        "time.sleep(3); open('{ws}/done', 'w')")).under(MEMORY).shows(DONE).ends("memory-limit");
    memory_that_is_shared => python("import mmap, time\nkept = mmap.mmap(-1, 200 << 20)\nfor i in range(200): kept.write(b'1' * (1 << 20))\ntime.sleep(2); open('{ws}/done', 'w')")
        .under(MEMORY).shows(DONE).ends("memory-limit");
    memory_in_a_file_without_a_name => python("import time\nfd = os.memfd_create('x', 8)\nfor i in range(200): os.write(fd, b'1' * (1 << 20))\ntime.sleep(2); open('{ws}/done', 'w')")
        .under(MEMORY).shows(DONE).ends("exited");
    memory_that_is_shared_and_not_mapped_any_more => python(concat!("import mmap, time\nkept = []\nfor i in range(8):\n",
        "  m = mmap.mmap(-1, 32 << 20); kept.append(m)\n  for j in range(32): m.write(b'1' * (1 << 20))\n",
        "  m.madvise(mmap.MADV_DONTNEED); time.sleep(0.05)\ntime.sleep(2); open('{ws}/done', 'w')"))
        .under(MEMORY).shows(DONE).ends("memory-limit");
    memory_in_files_that_are_on_their_way => python(concat!("import array, socket, time\nkept = []\nfor i in range(8):\n",
        "  kept.append(socket.socketpair()); fd = os.memfd_create('x', 9)\n",
        "  for j in range(32): os.write(fd, b'1' * (1 << 20))\n",
        "  kept[-1][0].sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])\n",
        "  os.close(fd); time.sleep(0.05)\ntime.sleep(2); open('{ws}/done', 'w')"))
        .under(MEMORY).shows(DONE).ends("exited");
    memory_of_a_file_mapped_privately => python(concat!("import mmap, time\nf = open('{ws}/f', 'w+b'); f.truncate(200 << 20)\n",
        "kept = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)\nfor i in range(0, 200 << 20, 4096): kept[i] = 1\n",
        "time.sleep(2); open('{ws}/done', 'w')")).under(MEMORY).shows(DONE).ends("exited");
    memory_after_its_limit_is_raised => python(concat!("import resource, time\nfor r in (resource.RLIMIT_DATA, resource.RLIMIT_AS):\n",
        "  try: resource.setrlimit(r, (resource.RLIM_INFINITY,) * 2)\n  except (ValueError, OSError): pass\n",
        "kept = b'1' * (200 << 20); time.sleep(2); open('{ws}/done', 'w')")).under(MEMORY).shows(DONE).ends("exited");

    // Processes and threads. Each bomb has an end of its own.
    fork_bomb => python("import time\nfor i in range(150):\n  if os.fork() == 0: time.sleep(6); os._exit(0)\ntime.sleep(2); open('{ws}/done', 'w')")
        .under(PROCESSES).shows(DONE).ends("process-limit");
    fork_bomb_of_sessions => python("import time\nfor i in range(150):\n  if os.fork() == 0: os.setsid(); time.sleep(6); os._exit(0)\ntime.sleep(2); open('{ws}/done', 'w')")
        .under(PROCESSES).shows(DONE).ends("process-limit");
    fork_bomb_that_doubles => python("import time\nfor i in range(7): os.fork()\ntime.sleep(2); open('{ws}/done', 'w')").under(PROCESSES).shows(DONE).ends("process-limit");
    fork_bomb_of_orphans => python(concat!("import time\nfor i in range(150):\n  if os.fork() == 0:\n    if os.fork() == 0: time.sleep(6)\n    os._exit(0)\n  os.wait()\n",
        "time.sleep(2); open('{ws}/done', 'w')")).under(PROCESSES).shows(DONE).ends("process-limit");
    fork_bomb_in_a_shell => bash("for i in {1..150}; do sleep 6 & done; sleep 2; : > {ws}/done").under(PROCESSES).shows(DONE).ends("process-limit");
    thread_bomb => python(concat!("import threading, time\nfor i in range(150): threading.Thread(target=time.sleep, args=(4,), daemon=True).start()\n",
        "time.sleep(2); open('{ws}/done', 'w'); os._exit(0)")).under(PROCESSES).shows(DONE).ends("process-limit");

    // CPU time.
    cpu_of_one_process => python("import time\nwhile time.process_time() < 4: pass\nopen('{ws}/done', 'w')").under(CPU).shows(DONE).ends("cpu-limit");
    cpu_of_many_processes => python(concat!("import time\nfor i in range(8):\n  if os.fork() == 0:\n    while time.process_time() < 0.8: pass\n    time.sleep(3); os._exit(0)\n",
        "for i in range(8): os.wait()\nopen('{ws}/done', 'w')")).under(CPU).shows(DONE).ends("cpu-limit");
    cpu_of_daemons => python(concat!("import time\nfor i in range(8):\n  if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    while time.process_time() < 0.8: pass\n",
        "    open('{ws}/%d' % i, 'w'); time.sleep(3); os._exit(0)\n",
        "while not all(os.path.exists('{ws}/%d' % i) for i in range(8)): time.sleep(0.1)\ntime.sleep(1); open('{ws}/done', 'w')")).under(CPU).shows(DONE).ends("cpu-limit");
    cpu_of_short_processes => python(concat!("import time\nfor i in range(100):\n  if os.fork() == 0:\n    while time.process_time() < 0.05: pass\n    os._exit(0)\n",
        "  os.wait()\nopen('{ws}/done', 'w')")).under(CPU).shows(DONE).ends("cpu-limit");
    cpu_ignoring_the_signal => python("import signal, time\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile time.process_time() < 4: pass\nopen('{ws}/done', 'w')")
        .under(CPU).shows(DONE).ends("cpu-limit");
    cpu_after_its_limit_is_raised => python(concat!("import resource, time\ntry: resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY,) * 2)\nexcept (ValueError, OSError): pass\n",
        "while time.process_time() < 4: pass\nopen('{ws}/done', 'w')")).under(CPU).shows(DONE).ends("cpu-limit");

    // Output.
    output_flood => sh("head -c 3000000 /dev/zero").under(OUTPUT).shows(After(|_, ran| ran.stdout.len() > 1_000_000)).ends("stdout-limit");
    output_flood_on_standard_error => sh("head -c 3000000 /dev/zero >&2").under(OUTPUT).shows(After(|_, ran| ran.stderr.len() > 1_000_000)).ends("stderr-limit");
    output_of_many_processes => sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do head -c 60000 /dev/zero & done; wait")
        .under(OUTPUT).shows(After(|_, ran| ran.stdout.len() > 600_000)).ends("stdout-limit");
    output_through_another_descriptor => sh("exec 5> /proc/self/fd/1; head -c 3000000 /dev/zero >&5").under(OUTPUT)
        .shows(After(|_, ran| ran.stdout.len() > 1_000_000)).ends("stdout-limit");

    // Descriptors.
    open_files => python("kept = [open('/dev/null') for i in range(200)]\nopen('{ws}/done', 'w')").under(OPEN_FILES).shows(DONE).ends("exited");
    open_files_after_the_limit_is_raised => python(concat!("import resource\ntry: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\nexcept (ValueError, OSError): pass\n",
        "kept = [open('/dev/null') for i in range(200)]\nopen('{ws}/done', 'w')")).under(OPEN_FILES).shows(DONE).ends("exited");
    open_files_by_duplicates => perl("open my $f, '<', '/dev/null'; for (1 .. 200) { open my $g, '<&', $f or die; push @kept, $g } open my $d, '>', '{ws}/done'")
        .under(OPEN_FILES).shows(DONE).ends("exited");

    // The size of one file.
    file_size => sh("head -c 4000000 /dev/zero > {ws}/f").under(FILE_SIZE).shows(After(|scene, _| size(scene) > 1 << 20));
    file_size_ignoring_the_signal => python(concat!("import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nfd = os.open('{ws}/f', os.O_CREAT | os.O_WRONLY)\n",
        "for i in range(4):\n  try: os.pwrite(fd, b'1' * (1 << 20), i << 20)\n  except OSError: pass")).under(FILE_SIZE).shows(After(|scene, _| size(scene) > 1 << 20)).ends("exited");
    file_size_at_a_distance => python("fd = os.open('{ws}/f', os.O_CREAT | os.O_WRONLY)\nos.pwrite(fd, b'1', 4 << 20)").under(FILE_SIZE)
        .shows(After(|scene, _| size(scene) > 1 << 20)).ends("exited");
    file_size_by_truncating => python("open('{ws}/f', 'w')\nos.truncate('{ws}/f', 4 << 20)").under(FILE_SIZE).shows(After(|scene, _| size(scene) > 1 << 20)).ends("exited");
    file_size_by_truncating_a_descriptor => python("f = open('{ws}/f', 'w')\nos.ftruncate(f.fileno(), 4 << 20)").under(FILE_SIZE)
        .shows(After(|scene, _| size(scene) > 1 << 20)).ends("exited");
    file_size_by_truncating_and_ignoring_the_signal => python("import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nopen('{ws}/f', 'w')\ntry: os.truncate('{ws}/f', 4 << 20)\nexcept OSError: pass")
        .under(FILE_SIZE).shows(After(|scene, _| size(scene) > 1 << 20)).ends("exited");
    file_size_by_reserving => python("f = open('{ws}/f', 'w')\nos.posix_fallocate(f.fileno(), 0, 4 << 20)").under(FILE_SIZE)
        .shows(After(|scene, _| size(scene) > 1 << 20)).ends("exited");
    file_size_by_copying => python("f = open('{ws}/f', 'w+b')\nf.write(b'1' * 700000); f.flush()\nos.copy_file_range(f.fileno(), f.fileno(), 700000, 0, 700000)").under(FILE_SIZE)
        .shows(After(|scene, _| size(scene) > 1 << 20)).ends("exited");

    // What is written to disk.
    disk => sh("head -c 200000000 /dev/zero > {ws}/f; sleep 1; : > {ws}/done").under(DISK).needs(DISK_NEEDED)
        .shows(After(|scene, _| is_on_disk(scene) && scene.path("ws/done").exists())).ends("disk-limit");
    disk_in_many_files => sh("for i in 1 2 3 4 5 6 7 8; do head -c 8000000 /dev/zero > {ws}/f$i; done; sleep 1; : > {ws}/done").under(DISK).needs(DISK_NEEDED)
        .shows(After(|scene, _| is_on_disk(scene) && scene.path("ws/done").exists())).ends("disk-limit");
    disk_of_many_processes => sh("for i in 1 2 3 4 5 6 7 8; do setsid sh -c 'head -c 8000000 /dev/zero > {ws}/f$0; sleep 4' $i & done; sleep 3; : > {ws}/done")
        .under(DISK).needs(DISK_NEEDED).shows(After(|scene, _| is_on_disk(scene) && scene.path("ws/done").exists())).ends("disk-limit");
    disk_for_one_file_again_and_again => python("import time\nf = open('{ws}/f', 'w+b', buffering=0)\nfor i in range(50):\n  f.seek(0); f.write(b'1' * (1 << 20)); os.fsync(f.fileno())\ntime.sleep(1); open('{ws}/done', 'w')")
        .under(DISK).needs(DISK_NEEDED).shows(After(|scene, _| is_on_disk(scene) && scene.path("ws/done").exists())).ends("disk-limit");
    disk_by_mapping => python(concat!("import mmap, time\nf = open('{ws}/f', 'w+b'); f.truncate(100 << 20)\nkept = mmap.mmap(f.fileno(), 0)\n",
        "for i in range(0, 100 << 20, 4096): kept[i] = 1\ntime.sleep(1); open('{ws}/done', 'w')")).under(DISK).needs(DISK_NEEDED)
        .shows(After(|scene, _| is_on_disk(scene) && scene.path("ws/done").exists())).ends("disk-limit");
    disk_by_reserving => python("import ctypes\nf = open('{ws}/f', 'w')\nctypes.CDLL(None).fallocate(f.fileno(), 0, ctypes.c_long(0), ctypes.c_long(100 << 20))").under(DISK)
        .needs("a file system that reserves space").shows(After(|scene, _| fs::metadata(scene.path("ws/f")).is_ok_and(|file| file.blocks() * 512 > 32 << 20))).ends("exited");

    // Files that are made, whether they stay or not.
    new_files => python("for i in range(200): open('{ws}/f%d' % i, 'w')").under(NEW_FILES).shows(After(|scene, _| entries(scene) > 100)).ends("new-files-limit");
    new_directories => python("for i in range(200): os.mkdir('{ws}/f%d' % i)").under(NEW_FILES).shows(After(|scene, _| entries(scene) > 100)).ends("new-files-limit");
    new_links => python("for i in range(200): os.symlink('x', '{ws}/f%d' % i)").under(NEW_FILES).shows(After(|scene, _| entries(scene) > 100)).ends("new-files-limit");
    new_hard_links => python("for i in range(200): os.link('{ws}/own', '{ws}/f%d' % i)").under(NEW_FILES).shows(After(|scene, _| entries(scene) > 100)).ends("new-files-limit");
    new_fifos => python("for i in range(200): os.mkfifo('{ws}/f%d' % i)").under(NEW_FILES).shows(After(|scene, _| entries(scene) > 100)).ends("new-files-limit");
    new_files_that_are_removed => python("for i in range(200): open('{ws}/f', 'x'); os.unlink('{ws}/f')\nos.mkdir('{ws}/own2'); os.rmdir('{ws}/own2'); os.rename('{ws}/own', '{ws}/done')")
        .under(NEW_FILES).shows(DONE).ends("new-files-limit");
    new_files_without_a_name => python("kept = [os.open('{ws}', os.O_TMPFILE | os.O_RDWR) for i in range(200)]\nos.rename('{ws}/own', '{ws}/done')")
        .under(NEW_FILES).needs("a file system with nameless files").shows(DONE).ends("new-files-limit");
    new_files_of_many_processes => sh("for i in 1 2 3 4 5 6 7 8; do sh -c 'for j in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo > {ws}/f$1-$j; done' sh $i & done; wait")
        .may_be_refused().under(NEW_FILES).shows(After(|scene, _| entries(scene) > 100)).ends("new-files-limit");

    // Time. What ignores SIGTERM has two seconds more.
    outstay => sh("sleep 5; : > {ws}/done").under(TIME).shows(DONE).ends("timed-out");
    outstay_ignoring_signals => bash("trap '' TERM HUP INT QUIT; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; done; : > {ws}/done").under(TIME).shows(DONE).ends("timed-out");
    outstay_stopped => perl("my $c = fork; if (!$c) { kill 'STOP', $$; open my $d, '>', '{ws}/done'; exit } sleep 5; kill 'CONT', $c; waitpid $c, 0")
        .under(TIME).shows(DONE).ends("timed-out");
    outstay_as_a_daemon => python(concat!("import time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork(): os._exit(0)\n  for fd in range(3): os.close(fd)\n",
        "  time.sleep(4); open('{ws}/done', 'w'); os._exit(0)\ntime.sleep(5)")).under(TIME).shows(DONE).ends("timed-out");
    survive_by_forking_on => python("import time\nfor i in range(40):\n  time.sleep(0.05)\n  if os.fork(): os._exit(0)\n  os.setsid()\nopen('{ws}/done', 'w')")
        .under(TIME).shows(After(|scene, _| { thread::sleep(Duration::from_secs(7)); scene.path("ws/done").exists() })).ends("exited");

    // Killing the sandbox itself frees nobody.
    killed_sandbox_with_daemons => python(concat!("import time\nfor i in range(5):\n  if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n",
        "    os.execv('/bin/sh', ['sh', '-c', 'sleep 1000; : {root}'])\ntime.sleep(0.5); print('ready', flush=True); sys.stdin.read(); time.sleep(1000)"))
        .shows(Held(survives_our_end));
    killed_sandbox_with_the_stopped => perl("$SIG{TERM} = 'IGNORE'; for (1 .. 3) { if (!fork) { $0 = '{root}'; kill 'STOP', $$; sleep 1000; exit } } sleep 1; print \"ready\\n\"; <STDIN>; sleep 1000")
        .shows(Held(survives_our_end));
}

/// What the suite's own user does meanwhile is not the run's: nobody outside is counted or ended.
#[test]
fn a_run_that_is_ended_for_a_limit_takes_nobody_with_it() {
    let mut scene = Scene::new();
    scene.name("exec", "{allowlist: [python3]}".to_owned());
    let mut bystander = scene.program("sleep");
    let mut bystander = bystander.arg("1000").stdout(Stdio::null()).spawn().unwrap();
    let bomb = "import os, time\nfor i in range(100):\n  if os.fork() == 0: os.setsid(); time.sleep(60)\ntime.sleep(60)";
    let script = scene.write("ws/script", bomb);
    let policy = scene.write("policy.yaml", scene.fill(&scene.fill(PROCESSES)));
    let outcome = scene.path("outcome.json");
    let mut sandbox = scene.program(programs::sandbox());
    sandbox
        .arg("run")
        .arg("--policy")
        .arg(policy)
        .arg("--outcome")
        .arg(&outcome)
        .arg("--")
        .arg("python3")
        .arg(script);
    let ran = sandbox.output().unwrap();
    let bystands = scene::is_alive(bystander.id());
    let _ = bystander.kill();
    let _ = bystander.wait();
    assert!(bystands && !scene.victim().was_signalled(&scene), "somebody outside was ended");
    assert_eq!(ran.status.code(), Some(137), "{ran:?}");
    let outcome = fs::read_to_string(outcome).unwrap();
    assert!(outcome.contains("\"process-limit\""), "{outcome}");
    say(format_args!("{}", String::from_utf8_lossy(&ran.stderr).trim()));
}

fn resident(process: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

fn size(scene: &Scene) -> u64 {
    fs::metadata(scene.path("ws/f")).map_or(0, |file| file.len())
}

fn entries(scene: &Scene) -> usize {
    fs::read_dir(scene.path("ws")).unwrap().count()
}

fn is_on_disk(scene: &Scene) -> bool {
    let place: PathBuf = scene.path("ws");
    let kind = Command::new("stat").args(["-f", "-c", "%T"]).arg(place).output().unwrap();
    !["tmpfs", "ramfs"].contains(&String::from_utf8_lossy(&kind.stdout).trim())
}

fn survives_our_end(scene: &Scene) -> bool {
    let _ = Command::new("kill").args(["-s", "KILL", &scene.runner().to_string()]).status();
    // What is being killed is gone soon; what survives stays.
    (0..100).all(|_| {
        thread::sleep(Duration::from_millis(20));
        !scene.attackers().is_empty()
    })
}
