//! Private keys between `-----BEGIN ... PRIVATE KEY-----` and its end. RFC 7468, RFC 4880, OpenSSH.

use crate::bytes::{is_base64, run};
use crate::{Finding, SecretType};

const BEGIN: &[u8] = b"-----BEGIN ";
const LABELS: [&[u8]; 2] = [b"PRIVATE KEY-----", b"PRIVATE KEY BLOCK-----"];
const END: &[u8] = b"-----END ";

/// What is shorter holds no key: the smallest one (Ed25519 in PKCS #8) has 64 characters.
const FEWEST: usize = 40;
/// The largest RSA keys in use have 13 KiB. It bounds the search for the end.
const MOST: usize = 64 << 10;

/// The whole block that begins here; one that was cut off goes as far as its text does.
pub(crate) fn at(text: &[u8], at: usize) -> Option<Finding> {
    let rest = text.get(at..)?;
    let rest = rest.get(..rest.len().min(MOST)).unwrap_or(rest);
    let label = rest.strip_prefix(BEGIN)?;
    let words = label.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b' ').count();
    let body_at = BEGIN.len() + words + 5;
    let head = rest.get(..body_at)?;
    if !LABELS.iter().any(|label| head.ends_with(label)) {
        return None;
    }
    let body_end = body_at + run(rest, body_at, is_body);
    let body = rest.get(body_at..body_end)?;
    let end = match rest.get(body_end..)? {
        tail if tail.starts_with(END) => body_end + end_line(tail),
        _ => body_end - trailing(body),
    };
    let key = body.iter().filter(|byte| is_base64(**byte)).count();
    (key >= FEWEST && !is_monotonous(body))
        .then(|| Finding { secret_type: SecretType::PrivateKey, span: at..at + end })
}

/// base64 in lines, also with the line ends of a string literal, indented, and with the headers of old formats.
const fn is_body(byte: u8) -> bool {
    is_base64(byte) || byte.is_ascii_whitespace() || matches!(byte, b'\\' | b':' | b',' | b'.' | b'(' | b')')
}

/// The length of `-----END ... PRIVATE KEY-----`.
fn end_line(tail: &[u8]) -> usize {
    let words = run(tail, END.len(), |byte| byte.is_ascii_uppercase() || byte == b' ');
    END.len() + words + run(tail, END.len() + words, |byte| byte == b'-').min(5)
}

fn trailing(body: &[u8]) -> usize {
    body.iter().rev().take_while(|byte| !is_base64(**byte)).count()
}

/// `xxxx`, `....`.
fn is_monotonous(body: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in body.iter().filter(|byte| is_base64(**byte)) {
        if let Some(place) = seen.get_mut(usize::from(*byte)) {
            *place = true;
        }
    }
    seen.iter().filter(|seen| **seen).count() < 12
}
