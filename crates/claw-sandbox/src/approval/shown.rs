//! A question as a person reads it.
#![forbid(unsafe_code)]

use super::ApprovalRequest;

impl ApprovalRequest<'_> {
    /// All of it, over several lines that are indented by two: nothing is cut off, and what would not be seen as it is, or would
    /// write on a terminal, is escaped.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(self)
    }
}

fn shown(request: &ApprovalRequest<'_>) -> String {
    let mut text = String::new();
    let mut add = |name: &str, value: &str| {
        text.push_str("  ");
        text.push_str(name);
        text.push_str(value);
        text.push('\n');
    };
    if let Some(line) = request.line {
        add("", &escaped(line));
    }
    for argv in request.commands {
        let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
        add(if request.line.is_some() { "runs: " } else { "" }, &words.join(" "));
    }
    if let Some(program) = request.program {
        add("program: ", &escaped(program.as_os_str().as_encoded_bytes()));
    }
    add("in: ", &escaped(request.cwd.as_os_str().as_encoded_bytes()));
    if let Some(caller) = request.caller {
        add("asked for by: ", &escaped(caller.as_bytes()));
    }
    for reason in request.reasons {
        add("because ", &escaped(reason.message.as_bytes()));
    }
    text
}

/// Text of others with what would not be seen as it is, or would write on a terminal, escaped.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            // Also what would turn the direction of the text around or take no room.
            if character.is_control() || is_invisible(character) {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

const fn is_invisible(character: char) -> bool {
    // Default_Ignorable_Code_Point of Unicode 16, without its unassigned ones, the separators of lines, the marks of
    // annotations (U+FFF9) and the empty Braille cell.
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// A word, quoted where it would not be seen as one word. No two words look the same, nor like two.
pub(crate) fn quoted(word: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    for byte in word {
        if matches!(byte, b'\'' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    let shown = escaped(&bytes);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) { shown } else { format!("'{shown}'") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::approval::Waits;

    #[test]
    fn a_word_looks_like_one_word_and_like_no_other() {
        for (word, shown) in [
            ("plain", "plain"),
            ("a' 'b", r"'a\' \'b'"),
            (r"a\' \'b", r"'a\\\' \\\'b'"),
            ("\n", r"'\n'"),
            (r"\n", r"'\\n'"),
            ("a\u{3164}b", r"'a\u{3164}b'"),
        ] {
            assert_eq!(quoted(word.as_bytes()), shown);
        }
    }

    #[test]
    fn what_takes_no_room_is_written_out() {
        for invisible in
            ['\u{61c}', '\u{3164}', '\u{fe00}', '\u{fe0f}', '\u{e0000}', '\u{e007f}', '\u{e0100}', '\u{200b}']
        {
            let text = escaped(format!("a{invisible}b").as_bytes());
            assert_eq!(text, format!("a{}b", invisible.escape_unicode()));
        }
        assert_eq!(escaped("ä漢é".as_bytes()), "ä漢é");
    }

    #[test]
    fn nothing_of_a_command_is_cut_off_and_nothing_writes_on_the_terminal() {
        let mut argv = vec![b"curl".to_vec(), b"\x1b[2J a\n".to_vec()];
        argv.extend(["\u{202e}b".as_bytes().to_vec(), b"\xff".to_vec(), Vec::new(), vec![b'x'; 100_000]]);
        let text = shown(&ApprovalRequest {
            commands: &[argv],
            line: None,
            program: Some(Path::new("/usr/bin/cu\nrl")),
            cwd: Path::new("/w"),
            caller: None,
            reasons: &[],
            terminal: None,
            digest: "",
            waits: Waits::always(),
        });
        assert!(text.contains(r"curl '\u{1b}[2J a\n' '\u{202e}b' '\xff' '' xxx"), "{text:.200}");
        assert!(text.contains(&"x".repeat(100_000)) && text.contains("program: /usr/bin/cu\\nrl\n"));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
}
