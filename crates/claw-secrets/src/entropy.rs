//! Whether a value looks drawn at random, as keys are, and not written by a person.

use crate::placeholder;

/// Below this a value beside a telling name is more often a word than a key.
const SHORTEST: usize = 12;
pub(crate) const LONGEST: usize = 512;

/// Bits for each byte below which a value of this length was not drawn at random. Sixteen random hexadecimal digits have about
/// 3.2 (they repeat), twelve random letters and digits 3.4, and English identifiers 2.5 to 3.3.
const FEWEST_BITS: f64 = 3.0;

/// Whether a value that a telling name has is a secret.
pub(crate) fn is_random(value: &[u8]) -> bool {
    let has = |belongs: fn(&u8) -> bool| value.iter().any(belongs);
    let letters = has(u8::is_ascii_alphabetic);
    let others = has(|byte| byte.is_ascii_digit() || byte.is_ascii_punctuation() && !is_joint(*byte));
    (SHORTEST..=LONGEST).contains(&value.len())
        && letters
        && others
        && bits(value) >= FEWEST_BITS
        && !is_uuid(value)
        && !is_hash(value)
        && !is_written(value)
        && !placeholder::is_filler(value)
}

/// Shannon's entropy of the bytes, in bits for each.
fn bits(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / length;
    -counts
        .into_iter()
        .filter(|count| *count > 0)
        .map(|count| share(count) * share(count).log2())
        .sum::<f64>()
}

/// `8-4-4-4-12` hexadecimal digits.
fn is_uuid(value: &[u8]) -> bool {
    let groups = value.split(|byte| *byte == b'-');
    groups.clone().map(<[u8]>::len).eq([8, 4, 4, 4, 12]) && groups.flatten().all(u8::is_ascii_hexdigit)
}

/// What says itself that it is a hash: subresource integrity, image digests, password hashes.
fn is_hash(value: &[u8]) -> bool {
    const STARTS: &[&[u8]] = &[
        b"sha1-", b"sha256-", b"sha384-", b"sha512-", b"sha1:", b"sha256:", b"sha512:", b"md5:", b"$2a$",
        b"$2b$", b"$2y$", b"$argon2", b"$6$", b"pbkdf2",
    ];
    STARTS.iter().any(|start| value.starts_with(start))
}

/// Names, versions, dates, paths and addresses: every part is a word, a number, or a word with a small number.
fn is_written(value: &[u8]) -> bool {
    let parts = || value.split(|byte| is_joint(*byte) || *byte == b'@');
    value.windows(3).any(|part| part == b"://")
        || is_interpolated(value)
        || parts().all(is_word)
        || parts().all(is_camel_case)
}

/// `prefix.$name.suffix`: the text of a program.
fn is_interpolated(value: &[u8]) -> bool {
    value.windows(4).any(|part| part.starts_with(b"$") && part.iter().skip(1).all(u8::is_ascii_lowercase))
}

/// `X509CertificateFlag`. What was drawn at random changes its case every other letter.
fn is_camel_case(part: &[u8]) -> bool {
    let humps = part
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if !a.is_ascii_uppercase() && b.is_ascii_uppercase()))
        .count();
    part.iter().all(u8::is_ascii_alphanumeric)
        && part.chunk_by(|a, b| a.is_ascii_uppercase() || !b.is_ascii_uppercase()).all(is_word)
        && part.len() >= (humps + 1) * 4
}

fn is_word(part: &[u8]) -> bool {
    let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let digits = part.get(letters..).unwrap_or_default();
    let (head, tail) = part.split_at(letters.min(1));
    let word = tail.get(..letters.saturating_sub(head.len())).unwrap_or_default();
    let one_case = word.iter().all(u8::is_ascii_lowercase)
        || part.get(..letters).unwrap_or_default().iter().all(u8::is_ascii_uppercase);
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number && one_case && (letters == 0 || digits.len() <= 4)
}

/// What joins words.
const fn is_joint(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'=')
}
