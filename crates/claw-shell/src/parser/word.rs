//! Words: what stands between blanks and operators.

use super::Parser;
use super::cursor::{is_meta, is_name_start};
use crate::bounds::Parsed;
use crate::script::{OpaqueKind, Piece, Word};
use crate::syntax::{Code, Lexeme};
use crate::{Pieces, Text};

/// How a word is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// An argument: braces are marked for expansion.
    Argument,
    /// A word whose braces stay as they are, or do not matter.
    Data,
    /// The value of an assignment: `~` also counts after `:`.
    Value,
    /// A value inside `[[ ]]` after `=~`: parentheses and `|` belong to it.
    Regex,
}

/// What an unquoted `[` is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bracket {
    /// No `]` follows in the word.
    Literal,
    /// A quote or an expansion comes before the `]`.
    Mixed,
}

/// The pieces of a word while it is read.
#[derive(Debug, Default)]
pub(super) struct WordBuilder {
    pub(super) pieces: Pieces,
    pub(super) code: Vec<Code>,
    /// The indexes of the pieces that are an unquoted `{`, `,` or `}`.
    pub(super) marks: Vec<usize>,
    pub(super) quoted: bool,
    /// The next literal must not join the piece before it.
    separate: bool,
}

impl WordBuilder {
    pub(super) fn with_code(code: Vec<Code>) -> Self {
        Self { code, ..Self::default() }
    }

    pub(super) fn literal(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        match self.pieces.last_mut() {
            Some(Piece::Literal(last)) if !self.separate => last.extend_from_slice(text),
            _ => {
                self.pieces.push(Piece::Literal(text.into()));
            }
        }
        self.separate = false;
    }

    pub(super) fn piece(&mut self, piece: Piece) {
        self.pieces.push(piece);
        self.separate = false;
    }

    pub(super) fn dynamic(&mut self, quoted: bool) {
        self.piece(Piece::Dynamic { quoted });
    }

    /// A brace or comma that brace expansion may use.
    fn mark(&mut self, byte: u8) {
        self.marks.push(self.pieces.len());
        self.pieces.push(Piece::Literal([byte].into()));
        self.separate = true;
    }

    /// Quoted text begins or ends. Inside braces it stays a piece of its own, because `{1.."3"}` is
    /// no sequence.
    pub(super) fn quote(&mut self) {
        self.quoted = true;
        if !self.marks.is_empty() {
            self.pieces.push(Piece::Literal(Text::new()));
            self.separate = true;
        }
    }
}

impl Parser<'_, '_> {
    pub(super) fn required_word(&mut self, mode: Mode) -> Parsed<Lexeme> {
        match self.optional_word(mode)? {
            Some(word) => Ok(word),
            None => Err(self.unexpected()),
        }
    }

    /// The word at the current position, without brace expansion.
    pub(super) fn optional_word(&mut self, mode: Mode) -> Parsed<Option<Lexeme>> {
        let start = self.position;
        if !self.at_word(mode) {
            return Ok(None);
        }
        let process_substitution = matches!(self.current(), Some(b'<' | b'>'));
        let mut word = WordBuilder::default();
        self.word_into(&mut word, mode)?;
        if !word.marks.is_empty() {
            // Braces in a redirection's target or in an array: what they become is not followed.
            word.pieces = Piece::Dynamic { quoted: false }.into();
        }
        let plain = !word.quoted;
        let span = self.span_from(start);
        Ok(Some(Lexeme {
            word: Word { span, pieces: word.pieces },
            code: word.code,
            plain,
            process_substitution,
        }))
    }

    /// Whether a word begins here; `<(` begins one.
    pub(super) fn at_word(&mut self, mode: Mode) -> bool {
        match self.current() {
            None => false,
            Some(b'<' | b'>') => self.following() == Some(b'('),
            Some(b'(' | b'|') => mode == Mode::Regex,
            Some(byte) => !is_meta(byte),
        }
    }

    /// Reads a word, or the rest of one.
    pub(super) fn word_into(&mut self, word: &mut WordBuilder, mode: Mode) -> Parsed<()> {
        if self.current() == Some(b'~') {
            self.tilde(word, mode);
        }
        let mut parentheses = 0_usize;
        loop {
            self.plain_run(word);
            let Some(byte) = self.current() else { return Ok(()) };
            match byte {
                b'\\' => self.escape(word),
                b'\'' => self.single_quotes(word)?,
                b'"' => self.double_quotes(word)?,
                b'$' | b'`' => {
                    word.quoted = true;
                    self.expansion(word, false)?;
                }
                b'{' | b'}' | b',' if mode == Mode::Argument => self.brace(word, byte),
                b'*' | b'?' | b'@' | b'+' | b'!' if mode != Mode::Regex && self.extended_glob(word)? => {}
                b'*' | b'?' => self.glob(word),
                b'[' => self.bracket(word, mode),
                b':' | b'=' => {
                    word.literal(&[byte]);
                    self.advance();
                    if mode == Mode::Value && byte == b':' && self.current() == Some(b'~') {
                        self.tilde(word, mode);
                    }
                }
                b'<' | b'>' if self.following() == Some(b'(') => self.process_substitution(word)?,
                b'(' if mode == Mode::Regex => {
                    parentheses += 1;
                    word.literal(b"(");
                    self.advance();
                }
                b')' if parentheses > 0 => {
                    parentheses -= 1;
                    word.literal(b")");
                    self.advance();
                }
                b'|' if mode == Mode::Regex => {
                    if parentheses == 0 && self.following() == Some(b'|') {
                        return Ok(());
                    }
                    word.literal(b"|");
                    self.advance();
                }
                b' ' | b'\t' | b'<' | b'>' | b';' | b'&' if parentheses > 0 => {
                    word.literal(&[byte]);
                    self.advance();
                }
                byte if is_meta(byte) => return Ok(()),
                byte => {
                    word.literal(&[byte]);
                    self.advance();
                }
            }
        }
    }

    /// Takes all bytes up to the next that may mean something.
    fn plain_run(&mut self, word: &mut WordBuilder) {
        let start = self.position;
        while self.byte(self.position).is_some_and(is_ordinary) {
            self.position += 1;
        }
        let run = self.text.get(start..self.position).unwrap_or_default();
        word.literal(run);
    }

    fn escape(&mut self, word: &mut WordBuilder) {
        word.quote();
        self.advance();
        match self.byte(self.position) {
            Some(byte) => {
                word.literal(&[byte]);
                self.advance();
            }
            // A backslash at the very end stands for itself.
            None => word.literal(b"\\"),
        }
        word.quote();
    }

    fn brace(&mut self, word: &mut WordBuilder, byte: u8) {
        self.advance();
        if byte == b'{' || !word.marks.is_empty() { word.mark(byte) } else { word.literal(&[byte]) }
    }

    fn glob(&mut self, word: &mut WordBuilder) {
        let start = self.position;
        while matches!(self.byte(self.position), Some(b'*' | b'?')) {
            self.position += 1;
        }
        let run = self.slice(start, self.position).into();
        word.piece(Piece::Glob(run));
    }

    /// `[a-z]` is a pattern; a `[` that nothing closes is itself.
    fn bracket(&mut self, word: &mut WordBuilder, mode: Mode) {
        let start = self.position;
        let mut offset = start + 1;
        if start < self.bracket_horizon.0 {
            return self.lone_bracket(word, self.bracket_horizon.1);
        }
        while let Some(byte) = self.byte(offset) {
            match byte {
                b']' if offset > start + 1 => {
                    self.position = offset + 1;
                    let pattern = self.slice(start, offset + 1).into();
                    return word.piece(Piece::Glob(pattern));
                }
                b'\\' | b'\'' | b'"' | b'$' | b'`' => {
                    self.bracket_horizon = (offset, Bracket::Mixed);
                    return self.lone_bracket(word, Bracket::Mixed);
                }
                byte if is_meta(byte) && mode != Mode::Regex => break,
                b' ' | b'\t' | b'\n' => break,
                _ => offset += 1,
            }
        }
        self.bracket_horizon = (offset, Bracket::Literal);
        self.lone_bracket(word, Bracket::Literal);
    }

    fn lone_bracket(&mut self, word: &mut WordBuilder, bracket: Bracket) {
        self.advance();
        match bracket {
            Bracket::Literal => word.literal(b"["),
            Bracket::Mixed => word.piece(Piece::Glob(b"[".into())),
        }
    }

    /// `!(a|b)` and the like. Whether `extglob` is on does not matter: without it bash refuses the
    /// line. `+()` is left alone, as it may begin a function.
    fn extended_glob(&mut self, word: &mut WordBuilder) -> Parsed<bool> {
        if self.following() != Some(b'(') {
            return Ok(false);
        }
        let start = self.position;
        self.advance();
        if self.following() == Some(b')') {
            self.position = start;
            return Ok(false);
        }
        self.expect(b'(')?;
        let span = self.span_from(start);
        self.bash_only(span);
        word.quoted = true;
        let mut code = Vec::new();
        self.nested(|parser| parser.arithmetic(&mut code, b'(', b')'))?;
        self.expect(b')')?;
        code.retain(|code| !matches!(code, Code::Arithmetic(_) | Code::Assign(_)));
        word.code.append(&mut code);
        let pattern = self.slice(start, self.position).into();
        word.piece(Piece::Glob(pattern));
        Ok(true)
    }

    /// A leading `~` or `~user`, up to the first slash.
    pub(super) fn tilde(&mut self, word: &mut WordBuilder, mode: Mode) {
        self.advance();
        let start = self.position;
        while self.byte(self.position).is_some_and(is_user_name) {
            self.position += 1;
        }
        let name = self.slice(start, self.position).into();
        let ends = match self.current() {
            None | Some(b'/') => true,
            Some(b':') => mode == Mode::Value,
            Some(byte) => is_meta(byte),
        };
        if ends {
            word.quoted = true;
            word.piece(Piece::Tilde(name));
        } else {
            word.literal(b"~");
            word.literal(&name);
        }
    }

    /// `<(list)` or `>(list)`.
    fn process_substitution(&mut self, word: &mut WordBuilder) -> Parsed<()> {
        let start = self.position;
        self.advance();
        self.expect(b'(')?;
        let span = self.span_from(start);
        self.bash_only(span);
        let list = self.substitution()?;
        word.quoted = true;
        word.code.push(Code::Subshell(list));
        word.dynamic(false);
        Ok(())
    }

    /// The list of `$(`, `<(` or `>(`, and its closing parenthesis.
    pub(super) fn substitution(&mut self) -> Parsed<crate::syntax::List> {
        let (start, pending) = (self.position, self.pending.len());
        self.substitutions += 1;
        let list = self.subshell(Self::list)?;
        self.no_pending_heredocs(pending)?;
        self.expect(b')')?;
        self.substitutions -= 1;
        // Versions of bash differ on where the body of an outer here-document begins then.
        if pending > 0 && self.slice(start, self.position).contains(&b'\n') {
            let span = self.span_from(start);
            self.shared.mark(OpaqueKind::Construct, span);
        }
        Ok(list)
    }

    /// Whether a name begins here.
    pub(super) fn at_name(&mut self) -> bool {
        self.current().is_some_and(is_name_start)
    }
}

fn is_user_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+')
}

/// Whether `byte` is never anything but itself in a word.
fn is_ordinary(byte: u8) -> bool {
    !matches!(
        byte,
        b' ' | b'\t'
            | b'\n'
            | b'|'
            | b'&'
            | b';'
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'\\'
            | b'\''
            | b'"'
            | b'$'
            | b'`'
            | b'{'
            | b'}'
            | b','
            | b'*'
            | b'?'
            | b'@'
            | b'+'
            | b'!'
            | b'['
            | b':'
            | b'='
    )
}
