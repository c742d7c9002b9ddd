//! Tokens of several parts: JWT, Discord, Telegram, SendGrid, and Slack's webhooks.

use crate::bytes::{is_alphanumeric, is_url64, run};
use crate::{Finding, SecretType, placeholder};

/// The token that begins with the word here.
pub(crate) fn at(text: &[u8], at: usize) -> Option<Finding> {
    let found = |secret_type, length| Some(Finding { secret_type, span: at..at + length });
    match text.get(at)? {
        b'e' => jwt(text, at).and_then(|length| found(SecretType::Jwt, length)),
        b'S' => sendgrid(text, at).and_then(|length| found(SecretType::SendgridApiKey, length)),
        b'h' => slack_webhook(text, at).and_then(|length| found(SecretType::SlackWebhook, length)),
        b'M'..=b'O' => discord(text, at).and_then(|length| found(SecretType::DiscordBotToken, length)),
        _ => None,
    }
}

/// Three base64url parts, of which the first two are JSON objects (`{"` is `eyJ`). RFC 7519.
fn jwt(text: &[u8], at: usize) -> Option<usize> {
    let [header, payload, signature] = parts(text, at)?;
    let is_object = |part: &[u8]| part.starts_with(b"eyJ") && part.len() >= 8;
    (is_object(header) && is_object(payload) && signature.len() >= 8 && !placeholder::is_filler(signature))
        .then(|| whole(&[header, payload, signature]))
}

/// `SG.`, 22 and 43 characters.
fn sendgrid(text: &[u8], at: usize) -> Option<usize> {
    let [name, id, secret] = parts(text, at)?;
    (name == b"SG"
        && (16..=32).contains(&id.len())
        && (32..=64).contains(&secret.len())
        && !placeholder::is_filler(secret))
    .then(|| whole(&[name, id, secret]))
}

/// The bot's id in base64 (so it begins with M, N or O), a time of 6 characters, 27 or more of HMAC.
fn discord(text: &[u8], at: usize) -> Option<usize> {
    let [id, time, hmac] = parts(text, at)?;
    let is_token =
        (23..=28).contains(&id.len()) && (6..=7).contains(&time.len()) && (27..=40).contains(&hmac.len());
    (is_token && !placeholder::is_filler(hmac)).then(|| whole(&[id, time, hmac]))
}

/// `https://hooks.slack.com/services/T.../B.../...`: whoever knows it may post.
fn slack_webhook(text: &[u8], at: usize) -> Option<usize> {
    const HOOKS: [&[u8]; 2] = [b"https://hooks.slack.com/services/", b"https://hooks.slack.com/workflows/"];
    let rest = text.get(at..)?;
    let start = HOOKS.iter().find(|prefix| rest.starts_with(prefix))?.len();
    let path = run(rest, start, |byte| is_alphanumeric(byte) || byte == b'/');
    let secret = rest.get(start..start + path)?.rsplit(|byte| *byte == b'/').next()?;
    (path >= 30 && secret.len() >= 16 && !placeholder::is_filler(secret)).then_some(start + path)
}

/// A Telegram bot's token, also within a URL (`/bot1234567890:...`): its number, a colon, 35 characters.
pub(crate) fn telegram(text: &[u8], at: usize) -> Option<Finding> {
    if at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let digits = run(text, at, |byte| byte.is_ascii_digit());
    let colon = at + digits;
    if !(8..=10).contains(&digits) || text.get(colon) != Some(&b':') {
        return None;
    }
    let length = run(text, colon + 1, is_url64);
    let secret = text.get(colon + 1..colon + 1 + length)?;
    ((34..=36).contains(&length) && !placeholder::is_filler(secret))
        .then(|| Finding { secret_type: SecretType::TelegramBotToken, span: at..colon + 1 + length })
}

/// A JWT's payload may be long; beyond this nothing is read.
const LONGEST_PART: usize = 16 << 10;

/// Exactly three parts of base64url with dots between them.
fn parts(text: &[u8], at: usize) -> Option<[&[u8]; 3]> {
    let bounded = |at: usize| text.get(..text.len().min(at + LONGEST_PART)).unwrap_or(text);
    let part = |at: usize| text.get(at..at + run(bounded(at), at, is_url64)).filter(|part| !part.is_empty());
    let after_dot = |at: usize| (text.get(at) == Some(&b'.')).then_some(at + 1);
    let first = part(at)?;
    let second_at = after_dot(at + first.len())?;
    let second = part(second_at)?;
    let third_at = after_dot(second_at + second.len())?;
    Some([first, second, part(third_at)?])
}

fn whole(parts: &[&[u8]; 3]) -> usize {
    parts.iter().map(|part| part.len()).sum::<usize>() + 2
}
