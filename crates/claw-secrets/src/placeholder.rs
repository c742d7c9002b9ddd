//! What stands where a secret would, without being one.

/// Words with which people fill in examples. `AKIAIOSFODNN7EXAMPLE` is the one in Amazon's own documentation.
const FILLERS: &[&str] = &[
    "example",
    "placeholder",
    "redacted",
    "changeme",
    "change-me",
    "change_me",
    "replace",
    "xxxx",
    "your-",
    "your_",
    "yourkey",
    "yourtoken",
    "insert",
    "dummy",
    "sample",
    "todo",
    "....",
    "****",
    "not-a-real",
    "notareal",
    "fake",
];

/// What people write for a password in a manual, or leave as it came.
const STAND_INS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "pw",
    "mypassword",
    "yourpassword",
    "p",
    "x",
    "user",
];

/// Bodies of tokens that were typed, not drawn: a filler word, or hardly any different characters.
pub(crate) fn is_filler(body: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(body).to_ascii_lowercase();
    distinct(body) <= 4 || FILLERS.iter().any(|word| lower.contains(word))
}

/// Whether a password is only the place for one.
pub(crate) fn is_stand_in(value: &[u8]) -> bool {
    let is_word = STAND_INS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    value.is_empty() || is_word || is_reference(value) || is_filler_password(value)
}

/// `xxx`, `***`, `changeme123`. A short password may have few different characters: only one does not do.
fn is_filler_password(value: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    distinct(value) == 1 || FILLERS.iter().any(|word| lower.contains(word))
}

/// Whether a value only says where the secret comes from.
///
/// ```
/// for value in ["${TOKEN}", "$TOKEN", "{{ token }}", "<your-token>", "%TOKEN%", "process.env.TOKEN", "op://vault/item"] {
///     assert!(claw_secrets::is_reference(value.as_bytes()), "{value}");
/// }
/// assert!(!claw_secrets::is_reference(b"$ecret1"));
/// ```
#[must_use]
pub fn is_reference(value: &[u8]) -> bool {
    const STARTS: &[&str] = &[
        "${",
        "$(",
        "`",
        "{{",
        "{%",
        "<",
        "%(",
        "process.env",
        "os.environ",
        "os.getenv",
        "env.",
        "env:",
        "ENV[",
        "env(",
        "op://",
        "vault:",
        "vault://",
        "!vault",
        "ENC[",
        "{cipher}",
        "arn:aws:",
        "keyring:",
        "file:",
        "secret://",
        "ref+",
    ];
    let is_constant = |name: &[u8]| {
        !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
    };
    let between = value.strip_prefix(b"%").and_then(|rest| rest.strip_suffix(b"%"));
    STARTS.iter().any(|start| value.starts_with(start.as_bytes()))
        || value.strip_prefix(b"$").is_some_and(is_constant)
        || between.is_some_and(is_constant)
        || (!value.is_empty() && value.iter().all(|byte| *byte == b'*'))
}

/// How many different bytes a text has.
pub(crate) fn distinct(text: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in text {
        if let Some(place) = seen.get_mut(usize::from(*byte)) {
            *place = true;
        }
    }
    seen.iter().filter(|seen| **seen).count()
}
