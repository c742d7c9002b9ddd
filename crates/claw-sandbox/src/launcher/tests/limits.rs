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
fn an_unprivileged_user_cannot_make_more_processes_than_the_limit() {
    if nix::unistd::getuid().is_root() {
        let _ = Write::write_fmt(
            &mut io::stderr(),
            format_args!("skipped: the kernel does not bound root's processes\n"),
        );
        return;
    }
    let limits = Limits { processes: Some(10), ..Limits::default() };
    let mut spec = sh("i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; exit 0");
    spec.rlimits = resource_limits(&limits).unwrap();
    // dash ends with 2 when it cannot fork.
    assert_ne!(code(&run(spec)), Some(0));
}
