//! Checkpoints on a real file system.

mod death;
mod hostile;
mod random;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::policy_from_yaml;

/// A workspace, its store, and a directory outside of it.
struct Scene {
    directory: TempDir,
}

/// What is at a path: its mode and content.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Node {
    File(u32, Vec<u8>),
    Directory(u32),
    Link(PathBuf),
    Special,
}

impl Scene {
    fn new() -> Self {
        let directory = TempDir::with_prefix("claw-checkpoint-").unwrap();
        for name in ["work", "outside"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("outside/secret"), "SECRET").unwrap();
        Self { directory }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn work(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path("work").join(name)
    }

    fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.work(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn checkpoints(&self) -> Checkpoints {
        self.checkpoints_with("")
    }

    fn checkpoints_with(&self, more: &str) -> Checkpoints {
        checkpoints(&self.path(""), more)
    }
}

fn checkpoints(place: &Path, more: &str) -> Checkpoints {
    let text = format!(
        "workspace: {}\nexec: {{ allowlist: [sh, rm, mv, mkdir, ln, chmod, cp, git] }}\n{more}",
        place.join("work").display()
    );
    let sandbox = Sandbox::new(policy_from_yaml(&text, place.join("work")).unwrap()).unwrap();
    Checkpoints::open(place.join("store"), &sandbox).unwrap()
}

/// Everything in a directory, without what the policy protects.
fn tree(root: &Path) -> BTreeMap<PathBuf, Node> {
    let mut nodes = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mode = metadata.mode() & 0o7777;
        let node = if metadata.is_symlink() {
            Node::Link(fs::read_link(&path).unwrap())
        } else if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Node::Directory(mode)
        } else if metadata.is_file() {
            Node::File(mode & 0o777, fs::read(&path).unwrap())
        } else {
            Node::Special
        };
        nodes.insert(path.strip_prefix(root).unwrap().to_owned(), node);
    }
    nodes
}

#[track_caller]
fn assert_tree(root: &Path, expected: &BTreeMap<PathBuf, Node>) {
    let present = tree(root);
    assert!(present == *expected, "present {present:#?}\nexpected {expected:#?}");
}

fn names_of(differences: &[Difference], root: &Path) -> Vec<(String, String)> {
    let one = |difference: &Difference| {
        let path = difference.path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        (path, difference.kind.name().to_owned())
    };
    differences.iter().map(one).collect()
}

#[test]
fn what_changed_is_told_and_brought_back_and_the_undo_can_be_undone() {
    let scene = Scene::new();
    scene.write("text", "one\n");
    scene.write("mode", "x");
    scene.write("gone/deep/file", "y");
    scene.write("was-file", "z");
    scene.write("was-directory/inner", "w");
    symlink("text", scene.work("link")).unwrap();
    let checkpoints = scene.checkpoints();
    let before = tree(&scene.path("work"));
    let id = checkpoints.checkpoint("first").unwrap().id;
    assert_eq!(checkpoints.diff(id).unwrap(), []);

    scene.write("text", "two\n");
    fs::set_permissions(scene.work("mode"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::remove_dir_all(scene.work("gone")).unwrap();
    fs::remove_file(scene.work("was-file")).unwrap();
    scene.write("was-file/now", "directory");
    fs::remove_dir_all(scene.work("was-directory")).unwrap();
    scene.write("was-directory", "file");
    fs::remove_file(scene.work("link")).unwrap();
    symlink(scene.path("outside/secret"), scene.work("link")).unwrap();
    scene.write("new/a/b", "n");
    nix::unistd::mkfifo(&scene.work("new/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let after = tree(&scene.path("work"));

    let differences = checkpoints.diff(id).unwrap();
    let expected = [
        ("gone", "removed"),
        ("gone/deep", "removed"),
        ("gone/deep/file", "removed"),
        ("link", "changed"),
        ("mode", "mode"),
        ("new", "added"),
        ("new/a", "added"),
        ("new/a/b", "added"),
        ("new/fifo", "added"),
        ("text", "changed"),
        ("was-directory", "changed"),
        ("was-directory/inner", "removed"),
        ("was-file", "changed"),
        ("was-file/now", "added"),
    ];
    let expected: Vec<_> = expected.map(|(path, kind)| (path.to_owned(), kind.to_owned())).into();
    assert_eq!(names_of(&differences, &scene.path("work")), expected);
    let text = differences.iter().find(|difference| difference.path.ends_with("text")).unwrap();
    assert!(checkpoints.text(text).unwrap().unwrap().ends_with("@@ -1 +1 @@\n-one\n+two\n"));
    let link = differences.iter().find(|difference| difference.path.ends_with("link")).unwrap();
    assert_eq!(checkpoints.text(link).unwrap(), None);

    let undone = checkpoints.undo(id).unwrap();
    assert_eq!(undone.not_restored, []);
    assert_tree(&scene.path("work"), &before);
    assert_eq!(fs::read(scene.path("outside/secret")).unwrap(), b"SECRET");
    let undone = checkpoints.undo(undone.before).unwrap();
    assert_eq!(undone.not_restored, []);
    // A FIFO is not kept.
    let kept = after.into_iter().filter(|(path, _)| !path.ends_with("fifo")).collect();
    assert_tree(&scene.path("work"), &kept);
    assert_eq!(checkpoints.newest().unwrap(), id);
}

#[test]
fn files_that_nobody_touched_are_not_read_again_unless_the_clock_proves_nothing() {
    for (later, is_read) in [(3, false), (2, true)] {
        let scene = Scene::new();
        scene.write("a", "x");
        scene.write("b", "y");
        let checkpoints = scene.checkpoints();
        let first = checkpoints.checkpoint("").unwrap().id;
        // A list that lies about a content: what is taken over from it was not read.
        let mut manifest = checkpoints.store.manifest(first).unwrap();
        let status = nix::sys::stat::stat(&scene.work("a")).unwrap();
        let header = Header { id: 2, started: status.st_ctime + later, ..manifest.header.clone() };
        let (file, draft) = checkpoints.store.draft().unwrap();
        let mut writer = manifest::Writer::new(file, &header).unwrap();
        while let Some((root, path, mut state, protected)) = manifest.take().unwrap() {
            if let manifest::State::File { hash, .. } = &mut state {
                *hash = Digest::of(b"y");
            }
            writer.entry(root, &path, state, protected).unwrap();
        }
        writer.finish().unwrap();
        fs::rename(draft, checkpoints.store.manifest_path(2)).unwrap();
        let id = checkpoints.checkpoint("").unwrap().id;
        let mut manifest = checkpoints.store.manifest(id).unwrap();
        let state = manifest.seek(0, Path::new("a")).unwrap().unwrap().clone();
        let expected = Digest::of(if is_read { b"x" } else { b"y" });
        assert!(matches!(state, manifest::State::File { hash, .. } if hash == expected), "{state:?}");
    }
}

#[test]
fn hidden_files_are_not_read_protected_ones_not_changed_and_links_not_followed() {
    let scene = Scene::new();
    scene.write(".env", "KEY=hidden-content");
    scene.write("read/only", "r");
    scene.write(".git/hooks/pre-commit", "old");
    scene.write(".git/refs/heads/main", "1");
    symlink(scene.path("outside"), scene.work("way")).unwrap();
    fs::hard_link(scene.path("outside/secret"), scene.work("hard")).unwrap();
    let checkpoints = scene.checkpoints_with("filesystem: { hidden: [.env], readOnly: [read] }\n");
    let id = checkpoints.checkpoint("").unwrap().id;
    let kept: Vec<_> =
        checkpoints.store.objects().unwrap().iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(
        kept.iter().all(|content| content == b"1" || content == b"old"),
        "only what a command may see is kept"
    );

    // Not by a command, but by somebody who may.
    scene.write(".env", "KEY=2");
    scene.write("read/only", "w");
    scene.write(".git/hooks/pre-commit", "new");
    scene.write(".git/refs/heads/main", "2");
    scene.write("added/.env", "kept");
    let undone = checkpoints.undo(id).unwrap();
    for (path, content) in [
        (".env", "KEY=2"),
        ("read/only", "w"),
        (".git/hooks/pre-commit", "new"),
        (".git/refs/heads/main", "1"),
        ("added/.env", "kept"),
        ("hard", "SECRET"),
    ] {
        assert_eq!(fs::read(scene.work(path)).unwrap(), content.as_bytes(), "{path}");
    }
    let not: Vec<_> = undone.not_restored.iter().map(|one| one.path.clone()).collect();
    assert_eq!(not, [scene.work("added")], "{undone:?}");
}

#[test]
fn a_path_that_may_not_be_written_any_more_stays_and_is_reported() {
    let scene = Scene::new();
    scene.write("a/file", "1");
    scene.write("b", "1");
    let id = scene.checkpoints().checkpoint("").unwrap().id;
    scene.write("a/file", "2");
    scene.write("b", "2");
    let undone = scene.checkpoints_with("filesystem: { readOnly: [a] }\n").undo(id).unwrap();
    assert_eq!(fs::read(scene.work("a/file")).unwrap(), b"2");
    assert_eq!(fs::read(scene.work("b")).unwrap(), b"1");
    assert_eq!(undone.not_restored.len(), 1, "{undone:?}");
    assert!(undone.not_restored.iter().all(|one| one.path == scene.work("a")), "{undone:?}");
}

#[test]
fn a_file_with_several_names_comes_back_as_one_of_its_own() {
    let scene = Scene::new();
    scene.write("one", "x");
    fs::hard_link(scene.work("one"), scene.work("two")).unwrap();
    let checkpoints = scene.checkpoints();
    let id = checkpoints.checkpoint("").unwrap().id;
    // The other name lies outside now: what it names must stay as it is.
    fs::rename(scene.work("two"), scene.path("outside/two")).unwrap();
    fs::set_permissions(scene.work("one"), fs::Permissions::from_mode(0o600)).unwrap();
    checkpoints.undo(id).unwrap();
    assert_eq!(fs::metadata(scene.work("one")).unwrap().mode() & 0o777, 0o644);
    assert_eq!(fs::metadata(scene.path("outside/two")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(scene.path("outside/two")).unwrap().nlink(), 1);
    assert_eq!(fs::read(scene.work("two")).unwrap(), b"x");
}

#[test]
fn a_store_that_commands_can_write_or_others_can_read_is_refused() {
    let scene = Scene::new();
    let sandbox = scene.checkpoints().sandbox;
    let kind = |path: &str| Checkpoints::open(scene.path(path), &sandbox).unwrap_err().kind();
    assert_eq!(kind("work/store"), CheckpointErrorKind::Exposed);
    symlink(scene.path("work"), scene.path("way")).unwrap();
    assert_eq!(kind("way/store"), CheckpointErrorKind::Exposed);
    fs::set_permissions(scene.path("store"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(kind("store"), CheckpointErrorKind::Exposed);
}

#[test]
fn a_damaged_store_is_noticed_before_anything_is_changed() {
    let scene = Scene::new();
    scene.write("a", "one");
    scene.write("b", "one");
    let checkpoints = scene.checkpoints();
    let id = checkpoints.checkpoint("").unwrap().id;
    scene.write("a", "two");
    fs::remove_file(scene.work("b")).unwrap();
    let changed = tree(&scene.path("work"));
    let object = checkpoints.store.object_path(Digest::of(b"one"));
    fs::write(&object, "0ne").unwrap();
    assert_eq!(checkpoints.undo(id).unwrap_err().kind(), CheckpointErrorKind::Damaged);
    fs::remove_file(&object).unwrap();
    assert_eq!(checkpoints.undo(id).unwrap_err().kind(), CheckpointErrorKind::Damaged);
    assert_tree(&scene.path("work"), &changed);
    let manifest = checkpoints.store.manifest_path(id);
    let mut text = fs::read(&manifest).unwrap();
    text.truncate(text.len() / 2);
    fs::write(&manifest, text).unwrap();
    assert_eq!(checkpoints.undo(id).unwrap_err().kind(), CheckpointErrorKind::Damaged);
    assert_eq!(checkpoints.undo(99).unwrap_err().kind(), CheckpointErrorKind::NotFound);
}

#[test]
fn a_damaged_content_is_kept_again_when_somebody_still_has_it() {
    let scene = Scene::new();
    let large = "x".repeat(3 << 20);
    let checkpoints = scene.checkpoints();
    for content in ["small", &large] {
        scene.write("f", content);
        checkpoints.checkpoint("").unwrap();
        for object in checkpoints.store.objects().unwrap() {
            let kept = fs::read(&object).unwrap();
            fs::write(object, "y".repeat(kept.len())).unwrap();
        }
        // Touched, so that it is read again.
        fs::remove_file(scene.work("f")).unwrap();
        scene.write("f", content);
        let made = checkpoints.checkpoint("").unwrap();
        scene.write("f", "changed");
        checkpoints.undo(made.id).unwrap();
        assert!(fs::read(scene.work("f")).unwrap() == content.as_bytes());
    }
}

#[test]
fn what_was_left_out_and_went_away_hides_nothing_behind_it() {
    let scene = Scene::new();
    scene.write("d/e/f", "same");
    nix::unistd::mkfifo(&scene.work("c"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let checkpoints = scene.checkpoints();
    let made = checkpoints.checkpoint("").unwrap();
    assert_eq!(made.left_out, 1);
    fs::remove_file(scene.work("c")).unwrap();
    assert_eq!(checkpoints.diff(made.id).unwrap(), []);
    scene.write("d/e/new", "new");
    let undone = checkpoints.undo(made.id).unwrap();
    assert_eq!((undone.changed, undone.not_restored.len()), (1, 0), "{undone:?}");
    assert!(scene.work("d/e/f").exists() && !scene.work("d/e/new").exists());
}

#[test]
fn a_lock_that_is_none_holds_nobody_up() {
    let scene = Scene::new();
    let checkpoints = scene.checkpoints();
    nix::unistd::mkfifo(&scene.path("store/lock"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(checkpoints.checkpoint("").is_err());
}

#[test]
fn old_checkpoints_go_and_contents_that_others_name_stay() {
    let scene = Scene::new();
    let limits = CheckpointLimits { count: 2, ..CheckpointLimits::default() };
    let checkpoints = scene.checkpoints().limits(limits);
    scene.write("shared", "shared");
    for number in 0..4 {
        scene.write("own", format!("own {number}"));
        checkpoints.checkpoint("").unwrap();
    }
    let ids: Vec<_> = checkpoints.list().unwrap().iter().map(|one| one.id).collect();
    assert_eq!(ids, [3, 4]);
    assert_eq!(checkpoints.store.objects().unwrap().len(), 3);
    checkpoints.undo(3).unwrap();
    assert_eq!(fs::read(scene.work("own")).unwrap(), b"own 2");
    // A name is never used twice, and the newest stays whatever the limits say.
    let limits = CheckpointLimits { total_bytes: 7, age: Duration::ZERO, ..CheckpointLimits::default() };
    std::thread::sleep(Duration::from_millis(1_100));
    checkpoints.clone().limits(limits).prune().unwrap();
    assert_eq!(checkpoints.list().unwrap().len(), 1);
    assert_eq!(checkpoints.store.objects().unwrap().len(), 2);
}

#[test]
fn more_than_the_limit_is_refused_and_leaves_nothing() {
    let scene = Scene::new();
    scene.write("a", [1; 60]);
    scene.write("b", [2; 60]);
    let limits = CheckpointLimits { total_bytes: 100, file_bytes: 70, ..CheckpointLimits::default() };
    let checkpoints = scene.checkpoints().limits(limits);
    assert_eq!(checkpoints.checkpoint("").unwrap_err().kind(), CheckpointErrorKind::TooLarge);
    assert_eq!(checkpoints.list().unwrap(), []);
    assert_eq!(checkpoints.store.objects().unwrap(), Vec::<PathBuf>::new());
    scene.write("b", [2; 71]);
    assert_eq!(checkpoints.checkpoint("").unwrap().left_out, 1);
}

#[test]
fn what_a_run_did_is_undone() {
    let scene = Scene::new();
    scene.write("keep", "1");
    scene.write("d/x", "1");
    let checkpoints = scene.checkpoints();
    let old = tree(&scene.path("work"));
    let id = checkpoints.checkpoint("").unwrap().id;
    let line = "echo 2 > keep; rm -r d; mkdir -p n/m; ln -s /etc n/m/l; chmod 700 .; mv keep n/moved; cp n/moved n/copy";
    let output = checkpoints.sandbox.shell(line).current_dir(scene.path("work")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_ne!(tree(&scene.path("work")), old);
    assert_eq!(checkpoints.undo(id).unwrap().not_restored, []);
    assert_tree(&scene.path("work"), &old);
}

#[test]
fn a_repository_that_a_run_made_goes_and_comes_back_with_what_is_protected_in_it() {
    let scene = Scene::new();
    let checkpoints = scene.checkpoints();
    let old = tree(&scene.path("work"));
    let id = checkpoints.checkpoint("").unwrap().id;
    let output = checkpoints.sandbox.shell("git init -q repository").current_dir(scene.path("work")).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    scene.write("repository/.git/hooks/mine", "of the user");
    let made = tree(&scene.path("work"));
    let undone = checkpoints.undo(id).unwrap();
    assert_eq!(undone.not_restored, []);
    assert_tree(&scene.path("work"), &old);
    checkpoints.undo(undone.before).unwrap();
    assert_tree(&scene.path("work"), &made);
    // In a repository that stays, what is protected stays.
    fs::write(scene.work("repository/.git/hooks/mine"), "newer").unwrap();
    fs::create_dir(scene.work("repository/.git/hooks/added")).unwrap();
    fs::write(scene.work("repository/.git/hooks/added/file"), "added").unwrap();
    checkpoints.undo(undone.before).unwrap();
    assert_eq!(fs::read(scene.work("repository/.git/hooks/mine")).unwrap(), b"newer");
    assert!(scene.work("repository/.git/hooks/added/file").exists());
}

#[test]
fn a_directory_that_holds_something_hidden_stays_whole() {
    let scene = Scene::new();
    let checkpoints = scene.checkpoints_with("filesystem: { hidden: [.env] }\n");
    let id = checkpoints.checkpoint("").unwrap().id;
    scene.write("top/inner/.env", "hidden");
    scene.write("top/inner/deep/file", "x");
    scene.write("top/other", "x");
    let undone = checkpoints.undo(id).unwrap();
    let not: Vec<_> = undone.not_restored.iter().map(|one| one.path.clone()).collect();
    assert_eq!(not, [scene.work("top/inner")], "{undone:?}");
    assert!(scene.work("top/inner/.env").exists() && scene.work("top/inner/deep/file").exists());
    assert!(!scene.work("top/other").exists());
}

#[test]
fn directories_that_were_closed_are_opened_to_be_brought_back() {
    if nix::unistd::geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: permissions do not stop root; run as another user");
        return;
    }
    let scene = Scene::new();
    scene.write("closed/a", "1");
    scene.write("read-only/b", "1");
    scene.write("file", "1");
    let checkpoints = scene.checkpoints();
    let mode =
        |path: &str, mode| fs::set_permissions(scene.work(path), fs::Permissions::from_mode(mode)).unwrap();
    mode("read-only", 0o555);
    let old = tree(&scene.path("work"));
    let id = checkpoints.checkpoint("").unwrap().id;
    mode("read-only", 0o755);
    scene.write("read-only/b", "2");
    scene.write("read-only/c", "2");
    mode("read-only", 0o555);
    scene.write("closed/a", "2");
    scene.write("closed/new/c", "only there");
    mode("closed", 0o000);
    scene.write("added/d/e", "3");
    mode("added/d", 0o444);
    mode("added", 0o000);
    mode("file", 0o000);
    let undone = checkpoints.undo(id).unwrap();
    assert_eq!(undone.not_restored, []);
    assert_tree(&scene.path("work"), &old);
    // What could not be read at first was kept before it went.
    let kept = |content: &[u8]| checkpoints.store.object_path(Digest::of(content)).exists();
    assert!(kept(b"only there") && kept(b"3"));
}
