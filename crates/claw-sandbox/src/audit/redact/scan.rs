//! Secrets in a text by their shape, by the name before them, or by their place in a URL.
#![forbid(unsafe_code)]

use std::ops::Range;

use claw_secrets::{SecretType, TextKind, is_telling};

use super::names::{is_name_byte, is_placeholder, is_token_byte};

/// Every secret that a text shows: what the detector finds, and what only may be one.
pub(super) fn spans(text: &[u8]) -> Vec<Range<usize>> {
    let found = claw_secrets::find(TextKind::LogLine, text);
    let found = found.into_iter().filter(|finding| finding.secret_type != SecretType::PrivateKey);
    // Of a key block the first and the last line stay: they say what it was.
    let mut spans: Vec<Range<usize>> = found.map(|finding| finding.span).collect();
    let mut at = 0;
    while at < text.len() {
        let starts_word =
            at.checked_sub(1).is_none_or(|before| text.get(before).is_none_or(|byte| !is_name_byte(*byte)));
        let found = if starts_word { at_word(text, at) } else { None };
        let found = found.or_else(|| key_block(text, at)).or_else(|| url_secret(text, at));
        match found {
            Some(span) => {
                at = span.end.max(at + 1);
                spans.push(span);
            }
            None => at += 1,
        }
    }
    spans
}

fn at_word(text: &[u8], at: usize) -> Option<Range<usize>> {
    shaped(text, at).or_else(|| scheme(text, at)).or_else(|| named(text, at))
}

pub(super) fn run(text: &[u8], at: usize, mut accept: impl FnMut(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| accept(**byte)).count()
}

/// What looks like a token, whether or not it was drawn at random.
fn shaped(text: &[u8], at: usize) -> Option<Range<usize>> {
    const WEBHOOKS: [&[u8]; 4] = [
        b"hooks.slack.com/services/",
        b"hooks.slack.com/workflows/",
        b"discord.com/api/webhooks/",
        b"discordapp.com/api/webhooks/",
    ];
    let rest = text.get(at..)?;
    let webhook = || {
        let start = WEBHOOKS.iter().find(|webhook| rest.starts_with(webhook))?.len();
        let path = run(rest.get(start..)?, 0, is_token_byte);
        (path >= 8).then_some(start + path)
    };
    let length = claw_secrets::begins_token(rest).or_else(webhook)?;
    Some(at..at + length)
}

/// `Bearer TOKEN`, `Basic TOKEN`.
fn scheme(text: &[u8], at: usize) -> Option<Range<usize>> {
    let word = run(text, at, |byte| byte.is_ascii_alphabetic());
    let name = text.get(at..at + word)?.to_ascii_lowercase();
    if !matches!(name.as_slice(), b"bearer" | b"basic") {
        return None;
    }
    let spaces = run(text, at + word, |byte| byte == b' ');
    let start = at + word + spaces;
    let length = run(text, start, is_token_byte);
    let token = text.get(start..start + length)?;
    // "basic example" is prose.
    let is_word = length < 20 && token.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-');
    (spaces > 0 && length >= 6 && !is_word).then(|| start..start + length)
}

/// The value after `NAME=`, `NAME:` and `--name `.
fn named(text: &[u8], at: usize) -> Option<Range<usize>> {
    let length = run(text, at, is_name_byte);
    let name = text.get(at..at + length)?;
    if length == 0 || !is_telling(name) {
        return None;
    }
    let mut after = at + length;
    // `"password": "x"` in JSON.
    after += run(text, after, |byte| matches!(byte, b'"' | b'\'')).min(1);
    let blanks = run(text, after, |byte| byte == b' ');
    match text.get(after + blanks) {
        Some(b'=') if blanks == 0 || name.first() != Some(&b'-') => value(text, after + blanks + 1, false),
        Some(b':') => value(text, after + blanks + 1, true),
        Some(_) if blanks > 0 && name.starts_with(b"-") => value(text, after, false),
        _ => None,
    }
}

/// A value that is no placeholder: to the closing quote, else to the end of the word (a header's to the end of its
/// line or quotes).
fn value(text: &[u8], at: usize, is_header: bool) -> Option<Range<usize>> {
    let start = at + run(text, at, |byte| byte == b' ');
    let first = *text.get(start)?;
    if matches!(first, b'"' | b'\'') {
        let length = run(text, start + 1, |byte| byte != first);
        return secret(text, start + 1..start + 1 + length);
    }
    if !is_header && text.get(start..)?.starts_with(b"$(") {
        return None;
    }
    let ends = |byte: u8| match byte {
        b'\n' | b'\r' | b'"' | b'\'' => true,
        b' ' | b'\t' => !is_header,
        b'&' | b';' | b'|' | b'<' | b'>' | b')' | b'(' | b',' => !is_header,
        // The end of JSON, but within the word of a reference.
        b'}' => !is_header && first != b'$',
        _ => false,
    };
    secret(text, start..start + run(text, start, |byte| !ends(byte)))
}

fn secret(text: &[u8], span: Range<usize>) -> Option<Range<usize>> {
    let value = text.get(span.clone())?;
    (!value.is_empty() && !is_placeholder(value)).then_some(span)
}

fn key_block(text: &[u8], at: usize) -> Option<Range<usize>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    const KEY: &[u8] = b"PRIVATE KEY-----";
    let rest = text.get(at..)?;
    let head = rest.strip_prefix(BEGIN)?;
    let label = head.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b' ').count();
    let label_end = BEGIN.len() + label + 5;
    if !rest.get(..label_end)?.ends_with(KEY) {
        return None;
    }
    let end = occurrences(rest, END).next().map_or(rest.len(), |end| end.start);
    Some(at + label_end..at + end)
}

/// The password in `scheme://user:password@host`, and a token that stands alone there.
fn url_secret(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?.strip_prefix(b"://")?;
    let length = rest.iter().take_while(|byte| !b"/?# \t\n\"'`<>".contains(byte)).count();
    let authority = rest.get(..length)?;
    let user_end = authority.iter().rposition(|byte| *byte == b'@')?;
    let user = authority.get(..user_end)?;
    let start = at + 3;
    match user.iter().position(|byte| *byte == b':') {
        Some(colon) => secret(text, start + colon + 1..start + user_end),
        // `git@` and other names of people and services are short.
        None if user.len() >= 16 => Some(start..start + user_end),
        _ => None,
    }
}

pub(super) fn occurrences<'a>(text: &'a [u8], part: &'a [u8]) -> impl Iterator<Item = Range<usize>> {
    let windows = text.windows(part.len().max(1)).enumerate();
    windows.filter(move |(_, window)| *window == part).map(move |(at, _)| at..at + part.len())
}
