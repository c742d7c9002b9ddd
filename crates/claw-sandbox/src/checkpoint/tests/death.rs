//! Death at every step: what is there afterwards is whole, or made whole.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::CheckpointLimits;
use super::super::step::die_at;
use super::{Node, Scene, assert_tree, checkpoints, tree};

/// Runs in the child that dies; see below.
#[test]
fn the_child_that_dies_at_a_step() {
    let Some(place) = std::env::var_os("CLAW_CHECKPOINT_PLACE").map(PathBuf::from) else { return };
    let number = |name| std::env::var(name).unwrap().parse::<i64>().unwrap();
    let checkpoints = checkpoints(&place, "");
    let limits = CheckpointLimits { count: 2, ..CheckpointLimits::default() };
    let checkpoints = checkpoints.limits(limits);
    die_at(number("CLAW_CHECKPOINT_STEP"));
    match number("CLAW_CHECKPOINT_UNDO") {
        0 => drop(checkpoints.checkpoint("child").unwrap()),
        id => drop(checkpoints.undo(id.unsigned_abs()).unwrap()),
    }
}

/// Whether the child died at the step; otherwise it came to its end.
fn died(place: &Path, undo: u64, step: i64) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "checkpoint::tests::death::the_child_that_dies_at_a_step", "--test-threads=1"])
        .env("CLAW_CHECKPOINT_PLACE", place)
        .env("CLAW_CHECKPOINT_STEP", step.to_string())
        .env("CLAW_CHECKPOINT_UNDO", undo.to_string())
        .output()
        .unwrap();
    assert!(output.status.success() || output.status.signal() == Some(9), "{output:?}");
    !output.status.success()
}

fn changed_scene() -> (Scene, BTreeMap<PathBuf, Node>, u64) {
    let scene = Scene::new();
    scene.write("text", "one");
    scene.write("gone/deep/file", "y");
    scene.write("was-file", "z");
    scene.write("was-directory/inner", "w");
    symlink("text", scene.work("link")).unwrap();
    let old = tree(&scene.path("work"));
    let id = scene.checkpoints().checkpoint("old").unwrap().id;
    scene.write("text", "two");
    fs::remove_dir_all(scene.work("gone")).unwrap();
    fs::remove_file(scene.work("was-file")).unwrap();
    scene.write("was-file/now", "directory");
    fs::remove_dir_all(scene.work("was-directory")).unwrap();
    scene.write("was-directory", "file");
    fs::remove_file(scene.work("link")).unwrap();
    fs::create_dir(scene.work("link")).unwrap();
    scene.write("new/a", "n");
    (scene, old, id)
}

#[test]
fn a_checkpoint_that_dies_at_any_step_is_whole_or_not_there() {
    let mut steps = 0;
    loop {
        let (scene, _, old) = changed_scene();
        let checkpoints = scene.checkpoints();
        let other = checkpoints.checkpoint("other").unwrap().id;
        scene.write("third", "three");
        let present = tree(&scene.path("work"));
        let is_over = !died(&scene.path(""), 0, steps);
        // The oldest may have been given up for the new one, and nothing but whole checkpoints is there.
        let ids: Vec<_> = checkpoints.list().unwrap().iter().map(|one| one.id).collect();
        assert!(
            [vec![old, other], vec![old, other, 3], vec![other, 3]].contains(&ids),
            "step {steps}: {ids:?}"
        );
        assert_tree(&scene.path("work"), &present);
        for id in &ids {
            let undone = checkpoints.undo(*id).unwrap();
            assert_eq!(undone.not_restored, [], "step {steps}");
            assert_eq!(checkpoints.diff(*id).unwrap(), [], "step {steps}");
        }
        checkpoints.undo(*ids.last().unwrap()).unwrap();
        checkpoints
            .clone()
            .limits(CheckpointLimits { count: 1, ..CheckpointLimits::default() })
            .prune()
            .unwrap();
        assert_eq!(fs::read_dir(scene.path("store/drafts")).unwrap().count(), 0, "step {steps}");
        if is_over {
            break;
        }
        steps += 1;
    }
    assert!(steps > 7, "only {steps} steps");
}

#[test]
fn an_undo_that_dies_at_any_step_leaves_the_present_or_is_finished_by_recover() {
    let mut steps = 0;
    let (mut untouched, mut finished) = (0, 0);
    loop {
        let (scene, old, id) = changed_scene();
        let present = tree(&scene.path("work"));
        let is_over = !died(&scene.path(""), id, steps);
        let checkpoints = scene.checkpoints();
        if is_over {
            assert_tree(&scene.path("work"), &old);
            assert_eq!(checkpoints.recover().unwrap(), None);
            break;
        }
        match checkpoints.recover().unwrap() {
            // It died before the first change, or after the last.
            None => {
                let now = tree(&scene.path("work"));
                assert!(now == present || now == old, "step {steps}: {now:#?}");
                untouched += 1;
            }
            Some(undone) => {
                assert_eq!(undone.not_restored, [], "step {steps}");
                assert_tree(&scene.path("work"), &old);
                finished += 1;
            }
        }
        // What was there before the undo is not lost: a checkpoint was whole before the first change.
        if tree(&scene.path("work")) == old {
            let before =
                checkpoints.list().unwrap().into_iter().find(|one| one.before_undo_of == Some(id)).unwrap();
            checkpoints.undo(before.id).unwrap();
            assert_tree(&scene.path("work"), &present);
        }
        steps += 1;
    }
    assert!(untouched > 2 && finished > 10, "{untouched} untouched, {finished} finished");
    let _ = writeln!(std::io::stderr(), "died at {steps} steps: {untouched} untouched, {finished} finished");
}
