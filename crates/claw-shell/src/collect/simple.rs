//! Simple commands of a shell.

use super::cwd::Flow;
use super::{Collector, Invocation, Rules};
use crate::bounds::Parsed;
use crate::script::{Assignment, CommandId, Cwd, Origin, Piece, Span, Word};
use crate::syntax::{Assign, Code, Redirection, Simple};

impl Collector {
    pub(crate) fn simple(&mut self, span: Span, simple: Simple, redirects: Vec<Redirection>) -> Parsed<Flow> {
        let mut code = Vec::new();
        let assignments = self.assignments(simple.assignments, !simple.words.is_empty(), &mut code);
        let mut words = Vec::with_capacity(simple.words.len());
        for mut lexeme in simple.words {
            code.append(&mut lexeme.code);
            self.note_data(&lexeme.word);
            words.push(lexeme.word);
        }
        let before = self.shell.cwd;
        let input = self.shell.input.clone();
        if words.is_empty() {
            for redirect in redirects {
                self.redirect(redirect, None)?;
            }
            self.shell.input = input;
            assignments.into_iter().for_each(|assignment| self.assign(assignment));
            self.code(code)?;
            return Ok(self.stay());
        }
        let id = CommandId(self.script.commands.len());
        for redirect in redirects {
            // The code in a target comes after the command: keep it for later.
            self.deferred_redirect(redirect, id, &mut code)?;
        }
        let more_arguments = words.iter().any(forwards_arguments);
        let flow = self.invoke(Invocation {
            words,
            assignments,
            span,
            more_arguments,
            rules: Rules::Shell,
            origin: Origin::Shell,
        })?;
        self.shell.input = input;
        self.code_in_directory(code, before, flow)
    }

    fn deferred_redirect(
        &mut self,
        mut redirect: Redirection,
        id: CommandId,
        code: &mut Vec<Code>,
    ) -> Parsed<()> {
        match &mut redirect.target {
            crate::syntax::Target::Word(lexeme) => code.append(&mut lexeme.code),
            crate::syntax::Target::Heredoc(index) => {
                if let Some(heredoc) = self.shared.heredocs.get_mut(*index) {
                    code.append(&mut heredoc.code);
                }
            }
        }
        self.redirect(redirect, Some(id))
    }

    /// Lists code that ran before the command it belongs to.
    fn code_in_directory(&mut self, code: Vec<Code>, before: crate::CwdId, flow: Flow) -> Parsed<Flow> {
        if code.is_empty() {
            return Ok(flow);
        }
        let after = std::mem::replace(&mut self.shell.cwd, before);
        self.code(code)?;
        if self.shell.cwd == before {
            self.shell.cwd = after;
            return Ok(flow);
        }
        // `${ cd x; }` moved the shell before the command ran.
        self.shell.cwd = self.push_cwd(Cwd::Unknown);
        Ok(self.stay())
    }

    fn assignments(&mut self, assigned: Vec<Assign>, prefix: bool, code: &mut Vec<Code>) -> Vec<Assignment> {
        let mut assignments = Vec::with_capacity(assigned.len());
        for mut assign in assigned {
            code.append(&mut assign.code);
            self.note_data(&assign.value);
            if self.shell.integers {
                self.shell.arithmetic = self.shell.arithmetic.or(Some(assign.span));
            }
            let exported = prefix || self.shell.exports_all || crate::sensitive::is_sensitive(&assign.name);
            let assignment =
                Assignment { span: assign.span, name: assign.name, value: Some(assign.value), exported };
            if prefix {
                self.judge_assignment(&assignment);
            }
            assignments.push(assignment);
        }
        assignments
    }
}

/// `"$@"` and `$*` hand on arguments that are not written.
fn forwards_arguments(word: &Word) -> bool {
    word.pieces.iter().any(|piece| matches!(piece, Piece::Param { name, .. } if name == b"@" || name == b"*"))
}
