//! Where the runs happen, and under which policies.

use std::fs;
use std::path::{Path, PathBuf};

use claw_testkit::scene::{ORIGINAL, Scene};

/// Where the sandbox makes its private temporary directories.
pub(crate) const TEMPORARY: &str = "temporary";

const ROOT: &str = "CLAW_TEST_ROOT";
const SEED: &str = "CLAW_TEST_RUNS_SEED";
const OPEN_PORT: &str = "CLAW_TEST_OPEN_PORT";
const CLOSED_PORT: &str = "CLAW_TEST_CLOSED_PORT";
const VICTIM: &str = "CLAW_TEST_VICTIM";

/// What the second process is told.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) seed: u64,
    pub(crate) open_port: String,
    pub(crate) closed_port: String,
    /// A process outside of every run.
    pub(crate) victim: String,
}

impl Place {
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }
}

/// The environment of the second process.
pub(crate) fn environment(scene: &Scene, seed: u64) -> Vec<(&'static str, String)> {
    vec![
        (ROOT, scene.fill("{root}")),
        (SEED, seed.to_string()),
        (OPEN_PORT, scene.fill("{port}")),
        (CLOSED_PORT, scene.fill("{other}")),
        (VICTIM, scene.fill("{pid}")),
        ("TMPDIR", scene.path(TEMPORARY).display().to_string()),
        ("HOME", scene.path("home").display().to_string()),
    ]
}

/// In the second process: what it was told.
pub(crate) fn given() -> Option<Place> {
    let variable = |name| std::env::var(name).ok();
    Some(Place {
        root: variable(ROOT)?.into(),
        seed: variable(SEED)?.parse().ok()?,
        open_port: variable(OPEN_PORT)?,
        closed_port: variable(CLOSED_PORT)?,
        victim: variable(VICTIM)?,
    })
}

/// What is protected in the workspace, and what the scripts of the runs are.
pub(crate) fn furnish(scene: &Scene) {
    fs::create_dir(scene.path(TEMPORARY)).unwrap();
    scene.write("ws/.git/config", ORIGINAL);
    fs::create_dir(scene.path("ws/.git/hooks")).unwrap();
    for (name, text) in crate::sorts::SCRIPTS {
        scene.write(format!("ws/{name}"), text);
    }
}

/// Nothing outside, and nothing that is protected, has changed.
pub(crate) fn assert_untouched(scene: &Scene) {
    for file in ["out/kept", "ro/kept", "ws/.git/config"] {
        assert_eq!(fs::read_to_string(scene.path(file)).unwrap(), ORIGINAL, "{file} has changed");
    }
    for file in ["ws/.git/hooks/pre-commit", "out/new", "ws/marked"] {
        assert!(!scene.path(file).exists(), "{file} was made");
    }
}
