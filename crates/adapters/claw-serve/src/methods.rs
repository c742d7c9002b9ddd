//! Which method is which call of the core.

use std::sync::Arc;

use claw_wire::{Context, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::message::{Answered, RpcError, params};
use crate::{MAX_WORKERS, PROTOCOL, Session, exec, files, lines};

/// An answer, and what is to be done once it is on its way.
pub(crate) struct Done {
    pub(crate) answer: Value,
    pub(crate) then: Option<Box<dyn FnOnce() + Send>>,
}

impl Done {
    pub(crate) fn then(answer: Value, then: impl FnOnce() + Send + 'static) -> Self {
        Self { answer, then: Some(Box::new(then)) }
    }
}

impl From<Value> for Done {
    fn from(answer: Value) -> Self {
        Self { answer, then: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Initialize {
    protocol: u32,
    #[serde(default)]
    #[expect(dead_code, reason = "for whoever reads a trace; nothing depends on it")]
    client: Option<String>,
    /// Whether the peer answers `approval.ask`, by asking somebody in a way that the model cannot answer.
    #[serde(default)]
    approvals: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    request: Request,
}

/// The methods that are done where messages are read, so that nothing delays them. None of them waits. Gives back the
/// parameters of any other.
pub(crate) fn at_once(session: &Session, method: &str, given: Value) -> Result<Answered, Value> {
    Ok(match method {
        "initialize" => initialize(session, given),
        "exec.write" => exec::write(session, given),
        "exec.signal" => exec::signal(session, given),
        "exec.resize" => exec::resize(session, given),
        "exec.cancel" => exec::cancel(session, given),
        "exec.list" => exec::list(session),
        _ => return Err(given),
    })
}

/// The methods that may take long.
pub(crate) fn call(session: &Arc<Session>, method: &str, given: Value) -> Result<Done, RpcError> {
    match method {
        "exec" => exec::start(session, given),
        "decide" => decide(session, given).map(Done::from),
        _ => match method.strip_prefix("file.") {
            Some(operation) => files::call(session, operation, given).map(Done::from),
            None => Err(no_method(method)),
        },
    }
}

pub(crate) fn no_method(method: &str) -> RpcError {
    RpcError::new(-32601, format!("there is no method {method:?}"))
}

fn initialize(session: &Session, given: Value) -> Answered {
    let Initialize { protocol, approvals, .. } = params(given)?;
    if protocol != PROTOCOL {
        let message = format!("this is protocol {PROTOCOL}; the peer speaks {protocol}");
        return Err(RpcError::named(-32602, message, "serve.protocol", false));
    }
    if approvals {
        session.asker.use_peer(&session.outbox);
    }
    Ok(json!({
        "protocol": PROTOCOL,
        "server": { "name": "claw-sandbox", "version": env!("CARGO_PKG_VERSION") },
        "limits": { "lineBytes": lines::MAX_LINE, "requests": MAX_WORKERS },
        "workspace": session.proxy.sandbox().policy().workspace(),
    }))
}

/// `decide`: what would be answered. It is recorded, like every decision, and nothing is done.
fn decide(session: &Session, given: Value) -> Answered {
    let Decide { request } = params(given)?;
    let decided = session.proxy.decide(&session.believed(request));
    session.proxy.note(&decided).map_err(|error| RpcError::start(&error))?;
    serde_json::to_value(decided.decision()).map_err(|error| RpcError::new(-32603, error.to_string()))
}

/// The file operations of a context, in a directory.
pub(crate) fn files_of(
    session: &Session,
    context: &Context,
    cwd: Option<&claw_wire::Bytes>,
) -> claw_sandbox::Files {
    let files = session.proxy.files(context);
    match cwd {
        Some(cwd) => files.in_directory(files::path(cwd)),
        None => files,
    }
}
