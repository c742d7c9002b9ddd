//! Secrets that only a program's own options tell: `mysql -pX`, `sshpass -p X`, `curl -u user:X`.
#![forbid(unsafe_code)]

use std::ops::Range;

use super::names::is_placeholder;
use super::scan::run;

/// How an option carries its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    /// In the same word. `mysql -p` alone asks; the word after it is a database.
    Joined,
    /// In the next word.
    Next,
    /// Both ways.
    Either,
}

/// Options of single programs whose value is a secret. `login` is the subcommand (`docker login -p X`).
const OPTIONS: &[(&str, &str, Form)] = &[
    ("curl", "-b", Form::Next),
    ("sshpass", "-p", Form::Either),
    ("mysql", "-p", Form::Joined),
    ("mysqldump", "-p", Form::Joined),
    ("mysqladmin", "-p", Form::Joined),
    ("mariadb", "-p", Form::Joined),
    ("mongosh", "-p", Form::Next),
    ("redis-cli", "-a", Form::Next),
    ("ldapsearch", "-w", Form::Next),
    ("ldapmodify", "-w", Form::Next),
    ("login", "-p", Form::Next),
    ("unzip", "-P", Form::Either),
    ("zip", "-P", Form::Next),
    ("7z", "-p", Form::Joined),
    ("wget", "--header", Form::Next),
];
/// Options whose value is `user:password`.
const USER_OPTIONS: &[&str] = &["-u", "--user", "-U", "--proxy-user"];
/// Programs whose `--user` is `user:group`.
const GROUP_PROGRAMS: &[&str] = &["docker", "podman", "nerdctl"];

/// Reads one command word by word.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    /// The last word that names a program of the tables: wrappers (`sudo curl`) come before it.
    program: &'a [u8],
    before: &'a [u8],
}

impl<'a> Options<'a> {
    /// The secret part of the next word.
    pub(super) fn next(&mut self, word: &'a [u8]) -> Option<Range<usize>> {
        let before = std::mem::replace(&mut self.before, word);
        let found = self.own_option(before, word).or_else(|| self.user_option(before, word));
        let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
        let mut known = OPTIONS.iter().map(|(of, ..)| of).chain(GROUP_PROGRAMS);
        if found.is_none() && known.any(|known| known.as_bytes() == name) {
            self.program = name;
        }
        found
    }

    fn own_option(&self, before: &[u8], word: &[u8]) -> Option<Range<usize>> {
        let own = OPTIONS.iter().filter(|(of, ..)| of.as_bytes() == self.program);
        let start = own.into_iter().find_map(|(_, option, form)| {
            let option = option.as_bytes();
            if *form != Form::Joined && before == option {
                return Some(0);
            }
            (*form != Form::Next && word.len() > option.len() && word.starts_with(option))
                .then_some(option.len())
        })?;
        let value = word.get(start..)?;
        (!value.is_empty() && !is_placeholder(unquoted(value).1)).then_some(start..word.len())
    }

    fn user_option(&self, before: &[u8], word: &[u8]) -> Option<Range<usize>> {
        if GROUP_PROGRAMS.iter().any(|program| program.as_bytes() == self.program) {
            return None;
        }
        let is_option = |word: &[u8]| USER_OPTIONS.iter().any(|option| option.as_bytes() == word);
        let start = match run(word, 0, |byte| byte != b'=') {
            equals if equals < word.len() && word.get(..equals).is_some_and(is_option) => equals + 1,
            _ if is_option(before) => 0,
            _ => return None,
        };
        let value = word.get(start..)?;
        let password = start + run(value, 0, |byte| byte != b':') + 1;
        let secret = word.get(password..).filter(|secret| !secret.is_empty())?;
        // A pair of numbers is a user and a group.
        let is_pair = value.iter().all(|byte| byte.is_ascii_digit() || *byte == b':');
        let bare = secret.strip_suffix(b"'").or_else(|| secret.strip_suffix(b"\"")).unwrap_or(secret);
        (!is_pair && !bare.is_empty() && !is_placeholder(bare)).then(|| password..password + bare.len())
    }
}

/// The secrets of a shell line. It need not be well formed: what cannot be parsed is logged too.
pub(super) fn spans(line: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    collect(line, 0, &mut spans);
    spans
}

fn collect(line: &[u8], offset: usize, spans: &mut Vec<Range<usize>>) {
    let mut options = Options::default();
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        if is_separator(*byte) || byte.is_ascii_whitespace() {
            if is_separator(*byte) {
                options = Options::default();
            }
            at += 1;
            continue;
        }
        let length = word_length(line.get(at..).unwrap_or_default());
        let word = line.get(at..at + length).unwrap_or_default();
        if let Some(found) = options.next(word) {
            let start = offset + at + found.start;
            let (quote, value) = unquoted(word.get(found).unwrap_or_default());
            spans.push(start + quote..start + quote + value.len());
        } else if let (1, inner) = unquoted(word)
            && !inner.iter().any(|byte| word.first() == Some(byte))
        {
            // `sh -c "curl -u user:password"`. The inside has one kind of quotes less: this ends at depth two.
            collect(inner, offset + at + 1, spans);
        }
        at += length.max(1);
    }
}

/// To the blank or separator that no quotes protect.
fn word_length(text: &[u8]) -> usize {
    let mut quote = None;
    run(text, 0, |byte| {
        match quote {
            Some(open) if open == byte => quote = None,
            Some(_) => {}
            None if matches!(byte, b'\'' | b'"') => quote = Some(byte),
            None => return !byte.is_ascii_whitespace() && !is_separator(byte),
        }
        true
    })
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b';' | b'|' | b'&' | b'\n' | b'(' | b')')
}

/// A word without the quotes around it, and how long the first one is.
fn unquoted(word: &[u8]) -> (usize, &[u8]) {
    for quote in [b"'", b"\""] {
        if let Some(rest) = word.strip_prefix(quote) {
            return (1, rest.strip_suffix(quote).unwrap_or(rest));
        }
    }
    (0, word)
}
