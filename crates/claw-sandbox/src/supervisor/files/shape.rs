//! Changes of what is, or becomes, a repository: what calls are judged by beside their own path.
//!
//! Where a `HEAD` appears beside settings that are harmless these are made anew, so that nobody has them open.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use claw_policy::{Denial, Touch, TouchRequest};

use super::call::Operation;
use super::place::Place;
use super::{Refusal, Result, Task};
use crate::repository::Shape;

/// What may be there when a `HEAD` appears, if its content is harmless.
const MADE_ANEW: [&CStr; 2] = [c"config", c"commondir"];

impl Task<'_> {
    /// Judges a change of a repository's part as that of the same part in a `.git`.
    pub(super) fn judge_part(&self, path: &Path, is_there: bool) -> Result<()> {
        self.shape(|shape| {
            if shape.matters(path) {
                self.alone()?;
            }
            shape.judge_part(path).map_err(|denial| refusal(path, is_there, denial))
        })
    }

    /// Judges that a name appears which may make a repository of the directory.
    pub(super) fn judge_mark<'p>(&self, place: &'p Place) -> Result<Option<Mark<'p>>> {
        self.shape(|shape| {
            if !shape.matters(&place.path) {
                return Ok(None);
            }
            self.alone()?;
            let mut mark = Mark { place, parts: Vec::new() };
            for obstacle in shape.obstacles(&place.path) {
                let path = place.path.with_file_name(obstacle.name);
                let part = MADE_ANEW.into_iter().find(|part| part.to_bytes() == obstacle.name.as_bytes());
                let Some(part) = part else { return Err(refusal(&path, true, obstacle.denial)) };
                // Where it was protected by its name nobody has it open.
                let request = TouchRequest { path: &path, id: None, touch: Touch::Change };
                if self.watch.oversight.touch(&request).is_err() {
                    continue;
                }
                if !self.is_harmless_part(place, part, path.clone())? {
                    return Err(refusal(&path, true, obstacle.denial));
                }
                mark.parts.push((part, obstacle.denial));
            }
            Ok(Some(mark))
        })
    }

    /// Makes anew what is there before a mark appears, once it is recorded that this is allowed.
    pub(super) fn make_anew(&self, operation: &Operation, mark: Option<Mark<'_>>) -> Result<()> {
        let Some(Mark { place, parts }) = mark else { return Ok(()) };
        for (part, _) in &parts {
            self.allowed(operation, &path_of(place, part), true)?;
        }
        for (part, denial) in parts {
            if !self.make_fresh(place, part, path_of(place, part))? {
                return Err(refusal(&path_of(place, part), true, denial));
            }
        }
        Ok(())
    }

    /// Judges that a name goes away without which what a worktree depends on would be protected no longer.
    pub(super) fn judge_unmark(&self, path: &Path) -> Result<()> {
        self.shape(|shape| shape.judge_unmark(path)).map_err(|denial| refusal(path, true, denial))
    }

    /// Judges a member of a directory that moves.
    pub(super) fn judge_moved(&self, member: &Path, to: &Path) -> Result<()> {
        let judged = self.shape(|shape| shape.judge_moved(member, to));
        judged.map_err(|denial| refusal(&to.join(member), true, denial))
    }

    /// Judges that a link appears.
    pub(super) fn judge_link(&self, path: &Path) -> Result<()> {
        self.shape(|shape| shape.judge_link(path)).map_err(|denial| refusal(path, false, denial))
    }

    /// Judges the links in a directory that moves.
    pub(super) fn judge_links_in(&self, from: &Path, to: &Path) -> Result<()> {
        self.shape(|shape| shape.judge_links_in(from, to)).map_err(|denial| refusal(to, true, denial))
    }

    fn shape<T>(&self, judge: impl FnOnce(&Shape<'_>) -> T) -> T {
        judge(&Shape::new(&|request| self.watch.oversight.touch(request)))
    }
}

/// A name that makes a repository of its directory, and what lies there that others may have open.
pub(super) struct Mark<'p> {
    place: &'p Place,
    parts: Vec<(&'static CStr, Denial)>,
}

fn path_of(place: &Place, part: &CStr) -> PathBuf {
    place.path.with_file_name(part.to_string_lossy().as_ref())
}

fn refusal(path: &Path, is_there: bool, denial: Denial) -> Refusal {
    Refusal::Denied { path: path.to_owned(), is_there, denial }
}
