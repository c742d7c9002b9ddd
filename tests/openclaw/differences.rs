//! Answers that are compared, and the list of those that may differ.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One question with both answers.
#[derive(Debug)]
pub(crate) struct Row {
    /// Names the question among all vectors.
    pub(crate) id: String,
    pub(crate) theirs: &'static str,
    pub(crate) ours: &'static str,
    /// What was asked, and why we answered so.
    pub(crate) about: String,
}

pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of a file of vectors.
pub(crate) fn vectors(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(repository().join("tests/openclaw/vectors").join(name)).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The list: for each id both answers and a reason.
fn listed() -> BTreeMap<String, (String, String)> {
    let text = fs::read_to_string(repository().join("docs/openclaw-differences.jsonl")).unwrap();
    let field = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let id = field(&row, "id");
        assert!(field(&row, "reason").len() > 10, "{id}: a difference needs a reason");
        let replaced = rows.insert(id.clone(), (field(&row, "theirs"), field(&row, "ours")));
        assert!(replaced.is_none(), "{id} is listed twice");
    }
    rows
}

/// Fails when the rows differ in another way than the list says. `group` is how their ids begin.
pub(crate) fn compare(group: &str, rows: &[Row]) {
    let mut listed: BTreeMap<_, _> =
        listed().into_iter().filter(|(id, _)| id.starts_with(&format!("{group}:"))).collect();
    let mut wrong = Vec::new();
    for row in rows {
        assert!(row.id.starts_with(&format!("{group}:")), "{}", row.id);
        let expected = listed.remove(&row.id);
        let found = (row.theirs != row.ours).then(|| (row.theirs.to_owned(), row.ours.to_owned()));
        if expected != found {
            let line = serde_json::json!({ "id": row.id, "theirs": row.theirs, "ours": row.ours, "about": row.about });
            wrong.push(match expected {
                Some(_) if found.is_none() => format!("listed, and no difference: {line}"),
                _ => format!("not listed: {line}"),
            });
        }
    }
    wrong.extend(listed.keys().map(|id| format!("listed, and not asked: {id}")));
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// `text` with the fixture's root in place of a mark.
pub(crate) fn placed(text: &str, mark: &str, root: &Path) -> String {
    text.replace(mark, root.to_str().unwrap())
}
