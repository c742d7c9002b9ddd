//! Redirections as the script shows them.

use super::{Collector, Input};
use crate::bounds::Parsed;
use crate::script::{CommandId, Redirect, RedirectKind};
use crate::syntax::{Redirection, Target};

impl Collector {
    /// Lists a redirection and the code in its target, and notes where standard input comes from.
    pub(crate) fn redirect(&mut self, redirection: Redirection, command: Option<CommandId>) -> Parsed<()> {
        let Redirection { span, kind, target, descriptor, feeds_stdin } = redirection;
        let (word, code) = match target {
            Target::Word(lexeme) => (lexeme.word, lexeme.code),
            Target::Heredoc(index) => match self.shared.heredocs.get_mut(index).map(std::mem::take) {
                Some(heredoc) => (heredoc.word, heredoc.code),
                None => return Ok(()),
            },
        };
        if let Some(variable) = descriptor {
            self.assign_unknown_if_notable(&variable);
        }
        if feeds_stdin {
            self.shell.input = match word.as_literal() {
                // What a compound command's parts read is only a rest of the text.
                Some(text) if kind == RedirectKind::Heredoc && command.is_some() => {
                    Input::Text(text.into_owned(), word.span)
                }
                _ => Input::Fed,
            };
        }
        self.note_data(&word);
        self.script.redirects.push(Redirect { span, kind, target: word, cwd: self.shell.cwd, command });
        self.code(code)
    }
}
