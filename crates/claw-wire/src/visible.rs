//! Text that can be shown.

/// The text without control characters, each replaced by U+FFFD: a name can neither begin a line of its own nor write on a
/// terminal.
///
/// ```
/// assert_eq!(claw_wire::visible("a\nb\u{1b}[2J"), "a\u{fffd}b\u{fffd}[2J");
/// ```
#[must_use]
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}
