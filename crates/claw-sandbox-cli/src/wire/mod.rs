//! The JSON that programs exchange with this command.

mod answer;
pub(crate) mod outcome;
mod request;
mod secret;
mod subset;

pub(crate) use answer::{Answer, ErrorAnswer, ExplainedAnswer, name, reasons};
pub(crate) use claw_wire::{Bytes, Exec, unknown_action};
pub(crate) use request::{Id, PolicyText, Question, WireFacts, WireRequest};
pub(crate) use secret::{Findings, TextRequest, WireFinding, unknown_text_kind};
pub(crate) use subset::{SubsetAnswer, request as wire_request};
