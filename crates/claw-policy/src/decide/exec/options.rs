//! Reading arguments the way programs do: options, their values, operands.

use std::borrow::Cow;
use std::ops::ControlFlow;

use claw_shell::Word;

use super::words;

/// How a program's options are written, as far as it matters to a policy.
#[derive(Debug)]
pub(super) struct Syntax {
    pub(super) options: &'static [Opt],
    pub(super) style: Style,
    /// Whether the first operand ends the options (`git` before its subcommand).
    pub(super) operand_ends: bool,
}

/// The dialects of option syntax.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Style {
    /// `-abc`, `-oVALUE`, `--long=value`, `--` ends; long names may be abbreviated.
    Getopt,
    /// The same without abbreviations.
    Exact,
    /// `-name` or `--name` is one option, `-name=value` has a value (`go`, `find`, `terraform`).
    SingleDash,
}

/// An option.
#[derive(Debug)]
pub(super) struct Opt {
    /// All its spellings, with their dashes.
    pub(super) names: &'static [&'static str],
    pub(super) value: Value,
    pub(super) effect: Effect,
}

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value {
    No,
    /// In the same word or in the next one.
    Yes,
    /// In the same word or not at all.
    Joined,
}

/// What an option does, as far as a policy cares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    /// Nothing.
    Plain,
    /// Its value is a command line that is run.
    Runs,
    /// Its value is a file that is written.
    Writes,
    /// Its value is a directory in which files are written.
    WritesIn,
    /// It makes the program run something that its value does not tell.
    Refused(&'static str),
    /// It makes the program write what its value does not tell.
    Escapes(&'static str),
    /// The rest of the words, up to `;`, is a command.
    RunsRest,
    /// Its value needs a closer look, by this name.
    Special(Special),
}

/// Values with a syntax of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Special {
    /// `KEY=VALUE` of git's configuration.
    GitConfig,
    /// `git --exec-path`, which only asks unless it has a value.
    ExecPath,
    /// tar's `--checkpoint-action`.
    TarAction,
    /// ssh's `-o KEY=VALUE`.
    SshOption,
    /// gcc's `-Wl,...`.
    LinkerOption,
    /// `curl -w`, which can write to a file.
    CurlFormat,
    /// cargo's `--config KEY=VALUE`.
    CargoConfig,
    /// rustc's `-C KEY=VALUE`.
    RustcCodegen,
    /// `cmake -D NAME=VALUE`.
    CmakeDefine,
    /// `sed -i`, which writes its operands.
    InPlace,
    /// Program text of sed.
    SedScript,
}

/// A part of the arguments.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// A known option with its value.
    Option { option: &'static Opt, value: Text<'a>, word: &'a Word },
    /// An option that the table does not know, as written without a value.
    Unknown { name: Cow<'a, [u8]> },
    /// An operand.
    Operand { word: &'a Word, index: usize },
    /// A word that may become an option when the line runs.
    Uncertain { word: &'a Word },
}

/// An option's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text<'a> {
    /// There is none.
    None,
    /// Known.
    Known(Cow<'a, [u8]>),
    /// Known when the line runs.
    Dynamic,
}

impl Opt {
    fn has(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| known.as_bytes() == name)
    }

    /// The name of several letters behind one dash that `text` is, or begins with when it has a value.
    fn whole_name(&self, text: &[u8]) -> Option<&'static str> {
        self.names.iter().copied().find(|name| {
            let is_whole = name.len() > 2 && !name.starts_with("--");
            is_whole
                && (name.as_bytes() == text || self.value != Value::No && text.starts_with(name.as_bytes()))
        })
    }

    fn abbreviates_to(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| known.starts_with("--") && known.as_bytes().starts_with(name))
    }
}

/// Reads `words` and gives each part to `sink`, until it breaks.
pub(super) fn scan<'a>(
    syntax: &Syntax,
    words: &'a [Word],
    sink: &mut dyn FnMut(Item<'a>) -> ControlFlow<()>,
) {
    let mut scanner = Scanner { syntax, words, next: 0, sink };
    // A break only ends the scan.
    let _ = scanner.run();
}

struct Scanner<'a, 'k> {
    syntax: &'k Syntax,
    words: &'a [Word],
    next: usize,
    sink: &'k mut dyn FnMut(Item<'a>) -> ControlFlow<()>,
}

impl<'a> Scanner<'a, '_> {
    fn run(&mut self) -> ControlFlow<()> {
        let mut options = true;
        while let Some(word) = self.words.get(self.next) {
            let index = self.next;
            self.next += 1;
            if !options || !words::may_be_option(word) {
                (self.sink)(Item::Operand { word, index })?;
                options &= !self.syntax.operand_ends;
                continue;
            }
            match words::option_text(word) {
                Some(text) if *text == *b"--" => options = false,
                Some(text) if text.len() < 2 => (self.sink)(Item::Operand { word, index })?,
                Some(text) => self.option(word, &text)?,
                None => self.partly_known(word)?,
            }
        }
        ControlFlow::Continue(())
    }

    /// `--output="$x"`: the option is known, its value is not.
    fn partly_known(&mut self, word: &'a Word) -> ControlFlow<()> {
        let prefix = word.literal_prefix();
        if let Some(equals) = prefix.iter().position(|byte| *byte == b'=')
            && prefix.starts_with(b"-")
            && let Some(name) = prefix.get(..equals)
            && !word.can_split()
        {
            return match self.long(name) {
                Some(option) => (self.sink)(Item::Option { option, value: Text::Dynamic, word }),
                None => (self.sink)(Item::Unknown { name: Cow::Owned(name.to_vec()) }),
            };
        }
        (self.sink)(Item::Uncertain { word })
    }

    fn option(&mut self, word: &'a Word, text: &[u8]) -> ControlFlow<()> {
        if self.syntax.style == Style::SingleDash || text.starts_with(b"--") {
            return self.long_option(word, text);
        }
        // `-name`, `-name=value` and `-namevalue` are options of some programs (`gcc -wrapper x -fplugin=y`).
        let whole = |option: &&'static Opt| option.whole_name(text);
        let Some((option, name)) =
            self.syntax.options.iter().find_map(|option| Some((option, whole(&option)?)))
        else {
            return self.cluster(word, text);
        };
        let rest = text.get(name.len()..).unwrap_or_default();
        let value = match option.value {
            Value::Yes if rest.is_empty() => self.following(),
            _ if rest.is_empty() => Text::None,
            _ => Text::Known(Cow::Owned(rest.strip_prefix(b"=").unwrap_or(rest).to_vec())),
        };
        (self.sink)(Item::Option { option, value, word })
    }

    fn long_option(&mut self, word: &'a Word, text: &[u8]) -> ControlFlow<()> {
        let equals = text.iter().position(|byte| *byte == b'=');
        let name = text.get(..equals.unwrap_or(text.len())).unwrap_or(text);
        let joined = equals.and_then(|at| text.get(at + 1..));
        let Some(option) = self.long(name) else {
            return (self.sink)(Item::Unknown { name: Cow::Owned(name.to_vec()) });
        };
        let value = match (joined, option.value) {
            (Some(value), _) => Text::Known(Cow::Owned(value.to_vec())),
            (None, Value::Yes) => self.following(),
            (None, _) => Text::None,
        };
        (self.sink)(Item::Option { option, value, word })
    }

    fn cluster(&mut self, word: &'a Word, text: &[u8]) -> ControlFlow<()> {
        let letters = text.get(1..).unwrap_or_default();
        for (at, letter) in letters.iter().enumerate() {
            let name = [b'-', *letter];
            let Some(option) = self.syntax.options.iter().find(|option| option.has(&name)) else {
                (self.sink)(Item::Unknown { name: Cow::Owned(name.to_vec()) })?;
                continue;
            };
            let rest = letters.get(at + 1..).unwrap_or_default();
            let value = match option.value {
                Value::No => Text::None,
                Value::Joined if rest.is_empty() => Text::None,
                Value::Yes if rest.is_empty() => self.following(),
                Value::Yes | Value::Joined => Text::Known(Cow::Owned(rest.to_vec())),
            };
            (self.sink)(Item::Option { option, value, word })?;
            if option.value != Value::No {
                break;
            }
        }
        ControlFlow::Continue(())
    }

    /// The next word as a value.
    fn following(&mut self) -> Text<'a> {
        let Some(word) = self.words.get(self.next) else { return Text::None };
        self.next += 1;
        match word.as_literal() {
            Some(text) => Text::Known(text),
            None => Text::Dynamic,
        }
    }

    fn long(&self, name: &[u8]) -> Option<&'static Opt> {
        let exact = self.syntax.options.iter().find(|option| option.has(name));
        if exact.is_some() {
            return exact;
        }
        match self.syntax.style {
            Style::SingleDash => {
                let single = name.strip_prefix(b"-").filter(|name| name.starts_with(b"-"))?;
                self.syntax.options.iter().find(|option| option.has(single))
            }
            Style::Exact => None,
            // An abbreviation that fits two options is refused by the program itself, so the more
            // dangerous reading is the right one to judge.
            Style::Getopt => {
                let fits = |option: &&Opt| name.len() > 2 && option.abbreviates_to(name);
                self.syntax
                    .options
                    .iter()
                    .filter(fits)
                    .find(|option| option.effect != Effect::Plain)
                    .or_else(|| self.syntax.options.iter().find(fits))
            }
        }
    }
}
