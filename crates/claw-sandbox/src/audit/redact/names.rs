//! What stands in for a value, and of what bytes names and tokens are.
#![forbid(unsafe_code)]

/// Whether a value only says where the secret comes from: `$TOKEN`, `${token}`, `$(cat file)`, `<your-token>`, `***`.
///
/// A bare `$name` in lower case may be a password that begins with a dollar sign.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let value = without_scheme(value);
    let enclosed = |start: &[u8], end: &[u8]| value.strip_prefix(start)?.strip_suffix(end);
    let is_identifier = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let is_constant = |name: &[u8]| {
        !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
    };
    value == b"-"
        || value.starts_with(b"$(")
        || value.starts_with(b"`")
        || value.strip_prefix(b"$").is_some_and(is_constant)
        || enclosed(b"${", b"}").is_some_and(is_identifier)
        || enclosed(b"<", b">").is_some_and(|name| name.iter().copied().all(is_name_byte))
        || (!value.is_empty() && value.iter().all(|byte| *byte == b'*'))
}

/// The value of an `Authorization` header without `Bearer `.
fn without_scheme(value: &[u8]) -> &[u8] {
    match value.iter().position(|byte| *byte == b' ') {
        Some(blank) if value.get(..blank).is_some_and(|name| name.iter().all(u8::is_ascii_alphabetic)) => {
            value.get(blank..).unwrap_or_default().trim_ascii_start()
        }
        _ => value,
    }
}

pub(super) const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Whether a token may go on with this byte: base64 in both alphabets, dots and tildes.
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'=' | b'~')
}
