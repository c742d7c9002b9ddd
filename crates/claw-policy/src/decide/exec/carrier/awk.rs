//! awk programs: `system()`, pipes, output files.

use claw_shell::Word;

use super::super::options::Text;
use super::{Case, Parsed};

impl Case<'_, '_, '_> {
    pub(super) fn awk(&mut self, parsed: &Parsed<'_>) {
        self.refuse_unknown_options(parsed);
        // Only gawk has it.
        if self.name == b"gawk" && self.begins_with(&["-S", "--sandbox"]) {
            return;
        }
        let has_file = parsed.has("-f") || parsed.has("-E");
        let sources = parsed.options.iter().filter(|(option, ..)| option.names.contains(&"-e"));
        if self.name != b"gawk" {
            self.awk_without_gnu(parsed);
        }
        let mut texts = Vec::new();
        let mut place = None;
        for (_, value, word) in sources {
            place = place.or(Some(*word));
            match value {
                Text::Known(text) => texts.push(text.to_vec()),
                Text::Dynamic => return self.awk_unknown(word),
                Text::None => {}
            }
        }
        if place.is_none() && !has_file {
            let Some(word) = parsed.operands.first() else { return };
            let Some(text) = word.as_literal() else { return self.awk_unknown(word) };
            texts.push(text.into_owned());
            place = Some(word);
        }
        if let Some(word) = place {
            self.awk_program(&texts.join(&b'\n'), word);
        }
    }

    /// Other awks skip options of gawk, and take what follows for the program.
    fn awk_without_gnu(&mut self, parsed: &Parsed<'_>) {
        let gnu =
            |word: &Word| !["-F", "-v"].iter().any(|it| word.literal_prefix().starts_with(it.as_bytes()));
        let mut gnu = parsed.options.iter().filter(|(_, _, word)| gnu(word)).peekable();
        let operand = parsed.operands.first().filter(|_| gnu.peek().is_some());
        for (_, value, word) in gnu {
            if let Text::Known(text) = value {
                self.awk_program(text, word);
            }
        }
        match operand.map(|word| (word, word.as_literal())) {
            Some((word, Some(text))) => self.awk_program(&text, word),
            Some((word, None)) => self.awk_unknown(word),
            None => {}
        }
    }

    fn awk_unknown(&mut self, word: &Word) {
        self.judge.unknown(self.scope, word.span, "this awk program is only known when the line runs");
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
                    Some(file) if !file.contains(&b'\\') => self.write(file, word),
                    _ => {
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
            // The statement goes on behind these.
            b'\n' if matches!(tokens.last(), Some(Token::Operator | Token::Symbol(b',' | b'?' | b':'))) => {
                rest = after;
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
            b'0'..=b'9' | b'.' => (Token::Number, number(rest)?),
            byte if byte.is_ascii_alphabetic() || *byte == b'_' => {
                let length =
                    rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                (Token::Name(rest.get(..length)?), length)
            }
            b'\\' | 0..=b' ' | 0x7f.. => return None,
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

/// The length of a number; `None` when letters stand at its end, which some awks read as a name of their own.
fn number(text: &[u8]) -> Option<usize> {
    let run =
        |from: usize, wanted: fn(&u8) -> bool| text.iter().skip(from).take_while(|byte| wanted(byte)).count();
    let mut length = run(0, |byte| byte.is_ascii_digit() || *byte == b'.');
    match text.get(length..)? {
        [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] => length += 2 + run(length + 2, u8::is_ascii_digit),
        [b'e' | b'E', b'0'..=b'9', ..] => length += 1 + run(length + 1, u8::is_ascii_digit),
        [b'x' | b'X', ..] if text.first() == Some(&b'0') && length == 1 => {
            length += 1 + run(length + 1, u8::is_ascii_hexdigit);
        }
        _ => {}
    }
    let next = text.get(length);
    (!next.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')).then_some(length)
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
            b'[' if !bracket => {
                bracket = true;
                if text.get(at + 1) == Some(&b'^') {
                    at += 1;
                }
                // The first one is an ordinary byte.
                if text.get(at + 1) == Some(&b']') {
                    at += 1;
                }
            }
            b'[' if matches!(text.get(at + 1), Some(b':' | b'.' | b'=')) => at += class(text.get(at..)?)?,
            b']' => bracket = false,
            b'/' => return (!bracket).then_some(at),
            _ => {}
        }
        at += 1;
    }
}

/// The place of the last byte of `[:alpha:]`.
fn class(text: &[u8]) -> Option<usize> {
    let letters = text.iter().skip(2).take_while(|byte| byte.is_ascii_alphabetic()).count();
    (text.get(1) == Some(&b':') && text.get(letters + 2..)?.starts_with(b":]")).then_some(letters + 3)
}

/// Names behind which a slash need not be a division.
const KEYWORDS: &[&[u8]] = &[
    b"BEGIN",
    b"BEGINFILE",
    b"END",
    b"ENDFILE",
    b"break",
    b"case",
    b"continue",
    b"default",
    b"delete",
    b"do",
    b"else",
    b"exit",
    b"for",
    b"func",
    b"function",
    b"getline",
    b"if",
    b"in",
    b"length",
    b"next",
    b"nextfile",
    b"print",
    b"printf",
    b"return",
    b"switch",
    b"while",
];

/// Whether a slash begins a regular expression here; `None` when that is not certain.
fn slash(before: &[Token<'_>]) -> Option<bool> {
    match before.last() {
        None | Some(Token::End | Token::Operator) => Some(true),
        Some(Token::Name(name)) if KEYWORDS.contains(name) => None,
        Some(Token::Name(_) | Token::Number | Token::Text(_)) => Some(false),
        Some(Token::Symbol(b']')) => Some(false),
        // `(a) / b` and `if (a) /b/` look the same, and so do `a++ / b` and `a++ /b/`.
        Some(Token::Symbol(b')' | b'$') | Token::Step | Token::Regex) => None,
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
            Token::End if self.print.is_none_or(|print| print < self.depth) => {}
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
