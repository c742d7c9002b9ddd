//! Which role the processes of a run have.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use claw_policy::{FileId, Role};

use super::process::Mark;

/// The roles of a run by the marks of its processes.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    by_mark: HashMap<Mark, Option<Role>>,
    // Where execs are not verified: what was last allowed to execute a file.
    by_program: HashMap<FileId, Role>,
}

impl Roles {
    /// The role of a process. `None` when it is not known, or when the kernel gave two executions one mark, as it
    /// does without address randomisation.
    pub(crate) fn of(&self, mark: &Mark) -> Option<&Role> {
        self.by_mark.get(mark)?.as_ref()
    }

    /// Notes the role of a process that has just executed its program.
    pub(crate) fn note(&mut self, mark: Mark, role: Role) {
        match self.by_mark.entry(mark) {
            Entry::Vacant(entry) => {
                entry.insert(Some(role));
            }
            Entry::Occupied(mut entry) => {
                entry.insert(None);
            }
        }
    }

    /// Whether nothing has been noted yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_mark.is_empty()
    }

    /// The role that was last given to a process that executes this file.
    pub(crate) fn of_program(&self, program: FileId) -> Option<&Role> {
        self.by_program.get(&program)
    }

    /// Notes a role by the file, for want of an exec stop in which the process could be marked.
    pub(crate) fn note_program(&mut self, program: FileId, role: Role) {
        self.by_program.insert(program, role);
    }
}
