//! Brace expansion: `{a,b}`, `{1..9}`, `{a..z..2}`.

use super::Parser;
use super::word::WordBuilder;
use crate::Pieces;
use crate::bounds::{MAX_BRACE_WORDS, MAX_DEPTH, Parsed, error};
use crate::script::{ParseErrorKind, Piece, Span};

/// One element of the word that is expanded.
#[derive(Clone, Copy, Debug)]
enum Token<'w> {
    Piece(&'w Piece),
    /// An opening brace with the index of the token that closes it.
    Open(usize),
    Comma,
    Close,
}

impl Parser<'_, '_> {
    /// Expands the braces of a word, or joins the marks to plain text when there are none to expand.
    pub(super) fn brace_expand(&mut self, word: &WordBuilder, span: Span) -> Parsed<Vec<Pieces>> {
        let tokens = match_braces(word);
        let words = self.expand_tokens(&tokens, span, 0)?;
        if words.len() > 1 {
            self.shared.bounds.charge_brace_words(words.len(), span)?;
            self.bash_only(span);
        }
        Ok(words)
    }

    fn expand_tokens(&mut self, tokens: &[Token<'_>], span: Span, depth: usize) -> Parsed<Vec<Pieces>> {
        if depth > MAX_DEPTH {
            return Err(error(ParseErrorKind::TooDeep, span, "braces nested deeper than 32 levels"));
        }
        let mut words = vec![Pieces::new()];
        let mut index = 0;
        while let Some(token) = tokens.get(index) {
            index += 1;
            match token {
                Token::Piece(piece) => append(&mut words, piece),
                Token::Comma => append(&mut words, &literal(b",")),
                Token::Close => append(&mut words, &literal(b"}")),
                Token::Open(length) => {
                    let inside = tokens.get(index..index + length).unwrap_or_default();
                    index += length + 1;
                    let choices = self.expand_group(inside, span, depth)?;
                    words = self.product(&words, &choices, span)?;
                }
            }
        }
        Ok(words)
    }

    /// What a matched pair of braces stands for.
    fn expand_group(&mut self, inside: &[Token<'_>], span: Span, depth: usize) -> Parsed<Vec<Pieces>> {
        let parts = split_at_commas(inside);
        let mut choices = Vec::new();
        if parts.len() > 1 {
            for part in parts {
                choices.append(&mut self.expand_tokens(part, span, depth + 1)?);
            }
            return Ok(choices);
        }
        if let [Token::Piece(Piece::Literal(text))] = inside
            && let Some(sequence) = sequence(text, span)?
        {
            return Ok(sequence.into_iter().map(|item| Piece::Literal(item.into()).into()).collect());
        }
        for inner in self.expand_tokens(inside, span, depth + 1)? {
            let mut word = Pieces::from(literal(b"{"));
            word.extend(inner);
            append_one(&mut word, &literal(b"}"));
            choices.push(word);
        }
        Ok(choices)
    }

    fn product(&mut self, heads: &[Pieces], tails: &[Pieces], span: Span) -> Parsed<Vec<Pieces>> {
        if heads.len().saturating_mul(tails.len()) > MAX_BRACE_WORDS {
            return Err(error(ParseErrorKind::TooMany, span, "braces expand to more than 4096 words"));
        }
        let mut words = Vec::with_capacity(heads.len() * tails.len());
        for head in heads {
            for tail in tails {
                self.shared.bounds.charge(size(head) + size(tail), span)?;
                let mut word = head.clone();
                for piece in tail {
                    append_one(&mut word, piece);
                }
                words.push(word);
            }
        }
        Ok(words)
    }
}

fn literal(text: &[u8]) -> Piece {
    Piece::Literal(text.into())
}

fn size(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| if let Piece::Literal(text) = piece { text.len() + 8 } else { 8 }).sum()
}

fn append(words: &mut [Pieces], piece: &Piece) {
    for word in words {
        append_one(word, piece);
    }
}

fn append_one(word: &mut Pieces, piece: &Piece) {
    match (word.last_mut(), piece) {
        (Some(Piece::Literal(last)), Piece::Literal(text)) => last.extend_from_slice(text),
        _ => word.push(piece.clone()),
    }
}

/// Finds which braces belong together. A brace without its partner is text.
fn match_braces(word: &WordBuilder) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(word.pieces.len());
    let (mut open, mut marks) = (Vec::new(), word.marks.iter().copied().peekable());
    for (index, piece) in word.pieces.iter().enumerate() {
        let marked = marks.next_if_eq(&index).is_some();
        let token = match piece {
            Piece::Literal(text) if marked && text == b"," && !open.is_empty() => Token::Comma,
            Piece::Literal(text) if marked && text == b"{" => {
                open.push(index);
                Token::Piece(piece)
            }
            Piece::Literal(text) if marked && text == b"}" => match open.pop() {
                Some(start) => {
                    if let Some(token) = tokens.get_mut(start) {
                        *token = Token::Open(index - start - 1);
                    }
                    Token::Close
                }
                None => Token::Piece(piece),
            },
            piece => Token::Piece(piece),
        };
        tokens.push(token);
    }
    tokens
}

/// The parts between the commas that belong to this pair of braces.
fn split_at_commas<'t, 'w>(inside: &'t [Token<'w>]) -> Vec<&'t [Token<'w>]> {
    let (mut parts, mut start, mut index) = (Vec::new(), 0, 0);
    while let Some(token) = inside.get(index) {
        match token {
            Token::Open(length) => index += length + 1,
            Token::Comma => {
                parts.push(inside.get(start..index).unwrap_or_default());
                start = index + 1;
            }
            Token::Piece(_) | Token::Close => {}
        }
        index += 1;
    }
    parts.push(inside.get(start..).unwrap_or_default());
    parts
}

/// The items of `1..9`, `01..10..2` or `a..z`.
fn sequence(text: &[u8], span: Span) -> Parsed<Option<Vec<Vec<u8>>>> {
    let Ok(text) = std::str::from_utf8(text) else { return Ok(None) };
    let parts: Vec<&str> = text.split("..").collect();
    let (first, last, step) = match parts.as_slice() {
        [first, last] => (*first, *last, "1"),
        [first, last, step] => (*first, *last, *step),
        _ => return Ok(None),
    };
    let Ok(step) = step.parse::<i64>() else { return Ok(None) };
    let step = step.unsigned_abs().max(1);
    if let (Ok(from), Ok(to)) = (first.parse::<i64>(), last.parse::<i64>()) {
        let width = if is_padded(first) || is_padded(last) { first.len().max(last.len()) } else { 0 };
        let numbers = steps(from, to, step, span)?;
        return Ok(Some(
            numbers.into_iter().map(|number| format!("{number:0width$}").into_bytes()).collect(),
        ));
    }
    match (first.as_bytes(), last.as_bytes()) {
        ([from], [to]) if from.is_ascii_alphabetic() && to.is_ascii_alphabetic() => {
            let letters = steps(i64::from(*from), i64::from(*to), step, span)?;
            Ok(Some(
                letters
                    .into_iter()
                    .map(|letter| letter.to_le_bytes().into_iter().take(1).collect())
                    .collect(),
            ))
        }
        _ => Ok(None),
    }
}

fn is_padded(number: &str) -> bool {
    let digits = number.trim_start_matches(['-', '+']);
    digits.len() > 1 && digits.starts_with('0')
}

fn steps(from: i64, to: i64, step: u64, span: Span) -> Parsed<Vec<i64>> {
    let count = from.abs_diff(to) / step;
    if count >= MAX_BRACE_WORDS as u64 {
        return Err(error(ParseErrorKind::TooMany, span, "braces expand to more than 4096 words"));
    }
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let mut numbers = vec![from];
    let mut number = from;
    for _ in 0..count {
        number = if to >= from { number.saturating_add(step) } else { number.saturating_sub(step) };
        numbers.push(number);
    }
    Ok(numbers)
}
