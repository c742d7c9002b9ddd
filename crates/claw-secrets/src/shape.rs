//! Tokens that a prefix tells.
//!
//! Sources: the issuers' own documentation, and for lengths the public rules of secret scanners. Lengths are
//! bounds, not formats: issuers change them.

use std::ops::RangeInclusive;

use crate::bytes::{Class, is_alphanumeric, is_url64, run};
use crate::{Finding, SecretType, further, placeholder};

struct Shape {
    secret_type: SecretType,
    prefix: &'static str,
    belongs: Class,
    length: RangeInclusive<usize>,
}

const fn shape(
    secret_type: SecretType,
    prefix: &'static str,
    belongs: Class,
    length: RangeInclusive<usize>,
) -> Shape {
    Shape { secret_type, prefix, belongs, length }
}

/// The longest prefix of a family stands first.
#[rustfmt::skip]
const SHAPES: &[Shape] = &[
    shape(SecretType::AnthropicApiKey, "sk-ant-", is_url64, 24..=256),
    shape(SecretType::OpenRouterApiKey, "sk-or-", is_url64, 24..=256),
    shape(SecretType::OpenAiApiKey, "sk-proj-", is_url64, 20..=256),
    shape(SecretType::OpenAiApiKey, "sk-svcacct-", is_url64, 20..=256),
    shape(SecretType::OpenAiApiKey, "sk-admin-", is_url64, 20..=256),
    shape(SecretType::OpenAiApiKey, "sk-", is_alphanumeric, 20..=128),
    shape(SecretType::XaiApiKey, "xai-", is_alphanumeric, 24..=128),
    shape(SecretType::GroqApiKey, "gsk_", is_alphanumeric, 24..=128),
    shape(SecretType::GoogleApiKey, "AIza", is_url64, 30..=40),
    shape(SecretType::GoogleOauthSecret, "GOCSPX-", is_url64, 20..=40),
    shape(SecretType::HuggingFaceToken, "hf_", is_alphanumeric, 24..=64),
    shape(SecretType::GithubToken, "ghp_", is_alphanumeric, 24..=255),
    shape(SecretType::GithubToken, "gho_", is_alphanumeric, 24..=255),
    shape(SecretType::GithubToken, "ghu_", is_alphanumeric, 24..=255),
    shape(SecretType::GithubToken, "ghs_", is_alphanumeric, 24..=255),
    shape(SecretType::GithubToken, "ghr_", is_alphanumeric, 24..=255),
    shape(SecretType::GithubToken, "github_pat_", is_url64, 22..=255),
    shape(SecretType::GitlabToken, "glpat-", is_gitlab, 20..=300),
    shape(SecretType::GitlabToken, "glptt-", is_gitlab, 20..=300),
    shape(SecretType::GitlabToken, "gldt-", is_gitlab, 20..=300),
    shape(SecretType::GitlabToken, "glrt-", is_gitlab, 20..=300),
    shape(SecretType::GitlabToken, "glsoat-", is_gitlab, 20..=300),
    shape(SecretType::GitlabToken, "glcbt-", is_gitlab, 20..=300),
    shape(SecretType::NpmToken, "npm_", is_alphanumeric, 30..=64),
    shape(SecretType::PypiToken, "pypi-Ag", is_url64, 32..=1024),
    shape(SecretType::SlackToken, "xoxa-", is_url64, 16..=512),
    shape(SecretType::SlackToken, "xoxb-", is_url64, 16..=512),
    shape(SecretType::SlackToken, "xoxc-", is_url64, 16..=512),
    shape(SecretType::SlackToken, "xoxe-", is_url64, 16..=512),
    shape(SecretType::SlackToken, "xoxe.xoxp-", is_url64, 16..=512),
    shape(SecretType::SlackToken, "xoxp-", is_url64, 16..=512),
    shape(SecretType::SlackToken, "xoxr-", is_url64, 16..=512),
    shape(SecretType::SlackToken, "xoxs-", is_url64, 16..=512),
    shape(SecretType::SlackToken, "xapp-", is_url64, 16..=512),
    shape(SecretType::StripeSecretKey, "sk_live_", is_alphanumeric, 16..=256),
    shape(SecretType::StripeSecretKey, "sk_test_", is_alphanumeric, 16..=256),
    shape(SecretType::StripeSecretKey, "rk_live_", is_alphanumeric, 16..=256),
    shape(SecretType::StripeSecretKey, "rk_test_", is_alphanumeric, 16..=256),
    shape(SecretType::StripeSecretKey, "whsec_", is_alphanumeric, 24..=64),
    shape(SecretType::DigitalOceanToken, "dop_v1_", is_hex, 40..=64),
    shape(SecretType::DigitalOceanToken, "doo_v1_", is_hex, 40..=64),
    shape(SecretType::DigitalOceanToken, "dor_v1_", is_hex, 40..=64),
    shape(SecretType::AwsAccessKeyId, "AKIA", is_base32, 16..=16),
    shape(SecretType::AwsAccessKeyId, "ASIA", is_base32, 16..=16),
    shape(SecretType::PrivateKey, "AGE-SECRET-KEY-1", is_base32, 58..=58),
];

/// The token that begins here.
pub(crate) fn at(text: &[u8], at: usize) -> Option<Finding> {
    let rest = text.get(at..)?;
    let shape = SHAPES.iter().find(|shape| rest.starts_with(shape.prefix.as_bytes()))?;
    let start = at + shape.prefix.len();
    let length = run(text, start, shape.belongs);
    let end = start + length;
    let goes_on = text.get(end).is_some_and(|byte| is_url64(*byte));
    let body = text.get(start..end)?;
    (shape.length.contains(&length) && !goes_on && !placeholder::is_filler(body))
        .then_some(Finding { secret_type: shape.secret_type, span: at..end })
}

/// How long the token is that a text begins with, if it may be one: a provider's prefix, and then hardly anything is asked.
/// For those who would rather take away too much; [`find`](crate::find) is for those who would rather say nothing wrong.
///
/// ```
/// assert_eq!(claw_secrets::begins_token(b"ghp_abcdefgh12345678 and more"), Some(20));
/// assert_eq!(claw_secrets::begins_token(b"npm_config_cache"), None);
/// ```
#[must_use]
pub fn begins_token(text: &[u8]) -> Option<usize> {
    begins_shape(text).or_else(|| further::begins(text))
}

fn begins_shape(text: &[u8]) -> Option<usize> {
    let shape = SHAPES.iter().find(|shape| text.starts_with(shape.prefix.as_bytes()))?;
    let start = shape.prefix.len();
    let is_word = !is_url64_shape(shape);
    // What is letters and digits only is a name when something else follows soon (`npm_config_cache`).
    let length = run(text, start, if is_word { shape.belongs } else { is_token });
    let fewest = if is_word { *shape.length.start().min(&12) } else { 8 };
    (length >= fewest).then_some(start + length)
}

fn is_url64_shape(shape: &Shape) -> bool {
    (shape.belongs)(b'-')
}

/// base64 in both alphabets, dots and tildes.
const fn is_token(byte: u8) -> bool {
    is_url64(byte) || matches!(byte, b'.' | b'/' | b'+' | b'=' | b'~')
}

/// The newer tokens have three parts.
const fn is_gitlab(byte: u8) -> bool {
    is_url64(byte) || byte == b'.'
}

const fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

const fn is_base32(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}
