//! Reads options the way getopt does: clusters, joined values, abbreviated long options.

use crate::Pieces;
use crate::script::{Piece, Span, Word};

/// The options that a program takes before its operands.
#[derive(Debug)]
pub(super) struct Options {
    /// Letters without a value.
    pub(super) flags: &'static str,
    /// Letters with a value, joined or in the next word.
    pub(super) valued: &'static str,
    /// Letters whose value can only be joined.
    pub(super) optional: &'static str,
    pub(super) long_flags: &'static [&'static str],
    pub(super) long_valued: &'static [&'static str],
    pub(super) long_optional: &'static [&'static str],
    /// Whether `-5` is an option.
    pub(super) number: bool,
}

/// An option that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The letter or the full long name.
    pub(super) name: String,
    pub(super) value: Option<Word>,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum Scan {
    Options {
        found: Vec<Found>,
        /// The index of the first operand.
        rest: usize,
    },
    /// An option that the table does not have, or a word that could become one.
    Unknown(Span),
}

pub(super) fn scan(options: &Options, words: &[Word]) -> Scan {
    let (mut found, mut index) = (Vec::new(), 0);
    while let Some(word) = words.get(index) {
        let Some(Piece::Literal(text)) = word.pieces.first() else {
            // What is computed may begin with a dash, but only one word of it.
            break;
        };
        let Some(letters) = text.strip_prefix(b"-") else { break };
        index += 1;
        let known = match letters {
            b"-" if word.pieces.len() == 1 => return Scan::Options { found, rest: index },
            [] if word.pieces.len() == 1 => {
                // A lone dash: `env -` clears the environment, elsewhere it is an operand.
                if options.flags.contains('-') {
                    continue;
                }
                return Scan::Options { found, rest: index - 1 };
            }
            [b'-', name @ ..] => long(options, name, word, words.get(index), &mut index),
            letters if options.number && is_number(letters) => Some(vec![option("number", None, word.span)]),
            letters => short(options, letters, word, words.get(index), &mut index),
        };
        match known {
            Some(mut options) => found.append(&mut options),
            None => return Scan::Unknown(word.span),
        }
    }
    Scan::Options { found, rest: index }
}

fn option(name: &str, value: Option<Word>, span: Span) -> Found {
    Found { name: name.to_owned(), value, span }
}

fn is_number(letters: &[u8]) -> bool {
    let digits = letters.strip_prefix(b"+").or(letters.strip_prefix(b"-")).unwrap_or(letters);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// A cluster of letters; the first with a value takes the rest.
fn short(
    options: &Options,
    letters: &[u8],
    word: &Word,
    next: Option<&Word>,
    index: &mut usize,
) -> Option<Vec<Found>> {
    let mut found = Vec::new();
    for (position, letter) in letters.iter().map(|byte| char::from(*byte)).enumerate() {
        let rest = without_prefix(word, position + 2);
        let at_end = rest.pieces.is_empty();
        let name = letter.to_string();
        if options.valued.contains(letter) {
            let value = if at_end {
                *index += 1;
                next.cloned()?
            } else {
                rest
            };
            if value.can_split() {
                return None;
            }
            found.push(option(&name, Some(value), word.span));
            return Some(found);
        }
        if options.optional.contains(letter) {
            found.push(option(&name, (!at_end).then_some(rest), word.span));
            return Some(found);
        }
        if !options.flags.contains(letter) {
            return None;
        }
        found.push(option(&name, None, word.span));
    }
    // Further pieces are letters that the text does not tell.
    (word.pieces.len() == 1).then_some(found)
}

fn long(
    options: &Options,
    text: &[u8],
    word: &Word,
    next: Option<&Word>,
    index: &mut usize,
) -> Option<Vec<Found>> {
    let equals = text.iter().position(|byte| *byte == b'=');
    let written = std::str::from_utf8(text.get(..equals.unwrap_or(text.len()))?).ok()?;
    let name = full_name(options, written)?;
    let value = match equals {
        Some(equals) => Some(without_prefix(word, equals + 3)),
        None if word.pieces.len() > 1 => return None,
        None if options.long_valued.contains(&name) => {
            *index += 1;
            Some(next.cloned()?)
        }
        None => None,
    };
    if value.as_ref().is_some_and(Word::can_split) || (value.is_some() && is_flag(options, name)) {
        return None;
    }
    Some(vec![option(name, value, word.span)])
}

fn is_flag(options: &Options, name: &str) -> bool {
    options.long_flags.contains(&name) || name == "help" || name == "version"
}

/// The one long option that `written` abbreviates.
fn full_name(options: &Options, written: &str) -> Option<&'static str> {
    let lists = [options.long_flags, options.long_valued, options.long_optional, &["help", "version"]];
    let mut names = lists.iter().flat_map(|list| list.iter().copied());
    if let Some(exact) = names.clone().find(|name| *name == written) {
        return Some(exact);
    }
    let first = names.find(|name| name.starts_with(written))?;
    match names.find(|name| name.starts_with(written) && *name != first) {
        Some(_) => None,
        None => Some(first),
    }
}

/// `word` without its first `length` literal bytes.
pub(super) fn without_prefix(word: &Word, length: usize) -> Word {
    let mut pieces = Pieces::new();
    let mut pieces_left = word.pieces.iter();
    if let Some(Piece::Literal(text)) = pieces_left.next() {
        match text.get(length..) {
            None | Some([]) => {}
            Some(rest) => pieces.push(Piece::Literal(rest.into())),
        }
    }
    pieces.extend(pieces_left.cloned());
    Word { span: word.span, pieces }
}
