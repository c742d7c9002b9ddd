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
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options)
        .map_err(|error| refused(bound(text, error.range()), text, &error.kind().to_string()))?;
    if strict {
        check_strictly(text)?;
    }
    match parsed.value {
        Some(value) => Builder { text, nodes: 0 }.node(value, 0),
        None => Ok(Node { span: SourceSpan::default(), value: Value::Map([].as_slice().into()) }),
    }
}

/// What the parser says, in the words of our other messages.
fn refused(span: SourceSpan, text: &str, message: &str) -> Malformed {
    let found = text.get(span.start..).unwrap_or("").trim_start_matches(['+', '-']);
    if found.starts_with("NaN") || found.starts_with("Infinity") {
        return Malformed::new(span, "not a finite number");
    }
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    Malformed::new(span, first.into_iter().chain(letters).collect::<String>())
}

/// What the JSON5 parser tolerates and RFC 8259 does not: an empty text, control characters in strings.
fn check_strictly(text: &str) -> Result<(), Malformed> {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) else { return Ok(()) };
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let start = before.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
    let start = start.min(text.len());
    let message = error.to_string();
    // The place is ours to tell.
    let message = message.split(" at line ").next().unwrap_or_default();
    let malformed = Malformed::new(SourceSpan { start, end: (start + 1).min(text.len()) }, message);
    let empty = text.trim().is_empty();
    Err(if empty { malformed.with_help("a policy that states nothing is `{}`") } else { malformed })
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
            ast::Value::NumberLit(literal) => Value::Number(decimal(literal.value).into()),
            ast::Value::StringLit(literal) => Value::Text(literal.value.into_owned().into()),
            ast::Value::Array(array) => {
                let items = array.elements.into_iter().map(|item| self.node(item, depth + 1));
                Value::List(items.collect::<Result<Vec<_>, _>>()?.into())
            }
            ast::Value::Object(object) => Value::Map(self.entries(object, depth)?.into()),
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
            entries.push(Entry { key: key.into(), key_span, value });
        }
        Ok(entries)
    }
}

/// A number as the other formats would write it: JSON5 knows hexadecimal ones and a leading `+`.
fn decimal(number: &str) -> String {
    let hexadecimal = number.strip_prefix("0x").or_else(|| number.strip_prefix("0X"));
    match hexadecimal.map(|digits| u64::from_str_radix(digits, 16)) {
        Some(Ok(value)) => value.to_string(),
        _ => number.to_owned(),
    }
}

fn bound(text: &str, range: Range) -> SourceSpan {
    let end = range.end.min(text.len());
    SourceSpan { start: range.start.min(end), end }
}
