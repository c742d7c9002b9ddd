//! Filters that may run on their standard input only.

use std::ops::ControlFlow;

use claw_shell::Command;

use super::options::{self, Effect, Item, Opt, Style, Syntax, Text, Value};

/// A filter: how it reads its arguments, and how many operands are no files.
struct Profile {
    name: &'static str,
    syntax: Syntax,
    /// Flags that may appear beside the options with values.
    flags: &'static str,
    long_flags: &'static [&'static str],
    operands: usize,
}

const fn value(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::Yes, effect: Effect::Plain }
}

const fn optional(names: &'static [&'static str]) -> Opt {
    Opt { names, value: Value::Joined, effect: Effect::Plain }
}

const fn filter(
    name: &'static str,
    options: &'static [Opt],
    flags: &'static str,
    long_flags: &'static [&'static str],
    operands: usize,
) -> Profile {
    Profile {
        name,
        syntax: Syntax { options, style: Style::Getopt, operand_ends: false },
        flags,
        long_flags,
        operands,
    }
}

/// From the manual pages of GNU coreutils 9 and grep 3. Options that name a file are left out on purpose.
static PROFILES: [Profile; 16] = [
    filter(
        "cut",
        &[
            value(&["-b", "--bytes"]),
            value(&["-c", "--characters"]),
            value(&["-d", "--delimiter"]),
            value(&["-f", "--fields"]),
            value(&["--output-delimiter"]),
        ],
        "nsz",
        &["--complement", "--only-delimited", "--zero-terminated"],
        0,
    ),
    filter(
        "uniq",
        &[
            value(&["-f", "--skip-fields"]),
            value(&["-s", "--skip-chars"]),
            value(&["-w", "--check-chars"]),
            optional(&["--group"]),
            optional(&["--all-repeated"]),
        ],
        "cdDuiz",
        &["--count", "--repeated", "--unique", "--ignore-case", "--zero-terminated"],
        0,
    ),
    filter(
        "head",
        &[value(&["-n", "--lines"]), value(&["-c", "--bytes"])],
        "qvz0123456789",
        &["--quiet", "--silent", "--verbose", "--zero-terminated"],
        0,
    ),
    filter(
        "tail",
        &[value(&["-n", "--lines"]), value(&["-c", "--bytes"])],
        "qvz0123456789",
        &["--quiet", "--silent", "--verbose", "--zero-terminated"],
        0,
    ),
    filter("tr", &[], "cCdst", &["--complement", "--delete", "--squeeze-repeats", "--truncate-set1"], 2),
    filter(
        "wc",
        &[optional(&["--total"])],
        "cmlLw",
        &["--bytes", "--chars", "--lines", "--max-line-length", "--words"],
        0,
    ),
    filter(
        "sort",
        &[
            value(&["-k", "--key"]),
            value(&["-t", "--field-separator"]),
            value(&["-S", "--buffer-size"]),
            value(&["--parallel"]),
            value(&["--batch-size"]),
            value(&["--sort"]),
        ],
        "bcCdfghiMnrRsuVz",
        &[
            "--reverse",
            "--numeric-sort",
            "--unique",
            "--stable",
            "--human-numeric-sort",
            "--version-sort",
            "--ignore-case",
            "--check",
            "--zero-terminated",
            "--general-numeric-sort",
            "--month-sort",
            "--random-sort",
            "--ignore-leading-blanks",
            "--dictionary-order",
        ],
        0,
    ),
    filter(
        "grep",
        &[
            value(&["-e", "--regexp"]),
            value(&["-m", "--max-count"]),
            value(&["-A", "--after-context"]),
            value(&["-B", "--before-context"]),
            value(&["-C", "--context"]),
            value(&["--label"]),
            value(&["--binary-files"]),
            optional(&["--color", "--colour"]),
        ],
        "EFGPivwxcLlqosbHhnTZaz",
        &[
            "--extended-regexp",
            "--fixed-strings",
            "--basic-regexp",
            "--perl-regexp",
            "--ignore-case",
            "--invert-match",
            "--word-regexp",
            "--line-regexp",
            "--count",
            "--quiet",
            "--silent",
            "--only-matching",
            "--line-number",
            "--no-messages",
            "--text",
        ],
        0,
    ),
    filter("rev", &[], "", &[], 0),
    filter("tac", &[value(&["-s", "--separator"])], "br", &["--before", "--regex"], 0),
    filter(
        "nl",
        &[value(&["-b"]), value(&["-n"]), value(&["-s"]), value(&["-v"]), value(&["-w"])],
        "p",
        &[],
        0,
    ),
    filter("fold", &[value(&["-w", "--width"])], "bs", &["--bytes", "--spaces"], 0),
    filter("cat", &[], "AbeEnstTuv", &["--number", "--show-all", "--squeeze-blank"], 0),
    filter("md5sum", &[], "bt", &[], 0),
    filter("sha256sum", &[], "bt", &[], 0),
    filter("base64", &[value(&["-w", "--wrap"])], "di", &["--decode", "--ignore-garbage"], 0),
];

/// Why the command is no filter on its standard input; `None` when it is.
pub(super) fn misuse(name: &[u8], command: &Command) -> Option<String> {
    let Some(profile) = PROFILES.iter().find(|profile| profile.name.as_bytes() == name) else {
        return Some("nothing is known of its options".to_owned());
    };
    if command.more_arguments {
        return Some("its arguments are only known when the line runs".to_owned());
    }
    let mut operands = 0;
    let mut pattern = false;
    let mut why = None;
    options::scan(&profile.syntax, command.words.get(1..).unwrap_or_default(), &mut |item| {
        why = match item {
            Item::Option { value: Text::Dynamic, .. } => Some("an option's value is not known".to_owned()),
            Item::Option { option, .. } => {
                pattern |= option.names.contains(&"-e");
                None
            }
            Item::Unknown { name, .. } if profile.has_flag(&name) => None,
            Item::Unknown { name, .. } => {
                Some(format!("the option `{}` is not known", super::words::display(&name)))
            }
            Item::Operand { word, .. } if word.as_literal().is_some_and(|text| *text == *b"-") => None,
            Item::Operand { word, .. } => {
                operands += 1;
                profile.operand(word.as_literal().as_deref(), operands)
            }
            Item::Uncertain { .. } => Some("its arguments are only known when the line runs".to_owned()),
        };
        if why.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    why.or_else(|| {
        (profile.name == "grep" && !pattern).then(|| "the pattern has to be given by `-e`".to_owned())
    })
}

impl Profile {
    fn has_flag(&self, name: &[u8]) -> bool {
        match name {
            [b'-', letter] if *letter != b'-' => self.flags.as_bytes().contains(letter),
            long => self.long_flags.iter().any(|flag| flag.as_bytes() == long),
        }
    }

    fn operand(&self, text: Option<&[u8]>, count: usize) -> Option<String> {
        match text {
            None => Some("an operand is only known when the line runs".to_owned()),
            Some(_) if count <= self.operands => None,
            Some(text) => Some(format!("`{}` may be a file", super::words::display(text))),
        }
    }
}
