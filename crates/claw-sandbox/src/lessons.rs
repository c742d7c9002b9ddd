//! Keeps what was refused, so that a policy can be changed to allow it.
#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use claw_policy::{
    Code, Denial, FileAction, Lesson, NetworkRule, Policy, ProgramFact, Protocol, Refusal, Refused,
};

/// A run that is refused more than this is refused as a whole.
const MOST: usize = 10_000;

/// What was refused to the runs of a sandbox. Empty, and free, unless somebody wants to learn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lessons(Option<Arc<Mutex<Vec<Refusal>>>>);

impl Lessons {
    /// Keeps refusals from now on.
    pub(crate) fn kept() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether refusals are kept.
    pub(crate) const fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// A command was refused.
    pub(crate) fn command(&self, program: Option<&ProgramFact>, argv: &[Vec<u8>], denial: &Denial) {
        self.add(denial, || Refused::Command { program: program.cloned(), argv: argv.to_vec() });
    }

    /// A call on a file was refused.
    pub(crate) fn file(&self, action: FileAction, path: &Path, denial: &Denial) {
        self.add(denial, || Refused::File { action, path: path.to_owned() });
    }

    /// An address was refused.
    pub(crate) fn address(&self, protocol: Protocol, address: std::net::SocketAddr, denial: &Denial) {
        let host = Some(address.ip().to_string());
        self.add(denial, || {
            Refused::Network(NetworkRule { protocol: Some(protocol), port: Some(address.port()), host })
        });
    }

    /// The change that would have let everything through.
    pub(crate) fn lesson(&self, policy: &Policy) -> Lesson {
        let kept = self.0.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone());
        claw_policy::learn(policy, &kept.unwrap_or_default())
    }

    fn add(&self, denial: &Denial, what: impl FnOnce() -> Refused) {
        let Some(kept) = &self.0 else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST {
            let code = denial.reasons.first().map_or(Code::ExecNotAllowlisted, |reason| reason.code);
            kept.push(Refusal { what: what(), code });
        }
    }
}
