//! Operands that name files: hidden ones are refused whatever the program would do with them.

use std::path::{Path, PathBuf};

use claw_shell::{Command, Word};

use super::{Judge, Scope, words};
use crate::decide::file::{self, Asked};
use crate::{Code, FileAction, Origin, Reason};

/// Programs whose first operand is a pattern or a program, not a file.
const PATTERN_FIRST: [&[u8]; 14] = [
    b"grep", b"egrep", b"fgrep", b"zgrep", b"rg", b"ag", b"ack", b"sed", b"awk", b"gawk", b"mawk", b"jq",
    b"yq", b"fd",
];

impl Judge<'_> {
    /// Refuses a command with an argument that names something hidden.
    pub(super) fn hidden_operands(&mut self, scope: &Scope<'_>, command: &Command, name: &[u8]) {
        if matches!(name, b"echo" | b"printf") {
            return;
        }
        let mut pattern = PATTERN_FIRST.contains(&name);
        let mut previous: Option<&Word> = None;
        for word in command.words.iter().skip(1) {
            let text = word.literal_prefix();
            let is_option = text.starts_with(b"-");
            if name == b"find" && (is_option || *text == *b"(" || *text == *b"!") {
                return;
            }
            let message =
                previous.is_some_and(|word| matches!(&*word.literal_prefix(), b"-m" | b"--message"));
            let skipped = (pattern && !is_option) || message;
            pattern &= is_option;
            previous = Some(word);
            if !skipped {
                self.hidden_operand(scope, command, word);
            }
        }
    }

    fn hidden_operand(&mut self, scope: &Scope<'_>, command: &Command, word: &Word) {
        let Some(text) = word.as_literal() else {
            return self.hidden_paths(scope, command, word);
        };
        self.hidden_paths(scope, command, word);
        for path in inner_paths(&text) {
            self.hidden_paths(scope, command, &Word::literal(path, word.span));
        }
    }

    fn hidden_paths(&mut self, scope: &Scope<'_>, command: &Command, word: &Word) {
        if command.cwd == claw_shell::CwdId(0) && !self.may_name_hidden(word) {
            return;
        }
        let directories = scope.directories.at(command.cwd).unwrap_or_default();
        let mut paths: Vec<PathBuf> =
            directories.iter().filter_map(|dir| words::known_path(word, Some(dir), self.world)).collect();
        if directories.is_empty() {
            paths.extend(words::known_path(word, None, self.world));
        }
        for path in paths {
            let path = self.expected(scope, word.span, None, &path);
            let refusal = self.file_refusal(FileAction::Stat, &path, false);
            if let Some(reason) = refusal.filter(|reason| reason.code == Code::FileHidden) {
                self.findings.refuse(reason.at(scope.span(word.span)));
            }
        }
    }

    /// A cheap look at whether the word could name something hidden at all.
    fn may_name_hidden(&self, word: &Word) -> bool {
        let Some(text) = word.as_literal() else {
            return true;
        };
        text.first() == Some(&b'.')
            || text.contains(&b'/')
            || self.policy.patterns().exec.may_be_hidden(self.policy, &text)
    }

    /// Why a file may not be touched by a command; `None` when it may.
    pub(super) fn file_refusal(&self, action: FileAction, path: &Path, recursive: bool) -> Option<Reason> {
        let asked = Asked {
            action,
            path: path.as_os_str().as_encoded_bytes(),
            to: None,
            recursive,
            cwd: &self.request.cwd,
            origin: Origin::Command,
        };
        file::judge(self.policy, self.world, asked).err()
    }
}

/// Paths inside an argument: `--option=PATH`, `-oPATH`, `@PATH`, `name=@PATH`, `file://PATH`.
fn inner_paths(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let value = text.iter().position(|byte| *byte == b'=').and_then(|at| text.get(at + 1..));
    let joined = match text {
        [b'-', letter, rest @ ..] if *letter != b'-' => Some(rest),
        _ => None,
    };
    let at = [Some(text), value, joined].into_iter().flatten().filter_map(|text| text.strip_prefix(b"@"));
    let url = text.strip_prefix(b"file://");
    [value, joined, url].into_iter().flatten().chain(at).filter(|path| !path.is_empty())
}
