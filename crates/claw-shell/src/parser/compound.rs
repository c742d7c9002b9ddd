//! Compound commands: groups, subshells, conditionals, loops, `case`, functions, `coproc`.

use super::Parser;
use super::cursor::{is_name, is_name_start};
use super::list::{Ahead, CLOSING};
use super::word::Mode;
use crate::bounds::{Parsed, syntax};
use crate::syntax::{Arm, Code, Lexeme, List, Node, Stage, Variable};

impl Parser<'_, '_> {
    /// A compound command, if one begins here.
    pub(super) fn compound(&mut self) -> Parsed<Option<Node>> {
        if self.current() == Some(b'(') {
            return self.parenthesis().map(Some);
        }
        let Some(ahead) = self.reserved() else { return Ok(None) };
        let start = self.position;
        let parse: fn(&mut Self, usize) -> Parsed<Node> = match ahead.text() {
            b"{" => Self::group,
            b"if" => Self::conditional,
            b"while" | b"until" => Self::while_loop,
            b"for" => Self::for_loop,
            b"select" => Self::select,
            b"case" => Self::case,
            b"function" => Self::function_keyword,
            b"coproc" => Self::coprocess,
            b"[[" => Self::double_bracket,
            _ => return Ok(None),
        };
        self.position = ahead.end;
        self.nested(|parser| parse(parser, start)).map(Some)
    }

    /// `(( expression ))` or `( list )`. Two parentheses that do not close together open two
    /// subshells.
    fn parenthesis(&mut self) -> Parsed<Node> {
        let start = self.position;
        if self.following() == Some(b'(')
            && let Some(code) = self.try_arithmetic(2)?
        {
            let span = self.span_from(start);
            self.bash_only(span);
            return Ok(Node::Evaluate(code));
        }
        self.advance();
        let list = self.subshell(Self::required_list)?;
        self.expect(b')')?;
        Ok(Node::Subshell(list))
    }

    fn group(&mut self, _start: usize) -> Parsed<Node> {
        let list = self.required_list()?;
        self.expect_word(b"}")?;
        Ok(Node::Group(list))
    }

    fn conditional(&mut self, _start: usize) -> Parsed<Node> {
        let mut branches = Vec::new();
        loop {
            let condition = self.required_list()?;
            self.expect_word(b"then")?;
            branches.push((condition, self.required_list()?));
            if !self.eat_word(b"elif") {
                break;
            }
        }
        let otherwise = if self.eat_word(b"else") { Some(self.required_list()?) } else { None };
        self.expect_word(b"fi")?;
        Ok(Node::If { branches, otherwise })
    }

    fn while_loop(&mut self, _start: usize) -> Parsed<Node> {
        let moves = self.moves;
        let condition = self.required_list()?;
        let body = self.do_group()?;
        Ok(Node::Loop { condition, body, moves: self.moves > moves })
    }

    fn do_group(&mut self) -> Parsed<List> {
        self.expect_word(b"do")?;
        let body = self.required_list()?;
        self.expect_word(b"done")?;
        Ok(body)
    }

    /// The body of `for` and `select`: bash also takes `{ ... }` there.
    fn loop_body(&mut self) -> Parsed<List> {
        if !self.eat_word(b"{") {
            return self.do_group();
        }
        let body = self.required_list()?;
        self.expect_word(b"}")?;
        Ok(body)
    }

    fn select(&mut self, start: usize) -> Parsed<Node> {
        let span = self.span_from(start);
        self.bash_only(span);
        self.for_in()
    }

    fn for_loop(&mut self, start: usize) -> Parsed<Node> {
        self.skip_blanks();
        if self.current() != Some(b'(') {
            return self.for_in();
        }
        let moves = self.moves;
        let Some(code) = (if self.following() == Some(b'(') { self.try_arithmetic(2)? } else { None }) else {
            return Err(self.unexpected());
        };
        let span = self.span_from(start);
        self.bash_only(span);
        self.skip_blanks();
        self.eat(b';');
        self.skip_newlines()?;
        let body = self.loop_body()?;
        Ok(Node::ArithmeticFor { code, body, moves: self.moves > moves })
    }

    fn for_in(&mut self) -> Parsed<Node> {
        let moves = self.moves;
        self.skip_blanks();
        let variable = self.variable()?;
        self.skip_newlines()?;
        let mut words = Vec::new();
        if self.eat_word(b"in") {
            self.skip_blanks();
            while let Some(word) = self.optional_word(Mode::Data)? {
                words.push(word);
                self.skip_blanks();
            }
            if !matches!(self.current(), Some(b';' | b'\n')) {
                return Err(self.unexpected());
            }
        }
        self.eat(b';');
        self.skip_newlines()?;
        let body = self.loop_body()?;
        Ok(Node::For { variable, words, body, moves: self.moves > moves })
    }

    fn variable(&mut self) -> Parsed<Variable> {
        let start = self.position;
        let word = self.required_word(Mode::Data)?;
        match word.plain_text() {
            Some(name) if is_identifier(name) => {
                Ok(Variable { name: name.to_vec(), span: self.span_from(start) })
            }
            _ => Err(syntax(self.span_from(start), "not a valid variable name")),
        }
    }

    fn case(&mut self, _start: usize) -> Parsed<Node> {
        self.skip_blanks();
        let subject = self.required_word(Mode::Value)?;
        self.skip_newlines()?;
        self.expect_word(b"in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.eat_word(b"esac") {
                return Ok(Node::Case { subject, arms });
            }
            let (arm, last) = self.arm()?;
            arms.push(arm);
            if last {
                self.expect_word(b"esac")?;
                return Ok(Node::Case { subject, arms });
            }
        }
    }

    /// One arm, and whether nothing but `esac` can follow it.
    fn arm(&mut self) -> Parsed<(Arm, bool)> {
        self.eat(b'(');
        let mut patterns = Vec::new();
        loop {
            self.skip_blanks();
            patterns.push(self.required_word(Mode::Value)?);
            self.skip_blanks();
            if !self.eat(b'|') {
                break;
            }
        }
        self.expect(b')')?;
        let body = self.list()?;
        let last = !self.at_arm_end();
        if !last {
            self.advance();
            if self.eat(b'&') {
                let here = self.here();
                self.bash_only(here);
            } else {
                self.expect(b';')?;
                if self.eat(b'&') {
                    let here = self.here();
                    self.bash_only(here);
                }
            }
        }
        Ok((Arm { patterns, body }, last))
    }

    /// `function name [()] body`.
    fn function_keyword(&mut self, start: usize) -> Parsed<Node> {
        let span = self.span_from(start);
        self.bash_only(span);
        self.skip_blanks();
        let name = self.required_word(Mode::Data)?;
        self.skip_blanks();
        if self.current() == Some(b'(') && self.following() == Some(b')') {
            self.advance();
            self.expect(b')')?;
        }
        self.function(&name)
    }

    /// A function from its body on; the parentheses are passed.
    pub(super) fn function(&mut self, name: &Lexeme) -> Parsed<Node> {
        let Some(name) = name.plain_text().map(<[u8]>::to_vec) else {
            return Err(syntax(name.word.span, "not a valid function name"));
        };
        self.skip_newlines()?;
        let start = self.position;
        let moves = std::mem::take(&mut self.moves);
        let Some(node) = self.nested(Self::compound)? else {
            return Err(self.unexpected());
        };
        if matches!(node, Node::Function { .. } | Node::Coprocess { .. }) {
            return Err(syntax(self.span_from(start), "not a valid function body"));
        }
        let redirects = self.redirects()?;
        self.shared.function_moves |= self.moves > 0;
        self.moves = moves;
        self.shared.functions.insert(name.clone());
        let body = Stage { span: self.span_from(start), node, redirects };
        Ok(Node::Function { name, body: Box::new(body) })
    }

    /// `coproc [NAME] command`: the name is only taken before a compound command.
    fn coprocess(&mut self, start: usize) -> Parsed<Node> {
        let span = self.span_from(start);
        self.bash_only(span);
        self.skip_blanks();
        let name = self.coprocess_name()?;
        let body = self.subshell(Self::stage)?;
        Ok(Node::Coprocess { name, body: Box::new(body) })
    }

    fn coprocess_name(&mut self) -> Parsed<Option<Variable>> {
        let start = self.position;
        if self.reserved().is_some_and(|ahead| ahead.text() == b"!") {
            return Err(self.unexpected());
        }
        let Some(word) = self.optional_word(Mode::Data)? else { return Ok(None) };
        let end = self.position;
        self.skip_blanks();
        // The word could be a name, so bash looks for a reserved word behind it: `coproc echo done` is an error.
        let is_name = !word.plain_text().is_some_and(|text| opens_compound(text) || text.contains(&b'='));
        let misplaced = |ahead: Ahead| ahead.text() == b"!" || CLOSING.contains(&ahead.text());
        if is_name && self.reserved().is_some_and(misplaced) {
            return Err(self.unexpected());
        }
        let compound_follows =
            self.current() == Some(b'(') || self.reserved().is_some_and(|ahead| opens_compound(ahead.text()));
        match word.plain_text() {
            Some(name) if compound_follows && !opens_compound(name) => {
                Ok(Some(Variable { name: name.to_vec(), span: self.span(start, end) }))
            }
            _ => {
                // It was the command's first word: read it again as such.
                let span = self.span(start, end);
                self.shared.bounds.charge(end - start, span)?;
                self.position = start;
                Ok(None)
            }
        }
    }

    /// `( ... )` of arithmetic after `opening` bytes, or nothing when it is not arithmetic; then the
    /// position is unchanged.
    pub(super) fn try_arithmetic(&mut self, opening: usize) -> Parsed<Option<Vec<Code>>> {
        let start = self.position;
        let depth = self.shared.bounds.depth();
        let marks = (self.shared.opaque.len(), self.shared.heredocs.len(), self.pending.len(), self.moves);
        let substitutions = self.substitutions;
        let attempt = self.attempt_arithmetic(opening);
        match attempt {
            Ok(Some(code)) => return Ok(Some(code)),
            Err(error) if error.kind != crate::ParseErrorKind::Syntax => return Err(error),
            Ok(None) | Err(_) => {}
        }
        let read = self.position.saturating_sub(start);
        let span = self.span(start, start + 1);
        self.shared.bounds.charge(read, span)?;
        self.position = start;
        self.shared.bounds.set_depth(depth);
        self.shared.opaque.truncate(marks.0);
        self.shared.heredocs.truncate(marks.1);
        self.pending.truncate(marks.2);
        self.moves = marks.3;
        self.substitutions = substitutions;
        Ok(None)
    }

    fn attempt_arithmetic(&mut self, opening: usize) -> Parsed<Option<Vec<Code>>> {
        for _ in 0..opening {
            self.current();
            self.advance();
        }
        let mut code = Vec::new();
        self.nested(|parser| parser.arithmetic(&mut code, b'(', b')'))?;
        self.expect(b')')?;
        Ok(self.eat(b')').then_some(code))
    }
}

fn opens_compound(word: &[u8]) -> bool {
    matches!(
        word,
        b"{" | b"if" | b"while" | b"until" | b"for" | b"select" | b"case" | b"[[" | b"function" | b"coproc"
    )
}

/// Whether `name` can be a variable.
pub(crate) fn is_identifier(name: &[u8]) -> bool {
    name.first().copied().is_some_and(is_name_start) && name.iter().copied().all(is_name)
}
