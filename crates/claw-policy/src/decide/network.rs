//! Network requests: may this address be reached?

use crate::{Code, Decision, Denial, Grant, NetworkGrant, NetworkRequest, Policy, Reason};

pub(super) fn decide(policy: &Policy, request: &NetworkRequest) -> Decision {
    match judge(policy, request) {
        Ok(reasons) => Decision::Allow(Grant::Network(NetworkGrant { reasons })),
        Err(reasons) => Decision::Deny(Denial { reasons, commands: Vec::new() }),
    }
}

/// The reasons why the address may be reached, or why not.
pub(super) fn judge(_policy: &Policy, _request: &NetworkRequest) -> Result<Vec<Reason>, Vec<Reason>> {
    Err(vec![Reason::new(Code::NetworkDenied, "not decided yet")])
}
