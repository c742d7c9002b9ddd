//! Shells as programs: `sh -c text`, `bash script`, `curl ... | sh`.

use crate::bounds::Parsed;
use crate::collect::{Call, Collector, Input};
use crate::script::{Dialect, OpaqueKind, Piece, Word};

/// How the shell `name` reads its text. What is not bash is held to what all shells share.
pub(super) fn dialect(name: &[u8]) -> Option<Dialect> {
    match name {
        b"bash" | b"rbash" => Some(Dialect::Bash),
        b"sh" | b"dash" | b"ash" | b"zsh" | b"ksh" | b"ksh93" | b"mksh" => Some(Dialect::Posix),
        _ => None,
    }
}

/// What a shell's arguments make it read.
#[derive(Debug)]
enum Program<'w> {
    /// The text after `-c`.
    Text(&'w Word),
    /// A file.
    File(&'w Word),
    Input,
    /// `--version` and the like.
    Nothing,
    /// An option that is not known, or a word that may be one.
    Unknown(&'w Word),
}

pub(super) fn open(collector: &mut Collector, call: &Call<'_>, dialect: Dialect) -> Parsed<()> {
    match program(call.arguments()) {
        Program::Nothing => {}
        Program::Unknown(word) => collector.mark(OpaqueKind::WrapperOption, word.span),
        Program::File(file) if is_computed(file) => collector.mark(OpaqueKind::DynamicCode, file.span),
        Program::File(file) if names_standard_input(file) => return read_input(collector, call, dialect),
        Program::File(_) => collector.publish_assignments(call.id)?,
        Program::Input => return read_input(collector, call, dialect),
        Program::Text(text) => {
            let Some(literal) = text.as_literal() else {
                collector.mark(OpaqueKind::DynamicCode, text.span);
                return Ok(());
            };
            collector.publish_assignments(call.id)?;
            let input = collector.shell.input.of_many();
            collector.new_shell(&literal, text.span, dialect, input)?;
            collector.set_transparent(call.id);
        }
    }
    if matches!(program(call.arguments()), Program::Nothing | Program::Input) && call.more_arguments {
        collector.mark(OpaqueKind::DynamicCode, call.span);
    }
    Ok(())
}

/// A shell that reads commands from its standard input.
fn read_input(collector: &mut Collector, call: &Call<'_>, dialect: Dialect) -> Parsed<()> {
    match collector.shell.input.clone() {
        Input::Text(text, span) if !call.more_arguments => {
            collector.publish_assignments(call.id)?;
            collector.new_shell(&text, span, dialect, Input::Fed)?;
            collector.set_transparent(call.id);
        }
        _ => collector.mark(OpaqueKind::CodeFromInput, call.span),
    }
    Ok(())
}

fn program(arguments: &[Word]) -> Program<'_> {
    let (mut text, mut input) = (false, false);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let Some(option) = word.as_literal() else {
            let prefix = word.literal_prefix();
            let operand = !prefix.is_empty() && !prefix.starts_with(b"-") && !prefix.starts_with(b"+");
            return match (text, operand) {
                (true, _) => Program::Text(word),
                (false, true) => Program::File(word),
                (false, false) if is_pipe(word) => Program::Input,
                (false, false) => Program::Unknown(word),
            };
        };
        match option.as_ref() {
            // A lone dash ends the options like `--`.
            b"--" | b"-" => break,
            b"--version" | b"--help" => return Program::Nothing,
            b"--norc" | b"--noprofile" | b"--login" | b"--posix" | b"--verbose" | b"--noediting" => {}
            [b'-' | b'+', letters @ ..]
                if !letters.is_empty() && letters.iter().all(|letter| is_letter(*letter)) =>
            {
                text |= letters.contains(&b'c') && option.starts_with(b"-");
                input |= letters.contains(&b's');
                let values = letters.iter().filter(|letter| matches!(letter, b'o' | b'O')).count();
                for _ in 0..values {
                    match words.next() {
                        Some(value) if value.as_literal().is_none() => return Program::Unknown(value),
                        _ => {}
                    }
                }
            }
            [b'-' | b'+', ..] => return Program::Unknown(word),
            _ if text => return Program::Text(word),
            _ if input => return Program::Input,
            _ => return Program::File(word),
        }
    }
    match words.next() {
        Some(word) if text => Program::Text(word),
        _ if input => Program::Input,
        Some(word) => Program::File(word),
        None => Program::Input,
    }
}

fn is_letter(letter: u8) -> bool {
    letter.is_ascii_alphabetic()
}

fn is_pipe(word: &Word) -> bool {
    matches!(word.pieces.as_slice(), [Piece::Dynamic { quoted: false }])
}

fn is_computed(file: &Word) -> bool {
    file.literal_prefix().is_empty()
        && file.as_literal().is_none()
        && !matches!(file.pieces.first(), Some(Piece::Tilde(_)))
}

/// `/dev/stdin`, `/dev/fd/0` and other names of what a process was given open.
pub(crate) fn names_standard_input(word: &Word) -> bool {
    let Some(text) = word.as_literal() else { return false };
    &*text == b"/dev/stdin"
        || text.starts_with(b"/dev/fd/")
        || (text.starts_with(b"/proc/") && contains(&text, b"/fd/"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
