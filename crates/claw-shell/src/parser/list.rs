//! Lists and pipelines: `a && b || c; d & e | f`.

use super::Parser;
use super::cursor::is_meta;
use crate::bounds::Parsed;
use crate::script::{Dialect, OpaqueKind};
use crate::syntax::{Connector, Item, List, Node, Pipeline, Stage};

/// Words that cannot begin a command; most of them end a list.
pub(super) const CLOSING: [&[u8]; 10] =
    [b"then", b"else", b"elif", b"fi", b"do", b"done", b"esac", b"}", b"in", b"]]"];

/// A short word at the current position, for comparing with reserved words.
pub(super) struct Ahead {
    bytes: [u8; 9],
    length: usize,
    /// Where the word ends.
    pub(super) end: usize,
}

impl Ahead {
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Parser<'_, '_> {
    /// Reads pipelines until something that cannot be part of the list: the end, `)`, `;;`, or a
    /// closing reserved word. The caller checks that it is the right one.
    pub(super) fn list(&mut self) -> Parsed<List> {
        let mut items = Vec::with_capacity(1);
        loop {
            self.skip_newlines()?;
            if self.at_list_end() {
                return Ok(List { items });
            }
            let pipeline = self.pipeline()?;
            let next = self.connector(&pipeline)?;
            items.push(Item { pipeline, next: next.unwrap_or(Connector::Then) });
            match next {
                None => return Ok(List { items }),
                Some(Connector::And | Connector::Or) => {
                    self.skip_newlines()?;
                    if self.at_list_end() {
                        return Err(self.unexpected());
                    }
                }
                Some(Connector::Then | Connector::Background) => {}
            }
        }
    }

    /// A list with at least one command, as compound commands demand.
    pub(super) fn required_list(&mut self) -> Parsed<List> {
        let list = self.list()?;
        if list.items.is_empty() { Err(self.unexpected()) } else { Ok(list) }
    }

    fn at_list_end(&mut self) -> bool {
        match self.current() {
            None | Some(b')') => true,
            Some(b';') => self.at_arm_end(),
            Some(_) => self.at_closing_word(),
        }
    }

    /// `;;`, `;&` or `;;&`.
    pub(super) fn at_arm_end(&mut self) -> bool {
        self.current() == Some(b';') && matches!(self.following(), Some(b';' | b'&'))
    }

    fn at_closing_word(&mut self) -> bool {
        if !matches!(self.current(), Some(b't' | b'e' | b'f' | b'd' | b'i' | b'}' | b']')) {
            return false;
        }
        self.reserved().is_some_and(|ahead| CLOSING.contains(&ahead.text()))
    }

    /// What follows a pipeline; `None` when the list ends here.
    fn connector(&mut self, pipeline: &Pipeline) -> Parsed<Option<Connector>> {
        self.skip_blanks();
        match self.current() {
            None | Some(b')') => Ok(None),
            Some(b'\n') => {
                self.newline()?;
                Ok(Some(Connector::Then))
            }
            Some(b';') if self.at_arm_end() => Ok(None),
            Some(b';') => {
                self.advance();
                Ok(Some(Connector::Then))
            }
            Some(b'&') => {
                self.advance();
                Ok(Some(if self.eat(b'&') { Connector::And } else { Connector::Background }))
            }
            Some(b'|') if self.following() == Some(b'|') => {
                self.advance();
                self.expect(b'|')?;
                Ok(Some(Connector::Or))
            }
            // `{ a; } fi`: a closing word may follow a compound command without a separator.
            Some(_) if ends_with_compound(pipeline) && self.at_closing_word() => Ok(None),
            Some(_) => Err(self.unexpected()),
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        let moves = self.moves;
        let (negated, prefixed) = self.pipeline_prefix();
        // Most pipelines have one stage; a growing vector would begin with room for four.
        let mut stages = Vec::with_capacity(1);
        if prefixed && self.at_pipeline_end() {
            return Ok(Pipeline { negated, stages });
        }
        loop {
            stages.push(self.stage()?);
            self.skip_blanks();
            if self.current() != Some(b'|') || self.following() == Some(b'|') {
                break;
            }
            let start = self.position;
            self.advance();
            if self.eat(b'&') {
                let span = self.span_from(start);
                self.bash_only(span);
            }
            self.skip_newlines()?;
            if self.reserved().is_some_and(|ahead| ahead.text() == b"!") {
                return Err(self.unexpected());
            }
        }
        if stages.len() > 1 {
            // Every part runs in a subshell, so none of them moves this shell.
            self.moves = moves;
        }
        Ok(Pipeline { negated, stages })
    }

    /// Any number of `!` and `time [-p] [--]`. Returns whether the status is inverted, and whether
    /// there was any prefix.
    fn pipeline_prefix(&mut self) -> (bool, bool) {
        let (mut negated, mut prefixed) = (false, false);
        while let Some(ahead) = self.reserved() {
            match ahead.text() {
                b"!" => {
                    negated = !negated;
                    self.negation(ahead.end);
                }
                b"time" if self.dialect == Dialect::Bash => self.time_options(ahead.end),
                _ => break,
            }
            self.position = self.position.max(ahead.end);
            prefixed = true;
            self.skip_blanks();
        }
        (negated, prefixed)
    }

    // `!(a)` is a subshell, or with `extglob` a pattern whose first match is run.
    fn negation(&mut self, end: usize) {
        if self.shared.extended_globs && self.byte(end) == Some(b'(') {
            let span = self.span(end.saturating_sub(1), end);
            self.shared.mark(OpaqueKind::DynamicCommand, span);
        }
    }

    fn time_options(&mut self, end: usize) {
        self.position = end;
        for option in [b"-p", b"--"] {
            self.skip_blanks();
            if let Some(ahead) = self.word_ahead().filter(|ahead| ahead.text() == option) {
                self.position = ahead.end;
            }
        }
    }

    fn at_pipeline_end(&mut self) -> bool {
        matches!(self.current(), None | Some(b'\n' | b';' | b')'))
    }

    /// The word at the current position, if its first letter is one of a reserved word.
    pub(super) fn reserved(&mut self) -> Option<Ahead> {
        match self.current()? {
            b'c'..=b'f' | b'i' | b's'..=b'u' | b'w' | b'!' | b'{' | b'}' | b'[' | b']' => self.word_ahead(),
            _ => None,
        }
    }

    /// The next word, when it is at most nine bytes without quotes or expansions.
    pub(super) fn word_ahead(&mut self) -> Option<Ahead> {
        self.current()?;
        let (mut bytes, mut length, mut offset) = ([0; 9], 0, self.position);
        while let Some(byte) = self.byte(offset) {
            if byte == b'\\' && self.byte(offset + 1) == Some(b'\n') {
                offset += 2;
                continue;
            }
            if is_meta(byte) {
                // `}<(a)` is one word.
                if matches!(byte, b'<' | b'>') && self.byte(offset + 1) == Some(b'(') {
                    return None;
                }
                break;
            }
            if matches!(byte, b'\\' | b'\'' | b'"' | b'$' | b'`') {
                return None;
            }
            *bytes.get_mut(length)? = byte;
            length += 1;
            offset += 1;
        }
        (length > 0).then_some(Ahead { bytes, length, end: offset })
    }

    /// Passes the reserved word `word`, or fails.
    pub(super) fn expect_word(&mut self, word: &[u8]) -> Parsed<()> {
        match self.word_ahead().filter(|ahead| ahead.text() == word) {
            Some(ahead) => self.position = ahead.end,
            None => return Err(self.unexpected()),
        }
        Ok(())
    }

    /// Passes the reserved word `word` if it stands here.
    pub(super) fn eat_word(&mut self, word: &[u8]) -> bool {
        let found = self.word_ahead().filter(|ahead| ahead.text() == word);
        if let Some(ahead) = &found {
            self.position = ahead.end;
        }
        found.is_some()
    }

    /// One command of a pipeline with its redirections.
    pub(super) fn stage(&mut self) -> Parsed<Stage> {
        self.skip_blanks();
        let start = self.position;
        if self.at_closing_word() {
            return Err(self.unexpected());
        }
        let Some(node) = self.compound()? else {
            return self.simple(start);
        };
        let redirects = match node {
            // Redirections after a function's body belong to the body.
            Node::Function { .. } | Node::Coprocess { .. } => Vec::new(),
            _ => self.redirects()?,
        };
        Ok(Stage { span: self.span_from(start), node, redirects })
    }
}

fn ends_with_compound(pipeline: &Pipeline) -> bool {
    pipeline.stages.last().is_some_and(|stage| !matches!(stage.node, Node::Simple(_)))
}
