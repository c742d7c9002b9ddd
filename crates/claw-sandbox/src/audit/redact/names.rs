//! What tells that something is a secret: shapes of tokens, names, and what stands in for a value.
#![forbid(unsafe_code)]

/// Shapes of tokens by prefix, and the fewest bytes that follow. Sources: the issuers' own documentation.
pub(super) const PREFIXES: &[(&str, usize)] = &[
    ("sk-ant-", 8),
    ("sk-or-", 8),
    ("sk-proj-", 8),
    ("sk-", 20),
    ("xai-", 16),
    ("AIza", 20),
    ("GOCSPX-", 8),
    ("ghp_", 8),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 8),
    ("glpat-", 8),
    ("pypi-", 16),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxe-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xapp-", 8),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("whsec_", 8),
    ("SG.", 16),
    ("dop_v1_", 16),
    ("AKIA", 12),
    ("ASIA", 12),
    ("hooks.slack.com/services/", 8),
];

/// The same for tokens of letters and digits only: what has a `_` or `-` soon is a name (`npm_config_cache`).
pub(super) const PLAIN_PREFIXES: &[(&str, usize)] = &[("gsk_", 16), ("hf_", 16), ("npm_", 20)];

/// Parts of names whose values are secret, in lower case, `-` written as `_`.
const TELLING: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "private_key",
    "privatekey",
    "account_key",
    "signing_key",
    "encryption_key",
    "credential",
    "authorization",
    "auth_key",
    "authkey",
    "cookie",
];
/// Names and ends of names that tell by themselves.
const TELLING_ENDS: &[&str] = &["pass", "pwd", "_key", "_pat", "passin", "passout", "x_auth"];

/// Ends of names that are about a secret: where it is, what it is called, how it is read.
const HARMLESS_ENDS: &[&str] = &[
    "_file", "_path", "_dir", "_stdin", "_env", "_name", "key_id", "_type", "_mode", "_count", "_length",
    "_ttl", "_url", "_uri", "_jar",
];
/// Starts of names that count tokens of text: `--max-new-tokens`. `N_TOKEN` is a secret all the same.
const COUNTS: &[&str] = &["max_", "min_", "num_", "n_", "total_"];

/// Whether a variable, option or header of this name holds a secret.
pub(super) fn is_telling(name: &[u8]) -> bool {
    let name: String = name
        .iter()
        .map(|byte| if *byte == b'-' { '_' } else { char::from(byte.to_ascii_lowercase()) })
        .collect();
    let name = name.trim_start_matches('_');
    let is_harmless = HARMLESS_ENDS.iter().any(|end| name.ends_with(end))
        || (name.ends_with("_tokens") && COUNTS.iter().any(|start| name.starts_with(start)));
    !is_harmless
        && (TELLING.iter().any(|part| name.contains(part))
            || TELLING_ENDS.iter().any(|end| name.ends_with(end)))
}

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
