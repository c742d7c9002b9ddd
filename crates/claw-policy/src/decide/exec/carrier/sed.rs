//! sed programs: the commands `e`, `w` and `s///e`, `s///w`, and `-i`.

use claw_shell::Word;

use super::super::options::{Effect, Special, Text};
use super::{Case, Parsed};
use crate::FileAction;

impl Case<'_, '_, '_> {
    pub(super) fn sed(&mut self, parsed: &Parsed<'_>) {
        self.refuse_unknown_options(parsed);
        // It protects only from the scripts behind it.
        let sandbox = self.begins_with(&["--sandbox"]);
        let mut files = parsed.operands.as_slice();
        if !parsed.has("-e") && !parsed.has("-f") {
            let Some((script, rest)) = files.split_first() else { return };
            files = rest;
            match script.as_literal() {
                _ if sandbox => {}
                Some(text) => self.sed_script(&text, script),
                None => self.judge.unknown(
                    self.scope,
                    script.span,
                    "this sed program is only known when the line runs",
                ),
            }
        }
        let in_place = |effect| effect == Effect::Special(Special::InPlace);
        if parsed.options.iter().any(|(option, ..)| in_place(option.effect)) {
            for file in files {
                self.operand(FileAction::Write, file, false);
            }
        }
        for (_, value, word) in parsed.options.iter().filter(|(option, ..)| in_place(option.effect)) {
            if matches!(value, Text::Known(suffix) if suffix.contains(&b'/')) {
                self.refuse_write(word, "the backups go to another directory");
            }
        }
        // Several `-e` join to one program, so that `-e 'a\' -e e` is text and `-e s/x/y/ -e e` is not.
        let scripts: Vec<_> = parsed
            .options
            .iter()
            .filter(|(option, ..)| option.effect == Effect::Special(Special::SedScript))
            .filter_map(
                |(_, value, word)| if let Text::Known(text) = value { Some((text, *word)) } else { None },
            )
            .collect();
        let whole: Vec<&[u8]> = scripts.iter().map(|(text, _)| text.as_ref()).collect();
        if let Some((_, word)) = scripts.first().filter(|_| !sandbox) {
            self.sed_script(&whole.join(&b'\n'), word);
        }
    }

    fn sed_script(&mut self, text: &[u8], word: &Word) {
        let mut found = Vec::new();
        let readable = Program { rest: text, found: &mut found }.read().is_some();
        if !readable {
            return self.refuse(word, "this sed program is not understood");
        }
        for effect in found {
            match effect {
                Found::Runs => self.refuse(word, "the sed command `e` runs a shell"),
                Found::Writes(file) => self.write(&file, word),
            }
        }
    }
}

/// What a sed program does beside editing.
#[derive(Debug, PartialEq)]
enum Found {
    Runs,
    Writes(Vec<u8>),
}

/// A sed program being read. `None` from any step means that it is not understood.
struct Program<'t, 'f> {
    rest: &'t [u8],
    found: &'f mut Vec<Found>,
}

impl Program<'_, '_> {
    fn read(&mut self) -> Option<()> {
        loop {
            self.skip(|byte| byte.is_ascii_whitespace() || byte == b';');
            if self.rest.is_empty() {
                return Some(());
            }
            self.addresses()?;
            self.command()?;
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        while self.rest.first().is_some_and(|byte| skipped(*byte)) {
            self.next();
        }
    }

    fn blanks(&mut self) {
        self.skip(|byte| byte == b' ' || byte == b'\t');
    }

    fn addresses(&mut self) -> Option<()> {
        self.address()?;
        self.blanks();
        while self.rest.first() == Some(&b',') {
            self.next();
            self.blanks();
            self.address()?;
            self.blanks();
        }
        self.skip(|byte| matches!(byte, b'!' | b' ' | b'\t'));
        Some(())
    }

    fn address(&mut self) -> Option<()> {
        match self.rest.first() {
            Some(b'/') => {
                self.next();
                self.delimited(b'/')?;
                self.skip(|byte| matches!(byte, b'I' | b'M'));
            }
            Some(b'\\') => {
                self.next();
                let delimiter = self.next()?;
                self.delimited(delimiter)?;
                self.skip(|byte| matches!(byte, b'I' | b'M'));
            }
            _ => self.skip(|byte| byte.is_ascii_digit() || matches!(byte, b'$' | b'~' | b'+')),
        }
        Some(())
    }

    /// Reads up to the delimiter. sed implementations disagree on a delimiter inside brackets, so that is not understood.
    fn delimited(&mut self, delimiter: u8) -> Option<()> {
        let mut bracket = false;
        loop {
            match self.next()? {
                b'\\' => {
                    self.next()?;
                }
                byte if byte == delimiter => return if bracket { None } else { Some(()) },
                b'[' if !bracket => bracket = !self.closes_nothing(),
                b'[' if matches!(self.rest.first(), Some(b':' | b'.' | b'=')) => self.class()?,
                b']' => bracket = false,
                _ => {}
            }
        }
    }

    /// `[:alpha:]`, from behind its bracket.
    fn class(&mut self) -> Option<()> {
        self.next();
        self.skip(|byte| byte.is_ascii_alphabetic());
        (self.next()? == b':' && self.next()? == b']').then_some(())
    }

    /// `[` without a later `]` is an ordinary byte (in a replacement).
    fn closes_nothing(&mut self) -> bool {
        if self.rest.first() == Some(&b'^') {
            self.next();
        }
        if self.rest.first() == Some(&b']') {
            self.next();
        }
        !self.rest.contains(&b']')
    }

    fn command(&mut self) -> Option<()> {
        match self.next()? {
            b'{' | b'}' | b'=' | b'd' | b'D' | b'g' | b'G' | b'h' | b'H' | b'n' | b'N' | b'p' | b'P'
            | b'x' | b'z' | b'F' => {}
            b'a' | b'i' | b'c' => self.text(),
            b':' | b'b' | b't' | b'T' | b'v' => self.label()?,
            b'#' | b'r' | b'R' => self.skip(|byte| byte != b'\n'),
            b'w' | b'W' => self.file(),
            b'l' | b'L' | b'q' | b'Q' => self.skip(|byte| byte.is_ascii_digit() || byte == b' '),
            b'e' => {
                self.found.push(Found::Runs);
                self.skip(|byte| byte != b'\n');
            }
            b's' => {
                let delimiter = self.next()?;
                self.delimited(delimiter)?;
                self.replacement(delimiter)?;
                self.flags();
            }
            b'y' => {
                let delimiter = self.next()?;
                self.replacement(delimiter)?;
                self.replacement(delimiter)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// A label or version. Some implementations end it at a blank and read on, others do not.
    fn label(&mut self) -> Option<()> {
        self.blanks();
        self.skip(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        self.blanks();
        matches!(self.rest.first(), None | Some(b'\n' | b';' | b'}' | b'#')).then_some(())
    }

    /// Brackets mean nothing here.
    fn replacement(&mut self, delimiter: u8) -> Option<()> {
        loop {
            match self.next()? {
                b'\\' => {
                    self.next()?;
                }
                byte if byte == delimiter => return Some(()),
                _ => {}
            }
        }
    }

    fn flags(&mut self) {
        while let Some(flag) = self.rest.first() {
            match flag {
                b'g' | b'p' | b'i' | b'I' | b'm' | b'M' | b'0'..=b'9' => {}
                b'e' => self.found.push(Found::Runs),
                b'w' => {
                    self.next();
                    return self.file();
                }
                _ => return,
            }
            self.next();
        }
    }

    fn file(&mut self) {
        self.blanks();
        let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.found.push(Found::Writes(name.to_vec()));
    }

    /// Text of `a`, `i`, `c`: to the end of the line, a backslash continues it.
    fn text(&mut self) {
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => {
                    self.next();
                }
                b'\n' => return,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Program};

    fn read(text: &str) -> Option<Vec<Found>> {
        let mut found = Vec::new();
        let read = Program { rest: text.as_bytes(), found: &mut found }.read();
        read.map(|()| found)
    }

    #[test]
    fn ordinary_programs_do_nothing_beside_editing() {
        for text in [
            "s/a/b/g",
            "1,5p",
            "$d",
            "/x/I,/y/d",
            r"s|/usr|/opt|;s/e/w/",
            "s/[^e]*/e/2p",
            "y/ew/xy/",
            "10q",
            "1i\\\ne rm",
            "/^#/d; s/\\//x/",
        ] {
            assert_eq!(read(text), Some(vec![]), "{text}");
        }
    }

    #[test]
    fn running_and_writing_are_found_wherever_they_stand() {
        for text in ["e", "1e id", "s/a/id/e", "s/a/b/ge", "$!{e\n}", "p;e id", "\\,x,e", "1~2e"] {
            assert_eq!(read(text), Some(vec![Found::Runs]), "{text}");
        }
        for text in ["w /x", "s/a/b/w /x", "/a/,/b/w /x", "p\nw /x"] {
            assert_eq!(read(text), Some(vec![Found::Writes(b"/x".to_vec())]), "{text}");
        }
    }
}
