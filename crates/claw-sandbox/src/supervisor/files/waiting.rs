//! Operations of git that wait to be continued: what of their state git executes.
//!
//! `git rebase --continue` executes the `exec` lines of its list, and a rebase and a cherry-pick start `git merge-NAME`
//! for a strategy that is not git's own. Somebody may continue outside what a run has begun. So the list and the settings
//! take their place only by a rename, as git makes it, and after their content was judged; and a strategy, which git
//! writes in place, is kept aside until the list appears beside it.
#![forbid(unsafe_code)]

use std::path::Path;

use super::settings::values;
use crate::repository::{is_called_git, is_repository};

/// The commands of a list (git-rebase(1); sequencer.c, `todo_command_info`), but for `exec` and `x`.
const COMMANDS: &[&str] = &[
    "pick",
    "p",
    "revert",
    "edit",
    "e",
    "reword",
    "r",
    "fixup",
    "f",
    "squash",
    "s",
    "break",
    "b",
    "label",
    "l",
    "reset",
    "t",
    "merge",
    "m",
    "update-ref",
    "u",
    "noop",
    "drop",
    "d",
];

/// The strategies that are part of git itself. The others are programs, some of them scripts that split their options.
const STRATEGIES: [&str; 4] = ["ort", "recursive", "ours", "subtree"];

/// The settings of a cherry-pick or revert (sequencer.c, `populate_opts_cb`), but for `strategy`.
const OPTIONS: &[&str] = &[
    "no-commit",
    "edit",
    "allow-empty",
    "allow-empty-message",
    "drop-redundant-commits",
    "keep-redundant-commits",
    "signoff",
    "record-origin",
    "allow-ff",
    "mainline",
    "gpg-sign",
    "strategy-option",
    "allow-rerere-auto",
    "default-msg-cleanup",
];

/// A part of such a state that git executes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Waiting {
    /// The list of a rebase.
    Todo,
    /// The strategy of a rebase.
    Strategy,
    /// The settings of a cherry-pick or revert.
    Options,
}

impl Waiting {
    /// What a path is of a repository's.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let known = [
            ("rebase-merge/git-rebase-todo", Self::Todo),
            ("rebase-merge/strategy", Self::Strategy),
            ("sequencer/opts", Self::Options),
        ];
        let (_, waiting) = known.into_iter().find(|(name, _)| path.ends_with(name))?;
        let directory = path.parent()?.parent()?;
        (path.ancestors().any(is_called_git) || is_repository(directory)).then_some(waiting)
    }

    /// Whether the content adds nothing that git would execute to what `old` has.
    pub(super) fn is_harmless(self, old: &[u8], new: &[u8]) -> bool {
        match self {
            // What is done leaves the list, so what is left is its end.
            Self::Todo => {
                executed(old).is_some_and(|old| executed(new).is_some_and(|new| old.ends_with(&new)))
            }
            Self::Strategy => std::str::from_utf8(new)
                .is_ok_and(|name| STRATEGIES.contains(&name.strip_suffix('\n').unwrap_or(name))),
            Self::Options => {
                values(new).is_some_and(|values| values.iter().all(|(key, value)| is_option(key, value)))
            }
        }
    }

    /// Why another content is not let through.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Todo => {
                "a list with `exec` lines is executed by whoever continues the rebase; \
                 run the commands yourself, or rebase outside of the sandbox"
            }
            Self::Strategy => "git starts a program for a strategy that is not its own",
            Self::Options => "it names a strategy that is a program, or what is not known",
        }
    }
}

fn is_option(key: &str, value: &str) -> bool {
    match key.strip_prefix("options.") {
        Some("strategy") => STRATEGIES.contains(&value),
        Some(name) => OPTIONS.contains(&name),
        None => false,
    }
}

// The lines that git would execute. `None` where a line is not known: comments begin with no letter, whatever
// `core.commentString` says, and no command begins otherwise.
fn executed(list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut executed = Vec::new();
    for line in list.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        let word = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        if COMMANDS.iter().any(|command| command.as_bytes() == word) {
            continue;
        }
        match line.first() {
            None => {}
            Some(first) if first.is_ascii_punctuation() || first.is_ascii_digit() => {}
            Some(_) if [b"exec".as_slice(), b"x"].contains(&word) => executed.push(line),
            Some(_) => return None,
        }
    }
    Some(executed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_say_what_git_does_by_itself() {
        for list in [
            "",
            "pick 1264c06 a title\n",
            "p 1264c06\nr 1264c06 x\nfixup -C 1264c06 # exec x\nmerge -C 12 label # exec\nbreak\nb\nupdate-ref refs/heads/x\n",
            "# Rebase 1..2\n#\n# x, exec <command> = run\n\n",
            "; exec x\n\tpick 12 x\n",
            "noop",
            "label onto\r\nreset onto\n",
        ] {
            assert!(Waiting::Todo.is_harmless(b"", list.as_bytes()), "{list}");
        }
    }

    #[test]
    fn a_list_that_executes_or_is_not_understood_is_refused() {
        for list in [
            "exec evil\n",
            "x evil",
            "pick 12\n \t exec evil\n",
            "pick 12\nx\tevil\n",
            "exec\n",
            "x\revil\n",
            "Exec evil\n",
            "execute evil\n",
            "\u{e9}xec evil\n",
            "\x0cexec evil\n",
            "pick\0exec evil\n",
        ] {
            assert!(!Waiting::Todo.is_harmless(b"", list.as_bytes()), "{list}");
        }
    }

    #[test]
    fn what_somebody_has_put_on_the_list_may_stay_until_it_is_done() {
        let old = b"pick 1\nexec make\npick 2\nexec test\n";
        let harmless = |new: &str| Waiting::Todo.is_harmless(old, new.as_bytes());
        assert!(
            harmless("exec make\npick 2\nexec test\n") && harmless("exec test\n") && harmless("pick 3\n")
        );
        for new in
            ["exec evil\n", "exec make\n", "exec test\nexec make\n", "exec test\nexec test\n", "x test\n"]
        {
            assert!(!harmless(new), "{new}");
        }
    }

    #[test]
    fn a_strategy_is_one_of_git_s_own() {
        for (name, expected) in [
            ("ort\n", true),
            ("ours", true),
            ("", false),
            ("resolve\n", false),
            ("x/evil\n", false),
            ("ort\nx\n", false),
        ] {
            assert_eq!(Waiting::Strategy.is_harmless(b"", name.as_bytes()), expected, "{name}");
        }
        for (options, expected) in [
            ("[options]\n\tstrategy = ort\n\tstrategy-option = theirs\n", true),
            ("[options]\n\tedit = true\n\tno-commit = true\n", true),
            ("[options]\n\tstrategy = x/evil\n", false),
            ("[options]\n\tstrategy = \"x\"/evil\n", false),
            ("[options \"x\"]\n\tedit = true\n", false),
            ("[include]\n\tpath = x\n", false),
            ("[options]\n\tunknown = x\n", false),
        ] {
            assert_eq!(Waiting::Options.is_harmless(b"", options.as_bytes()), expected, "{options}");
        }
    }

    #[test]
    fn the_state_belongs_to_a_repository() {
        let of = |path: &str| Waiting::of(Path::new(path));
        assert_eq!(of("/w/.git/rebase-merge/git-rebase-todo"), Some(Waiting::Todo));
        assert_eq!(of("/w/.git/worktrees/x/rebase-merge/strategy"), Some(Waiting::Strategy));
        assert_eq!(of("/w/.git/sequencer/opts"), Some(Waiting::Options));
        for path in ["/w/r/sequencer/opts", "/w/.git/rebase-merge/git-rebase-todo.lock", "/w/.git/opts"] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
