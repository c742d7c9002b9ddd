//! Simple commands: assignments, words and redirections, and the `name()` form of functions.

use super::Parser;
use super::cursor::is_name;
use super::word::{Mode, WordBuilder};
use crate::Pieces;
use crate::bounds::{Parsed, syntax};
use crate::script::{Piece, Span, Word};
use crate::syntax::{Assign, Lexeme, Node, Redirection, Simple, Stage};

/// Builtins that take assignments as arguments, also those of arrays.
pub(crate) const DECLARATIONS: [&[u8]; 5] = [b"export", b"declare", b"typeset", b"local", b"readonly"];

impl Parser<'_, '_> {
    pub(super) fn simple(&mut self, start: usize) -> Parsed<Stage> {
        let mut simple = Simple { assignments: Vec::new(), words: Vec::new() };
        let mut redirects = Vec::new();
        let mut end = start;
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.optional_redirect()? {
                redirects.push(redirect);
            } else if self.at_word(Mode::Argument) {
                self.part(&mut simple, redirects.is_empty())?;
            } else if self.current() == Some(b'(') {
                return self.function_definition(start, &simple, &redirects);
            } else {
                break;
            }
            end = self.position;
        }
        if simple.words.is_empty() && simple.assignments.is_empty() && redirects.is_empty() {
            return Err(self.unexpected());
        }
        self.note_moves(&simple);
        Ok(Stage { span: self.span(start, end), node: Node::Simple(simple), redirects })
    }

    fn function_definition(
        &mut self,
        start: usize,
        simple: &Simple,
        redirects: &[Redirection],
    ) -> Parsed<Stage> {
        let ([name], [], []) = (simple.words.as_slice(), simple.assignments.as_slice(), redirects) else {
            return Err(self.unexpected());
        };
        self.advance();
        self.skip_blanks();
        self.expect(b')')?;
        let node = self.function(name)?;
        Ok(Stage { span: self.span_from(start), node, redirects: Vec::new() })
    }

    // Counted by name alone: `echo cd` counts too, which costs nothing but exactness inside loops.
    fn note_moves(&mut self, simple: &Simple) {
        const MOVING: [&[u8]; 7] = [b"cd", b"pushd", b"popd", b"eval", b"source", b".", b"trap"];
        let mut moving = false;
        for lexeme in &simple.words {
            if let [Piece::Literal(text)] = lexeme.word.pieces.as_slice() {
                moving |= text.len() <= 6 && MOVING.contains(&text.as_slice());
                self.shared.extended_globs |= text == b"extglob";
            }
        }
        self.moves += usize::from(moving);
    }

    /// An assignment or a word. Only before any word or redirection does bash read a subscript up to
    /// its bracket; elsewhere a blank in it ends the word.
    fn part(&mut self, simple: &mut Simple, first: bool) -> Parsed<()> {
        let start = self.position;
        let prefix = simple.words.is_empty();
        let declares = simple
            .words
            .first()
            .and_then(Lexeme::plain_text)
            .is_some_and(|name| DECLARATIONS.contains(&name));
        let mut word = WordBuilder::default();
        if self.may_be_assignment() {
            let name = self.name();
            let assigned = self.assignment_operator(&name, &mut word, prefix && first)?;
            if let Some(append) = assigned {
                if prefix {
                    simple.assignments.push(self.assignment(start, name, append, word)?);
                    return Ok(());
                }
                self.assigned_argument(&mut word, declares)?;
            }
        }
        self.word_into(&mut word, Mode::Argument)?;
        self.push_words(simple, start, word)
    }

    /// Whether a name begins here with something after it that is not simply the rest of a word.
    fn may_be_assignment(&mut self) -> bool {
        if !self.at_name() {
            return false;
        }
        let rest = self.slice(self.position, self.end);
        let after = rest.iter().find(|byte| !is_name(**byte));
        matches!(after, Some(b'=' | b'+' | b'[' | b'~' | b'\\'))
    }

    /// Passes `=`, `+=` or `[...]=` after a name, and returns whether it appends. Without an
    /// operator the text goes to `word`, which begins with the name in any case but a prefix's.
    fn assignment_operator(
        &mut self,
        name: &[u8],
        word: &mut WordBuilder,
        subscripts: bool,
    ) -> Parsed<Option<bool>> {
        word.literal(name);
        let mut exact = true;
        if subscripts && self.current() == Some(b'[') {
            exact = false;
            let start = self.position;
            self.advance();
            let mut code = Vec::new();
            self.nested(|parser| parser.arithmetic(&mut code, b'[', b']'))?;
            self.expect(b']')?;
            word.code.append(&mut code);
            let pattern = self.slice(start, self.position).to_vec();
            word.piece(Piece::Glob(pattern.into()));
        }
        if self.eat(b'=') {
            word.literal(b"=");
            return Ok(Some(!exact));
        }
        if self.current() == Some(b'+') && self.following() == Some(b'=') {
            self.advance();
            self.expect(b'=')?;
            word.literal(b"+=");
            return Ok(Some(true));
        }
        Ok(None)
    }

    /// The value of a prefix assignment.
    fn assignment(
        &mut self,
        start: usize,
        name: Vec<u8>,
        inexact: bool,
        head: WordBuilder,
    ) -> Parsed<Assign> {
        let value_start = self.position;
        let mut value = WordBuilder::with_code(head.code);
        if self.current() == Some(b'(') {
            self.array(&mut value)?;
        } else {
            self.word_into(&mut value, Mode::Value)?;
        }
        if inexact {
            value.pieces = Piece::Dynamic { quoted: true }.into();
        }
        let value_span = self.span_from(value_start);
        let value_word = Word { span: value_span, pieces: value.pieces };
        Ok(Assign { span: self.span_from(start), name, value: value_word, code: value.code })
    }

    /// What follows the `=` of an argument that looks like an assignment.
    fn assigned_argument(&mut self, word: &mut WordBuilder, declares: bool) -> Parsed<()> {
        if declares && self.current() == Some(b'(') {
            return self.array(word);
        }
        if self.current() == Some(b'~') {
            self.tilde(word, Mode::Value);
        }
        Ok(())
    }

    /// `( word ... )` as a value.
    fn array(&mut self, value: &mut WordBuilder) -> Parsed<()> {
        let start = self.position;
        self.advance();
        loop {
            self.skip_newlines()?;
            match self.current() {
                Some(b')') => break,
                Some(b'[') => self.array_element(value)?,
                Some(_) if self.at_word(Mode::Argument) => {
                    let word = self.required_word(Mode::Argument)?;
                    value.code.extend(word.code);
                }
                Some(_) => return Err(self.unexpected()),
                None => return Err(syntax(self.span(start, start + 1), "unterminated array")),
            }
        }
        self.advance();
        let span = self.span_from(start);
        self.bash_only(span);
        value.quoted = true;
        value.dynamic(true);
        Ok(())
    }

    /// `[subscript]=value` in an array; any other word that begins with `[` is read the same way.
    fn array_element(&mut self, value: &mut WordBuilder) -> Parsed<()> {
        self.advance();
        self.nested(|parser| parser.arithmetic(&mut value.code, b'[', b']'))?;
        self.expect(b']')?;
        let mut rest = WordBuilder::default();
        self.word_into(&mut rest, Mode::Value)?;
        value.code.append(&mut rest.code);
        Ok(())
    }

    /// Adds the words that one written word becomes after brace expansion.
    fn push_words(&mut self, simple: &mut Simple, start: usize, word: WordBuilder) -> Parsed<()> {
        let span = self.span_from(start);
        let process_substitution = matches!(self.byte(start), Some(b'<' | b'>'));
        if word.marks.is_empty() {
            simple.words.push(lexeme(span, word.pieces, word.code, !word.quoted, process_substitution));
            return Ok(());
        }
        let expanded = self.brace_expand(&word, span)?;
        let plain = !word.quoted && expanded.len() == 1;
        let mut codes = Some(word.code);
        for pieces in expanded {
            // What runs inside the word is listed once, with the first of them.
            let code = codes.take().unwrap_or_default();
            simple.words.push(lexeme(span, pieces, code, plain, process_substitution));
        }
        Ok(())
    }
}

fn lexeme(
    span: Span,
    pieces: Pieces,
    code: Vec<crate::syntax::Code>,
    plain: bool,
    process_substitution: bool,
) -> Lexeme {
    Lexeme { word: Word { span, pieces }, code, plain, process_substitution }
}
