//! Shell words as arguments: what of them is known before the line runs.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use claw_shell::{Piece, Word};

use crate::decide::world::World;

/// Parameters that are always one number, so neither an option nor a path.
const NUMBERS: [&[u8]; 4] = [b"?", b"#", b"$", b"!"];

/// Whether the word may become something that begins with `-`, or add such an argument.
pub(super) fn may_be_option(word: &Word) -> bool {
    let mut first = true;
    for piece in &word.pieces {
        match piece {
            Piece::Literal(text) => {
                if first && text.first() == Some(&b'-') {
                    return true;
                }
                first &= text.is_empty();
            }
            Piece::Tilde(_) | Piece::Number => first = false,
            // The directory names are ours and hold no blanks.
            Piece::Param { name, .. } if is_directory(name) => first = false,
            Piece::Param { name, .. } if NUMBERS.contains(&name.as_slice()) => first = false,
            Piece::Glob(_) if first => return true,
            Piece::Glob(_) => {}
            Piece::Param { name, quoted } => {
                if first || !quoted || name == b"@" {
                    return true;
                }
            }
            Piece::Dynamic { quoted } => {
                if first || !quoted {
                    return true;
                }
            }
        }
    }
    false
}

/// The word as an option is read: any number stands for every number (`-j$(nproc)`).
pub(super) fn option_text(word: &Word) -> Option<Cow<'_, [u8]>> {
    if !word.pieces.contains(&Piece::Number) {
        return word.as_literal();
    }
    let mut text = Vec::new();
    for piece in &word.pieces {
        match piece {
            Piece::Literal(literal) => text.extend_from_slice(literal),
            Piece::Number => text.push(b'1'),
            _ => return None,
        }
    }
    Some(Cow::Owned(text))
}

/// The path that the word names under `cwd`, when the text tells it: literal text, after `~`, `$HOME` or `$PWD`.
pub(super) fn path(word: &Word, cwd: Option<&Path>, world: &World<'_>) -> Option<PathBuf> {
    let (base, rest): (Cow<'_, Path>, &[Piece]) = match word.pieces.split_first()? {
        (Piece::Tilde(user), rest) if user.is_empty() => (Cow::Borrowed(world.home()?), rest),
        (Piece::Tilde(user), rest) => (Cow::Borrowed(world.home_of(user)?.as_deref()?), rest),
        (Piece::Param { name, .. }, rest) if name == b"HOME" => (Cow::Borrowed(world.home()?), rest),
        (Piece::Param { name, .. }, rest) if name == b"PWD" => (Cow::Borrowed(cwd?), rest),
        _ => return text_path(&word.as_literal()?, cwd),
    };
    let mut text = base.as_os_str().as_encoded_bytes().to_vec();
    for piece in rest {
        let Piece::Literal(literal) = piece else { return None };
        text.extend_from_slice(literal);
    }
    text_path(&text, cwd)
}

/// The path that the word names, or the directory that it certainly begins with (`~/.ssh/*`).
pub(super) fn known_path(word: &Word, cwd: Option<&Path>, world: &World<'_>) -> Option<PathBuf> {
    let is_open = |piece: &Piece| match piece {
        Piece::Literal(_) | Piece::Tilde(_) => false,
        Piece::Param { name, .. } => !is_directory(name),
        Piece::Glob(_) | Piece::Number | Piece::Dynamic { .. } => true,
    };
    let Some(open) = word.pieces.iter().position(is_open) else { return path(word, cwd, world) };
    let mut known = Word { span: word.span, pieces: word.pieces.get(..open)?.into() };
    if let Some(Piece::Literal(text)) = known.pieces.last_mut() {
        // The last name is only a part of one.
        text.truncate(text.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1));
    }
    path(&known, cwd, world)
}

/// The absolute path of plain text under `cwd`.
pub(super) fn text_path(text: &[u8], cwd: Option<&Path>) -> Option<PathBuf> {
    if text.is_empty() {
        return None;
    }
    let path = bytes_path(text);
    if path.is_absolute() { Some(path) } else { Some(cwd?.join(path)) }
}

/// Bytes as the kernel takes them, as a path.
pub(super) fn bytes_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// The last component of a path.
pub(super) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// A word for people, shortened.
pub(super) fn display(bytes: &[u8]) -> String {
    /// Longer words say no more to a reader of one line.
    const LONGEST: usize = 60;
    let text: String =
        String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST).collect();
    short.push_str("...");
    short
}

fn is_directory(name: &[u8]) -> bool {
    name == b"HOME" || name == b"PWD"
}
