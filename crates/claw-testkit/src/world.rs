//! Random trees, policies over them and operations in them.
//!
//! A tree lives in one temporary directory `T`: `T/ws` is the workspace, `T/ro` a read-only root with the
//! writable root `T/ro/rw` inside, `T/rw` another writable root with the read-only root `T/rw/ro` left out
//! (Landlock cannot express it), and `T/out` lies outside. Names are few, so that operations collide; some of them may be
//! protected or hidden wherever they are, which the broker holds.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

/// Where things can lie, relative to the tree's directory.
const PLACES: &[&str] =
    &["ws", "ws/a", "ws/a/b", "ro", "ro/a", "ro/rw", "ro/rw/a", "rw", "rw/a", "out", "out/a", "."];
const NAMES: &[&str] = &["f", "g", "a", "b", "x.key", "l"];

/// A thing in the tree.
#[derive(Clone, Debug)]
pub enum Item {
    /// A regular file.
    File(String),
    /// A symbolic link: its path and its target (relative to the tree when it begins with `/`).
    Link(String, String),
    /// A hard link to a file made before: its path and the file's.
    Hard(String, String),
    /// A directory.
    Directory(String),
}

/// What the policy says about the tree beside its fixed roots.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether `ro` is granted at all.
    pub read_only: bool,
    /// Whether `ro/rw` is granted.
    pub nested: bool,
    /// Whether `rw` is granted.
    pub writable: bool,
    /// Whether names inside of the writable trees are protected, hidden or read-only.
    pub guarded: bool,
}

/// An operation on paths relative to the tree.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name in `check --jsonl`.
    pub action: &'static str,
    /// What it touches.
    pub path: String,
    /// The second path of rename and hardlink.
    pub to: Option<String>,
}

/// A tree, a policy and what is tried.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is there at the start.
    pub items: Vec<Item>,
    /// The policy.
    pub rules: Rules,
    /// What is tried, in order.
    pub operations: Vec<Operation>,
}

/// Random cases.
pub fn cases() -> impl Strategy<Value = Case> {
    let items = prop::collection::vec(item(), 0..10);
    let rules = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(read_only, nested, writable, guarded)| Rules { read_only, nested, writable, guarded });
    (items, rules, prop::collection::vec(operation(), 1..12)).prop_map(|(items, rules, operations)| Case {
        items,
        rules,
        operations,
    })
}

fn place() -> impl Strategy<Value = String> {
    (prop::sample::select(PLACES), prop::sample::select(NAMES))
        .prop_map(|(place, name)| format!("{place}/{name}"))
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        3 => place().prop_map(Item::File),
        2 => (place(), prop_oneof![place().prop_map(|path| format!("/{path}")), relative()])
            .prop_map(|(path, target)| Item::Link(path, target)),
        1 => (place(), place()).prop_map(|(path, file)| Item::Hard(path, file)),
        1 => place().prop_map(Item::Directory),
    ]
}

fn relative() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(&["..", ".", "a", "f", "l", "out", "ws", "ro", "rw"][..]),
        1..5,
    )
    .prop_map(|parts| parts.join("/"))
}

fn operation() -> impl Strategy<Value = Operation> {
    let one =
        prop::sample::select(&["read", "write", "create", "delete", "list", "mkdir", "symlink", "chmod"][..]);
    let two = prop::sample::select(&["rename", "hardlink"][..]);
    prop_oneof![
        4 => (one, path()).prop_map(|(action, path)| Operation { action, path, to: None }),
        1 => (two, path(), path()).prop_map(|(action, path, to)| Operation { action, path, to: Some(to) }),
    ]
}

/// A path with detours that change its spelling, not always its meaning.
fn path() -> impl Strategy<Value = String> {
    (place(), prop_oneof![4 => Just(""), 1 => Just("./"), 1 => Just("ws/../"), 1 => Just("ws/l/../"), 1 => Just("ro//")])
        .prop_map(|(path, detour)| format!("{detour}{path}"))
}

/// Makes the tree of `case` below `root`, as far as its items fit together.
pub fn build(root: &Path, case: &Case) {
    for place in PLACES {
        fs::create_dir_all(root.join(place)).unwrap();
    }
    for item in &case.items {
        // An item that collides with an earlier one is left out.
        let _ = match item {
            Item::File(path) => fs::write(root.join(path), "content"),
            Item::Link(path, target) => match target.strip_prefix('/') {
                Some(target) => symlink(root.join(target), root.join(path)),
                None => symlink(target, root.join(path)),
            },
            Item::Hard(path, file) => fs::hard_link(root.join(file), root.join(path)),
            Item::Directory(path) => fs::create_dir(root.join(path)),
        };
    }
}

/// The policy of `case` for the tree at `root`, as YAML.
#[must_use]
pub fn policy(root: &Path, case: &Case, program: &Path) -> String {
    let mut read_only: Vec<PathBuf> = Vec::new();
    let mut writable: Vec<PathBuf> = Vec::new();
    if case.rules.read_only {
        read_only.push(root.join("ro"));
    }
    if case.rules.nested {
        writable.push(root.join("ro/rw"));
    }
    if case.rules.writable {
        writable.push(root.join("rw"));
    }
    let list = |paths: &[PathBuf]| serde_json::to_string(paths).unwrap();
    format!(
        "workspace: {}\nexec:\n  allowlist:\n    - path: {}\nfilesystem:\n  readOnly: {}\n  writable: {}\n  {}\nlogging:\n  auditCommands: false\n",
        root.join("ws").display(),
        program.display(),
        list(&read_only),
        list(&writable),
        if case.rules.guarded { "protected: [b]\n  hidden: [f]" } else { "protected: none" },
    )
}
