//! What a name in a policy may look like: programs, variables, hosts, telephone numbers.

use crate::decide::network::host::Network;

/// A bare program name: looked up in directories, so without a directory of its own.
pub(super) fn is_program(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('~')
        && !name.contains(|character: char| character == '/' || character.is_whitespace())
}

/// A variable's name, with a trailing `*` for all that begin so.
pub(super) fn is_variable_pattern(pattern: &str) -> bool {
    pattern == "*" || is_variable(pattern.strip_suffix('*').unwrap_or(pattern))
}

/// A variable's name, as a shell could write it.
pub(super) fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A host name, with `*.` for all below it, an address or a network: no scheme, no port, no path.
pub(super) fn is_host(host: &str) -> bool {
    if host.contains('/') {
        return Network::new(host).is_some();
    }
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if address.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let name = host.strip_prefix("*.").unwrap_or(host);
    let name = name.strip_suffix('.').unwrap_or(name);
    // RFC 1123, section 2.1, and the underscore that is in use anyway.
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The words for who asks, beside ids.
pub(super) const PRINCIPALS: [&str; 3] = ["owner", "known", "unknown"];

/// One of the words, or an id: `channel:account:sender`.
pub(super) fn is_principal(text: &str) -> bool {
    PRINCIPALS.contains(&text) || (is_identifier(text) && text.contains(':'))
}

/// What a context can have as a name.
pub(super) fn is_identifier(text: &str) -> bool {
    claw_wire::Identifier::new(text).is_ok()
}

/// A tool's name, with a trailing `*` for all that begin so.
pub(super) fn is_tool_pattern(pattern: &str) -> bool {
    let name = pattern.strip_suffix('*').unwrap_or(pattern);
    !pattern.is_empty()
        && !name.contains('*')
        && !name.contains(char::is_whitespace)
        && is_identifier(pattern)
}

/// Digits with an optional leading `+`: E.164 numbers have up to 15, account ids of chat networks up to 20.
pub(super) fn is_owner_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (3..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses() {
        for host in [
            "api.github.com",
            "localhost",
            "10.0.0.0/8",
            "fd00::/8",
            "*.example.org",
            "127.0.0.1",
            "::1",
            "[::1]",
            "a_b.c",
            "x.",
        ] {
            assert!(is_host(host), "{host}");
        }
        for wrong in [
            "",
            "https://x",
            "x:443",
            "a b",
            "x/y",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "::/+1",
            "-a.b",
            "a..b",
            "*",
            "a.*.b",
            "é.de",
        ] {
            assert!(!is_host(wrong), "{wrong}");
        }
    }

    #[test]
    fn variables_are_names_with_a_star_at_the_end_only() {
        for pattern in ["LANG", "_X1", "LC_*", "*"] {
            assert!(is_variable_pattern(pattern), "{pattern}");
        }
        for wrong in ["", "A=1", "A*B", "*A", "1A", "A B", "${A}"] {
            assert!(!is_variable_pattern(wrong), "{wrong}");
        }
    }
}
