//! What agents' hosts and the sandbox say to each other, as data.
//!
//! An adapter turns what its host says into a [`Request`] and a [`Decision`] into what its host understands. Both are
//! plain values with a JSON form; nothing here decides, and nothing here touches the world.
//!
//! What is not said is unknown, and what is unknown gets the least. A field that nobody knows is an error, and so is a
//! name that is too long: a message that is half understood is not understood.
//!
//! ```
//! use claw_wire::{Action, Chat, Principal, Request};
//!
//! let request: Request = serde_json::from_str(
//!     r#"{"cwd": "/srv/work", "exec": {"command": "git status"}, "context": {"host": "openclaw", "chat": "group"}}"#,
//! )?;
//! assert!(matches!(request.action, Action::Exec(_)));
//! assert_eq!(request.context.chat, Chat::Group);
//! assert_eq!(request.context.principal, Principal::Unknown);
//! # Ok::<(), serde_json::Error>(())
//! ```
#![forbid(unsafe_code)]

mod bytes;
mod context;
mod decision;
mod file_action;
mod identifier;
mod object;
mod request;
mod schema;
pub mod tools;
mod variables;
mod visible;

pub use bytes::Bytes;
pub use context::{AskSurface, Chat, Context, Principal, Trust};
pub use decision::{Answer, Decision, Effect, Question};
pub use file_action::{FileAction, unknown_action};
pub use identifier::{Identifier, InvalidIdentifier, MAX_IDENTIFIER};
pub use request::{Action, Exec, File, Opaque, Request};
pub use schema::{decision_schema, request_schema};
pub use variables::is_reserved_variable;
pub use visible::visible;
