//! JSON-RPC 2.0, as far as it is used: single messages, no batches.

use claw_sandbox::{Error, ErrorKind, FileError};
use claw_wire::Decision;
use serde::Deserialize;
use serde_json::{Value, json};

/// A request's id, as it was sent: a number or a string.
pub(crate) type Id = Value;

/// What came.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A request, or a notification when it has no id.
    Call { id: Option<Id>, method: String, params: Value },
    /// The answer to a request of ours; `None` is an error.
    Answer { id: String, result: Option<Value> },
}

/// An error, as the peer gets it.
#[derive(Debug)]
pub(crate) struct RpcError {
    code: i64,
    message: String,
    data: Value,
}

/// What a method gives back.
pub(crate) type Answered = Result<Value, RpcError>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    jsonrpc: String,
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<Value>,
}

/// `null` is a value that was given.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads one message, or says to whom the error goes.
pub(crate) fn read(text: &[u8]) -> Result<Incoming, (Option<Id>, RpcError)> {
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| (None, RpcError::new(-32700, format!("not JSON: {error}"))))?;
    let id = value.get("id").filter(|id| is_id(id)).cloned();
    let invalid = |what: String| (id.clone(), RpcError::new(-32600, what));
    let message: Message = serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
    if message.jsonrpc != "2.0" {
        return Err(invalid("`jsonrpc` has to be \"2.0\"".to_owned()));
    }
    match message {
        Message { method: Some(method), result: None, error: None, params, id: given, .. } => {
            if given.as_ref().is_some_and(|given| !is_id(given)) {
                return Err(invalid("`id` is a string or an integer".to_owned()));
            }
            Ok(Incoming::Call { id: given, method, params })
        }
        Message { method: None, id: Some(Value::String(id)), result, error, .. }
            if result.is_some() != error.is_some() =>
        {
            Ok(Incoming::Answer { id, result })
        }
        _ => Err(invalid("neither a request nor an answer to one of ours".to_owned())),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

/// The answer to a request.
pub(crate) fn answer(id: &Id, answered: Answered) -> Value {
    match answered {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => error.answer(Some(id.clone())),
    }
}

/// Something that wants no answer.
pub(crate) fn notification(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// The parameters of a method.
pub(crate) fn params<'de, T: Deserialize<'de>>(params: Value) -> Result<T, RpcError> {
    let params = if params.is_null() { json!({}) } else { params };
    T::deserialize(params).map_err(|error| RpcError::new(-32602, error.to_string()))
}

impl RpcError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: Value::Null }
    }

    /// With a name that does not change, and whether the same request may be answered otherwise later.
    pub(crate) fn named(code: i64, message: impl Into<String>, name: &str, retryable: bool) -> Self {
        Self { code, message: message.into(), data: json!({ "code": name, "retryable": retryable }) }
    }

    pub(crate) fn too_long() -> Self {
        Self::named(
            -32600,
            format!("the line is longer than {} bytes", crate::lines::MAX_LINE),
            "serve.line-too-long",
            false,
        )
    }

    pub(crate) fn busy() -> Self {
        let message = "as many requests are being worked on as can be; wait for one of them";
        Self::named(-32005, message, "serve.busy", true)
    }

    /// A denial: data, so that a model need not read English.
    pub(crate) fn denied(decision: &Decision) -> Self {
        let data = serde_json::to_value(decision).unwrap_or_default();
        Self { code: -32001, message: decision.line(), data }
    }

    pub(crate) fn file(error: &FileError) -> Self {
        let mut data = json!({ "code": error.code(), "retryable": false });
        if let (Some(fields), Some(denial)) = (data.as_object_mut(), error.denial()) {
            let rule = denial.reasons.first().and_then(|reason| reason.rule.as_ref());
            fields.insert("rule".to_owned(), rule.map(ToString::to_string).into());
        }
        let code = if error.denial().is_some() { -32001 } else { -32004 };
        Self { code, message: error.to_string(), data }
    }

    /// What keeps a command from starting, when no rule does.
    pub(crate) fn start(error: &Error) -> Self {
        let (code, name) = match error.kind() {
            ErrorKind::NotFound => (-32003, "exec.not-found"),
            ErrorKind::NotExecutable => (-32003, "exec.not-executable"),
            _ => (-32002, "exec.cannot-enforce"),
        };
        Self::named(code, error.to_string(), name, false)
    }

    pub(crate) fn answer(self, id: Option<Id>) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(fields) = error.as_object_mut().filter(|_| !self.data.is_null()) {
            fields.insert("data".to_owned(), self.data);
        }
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_told_with_the_id_where_there_is_one() {
        for (text, code, id) in [
            ("{", -32700, Value::Null),
            ("\"\\xff\"", -32700, Value::Null),
            ("[]", -32600, Value::Null),
            (r#"{"id":1,"method":"x"}"#, -32600, json!(1)),
            (r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, -32600, json!(1)),
            (r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#, -32600, Value::Null),
            (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, -32600, Value::Null),
            (r#"{"jsonrpc":"2.0","id":"a","method":"x","extra":1}"#, -32600, json!("a")),
            (r#"{"jsonrpc":"2.0","id":"a","result":1,"error":{}}"#, -32600, json!("a")),
        ] {
            let (to, error) = read(text.as_bytes()).unwrap_err();
            assert_eq!((error.code, to.unwrap_or_default()), (code, id), "{text}");
        }
    }

    #[test]
    fn calls_notifications_and_answers_are_told_apart() {
        let call = read(br#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1}}"#).unwrap();
        assert!(matches!(call, Incoming::Call { id: Some(_), .. }));
        let call = read(br#"{"jsonrpc":"2.0","method":"x"}"#).unwrap();
        assert!(matches!(call, Incoming::Call { id: None, .. }));
        let answer = read(br#"{"jsonrpc":"2.0","id":"q1","result":null}"#).unwrap();
        assert!(matches!(answer, Incoming::Answer { result: Some(Value::Null), .. }));
        let answer = read(br#"{"jsonrpc":"2.0","id":"q1","error":{"code":1,"message":"x"}}"#).unwrap();
        assert!(matches!(answer, Incoming::Answer { result: None, .. }));
    }
}
