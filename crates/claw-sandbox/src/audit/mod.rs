//! The audit log: one JSON object a line, each sealed with a hash over itself and the line before.
//!
//! A decision is written before its run starts, and the outcome refers to it by `id`. Secrets in arguments are
//! replaced ([`redact_text`]), and of environment variables only the names are kept.
//!
//! # The chain
//!
//! A line ends with `"prev":"P","hash":"H"}`. `H` is the SHA-256 of the line's bytes before `,"hash"`, and `P` is the
//! `H` of the line before (zeros in the first). [`verify`] finds every line that was changed, removed, reordered or
//! inserted, as long as the writer of the change does not seal the rest of the log anew. Against that, and against
//! lines cut off at the end, note the head ([`Report::head`]) where the log's writer cannot reach it.
//!
//! # Several processes, crashes, rotation
//!
//! Processes share one chain: each append happens under a lock of the file. An append that is interrupted by a crash
//! leaves a last line without an end. The next append keeps it as it is, ends it, and writes a `log.recovered` event
//! with its length and hash, so that it is neither lost nor taken for a forgery. A log that reaches its size is
//! renamed to `NAME.SEQ` (the number of its first event), and the new file's first event carries the head over.
//!
//! No line is longer than 4 MiB: readers need no more memory than that, whatever the file holds.
#![forbid(unsafe_code)]

mod behind;
mod error;
mod event;
mod files;
mod lines;
mod log;
mod pending;
mod query;
mod redact;
mod seal;
#[cfg(test)]
mod tests;
mod verify;

pub use error::AuditError;
pub(crate) use event::{
    checkpoint, checkpoint_outcome, checkpoint_path, decision, descendant, file_decision, file_judged,
    file_outcome, flooded, given_up, lost_race, network, not_started, outcome, tool, touched,
};
pub use log::AuditLog;
pub(crate) use pending::{Body, Content, EventId, Pending};
pub use query::{Counts, Entries, Entry, Filter, Summary, entries, parse_time, summarize};
pub use redact::{redact_argv, redact_text};
pub use seal::Head;
pub(crate) use seal::{Fields, digest, hexadecimal, rendered};
pub use verify::{Finding, Report, verify};
