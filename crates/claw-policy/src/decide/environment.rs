//! Placeholder until the rules of semantics are in.
use crate::{Code, Decision, Denial, Policy, Reason};

pub(super) fn decide(_policy: &Policy, _name: &[u8]) -> Decision {
    Decision::Deny(Denial {
        reasons: vec![Reason {
            code: Code::EnvironmentNotPassed,
            message: "not decided yet".into(),
            rule: None,
            span: None,
            change: None,
        }],
        commands: Vec::new(),
    })
}
