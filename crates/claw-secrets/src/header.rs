//! `Basic dXNlcjpwYXNzd29yZA==`: a user and a password in base64. RFC 7617.

use crate::bytes::{is_base64, is_name, run};
use crate::{Finding, SecretType, placeholder};

/// More than any user and password in base64.
const LONGEST: usize = 1024;

/// Credentials after the word `Basic`, or after a name under which tools keep them (`"auth"`, `_auth`).
pub(crate) fn at(text: &[u8], at: usize) -> Option<Finding> {
    // No name is longer than these, and none is read further.
    let word = run(text.get(..text.len().min(at + 8)).unwrap_or(text), at, is_name);
    let name = text.get(at..at + word)?;
    let mut start = at + word;
    if name.eq_ignore_ascii_case(b"basic") {
        start += run(text.get(..text.len().min(start + 8)).unwrap_or(text), start, |byte| byte == b' ');
    } else if name == b"auth" || name == b"_auth" {
        start += run(text.get(..text.len().min(start + 8)).unwrap_or(text), start, |byte| {
            matches!(byte, b'"' | b'\'' | b' ' | b':' | b'=')
        });
    } else {
        return None;
    }
    let length = run(text.get(..text.len().min(start + LONGEST)).unwrap_or(text), start, is_base64);
    let decoded = decode(text.get(start..start + length)?)?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let password = decoded.get(colon + 1..)?;
    let is_text = std::str::from_utf8(&decoded).is_ok_and(|text| !text.chars().any(char::is_control));
    (start > at + word && is_text && colon > 0 && !placeholder::is_stand_in(password))
        .then(|| Finding { secret_type: SecretType::BasicAuthB64, span: start..start + length })
}

/// Standard base64, its padding optional. `None` for anything else, and for what is longer than any password.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.len() - text.iter().rev().take_while(|byte| **byte == b'=').count();
    if !(6..=1024).contains(&digits) || text.len() - digits > 2 || digits % 4 == 1 {
        return None;
    }
    let mut decoded = Vec::with_capacity(digits * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.get(..digits)? {
        bits = (bits << 6) | u32::from(value(*byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push(u8::try_from((bits >> held) & 0xff).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    Some(decoded)
}

const fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
