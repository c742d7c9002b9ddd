//! File requests: may this file be touched?

use std::path::PathBuf;

use super::world::World;
use crate::{Code, Decision, Denial, FileGrant, FileRequest, Grant, Policy, Reason, ResolvedPath};

/// What the rules say of a file request, before it becomes a decision of its own or a part of a
/// command's (a redirection, an output option).
#[derive(Debug)]
pub(super) enum FileJudgement {
    /// Every layer allows it.
    Allow(FileAllowance),
    /// It may not happen; most important reason first, never empty.
    Deny(Vec<Reason>),
}

/// An allowed file request with what was looked at.
#[derive(Debug)]
pub(super) struct FileAllowance {
    pub(super) reasons: Vec<Reason>,
    /// The root that it falls in, canonical.
    pub(super) root: PathBuf,
    pub(super) path: ResolvedPath,
    pub(super) to: Option<ResolvedPath>,
}

pub(super) fn decide(policy: &Policy, world: &World<'_>, request: &FileRequest) -> Decision {
    match judge(policy, world, request) {
        FileJudgement::Allow(allowed) => Decision::Allow(Grant::File(FileGrant {
            action: request.action,
            path: allowed.path,
            to: allowed.to,
            root: allowed.root,
            reasons: allowed.reasons,
        })),
        FileJudgement::Deny(reasons) => Decision::Deny(Denial { reasons, commands: Vec::new() }),
    }
}

/// Judges a file request. Missing facts are recorded in `world`; the answer is then thrown away.
pub(super) fn judge(_policy: &Policy, _world: &World<'_>, _request: &FileRequest) -> FileJudgement {
    FileJudgement::Deny(vec![Reason::new(Code::FileOutside, "not decided yet")])
}
