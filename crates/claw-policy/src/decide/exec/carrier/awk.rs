//! awk programs: `system()`, pipes, output files.

use claw_shell::Word;

use super::{Case, Parsed};

impl Case<'_, '_, '_> {
    pub(super) fn awk(&mut self, parsed: &Parsed<'_>) {
        if parsed.has("-S") {
            return;
        }
        let has_file = parsed.has("-f") || parsed.has("-E");
        let sources = parsed.options.iter().filter(|(option, ..)| option.names.contains(&"-e"));
        let mut programs: Vec<Word> = Vec::new();
        for (_, value, word) in sources {
            match value {
                super::Text::Known(text) => programs.push(Word::literal(text.to_vec(), word.span)),
                _ => programs.push((*word).clone()),
            }
        }
        if programs.is_empty() && !has_file {
            programs.extend(parsed.operands.first().map(|word| (*word).clone()));
        }
        for word in &programs {
            match word.as_literal() {
                Some(text) => self.awk_program(&text, word),
                None => self.judge.unknown(
                    self.scope,
                    word.span,
                    "this awk program is only known when the line runs",
                ),
            }
        }
    }

    fn awk_program(&mut self, text: &[u8], word: &Word) {
        let Some(tokens) = tokens(text) else {
            if has_suspicious_text(text) {
                self.refuse(word, "this awk program is not understood");
            }
            return;
        };
        let mut output = Output::default();
        for (at, token) in tokens.iter().enumerate() {
            output.follow(token);
            match token {
                Token::Name(b"system") => self.awk_command(call_argument(&tokens, at), word),
                Token::Symbol(b'|') => self.awk_command(piped(&tokens, at, output.is_printing()), word),
                Token::Symbol(b'@') => self.refuse(word, "`@` loads or calls what the text does not tell"),
                Token::Symbol(b'>') if output.is_redirecting() => match target(&tokens, at) {
                    Some(file) => self.write(file, word),
                    None => {
                        self.judge.unknown(self.scope, word.span, "awk writes a file whose name is not known")
                    }
                },
                Token::Text(text) if text.starts_with(b"/inet") => {
                    self.refuse(word, "awk opens a connection")
                }
                _ => {}
            }
        }
    }

    fn awk_command(&mut self, command: Option<&[u8]>, word: &Word) {
        match command {
            Some(text) if !text.contains(&b'\\') => self.carried(text, word.span),
            _ => self.refuse(word, "awk runs a command that the text does not tell"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'t> {
    Name(&'t [u8]),
    Number,
    /// The inside of a string, escapes as written.
    Text(&'t [u8]),
    Regex,
    Symbol(u8),
    /// `++` or `--`, after which a slash may mean both.
    Step,
    /// `>=`, `||`, `&&`, `==` and others that are neither pipe nor redirection.
    Operator,
    End,
}

/// The program's tokens; `None` when it cannot be read for certain.
fn tokens(text: &[u8]) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (token, length) = match first {
            b' ' | b'\t' | b'\r' => {
                rest = after;
                continue;
            }
            b'\\' if after.first() == Some(&b'\n') => {
                rest = after.get(1..)?;
                continue;
            }
            b'#' => {
                rest = after.get(after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len())..)?;
                continue;
            }
            b'\n' | b';' => (Token::End, 1),
            b'"' => {
                let length = string(after)?;
                (Token::Text(after.get(..length)?), length + 2)
            }
            b'/' => match slash(&tokens)? {
                true => (Token::Regex, regex(after)? + 2),
                false => (Token::Symbol(b'/'), 1),
            },
            b'0'..=b'9' | b'.' => (
                Token::Number,
                rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count(),
            ),
            byte if byte.is_ascii_alphabetic() || *byte == b'_' => {
                let length =
                    rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                (Token::Name(rest.get(..length)?), length)
            }
            _ => operator(rest),
        };
        tokens.push(token);
        rest = rest.get(length..)?;
    }
    Some(tokens)
}

fn operator<'t>(rest: &[u8]) -> (Token<'t>, usize) {
    match rest {
        [b'+', b'+', ..] | [b'-', b'-', ..] => (Token::Step, 2),
        [b'>', b'>', ..] => (Token::Symbol(b'>'), 2),
        [b'|', b'&', ..] => (Token::Symbol(b'|'), 2),
        [b'|', b'|', ..] | [b'&', b'&', ..] | [b'>' | b'<' | b'=' | b'!', b'=', ..] => (Token::Operator, 2),
        [byte, ..] => (Token::Symbol(*byte), 1),
        [] => (Token::End, 0),
    }
}

/// The length of a string's inside, from behind its first quote.
fn string(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            b'\n' => return None,
            _ => at += 1,
        }
    }
}

/// The length of a regular expression's inside. A slash or quote inside brackets is read differently by
/// different awks, so it is not understood.
fn regex(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut bracket = false;
    loop {
        match text.get(at)? {
            b'\\' => at += 1,
            b'\n' => return None,
            b'[' => bracket = true,
            b']' => bracket = false,
            b'/' => return (!bracket).then_some(at),
            _ => {}
        }
        at += 1;
    }
}

/// Whether a slash begins a regular expression here; `None` when that is not certain.
fn slash(before: &[Token<'_>]) -> Option<bool> {
    match before.last() {
        None | Some(Token::End | Token::Operator) => Some(true),
        Some(Token::Name(b"return" | b"print" | b"printf" | b"in" | b"else" | b"do" | b"case")) => Some(true),
        Some(Token::Name(_) | Token::Number | Token::Text(_)) => Some(false),
        Some(Token::Symbol(b']' | b'$')) => Some(false),
        // `(a) / b` and `if (a) /b/` look the same, and so do `a++ / b` and `a++ /b/`.
        Some(Token::Symbol(b')') | Token::Step | Token::Regex) => None,
        Some(Token::Symbol(_)) => Some(true),
    }
}

/// Whether a program that cannot be read for certain could run or write anything at all.
fn has_suspicious_text(text: &[u8]) -> bool {
    let has = |wanted: &[u8]| text.windows(wanted.len()).any(|window| window == wanted);
    has(b"system") || has(b"|") || has(b"@") || has(b"/inet") || (has(b"print") && has(b">"))
}

/// Where print statements are, so that `>` can be told from a comparison.
#[derive(Debug, Default)]
struct Output {
    depth: usize,
    /// The depth of the print statement that is being read.
    print: Option<usize>,
}

impl Output {
    fn follow(&mut self, token: &Token<'_>) {
        match token {
            Token::Name(b"print" | b"printf") => self.print = Some(self.depth),
            Token::End | Token::Symbol(b'{' | b'}') => self.print = None,
            Token::Symbol(b'(' | b'[') => self.depth += 1,
            Token::Symbol(b')' | b']') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn is_redirecting(&self) -> bool {
        self.print == Some(self.depth)
    }

    fn is_printing(&self) -> bool {
        self.print.is_some()
    }
}

fn ends(token: Option<&Token<'_>>) -> bool {
    matches!(token, None | Some(Token::End | Token::Symbol(b'}')))
}

/// `system("text")`.
fn call_argument<'t>(tokens: &[Token<'t>], at: usize) -> Option<&'t [u8]> {
    match tokens.get(at + 1..at + 4)? {
        [Token::Symbol(b'('), Token::Text(text), Token::Symbol(b')')] => Some(*text),
        _ => None,
    }
}

/// `print | "text"` or `"text" | getline`.
fn piped<'t>(tokens: &[Token<'t>], at: usize, printing: bool) -> Option<&'t [u8]> {
    if printing {
        return target(tokens, at);
    }
    let before = at.checked_sub(2).and_then(|at| tokens.get(at));
    let alone = matches!(before, None | Some(Token::End | Token::Symbol(b'(' | b'{' | b'!')));
    match (at.checked_sub(1).and_then(|at| tokens.get(at)), tokens.get(at + 1)) {
        (Some(Token::Text(text)), Some(Token::Name(b"getline"))) if alone => Some(*text),
        _ => None,
    }
}

/// The text behind a redirection, when it is the whole of it.
fn target<'t>(tokens: &[Token<'t>], at: usize) -> Option<&'t [u8]> {
    match tokens.get(at + 1)? {
        Token::Text(text) if ends(tokens.get(at + 2)) => Some(*text),
        _ => None,
    }
}
