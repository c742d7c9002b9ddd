//! The same questions to OpenClaw and to us.
//!
//! `vectors/` holds what OpenClaw answered (see the README there). Each question goes through the real decision, with
//! the policy that `claw-import` makes of OpenClaw's settings, over a real tree. Where the answers differ,
//! `docs/openclaw-differences.jsonl` says why: a difference that is not listed fails, and so does a listed one that is none.
#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod differences;
mod environment;
mod exec;
mod files;
mod globs;
mod place;
mod redaction;
