//! Attacks on the file proxy: what others do meanwhile, and what a plain write would not do.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::{Command, Stdio};
use std::thread;

use claw_sandbox::{FileErrorKind, Replacement, Sandbox, WriteMode, policy_from_yaml};

use crate::scene::Scene;

/// Four threads, each of which acts fifty times.
fn four_at_once(act: impl Fn(usize, usize) + Sync) {
    thread::scope(|scope| {
        for writer in 0..4 {
            let act = &act;
            scope.spawn(move || (0..50).for_each(|line| act(writer, line)));
        }
    });
}

#[test]
fn what_several_append_at_once_is_all_there() {
    let scene = Scene::new();
    let path = scene.write("work/log", "");
    let files = scene.files();
    four_at_once(|writer, line| {
        let text = format!("{writer} {line} {}\n", "x".repeat(64));
        files.write("log", text.as_bytes(), WriteMode::Append).unwrap();
    });
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 200);
}

#[test]
fn what_several_edit_at_once_is_all_there() {
    let scene = Scene::new();
    let path = scene.write("work/list", "END\n");
    let files = scene.files();
    four_at_once(|writer, line| {
        let edit = Replacement::one("END\n", format!("{writer} {line}\nEND\n"));
        while let Err(error) = files.edit("list", std::slice::from_ref(&edit)) {
            assert_eq!(error.kind(), FileErrorKind::Changed);
        }
    });
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 201);
}

#[test]
fn a_new_content_is_no_set_id_program() {
    let scene = Scene::new();
    let path = scene.write("work/tool", "old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
    let files = scene.files();
    files.write("tool", b"er", WriteMode::Append).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
    files.write("tool", b"new", WriteMode::Replace).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn an_edit_that_says_it_is_refused_has_changed_nothing() {
    let scene = Scene::new();
    let path = scene.write("work/c.yaml", "a: 1\ntoken: Xk3vQ9sLm2Pz7Rt4Yw8BnC6d\n");
    let files = scene.files_with("secrets: deny\n");
    let edit = Replacement::one("Xk3vQ9sLm2Pz7Rt4Yw8BnC6d", "x");
    let before = fs::read(&path).unwrap();
    if files.edit("c.yaml", &[edit]).is_err() {
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_text_that_speaks_of_marks_can_be_edited() {
    let scene = Scene::new();
    scene.write("work/manual", "a mark is [redacted:jwt]\nfoo\n");
    let files = scene.files_with("secrets: redact\n");
    files.edit("manual", &[Replacement::one("foo", "bar")]).unwrap();
}

#[test]
fn a_link_gets_a_second_name_itself_wherever_it_leads() {
    let scene = Scene::new();
    let other = scene.path("other");
    fs::create_dir(&other).unwrap();
    scene.write("work/file", "x");
    symlink(scene.path("work/file"), other.join("link")).unwrap();
    let files = scene.files_with(&format!("filesystem: {{ writable: [{}] }}\n", other.display()));
    files.hard_link(other.join("link"), "second").unwrap();
    let inode = |path| fs::symlink_metadata(path).unwrap().ino();
    assert_eq!(inode(other.join("link")), inode(scene.path("work/second")));
    symlink(scene.path("outside/secret"), scene.path("work/out")).unwrap();
    assert!(files.hard_link("out", "third").is_err());
}

/// Runs in processes of its own.
#[test]
fn the_child_that_edits() {
    let (Ok(place), Ok(name)) = (std::env::var("CLAW_TEST_PLACE"), std::env::var("CLAW_TEST_NAME")) else {
        return;
    };
    let files =
        Sandbox::new(policy_from_yaml(&format!("workspace: {place}\n"), &place).unwrap()).unwrap().files();
    for line in 0..40 {
        let edit = Replacement::one("END\n", format!("{name} {line}\nEND\n"));
        while let Err(error) = files.edit("list", std::slice::from_ref(&edit)) {
            assert_eq!(error.kind(), FileErrorKind::Changed);
        }
        while let Err(error) = files.write("list", format!("{name} {line}\n").as_bytes(), WriteMode::Append) {
            assert_eq!(error.kind(), FileErrorKind::Changed);
        }
    }
}

#[test]
fn what_several_processes_edit_at_once_is_all_there() {
    let scene = Scene::new();
    let path = scene.write("work/list", "END\n");
    let child = |name: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["attacks::the_child_that_edits", "--exact"]);
        command.env("CLAW_TEST_PLACE", scene.path("work")).env("CLAW_TEST_NAME", name);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children = ["one", "two", "three"].map(child);
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 241);
}

#[test]
fn what_must_be_a_directory_becomes_no_file() {
    let scene = Scene::new();
    symlink("target/.", scene.path("work/link")).unwrap();
    symlink("target/", scene.path("work/other")).unwrap();
    let files = scene.files();
    for name in ["new/", "new/.", "link", "other"] {
        for mode in [WriteMode::Create, WriteMode::Replace, WriteMode::Append] {
            assert!(files.write(name, b"x", mode).is_err(), "{name} {mode:?}");
        }
    }
    assert_eq!(fs::read_dir(scene.path("work")).unwrap().count(), 2);
    files.make_directory("new/").unwrap();
}
