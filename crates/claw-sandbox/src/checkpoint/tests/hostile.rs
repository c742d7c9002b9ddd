//! Others that work against us: paths that are exchanged, and a disk that is full.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::digest::Digest;
use super::super::{CheckpointErrorKind, CheckpointLimits};
use super::{Scene, assert_tree, checkpoints, tree};

/// Ends the attacker's thread.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_directory_that_turns_into_a_link_leads_nobody_outside() {
    let scene = Scene::new();
    scene.write("d/secret", "inside");
    scene.write("d/deep/secret", "inside");
    fs::create_dir_all(scene.path("outside/deep")).unwrap();
    fs::write(scene.path("outside/deep/secret"), "SECRET").unwrap();
    symlink(scene.path("outside"), scene.path("work/e")).unwrap();
    let limits = CheckpointLimits { count: 10_000, ..CheckpointLimits::default() };
    let checkpoints = scene.checkpoints().limits(limits);
    let outside = tree(&scene.path("outside"));
    let start = checkpoints.checkpoint("").unwrap().id;
    let is_over = AtomicBool::new(false);
    const ROUNDS: usize = 60;
    let (mut read, mut rounds) = (false, 0);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let (one, other) = (scene.work("d"), scene.work("e"));
            let flags = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
            while !is_over.load(Ordering::Relaxed) {
                let _ =
                    nix::fcntl::renameat2(nix::fcntl::AT_FDCWD, &one, nix::fcntl::AT_FDCWD, &other, flags);
            }
        });
        // Also when an assertion fails.
        let _over = Over(&is_over);
        while rounds < ROUNDS || !read && rounds < 100_000 {
            rounds += 1;
            // Whoever follows the path does get out.
            read |= fs::read(scene.work("d/deep/secret")).is_ok_and(|content| content == b"SECRET");
            if rounds <= ROUNDS {
                let _ = fs::write(scene.work(format!("new-{rounds}")), "new");
                let made = checkpoints.checkpoint("").unwrap().id;
                let _ = checkpoints.diff(made).unwrap();
                checkpoints.undo(start).unwrap();
            }
        }
    });
    assert!(read, "the attack never worked");
    assert_tree(&scene.path("outside"), &outside);
    assert!(!checkpoints.store.object_path(Digest::of(b"SECRET")).exists());
    checkpoints.undo(start).unwrap();
    assert_eq!(checkpoints.diff(start).unwrap(), []);
}

/// Runs where a small file system can be mounted; see below.
#[test]
fn the_child_on_a_full_disk() {
    let Some(place) = std::env::var_os("CLAW_CHECKPOINT_FULL").map(PathBuf::from) else { return };
    let mount = |options: &str, at: &Path| {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).status();
        assert!(status.unwrap().success());
    };
    mount("size=360k", &place.join("work"));
    fs::write(place.join("work/big"), vec![1; 120 << 10]).unwrap();
    // What is hidden is no part of it.
    fs::write(place.join("work/ballast"), vec![3; 100 << 10]).unwrap();
    let hidden = "filesystem: { hidden: [ballast] }\n";
    fs::create_dir(place.join("store")).unwrap();
    fs::set_permissions(place.join("store"), fs::Permissions::from_mode(0o700)).unwrap();
    mount("size=64k,mode=700", &place.join("store"));
    let small = checkpoints(&place, hidden);
    assert_eq!(small.checkpoint("").unwrap_err().kind(), CheckpointErrorKind::NoSpace);
    assert_eq!(small.list().unwrap(), []);
    assert_eq!(small.store.objects().unwrap(), Vec::<PathBuf>::new());
    mount("size=64m,mode=700", &place.join("store"));
    let checkpoints = checkpoints(&place, hidden);
    let id = checkpoints.checkpoint("").unwrap().id;
    fs::write(place.join("work/big"), vec![2; 200 << 10]).unwrap();
    let error = checkpoints.undo(id).unwrap_err();
    assert_eq!(error.kind(), CheckpointErrorKind::NoSpace, "{error}");
    assert_eq!(fs::read(place.join("work/big")).unwrap(), vec![2; 200 << 10], "the present content is whole");
    assert_eq!(checkpoints.checkpoint("").unwrap_err().kind(), CheckpointErrorKind::Interrupted);
    fs::remove_file(place.join("work/ballast")).unwrap();
    assert_eq!(checkpoints.recover().unwrap().unwrap().not_restored, []);
    assert_eq!(fs::read(place.join("work/big")).unwrap(), vec![1; 120 << 10]);
    assert_eq!(fs::read_dir(place.join("work")).unwrap().count(), 1);
    let _ = writeln!(std::io::stdout(), "the disk was full");
}

#[test]
fn a_full_disk_leaves_whole_contents_and_an_undo_that_can_be_finished() {
    let scene = Scene::new();
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "--", program]).args(args);
        command.env("CLAW_CHECKPOINT_FULL", scene.path("")).output()
    };
    let mounts = run("mount", &["-t", "tmpfs", "tmpfs", "/mnt"]);
    if !mounts.is_ok_and(|output| output.status.success()) {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: nothing can be mounted here (unshare --map-root-user --mount)"
        );
        return;
    }
    let this = std::env::current_exe().unwrap();
    let name = "checkpoint::tests::hostile::the_child_on_a_full_disk";
    let output = run(this.to_str().unwrap(), &["--exact", name, "--nocapture"]).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("the disk was full"), "{output:?}");
}
