//! Classes of bytes, and how far a run of them goes.

/// A class of bytes.
pub(crate) type Class = fn(u8) -> bool;

pub(crate) const fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// base64url: what most tokens are made of.
pub(crate) const fn is_url64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// base64 in both alphabets, and what passwords have beside it. Nothing that ends a word, a string or a statement.
pub(crate) const fn is_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'_' | b'-'
                | b'.'
                | b'/'
                | b'+'
                | b'='
                | b'~'
                | b'!'
                | b'@'
                | b'#'
                | b'$'
                | b'%'
                | b'^'
                | b'*'
                | b'?'
                | b':'
        )
}

pub(crate) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

pub(crate) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// How many bytes of a class stand from `at` on.
pub(crate) fn run(text: &[u8], at: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let length = text.get(at..).unwrap_or_default().iter().take_while(|byte| belongs(**byte)).count();
    #[cfg(test)]
    LOOKED_AT.with(|looked_at| looked_at.set(looked_at.get() + length));
    length
}

#[cfg(test)]
thread_local! {
    static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many bytes this thread has looked at so far: the measure of the work.
#[cfg(test)]
pub(crate) fn looked_at() -> usize {
    LOOKED_AT.with(std::cell::Cell::get)
}

/// Whether a word begins here: nothing that could belong to it stands before. `\n` in a string literal is no letter.
pub(crate) fn starts_word(text: &[u8], at: usize) -> bool {
    let before = |distance: usize| at.checked_sub(distance).and_then(|place| text.get(place)).copied();
    match before(1) {
        None => true,
        Some(b'n' | b'r' | b't') if before(2) == Some(b'\\') => true,
        Some(byte) => !is_url64(byte),
    }
}
