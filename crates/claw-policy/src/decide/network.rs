//! Placeholder until the rules of semantics are in.
use crate::{Code, Decision, Denial, NetworkRequest, Policy, Reason};

pub(super) fn decide(_policy: &Policy, _request: &NetworkRequest) -> Decision {
    Decision::Deny(Denial {
        reasons: vec![Reason {
            code: Code::NetworkDenied,
            message: "not decided yet".into(),
            rule: None,
            span: None,
            change: None,
        }],
        commands: Vec::new(),
    })
}
