//! The file proxy on a real file system.
#![expect(clippy::unwrap_used, reason = "a test that fails may say so")]

mod attacks;
mod edit;
mod scene;
mod search;
mod secrets;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use claw_sandbox::{FileErrorKind, FileLimits, FileType, Sandbox, WriteMode, policy_from_yaml};

use crate::scene::{Scene, kind};

#[test]
fn what_is_written_is_read_back_whole_in_parts_and_by_lines() {
    let scene = Scene::new();
    let files = scene.files();
    files.write("a.txt", b"one\r\ntwo\nthree", WriteMode::Create).unwrap();
    assert_eq!(files.read("a.txt").unwrap(), b"one\r\ntwo\nthree");
    assert_eq!(files.read_range("a.txt", 1..4).unwrap(), b"ne\r");
    assert_eq!(files.read_range("a.txt", 12..99).unwrap(), b"ee");
    assert_eq!(files.read_range("a.txt", 99..100).unwrap(), b"");
    let lines = files.read_lines("a.txt", 2, 1).unwrap();
    assert_eq!((lines.text.as_slice(), lines.count, lines.more), (&b"two\n"[..], 1, true));
    let lines = files.read_lines("a.txt", 3, 9).unwrap();
    assert_eq!((lines.text.as_slice(), lines.count, lines.more), (&b"three"[..], 1, false));
    assert_eq!(files.read_lines("a.txt", 9, 9).unwrap().count, 0);
    let mut stream = files.open("a.txt").unwrap();
    assert_eq!(std::io::copy(&mut stream, &mut std::io::sink()).unwrap(), 14);
    assert_eq!(kind(files.read_lines("a.txt", 0, 1)), FileErrorKind::Invalid);
}

#[test]
fn a_replaced_file_keeps_its_mode_and_a_new_one_must_be_new_if_so_wanted() {
    let scene = Scene::new();
    let path = scene.write("work/run.sh", "old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    let files = scene.files();
    assert_eq!(kind(files.write("run.sh", b"new", WriteMode::Create)), FileErrorKind::Exists);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    files.write("run.sh", b"new", WriteMode::Replace).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o750);
    files.write("run.sh", b"er", WriteMode::Append).unwrap();
    files.write("log", b"first", WriteMode::Append).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"newer");
    assert_eq!(fs::read(scene.path("work/log")).unwrap(), b"first");
    assert_eq!(fs::read_dir(scene.path("work")).unwrap().count(), 2, "a draft was left");
}

#[test]
fn what_lies_outside_is_refused_by_every_operation_and_every_way() {
    let scene = Scene::new();
    scene.write("work/inside", "x");
    symlink(scene.path("outside"), scene.path("work/way")).unwrap();
    symlink(scene.path("outside/secret"), scene.path("work/link")).unwrap();
    fs::hard_link(scene.path("outside/secret"), scene.path("work/hard")).unwrap();
    let files = scene.files();
    let outside = scene.path("outside/secret");
    for path in [
        "link",
        "way/secret",
        "hard",
        "../outside/secret",
        "way/../outside/secret",
        outside.to_str().unwrap(),
        "/proc/self/root/etc/passwd",
        "/proc/self/cwd/outside/secret",
    ] {
        let path = Path::new(path);
        assert!(files.read(path).unwrap_err().denial().is_some(), "{path:?}");
        assert!(files.write(path, b"x", WriteMode::Replace).unwrap_err().denial().is_some(), "{path:?}");
        assert!(files.write(path, b"x", WriteMode::Append).unwrap_err().denial().is_some(), "{path:?}");
        assert!(files.set_mode(path, 0o777).unwrap_err().denial().is_some(), "{path:?}");
        assert!(files.copy(path, "copy", true).is_err(), "{path:?}");
        assert!(files.copy("inside", path, true).unwrap_err().denial().is_some(), "{path:?}");
    }
    for path in ["way/new", "../new", "/new-claw-file"] {
        assert!(files.write(path, b"x", WriteMode::Create).unwrap_err().denial().is_some(), "{path}");
        assert!(files.make_directory(path).unwrap_err().denial().is_some(), "{path}");
        assert!(files.link("inside", path).unwrap_err().denial().is_some(), "{path}");
        assert!(files.rename("inside", path, true).unwrap_err().denial().is_some(), "{path}");
    }
    assert_eq!(fs::read(&outside).unwrap(), b"SECRET");
    assert_eq!(fs::read_dir(scene.path("outside")).unwrap().count(), 1);
    // The link itself may go.
    files.remove("link").unwrap();
    assert!(outside.exists());
}

#[test]
fn hidden_and_protected_names_are_out_of_reach_and_not_listed() {
    let scene = Scene::new();
    scene.write("work/.env", "KEY=1");
    scene.write("work/.git/config", "x");
    scene.write("work/sub/a", "x");
    let files = scene.files_with("filesystem: { hidden: [.env], readOnly: [sub] }\n");
    let names: Vec<_> =
        files.list(".").unwrap().into_iter().map(|(name, _)| name.into_string().unwrap()).collect();
    assert_eq!(names, [".git", "sub"]);
    assert!(files.read(".env").unwrap_err().denial().is_some());
    assert_eq!(files.read(".git/config").unwrap(), b"x");
    assert!(files.write(".git/config", b"y", WriteMode::Replace).unwrap_err().denial().is_some());
    assert!(files.remove_tree(".git").unwrap_err().denial().is_some());
    assert!(files.remove("sub/a").unwrap_err().denial().is_some());
    assert!(files.remove_tree(".").is_err());
    assert!(scene.path("work/.git/config").exists() && scene.path("work/sub/a").exists());
}

#[test]
fn repositories_of_any_name_are_protected_by_their_head() {
    let scene = Scene::new();
    scene.write("work/bare/HEAD", "ref: refs/heads/main");
    scene.write("work/bare/hooks/x.sample", "x");
    scene.write("work/next/config", "[core]");
    let files = scene.files();
    for path in ["bare/config", "bare/hooks/post-update", "bare/commondir", "next/HEAD"] {
        let error = files.write(path, b"x", WriteMode::Create).unwrap_err();
        assert!(error.denial().is_some() && !scene.path("work").join(path).exists(), "{path} {error}");
    }
    files.write("hook", b"x", WriteMode::Create).unwrap();
    assert!(files.rename("hook", "bare/hooks/post-update", false).unwrap_err().denial().is_some());
    assert!(files.remove_tree("bare/hooks").unwrap_err().denial().is_some());
    files.write("bare/description", b"x", WriteMode::Create).unwrap();
    files.write("other/config", b"x", WriteMode::Create).unwrap_err();
    files.write("config", b"x", WriteMode::Create).unwrap();
}

#[test]
fn a_run_that_makes_a_repository_meanwhile_gets_no_configuration_from_the_file_tools() {
    let scene = Scene::new();
    let text = format!("workspace: {}\nexec: {{security: full}}\n", scene.path("work").display());
    let sandbox = Sandbox::new(policy_from_yaml(&text, scene.path("work")).unwrap()).unwrap();
    let files = sandbox.files();
    // Whichever comes first: both are never there.
    for round in 0..40 {
        let directory = format!("r{round}");
        files.make_directory(&directory).unwrap();
        let script =
            format!("until [ -e go{round} ]; do :; done; echo ref: refs/heads/main > {directory}/HEAD");
        let mut run = sandbox.command("/bin/bash");
        let mut run = run.args(["-c", &script]).current_dir(scene.path("work")).spawn().unwrap();
        fs::write(scene.path(&format!("work/go{round}")), "").unwrap();
        let evil = b"[core]\n\tfsmonitor = evil\n";
        let written = files.write(format!("{directory}/config"), evil, WriteMode::Create);
        run.wait().unwrap();
        let [config, head] =
            ["config", "HEAD"].map(|name| scene.path(&format!("work/{directory}/{name}")).exists());
        assert!(!(config && head), "round {round}: {written:?}");
        assert!(config || head, "round {round}: {written:?}");
    }
}

#[test]
fn entries_are_made_moved_looked_at_and_removed() {
    let scene = Scene::new();
    let files = scene.files();
    files.make_directory("d").unwrap();
    assert_eq!(kind(files.make_directory("d")), FileErrorKind::Exists);
    assert_eq!(kind(files.make_directory("no/d")), FileErrorKind::NotFound);
    files.write("d/a", b"12345", WriteMode::Create).unwrap();
    files.write("d/b", b"", WriteMode::Create).unwrap();
    files.link("a", "d/l").unwrap();
    assert_eq!(files.read("d/l").unwrap(), b"12345");
    assert_eq!(kind(files.rename("d/a", "d/b", false)), FileErrorKind::Exists);
    files.rename("d/a", "d/b", true).unwrap();
    files.rename("d/b", "d/a", false).unwrap();
    files.set_mode("d/a", 0o600).unwrap();
    let status = files.status("d/l").unwrap();
    assert_eq!((status.kind, status.size, status.mode), (FileType::File, 5, 0o600));
    files.copy("d/a", "d/c", false).unwrap();
    assert_eq!(kind(files.copy("d/a", "d/c", false)), FileErrorKind::Exists);
    assert_eq!(files.status("d/c").unwrap().mode, 0o600);
    let entries = files.list("d").unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[2].1.target.as_deref(), Some(Path::new("a")));
    assert_eq!(kind(files.remove("d")), FileErrorKind::NotEmpty);
    files.remove_tree("d").unwrap();
    assert_eq!(kind(files.read("d/a")), FileErrorKind::NotFound);
    assert_eq!(kind(files.read("nothing")), FileErrorKind::NotFound);
    assert_eq!(kind(files.remove("nothing")), FileErrorKind::NotFound);
    assert_eq!(kind(files.read(".")), FileErrorKind::IsDirectory);
    assert_eq!(kind(files.set_mode(".", 0o4755)), FileErrorKind::Invalid);
}

#[test]
fn limits_are_errors_that_change_nothing() {
    let scene = Scene::new();
    scene.write("work/big", [b'x'; 100]);
    for name in 0..10 {
        scene.write(&format!("work/many/{name}"), "");
    }
    scene.write("work/deep/1/2/3/x", "");
    let mut limits = FileLimits::default();
    (limits.bytes, limits.entries, limits.depth) = (10, 5, 2);
    let files = scene.files().limits(limits);
    assert_eq!(kind(files.read("big")), FileErrorKind::TooLarge);
    assert_eq!(kind(files.read_lines("big", 1, 1)), FileErrorKind::TooLarge);
    assert_eq!(files.read_range("big", 5..15).unwrap().len(), 10);
    assert_eq!(kind(files.write("big", &[0; 11], WriteMode::Replace)), FileErrorKind::TooLarge);
    assert_eq!(kind(files.list("many")), FileErrorKind::TooMany);
    assert_eq!(kind(files.remove_tree("many")), FileErrorKind::TooMany);
    assert_eq!(kind(files.remove_tree("deep")), FileErrorKind::TooMany);
    assert_eq!(fs::read_dir(scene.path("work/many")).unwrap().count(), 10);
    assert!(scene.path("work/deep/1/2/3/x").exists());
}

#[test]
fn bad_paths_are_clear_errors() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let scene = Scene::new();
    scene.write("work/file", "x");
    let files = scene.files();
    let long = "n".repeat(300);
    let longer = "d/".repeat(2100);
    for path in [
        &b"a\0b"[..],
        b"",
        long.as_bytes(),
        longer.as_bytes(),
        b"file/x",
        b"file/",
        b"~nobody-of-this-name/x",
    ] {
        let path = Path::new(OsStr::from_bytes(path));
        let error = files.write(path, b"x", WriteMode::Replace).unwrap_err();
        assert!(error.denial().is_some(), "{path:?} {error}");
        assert!(!error.to_string().contains('\n') && !error.code().is_empty());
        assert!(files.read(path).is_err(), "{path:?}");
    }
    // These are names like any other.
    for name in [&b"new\nline"[..], b"\xff\xfe", b" ", b"-rf", b"a:b"] {
        let path = Path::new(OsStr::from_bytes(name));
        files.write(path, b"x", WriteMode::Create).unwrap();
        assert_eq!(files.read(path).unwrap(), b"x");
        files.remove(path).unwrap();
    }
}

#[test]
fn fifos_and_sockets_are_refused_and_do_not_hold_anybody_up() {
    let scene = Scene::new();
    let fifo = scene.path("work/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scene.path("work/socket")).unwrap();
    let files = scene.files();
    for name in ["fifo", "socket"] {
        assert!(files.read(name).is_err(), "{name}");
        assert!(files.write(name, b"x", WriteMode::Replace).is_err(), "{name}");
        assert!(files.write(name, b"x", WriteMode::Append).is_err(), "{name}");
    }
}

/// `CLAW_RACE_TRIES` sets the number of tries.
#[test]
fn a_directory_that_is_swapped_for_a_link_never_leads_out() {
    let tries = std::env::var("CLAW_RACE_TRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000);
    let scene = Scene::new();
    scene.write("work/dir/secret", "inside");
    symlink(scene.path("outside"), scene.path("work/other")).unwrap();
    let (one, other) = (scene.path("work/dir"), scene.path("work/other"));
    let stop = AtomicBool::new(false);
    let swaps = AtomicU64::new(0);
    let files = scene.files();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Atomically: each name is always there, now a directory and now a link.
                nix::fcntl::renameat2(
                    nix::fcntl::AT_FDCWD,
                    &one,
                    nix::fcntl::AT_FDCWD,
                    &other,
                    nix::fcntl::RenameFlags::RENAME_EXCHANGE,
                )
                .unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (mut read, mut raced, mut escaped_plainly) = (0, 0, false);
        for _ in 0..tries {
            let before = swaps.load(Ordering::Relaxed);
            if let Ok(content) = files.read("dir/secret") {
                assert_eq!(content, b"inside");
                read += 1;
            }
            let _ = files.write("dir/written", b"x", WriteMode::Replace);
            raced += usize::from(swaps.load(Ordering::Relaxed) != before);
            escaped_plainly |= fs::read(one.join("secret")).is_ok_and(|content| content == b"SECRET");
        }
        stop.store(true, Ordering::Relaxed);
        assert!(escaped_plainly, "the control: a plain read is led out");
        assert!(read > 0, "nothing was ever read");
        println!("{tries} tries, {raced} of them with a swap meanwhile, {read} that read");
    });
    assert_eq!(fs::read_dir(scene.path("outside")).unwrap().count(), 1, "something was written outside");
}
