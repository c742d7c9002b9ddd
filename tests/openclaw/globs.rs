//! A pattern on files permits no file here that it does not match there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use claw_sandbox::CommandLine;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use crate::place::{ask, judge};

const FILES: [&str; 7] = ["a", "ab", "b", "d/a", "d/ab", "d/d/a", "d/d/d/b"];

/// OpenClaw's patterns on the whole of a path: `**` is anything, `*` and `?` stay within a name.
fn matches_there(pattern: &str, path: &str) -> bool {
    let starts = || (0..=path.len()).filter_map(|at| Some((path.get(..at)?, path.get(at..)?)));
    if let Some(rest) = pattern.strip_prefix("**") {
        return starts().any(|(_, after)| matches_there(rest, after));
    }
    match (pattern.chars().next(), path.chars().next()) {
        (None, first) => first.is_none(),
        (Some('*'), _) => {
            starts().any(|(eaten, after)| !eaten.contains('/') && matches_there(&pattern[1..], after))
        }
        (Some('?'), Some(letter)) => letter != '/' && matches_there(&pattern[1..], &path[1..]),
        (Some(wanted), Some(letter)) => wanted == letter && matches_there(&pattern[1..], &path[1..]),
        (Some(_), None) => false,
    }
}

fn pattern() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["a", "b", "d", "/", "*", "**", "?", "/**/", "d/", "[", "/*"]);
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_pattern_permits_no_more_than_there(pattern in pattern()) {
        let directory = TempDir::with_prefix("claw-oc-").unwrap();
        let root = directory.path().canonicalize().unwrap();
        for file in FILES {
            let path = root.join("t").join(file);
            // A name is a file or a directory; here none is both.
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let whole = format!("{}/t/{pattern}", root.display());
        let config = json!({ "tools": { "exec": { "mode": "allowlist", "safeBins": [] } } });
        let approvals = json!({ "version": 1, "agents": { "main": { "allowlist": [whole] } } });
        let judge = judge(&config, Some(&approvals), root.to_str().unwrap(), "");
        for file in FILES {
            let path = root.join("t").join(file);
            let path = path.to_str().unwrap();
            let (ours, _) = ask(&judge, CommandLine::Argv(vec![path.as_bytes().to_vec()]), &root);
            prop_assert!(ours == "deny" || matches_there(&whole, path), "{whole} {path}");
            // Nor does a plain pattern lose what it matches.
            let is_whole = |part: &str| part == "**" || (!part.is_empty() && !part.contains("**"));
            let is_plain = !pattern.contains('[') && pattern.split('/').all(is_whole);
            if is_plain && matches_there(&whole, path) {
                prop_assert_eq!(ours, "allow", "{} {}", whole, path);
            }
        }
    }
}
