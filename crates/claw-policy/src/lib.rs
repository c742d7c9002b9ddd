//! One policy for commands and files.
//!
//! The pipeline of this crate: [`Source`] text is read into a [`Policy`] (every value remembers
//! where it was written), [`decide`] answers a [`Request`] with a [`Decision`], and an allow is a
//! [`Grant`] that carries everything the kernel has to enforce. The crate is pure: facts about the
//! world come in as a [`Facts`] value, and it never touches a file, the clock or the environment.
//!
//! # Facts
//!
//! `decide` asks for what it needs. A fact that is not there yet makes it return [`MissingFacts`]
//! with the [`Query`]s to answer; the caller answers them and asks again. `claw-sandbox` does so.
#![forbid(unsafe_code)]

mod accessors;
mod confinement;
mod context;
mod decide;
mod decision;
mod diagnostic;
mod document;
mod expand;
mod explain;
mod facts;
mod layer;
mod learn;
mod limits;
mod lint;
mod normal;
mod pattern;
mod policy;
mod profile;
mod request;
mod role;
mod schema;
mod source;

pub use confinement::{Access, Confinement, Floor, Guarantee, NetworkRule, Protocol, Root};
pub use context::Narrowing;
pub use decide::{
    Example, Excess, ExcessKind, Touch, TouchRequest, decide, decide_touch, descendant_queries, queries,
    subset,
};
pub use decision::{
    Code, Decision, Denial, DescendantGrant, EnvironmentGrant, ExecGrant, FileGrant, Grant, Message,
    MissingFacts, NetworkGrant, Question, Reason, RuleRef, ToolGrant,
};
pub use diagnostic::{Diagnostic, Severity};
pub use document::{Entry as TreeEntry, Node as TreeNode, Value as TreeValue, duration, read_tree};
pub use expand::Expansion;
pub use explain::{Change, Explanation, explain};
pub use facts::{FactError, Facts, FileId, FileKind, PathFact, ProgramFact, Query, ResolvedPath, TreeFact};
pub use layer::{Layer, LayerKind, compile};
pub use learn::{Lesson, Refusal, Refused, learn};
pub use limits::Limits;
pub use lint::lint;
pub use policy::{FrontDoor, LogLevel, Logging, Policy, Secrets};
pub use profile::built_in;
pub use request::{
    DescendantRequest, Environment, ExecRequest, FileAction, FileRequest, NetworkRequest, Origin, Request,
};
pub use role::Role;
pub use schema::schema;
pub use source::{Format, LineColumn, Source, SourceSpan};
