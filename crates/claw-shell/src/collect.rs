//! Flattens a syntax tree into a `Script`: every command that any execution could reach, with the
//! directory it runs in.

mod builtin;
mod control;
mod cwd;
mod declare;
mod invoke;
mod names;
mod redirect;
mod simple;

use std::collections::HashSet;

use crate::bounds::{Parsed, error};
use crate::parser::{Shared, parse_again, parse_line};
use crate::script::{
    Assignment, CommandId, Cwd, CwdId, Dialect, Lookup, OpaqueKind, Origin, ParseErrorKind, Piece, Script,
    Span, Word,
};
use crate::sensitive;
use crate::syntax::List;
pub(crate) use invoke::{Call, Invocation, Rules};

/// Where the standard input of the command at hand comes from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Input {
    /// From whoever runs the line.
    #[default]
    Inherited,
    /// From a pipe or a file.
    Fed,
    /// It is this text.
    Text(Vec<u8>, Span),
}

impl Input {
    /// The input of several commands one after another: what the first leaves of a text is not known.
    pub(crate) fn of_many(&self) -> Self {
        match self {
            Self::Inherited => Self::Inherited,
            Self::Fed | Self::Text(..) => Self::Fed,
        }
    }
}

/// What the shell that reads the current text knows.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) cwd: CwdId,
    pub(crate) dialect: Dialect,
    pub(crate) input: Input,
    /// Functions that are defined whenever the current place is reached.
    functions: HashSet<Vec<u8>>,
    /// The same names in the order of their definition, to forget those of a subshell.
    defined: Vec<Vec<u8>>,
    /// How many constructs around the current place may not run.
    conditional: usize,
    /// `set -a` is on.
    exports_all: bool,
    /// `declare -i` was used: plain assignments are arithmetic.
    integers: bool,
    /// Where a variable's value was evaluated as arithmetic first.
    arithmetic: Option<Span>,
    /// Whether literal data holds a subscript with code in it.
    code_in_data: bool,
}

impl Shell {
    fn new(cwd: CwdId, dialect: Dialect, input: Input) -> Self {
        Self {
            cwd,
            dialect,
            input,
            functions: HashSet::new(),
            defined: Vec::new(),
            conditional: 0,
            exports_all: false,
            integers: false,
            arithmetic: None,
            code_in_data: false,
        }
    }
}

/// Builds the script. One collector serves a line with all the texts that are read again in it.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) script: Script,
    pub(crate) shared: Shared,
    pub(crate) shell: Shell,
    /// Stands for the directory at the time a function or a trap runs.
    later: Option<CwdId>,
    /// Whether a variable that `cd`, `~` or a path begins with was changed.
    home_changed: bool,
    directory_changed: bool,
    cdpath_changed: bool,
    /// Names that `export` was called with.
    exported: HashSet<Vec<u8>>,
}

/// The script of a command line.
pub(crate) fn collect_line(text: &[u8], dialect: Dialect) -> Parsed<Script> {
    let mut collector = Collector::for_length(text.len(), dialect);
    let list = parse_line(text, dialect, &mut collector.shared)?;
    collector.script.blank = list.items.is_empty();
    collector.list(list)?;
    Ok(collector.finish())
}

/// The script of an argument vector that is `length` bytes long when joined.
pub(crate) fn collect_argv(words: Vec<Word>, length: usize) -> Parsed<Script> {
    let mut collector = Collector::for_length(length, Dialect::Bash);
    let span = Span::new(0, length);
    collector.invoke(Invocation { words, span, ..Invocation::program(Origin::Argv) })?;
    Ok(collector.finish())
}

impl Collector {
    fn for_length(length: usize, dialect: Dialect) -> Self {
        Self {
            script: Script { cwds: vec![Cwd::Start], ..Script::default() },
            shared: Shared::for_length(length),
            shell: Shell::new(CwdId(0), dialect, Input::Inherited),
            later: None,
            home_changed: false,
            directory_changed: false,
            cdpath_changed: false,
            exported: HashSet::new(),
        }
    }

    fn finish(mut self) -> Script {
        self.report_evaluated_data();
        if let Some(span) = self.shared.number.filter(|_| self.shared.number_is_redefined()) {
            self.mark(OpaqueKind::Redefinition, span);
        }
        self.settle_later_directory();
        self.forget_changed_directories();
        let mut script = self.script;
        for assignment in &mut script.assignments {
            assignment.exported |= self.exported.contains(&assignment.name);
        }
        script.opaque.append(&mut self.shared.opaque);
        script.opaque.sort_by_key(|opaque| opaque.span.start);
        script.opaque.dedup();
        script.sort_commands();
        script
    }

    pub(crate) fn mark(&mut self, kind: OpaqueKind, span: Span) {
        self.shared.mark(kind, span);
    }

    /// Reads `text` as the current shell would now, and lists what it runs.
    pub(crate) fn evaluate(&mut self, text: &[u8], span: Span) -> Parsed<cwd::Flow> {
        let list = parse_again(text, span, self.shell.dialect, &mut self.shared)?;
        let inner = self.shell.input.of_many();
        let outer = std::mem::replace(&mut self.shell.input, inner);
        let flow = self.deeper(span, |collector| collector.list(list))?;
        self.shell.input = outer;
        Ok(flow)
    }

    /// Reads `text` as a new shell would in the current directory, and lists what it runs.
    pub(crate) fn new_shell(
        &mut self,
        text: &[u8],
        span: Span,
        dialect: Dialect,
        input: Input,
    ) -> Parsed<()> {
        let list = parse_again(text, span, dialect, &mut self.shared)?;
        let inner = Shell::new(self.shell.cwd, dialect, input);
        let outer = std::mem::replace(&mut self.shell, inner);
        self.deeper(span, |collector| collector.list(list))?;
        self.report_evaluated_data();
        self.shell = outer;
        Ok(())
    }

    /// Runs `collect` one level deeper.
    pub(crate) fn deeper<T>(
        &mut self,
        span: Span,
        collect: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        self.shared.bounds.enter(span)?;
        let result = collect(self)?;
        self.shared.bounds.leave();
        Ok(result)
    }

    // A variable's value is evaluated as arithmetic where it is used, subscripts and the code in them
    // included. When the line brings such a value itself, what runs cannot be told.
    fn report_evaluated_data(&mut self) {
        if let Some(span) = self.shell.arithmetic.filter(|_| self.shell.code_in_data) {
            self.mark(OpaqueKind::DynamicCode, span);
        }
    }

    /// Remembers whether literal data could be a subscript with code.
    pub(crate) fn note_data(&mut self, word: &Word) {
        self.shell.code_in_data |= word.pieces.iter().any(|piece| match piece {
            Piece::Literal(text) => holds_code_in_subscript(text),
            _ => false,
        });
    }

    pub(crate) fn command(&mut self, id: CommandId) -> Parsed<&mut crate::Command> {
        let missing = || error(ParseErrorKind::TooMany, Span::default(), "too many commands");
        self.script.commands.get_mut(id.0).ok_or_else(missing)
    }

    pub(crate) fn set_lookup(&mut self, id: CommandId, lookup: Lookup) {
        if let Some(command) = self.script.commands.get_mut(id.0) {
            command.lookup = lookup;
        }
    }

    pub(crate) fn set_transparent(&mut self, id: CommandId) {
        if let Some(command) = self.script.commands.get_mut(id.0) {
            command.transparent = true;
        }
    }

    /// An assignment that later commands see.
    pub(crate) fn assign(&mut self, assignment: Assignment) {
        self.home_changed |= assignment.name == b"HOME";
        self.directory_changed |= assignment.name == b"PWD";
        self.cdpath_changed |= assignment.name == b"CDPATH";
        self.judge_assignment(&assignment);
        self.script.assignments.push(assignment);
    }

    /// A variable that gets a value which the text does not tell.
    pub(crate) fn assign_unknown(&mut self, name: &[u8], span: Span) {
        let value = Word { span, pieces: Piece::Dynamic { quoted: true }.into() };
        let exported = self.shell.exports_all || sensitive::is_sensitive(name);
        self.assign(Assignment { span, name: name.to_vec(), value: Some(value), exported });
    }

    /// Marks the assignments that are code or that redefine commands.
    pub(crate) fn judge_assignment(&mut self, assignment: &Assignment) {
        let Assignment { name, value: Some(value), span, .. } = assignment else { return };
        let literal = value.as_literal();
        let kind = if sensitive::redefines_commands(name) {
            OpaqueKind::Redefinition
        } else if name == b"POSIXLY_CORRECT" {
            OpaqueKind::Construct
        } else if (name.starts_with(b"PROMPT_COMMAND") && literal.is_none_or(|text| !text.is_empty()))
            || (sensitive::is_prompt(name) && !is_plain_prompt(value))
        {
            OpaqueKind::DynamicCode
        } else {
            return;
        };
        self.mark(kind, *span);
    }

    /// Lists the commands of a substitution.
    pub(crate) fn run_list(&mut self, list: List) -> Parsed<()> {
        self.subshell(|collector| collector.list(list).map(drop))
    }
}

/// `[` and then `$(`, `${` or a backquote. Patterns such as `[a-z]$` and `a[$1]` hold no code.
fn holds_code_in_subscript(text: &[u8]) -> bool {
    let Some(bracket) = text.iter().position(|byte| *byte == b'[') else { return false };
    let rest = text.get(bracket..).unwrap_or_default();
    rest.contains(&b'`') || rest.windows(2).any(|pair| matches!(pair, b"$(" | b"${"))
}

fn is_plain_prompt(value: &Word) -> bool {
    value.as_literal().is_some_and(|text| !text.iter().any(|byte| matches!(byte, b'$' | b'`')))
}
