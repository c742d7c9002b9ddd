//! File operations. Each is decided and recorded by the core on what it opens.

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use claw_sandbox::{FileError, FileStatus, FileType, Files, Patched, Replacement, Search, WriteMode};
use claw_wire::{Bytes, Context};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::Session;
use crate::message::{Answered, RpcError, params};
use crate::methods::{files_of, no_method};

/// Entries and matches in one answer.
const MOST: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    path: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    path: Bytes,
    #[serde(default)]
    offset: u64,
    length: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadLines {
    path: Bytes,
    /// The first line is 1.
    first: u64,
    count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    path: Bytes,
    content: Bytes,
    #[serde(default)]
    mode: Mode,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Create,
    #[default]
    Replace,
    Append,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    path: Bytes,
    edits: Vec<OneEdit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneEdit {
    old: Bytes,
    new: Bytes,
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    patch: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    path: Bytes,
    #[serde(default)]
    recursive: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromTo {
    from: Bytes,
    to: Bytes,
    /// Whether what is at `to` is replaced.
    #[serde(default)]
    replace: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    path: Bytes,
    target: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetMode {
    path: Bytes,
    mode: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Glob {
    path: Bytes,
    pattern: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grep {
    path: Bytes,
    pattern: String,
    #[serde(default)]
    ignore_case: bool,
    files: Option<String>,
}

/// The bytes as a path.
pub(crate) fn path(bytes: &Bytes) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&bytes.0))
}

/// Does one operation. Where relative paths start and who asks are beside the operation's own parameters.
pub(crate) fn call(session: &Session, operation: &str, given: Value) -> Answered {
    let mut given = match given {
        Value::Object(given) => given,
        Value::Null => Map::new(),
        _ => return Err(RpcError::new(-32602, "`params` is an object")),
    };
    let cwd: Option<Bytes> = given.remove("cwd").map(params).transpose()?;
    let context: Context = given.remove("context").map(params).transpose()?.unwrap_or_default();
    let files = files_of(session, &context, cwd.as_ref());
    let given = Value::Object(given);
    match operation {
        "read" => with(given, |read: Read| content(&files, &read)),
        "lines" => with(given, |lines: ReadLines| {
            let read = files.read_lines(path(&lines.path), lines.first.max(1), lines.count)?;
            Ok(json!({ "content": Bytes(read.text), "count": read.count, "more": read.more }))
        }),
        "write" => with(given, |write: Write| {
            let mode = match write.mode {
                Mode::Create => WriteMode::Create,
                Mode::Replace => WriteMode::Replace,
                Mode::Append => WriteMode::Append,
            };
            files.write(path(&write.path), &write.content.0, mode).map(done)
        }),
        "edit" => with(given, |edit: Edit| {
            let replacement = |edit: OneEdit| Replacement { old: edit.old.0, new: edit.new.0, all: edit.all };
            let replacements: Vec<_> = edit.edits.into_iter().map(replacement).collect();
            let edited = files.edit(path(&edit.path), &replacements)?;
            Ok(json!({ "diff": edited.diff, "replaced": edited.replaced }))
        }),
        "patch" => with(given, |patch: Patch| files.patch(&patch.patch.0).map(|patched| patches(&patched))),
        "status" => with(given, |at: At| files.status(path(&at.path)).map(|found| status(&found))),
        "list" => with(given, |at: At| {
            let entry = |(name, found): (std::ffi::OsString, FileStatus)| {
                let mut entry = status(&found);
                if let Some(fields) = entry.as_object_mut() {
                    fields.insert("name".to_owned(), json!(Bytes::from(name.as_bytes())));
                }
                entry
            };
            let entries = files.list(path(&at.path))?;
            Ok(json!({ "entries": entries.into_iter().map(entry).collect::<Vec<_>>() }))
        }),
        "walk" => with(given, |at: At| walk(&files, &path(&at.path))),
        "glob" => with(given, |glob: Glob| {
            let found = files.glob(path(&glob.path), &glob.pattern)?;
            Ok(json!({ "paths": found.iter().map(|path| name(path)).collect::<Vec<_>>() }))
        }),
        "grep" => with(given, |search: Grep| grep(&files, &search)),
        "mkdir" => with(given, |at: At| files.make_directory(path(&at.path)).map(done)),
        "remove" => with(given, |remove: Remove| {
            let at = path(&remove.path);
            if remove.recursive { files.remove_tree(at) } else { files.remove(at) }.map(done)
        }),
        "rename" => {
            with(given, |pair: FromTo| files.rename(path(&pair.from), path(&pair.to), pair.replace).map(done))
        }
        "copy" => {
            with(given, |pair: FromTo| files.copy(path(&pair.from), path(&pair.to), pair.replace).map(done))
        }
        "symlink" => with(given, |link: Link| files.link(path(&link.target), path(&link.path)).map(done)),
        "chmod" => with(given, |set: SetMode| files.set_mode(path(&set.path), set.mode).map(done)),
        _ => Err(no_method(&format!("file.{operation}"))),
    }
}

fn with<T: DeserializeOwned>(given: Value, act: impl FnOnce(T) -> Result<Value, FileError>) -> Answered {
    act(params(given)?).map_err(|error| RpcError::file(&error))
}

fn done<T>(_: T) -> Value {
    json!({})
}

fn content(files: &Files, read: &Read) -> Result<Value, FileError> {
    let at = path(&read.path);
    let whole = read.offset == 0 && read.length.is_none();
    let content = if whole {
        files.read(at)?
    } else {
        let end = read.length.map_or(u64::MAX, |length| read.offset.saturating_add(length));
        files.read_range(at, read.offset..end)?
    };
    Ok(json!({ "content": Bytes(content) }))
}

fn walk(files: &Files, top: &Path) -> Result<Value, FileError> {
    let mut entries = Vec::new();
    let searched = files.walk(top, |entry| {
        entries.push(json!({ "path": name(&entry.path), "type": kind(entry.kind) }));
        if entries.len() < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(json!({ "entries": entries, "unread": searched.unread, "more": searched.ended_early }))
}

fn grep(files: &Files, given: &Grep) -> Result<Value, FileError> {
    let mut search = Search::new(&given.pattern, given.ignore_case)?.most(MOST);
    if let Some(names) = &given.files {
        search = search.in_files(names)?;
    }
    let (matches, searched) = files.grep(path(&given.path), &search)?;
    let shown = |found: &claw_sandbox::Match| json!({ "path": name(&found.path), "line": found.line, "text": Bytes(found.text.clone()) });
    let matches: Vec<_> = matches.iter().map(shown).collect();
    Ok(json!({ "matches": matches, "unread": searched.unread, "more": searched.ended_early }))
}

fn patches(patched: &[Patched]) -> Value {
    let entry = |change: &Patched| match change {
        Patched::Created(path) => json!({ "created": name(path) }),
        Patched::Removed(path) => json!({ "removed": name(path) }),
        Patched::Changed(path) => json!({ "changed": name(path) }),
        _ => json!({}),
    };
    json!({ "files": patched.iter().map(entry).collect::<Vec<_>>() })
}

fn name(path: &Path) -> Bytes {
    Bytes::from(path.as_os_str().as_bytes())
}

fn status(found: &FileStatus) -> Value {
    json!({
        "type": kind(found.kind),
        "size": found.size,
        "mode": found.mode,
        "modified": { "seconds": found.modified.0, "nanoseconds": found.modified.1 },
        "links": found.links,
        "target": found.target.as_deref().map(name),
    })
}

const fn kind(kind: FileType) -> &'static str {
    match kind {
        FileType::File => "file",
        FileType::Directory => "directory",
        FileType::Link => "symlink",
        _ => "special",
    }
}
