//! Random trees and random changes: an undo gives exactly the old tree.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{Scene, tree};

/// Names that a file system takes, also those that are no text.
fn name() -> impl Strategy<Value = OsString> {
    prop_oneof![
        Just("a".into()),
        Just("b".into()),
        Just("c d".into()),
        Just("line\nbreak".into()),
        Just("ä".into()),
        Just(OsString::from_vec(b"\xff\xfe".to_vec())),
        Just(OsString::from_vec(vec![b'n'; 255])),
    ]
}

/// A change of a tree. What does not apply is passed over.
#[derive(Clone, Debug)]
enum Edit {
    File(PathBuf, Vec<u8>),
    Directory(PathBuf),
    Link(PathBuf, PathBuf),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
    Mode(PathBuf, u32),
}

fn place() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(name(), 1..4).prop_map(|names| names.into_iter().collect())
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let content = prop::collection::vec(any::<u8>(), 0..20);
    let edit = prop_oneof![
        4 => (place(), content).prop_map(|(path, content)| Edit::File(path, content)),
        3 => place().prop_map(Edit::Directory),
        2 => (place(), place()).prop_map(|(path, target)| Edit::Link(path, target)),
        2 => place().prop_map(Edit::Remove),
        2 => (place(), place()).prop_map(|(from, to)| Edit::Rename(from, to)),
        // Whoever owns a directory must stay able to look into it, or the test's own look fails.
        1 => (place(), 0_u32..8, 0_u32..8).prop_map(|(path, group, other)| Edit::Mode(path, 0o700 | group << 3 | other)),
    ];
    prop::collection::vec(edit, 0..25)
}

fn apply(root: &Path, edits: &[Edit]) {
    for edit in edits {
        let _ = match edit {
            Edit::File(path, content) => match fs::symlink_metadata(root.join(path)) {
                // Through a link it would change what lies elsewhere.
                Ok(metadata) if !metadata.is_file() => Ok(()),
                _ => fs::write(root.join(path), content),
            },
            Edit::Directory(path) => fs::create_dir(root.join(path)),
            Edit::Link(path, target) => symlink(target, root.join(path)),
            Edit::Remove(path) => {
                fs::remove_dir_all(root.join(path)).or_else(|_| fs::remove_file(root.join(path)))
            }
            Edit::Rename(from, to) => fs::rename(root.join(from), root.join(to)),
            Edit::Mode(path, mode) => match fs::symlink_metadata(root.join(path)) {
                Ok(metadata) if metadata.is_symlink() => Ok(()),
                _ => fs::set_permissions(root.join(path), fs::Permissions::from_mode(*mode)),
            },
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_undo_gives_exactly_the_old_tree(first in edits(), second in edits(), third in edits()) {
        let scene = Scene::new();
        let checkpoints = scene.checkpoints();
        let root = scene.path("work");
        apply(&root, &first);
        let old = tree(&root);
        let id = checkpoints.checkpoint("").unwrap().id;
        apply(&root, &second);
        let middle = tree(&root);
        prop_assert_eq!(checkpoints.diff(id).unwrap().is_empty(), old == middle);
        let next = checkpoints.checkpoint("").unwrap().id;
        apply(&root, &third);
        let undone = checkpoints.undo(id).unwrap();
        prop_assert_eq!(undone.not_restored, []);
        prop_assert_eq!(&tree(&root), &old);
        prop_assert_eq!(checkpoints.diff(id).unwrap(), []);
        checkpoints.undo(next).unwrap();
        prop_assert_eq!(&tree(&root), &middle);
    }
}
