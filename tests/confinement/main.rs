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

mod attack;
mod busybox;
mod environment;
mod evidence;
mod exec;
mod file;
mod harness;
mod host;
mod kernel_surface;
mod limits;
mod metadata;
mod network;
mod pending;
mod privileges;
mod process;
mod race;
mod repository;
mod terminal;
mod threads;

const AREAS: &[(&str, &[&str])] = &[
    ("file", file::NAMES),
    ("metadata", metadata::NAMES),
    ("exec", exec::NAMES),
    ("busybox", busybox::NAMES),
    ("race", race::NAMES),
    ("privileges", privileges::NAMES),
    ("terminal", terminal::NAMES),
    ("process", process::NAMES),
    ("threads", threads::NAMES),
    ("network", network::NAMES),
    ("repository", repository::NAMES),
    ("kernel_surface", kernel_surface::NAMES),
    ("limits", limits::NAMES),
    ("environment", environment::NAMES),
];

#[test]
fn every_pending_case_exists() {
    for (pending, reason) in pending::UNPRIVILEGED.iter().chain(pending::ALWAYS) {
        assert!(AREAS.iter().any(|(_, names)| names.contains(pending)), "no case {pending}");
        assert!(!reason.is_empty(), "{pending} is pending without a reason");
    }
}
