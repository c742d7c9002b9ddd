//! Lists one command, and finds what else it runs.

use super::cwd::Flow;
use super::{Collector, Input, builtin, names};
use crate::bounds::Parsed;
use crate::script::{Assignment, Command, CommandId, Dialect, Lookup, OpaqueKind, Origin, Piece, Span, Word};
use crate::{Text, wrapper};

/// How the name of a command is looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rules {
    /// Functions, then builtins, then programs.
    Shell,
    /// Builtins, then programs: after `command`.
    NoFunctions,
    /// Builtins alone: after `builtin`.
    Builtins,
    /// Programs alone.
    Programs,
}

/// A command that is about to run.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) words: Vec<Word>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) span: Span,
    pub(crate) more_arguments: bool,
    pub(crate) rules: Rules,
    pub(crate) origin: Origin,
}

/// A listed command whose name is known, while it is judged what it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'w> {
    pub(crate) id: CommandId,
    /// The argument vector, the name included.
    pub(crate) words: &'w [Word],
    pub(crate) span: Span,
    pub(crate) more_arguments: bool,
}

impl<'w> Call<'w> {
    /// The words after the name.
    pub(crate) fn arguments(&self) -> &'w [Word] {
        self.words.get(1..).unwrap_or_default()
    }
}

impl Invocation {
    /// An empty command that is looked up as a program.
    pub(crate) fn program(origin: Origin) -> Self {
        Self {
            words: Vec::new(),
            assignments: Vec::new(),
            span: Span::default(),
            more_arguments: false,
            rules: Rules::Programs,
            origin,
        }
    }
}

impl Collector {
    /// Lists `invocation` and all that it runs. An invocation without words runs nothing.
    pub(crate) fn invoke(&mut self, invocation: Invocation) -> Parsed<Flow> {
        let Some(first) = invocation.words.first() else { return Ok(self.stay()) };
        let span = invocation.span;
        self.shared.bounds.charge(invocation.words.len(), span)?;
        let name = first.as_literal().map(|name| Text::from(&*name));
        if name.is_none() && !is_path_at_home(first) {
            self.mark(OpaqueKind::DynamicCommand, first.span);
        }
        let rules = invocation.rules;
        let id = self.push(invocation);
        let Some(name) = name else { return Ok(self.unknown_command(rules)) };
        self.deeper(span, |collector| collector.resolve(id, &name, rules))
    }

    fn push(&mut self, invocation: Invocation) -> CommandId {
        let id = CommandId(self.script.commands.len());
        self.script.commands.push(Command {
            span: invocation.span,
            words: invocation.words,
            assignments: invocation.assignments,
            cwd: self.shell.cwd,
            origin: invocation.origin,
            lookup: Lookup::Program,
            more_arguments: invocation.more_arguments,
            transparent: false,
            stdin_fed: !matches!(self.shell.input, Input::Inherited),
        });
        id
    }

    // It could be `cd`, `exit` or a function.
    fn unknown_command(&mut self, rules: Rules) -> Flow {
        if rules == Rules::Programs {
            return self.stay();
        }
        let unknown = self.unknown_directory();
        Flow { success: Some(unknown), failure: Some(unknown) }
    }

    fn resolve(&mut self, id: CommandId, name: &[u8], rules: Rules) -> Parsed<Flow> {
        let may_be_function = rules == Rules::Shell && self.shared.functions.contains(name);
        let is_builtin = rules != Rules::Programs && names::is_builtin(name, self.shell.dialect);
        if may_be_function {
            let certain = self.shell.functions.contains(name);
            self.publish_assignments(id)?;
            if certain && !(is_builtin && self.shell.dialect == Dialect::Posix) {
                self.set_lookup(id, Lookup::Function);
                return Ok(self.after_function());
            }
            self.set_lookup(id, Lookup::FunctionOrProgram);
        }
        let command = self.command(id)?;
        let (span, more_arguments) = (command.span, command.more_arguments);
        let words = std::mem::take(&mut command.words);
        let call = Call { id, words: &words, span, more_arguments };
        let flow = if is_builtin {
            builtin::run(self, name, &call)?
        } else {
            wrapper::open(self, name, &call)?;
            self.stay()
        };
        self.command(id)?.words = words;
        Ok(if may_be_function && (self.shared.function_moves || flow_moves(flow, self)) {
            self.unknown_command(rules)
        } else {
            flow
        })
    }

    fn after_function(&mut self) -> Flow {
        if self.shared.function_moves {
            return self.unknown_command(Rules::Shell);
        }
        self.stay()
    }

    /// Assignments before a function, `eval` or a shell reach every command in it.
    pub(crate) fn publish_assignments(&mut self, id: CommandId) -> Parsed<()> {
        let assignments = self.command(id)?.assignments.clone();
        let bytes = assignments.iter().map(|assignment| assignment.name.len() + 32).sum();
        self.shared.bounds.charge(bytes, Span::default())?;
        self.script.assignments.extend(assignments);
        Ok(())
    }
}

fn flow_moves(flow: Flow, collector: &Collector) -> bool {
    let here = Some(collector.shell.cwd);
    flow.success != here || flow.failure != here
}

/// `~/bin/tool`: where it lies is known to whoever knows the home directory.
fn is_path_at_home(word: &Word) -> bool {
    match word.pieces.as_slice() {
        [Piece::Tilde(_), rest @ ..] => rest.iter().all(|piece| matches!(piece, Piece::Literal(_))),
        _ => false,
    }
}
