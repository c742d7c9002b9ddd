//! JSON5 and JSON into a tree: no duplicate keys, bounded.

use jsonc_parser::ast;
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::node::{Entry, Malformed, Node, Value};
use super::{MAX_DEPTH, MAX_NODES};
use crate::SourceSpan;

/// Reads a JSON5 text, or with `strict` a JSON text.
pub(super) fn read(text: &str, strict: bool) -> Result<Node, Malformed> {
    let loose = !strict;
    let options = ParseOptions {
        allow_comments: loose,
        allow_loose_object_property_names: loose,
        allow_trailing_commas: loose,
        allow_missing_commas: false,
        allow_single_quoted_strings: loose,
        allow_hexadecimal_numbers: loose,
        allow_unary_plus_numbers: loose,
        allow_bare_decimal_point_numbers: loose,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: loose,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
        let range = error.range();
        Malformed::new(bound(text, range), error.kind().to_string())
    })?;
    match parsed.value {
        Some(value) => Builder { text, nodes: 0 }.node(value, 0),
        None => Ok(Node { span: SourceSpan::default(), value: Value::Map(Vec::new()) }),
    }
}

struct Builder<'t> {
    text: &'t str,
    nodes: usize,
}

impl Builder<'_> {
    fn node(&mut self, value: ast::Value<'_>, depth: usize) -> Result<Node, Malformed> {
        let span = bound(self.text, value.range());
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return Err(Malformed::new(span, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if self.nodes > MAX_NODES {
            return Err(Malformed::new(span, format!("more than {MAX_NODES} values")));
        }
        let value = match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
            ast::Value::NumberLit(literal) => Value::Number(literal.value.to_owned()),
            ast::Value::StringLit(literal) => Value::Text(literal.value.into_owned()),
            ast::Value::Array(array) => {
                let items = array.elements.into_iter().map(|item| self.node(item, depth + 1));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            ast::Value::Object(object) => Value::Map(self.entries(object, depth)?),
        };
        Ok(Node { span, value })
    }

    fn entries(&mut self, object: ast::Object<'_>, depth: usize) -> Result<Vec<Entry>, Malformed> {
        let mut entries: Vec<Entry> = Vec::new();
        for property in object.properties {
            let key_span = bound(self.text, property.name.range());
            let key = property.name.as_str().to_owned();
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                return Err(super::duplicate(self.text, &key, first.key_span, key_span));
            }
            let value = self.node(property.value, depth + 1)?;
            entries.push(Entry { key, key_span, value });
        }
        Ok(entries)
    }
}

fn bound(text: &str, range: Range) -> SourceSpan {
    let end = range.end.min(text.len());
    SourceSpan { start: range.start.min(end), end }
}
