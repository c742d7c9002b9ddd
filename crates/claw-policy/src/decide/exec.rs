//! Placeholder until the rules of semantics are in.
use super::world::World;
use crate::{Code, Decision, Denial, Policy, Reason};

pub(super) fn decide(_policy: &Policy, _world: &World<'_>, _request: &crate::ExecRequest<'_>) -> Decision {
    Decision::Deny(Denial {
        reasons: vec![Reason {
            code: Code::ExecNotAllowlisted,
            message: "not decided yet".into(),
            rule: None,
            span: None,
            change: None,
        }],
        commands: Vec::new(),
    })
}
