//! Standard streams, counted and not.

use super::*;

#[test]
fn output_within_the_limit_passes_and_is_counted() {
    let mut spec = sh("head -c 1000000 /dev/zero; printf err >&2");
    spec.supervision.output = Some(1_000_000);
    let (mut errors, write) = pipe();
    spec.streams.stderr = write;
    let (outcome, text) = output(spec);
    assert_eq!((text.len(), outcome.ending, code(&outcome)), (1_000_000, Ending::Exited, Some(0)));
    assert_eq!((outcome.stdout, outcome.stderr), (Some(1_000_000), Some(3)));
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    assert_eq!(text, "err");
}

#[test]
fn output_beyond_the_limit_ends_the_run() {
    for (script, stream) in
        [("exec cat /dev/zero", Stream::Stdout), ("exec cat /dev/zero >&2", Stream::Stderr)]
    {
        let mut spec = sh(script);
        spec.supervision.output = Some(100_000);
        spec.streams.stderr = File::options().write(true).open("/dev/null").unwrap().into();
        let (outcome, text) = output(spec);
        assert_eq!(outcome.ending, Ending::OutputLimit(stream));
        assert_eq!(signal_of(&outcome), Some(libc::SIGKILL));
        let counted = if stream == Stream::Stdout { outcome.stdout } else { outcome.stderr };
        assert_eq!(counted, Some(100_000));
        assert_eq!(text.len(), if stream == Stream::Stdout { 100_000 } else { 0 });
    }
}

#[test]
fn counted_output_reaches_files_opened_in_any_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    for append in [false, true] {
        std::fs::write(&path, "").unwrap();
        let mut spec = sh("head -c 300000 /dev/zero; echo end");
        spec.supervision.output = Some(1 << 20);
        spec.streams.stdout = File::options().write(true).append(append).open(&path).unwrap().into();
        let outcome = run(spec);
        assert_eq!(outcome.stdout, Some(300_004));
        assert!(std::fs::read(&path).unwrap().ends_with(b"\0end\n"), "append: {append}");
    }
}

#[test]
fn counted_output_reaches_a_socket() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut spec = sh("head -c 3000000 /dev/zero");
    spec.supervision.output = Some(10_000_000);
    spec.streams.stdout = theirs.into();
    let run = launcher().spawn(spec).unwrap();
    let mut text = Vec::new();
    let mut ours = ours;
    ours.read_to_end(&mut text).unwrap();
    assert_eq!((text.len(), run.wait().stdout), (3_000_000, Some(3_000_000)));
}

#[test]
fn a_reader_that_goes_away_is_felt_by_the_run() {
    let (read, write) = pipe();
    let mut spec = sh("while :; do echo y; done");
    spec.supervision.output = Some(u64::MAX);
    spec.streams.stdout = write;
    let run = launcher().spawn(spec).unwrap();
    drop(read);
    let outcome = run.wait();
    assert_eq!((outcome.ending, signal_of(&outcome)), (Ending::Exited, Some(libc::SIGPIPE)));
}

#[test]
fn a_reader_that_does_not_read_cannot_hold_up_a_kill_or_the_time_limit() {
    let (_read, write) = pipe();
    let mut spec = sh("exec cat /dev/zero");
    spec.supervision.output = Some(u64::MAX);
    spec.supervision.time = Some(Duration::from_millis(200));
    spec.streams.stdout = write;
    assert_eq!(run(spec).ending, Ending::TimedOut);

    let (_read, write) = pipe();
    let mut spec = sh("exec head -c 100000 /dev/zero");
    spec.supervision.output = Some(u64::MAX);
    spec.streams.stdout = write;
    let run = launcher().spawn(spec).unwrap();
    assert!(run.wait_for(Duration::from_millis(200)).is_none(), "output was dropped");
    run.kill();
    assert_eq!(code(&run.wait()), Some(0), "it had ended by itself");
}

#[test]
fn much_output_streams_through() {
    let mut spec = sh("head -c 200000000 /dev/zero");
    spec.supervision.output = Some(u64::MAX);
    let (mut read, write) = pipe();
    spec.streams.stdout = write;
    let run = launcher().spawn(spec).unwrap();
    let copied = io::copy(&mut read, &mut io::sink()).unwrap();
    assert_eq!((copied, run.wait().stdout), (200_000_000, Some(200_000_000)));
}

#[test]
fn standard_input_reaches_the_run() {
    let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let mut spec = sh("cat");
    spec.streams.stdin = read;
    let (mut said, stdout) = pipe();
    spec.streams.stdout = stdout;
    let run = launcher().spawn(spec).unwrap();
    File::from(write).write_all(b"hello").unwrap();
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), code(&run.wait())), ("hello", Some(0)));
}

#[test]
fn a_stream_that_the_run_closes_ends_before_the_run() {
    for limit in [None, Some(100)] {
        let mut spec = sh("echo bye; exec sleep 1000 >&- 2>&-");
        spec.supervision.output = limit;
        let (mut read, write) = pipe();
        spec.streams.stdout = write;
        let run = launcher().spawn(spec).unwrap();
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bye\n");
        assert!(run.try_wait().is_none());
        run.kill();
        assert_eq!(run.wait().ending, Ending::Killed);
    }
}
