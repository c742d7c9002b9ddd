//! Carriers: allowed programs that can be made to run another program or to write a file by their arguments.
//!
//! What an option does is data ([`table`]); a program with a language of its own has a module.

mod awk;
mod files;
mod git;
mod sed;
mod special;
mod table;
mod table_build;
mod table_git;
mod table_tools;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use claw_shell::{Command, Span, Word};

use super::options::{self, Effect, Item, Opt, Syntax, Text};
use super::words::{display, text_path};
use super::{Judge, Scope, words};
use crate::{FileAction, Reason};

/// Programs whose arguments are read alike.
#[derive(Debug)]
pub(super) struct Family {
    /// Without a version at the end.
    pub(super) names: &'static [&'static str],
    pub(super) syntax: Syntax,
    pub(super) operands: Operands,
}

/// What a program does with its operands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Operands {
    /// Nothing that matters here.
    Data,
    /// It writes each.
    Written,
    /// It makes each a directory.
    Made,
    /// It removes each.
    Deleted,
    /// It removes each, with everything beneath it when `-r` is given.
    DeletedTree,
    /// It changes the mode or owner of each but the first.
    Changed,
    /// It writes the last.
    CopiedTo,
    /// It writes the last and removes the others.
    MovedTo,
    /// It writes the second.
    SecondWritten,
    /// It writes the first.
    FirstWritten,
    /// It runs another program, with an option syntax that is not known here.
    Wrapper,
    /// `dd of=FILE`.
    Dd,
    /// `tar`.
    Tar,
    /// `find`.
    Find,
    /// `git`.
    Git,
    /// `sed`.
    Sed,
    /// `awk`.
    Awk,
    /// `make NAME=VALUE`.
    Make,
    /// A subcommand that runs a command or code (`docker run`, `npm explore`).
    Subcommand,
    /// `cargo rustc -- ARGS`.
    Cargo,
    /// `@FILE` reads more options from a file (compilers).
    Response,
    /// Words that begin with `+` are commands (`vim +cmd`, `less +!cmd`).
    Plus,
    /// Interactive tools with a shell escape in their own language.
    Escape,
}

/// Families by name.
static INDEX: LazyLock<HashMap<&'static [u8], &'static Family>> = LazyLock::new(|| {
    let all = table::FAMILIES.iter().chain(table_tools::FAMILIES).chain(table_build::FAMILIES);
    let mut index = HashMap::with_capacity(all.clone().map(|family| family.names.len()).sum());
    index.extend(all.flat_map(|family| family.names.iter().map(move |name| (name.as_bytes(), family))));
    index
});

/// The family of the program `name`.
pub(super) fn family(name: &[u8]) -> Option<&'static Family> {
    INDEX.get(name).or_else(|| INDEX.get(without_version(name))).copied()
}

/// The tables that read the arguments of `name`: its own and its subcommand's.
pub(super) fn syntaxes(name: &[u8], words: &[Word]) -> Vec<&'static Syntax> {
    let Some(family) = family(name) else { return Vec::new() };
    let mut all = vec![&family.syntax];
    if family.operands == Operands::Git
        && let Some(subcommand) = git::subcommand(words)
    {
        all.extend(git::syntax(&subcommand));
    }
    all
}

/// Where the subcommand of a program with two levels of options stands (`git`).
pub(super) fn subcommand_at(name: &[u8], words: &[Word]) -> Option<usize> {
    let family = family(name).filter(|family| family.operands == Operands::Git)?;
    git::subcommand_at(&family.syntax, words)
}

/// Judges what the arguments of an allowed program make it run and write.
pub(super) fn judge(judge: &mut Judge<'_>, scope: &Scope<'_>, command: &Command, names: [Option<&[u8]>; 2]) {
    let Some(family) = names.into_iter().flatten().find_map(family) else { return };
    let name = names.into_iter().flatten().next().unwrap_or_default();
    let words = command.words.get(1..).unwrap_or_default();
    Case { judge, scope, command, name, words, within: Some(PathBuf::new()) }.judge(family);
}

/// Judges the files that a wrapper itself writes (`flock FILE`, `time -o FILE`).
pub(super) fn judge_wrapper(judge: &mut Judge<'_>, scope: &Scope<'_>, command: &Command, name: &[u8]) {
    let words = command.words.get(1..).unwrap_or_default();
    let within = Some(PathBuf::new());
    let mut case = Case { judge, scope, command, name, words, within };
    if let Some(wrapper) =
        table::WRAPPERS.iter().find(|family| family.names.iter().any(|it| it.as_bytes() == name))
    {
        case.judge(wrapper);
    }
}

/// One command of a known family.
struct Case<'c, 'j, 's> {
    judge: &'c mut Judge<'j>,
    scope: &'c Scope<'s>,
    command: &'c Command,
    name: &'c [u8],
    words: &'c [Word],
    /// The directory that the program changes to first, under its own; `None` is one that is not known.
    within: Option<PathBuf>,
}

/// The arguments of a command, taken apart.
struct Parsed<'w> {
    options: Vec<(&'static Opt, Text<'w>, &'w Word)>,
    operands: Vec<&'w Word>,
    uncertain: Option<&'w Word>,
    /// Whether there is an option that the table does not know.
    unknown: bool,
}

impl Parsed<'_> {
    fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, ..)| option.names.contains(&name))
    }
}

impl<'c> Case<'c, '_, '_> {
    /// The program's name for people.
    fn shown(&self) -> String {
        display(self.name)
    }

    fn judge(&mut self, family: &'static Family) {
        match family.operands {
            Operands::Git => return self.git(&family.syntax),
            Operands::Tar => return self.tar(&family.syntax),
            Operands::Find => return self.find(&family.syntax),
            Operands::Wrapper => return self.wrapper(),
            _ => {}
        }
        let parsed = self.options(&family.syntax, self.words);
        self.operands(family.operands, &parsed);
    }

    /// Judges the options among `words`.
    fn options(&mut self, syntax: &Syntax, words: &'c [Word]) -> Parsed<'c> {
        let parsed = self.known_options(syntax, words);
        self.certain(syntax, &parsed, words);
        parsed
    }

    /// Judges the options among `words` where nothing is added when the line runs.
    fn known_options(&mut self, syntax: &Syntax, words: &'c [Word]) -> Parsed<'c> {
        let parsed = parse(syntax, words);
        for (option, value, word) in &parsed.options {
            self.option(option, value, word);
        }
        parsed
    }

    /// Words that are not known could be dangerous options, when the program has any.
    fn certain(&mut self, syntax: &Syntax, parsed: &Parsed<'_>, words: &[Word]) {
        if !is_dangerous(syntax) {
            return;
        }
        let ends = words.iter().any(|word| word.as_literal().is_some_and(|text| *text == *b"--"));
        let span = match parsed.uncertain {
            Some(word) => word.span,
            None if self.command.more_arguments && !ends => self.command.span,
            None => return,
        };
        let message =
            format!("this could add options to `{}` that run programs or write files", self.shown());
        self.judge.unknown(self.scope, span, message);
    }

    fn option(&mut self, option: &'static Opt, value: &Text<'_>, word: &Word) {
        let shown = option.names.first().copied().unwrap_or_default();
        let known = match (option.effect, value) {
            (Effect::Plain, _) => return,
            (Effect::Refused(why), _) => return self.refuse(word, &format!("`{shown}` {why}")),
            (Effect::Escapes(why), _) => return self.refuse_write(word, &format!("`{shown}` {why}")),
            (Effect::RunsRest, Text::Known(text)) => return self.carried(text, word.span),
            (Effect::RunsRest, _) => return self.rest(word),
            (Effect::Special(special), Text::None) => return self.special(special, b"", word),
            (_, Text::None) => return,
            (_, Text::Dynamic) => {
                let message =
                    format!("the value of `{} {shown}` is only known when the line runs", self.shown());
                return self.judge.unknown(self.scope, word.span, message);
            }
            (_, Text::Known(text)) => text,
        };
        match option.effect {
            Effect::Runs => self.carried(known, word.span),
            Effect::Writes => self.write(known, word),
            Effect::WritesIn => self.write_in(known, word),
            Effect::Special(special) => self.special(special, known, word),
            Effect::Plain | Effect::Refused(_) | Effect::Escapes(_) | Effect::RunsRest => {}
        }
    }

    fn carried(&mut self, text: &[u8], span: Span) {
        self.judge.carried(self.scope, self.command.cwd, text, span);
    }

    fn carried_argv(&mut self, argv: &[Vec<u8>], span: Span) {
        self.judge.carried_argv(self.scope, self.command.cwd, argv, span);
    }

    /// The program runs something that cannot be judged.
    fn refuse(&mut self, word: &Word, what: &str) {
        let message = format!("`{}` could run another program: {what}", self.shown());
        self.judge.carrier(self.scope, word.span, message);
    }

    /// The program writes something that cannot be judged.
    fn refuse_write(&mut self, word: &Word, what: &str) {
        let message = format!("`{}` could write files that the line does not name: {what}", self.shown());
        self.judge.carrier(self.scope, word.span, message);
    }

    /// Programs with a language of their own: an option that is not known could bring more program text.
    fn refuse_unknown_options(&mut self, parsed: &Parsed<'_>) {
        if let Some(word) = self.words.first().filter(|_| parsed.unknown) {
            self.refuse(word, "an option is not known");
        }
    }

    /// Whether the first of all words is this option.
    fn begins_with(&self, options: &[&str]) -> bool {
        let first = self.words.first().and_then(Word::as_literal);
        first.is_some_and(|text| options.iter().any(|option| option.as_bytes() == &*text))
    }

    /// The words after `word`, up to `;`, are a command.
    fn rest(&mut self, word: &Word) {
        let start = self.words.iter().position(|it| std::ptr::eq(it, word)).map_or(0, |at| at + 1);
        self.command_from(start);
    }

    /// Judges the words from `start` on as a command of their own.
    fn command_from(&mut self, start: usize) {
        let rest = self.words.get(start..).unwrap_or_default();
        let mut argv = Vec::new();
        for word in rest {
            match word.as_literal() {
                Some(text) if *text == *b";" => break,
                Some(text) => argv.push(text.into_owned()),
                None => {
                    let message =
                        format!("the command that `{}` runs is only known when the line runs", self.shown());
                    return self.judge.unknown(self.scope, word.span, message);
                }
            }
        }
        let span = rest.first().map_or(self.command.span, |word| word.span);
        if !argv.is_empty() {
            self.carried_argv(&argv, span);
        }
    }

    /// Judges a file that is written under its name in the text.
    fn write(&mut self, text: &[u8], word: &Word) {
        let harmless = [&b"-"[..], b"/dev/null", b"/dev/stdout", b"/dev/stderr", b"/dev/tty"];
        if !harmless.contains(&text) {
            self.text_file(FileAction::Write, text, word);
        }
    }

    /// Judges the making of a file in a directory.
    fn write_in(&mut self, directory: &[u8], word: &Word) {
        for base in self.directories() {
            if let Some(path) = text_path(directory, base.as_deref()) {
                self.write_beneath(&path, word.span);
            }
        }
    }

    /// Judges the making of files in the directory `path`. Reasons name it, not the files.
    fn write_beneath(&mut self, path: &Path, span: Span) {
        let path = &*self.judge.expected(self.scope, span, None, path);
        let beneath = self.judge.file_refusal(FileAction::Write, &path.join("new file"), false);
        let Some(beneath) = beneath else { return };
        let own = self.judge.file_refusal(FileAction::Write, path, false);
        let reason = own.unwrap_or_else(|| Reason {
            message: format!("`{}` may not get new files", path.display()).into(),
            change: None,
            ..beneath
        });
        self.judge.findings.refuse(reason.at(self.scope.span(span)));
    }

    fn text_file(&mut self, action: FileAction, text: &[u8], word: &Word) {
        for directory in self.directories() {
            if let Some(path) = text_path(text, directory.as_deref()) {
                self.judge.file(self.scope, word.span, action, &path, false);
            }
        }
    }

    /// Judges an operand; the kernel judges those that are not known.
    fn operand(&mut self, action: FileAction, word: &Word, recursive: bool) {
        for directory in self.directories() {
            if let Some(path) = words::path(word, directory.as_deref(), self.judge.world)
                && (!path.starts_with("/dev") || path.components().any(|part| part == Component::ParentDir))
            {
                self.judge.file(self.scope, word.span, action, &path, recursive);
            }
        }
    }

    /// The program changes its directory.
    fn enter(&mut self, directory: &[u8]) {
        if directory != b"." && !directory.is_empty() {
            self.within = self.within.take().map(|within| within.join(words::bytes_path(directory)));
        }
    }

    /// The directories in which the command may run; `None` is one that is not known.
    fn directories(&self) -> Vec<Option<PathBuf>> {
        let Some(within) = &self.within else { return vec![None] };
        let within_of =
            |base: &PathBuf| if within.as_os_str().is_empty() { base.clone() } else { base.join(within) };
        match self.scope.directories.at(self.command.cwd) {
            Some(all) => all.iter().map(|base| Some(within_of(base))).collect(),
            None => vec![within.is_absolute().then(|| within.clone())],
        }
    }

    /// Programs that run their operands behind options that we do not know.
    fn wrapper(&mut self) {
        let is_asking = |text: &[u8]| matches!(text, b"--version" | b"--help" | b"-V" | b"-h");
        match self.words.first() {
            None => {}
            Some(word) if self.words.len() == 1 && word.as_literal().is_some_and(|text| is_asking(&text)) => {
            }
            Some(word) if word.literal_prefix().starts_with(b"-") => {
                self.refuse(word, "the command among its arguments is not known");
            }
            Some(_) => self.command_from(0),
        }
    }
}

fn parse<'w>(syntax: &Syntax, words: &'w [Word]) -> Parsed<'w> {
    let mut parsed = Parsed { options: Vec::new(), operands: Vec::new(), uncertain: None, unknown: false };
    options::scan(syntax, words, &mut |item| {
        match item {
            Item::Option { option, value, word, .. } => {
                parsed.options.push((option, value, word));
                if option.effect == Effect::RunsRest {
                    return ControlFlow::Break(());
                }
            }
            Item::Unknown { .. } => parsed.unknown = true,
            Item::Operand { word, .. } => parsed.operands.push(word),
            Item::Uncertain { word } => parsed.uncertain = parsed.uncertain.or(Some(word)),
        }
        ControlFlow::Continue(())
    });
    parsed
}

fn is_dangerous(syntax: &Syntax) -> bool {
    syntax.options.iter().any(|option| !matches!(option.effect, Effect::Plain | Effect::WritesIn))
}

/// `gcc-12` is `gcc`, `python3.11` is `python`.
fn without_version(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b'.' && *byte != b'-');
    end.and_then(|end| name.get(..=end)).unwrap_or(name)
}
