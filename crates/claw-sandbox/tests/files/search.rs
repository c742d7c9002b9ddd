//! Walks, globs and greps.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use claw_sandbox::{FileErrorKind, FileLimits, FileType, Search};

use crate::scene::{Scene, kind};

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("work/src/main.rs", "fn main() {\n    println!(\"hello\");\n}\n");
    scene.write("work/src/deep/lib.rs", "pub fn hello() {}\r\n");
    scene.write("work/notes.txt", "Hello there");
    scene.write("work/.env", "hello=1");
    scene.write("work/binary", b"hello\0");
    symlink(scene.path("outside"), scene.path("work/way")).unwrap();
    symlink(scene.path("work"), scene.path("work/src/loop")).unwrap();
    fs::hard_link(scene.path("outside/secret"), scene.path("work/hard")).unwrap();
    scene
}

#[test]
fn a_walk_shows_every_entry_that_is_not_hidden_and_follows_no_link() {
    let scene = scene();
    let files = scene.files_with("filesystem: { hidden: [.env] }\n");
    let mut found = Vec::new();
    let searched = files
        .walk(".", |entry| {
            found.push((entry.path.to_str().unwrap().to_owned(), entry.kind));
            ControlFlow::Continue(())
        })
        .unwrap();
    let names: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        names,
        [
            "binary",
            "hard",
            "notes.txt",
            "src",
            "src/deep",
            "src/deep/lib.rs",
            "src/loop",
            "src/main.rs",
            "way"
        ]
    );
    assert_eq!(found.iter().find(|(path, _)| path == "way").unwrap().1, FileType::Link);
    assert_eq!(searched.entries, names.len());
    assert_eq!(kind(files.walk("way", |_| ControlFlow::Continue(()))), FileErrorKind::Denied);
    assert_eq!(kind(files.walk("notes.txt", |_| ControlFlow::Continue(()))), FileErrorKind::NotDirectory);
    let searched = files.walk(".", |_| ControlFlow::Break(())).unwrap();
    assert!(searched.ended_early && searched.entries == 1);
}

#[test]
fn globs_match_paths_from_the_top() {
    let scene = scene();
    let files = scene.files();
    assert_eq!(files.glob(".", "*.txt").unwrap(), [PathBuf::from("notes.txt")]);
    assert_eq!(files.glob(".", "**/*.rs").unwrap().len(), 2);
    assert_eq!(files.glob("src", "*.rs").unwrap(), [PathBuf::from("main.rs")]);
    assert_eq!(kind(files.glob(".", "a[")), FileErrorKind::Invalid);
}

#[test]
fn lines_are_found_in_texts_only_and_never_outside() {
    let scene = scene();
    let files = scene.files_with("filesystem: { hidden: [.env] }\n");
    let (matches, searched) = files.grep(".", &Search::new("hello|SECRET", true).unwrap()).unwrap();
    let found: Vec<_> = matches.iter().map(|found| (found.path.to_str().unwrap(), found.line)).collect();
    assert_eq!(found, [("notes.txt", 1), ("src/deep/lib.rs", 1), ("src/main.rs", 2)]);
    assert_eq!(matches[1].text, b"pub fn hello() {}");
    assert_eq!((searched.skipped, searched.unread), (1, 1), "the binary, and the hard link to the outside");
    let search = Search::new("hello", false).unwrap().in_files("**/*.rs").unwrap().most(1);
    let (matches, searched) = files.grep(".", &search).unwrap();
    assert_eq!((matches.len(), searched.ended_early), (1, true));
    let (matches, _) = files.grep("src/main.rs", &Search::new("^fn", false).unwrap()).unwrap();
    assert_eq!((matches.len(), matches[0].path.as_path()), (1, Path::new("")));
    assert_eq!(kind(Search::new("(", false)), FileErrorKind::Invalid);
    assert_eq!(kind(files.grep("way", &search)), FileErrorKind::Denied);
}

#[test]
fn a_search_has_bounds() {
    let scene = scene();
    scene.write("work/a/b/c/d", "");
    let mut limits = FileLimits::default();
    limits.entries = 3;
    let files = scene.files().limits(limits.clone());
    assert_eq!(kind(files.walk(".", |_| ControlFlow::Continue(()))), FileErrorKind::TooMany);
    scene.write("work/many/a/1", "");
    scene.write("work/many/a/2", "");
    scene.write("work/many/b", "");
    assert_eq!(kind(files.walk("many", |_| ControlFlow::Continue(()))), FileErrorKind::TooMany);
    (limits.entries, limits.depth) = (100, 2);
    let files = scene.files().limits(limits);
    assert_eq!(kind(files.walk("a", |_| ControlFlow::Continue(()))), FileErrorKind::TooMany);
}
