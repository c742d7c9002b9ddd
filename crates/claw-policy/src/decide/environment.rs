//! Environment variables: which of the caller's pass, and what we set ourselves.

use crate::{Code, Decision, Denial, Environment, EnvironmentGrant, Grant, Policy, Reason};

pub(super) fn decide(policy: &Policy, name: &[u8]) -> Decision {
    match judge(policy, name) {
        Ok(reasons) => Decision::Allow(Grant::Environment(EnvironmentGrant { reasons })),
        Err(reasons) => Decision::Deny(Denial { reasons, commands: Vec::new() }),
    }
}

/// May a variable of this name be passed or set for a command? The reasons of the answer.
pub(super) fn judge(_policy: &Policy, _name: &[u8]) -> Result<Vec<Reason>, Vec<Reason>> {
    Err(vec![Reason::new(Code::EnvironmentNotPassed, "not decided yet")])
}

/// The whole environment of a run, made from what the caller asks to pass, and the names that were stripped.
#[expect(dead_code, reason = "until exec uses it")]
pub(super) fn build(_policy: &Policy, caller: &Environment) -> (Environment, Vec<Vec<u8>>) {
    (Vec::new(), caller.iter().map(|(name, _)| name.clone()).collect())
}
