//! The syntax tree: what the parser builds and the collector flattens into a `Script`.

use crate::script::{Piece, RedirectKind, Span, Word};

/// Pipelines in the order of their text. Nesting is bounded, so dropping it is too.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) pipeline: Pipeline,
    /// What stands between this pipeline and the next.
    pub(crate) next: Connector,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Connector {
    And,
    Or,
    /// `;`, a newline, or the end.
    Then,
    Background,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) negated: bool,
    /// Empty for a lone `!` or `time`.
    pub(crate) stages: Vec<Stage>,
}

/// One command with its redirections.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) span: Span,
    pub(crate) node: Node,
    pub(crate) redirects: Vec<Redirection>,
}

#[derive(Debug)]
pub(crate) enum Node {
    Simple(Simple),
    Group(List),
    Subshell(List),
    If {
        branches: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    Loop {
        condition: List,
        body: List,
        moves: bool,
    },
    For {
        variable: Variable,
        words: Vec<Lexeme>,
        body: List,
        moves: bool,
    },
    ArithmeticFor {
        code: Vec<Code>,
        body: List,
        moves: bool,
    },
    Case {
        subject: Lexeme,
        arms: Vec<Arm>,
    },
    Function {
        name: Vec<u8>,
        body: Box<Stage>,
    },
    Coprocess {
        name: Option<Variable>,
        body: Box<Stage>,
    },
    /// `[[ ]]` and `(( ))`: they run nothing but the code inside their words.
    Evaluate(Vec<Code>),
}

#[derive(Debug)]
pub(crate) struct Simple {
    pub(crate) assignments: Vec<Assign>,
    pub(crate) words: Vec<Lexeme>,
}

/// One `pattern | pattern) list ;;`.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) patterns: Vec<Lexeme>,
    pub(crate) body: List,
}

/// `NAME=value`, `NAME+=value`, `NAME[i]=value` or `NAME=(...)`.
#[derive(Debug)]
pub(crate) struct Assign {
    pub(crate) span: Span,
    pub(crate) name: Vec<u8>,
    /// A `Dynamic` piece when the new value is not exactly what is written.
    pub(crate) value: Word,
    pub(crate) code: Vec<Code>,
}

/// A variable that a construct sets.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: Vec<u8>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct Redirection {
    pub(crate) span: Span,
    pub(crate) kind: RedirectKind,
    pub(crate) target: Target,
    /// The variable of `{fd}>file`.
    pub(crate) descriptor: Option<Variable>,
    /// Whether it is the command's standard input.
    pub(crate) feeds_stdin: bool,
}

#[derive(Debug)]
pub(crate) enum Target {
    Word(Lexeme),
    /// Index into the here-documents that were read so far.
    Heredoc(usize),
}

/// The body of a here-document.
#[derive(Debug, Default)]
pub(crate) struct Heredoc {
    pub(crate) word: Word,
    pub(crate) code: Vec<Code>,
}

/// A word together with the code that runs when it is expanded.
#[derive(Debug, Default)]
pub(crate) struct Lexeme {
    pub(crate) word: Word,
    pub(crate) code: Vec<Code>,
    /// Written without any quoting or expansion, so it may be a reserved word.
    pub(crate) plain: bool,
    /// Begins with `<(` or `>(`.
    pub(crate) process_substitution: bool,
}

/// Something that runs or changes the shell while a word is expanded.
#[derive(Debug)]
pub(crate) enum Code {
    /// `$(...)`, backquotes, `<(...)`: runs in a subshell.
    Subshell(List),
    /// `${ ...; }`: runs in the shell itself.
    Inline(List),
    /// `${NAME:=value}` or an assignment in arithmetic.
    Assign(Variable),
    /// Arithmetic that reads variables: their values are evaluated as arithmetic again.
    Arithmetic(Span),
}

impl Lexeme {
    /// Exactly one process substitution, which is a pipe and no file.
    pub(crate) fn is_pipe(&self) -> bool {
        self.process_substitution && matches!(self.word.pieces.as_slice(), [Piece::Dynamic { .. }])
    }

    /// The word as it is written, when it can be nothing else.
    pub(crate) fn plain_text(&self) -> Option<&[u8]> {
        match self.word.pieces.as_slice() {
            [Piece::Literal(text)] if self.plain => Some(text),
            _ => None,
        }
    }
}
