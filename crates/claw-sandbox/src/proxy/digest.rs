//! What an answer to a question is bound to.
#![forbid(unsafe_code)]

use claw_policy::{Policy, ProgramFact};
use claw_wire::{Action, Context, Request};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// SHA-256 of what would be done, for whom and under which policy, hexadecimal.
///
/// The request's id and the ids of the session and the call are not in it: a retry has others. The program is in it by its identity: one
/// that was replaced is another one.
pub(super) fn of(
    request: &Request,
    cwd: &std::path::Path,
    program: Option<&ProgramFact>,
    policy: &Policy,
) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let plain = Request { id: None, cwd: None, context: Context::default(), action: request.action.clone() };
    let Request { context: Context { host, principal, chat, channel, agent, .. }, .. } = request;
    let program = program
        .map(|program| json!([program.real.as_os_str().as_bytes(), program.id.device, program.id.inode]));
    let bound = json!({
        "action": kind(&request.action),
        "request": plain,
        "cwd": cwd.as_os_str().as_bytes(),
        "context": [host, principal, chat, channel, agent],
        "program": program,
        "policy": policy_digest(policy),
    });
    crate::audit::digest(bound.to_string().as_bytes())
}

const fn kind(action: &Action) -> &'static str {
    match action {
        Action::Exec(_) => "exec",
        Action::File(_) => "file",
        Action::Opaque(_) => "opaque",
    }
}

/// The texts and the workspace: what of the world they mean is decided when it is done.
fn policy_digest(policy: &Policy) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut hash = Sha256::new();
    let workspace = policy.workspace().map(|workspace| workspace.as_os_str().as_bytes());
    let texts =
        policy.sources().iter().flat_map(|source| [source.name().as_bytes(), source.text().as_bytes()]);
    for part in texts.chain(workspace) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    crate::audit::hexadecimal(&hash.finalize())
}
