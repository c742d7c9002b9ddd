//! Argument rules, after the program's own option syntax.
//!
//! A deny rule is matched conservatively: what could be the forbidden form counts. An allow rule is
//! matched strictly: only what certainly is the allowed form counts.

use std::borrow::Cow;
use std::ops::ControlFlow;

use claw_shell::{Command, Word};

use super::carrier;
use super::options::{self, Item, Opt, Style, Syntax};
use crate::policy::ArgumentRule;

/// Whether a deny rule matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Match {
    Yes,
    No,
    /// That depends on values that are only known when the line runs.
    Unknown,
}

/// The arguments of a program that we know nothing of.
const UNKNOWN: Syntax = Syntax { options: &[], style: Style::Getopt, operand_ends: false };

/// Short names of subcommands.
const ALIASES: [(&[u8], &[u8], &[u8]); 16] = [
    (b"cargo", b"b", b"build"),
    (b"cargo", b"c", b"check"),
    (b"cargo", b"d", b"doc"),
    (b"cargo", b"r", b"run"),
    (b"cargo", b"rm", b"remove"),
    (b"cargo", b"t", b"test"),
    (b"npm", b"i", b"install"),
    (b"npm", b"in", b"install"),
    (b"npm", b"ins", b"install"),
    (b"npm", b"add", b"install"),
    (b"npm", b"isntall", b"install"),
    (b"npm", b"un", b"uninstall"),
    (b"npm", b"rm", b"uninstall"),
    (b"npm", b"t", b"test"),
    (b"npm", b"run-script", b"run"),
    (b"npm", b"x", b"exec"),
];

/// What is known of the arguments.
struct Arguments<'a> {
    /// Operands in order, `None` when not known.
    operands: Vec<Option<Cow<'a, [u8]>>>,
    /// Options that may have taken the next word as their value, before each operand.
    doubtful: Vec<usize>,
    /// Whether a word may become anything, so that more options or operands may follow.
    uncertain: bool,
}

/// Whether the deny rule `rule` matches the command.
pub(super) fn denies(rule: &ArgumentRule, name: &[u8], command: &Command) -> Match {
    let words = command.words.get(1..).unwrap_or_default();
    match rule {
        ArgumentRule::Prefix(prefix) => denies_subcommand(prefix, name, command, words),
        ArgumentRule::Flags { subcommand, any_flag } => {
            let subcommand = denies_subcommand(subcommand, name, command, words);
            if subcommand == Match::No || any_flag.is_empty() {
                return subcommand;
            }
            match (subcommand, denies_flag(any_flag, name, command, words)) {
                (_, Match::No) => Match::No,
                (Match::Yes, Match::Yes) => Match::Yes,
                _ => Match::Unknown,
            }
        }
    }
}

/// Whether the allow rule `rule` certainly matches the command.
pub(super) fn allows(rule: &ArgumentRule, name: &[u8], command: &Command) -> bool {
    let words = command.words.get(1..).unwrap_or_default();
    match rule {
        ArgumentRule::Prefix(prefix) => allows_subcommand(prefix, name, words),
        ArgumentRule::Flags { subcommand, any_flag } => {
            allows_subcommand(subcommand, name, words)
                && (any_flag.is_empty() || any_flag.iter().any(|flag| has_exactly(words, flag)))
        }
    }
}

fn denies_subcommand(prefix: &[Vec<u8>], name: &[u8], command: &Command, words: &[Word]) -> Match {
    if prefix.is_empty() {
        return Match::Yes;
    }
    let arguments = read(name, words);
    let mut unknown = arguments.uncertain || command.more_arguments;
    let mut certain = false;
    for start in 0..arguments.operands.len() {
        match starts_with(&arguments, start, prefix, name) {
            Match::Yes => return Match::Yes,
            Match::Unknown => unknown = true,
            Match::No => {}
        }
        // The next operand may be the first one only if an unknown option took this one as its value.
        if arguments.doubtful.get(start).is_none_or(|doubt| *doubt == 0) {
            certain = start == 0;
            break;
        }
    }
    let decided = certain && known(&arguments, prefix.len());
    if unknown && !decided { Match::Unknown } else { Match::No }
}

/// Whether the first operands are all there and known.
fn known(arguments: &Arguments<'_>, count: usize) -> bool {
    arguments.operands.len() >= count && arguments.operands.iter().take(count).all(Option::is_some)
}

fn starts_with(arguments: &Arguments<'_>, start: usize, prefix: &[Vec<u8>], name: &[u8]) -> Match {
    let mut result = Match::Yes;
    let mut at = start;
    for (index, wanted) in prefix.iter().enumerate() {
        let Some(operand) = arguments.operands.get(at) else { return Match::No };
        match operand {
            None => result = Match::Unknown,
            Some(text) if same_subcommand(name, index, text, wanted) => {}
            // An unknown option between two words may have taken this one.
            Some(_) if at > start && arguments.doubtful.get(at).is_some_and(|doubt| *doubt > 0) => {
                at += 1;
                let next = arguments.operands.get(at).and_then(Option::as_deref);
                if next.is_none_or(|text| !same_subcommand(name, index, text, wanted)) {
                    return Match::No;
                }
            }
            Some(_) => return Match::No,
        }
        at += 1;
    }
    result
}

fn allows_subcommand(prefix: &[Vec<u8>], name: &[u8], words: &[Word]) -> bool {
    let arguments = read(name, words);
    prefix.iter().enumerate().all(|(index, wanted)| {
        arguments.doubtful.get(index).is_none_or(|doubt| *doubt == 0)
            && matches!(arguments.operands.get(index), Some(Some(text)) if same_subcommand(name, index, text, wanted))
    }) && (prefix.is_empty() || !arguments.uncertain_before(prefix.len()))
}

impl Arguments<'_> {
    /// Whether the leading operands may be others than those read.
    fn uncertain_before(&self, count: usize) -> bool {
        self.uncertain && self.operands.len() < count
    }
}

fn same_subcommand(name: &[u8], index: usize, text: &[u8], wanted: &[u8]) -> bool {
    text == wanted || (index == 0 && canonical(name, text) == canonical(name, wanted))
}

fn canonical<'a>(name: &[u8], text: &'a [u8]) -> &'a [u8] {
    ALIASES
        .iter()
        .find(|(program, alias, _)| *program == name && *alias == text)
        .map_or(text, |(_, _, subcommand)| *subcommand)
}

/// Reads the arguments with the program's tables: options before operands are skipped with their values.
fn read<'a>(name: &[u8], words: &'a [Word]) -> Arguments<'a> {
    let mut arguments = Arguments { operands: Vec::new(), doubtful: Vec::new(), uncertain: false };
    let tables = carrier::syntaxes(name, words);
    let global = tables.first().copied().unwrap_or(&UNKNOWN);
    let Some(at) = carrier::subcommand_at(name, words) else {
        read_with(&Syntax { operand_ends: false, ..*global }, name, words, &mut arguments);
        return arguments;
    };
    let (before, after) = words.split_at(at + 1);
    read_with(global, name, before, &mut arguments);
    let own = tables.get(1).copied().unwrap_or(&UNKNOWN);
    read_with(&Syntax { operand_ends: false, ..*own }, name, after, &mut arguments);
    arguments
}

fn read_with<'a>(syntax: &Syntax, name: &[u8], words: &'a [Word], arguments: &mut Arguments<'a>) {
    let mut doubt = 0;
    options::scan(syntax, words, &mut |item| {
        match item {
            Item::Option { .. } => {}
            Item::Unknown { .. } => doubt += 1,
            Item::Operand { word, .. } => {
                let text = word.as_literal();
                // `cargo +nightly build` names a toolchain first.
                if !(name == b"cargo" && text.as_ref().is_some_and(|text| text.starts_with(b"+"))) {
                    arguments.operands.push(text);
                    arguments.doubtful.push(std::mem::take(&mut doubt));
                }
            }
            Item::Uncertain { .. } => {
                arguments.uncertain = true;
                arguments.operands.push(None);
                arguments.doubtful.push(std::mem::take(&mut doubt));
            }
        }
        ControlFlow::Continue(())
    });
}

fn denies_flag(flags: &[Vec<u8>], name: &[u8], command: &Command, words: &[Word]) -> Match {
    let tables = carrier::syntaxes(name, words);
    let style = style_of(name, &tables);
    let mut result = if command.more_arguments { Match::Unknown } else { Match::No };
    let mut value_of: Option<&'static Opt> = None;
    for word in words {
        if value_of.take().is_some() {
            continue;
        }
        if !super::words::may_be_option(word) {
            continue;
        }
        let Some(text) = word.as_literal() else {
            result = Match::Unknown;
            if flags.iter().any(|flag| is_flag_with_value(&word.literal_prefix(), flag)) {
                return Match::Yes;
            }
            continue;
        };
        if *text == *b"--" {
            // What follows are operands, also those that are added later.
            return if result == Match::Unknown && command.more_arguments { Match::No } else { result };
        }
        if flags.iter().any(|flag| is_flag(&text, flag, style, &tables)) {
            return Match::Yes;
        }
        value_of = takes_next(&text, &tables);
    }
    result
}

/// git reads the options of its subcommands in another way than its own.
fn style_of(name: &[u8], tables: &[&'static Syntax]) -> Style {
    match tables.first() {
        Some(syntax) if name != b"git" => syntax.style,
        _ => Style::Getopt,
    }
}

/// The known option whose value is the next word.
fn takes_next(text: &[u8], tables: &[&'static Syntax]) -> Option<&'static Opt> {
    let options = || tables.iter().flat_map(|syntax| syntax.options);
    if text.starts_with(b"--") {
        return options().find(|option| {
            option.value == options::Value::Yes && option.names.iter().any(|name| name.as_bytes() == text)
        });
    }
    let letters = text.get(1..)?;
    for (at, letter) in letters.iter().enumerate() {
        let name = [b'-', *letter];
        let option = options().find(|option| option.names.iter().any(|known| known.as_bytes() == name));
        if let Some(option) = option
            && option.value != options::Value::No
        {
            let last = at + 1 == letters.len();
            return (option.value == options::Value::Yes && last).then_some(option);
        }
    }
    None
}

fn is_flag_with_value(text: &[u8], flag: &[u8]) -> bool {
    text.strip_prefix(flag).is_some_and(|rest| rest.first() == Some(&b'='))
}

/// Whether `text` is, or could be, the option `flag`.
fn is_flag(text: &[u8], flag: &[u8], style: Style, tables: &[&'static Syntax]) -> bool {
    if text == flag || is_flag_with_value(text, flag) {
        return true;
    }
    let name = text.split(|byte| *byte == b'=').next().unwrap_or(text);
    match (flag, style) {
        (_, Style::SingleDash) => {
            let bare =
                |name: &[u8]| name.iter().copied().skip_while(|byte| *byte == b'-').collect::<Vec<u8>>();
            bare(name) == bare(flag)
        }
        ([b'-', b'-', ..], Style::Getopt) => {
            let is_other = tables
                .iter()
                .flat_map(|syntax| syntax.options)
                .any(|option| option.names.iter().any(|known| known.as_bytes() == name));
            name.len() > 2 && flag.starts_with(name) && name.starts_with(b"--") && !is_other
        }
        ([b'-', b'-', ..], Style::Exact) => false,
        ([b'-', letters @ ..], _) => in_cluster(text, letters, tables),
        _ => false,
    }
}

/// Whether all `letters` are options of the cluster `text`.
fn in_cluster(text: &[u8], letters: &[u8], tables: &[&'static Syntax]) -> bool {
    if text.starts_with(b"--") || letters.is_empty() {
        return false;
    }
    let mut seen: Vec<u8> = Vec::new();
    for letter in text.iter().skip(1) {
        seen.push(*letter);
        let name = [b'-', *letter];
        let option = tables
            .iter()
            .flat_map(|syntax| syntax.options)
            .find(|option| option.names.iter().any(|known| known.as_bytes() == name));
        if option.is_some_and(|option| option.value != options::Value::No) {
            break;
        }
    }
    letters.iter().all(|letter| seen.contains(letter))
}

fn has_exactly(words: &[Word], flag: &[u8]) -> bool {
    words
        .iter()
        .map_while(|word| match word.as_literal() {
            Some(text) if *text == *b"--" => None,
            text => Some(text),
        })
        .flatten()
        .any(|text| *text == *flag || is_flag_with_value(&text, flag))
}
