//! Access to a checked tree: what is missing or of another kind reads as empty.

use crate::document::keys::Kind;
use crate::document::{Entry as Pair, Node, Value};

pub(super) fn pairs(node: &Node) -> &[Pair] {
    match &node.value {
        Value::Map(pairs) => pairs,
        _ => &[],
    }
}

pub(super) fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    pairs(node).iter().find(|pair| pair.key == key).map(|pair| &pair.value)
}

pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => &[],
    }
}

pub(super) fn items_of<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    member(node, key).map_or(&[], items)
}

pub(super) fn text(node: &Node) -> &str {
    match &node.value {
        Value::Text(text) | Value::Number(text) => text,
        _ => "",
    }
}

pub(super) fn flag(node: &Node, key: &str) -> Option<bool> {
    match member(node, key)?.value {
        Value::Bool(value) => Some(value),
        _ => None,
    }
}

/// As JSON, with texts and numbers as their key says: an owner's number in digits is a text.
pub(super) fn json(node: &Node, kind: Kind) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Text(text) | Value::Number(text) => match (kind, text.parse::<u64>()) {
            (Kind::Count, Ok(number)) => number.into(),
            _ => text.clone().into(),
        },
        Value::List(items) => items.iter().map(|item| json(item, kind)).collect(),
        Value::Map(pairs) => {
            let values = pairs.iter().map(|pair| (pair.key.clone(), json(&pair.value, kind.of(&pair.key))));
            values.collect()
        }
    }
}
