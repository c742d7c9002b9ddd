//! Writes an argument so that a shell reads it back unchanged.

use std::borrow::Cow;

/// Quotes `argument` for any POSIX shell. What needs no quotes is returned as it is.
///
/// ```
/// assert_eq!(&*claw_shell::quote(b"plain-1.0/x"), b"plain-1.0/x");
/// assert_eq!(&*claw_shell::quote(b"it's"), br"'it'\''s'");
/// assert_eq!(&*claw_shell::quote(b""), b"''");
/// ```
#[must_use]
pub fn quote(argument: &[u8]) -> Cow<'_, [u8]> {
    if !argument.is_empty() && argument.iter().all(|byte| needs_no_quotes(*byte)) {
        return Cow::Borrowed(argument);
    }
    let mut quoted = Vec::with_capacity(argument.len() + 2);
    quoted.push(b'\'');
    for byte in argument {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    Cow::Owned(quoted)
}

// `=` and `~` are quoted: in first position they would make an assignment or a home directory.
fn needs_no_quotes(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./,:@%+".contains(&byte)
}
