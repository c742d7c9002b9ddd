//! Other names of files, and the members of directories.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use claw_policy::{Code, Denial, FileId, Reason, Touch, TouchRequest};
use nix::errno::Errno;

use super::super::{Oversight, Watch};
use super::own_name;
use super::place::Object;

/// The most entries that are looked at. What is not known as a whole is not moved and not written by a second name.
const LIMIT: usize = 1_000_000;

/// How long it is remembered which files may not be changed by another name. A run cannot give such a file a name
/// that is not judged; what somebody else does meanwhile is found after that time.
const KEPT: Duration = Duration::from_secs(5);

/// Files with several names, one of which may not be changed.
#[derive(Debug, Default)]
pub(crate) struct Links(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    since: Instant,
    /// For whom: each run has its own.
    oversight: Arc<dyn Oversight>,
    /// `None` when the trees are too large to be known.
    denied: Option<HashMap<FileId, (PathBuf, Denial)>>,
}

impl Links {
    /// Why a file with several names may not be changed.
    pub(super) fn denial(&self, id: FileId, path: &Path, watch: &Watch) -> Option<(PathBuf, Denial)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|known| {
            known.since.elapsed() > KEPT || !Arc::ptr_eq(&known.oversight, &watch.oversight)
        }) {
            *known = Some(Known {
                denied: denied(watch),
                since: Instant::now(),
                oversight: Arc::clone(&watch.oversight),
            });
        }
        match known.as_ref().and_then(|known| known.denied.as_ref()) {
            Some(denied) => denied.get(&id).cloned(),
            None => {
                Some((path.to_owned(), unknown(path, "is one of several names of a file, and the others")))
            }
        }
    }
}

fn denied(watch: &Watch) -> Option<HashMap<FileId, (PathBuf, Denial)>> {
    let mut denied = HashMap::new();
    let mut left = LIMIT;
    for root in watch.writable.iter() {
        visit(root, &mut left, &mut |path, metadata| {
            if metadata.is_file() && metadata.nlink() > 1 {
                let id = id_of(metadata);
                let request = TouchRequest { path, id: Some(id), touch: Touch::Change };
                if let Err(denial) = watch.oversight.touch(&request) {
                    denied.insert(id, (path.to_owned(), denial));
                }
            }
        })
        .ok()?;
    }
    Some(denied)
}

/// Why what is not known as a whole is refused.
pub(super) fn unknown(path: &Path, what: &str) -> Denial {
    let message = format!(
        "`{}` {what} cannot all be known: there are more than {LIMIT} entries, or some cannot be read",
        path.display()
    );
    let reason =
        Reason { code: Code::FileUnresolved, message: message.into(), rule: None, span: None, change: None };
    Denial { reasons: vec![reason], commands: Vec::new() }
}

/// Everything beneath a directory, by its name from there.
pub(super) fn members(directory: &Object) -> nix::Result<Vec<(PathBuf, FileId)>> {
    let name = own_name(directory);
    let top = PathBuf::from(name.to_string_lossy().into_owned()).join(".");
    let mut members = Vec::new();
    let mut left = LIMIT;
    visit(&top, &mut left, &mut |path, metadata| {
        if let Ok(name) = path.strip_prefix(&top) {
            members.push((name.to_owned(), id_of(metadata)));
        }
    })?;
    Ok(members)
}

fn visit(top: &Path, left: &mut usize, found: &mut dyn FnMut(&Path, &fs::Metadata)) -> nix::Result<()> {
    let mut pending = vec![top.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // It has been removed meanwhile, or is a root that is a file or not there.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => continue,
            Err(_) => return Err(Errno::EACCES),
        };
        for entry in entries {
            let entry = entry.map_err(|_| Errno::EACCES)?;
            *left = left.checked_sub(1).ok_or(Errno::E2BIG)?;
            let Ok(metadata) = entry.metadata() else { continue };
            let path = entry.path();
            found(&path, &metadata);
            if metadata.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(())
}

fn id_of(metadata: &fs::Metadata) -> FileId {
    FileId { device: metadata.dev(), inode: metadata.ino() }
}
