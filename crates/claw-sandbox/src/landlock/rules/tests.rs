use std::fs;
use std::os::unix::fs::symlink;

use landlock::AccessFs;

use super::open;
use crate::ruleset::RulePlan;

fn plan(path: &std::path::Path, required: bool) -> RulePlan {
    let access = AccessFs::ReadFile | AccessFs::ReadDir;
    RulePlan { path: path.to_owned(), access, required, except: Vec::new() }
}

#[test]
fn a_missing_required_path_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let gone = directory.path().join("gone");
    let error = open(&[plan(&gone, true)]).expect_err("it is missing").to_string();
    assert!(error.contains("gone") && error.contains("No such file"), "{error}");
}

#[test]
fn a_missing_optional_path_is_skipped() {
    let directory = tempfile::tempdir().expect("a directory");
    let gone = directory.path().join("gone");
    let opened = open(&[plan(&gone, false), plan(directory.path(), true)]).expect("one is there");
    assert_eq!(opened.len(), 1);
}

#[test]
fn a_path_that_became_a_link_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join("real")).expect("made");
    fs::write(directory.path().join("real/file"), "").expect("written");
    symlink("real", directory.path().join("link")).expect("linked");
    for path in ["link", "link/file"] {
        assert!(open(&[plan(&directory.path().join(path), true)]).is_err(), "{path}");
    }
}
