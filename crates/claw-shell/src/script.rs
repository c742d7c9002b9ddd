//! What a command line can run, as data: the types that the parser fills and the policy reads.

use std::borrow::Cow;
use std::fmt;

use crate::text::{Pieces, Text};

/// A half-open range of byte offsets into the command line.
///
/// Inside a `sh -c '...'` string or another re-read text the span is that of the outermost word
/// that holds the text, so that it always points into what the caller passed in.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset one past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to, not including, `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// Which shell reads the line. What only bash understands is [`OpaqueKind::Dialect`] under `Posix`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Dialect {
    /// GNU bash 5.
    #[default]
    Bash,
    /// dash and other POSIX shells.
    Posix,
}

/// Index into [`Script::commands`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CommandId(pub usize);

/// Index into [`Script::cwds`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CwdId(pub usize);

/// Where relative paths resolve at some point of the script.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cwd {
    /// The directory the script starts in; always entry 0.
    Start,
    /// After `cd target` in `from`. `certain` when the next command runs only if `cd` succeeded
    /// (`cd x && ...`); otherwise the shell may still be in `from` when the target cannot be entered.
    Cd {
        /// Where `cd` was called.
        from: CwdId,
        /// Its operand.
        target: Word,
        /// Whether the `cd` is known to have succeeded.
        certain: bool,
    },
    /// Either of two, depending on which branch ran.
    Either(CwdId, CwdId),
    /// Not knowable: `cd "$x"`, `popd`, a loop whose body moves.
    Unknown,
}

/// Everything that a command line could run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// The simple commands in the order of their text; a wrapper comes before what it runs.
    pub commands: Vec<Command>,
    /// Every redirection, of simple and of compound commands.
    pub redirects: Vec<Redirect>,
    /// Assignments that stand alone (`A=1`) or are exported, and so can reach every later command.
    pub assignments: Vec<Assignment>,
    /// What cannot be known from the text.
    pub opaque: Vec<Opaque>,
    /// The directories that `Command::cwd` and `Redirect::cwd` refer to; entry 0 is [`Cwd::Start`].
    pub cwds: Vec<Cwd>,
    /// Whether nothing is written but blanks and comments. A line that runs no command may still say something:
    /// `((i++))`.
    pub blank: bool,
}

/// One simple command.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Where it stands in the line.
    pub span: Span,
    /// The argument vector; the first word names the program. Never empty.
    pub words: Vec<Word>,
    /// Assignments before the command (`A=1 cmd`), and those of an `env` around it.
    pub assignments: Vec<Assignment>,
    /// Where relative paths resolve for it.
    pub cwd: CwdId,
    /// Who runs it.
    pub origin: Origin,
    /// How the first word is looked up.
    pub lookup: Lookup,
    /// True when more arguments follow at run time than are written (`xargs rm`, `f() { git "$@"; }`).
    pub more_arguments: bool,
    /// True when this command runs text or a command that is itself listed (`env git`, `sh -c ...`):
    /// the listed inner commands are the whole of what it runs.
    pub transparent: bool,
    /// True when its standard input is a pipe, a heredoc, a here-string or a redirection.
    pub stdin_fed: bool,
}

/// Who runs a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The caller's argument vector; no shell is involved.
    Argv,
    /// A shell reading the line.
    Shell,
    /// The wrapper with this id.
    Wrapper(CommandId),
}

/// How a shell or a wrapper finds the program that the first word names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// As a program: a path, or a bare name searched for on PATH.
    Program,
    /// As a shell builtin.
    Builtin(Builtin),
    /// As a function that the script itself certainly defined before; its body is listed.
    Function,
    /// As a function or a program of the same name: both can happen.
    FunctionOrProgram,
}

/// What a shell builtin does, as far as a policy cares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Builtin {
    /// Runs nothing and redefines nothing as used here (`cd`, `echo`, `test`, `export NAME`).
    Harmless,
    /// Runs or redefines, and what it runs is listed (`eval 'git log'`, `trap 'rm x' EXIT`, `exec git`).
    Listed,
    /// Runs or redefines something that the text does not tell; an [`Opaque`] says what.
    Opaque,
}

/// One redirection.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// Where it stands.
    pub span: Span,
    /// What it does.
    pub kind: RedirectKind,
    /// The file, descriptor or heredoc word.
    pub target: Word,
    /// Where a relative target resolves.
    pub cwd: CwdId,
    /// The simple command it belongs to; `None` for a compound command's.
    pub command: Option<CommandId>,
}

/// What a redirection does with its target.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RedirectKind {
    /// `< file`
    Read,
    /// `> file`, `>| file`, `&> file`
    Write,
    /// `>> file`, `&>> file`
    Append,
    /// `<> file`
    ReadWrite,
    /// `2>&1`, `<&3`, `>&-`: the target is a descriptor number or `-`. Also `< <(list)` and
    /// `> >(list)`, whose target is a pipe to commands that are listed. No file is opened.
    Duplicate,
    /// `<<` or `<<<`: the target is data.
    Heredoc,
}

/// `NAME=value` in front of or around a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Where it stands.
    pub span: Span,
    /// The variable's name (without an array subscript).
    pub name: Vec<u8>,
    /// The value; `None` for `unset`/`env -u NAME`.
    pub value: Option<Word>,
    /// Whether the variable reaches the environment of programs (a prefix, `export`, `env`).
    pub exported: bool,
}

/// A part of the line whose effect the text alone does not tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opaque {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: OpaqueKind,
}

/// Why a part is opaque.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum OpaqueKind {
    /// The program's name is computed (`$cmd`, `"$(echo rm)"`).
    DynamicCommand,
    /// `eval`, `source`, `.`, `trap`, `bash -c` and others with text known only at run time.
    DynamicCode,
    /// A shell that reads its program from standard input or from a file made elsewhere.
    CodeFromInput,
    /// `alias`, `enable -f`, `hash -p` and others that change what a name means.
    Redefinition,
    /// A wrapper option that is not known (`env --unknown`).
    WrapperOption,
    /// A construct that this dialect of the shell does not have or reads differently.
    Dialect,
    /// Another construct that the parser does not follow.
    Construct,
}

/// A shell word: what becomes zero or more arguments.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Word {
    /// Where it stands.
    pub span: Span,
    /// Its pieces in order. Empty pieces mean the empty string (`''`).
    pub pieces: Pieces,
}

/// A piece of a word after quote removal and brace expansion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Text that is what it is.
    Literal(Text),
    /// A leading `~` or `~user`; the name is empty for the own home.
    Tilde(Text),
    /// An unquoted pattern character run (`*`, `?`, `[a-z]`): becomes file names, or stays as it is.
    Glob(Text),
    /// `$NAME` or `${NAME}` without an operator.
    Param {
        /// The parameter (`HOME`, `1`, `@`, `?`).
        name: Text,
        /// Inside double quotes: exactly one argument (except `"$@"`).
        quoted: bool,
    },
    /// `$(nproc)`: whatever it is, it is one number, so neither an option nor several arguments.
    Number,
    /// Any other expansion: `$(...)`, `${x:-y}`, `$((...))`, `<(...)`.
    Dynamic {
        /// Inside double quotes: exactly one argument.
        quoted: bool,
    },
}

impl Word {
    /// A word that is exactly `text`.
    #[must_use]
    pub fn literal(text: impl Into<Text>, span: Span) -> Self {
        Self { span, pieces: Piece::Literal(text.into()).into() }
    }

    /// The argument, when the text alone tells it. A tilde, a pattern or an expansion makes it `None`.
    #[must_use]
    pub fn as_literal(&self) -> Option<Cow<'_, [u8]>> {
        match self.pieces.as_slice() {
            [] => Some(Cow::Borrowed(&[])),
            [Piece::Literal(text)] => Some(Cow::Borrowed(text)),
            pieces => {
                let mut whole = Vec::new();
                for piece in pieces {
                    let Piece::Literal(text) = piece else { return None };
                    whole.extend_from_slice(text);
                }
                Some(Cow::Owned(whole))
            }
        }
    }

    /// The leading text that is known whatever the rest becomes.
    #[must_use]
    pub fn literal_prefix(&self) -> Cow<'_, [u8]> {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => Cow::Borrowed(text),
            _ => Cow::Borrowed(&[]),
        }
    }

    /// Whether the word can become anything but exactly one argument.
    #[must_use]
    pub fn can_split(&self) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Literal(_) | Piece::Tilde(_) | Piece::Number => false,
            Piece::Glob(_) => true,
            Piece::Param { name, quoted } => !quoted || name == b"@",
            Piece::Dynamic { quoted } => !quoted,
        })
    }
}

/// Why a text is not a command line that we can judge.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseError {
    /// What went wrong.
    pub kind: ParseErrorKind,
    /// Where.
    pub span: Span,
    /// One line for people: lower-case start, no final period.
    pub message: String,
}

/// The kinds of [`ParseError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A real shell would refuse it too.
    Syntax,
    /// Longer than 64 KiB.
    TooLong,
    /// Nested deeper than 32 levels.
    TooDeep,
    /// Contains a NUL byte.
    Nul,
    /// Expands to more words or commands than the bound allows.
    TooMany,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.span.start)
    }
}

impl std::error::Error for ParseError {}
