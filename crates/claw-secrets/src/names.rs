//! Names whose values are secrets.

/// Parts of names whose values are secret: lower case, words joined by `_`.
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
    "master_key",
    "service_key",
    "credential",
    "authorization",
    "auth_key",
    "authkey",
    "cookie",
];

/// Names and ends of names that tell by themselves.
const TELLING_ENDS: &[&str] = &[
    "pass",
    "pwd",
    "_key",
    "_pat",
    "passin",
    "passout",
    "x_auth",
    "jwt",
    "key_material",
    "card_number",
    "cardnumber",
    "cvc",
    "cvv",
    "security_code",
];

/// Ends of names that are about a secret: where it is, what it is called, how it is read, what came of it.
const HARMLESS_ENDS: &[&str] = &[
    "_file",
    "_path",
    "_dir",
    "_stdin",
    "_env",
    "_name",
    "key_id",
    "_type",
    "_mode",
    "_count",
    "_length",
    "_ttl",
    "_url",
    "_uri",
    "_jar",
    "_hash",
    "_digest",
    "_fingerprint",
    "_checksum",
    "_sha256",
    "_algorithm",
    "_version",
    "_ref",
    "_policy",
    "_arn",
    "page_token",
    "next_token",
    "continuation_token",
    "sync_token",
    "cache_key",
    "public_key",
    "primary_key",
    "foreign_key",
    "sort_key",
    "partition_key",
    "idempotency_key",
    "object_key",
];

/// Words that have a telling one in them.
const HARMLESS_PARTS: &[&str] = &["tokeniz", "secretary", "password_less"];

/// Starts of names that count tokens of text: `--max-new-tokens`. `N_TOKEN` is a secret all the same.
const COUNTS: &[&str] = &["max_", "min_", "num_", "n_", "total_"];

/// Whether a variable, option, header or key of this name holds a secret.
///
/// ```
/// assert!(claw_secrets::is_telling(b"GITHUB_TOKEN") && claw_secrets::is_telling(b"dbPassword"));
/// assert!(!claw_secrets::is_telling(b"--max-tokens") && !claw_secrets::is_telling(b"passwordHash"));
/// ```
#[must_use]
pub fn is_telling(name: &[u8]) -> bool {
    let name = normal(name);
    let name = name.trim_start_matches('_');
    let is_harmless = HARMLESS_PARTS.iter().any(|part| name.contains(part))
        || HARMLESS_ENDS.iter().any(|end| name.ends_with(end))
        || (name.ends_with("_tokens") && COUNTS.iter().any(|start| name.starts_with(start)));
    !is_harmless
        && (TELLING.iter().any(|part| name.contains(part))
            || TELLING_ENDS.iter().any(|end| name.ends_with(end)))
}

/// Whether the value is the secret half of an AWS key pair.
pub(crate) fn is_aws_secret(name: &[u8]) -> bool {
    let name = normal(name);
    name.contains("secret_access_key")
        || name.contains("secretaccesskey")
        || (name.contains("aws") && name.contains("secret"))
}

/// Lower case, with `_` between words: `dbPassword`, `DB-PASSWORD` and `db.password` are one name.
fn normal(name: &[u8]) -> String {
    let mut normal = String::with_capacity(name.len() + 4);
    let mut before = 0_u8;
    for &byte in name {
        if byte.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            normal.push('_');
        }
        normal.push(if matches!(byte, b'-' | b'.') { '_' } else { char::from(byte.to_ascii_lowercase()) });
        before = byte;
    }
    normal
}
