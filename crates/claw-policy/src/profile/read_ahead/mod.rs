//! The built-in profile's tree, read when this crate was written: parsing its text would be a fifth of a start.
//!
//! `built-in.yaml` is what holds. `tree.rs` is made from it by the test below, which fails when the two differ;
//! `WRITE_TREE=1 cargo test -p claw-policy read_ahead` writes it anew.

#[rustfmt::skip]
mod tree;

use std::borrow::Cow;

use super::TEXT;
use crate::document::{Entry, Node, Value};
use crate::{Format, Source, SourceSpan};

/// The tree of the text, if it is the built-in profile's.
pub(crate) fn read_ahead(source: &Source) -> Option<Node> {
    (source.format() == Format::Yaml && source.text() == TEXT).then(|| tree::ROOT.clone())
}

const fn node(start: usize, end: usize, value: Value) -> Node {
    Node { span: SourceSpan { start, end }, value }
}

const fn boolean(start: usize, end: usize, value: bool) -> Node {
    node(start, end, Value::Bool(value))
}

const fn number(start: usize, end: usize, text: &'static str) -> Node {
    node(start, end, Value::Number(Cow::Borrowed(text)))
}

const fn text(start: usize, end: usize, text: &'static str) -> Node {
    node(start, end, Value::Text(Cow::Borrowed(text)))
}

const fn list(start: usize, end: usize, items: &'static [Node]) -> Node {
    node(start, end, Value::List(Cow::Borrowed(items)))
}

const fn map(start: usize, end: usize, entries: &'static [Entry]) -> Node {
    node(start, end, Value::Map(Cow::Borrowed(entries)))
}

const fn entry(start: usize, end: usize, key: &'static str, value: Node) -> Entry {
    Entry { key: Cow::Borrowed(key), key_span: SourceSpan { start, end }, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{built_in, document};

    /// The tree as the program text that makes it.
    fn written(node: &Node, depth: usize) -> String {
        let SourceSpan { start, end } = node.span;
        let margin = "    ".repeat(depth);
        let each = |lines: Vec<String>| lines.concat();
        match &node.value {
            Value::Null => panic!("the built-in profile states nothing by halves"),
            Value::Bool(value) => format!("boolean({start}, {end}, {value})"),
            Value::Number(text) => format!("number({start}, {end}, {text:?})"),
            Value::Text(text) => format!("text({start}, {end}, {text:?})"),
            Value::List(items) => {
                let line = |item| format!("{margin}    {},\n", written(item, depth + 1));
                format!(
                    "list({start}, {end}, const {{ &[\n{}{margin}] }})",
                    each(items.iter().map(line).collect())
                )
            }
            Value::Map(entries) => {
                let line = |entry: &Entry| {
                    let SourceSpan { start, end } = entry.key_span;
                    let value = written(&entry.value, depth + 1);
                    format!("{margin}    entry({start}, {end}, {:?}, {value}),\n", entry.key)
                };
                format!(
                    "map({start}, {end}, const {{ &[\n{}{margin}] }})",
                    each(entries.iter().map(line).collect())
                )
            }
        }
    }

    #[test]
    fn the_tree_is_that_of_the_text() {
        let parsed = document::parse(&built_in()).unwrap();
        let file = format!(
            "//! The tree of `built-in.yaml`; made by the test in `mod.rs`, not by hand.\n\n\
             use super::{{boolean, entry, list, map, number, text}};\nuse crate::document::Node;\n\n\
             pub(super) static ROOT: Node = {};\n",
            written(&parsed, 0)
        );
        if std::env::var_os("WRITE_TREE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/profile/read_ahead/tree.rs");
            std::fs::write(path, &file).unwrap();
        }
        assert_eq!(
            written(&tree::ROOT, 0),
            written(&parsed, 0),
            "write the tree anew: see the module's head"
        );
        assert_eq!(include_str!("tree.rs"), file);
    }

    #[test]
    fn only_the_text_of_the_profile_is_known_ahead() {
        let other = |text: &str, format| Source::new("built-in", text, format);
        assert!(read_ahead(&built_in()).is_some());
        assert!(read_ahead(&other(&format!("{TEXT}\n"), Format::Yaml)).is_none());
        assert!(read_ahead(&other(TEXT, Format::Json5)).is_none());
    }
}
