//! Operands: the files that programs write, make, change and remove, and commands among operands.

use claw_shell::Word;

use super::{Case, Operands, Parsed};
use crate::decide::exec::words::base_name;
use crate::{FileAction, FileKind};

impl Case<'_, '_, '_> {
    pub(super) fn operands(&mut self, operands: Operands, parsed: &Parsed<'_>) {
        let all = &parsed.operands;
        match operands {
            Operands::Written => self.each(FileAction::Write, all, false),
            Operands::Made => self.made(all),
            Operands::Deleted => self.each(FileAction::Delete, all, false),
            Operands::DeletedTree => {
                let recursive = parsed.has("-r");
                self.each(FileAction::Delete, all, recursive);
            }
            Operands::Changed => self.changed(parsed),
            Operands::CopiedTo => self.copied(parsed),
            Operands::MovedTo => self.moved(parsed),
            Operands::SecondWritten => self.each(FileAction::Write, all.get(1..2).unwrap_or_default(), false),
            Operands::FirstWritten => self.each(FileAction::Write, all.get(..1).unwrap_or_default(), false),
            Operands::Dd => self.dd(all),
            Operands::Sed => self.sed(parsed),
            Operands::Awk => self.awk(parsed),
            Operands::Make => self.make(all),
            Operands::Subcommand => self.subcommand(all),
            Operands::Cargo => self.cargo(all),
            Operands::Response => self.response(all),
            Operands::Plus => self.plus(),
            Operands::Escape => self.escape(),
            Operands::Data | Operands::Tar | Operands::Find | Operands::Git | Operands::Wrapper => {}
        }
    }

    fn each(&mut self, action: FileAction, words: &[&Word], recursive: bool) {
        for word in words {
            self.operand(action, word, recursive);
        }
    }

    /// A directory that is there already stays as it is.
    pub(super) fn made(&mut self, words: &[&Word]) {
        for word in words {
            for directory in self.directories() {
                let Some(path) = super::words::path(word, directory.as_deref(), self.judge.world) else {
                    continue;
                };
                if !self.is_directory(&path) {
                    self.judge.file(self.scope, word.span, FileAction::Mkdir, &path, false);
                }
            }
        }
    }

    /// A directory, there already or not, in which files are made.
    pub(super) fn written_in(&mut self, word: &Word) {
        for directory in self.directories() {
            if let Some(path) = super::words::path(word, directory.as_deref(), self.judge.world) {
                self.write_beneath(&path, word.span);
            }
        }
    }

    fn changed(&mut self, parsed: &Parsed<'_>) {
        let skip = usize::from(!parsed.has("--reference"));
        self.each(FileAction::Chmod, parsed.operands.get(skip..).unwrap_or_default(), parsed.has("-R"));
    }

    fn copied(&mut self, parsed: &Parsed<'_>) {
        if parsed.has("-t") {
            return;
        }
        if let Some((target, sources)) = parsed.operands.split_last()
            && !sources.is_empty()
        {
            self.into(target, sources);
        }
    }

    fn moved(&mut self, parsed: &Parsed<'_>) {
        let sources = if parsed.has("-t") {
            parsed.operands.as_slice()
        } else {
            self.copied(parsed);
            parsed.operands.split_last().map(|(_, sources)| sources).unwrap_or_default()
        };
        self.each(FileAction::Delete, sources, true);
    }

    /// Judges the files that arrive at `target`: beneath it when it is a directory.
    fn into(&mut self, target: &Word, sources: &[&Word]) {
        if is_remote(target) {
            return;
        }
        for directory in self.directories() {
            let Some(path) = super::words::path(target, directory.as_deref(), self.judge.world) else {
                continue;
            };
            if !self.is_directory(&path) {
                self.judge.file(self.scope, target.span, FileAction::Write, &path, false);
                continue;
            }
            for source in sources {
                let name = source.as_literal().unwrap_or_default();
                let name = name.strip_suffix(b"/").unwrap_or(&name);
                let name = base_name(name);
                // A name that is not known is a new one.
                if matches!(name, b"" | b"." | b"..") {
                    self.write_beneath(&path, target.span);
                    continue;
                }
                let path = path.join(super::words::bytes_path(name));
                if !self.is_directory(&path) {
                    self.judge.file(self.scope, target.span, FileAction::Write, &path, false);
                }
            }
        }
    }

    fn is_directory(&self, path: &std::path::Path) -> bool {
        matches!(self.judge.world.path(path, true), Some(Ok(path)) if path.kind == FileKind::Directory)
    }

    fn dd(&mut self, operands: &[&Word]) {
        for word in operands {
            let prefix = word.literal_prefix();
            if let Some(text) = word.as_literal() {
                if let Some(file) = text.strip_prefix(b"of=") {
                    self.write(file, word);
                }
            } else if prefix.is_empty() {
                let message = "an operand of `dd` is only known when the line runs";
                self.judge.unknown(self.scope, word.span, message);
            }
        }
    }

    pub(super) fn tar(&mut self, syntax: &super::Syntax) {
        // The old style: `tar xvf a.tar` joins the options in the first word, without a dash.
        let mut rewritten = self.words.to_vec();
        if let Some(text) = self.words.first().and_then(Word::as_literal)
            && !text.starts_with(b"-")
            && !text.is_empty()
        {
            old_style(&text, &mut rewritten);
        }
        let parsed = super::parse(syntax, &rewritten);
        for (option, value, word) in &parsed.options {
            self.option(option, value, word);
        }
        self.certain(syntax, &parsed, &rewritten);
        self.archive(&parsed);
    }

    fn archive(&mut self, parsed: &Parsed<'_>) {
        use super::Text;
        let value = |name: &str| {
            parsed
                .options
                .iter()
                .find(|(option, ..)| option.names.contains(&name))
                .map(|(_, value, word)| (value, *word))
        };
        let writes = ["-c", "-r", "-u", "-A", "--delete"].iter().any(|mode| parsed.has(mode));
        if let Some((Text::Known(file), word)) = value("-f") {
            // `host:file` is fetched through a remote shell.
            let host = file.iter().position(|byte| *byte == b':');
            let slash = file.iter().position(|byte| *byte == b'/');
            if host.is_some_and(|host| slash.is_none_or(|slash| host < slash)) && !parsed.has("--force-local")
            {
                self.refuse(word, "an archive on another host is read through a remote shell");
            } else if writes {
                self.write(file, word);
            }
        }
        if parsed.has("-x") {
            self.extracted(parsed);
        }
    }

    fn extracted(&mut self, parsed: &Parsed<'_>) {
        use super::Text;
        let named = |name: &'static str| {
            parsed.options.iter().filter(move |(option, ..)| option.names.contains(&name))
        };
        if let Some((.., word)) = named("-P").next() {
            self.refuse_write(word, "`-P` extracts to wherever the archive says");
        }
        let mut span = self.command.span;
        for (_, directory, word) in named("-C") {
            span = word.span;
            match directory {
                Text::Known(text) => self.enter(text),
                _ => self.within = None,
            }
        }
        match named("--one-top-level").next_back() {
            Some((_, Text::Known(directory), word)) => self.write_in(directory, word),
            _ => self.write_in(b".", &Word::literal(&b"."[..], span)),
        }
    }

    pub(super) fn find(&mut self, syntax: &super::Syntax) {
        let words = without_exec(self.words);
        let parsed = super::parse(syntax, &words);
        for (option, value, word) in &parsed.options {
            self.option(option, value, word);
        }
        // `-exec` and its kind take what follows, so nothing is added to the options by `{}`.
        let clean = Parsed {
            options: Vec::new(),
            operands: Vec::new(),
            uncertain: parsed.uncertain,
            unknown: parsed.unknown,
        };
        self.certain(syntax, &clean, &words);
        if parsed.has("-delete") {
            let here = Word::literal(&b"."[..], self.command.span);
            let starts: Vec<&Word> = words.iter().take_while(|word| !begins_expression(word)).collect();
            let starts = if starts.is_empty() { vec![&here] } else { starts };
            for start in starts {
                if let Some(text) = start.as_literal() {
                    let mut beneath = text.into_owned();
                    beneath.extend_from_slice(b"/found");
                    self.text_file(FileAction::Delete, &beneath, start);
                }
            }
        }
    }

    /// `make NAME=VALUE`: make expands what the value says.
    fn make(&mut self, operands: &[&Word]) {
        for word in operands {
            let Some(text) = word.as_literal() else { continue };
            let Some(equals) = text.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = text.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            let name = name.strip_suffix(b":").or_else(|| name.strip_suffix(b"+")).unwrap_or(name);
            let expands = value.windows(2).any(|pair| matches!(pair, b"$(" | b"${"));
            if name.ends_with(b"!") || name == b".SHELLFLAGS" || name == b"MAKEFLAGS" || expands {
                self.refuse(word, "make runs what this assignment says");
            } else if matches!(
                name,
                b"SHELL" | b"CC" | b"CXX" | b"LD" | b"AR" | b"AS" | b"MAKE" | b"RM" | b"INSTALL"
            ) {
                self.carried(value, word.span);
            }
        }
    }

    fn response(&mut self, operands: &[&Word]) {
        for word in operands {
            if word.literal_prefix().starts_with(b"@") {
                self.refuse(word, "this reads more options from a file");
            }
        }
    }

    /// `cargo rustc -- ARGS` gives the arguments to the compiler.
    fn cargo(&mut self, operands: &[&Word]) {
        let Some(first) = operands.iter().find(|word| !word.literal_prefix().starts_with(b"+")) else {
            return;
        };
        let is_compiler = first.as_literal().is_some_and(|text| matches!(&*text, b"rustc" | b"rustdoc"));
        let end = self.words.iter().position(|word| word.as_literal().is_some_and(|text| *text == *b"--"));
        if is_compiler && let (Some(end), Some(rustc)) = (end, super::family(b"rustc")) {
            self.options(&rustc.syntax, self.words.get(end + 1..).unwrap_or_default());
        }
    }

    fn subcommand(&mut self, operands: &[&Word]) {
        let is =
            |word: &Word, text: &str| word.as_literal().is_some_and(|literal| *literal == *text.as_bytes());
        let Some((_, forms)) =
            super::special::RUNNING_SUBCOMMANDS.iter().find(|(name, _)| name.as_bytes() == self.name)
        else {
            return;
        };
        for form in *forms {
            let (Some(first), Some(word)) = (form.first(), operands.first()) else { continue };
            // The later words may be options (`go env -w`).
            let matches = is(word, first)
                && form.iter().skip(1).all(|wanted| self.words.iter().any(|word| is(word, wanted)));
            if matches && !self.judge.is_form_listed(self.name, first.as_bytes()) {
                self.refuse(word, &format!("`{}` runs a command or code", form.join(" ")));
            }
        }
    }

    /// `vim +cmd`, `less +cmd`: only line numbers, the end and patterns are fine.
    fn plus(&mut self) {
        for word in self.words {
            let prefix = word.literal_prefix();
            let Some(command) = prefix.strip_prefix(b"+") else { continue };
            let harmless = word.as_literal().is_some()
                && (command.iter().all(u8::is_ascii_digit)
                    || matches!(command, [b'G' | b'F' | b'g'] | [b'/', ..]));
            if !harmless {
                self.refuse(word, "this is a command of its own, which may run others");
            }
        }
    }

    /// Tools whose own language has a shell escape.
    fn escape(&mut self) {
        if self.command.stdin_fed {
            let word = Word { span: self.command.span, pieces: claw_shell::Pieces::new() };
            self.refuse(&word, "its input is read as commands, which may run others");
            return;
        }
        for word in self.words {
            let Some(text) = word.as_literal() else { continue };
            let escapes: [&[u8]; 9] =
                [b"\\!", b"!", b".shell", b".system", b".import", b"\\o", b"\\g |", b"|", b"system"];
            if text
                .split(|byte| matches!(byte, b'\n' | b';' | b' '))
                .any(|part| escapes.iter().any(|it| part.starts_with(it)))
            {
                self.refuse(word, "the text may run a program");
            }
        }
    }
}

/// Spreads `xvf a.tar` to `-x -v -f a.tar`: values follow in the order of their letters.
fn old_style(letters: &[u8], words: &mut Vec<Word>) {
    let span = words.first().map(|word| word.span).unwrap_or_default();
    let mut rest = words.split_off(1).into_iter();
    words.clear();
    for letter in letters {
        words.push(Word::literal([b'-', *letter], span));
        if b"bfgCFHILKNTVX".contains(letter) {
            words.extend(rest.next());
        }
    }
    words.extend(rest);
}

/// The words of `find` without the commands that it runs, which are judged on their own.
fn without_exec(words: &[Word]) -> Vec<Word> {
    let mut kept = Vec::new();
    let mut inside = false;
    for word in words {
        let text = word.as_literal().unwrap_or_default();
        if inside {
            inside = !matches!(&*text, b";" | b"+");
        } else if matches!(&*text, b"-exec" | b"-execdir" | b"-ok" | b"-okdir") {
            inside = true;
        } else {
            kept.push(word.clone());
        }
    }
    kept
}

fn begins_expression(word: &Word) -> bool {
    let prefix = word.literal_prefix();
    prefix.starts_with(b"-") || matches!(&*prefix, b"(" | b"!" | b")" | b",")
}

/// `host:path`, as rsync and scp read it.
fn is_remote(word: &Word) -> bool {
    let text = word.literal_prefix();
    let colon = text.iter().position(|byte| *byte == b':');
    let slash = text.iter().position(|byte| *byte == b'/');
    colon.is_some_and(|colon| slash.is_none_or(|slash| colon < slash))
}
