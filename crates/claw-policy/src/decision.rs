//! Answers. Only [`crate::decide`] can make a [`Grant`]: the fields are private to this crate.

mod message;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Confinement, Environment, FileAction, ProgramFact, Query, ResolvedPath, Role};
use claw_shell::{Span, Text};

pub use self::message::Message;

/// The answer to a request.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "decisions are moved once")]
pub enum Decision {
    /// It may happen, within the grant.
    Allow(Grant),
    /// It may not.
    Deny(Denial),
    /// Somebody has to be asked. Without somebody to ask this is a denial.
    Ask(Question),
}

/// Facts that a decision needs and does not have yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MissingFacts {
    /// To be answered before asking again. Never empty.
    pub queries: Vec<Query>,
}

/// Proof that the policy allowed a request, with everything that must be enforced.
#[derive(Clone, Debug)]
#[must_use = "a grant does nothing until it is prepared"]
pub enum Grant {
    /// A command may run.
    Exec(ExecGrant),
    /// A file may be touched.
    File(FileGrant),
    /// A variable may be passed.
    Environment(EnvironmentGrant),
    /// An address may be reached.
    Network(NetworkGrant),
    /// A tool may be used.
    Tool(ToolGrant),
    /// A process of a run may execute a program.
    Descendant(DescendantGrant),
}

impl Grant {
    /// The rules that allowed it.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Exec(grant) => &grant.reasons,
            Self::File(grant) => &grant.reasons,
            Self::Environment(grant) => &grant.reasons,
            Self::Network(grant) => &grant.reasons,
            Self::Tool(grant) => &grant.reasons,
            Self::Descendant(grant) => &grant.reasons,
        }
    }
}

/// A command that may run.
#[derive(Clone, Debug)]
#[must_use = "a grant does nothing until it is prepared"]
pub struct ExecGrant {
    pub(crate) program: Result<ProgramFact, Reason>,
    pub(crate) argv: Vec<Vec<u8>>,
    pub(crate) cwd: PathBuf,
    pub(crate) environment: Arc<Environment>,
    pub(crate) stripped: Vec<Vec<u8>>,
    pub(crate) confinement: Arc<Confinement>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) commands: Commands,
}

impl ExecGrant {
    /// The program file that runs: the command's own, or the shell that reads the line.
    ///
    /// # Errors
    ///
    /// Why there is none to run: it is allowed, but not there or not executable.
    pub const fn program(&self) -> Result<&ProgramFact, &Reason> {
        self.program.as_ref()
    }
    /// Its argument vector.
    #[must_use]
    pub fn argv(&self) -> &[Vec<u8>] {
        &self.argv
    }
    /// Its working directory, canonical.
    #[must_use]
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }
    /// Its whole environment.
    #[must_use]
    pub fn environment(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.environment
    }
    /// Names that the caller asked to pass and that were stripped.
    #[must_use]
    pub fn stripped(&self) -> &[Vec<u8>] {
        &self.stripped
    }
    /// What the kernel has to enforce.
    #[must_use]
    pub const fn confinement(&self) -> &Arc<Confinement> {
        &self.confinement
    }
    /// The rules that allowed it.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
    /// Every simple command that could run, as argument vectors.
    #[must_use]
    pub fn commands(&self) -> Vec<Vec<Vec<u8>>> {
        self.commands.to_vectors()
    }
    /// The role of the run's first process.
    #[must_use]
    pub fn role(&self) -> Role {
        Role::of_command(self.program.as_ref().ok(), &self.argv)
    }
}

/// The simple commands of a request, close together: most grants are never asked for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commands {
    words: Vec<Text>,
    /// How many words there are up to the end of each command.
    ends: Vec<usize>,
}

impl Commands {
    /// Those of `commands`; `text` makes a word's.
    pub(crate) fn new(commands: &[claw_shell::Command], text: impl Fn(&claw_shell::Word) -> Text) -> Self {
        let mut all = Self {
            words: Vec::with_capacity(commands.iter().map(|command| command.words.len()).sum()),
            ends: Vec::with_capacity(commands.len()),
        };
        for command in commands {
            all.words.extend(command.words.iter().map(&text));
            all.ends.push(all.words.len());
        }
        all
    }

    pub(crate) fn to_vectors(&self) -> Vec<Vec<Vec<u8>>> {
        let mut words = self.words.iter();
        let starts = std::iter::once(&0).chain(&self.ends);
        let lengths = self.ends.iter().zip(starts).map(|(end, start)| end - start);
        lengths.map(|length| words.by_ref().take(length).map(|word| word.to_vec()).collect()).collect()
    }
}

/// A program that a process of a run may execute.
#[derive(Clone, Debug)]
#[must_use = "a grant does nothing until it is used"]
pub struct DescendantGrant {
    pub(crate) role: Role,
    pub(crate) reasons: Vec<Reason>,
}

impl DescendantGrant {
    /// The role of the process once it runs the program.
    #[must_use]
    pub const fn role(&self) -> &Role {
        &self.role
    }
    /// The rules that allowed it.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
}

/// A file that may be touched.
#[derive(Clone, Debug)]
#[must_use = "a grant does nothing until it is used"]
pub struct FileGrant {
    pub(crate) action: FileAction,
    pub(crate) path: ResolvedPath,
    pub(crate) to: Option<ResolvedPath>,
    pub(crate) root: PathBuf,
    pub(crate) to_root: Option<PathBuf>,
    pub(crate) reasons: Vec<Reason>,
}

impl FileGrant {
    /// What may be done.
    #[must_use]
    pub const fn action(&self) -> FileAction {
        self.action
    }
    /// To what.
    #[must_use]
    pub const fn path(&self) -> &ResolvedPath {
        &self.path
    }
    /// The second path of rename and hardlink.
    #[must_use]
    pub const fn to(&self) -> Option<&ResolvedPath> {
        self.to.as_ref()
    }
    /// The root that it falls in, canonical.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The root that the second path falls in.
    #[must_use]
    pub fn to_root(&self) -> Option<&Path> {
        self.to_root.as_deref()
    }
    /// The rules that allowed it.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
}

/// A variable that may be passed.
#[derive(Clone, Debug)]
pub struct EnvironmentGrant {
    pub(crate) reasons: Vec<Reason>,
}

impl EnvironmentGrant {
    /// The rules that allowed it.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
}

/// An address that may be reached.
#[derive(Clone, Debug)]
pub struct NetworkGrant {
    pub(crate) reasons: Vec<Reason>,
}

impl NetworkGrant {
    /// The rules that allowed it.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
}

/// A tool that may be used.
#[derive(Clone, Debug)]
pub struct ToolGrant {
    pub(crate) reasons: Vec<Reason>,
}

impl ToolGrant {
    /// The rules that allowed it.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }
}

/// A refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Denial {
    /// Why, most important first. Never empty.
    pub reasons: Vec<Reason>,
    /// Every simple command that could run, as argument vectors (dynamic words as written).
    pub commands: Vec<Vec<Vec<u8>>>,
}

/// A request that needs a person's yes.
#[derive(Clone, Debug)]
pub struct Question {
    /// Why it has to be asked. Never empty.
    pub reasons: Vec<Reason>,
    /// Every simple command that could run.
    pub commands: Vec<Vec<Vec<u8>>>,
    /// What would be granted on a yes.
    pub(crate) grant: Box<Grant>,
}

impl Question {
    /// The program file that a yes would run, if it is about a command whose program is there.
    #[must_use]
    pub fn program(&self) -> Option<&ProgramFact> {
        match &*self.grant {
            Grant::Exec(grant) => grant.program.as_ref().ok(),
            _ => None,
        }
    }

    /// The environment that a yes would run it in; empty for what is no command.
    #[must_use]
    pub fn environment(&self) -> &[(Vec<u8>, Vec<u8>)] {
        match &*self.grant {
            Grant::Exec(grant) => &grant.environment,
            _ => &[],
        }
    }

    /// What a yes grants. To be called only after somebody who may say yes has said it.
    pub fn grant_approved(self) -> Grant {
        *self.grant
    }
}

/// A rule, as written in a policy.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RuleRef {
    /// The policy's name.
    pub source: Arc<str>,
    /// Line from 1.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
    /// The rule's own text, shortened.
    pub text: Arc<str>,
}

impl std::fmt::Display for RuleRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// One rule's part in a decision.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Reason {
    /// Stable name of the kind of reason.
    pub code: Code,
    /// One line for people: lower-case start, no final period.
    pub message: Message,
    /// The rule, when one decided; `None` when nothing matched.
    pub rule: Option<RuleRef>,
    /// Where in the command line.
    pub span: Option<Span>,
    /// The smallest change to the policy that would flip it, as one line.
    pub change: Option<String>,
}

impl Reason {
    /// A reason that no single rule gave.
    pub(crate) fn new(code: Code, message: impl Into<Message>) -> Self {
        Self { code, message: message.into(), rule: None, span: None, change: None }
    }

    /// The same, given by `rule`.
    pub(crate) fn by(self, rule: &RuleRef) -> Self {
        Self { rule: Some(rule.clone()), ..self }
    }

    /// The same, about that part of the command line.
    pub(crate) fn at(self, span: Span) -> Self {
        Self { span: Some(span), ..self }
    }

    /// What to do for another answer, and where: the change, and the file that it belongs into.
    #[must_use]
    pub fn next_step(&self) -> Option<String> {
        const OWN: &str = "a policy of your own (`claw-sandbox init` writes one; `--policy FILE` names it)";
        let change = self.change.as_ref()?;
        let edits = ["add ", "remove ", "set ", "list "];
        Some(match &self.rule {
            Some(rule) if edits.iter().any(|edit| change.starts_with(edit)) => {
                let file = if &*rule.source == "built-in" { OWN } else { &rule.source };
                format!("{change} in {file}")
            }
            _ => change.clone(),
        })
    }

    /// The same, with the change to the policy that would flip it.
    pub(crate) fn with_change(self, change: impl Into<String>) -> Self {
        Self { change: Some(change.into()), ..self }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Stable names of reasons. Programs may match on [`Code::name`].
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// An allowlist entry matched.
    ExecAllowed = "exec.allowed",
    /// `security: full`.
    ExecFull = "exec.full",
    /// A plain builtin.
    ExecBuiltin = "exec.builtin",
    /// A part of what the calling process does.
    ExecPart = "exec.part",
    /// `exec.descendants: system`.
    ExecSystem = "exec.system",
    /// A wrapper or shell whose inner commands are all judged.
    ExecTransparent = "exec.transparent",
    /// No allowlist entry matched.
    ExecNotAllowlisted = "exec.not-allowlisted",
    /// A `deny` entry matched.
    ExecDenied = "exec.denied",
    /// An argument rule of the program forbids these arguments.
    ExecArguments = "exec.arguments",
    /// `security: deny`.
    ExecSecurityDeny = "exec.security-deny",
    /// The program was not found in the trusted directories.
    ExecNotFound = "exec.not-found",
    /// The file is there but cannot be executed.
    ExecNotExecutable = "exec.not-executable",
    /// The program lies in the workspace or another untrusted place.
    ExecUntrusted = "exec.untrusted-path",
    /// An argument or variable would make the program run another program.
    ExecCarrier = "exec.carrier",
    /// Program text on the command line or standard input of an interpreter.
    ExecInlineEval = "exec.inline-eval",
    /// A safe-bin used in another way than as a filter.
    ExecSafeBin = "exec.safe-bin",
    /// `ask: always`, or `ask: on-miss`.
    ExecAsk = "exec.ask",
    /// A person has to allow it first, and cannot be asked here.
    ExecNeedsApproval = "exec.needs-approval",
    /// The line is empty.
    ExecEmpty = "exec.empty",
    /// The line does not parse.
    ShellSyntax = "shell.syntax",
    /// The line is longer, deeper or has more parts than the bound.
    ShellBounds = "shell.bounds",
    /// What would run is not known from the text.
    ShellOpaque = "shell.opaque",
    /// A root allows it.
    FileAllowed = "file.allowed",
    /// No root covers the path.
    FileOutside = "file.outside",
    /// A read-only root covers the path.
    FileReadOnly = "file.read-only",
    /// A hidden entry matches.
    FileHidden = "file.hidden",
    /// A protected name matches.
    FileProtected = "file.protected",
    /// A root itself may not be removed, renamed or replaced.
    FileRoot = "file.root",
    /// The file has a name outside of the roots.
    FileHardLink = "file.hard-link",
    /// A mode or flag that no run may give to a file.
    FileMode = "file.mode",
    /// A FIFO, socket or device.
    FileSpecial = "file.special",
    /// The path does not resolve.
    FileUnresolved = "file.unresolved",
    /// An unknown `~user`.
    FileUnknownUser = "file.unknown-user",
    /// A variable of the always-stripped kind.
    EnvironmentStripped = "environment.stripped",
    /// A variable that the policy does not pass.
    EnvironmentNotPassed = "environment.not-passed",
    /// A variable that the policy passes.
    EnvironmentAllowed = "environment.allowed",
    /// A rule allows the address.
    NetworkAllowed = "network.allowed",
    /// No rule allows the address.
    NetworkDenied = "network.denied",
    /// The policy names the tool.
    ToolAllowed = "tool.allowed",
    /// The policy does not name the tool.
    ToolNotNamed = "tool.not-named",
    /// The working directory is not readable under the policy or does not exist.
    CwdInvalid = "cwd.invalid",
}
