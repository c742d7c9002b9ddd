//! A value of a document together with its key and place.

use claw_policy::{Source, SourceSpan, TreeNode, TreeValue};

use crate::report::Place;

#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    source: &'a Source,
    /// Dotted, printable.
    pub(crate) key: String,
    /// The last part of the key.
    pub(crate) name: &'a str,
    span: SourceSpan,
    pub(crate) node: &'a TreeNode,
}

impl<'a> Cursor<'a> {
    pub(crate) fn root(source: &'a Source, node: &'a TreeNode) -> Self {
        Self { source, key: String::new(), name: "", span: node.span, node }
    }

    /// The members of a mapping; of anything else none.
    pub(crate) fn members(&self) -> Vec<Self> {
        let TreeValue::Map(entries) = &self.node.value else { return Vec::new() };
        let member = |entry: &'a claw_policy::TreeEntry| {
            let name = printable(&entry.key);
            let key = if self.key.is_empty() { name } else { format!("{}.{name}", self.key) };
            Self { source: self.source, key, name: &entry.key, span: entry.key_span, node: &entry.value }
        };
        entries.iter().map(member).collect()
    }

    /// The items of a list; of anything else none.
    pub(crate) fn items(&self) -> Vec<Self> {
        let TreeValue::List(items) = &self.node.value else { return Vec::new() };
        let item = |(index, node): (usize, &'a TreeNode)| {
            let key = format!("{}[{index}]", self.key);
            Self { source: self.source, key, name: self.name, span: node.span, node }
        };
        items.iter().enumerate().map(item).collect()
    }

    pub(crate) fn member(&self, name: &str) -> Option<Self> {
        self.members().into_iter().find(|member| member.name == name)
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            TreeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) const fn span(&self) -> SourceSpan {
        self.span
    }

    pub(crate) const fn flag(&self) -> Option<bool> {
        match self.node.value {
            TreeValue::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// A whole number that is not negative, within what a policy takes for a count, a duration or a size.
    pub(crate) fn number(&self) -> Option<u64> {
        /// No such bound is one: 4 PiB, or 140 million years.
        const MOST: u64 = 1 << 52;
        match &self.node.value {
            TreeValue::Number(number) => number.parse().ok().filter(|number| *number <= MOST),
            _ => None,
        }
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, TreeValue::List(_))
    }

    pub(crate) fn place(&self) -> Place {
        let at = self.source.line_column(self.span.start);
        Place { file: printable(self.source.name()), line: at.line, column: at.column }
    }

    pub(crate) fn fail(&self, code: &'static str, message: &str) -> Vec<claw_policy::Diagnostic> {
        vec![crate::error(code, self.source, self.span, message)]
    }
}

/// A name as it can stand in a comment and on a terminal: a line break would end the comment.
pub(crate) fn printable(text: &str) -> String {
    let letters = text.chars().map(|letter| {
        let is_separator = matches!(letter, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
        if letter.is_control() || is_separator { char::REPLACEMENT_CHARACTER } else { letter }
    });
    letters.collect()
}
