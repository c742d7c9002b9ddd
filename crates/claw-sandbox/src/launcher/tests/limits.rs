//! Bounds on a run.

use super::*;

#[test]
fn resource_limits_hold() {
    let limits = Limits {
        cpu: Some(Duration::from_millis(2500)),
        memory: Some(64 << 20),
        open_files: Some(32),
        file_size: Some(4096),
        ..Limits::default()
    };
    let limited = |script: &str| {
        let mut spec = sh(script);
        spec.rlimits = resource_limits(&limits).unwrap();
        output(spec)
    };
    let (_, shown) = limited("cat /proc/self/limits");
    for (name, soft, hard) in [
        ("Max cpu time", "3", "4"),
        ("Max data size", "67108864", "67108864"),
        ("Max open files", "32", "32"),
        ("Max file size", "4096", "4096"),
        ("Max core file size", "0", "0"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
        let values: Vec<&str> = line.trim_start_matches(name).split_whitespace().collect();
        assert_eq!(values[..2], [soft, hard], "{line}");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let (outcome, _) = limited(&format!("exec head -c 8192 /dev/zero > {}", file.display()));
    assert_eq!(signal_of(&outcome), Some(libc::SIGXFSZ));
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 4096);
}

#[test]
fn cpu_time_is_bounded() {
    let mut spec = sh("while :; do :; done");
    spec.rlimits =
        resource_limits(&Limits { cpu: Some(Duration::from_secs(1)), ..Limits::default() }).unwrap();
    assert_eq!(signal_of(&run(spec)), Some(libc::SIGXCPU));
}

#[test]
fn a_limit_above_our_own_is_our_own() {
    let limits = Limits { open_files: Some(u64::MAX - 1), ..Limits::default() };
    let mut spec = sh("exit 0");
    spec.rlimits = resource_limits(&limits).unwrap();
    assert_eq!(code(&run(spec)), Some(0));
}

#[test]
fn cpu_time_is_that_of_all_processes_together() {
    // None of them comes near the limit by itself, and the main process uses none.
    let line =
        "i=0; while [ $i -lt 8 ]; do setsid timeout 20 sh -c 'while :; do :; done' & i=$((i+1)); done; wait";
    let mut spec = sh(line);
    spec.supervision.cpu = Some(Duration::from_secs(2));
    assert_eq!(run(spec).ending, Ending::CpuLimit);
    let mut spec = sh("sleep 0.5");
    spec.supervision.cpu = Some(Duration::from_secs(2));
    assert_eq!(run(spec).ending, Ending::Exited);
}

#[test]
fn too_many_processes_end_the_run_where_the_kernel_does_not_bound_them() {
    let mut spec = sh("i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i+1)); done; wait");
    spec.supervision.processes = Some(20);
    assert_eq!(run(spec).ending, Ending::ProcessLimit);
}

#[test]
fn an_unprivileged_user_s_fork_bomb_stays_small_until_it_is_seen() {
    if nix::unistd::getuid().is_root() {
        let _ = Write::write_fmt(
            &mut io::stderr(),
            format_args!("skipped: the kernel does not bound root's processes\n"),
        );
        return;
    }
    let limits = Limits { processes: Some(10), ..Limits::default() };
    let mut spec = sh("grep processes /proc/self/limits");
    spec.rlimits = resource_limits(&limits).unwrap();
    let (_, line) = output(spec);
    let [soft, hard] =
        [2, 3].map(|field| line.split_whitespace().nth(field).unwrap().parse::<u64>().unwrap());
    // The run's own, room for the user's others, and those that the user has: this test, at least, and no more than the
    // machine has.
    let all = std::fs::read_to_string("/proc/loadavg").unwrap();
    let all: u64 = all.split([' ', '/']).nth(4).unwrap().parse().unwrap();
    // Others come and go meanwhile.
    assert!(soft == hard && (1035..1034 + 2 * all + 1024).contains(&soft), "{line} {all}");
}

#[test]
fn memory_is_that_of_all_processes_together_and_pages_that_they_share_count_once() {
    let python = "import os, time\nkept = bytearray({size} << 20)\nfor i in range(0, len(kept), 4096): kept[i] = 1\n\
                  for _ in range(7):\n if os.fork() == 0: {child}time.sleep({time}); os._exit(0)\ntime.sleep({time})";
    let python = |size: &str, child: &str, time: &str| {
        let text = python.replace("{size}", size).replace("{child}", child).replace("{time}", time);
        let mut spec = spec(&["/usr/bin/env", "python3", "-c", &text]);
        spec.supervision.memory = Some(200 << 20);
        spec
    };
    // Each process has 64 MiB of its own: none comes near the limit.
    let own = "own = bytearray(b'1') * (64 << 20); ";
    assert_eq!(run(python("1", own, "60")).ending, Ending::MemoryLimit);
    // 8 x 64 MiB, but of the same pages.
    assert_eq!(run(python("64", "", "0.5")).ending, Ending::Exited);
    // Shared memory without a file counts too.
    let shared = "import mmap; own = mmap.mmap(-1, 64 << 20); own.write(b'1' * (64 << 20)); ";
    assert_eq!(run(python("1", shared, "60")).ending, Ending::MemoryLimit);
}

#[test]
fn shared_memory_counts_when_its_pages_are_not_mapped_any_more() {
    let python = |step: &str, rounds: u32, seconds: &str| {
        let text = format!(
            "import mmap, time\nkept = []\nfor _ in range({rounds}):\n m = mmap.mmap(-1, 64 << 20)\n \
             for _ in range(64): m.write(b'1' * (1 << 20)); {step}\n kept.append(m)\ntime.sleep({seconds})"
        );
        let mut spec = spec(&["/usr/bin/env", "python3", "-c", &text]);
        spec.supervision.memory = Some(200 << 20);
        run(spec).ending
    };
    // Its resident pages never come near the limit.
    let given_back = "m.madvise(mmap.MADV_DONTNEED)";
    assert_eq!(python(given_back, 8, "60"), Ending::MemoryLimit);
    assert_eq!(python(given_back, 1, "0.5"), Ending::Exited);
}

#[test]
fn a_long_sum_keeps_no_run_from_its_end() {
    // Pages that all share, so that the limit holds and each look sums all of them up: seconds, for so many.
    let text = "import os, time\nkept = bytearray(b'1') * (256 << 20)\nfor _ in range(60):\n if os.fork() == 0: \
                time.sleep(600); os._exit(0)\nprint('ready', flush=True)\ntime.sleep(600)";
    let mut spec = spec(&["/usr/bin/env", "python3", "-c", text]);
    spec.supervision.memory = Some(2 << 30);
    let (mut read, write) = pipe();
    spec.streams.stdout = write;
    let running = launcher().spawn(spec).unwrap();
    read.read_exact(&mut [0; 5]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    running.kill();
    let outcome = running.wait();
    assert_eq!(outcome.ending, Ending::Killed);
    // No bound of speed: it is for who reads this test's output.
    let _ = Write::write_fmt(&mut io::stderr(), format_args!("ended after {:?}\n", asked.elapsed()));
}

#[test]
fn what_a_run_writes_is_bounded() {
    let parent = std::env::var_os("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, Into::into);
    let directory = tempfile::tempdir_in(parent).unwrap();
    let write = |script: &str| {
        let mut spec = sh(script);
        spec.directory = File::open(directory.path()).unwrap().into();
        spec.supervision.disk = Some(32 << 20);
        run(spec).ending
    };
    if write("head -c 64M /dev/zero > probe") == Ending::Exited {
        let _ = Write::write_fmt(
            &mut io::stderr(),
            format_args!("skipped: this file system does not write to a disk\n"),
        );
        return;
    }
    assert_eq!(write("head -c 16M /dev/zero > f"), Ending::Exited);
    // Many that write little, one after the other, and one that rewrites its file.
    assert_eq!(
        write("i=0; while [ $i -lt 64 ]; do head -c 1M /dev/zero > f$i; i=$((i+1)); done"),
        Ending::DiskLimit
    );
    assert_eq!(write("while :; do head -c 1M /dev/zero > f; done"), Ending::DiskLimit);
    // Of processes at once, none of which writes so much.
    assert_eq!(
        write(
            "i=0; while [ $i -lt 8 ]; do setsid sh -c 'head -c 8M /dev/zero > g$0; sleep 60' $i & i=$((i+1)); done; wait"
        ),
        Ending::DiskLimit
    );
}

#[test]
fn a_signal_of_a_limit_names_it() {
    let mut cpu = sh("kill -s XCPU $$");
    assert_eq!(run(sh("kill -s XCPU $$")).ending, Ending::Exited);
    cpu.supervision.cpu = Some(Duration::from_secs(60));
    assert_eq!(run(cpu).ending, Ending::CpuLimit);
    let mut size = sh("kill -s XFSZ $$");
    size.supervision.file_size = true;
    assert_eq!(run(size).ending, Ending::FileSizeLimit);
}

#[test]
fn a_run_enters_a_control_group_of_its_own_which_goes_with_it() {
    // Entering needs no controller, so any place for groups of version 2 will do.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let place = mount.and_then(|line| line.split(' ').nth(4)).map(|mount| {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = own.lines().find_map(|line| line.strip_prefix("0::/").map(str::to_owned));
        Path::new(mount).join(own.unwrap_or_default())
    });
    let Some(Ok(parent)) = place.map(|place| PlaceForGroups::make(&place)) else {
        let _ = Write::write_fmt(
            &mut io::stderr(),
            format_args!("skipped: no control group of version 2 may be made here\n"),
        );
        return;
    };
    let entries =
        || std::fs::read_dir(&parent.0).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    let mut spec = sh("cat /proc/self/cgroup; setsid sleep 1000 &");
    spec.bounds = Some(crate::cgroup::Bounds::unbounded(&parent.0));
    let (mut read, write) = pipe();
    spec.streams.stdout = write;
    let run = launcher().spawn(spec).unwrap();
    let mut text = String::new();
    let outcome = run.wait();
    read.read_to_string(&mut text).unwrap();
    let parent_name = parent.0.file_name().unwrap().to_str().unwrap();
    assert!(
        text.lines()
            .any(|line| line.starts_with("0::") && line.contains(&format!("{parent_name}/claw-sandbox-"))),
        "{text}"
    );
    assert_eq!((code(&outcome), outcome.ending, entries()), (Some(0), Ending::Exited, 0));
    // A run that cannot be started leaves none either.
    let mut spec = spec_of_nothing();
    spec.bounds = Some(crate::cgroup::Bounds::unbounded(&parent.0));
    assert!(launcher().spawn(spec).is_err());
    assert_eq!(entries(), 0);
}

fn spec_of_nothing() -> ChildSpec {
    spec(&["/nonexistent/program"])
}

/// Removed as such a directory has to be: its files cannot be.
struct PlaceForGroups(std::path::PathBuf);

impl PlaceForGroups {
    fn make(parent: &Path) -> io::Result<Self> {
        let place = parent.join(format!("claw-test-{}", std::process::id()));
        std::fs::create_dir(&place).map(|()| Self(place))
    }
}

impl Drop for PlaceForGroups {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}
