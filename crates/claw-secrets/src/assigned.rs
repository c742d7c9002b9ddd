//! Values that a telling name stands before: `API_KEY=...`, `"token": "..."`, `Authorization: Bearer ...`.

use std::ops::Range;

use crate::bytes::{is_base64, is_name, is_value, run};
use crate::{Finding, SecretType, TextKind, entropy, names, placeholder, shape, structure};

/// A name is not longer: it keeps long words linear.
const LONGEST_NAME: usize = 128;

/// What ends a value without quotes, beside blanks.
const ENDS: &[u8] = b",;\"'&|})]\\";

/// The secret that belongs to the name here.
pub(crate) fn at(kind: TextKind, text: &[u8], at: usize) -> Option<Finding> {
    let length = run(text.get(..text.len().min(at + LONGEST_NAME)).unwrap_or(text), at, is_name);
    let name = text.get(at..at + length).filter(|name| !name.is_empty())?;
    // First what is cheap to see: most words are no names of anything.
    let start = value_start(text, at + length).filter(|_| names::is_telling(name))?;
    let span = value(kind, text, start)?;
    // What has a shape says more about itself than its name does.
    if let Some(shaped) = shape::at(text, span.start)
        .or_else(|| structure::at(text, span.start))
        .or_else(|| structure::telegram(text, span.start))
    {
        return Some(shaped);
    }
    let value = text.get(span.clone())?;
    let secret_type =
        if names::is_aws_secret(name) && value.len() == 40 && value.iter().all(|byte| is_base64(*byte)) {
            (!placeholder::is_filler(value)).then_some(SecretType::AwsSecretAccessKey)
        } else {
            (!placeholder::is_reference(value) && entropy::is_random(value))
                .then_some(SecretType::GenericHighEntropy)
        }?;
    Some(Finding { secret_type, span })
}

/// Where the value begins that is given to the name that ends here, behind its quote and scheme.
fn value_start(text: &[u8], name_end: usize) -> Option<Start> {
    let mut at = name_end + quote(text, name_end);
    at += blanks(text, at);
    at += assignment(text, at)?;
    at += blanks(text, at);
    let opened = quote(text, at);
    at += opened;
    Some(Start { at: at + scheme(text, at), is_quoted: opened > 0 })
}

struct Start {
    at: usize,
    is_quoted: bool,
}

/// Where the value stands, if it is one.
fn value(kind: TextKind, text: &[u8], Start { at, is_quoted }: Start) -> Option<Range<usize>> {
    let length = run(text.get(..text.len().min(at + entropy::LONGEST + 1)).unwrap_or(text), at, is_value);
    if length > entropy::LONGEST {
        return None;
    }
    let end = at + length;
    let next = text.get(end).copied();
    if is_quoted {
        return matches!(next, Some(b'"' | b'\'' | b'`' | b'\\')).then_some(at..end);
    }
    let ends = next.is_none_or(|byte| byte.is_ascii_whitespace() || ENDS.contains(&byte));
    let is_bare = match kind {
        TextKind::ConfigYaml | TextKind::Env | TextKind::LogLine => true,
        TextKind::Json5 => false,
        TextKind::File => !is_expression(text.get(at..end)?),
    };
    (ends && is_bare).then_some(at..end)
}

/// `=`, `:`, `:=`, `=>`; a comparison assigns nothing.
fn assignment(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    match rest {
        [b'=', b'=', ..] | [b':', b':', ..] => None,
        [b':', b'=', ..] | [b'=', b'>', ..] => Some(2),
        [b'=' | b':', ..] => Some(1),
        _ => None,
    }
}

/// A quote, perhaps one of a string within a string.
fn quote(text: &[u8], at: usize) -> usize {
    match text.get(at..) {
        Some([b'\\', b'"' | b'\'', ..]) => 2,
        Some([b'"' | b'\'' | b'`', ..]) => 1,
        _ => 0,
    }
}

/// Aligned tables have many, and others begin another column.
const MOST_BLANKS: usize = 64;

fn blanks(text: &[u8], at: usize) -> usize {
    run(text.get(..text.len().min(at + MOST_BLANKS)).unwrap_or(text), at, |byte| matches!(byte, b' ' | b'\t'))
}

/// `Bearer ` and its like.
fn scheme(text: &[u8], at: usize) -> usize {
    let word = run(text.get(..text.len().min(at + LONGEST_NAME)).unwrap_or(text), at, |byte| {
        byte.is_ascii_alphabetic()
    });
    let is_scheme = text.get(at..at + word).is_some_and(|word| {
        [b"bearer".as_slice(), b"token", b"apikey", b"bot"]
            .iter()
            .any(|scheme| word.eq_ignore_ascii_case(scheme))
    });
    let gap = blanks(text, at + word);
    if is_scheme && gap > 0 { word + gap } else { 0 }
}

/// What a program computes: a name, perhaps with members, has few digits and begins with none; operators are no part of a key.
fn is_expression(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_token = value.iter().all(|byte| is_base64(*byte) || matches!(byte, b'_' | b'-' | b'.'));
    !is_token || (digits < 3 && value.first().is_some_and(|first| !first.is_ascii_digit()))
}
