//! Finds the programs of this workspace that tests of other packages start.
//!
//! Cargo tells a test where the programs of its own package lie, and no others. They lie beside the test's own
//! directory; they are built first where this user may build.
#![expect(clippy::panic, reason = "a test without its program has to fail, and say what to do")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The command line program.
#[must_use]
pub fn sandbox() -> PathBuf {
    built().join("claw-sandbox")
}

/// The hostile program of the confinement suite.
#[must_use]
pub fn attack() -> PathBuf {
    built().join("attack")
}

/// The directory of the programs that belong to this build.
fn built() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let directory = profile_directory();
        build(&directory);
        for program in ["claw-sandbox", "attack"] {
            assert!(
                directory.join(program).is_file(),
                "no {program} in {}: run `cargo build -p claw-sandbox-cli -p claw-testkit --bins` first",
                directory.display()
            );
        }
        directory
    })
}

/// `target/debug` or `target/release`: a test lies in `deps` below it.
fn profile_directory() -> PathBuf {
    let own = std::env::current_exe().ok();
    let found = own.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_owned);
    found.unwrap_or_else(|| panic!("the test does not know where it lies"))
}

/// Builds the programs, so that a test never judges those of yesterday. Without the right to write there, what has
/// been built is used: the whole check builds first and then starts the tests as somebody else.
fn build(directory: &Path) {
    let Some(target) = directory.parent().filter(|target| is_writable(target)) else { return };
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "-p",
        "claw-sandbox-cli",
        "-p",
        "claw-testkit",
        "--bins",
        "--target-dir",
    ]);
    command.arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    if directory.ends_with("release") {
        command.arg("--release");
    }
    assert!(command.status().is_ok_and(|status| status.success()), "the programs do not build");
}

fn is_writable(directory: &Path) -> bool {
    tempfile::tempfile_in(directory).is_ok()
}
