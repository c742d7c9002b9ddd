//! git: configuration on the command line, transports, and subcommands that run commands.

use std::ops::ControlFlow;

use claw_shell::Word;

use super::super::options::{self, Item, Syntax, Text};
use super::table_git::{self, Subcommand};
use super::{Case, display};

/// Sections whose two-level keys only change how git shows or stores things.
const HARMLESS_SECTIONS: [&str; 40] = [
    "user",
    "author",
    "committer",
    "color",
    "advice",
    "log",
    "status",
    "column",
    "push",
    "pull",
    "fetch",
    "rebase",
    "commit",
    "tag",
    "grep",
    "gc",
    "pack",
    "index",
    "branch",
    "transfer",
    "feature",
    "stash",
    "rerere",
    "http",
    "format",
    "i18n",
    "blame",
    "versionsort",
    "apply",
    "am",
    "checkout",
    "clean",
    "help",
    "init",
    "merge",
    "diff",
    "receive",
    "safe",
    "repack",
    "submodule",
];

/// Exceptions among them: these name programs, or files with programs in them.
const NOT_HARMLESS: [&str; 12] = [
    "diff.external",
    "diff.tool",
    "diff.guitool",
    "merge.tool",
    "merge.guitool",
    "init.templatedir",
    "help.browser",
    "http.sslengine",
    "commit.template",
    "gc.recentobjectshook",
    "help.format",
    "receive.procreceiverefs",
];

/// Keys of `core` that only change how git shows or stores things.
const HARMLESS_CORE: [&str; 28] = [
    "quotepath",
    "autocrlf",
    "eol",
    "filemode",
    "ignorecase",
    "bare",
    "abbrev",
    "safecrlf",
    "symlinks",
    "precomposeunicode",
    "preloadindex",
    "commentchar",
    "whitespace",
    "logallrefupdates",
    "untrackedcache",
    "longpaths",
    "compression",
    "bigfilethreshold",
    "checkstat",
    "trustctime",
    "deltabasecachelimit",
    "packedgitlimit",
    "packedgitwindowsize",
    "loosecompression",
    "sharedrepository",
    "excludesfile",
    "multipackindex",
    "commitgraph",
];

/// Last parts of keys whose value is a command line.
const COMMAND_KEYS: [&str; 20] = [
    "pager",
    "editor",
    "askpass",
    "sshcommand",
    "external",
    "command",
    "textconv",
    "cmd",
    "driver",
    "clean",
    "smudge",
    "process",
    "program",
    "helper",
    "difffilter",
    "gitproxy",
    "uploadpack",
    "receivepack",
    "fsmonitor",
    "packobjectshook",
];

/// The subcommand among a command's arguments, when the text tells it.
pub(super) fn subcommand(words: &[Word]) -> Option<Vec<u8>> {
    subcommand_at(&table_git::GIT, words).and_then(|at| Some(words.get(at)?.as_literal()?.into_owned()))
}

/// The options of a subcommand.
pub(super) fn syntax(name: &[u8]) -> Option<&'static Syntax> {
    table_git::GIT_SUBCOMMANDS
        .iter()
        .find(|it| it.names.iter().any(|known| known.as_bytes() == name))
        .map(|it| &it.syntax)
}

/// Where the subcommand stands among a command's arguments.
pub(super) fn subcommand_at(globals: &Syntax, words: &[Word]) -> Option<usize> {
    let mut at = None;
    options::scan(globals, words, &mut |item| match item {
        Item::Operand { index, .. } => {
            at = Some(index);
            ControlFlow::Break(())
        }
        Item::Uncertain { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    at
}

impl<'c> Case<'c, '_, '_> {
    pub(super) fn git(&mut self, globals: &'static Syntax) {
        let all = self.words;
        let at = subcommand_at(globals, all);
        let (before, after) = all.split_at(at.unwrap_or(all.len()));
        let Some((name, arguments)) = after.split_first() else {
            self.options(globals, before);
            return;
        };
        let parsed = self.known_options(globals, before);
        let Some(text) = name.as_literal() else {
            let message = "the subcommand of `git` is only known when the line runs";
            return self.judge.unknown(self.scope, name.span, message);
        };
        let places = self.git_places(&parsed);
        let mut aliased = false;
        for (option, value, word) in &parsed.options {
            if option.names.contains(&"-c")
                && let Text::Known(setting) = value
            {
                aliased |= self.git_alias(setting, &text, arguments, word);
            }
        }
        let known =
            table_git::GIT_SUBCOMMANDS.iter().find(|it| it.names.iter().any(|it| it.as_bytes() == &*text));
        match known {
            Some(subcommand) => self.git_subcommand(subcommand, name, arguments, &places),
            None if aliased || self.judge.is_form_listed(b"git", &text) => {}
            None => {
                let shown = display(&text);
                self.refuse(
                    name,
                    &format!("`{shown}` is not a known subcommand; it may be an alias or `git-{shown}` (an entry `git {shown}` would allow it)"),
                );
            }
        }
    }

    /// Follows `-C`, and gives the other directories that git is told to work on.
    fn git_places<'w>(&mut self, parsed: &super::Parsed<'w>) -> Places<'w> {
        let mut places = Places { moved: false, named: Vec::new() };
        for (option, value, word) in &parsed.options {
            let first = option.names.first().copied().unwrap_or_default();
            match (first, value) {
                ("-C", Text::Known(directory)) => {
                    places.moved = true;
                    self.enter(directory);
                }
                ("-C", _) => self.within = None,
                ("--git-dir" | "--work-tree", Text::Known(directory)) => {
                    places.named.push((directory.to_vec(), *word));
                }
                _ => {}
            }
        }
        places
    }

    /// Judges the directories that a subcommand was told to work on, as ones that it writes.
    fn git_writes(&mut self, name: &Word, places: &Places<'_>) {
        if places.moved {
            self.write_in(b".", name);
        }
        for (directory, word) in &places.named {
            self.write_in(directory, word);
        }
    }

    fn git_subcommand(
        &mut self,
        known: &'static Subcommand,
        name: &Word,
        arguments: &'c [Word],
        places: &Places<'_>,
    ) {
        if let Some(why) = known.refused {
            let text = name.as_literal().unwrap_or_default();
            if !self.judge.is_form_listed(b"git", &text) {
                self.refuse(name, why);
            }
            return;
        }
        let parsed = self.options(&known.syntax, arguments);
        let operands = parsed.operands.as_slice();
        let first = operands.first().and_then(|word| word.as_literal()).unwrap_or_default();
        let subcommand = name.as_literal().unwrap_or_default();
        let is_making = matches!(&*subcommand, b"init" | b"init-db" | b"clone");
        if is_making {
            self.git_writes(name, &Places { moved: false, ..places.clone() });
        } else if !only_reads(&subcommand, &parsed) {
            self.git_writes(name, places);
        }
        match (known.names.first().copied().unwrap_or_default(), &*first) {
            ("bisect", b"run") | ("submodule", b"foreach") => self.git_runs(operands, *first == *b"foreach"),
            ("bisect", b"visualize" | b"view") => self.refuse(name, "`bisect view` starts a viewer"),
            ("fetch", _) if is_interactive(&parsed) => {
                self.refuse(name, "`--rebase=interactive` opens an editor")
            }
            ("pack-objects", _) if !parsed.has("--stdout") => self.git_written(operands.get(..1)),
            ("merge-file", _) if !parsed.has("-p") && !parsed.has("--object-id") => {
                self.git_written(operands.get(..1));
            }
            ("interpret-trailers", _) if parsed.has("--in-place") => self.git_written(Some(operands)),
            ("index-pack" | "mailinfo", _) => self.git_written(Some(operands)),
            ("bundle", b"create") => {
                if let Some(file) = operands.get(1) {
                    self.operand(crate::FileAction::Write, file, false);
                }
            }
            ("config", _) => self.git_config_command(&parsed),
            ("maintenance", b"start") => {
                self.refuse(name, "`maintenance start` makes the system run commands later")
            }
            ("init", _) if operands.is_empty() && !places.named.is_empty() => {}
            ("init", _) => self.git_made(operands.first()),
            ("worktree", b"add") => self.git_made(operands.get(1)),
            ("worktree", b"move") => self.git_made(operands.get(2)),
            ("clone", _) => {
                self.git_transport(operands);
                if operands.len() < 2 {
                    self.git_made(None);
                }
                for place in operands.iter().skip(1) {
                    self.git_made(Some(place));
                }
            }
            ("archive", _) => {
                for (option, value, word) in &parsed.options {
                    if let ("--remote", Text::Known(address)) =
                        (option.names.first().copied().unwrap_or_default(), value)
                    {
                        self.git_transport(&[&Word::literal(address.to_vec(), word.span)]);
                    }
                }
            }
            ("subtree" | "fetch" | "ls-remote" | "push" | "remote" | "submodule", _) => {
                self.git_transport(operands)
            }
            _ => {}
        }
    }

    /// A repository or tree is made there, or in the current directory.
    fn git_made(&mut self, place: Option<&&Word>) {
        match place {
            Some(place) => self.written_in(place),
            None => self.write_in(b".", &Word::literal(&b"."[..], self.command.span)),
        }
    }

    fn git_written(&mut self, words: Option<&[&Word]>) {
        for word in words.unwrap_or_default() {
            self.operand(crate::FileAction::Write, word, false);
        }
    }

    /// `git bisect run CMD...`, `git submodule foreach 'CMD'`.
    fn git_runs(&mut self, operands: &[&Word], shell: bool) {
        let Some(word) = operands.get(1) else { return };
        let mut text = Vec::new();
        for word in operands.iter().skip(1) {
            match word.as_literal() {
                Some(literal) => text.push(literal.into_owned()),
                None => {
                    let message = "the command that git runs is only known when the line runs";
                    return self.judge.unknown(self.scope, word.span, message);
                }
            }
        }
        if shell && text.len() == 1 {
            self.carried(&text.concat(), word.span);
        } else {
            self.carried_argv(&text, word.span);
        }
    }

    /// `ext::sh -c ...` and other transports that are programs.
    fn git_transport(&mut self, operands: &[&Word]) {
        for word in operands {
            let text = word.literal_prefix();
            let scheme =
                text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
            if scheme > 0 && text.get(scheme..).is_some_and(|rest| rest.starts_with(b"::")) {
                self.refuse(word, "this address is a transport that runs a program");
            }
        }
    }

    /// `git config KEY VALUE` sets for later what `-c` sets for one command.
    fn git_config_command(&mut self, parsed: &super::Parsed<'_>) {
        let reads = ["--get", "--list", "--unset", "--get-regexp", "--remove-section"];
        if reads.iter().any(|name| parsed.has(name)) {
            return;
        }
        let mut operands = parsed.operands.as_slice();
        let first = operands.first().and_then(|word| word.as_literal());
        match first.as_deref() {
            Some(b"get" | b"list" | b"unset" | b"remove-section" | b"rename-section") => return,
            Some(b"edit") => {
                if let Some(word) = operands.first() {
                    self.refuse(word, "this opens an editor");
                }
                return;
            }
            Some(b"set") => operands = operands.get(1..).unwrap_or_default(),
            _ => {}
        }
        let [key, value, ..] = operands else { return };
        match (key.as_literal(), value.as_literal()) {
            (Some(key), Some(text)) if is_alias(&key).is_some() => self.git_alias_value(&text, &[], value),
            (Some(key), Some(text)) => self.git_config(&[&*key, b"=", &*text].concat(), value),
            (Some(key), None) if is_harmless(&String::from_utf8_lossy(&key).to_lowercase()) => {}
            _ => self.judge.unknown(
                self.scope,
                value.span,
                "this git setting is only known when the line runs",
            ),
        }
    }

    /// Judges `KEY=VALUE` of `git -c`.
    pub(super) fn git_config(&mut self, setting: &[u8], word: &Word) {
        let equals = setting.iter().position(|byte| *byte == b'=').unwrap_or(setting.len());
        let (key, value) = setting.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        let key = String::from_utf8_lossy(key).to_lowercase();
        if is_harmless(&key) || key.starts_with("alias.") || is_off(&key, value) {
            return;
        }
        let last = key.rsplit('.').next().unwrap_or(&key);
        if !COMMAND_KEYS.contains(&last) || key == "core.hookspath" {
            return self.refuse(
                word,
                &format!("the setting `{}` is not known to be harmless", display(key.as_bytes())),
            );
        }
        match (last, value) {
            ("helper", [b'!', command @ ..]) => self.carried(command, word.span),
            ("helper", _) => self.refuse(word, "a credential helper is a program"),
            (_, command) => self.carried(command, word.span),
        }
    }

    /// `-c alias.NAME=...` runs when NAME is the subcommand.
    /// Gives whether it does.
    fn git_alias(&mut self, setting: &[u8], subcommand: &[u8], arguments: &[Word], word: &Word) -> bool {
        let Some(equals) = setting.iter().position(|byte| *byte == b'=') else { return false };
        let (key, value) = setting.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        let is_it = is_alias(key).is_some_and(|name| name.eq_ignore_ascii_case(subcommand));
        if is_it {
            self.git_alias_value(value, arguments, word);
        }
        is_it
    }

    fn git_alias_value(&mut self, value: &[u8], arguments: &[Word], word: &Word) {
        if let Some(command) = value.strip_prefix(b"!") {
            return self.carried(command, word.span);
        }
        let mut argv = vec![b"git".to_vec()];
        if let Some(within) = self.within.as_ref().filter(|within| !within.as_os_str().is_empty()) {
            argv.extend([b"-C".to_vec(), within.as_os_str().as_encoded_bytes().to_vec()]);
        }
        argv.extend(value.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).map(<[u8]>::to_vec));
        for argument in arguments {
            match argument.as_literal() {
                Some(text) => argv.push(text.into_owned()),
                None => {
                    return self.judge.unknown(
                        self.scope,
                        argument.span,
                        "an alias gets arguments that are not known",
                    );
                }
            }
        }
        self.carried_argv(&argv, word.span);
    }
}

/// Where git is told to work.
#[derive(Clone, Debug)]
struct Places<'w> {
    /// Whether `-C` is given.
    moved: bool,
    /// Values of `--git-dir` and `--work-tree`.
    named: Vec<(Vec<u8>, &'w Word)>,
}

/// Whether the subcommand leaves the repository and its tree as they are.
fn only_reads(subcommand: &[u8], parsed: &super::Parsed<'_>) -> bool {
    let Ok(name) = std::str::from_utf8(subcommand) else { return false };
    let operands = parsed.operands.as_slice();
    let first = operands.first().map(|word| word.as_literal());
    let shows = |forms: &[&str]| match &first {
        None => forms.contains(&""),
        Some(first) => forms.iter().any(|form| first.as_ref().is_some_and(|it| **it == *form.as_bytes())),
    };
    let has = |names: &[&str]| names.iter().any(|name| parsed.has(name));
    match name {
        _ if table_git::READ_ONLY.contains(&name) => true,
        "branch" | "tag" if has(&["--list", "--contains"]) => true,
        "config" if has(&["--get", "--get-regexp", "--list"]) => true,
        "config" if operands.len() == 1 => !has(&["--unset", "--remove-section"]),
        "symbolic-ref" => operands.len() == 1,
        "hash-object" => !parsed.has("-w"),
        "format-patch" => has(&["--stdout", "-o"]),
        "interpret-trailers" => true,
        "clean" => parsed.has("-n"),
        _ => table_git::SHOWING.iter().any(|(known, forms)| *known == name && shows(forms)),
    }
}

/// `git pull --rebase=interactive`.
fn is_interactive(parsed: &super::Parsed<'_>) -> bool {
    parsed.options.iter().any(|(option, value, _)| {
        option.names.contains(&"--rebase")
            && matches!(value, Text::Known(text) if matches!(&**text, b"i" | b"interactive"))
    })
}

/// The name that `alias.NAME` defines.
fn is_alias(key: &[u8]) -> Option<&[u8]> {
    let (section, name) = key.split_at_checked(b"alias.".len())?;
    section.eq_ignore_ascii_case(b"alias.").then_some(name)
}

fn is_harmless(key: &str) -> bool {
    let mut parts = key.splitn(2, '.');
    let (Some(section), Some(rest)) = (parts.next(), parts.next()) else { return false };
    match section {
        // Three levels name an object, and what may be set for it is open-ended.
        _ if rest.contains('.') => matches!(section, "color" | "branch") || key.ends_with(".renames"),
        "core" => HARMLESS_CORE.contains(&rest),
        "credential" => matches!(rest, "username" | "usehttppath"),
        _ => HARMLESS_SECTIONS.contains(&section) && !NOT_HARMLESS.contains(&key),
    }
}

/// Values that switch a hook, a pager or a monitor off.
fn is_off(key: &str, value: &[u8]) -> bool {
    match key {
        "core.hookspath" => value == b"/dev/null",
        "core.fsmonitor" => matches!(value, b"false" | b"0" | b"no" | b"off" | b""),
        "credential.helper" => value.is_empty(),
        _ if key == "core.pager" || key.starts_with("pager.") => {
            matches!(value, b"cat" | b"" | b"false" | b"true")
        }
        "core.editor" | "sequence.editor" => matches!(value, b"true" | b":" | b"false" | b"cat"),
        "diff.external" => value.is_empty(),
        _ => false,
    }
}
