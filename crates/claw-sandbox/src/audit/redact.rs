//! Takes secrets out of command lines before they are written anywhere.
//!
//! What is a secret is told by its shape (a known prefix, a key block, a JWT), by the name beside it
//! (`--password X`, `API_KEY=X`, `Authorization: X`), or by its place in a URL. It is a net with holes: a secret
//! without shape and name looks like any other word.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ops::Range;

/// What takes a secret's place.
const MARK: &[u8] = b"[redacted]";

/// Shapes of tokens by prefix, and the fewest bytes that follow. Sources: the issuers' own documentation.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-ant-", 8),
    ("sk-or-", 8),
    ("sk-proj-", 8),
    ("sk-", 20),
    ("xai-", 16),
    ("gsk_", 16),
    ("hf_", 16),
    ("AIza", 20),
    ("GOCSPX-", 8),
    ("ghp_", 8),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 8),
    ("glpat-", 8),
    ("npm_", 20),
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

/// Options of single programs whose value is a secret. `joined` options carry it in the same word.
const OPTIONS: &[(&str, &str, bool)] = &[
    ("curl", "-u", false),
    ("curl", "--user", false),
    ("curl", "-U", false),
    ("curl", "--proxy-user", false),
    ("curl", "-b", false),
    ("sshpass", "-p", true),
    ("mysql", "-p", true),
    ("mysqldump", "-p", true),
    ("mysqladmin", "-p", true),
    ("mariadb", "-p", true),
    ("redis-cli", "-a", false),
    ("docker", "-p", false),
    ("podman", "-p", false),
    ("htpasswd", "-b", false),
    ("unzip", "-P", true),
    ("zip", "-P", false),
    ("7z", "-p", true),
    ("wget", "--header", false),
];

/// Replaces secrets in one argument vector.
#[must_use]
pub fn redact_argv(argv: &[Vec<u8>]) -> Vec<Vec<u8>> {
    Redactor::default().argv(argv)
}

/// Replaces secrets in a text: a shell line, a message.
#[must_use]
pub fn redact_text(text: &[u8]) -> Vec<u8> {
    Redactor::default().text(text)
}

/// Remembers the secrets that it found: what one command told is taken out of the whole line.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    known: BTreeSet<Vec<u8>>,
}

impl Redactor {
    pub(super) fn argv(&mut self, argv: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let program =
            argv.first().map_or(&[][..], |word| word.rsplit(|byte| *byte == b'/').next().unwrap_or(word));
        let mut is_value = false;
        argv.iter()
            .map(|word| {
                if std::mem::replace(&mut is_value, is_telling_option(program, word)) {
                    // Without its value the next word is an option again.
                    if !word.starts_with(b"--") {
                        self.remember(word);
                        return MARK.to_vec();
                    }
                }
                match value_within(program, word) {
                    Some(value) => {
                        self.remember(word.get(value.clone()).unwrap_or_default());
                        replace(word, vec![value])
                    }
                    None => self.text(word),
                }
            })
            .collect()
    }

    pub(super) fn text(&self, text: &[u8]) -> Vec<u8> {
        let mut spans = spans(text);
        spans.extend(self.known.iter().flat_map(|secret| occurrences(text, secret)));
        replace(text, spans)
    }

    fn remember(&mut self, secret: &[u8]) {
        // A short one would be found everywhere.
        if secret.len() >= 4 {
            self.known.insert(secret.to_vec());
        }
    }
}

/// Whether the word after this one is a secret.
fn is_telling_option(program: &[u8], word: &[u8]) -> bool {
    let name = word.strip_prefix(b"--").or_else(|| word.strip_prefix(b"-").filter(|name| name.len() > 1));
    if name.is_some_and(|name| !name.contains(&b'=') && is_telling(name)) {
        return true;
    }
    OPTIONS.iter().any(|(of, option, joined)| {
        let named = of.as_bytes() == program && option.as_bytes() == word;
        // `mysql -p` alone asks; the word after it is a database.
        named && (!joined || *of == "sshpass" || *of == "unzip")
    })
}

/// The secret value in a word of the form `NAME=VALUE`, `--name=VALUE` or `-pVALUE`.
fn value_within(program: &[u8], word: &[u8]) -> Option<Range<usize>> {
    if let Some(at) = word.iter().position(|byte| *byte == b'=') {
        let name = word.get(..at)?;
        let is_name = !name.is_empty() && name.iter().all(|byte| is_name_byte(*byte));
        if is_name && is_telling(name) && at + 1 < word.len() {
            return Some(at + 1..word.len());
        }
    }
    let joined = OPTIONS.iter().filter(|(of, _, joined)| *joined && of.as_bytes() == program);
    let option = joined.map(|(_, option, _)| option.as_bytes()).find(|option| word.starts_with(option))?;
    (word.len() > option.len()).then_some(option.len()..word.len())
}

/// Whether a variable, option or header of this name holds a secret.
fn is_telling(name: &[u8]) -> bool {
    let name: String = name
        .iter()
        .map(|byte| if *byte == b'-' { '_' } else { char::from(byte.to_ascii_lowercase()) })
        .collect();
    let name = name.trim_start_matches('_');
    TELLING.iter().any(|part| name.contains(part)) || TELLING_ENDS.iter().any(|end| name.ends_with(end))
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'=' | b'~')
}

/// Every secret that a text shows.
fn spans(text: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let starts_word =
            at.checked_sub(1).is_none_or(|before| text.get(before).is_none_or(|byte| !is_name_byte(*byte)));
        let found = if starts_word { at_word(text, at) } else { None };
        let found = found.or_else(|| key_block(text, at)).or_else(|| url_secret(text, at));
        match found {
            Some(span) => {
                at = span.end.max(at + 1);
                spans.push(span);
            }
            None => at += 1,
        }
    }
    spans
}

fn at_word(text: &[u8], at: usize) -> Option<Range<usize>> {
    shaped(text, at).or_else(|| scheme(text, at)).or_else(|| named(text, at))
}

fn run(text: &[u8], at: usize, accept: impl Fn(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| accept(**byte)).count()
}

fn shaped(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    if rest.starts_with(b"eyJ") {
        let length = run(text, at, is_token_byte);
        let token = rest.get(..length)?;
        return (length >= 20 && token.iter().filter(|byte| **byte == b'.').count() >= 2)
            .then(|| at..at + length);
    }
    PREFIXES.iter().find_map(|(prefix, fewest)| {
        let after = at + prefix.len();
        if !rest.starts_with(prefix.as_bytes()) {
            return None;
        }
        let length = run(text, after, is_token_byte);
        (length >= *fewest).then(|| at..after + length)
    })
}

/// `Bearer TOKEN`, `Basic TOKEN`.
fn scheme(text: &[u8], at: usize) -> Option<Range<usize>> {
    let word = run(text, at, |byte| byte.is_ascii_alphabetic());
    let name = text.get(at..at + word)?.to_ascii_lowercase();
    if !matches!(name.as_slice(), b"bearer" | b"basic") {
        return None;
    }
    let spaces = run(text, at + word, |byte| byte == b' ');
    let start = at + word + spaces;
    let length = run(text, start, is_token_byte);
    (spaces > 0 && length >= 6).then(|| start..start + length)
}

/// The value after `NAME=`, `NAME:` and `--name `.
fn named(text: &[u8], at: usize) -> Option<Range<usize>> {
    let length = run(text, at, is_name_byte);
    let name = text.get(at..at + length)?;
    if length == 0 || !is_telling(name) {
        return None;
    }
    let mut after = at + length;
    // `"password": "x"` in JSON.
    after += run(text, after, |byte| matches!(byte, b'"' | b'\'')).min(1);
    let blanks = run(text, after, |byte| byte == b' ');
    match text.get(after + blanks) {
        Some(b'=') if blanks == 0 || name.first() != Some(&b'-') => value(text, after + blanks + 1, false),
        Some(b':') => value(text, after + blanks + 1, true),
        Some(_) if blanks > 0 && name.starts_with(b"-") => value(text, after, false),
        _ => None,
    }
}

/// A value: to the closing quote, else to the end of the word (a header's to the end of its line or quotes).
fn value(text: &[u8], at: usize, is_header: bool) -> Option<Range<usize>> {
    let start = at + run(text, at, |byte| byte == b' ');
    let first = *text.get(start)?;
    if matches!(first, b'"' | b'\'') {
        let length = run(text, start + 1, |byte| byte != first);
        return (length > 0).then(|| start + 1..start + 1 + length);
    }
    let ends = |byte: u8| match byte {
        b'\n' | b'\r' | b'"' | b'\'' => true,
        b' ' | b'\t' => !is_header,
        b'&' | b';' | b'|' | b'<' | b'>' | b')' | b'(' | b',' | b'}' => !is_header,
        _ => false,
    };
    let length = run(text, start, |byte| !ends(byte));
    (length > 0).then(|| start..start + length)
}

fn key_block(text: &[u8], at: usize) -> Option<Range<usize>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    const KEY: &[u8] = b"PRIVATE KEY-----";
    let rest = text.get(at..)?;
    let head = rest.strip_prefix(BEGIN)?;
    let label = head.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b' ').count();
    let label_end = BEGIN.len() + label + 5;
    if !rest.get(..label_end)?.ends_with(KEY) {
        return None;
    }
    let end = occurrences(rest, END).next().map_or(rest.len(), |end| end.start);
    Some(at + label_end..at + end)
}

/// The password in `scheme://user:password@host`, and a token that stands alone there.
fn url_secret(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?.strip_prefix(b"://")?;
    let length = rest.iter().take_while(|byte| !b"/?# \t\n\"'`<>".contains(byte)).count();
    let authority = rest.get(..length)?;
    let user_end = authority.iter().rposition(|byte| *byte == b'@')?;
    let user = authority.get(..user_end)?;
    let start = at + 3;
    match user.iter().position(|byte| *byte == b':') {
        Some(colon) if colon + 1 < user.len() => Some(start + colon + 1..start + user_end),
        // `git@` and other names of people and services are short.
        None if user.len() >= 16 => Some(start..start + user_end),
        _ => None,
    }
}

fn occurrences<'a>(text: &'a [u8], part: &'a [u8]) -> impl Iterator<Item = Range<usize>> {
    let windows = text.windows(part.len().max(1)).enumerate();
    windows.filter(move |(_, window)| *window == part).map(move |(at, _)| at..at + part.len())
}

/// Puts the mark in the place of each span.
fn replace(text: &[u8], mut spans: Vec<Range<usize>>) -> Vec<u8> {
    spans.sort_by_key(|span| (span.start, span.end));
    let mut redacted = Vec::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        if span.start >= at {
            redacted.extend_from_slice(text.get(at..span.start).unwrap_or_default());
            redacted.extend_from_slice(MARK);
        }
        at = at.max(span.end);
    }
    redacted.extend_from_slice(text.get(at..).unwrap_or_default());
    redacted
}
