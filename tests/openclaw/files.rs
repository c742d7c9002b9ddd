//! Paths of file tools that keep to the workspace.

use std::fs;
use std::os::unix::fs::symlink;

use claw_policy::{FileAction, FileRequest, Origin, Request};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::differences::{Row, compare, placed, repository, vectors};
use crate::place::{answer, judge};

#[test]
fn paths_stay_in_the_workspace_alike() {
    let directory = TempDir::with_prefix("claw-oc-").unwrap();
    let root = directory.path().canonicalize().unwrap();
    build(&root);
    let ws = root.join("ws");
    let config = json!({
        "agents": { "defaults": { "workspace": ws } },
        "tools": { "fs": { "workspaceOnly": true } },
    });
    let home = root.join("home");
    let judge = judge(&config, None, home.to_str().unwrap(), "");
    let mut rows = Vec::new();
    for vector in vectors("workspace-path-oracle.jsonl") {
        let path = vector["path"].as_str().unwrap();
        // Nothing is a question about the workspace itself.
        let asked = if path.is_empty() { "." } else { path };
        let request = FileRequest {
            action: FileAction::Read,
            path: placed(asked, "@R@", &root).into_bytes(),
            to: None,
            recursive: false,
            cwd: ws.clone(),
            origin: Origin::Runtime,
        };
        let (ours, about) = answer(&judge.decide(Request::File(&request)).unwrap());
        let theirs = if vector["ok"] == true { "allow" } else { "deny" };
        rows.push(Row { id: format!("path:{path}"), theirs, ours, about });
    }
    compare("path", &rows);
}

fn build(root: &std::path::Path) {
    let text =
        fs::read_to_string(repository().join("tests/openclaw/vectors/workspace-path-fixture.json")).unwrap();
    let fixture: Value = serde_json::from_str(&placed(&text, "@R@", root)).unwrap();
    let list =
        |name: &str| fixture[name].as_array().unwrap().iter().map(|item| root.join(item.as_str().unwrap()));
    let map = |name: &str| fixture[name].as_object().unwrap().iter();
    list("dirs").for_each(|path| fs::create_dir_all(path).unwrap());
    list("files").for_each(|path| fs::write(path, "content").unwrap());
    map("symlinks").for_each(|(link, target)| symlink(target.as_str().unwrap(), root.join(link)).unwrap());
    map("hardlinks")
        .for_each(|(link, file)| fs::hard_link(root.join(file.as_str().unwrap()), root.join(link)).unwrap());
}
