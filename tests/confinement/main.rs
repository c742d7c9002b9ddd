//! The confinement suite: one attack a case, judged by what it leaves outside of the sandbox, and each shown to
//! succeed without the sandbox first.
//!
//! An attack is a row of a table (`file.rs`, `exec.rs` ...) and a test of its own, so
//! `cargo test --test confinement file::` runs an area. What does not hold yet is in `pending.rs`, and nowhere else.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

#[allow(dead_code, reason = "the areas to come use the rest")]
mod attack;
#[allow(dead_code, reason = "the areas to come use the rest")]
mod evidence;
mod file;
mod harness;
mod metadata;
mod pending;
mod process;

const AREAS: &[(&str, &[&str])] =
    &[("file", file::NAMES), ("metadata", metadata::NAMES), ("process", process::NAMES)];

#[test]
fn every_pending_case_exists() {
    for (pending, reason) in pending::PENDING {
        assert!(AREAS.iter().any(|(_, names)| names.contains(pending)), "no case {pending}");
        assert!(!reason.is_empty(), "{pending} is pending without a reason");
    }
}
