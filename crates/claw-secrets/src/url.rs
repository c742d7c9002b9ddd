//! Passwords in `scheme://user:password@host`. RFC 3986, 3.2.1.

use crate::{Finding, SecretType, placeholder};

/// The longest authority that is looked at: it keeps `@`-less text linear.
const MOST: usize = 1024;

/// `https://abc:xyz@host` is from a manual.
const FEWEST: usize = 4;

/// The password of the authority that follows `://` here.
pub(crate) fn at(text: &[u8], at: usize) -> Option<Finding> {
    let rest = text.get(at..)?.strip_prefix(b"://")?;
    let start = at + 3;
    let authority = rest.iter().take(MOST).take_while(|byte| !ends_authority(**byte)).count();
    let user_end = rest.get(..authority)?.iter().rposition(|byte| *byte == b'@')?;
    let user = rest.get(..user_end)?;
    let colon = user.iter().position(|byte| *byte == b':')?;
    let (name, password) = (user.get(..colon)?, user.get(colon + 1..)?);
    (password.len() >= FEWEST && !placeholder::is_stand_in(password) && name != password)
        .then(|| Finding { secret_type: SecretType::UrlPassword, span: start + colon + 1..start + user_end })
        // A token with a shape of its own stands there too, and says more.
        .map(|finding| {
            crate::shape::at(text, finding.span.start)
                .filter(|token| token.span == finding.span)
                .unwrap_or(finding)
        })
}

const fn ends_authority(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || byte.is_ascii_control()
        || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
}
