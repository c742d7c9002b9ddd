//! git's options, its own and its subcommands'.
//!
//! From the manual pages of git 2.4x. Options with a value stand here too when they do nothing, so that the
//! value is not read as an option.

use super::super::options::{Effect, Opt, Special, Style, Syntax, Value};
use super::table::{escapes, flag, joined, refused, refused_value, runs, special, value, writes, writes_in};

/// A git subcommand that can run or write something.
#[derive(Debug)]
pub(super) struct Subcommand {
    pub(super) names: &'static [&'static str],
    pub(super) syntax: Syntax,
    pub(super) refused: Option<&'static str>,
}

const fn subcommand(names: &'static [&'static str], options: &'static [Opt]) -> Subcommand {
    Subcommand { names, syntax: Syntax { options, style: Style::Getopt, operand_ends: false }, refused: None }
}

const fn refused_subcommand(names: &'static [&'static str], why: &'static str) -> Subcommand {
    Subcommand {
        names,
        syntax: Syntax { options: &[], style: Style::Getopt, operand_ends: false },
        refused: Some(why),
    }
}

/// Options of git before its subcommand.
pub(super) static GIT: Syntax = Syntax { options: GIT_OPTIONS, style: Style::Exact, operand_ends: true };

pub(super) const GIT_OPTIONS: &[Opt] = &[
    value(&["-C"]),
    special(&["-c"], Special::GitConfig),
    refused_value(&["--config-env"], "takes a setting from a variable"),
    Opt { names: &["--exec-path"], value: Value::Joined, effect: Effect::Special(Special::ExecPath) },
    value(&["--git-dir"]),
    value(&["--work-tree"]),
    value(&["--namespace"]),
    value(&["--super-prefix"]),
    value(&["--attr-source"]),
    joined(&["--list-cmds"]),
    flag(&["-p", "--paginate"]),
    flag(&["-P", "--no-pager"]),
    flag(&["--bare"]),
    flag(&["--no-replace-objects"]),
    flag(&["--no-lazy-fetch"]),
    flag(&["--no-optional-locks"]),
    flag(&["--no-advice"]),
    flag(&["--literal-pathspecs"]),
    flag(&["--glob-pathspecs"]),
    flag(&["--noglob-pathspecs"]),
    flag(&["--icase-pathspecs"]),
    flag(&["--html-path"]),
    flag(&["--man-path"]),
    flag(&["--info-path"]),
    flag(&["-v", "--version"]),
    flag(&["-h", "--help"]),
];

pub(super) static GIT_SUBCOMMANDS: &[Subcommand] = &[
    subcommand(
        &["clone"],
        &[
            runs(&["-u", "--upload-pack"]),
            special(&["-c", "--config"], Special::GitConfig),
            refused_value(&["--template"], "copies hooks that run later"),
            writes(&["--separate-git-dir"]),
            value(&["-o", "--origin"]),
            value(&["-b", "--branch"]),
            value(&["--depth"]),
            value(&["--reference"]),
            value(&["-j", "--jobs"]),
        ],
    ),
    subcommand(
        &["fetch", "pull"],
        &[
            runs(&["--upload-pack"]),
            value(&["--depth"]),
            value(&["-j", "--jobs"]),
            value(&["-o", "--server-option"]),
        ],
    ),
    subcommand(&["ls-remote", "fetch-pack"], &[runs(&["--upload-pack", "--exec"])]),
    subcommand(
        &["push", "send-pack"],
        &[
            runs(&["--receive-pack", "--exec"]),
            value(&["-o", "--push-option"]),
            flag(&["--force-with-lease"]),
            flag(&["--force-if-includes"]),
            flag(&["--follow-tags"]),
            flag(&["-n", "--dry-run"]),
            flag(&["-u", "--set-upstream"]),
        ],
    ),
    subcommand(&["remote"], &[]),
    subcommand(
        &["init"],
        &[
            refused_value(&["--template"], "copies hooks that run later"),
            writes(&["--separate-git-dir"]),
            value(&["-b", "--initial-branch"]),
        ],
    ),
    subcommand(
        &["grep"],
        &[
            Opt {
                names: &["-O", "--open-files-in-pager"],
                value: Value::Joined,
                effect: Effect::Refused("opens a pager"),
            },
            value(&["-e"]),
            value(&["-A", "--after-context"]),
            value(&["-B", "--before-context"]),
            value(&["-C", "--context"]),
            value(&["-m", "--max-count"]),
            value(&["-f"]),
        ],
    ),
    subcommand(
        &[
            "diff",
            "log",
            "show",
            "whatchanged",
            "diff-tree",
            "diff-index",
            "diff-files",
            "range-diff",
            "reflog",
        ],
        &[
            writes(&["--output"]),
            value(&["-n", "--max-count"]),
            value(&["-S"]),
            value(&["-G"]),
            value(&["-L"]),
            value(&["-O"]),
            value(&["-l"]),
            joined(&["-U", "--unified"]),
            flag(&["--oneline"]),
            joined(&["--format", "--pretty"]),
            value(&["--author"]),
            value(&["--grep"]),
            value(&["--since", "--after"]),
            value(&["--until", "--before"]),
        ],
    ),
    subcommand(
        &["apply"],
        &[
            escapes(&["--unsafe-paths"], "writes wherever the patch says"),
            writes_in(&["--directory"]),
            writes(&["--build-fake-ancestor"]),
            value(&["-p"]),
            value(&["-C"]),
            value(&["--exclude", "--include"]),
            value(&["--whitespace"]),
        ],
    ),
    subcommand(&["format-patch"], &[writes_in(&["-o", "--output-directory"]), writes(&["--output"])]),
    subcommand(&["shortlog"], &[]),
    subcommand(
        &["commit"],
        &[
            value(&["-m", "--message"]),
            value(&["-F", "--file"]),
            value(&["-C", "--reuse-message"]),
            value(&["-c", "--reedit-message"]),
            value(&["-t", "--template"]),
            value(&["--author"]),
            value(&["--date"]),
            value(&["--fixup"]),
            value(&["--squash"]),
            value(&["--trailer"]),
            joined(&["-S", "--gpg-sign"]),
            joined(&["-u", "--untracked-files"]),
        ],
    ),
    subcommand(
        &["tag", "merge", "notes"],
        &[value(&["-m", "--message"]), value(&["-F", "--file"]), value(&["-s", "--strategy"])],
    ),
    subcommand(&["stash"], &[value(&["-m", "--message"]), writes(&["--output"])]),
    subcommand(&["worktree"], &[value(&["-b", "-B"]), value(&["--reason"])]),
    subcommand(
        &["archive"],
        &[
            writes(&["-o", "--output"]),
            runs(&["--exec"]),
            value(&["--remote"]),
            value(&["--format"]),
            value(&["--prefix"]),
        ],
    ),
    subcommand(&["bundle"], &[]),
    subcommand(
        &["rebase"],
        &[
            runs(&["-x", "--exec"]),
            value(&["--onto"]),
            value(&["-s", "--strategy"]),
            value(&["-X", "--strategy-option"]),
        ],
    ),
    Subcommand {
        names: &["bisect"],
        syntax: Syntax { options: &[], style: Style::Exact, operand_ends: true },
        refused: None,
    },
    Subcommand {
        names: &["submodule"],
        syntax: Syntax {
            options: &[flag(&["--quiet"]), flag(&["--recursive"])],
            style: Style::Exact,
            operand_ends: false,
        },
        refused: None,
    },
    subcommand(
        &["config"],
        &[
            flag(&["--get", "--get-all", "--get-urlmatch", "--get-color", "--get-colorbool"]),
            flag(&["--list", "-l"]),
            flag(&["--unset", "--unset-all"]),
            flag(&["--get-regexp"]),
            flag(&["--remove-section", "--rename-section"]),
            refused(&["-e", "--edit"], "opens an editor"),
            writes(&["-f", "--file"]),
            value(&["--blob"]),
            value(&["-t", "--type"]),
            value(&["--default"]),
        ],
    ),
    subcommand(
        &["send-email"],
        &[
            runs(&["--sendmail-cmd"]),
            runs(&["--to-cmd"]),
            runs(&["--cc-cmd"]),
            runs(&["--header-cmd"]),
            refused_value(&["--smtp-server"], "may name a program"),
        ],
    ),
    subcommand(
        &["fast-export", "fast-import"],
        &[writes(&["--export-marks"]), writes(&["--export-pack-edges"])],
    ),
    subcommand(&["maintenance"], &[]),
    subcommand(&["blame"], &[value(&["--contents"]), value(&["-L"])]),
    refused_subcommand(&["difftool", "mergetool"], "this subcommand starts a tool"),
    refused_subcommand(&["filter-branch", "filter-repo"], "this subcommand runs commands on every commit"),
    refused_subcommand(&["for-each-repo"], "this subcommand runs commands in every repository"),
    refused_subcommand(&["instaweb", "gui", "citool", "gitk"], "this subcommand starts other programs"),
    refused_subcommand(&["daemon", "shell", "http-backend"], "this subcommand serves commands"),
    refused_subcommand(&["web--browse"], "this subcommand starts a browser"),
];
