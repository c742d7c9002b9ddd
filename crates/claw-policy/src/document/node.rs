//! A document as a tree with positions, the same for every format.

use std::borrow::Cow;

use crate::SourceSpan;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its place in the text.
    pub span: SourceSpan,
    /// What is there.
    pub value: Value,
}

/// What a node holds: its own, or a part of the built-in profile, which is read ahead of time.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as written.
    Number(Cow<'static, str>),
    /// A text, without its quotes.
    Text(Cow<'static, str>),
    /// A list.
    List(Cow<'static, [Node]>),
    /// A mapping, in the order of the text; no key twice.
    Map(Cow<'static, [Entry]>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Cow<'static, str>,
    /// The key's place.
    pub key_span: SourceSpan,
    /// The value.
    pub value: Node,
}

impl Node {
    /// What kind of value it is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// A document that is not a tree: one message and where.
#[derive(Clone, Debug)]
pub(crate) struct Malformed {
    pub(crate) span: SourceSpan,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Malformed {
    pub(crate) fn new(span: SourceSpan, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
