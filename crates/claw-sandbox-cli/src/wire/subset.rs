//! `policy subset --json`.

use claw_policy::{Example, Excess, Protocol};
use claw_sandbox::{Containment, Counterexample};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, Bytes};

/// How one policy lies to another.
#[derive(Debug, Serialize)]
pub(crate) struct SubsetAnswer<'a> {
    subset: bool,
    /// A request in the form of `check --jsonl`, with both answers.
    counterexample: Option<WireCounterexample<'a>>,
    excesses: Vec<WireExcess<'a>>,
}

#[derive(Debug, Serialize)]
struct WireCounterexample<'a> {
    request: Value,
    inner: Answer<'a>,
    outer: Answer<'a>,
}

#[derive(Debug, Serialize)]
struct WireExcess<'a> {
    /// `right`: more may be done; `record`: less of it is recorded.
    kind: &'static str,
    message: &'a str,
    /// The rule that goes further, and the one that does not go so far: `policy.yaml:7:7`.
    inner: Option<String>,
    outer: Option<String>,
}

impl<'a> From<&'a Containment> for SubsetAnswer<'a> {
    fn from(containment: &'a Containment) -> Self {
        Self {
            subset: containment.is_within(),
            counterexample: containment.counterexample.as_ref().map(WireCounterexample::from),
            excesses: containment.excesses.iter().map(WireExcess::from).collect(),
        }
    }
}

impl<'a> From<&'a Counterexample> for WireCounterexample<'a> {
    fn from(found: &'a Counterexample) -> Self {
        let (inner, outer) = (Answer::new(None, &found.inner), Answer::new(None, &found.outer));
        Self { request: request(&found.request), inner, outer }
    }
}

impl<'a> From<&'a Excess> for WireExcess<'a> {
    fn from(excess: &'a Excess) -> Self {
        Self {
            kind: excess.kind.name(),
            message: &excess.message,
            inner: excess.inner.as_ref().map(ToString::to_string),
            outer: excess.outer.as_ref().map(ToString::to_string),
        }
    }
}

/// The request as `check --jsonl` reads it.
pub(crate) fn request(example: &Example) -> Value {
    match example {
        Example::Exec(argv) => {
            json!({ "exec": { "argv": argv.iter().map(|word| Bytes(word.clone())).collect::<Vec<_>>() } })
        }
        Example::File(request) => {
            json!({ "file": { "action": request.action.name(), "path": Bytes(request.path.clone()) } })
        }
        Example::Network(request) => {
            let protocol = match request.protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
            };
            json!({ "network": { "host": request.host, "port": request.port, "protocol": protocol } })
        }
        Example::Tool(name) => json!({ "opaque": { "tool": name } }),
        Example::Environment(name) => json!({ "environment": { "name": Bytes(name.clone()) } }),
    }
}
