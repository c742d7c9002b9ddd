//! What a configuration of git says (git-config(1), "Syntax"), read more strictly than git does.
#![forbid(unsafe_code)]

use std::path::{Component, Path};

/// `[section "part"] key = value`, as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Setting {
    section: String,
    part: Option<String>,
    key: String,
    value: String,
}

/// Whether a configuration may be replaced by another: both say the same of what git would execute or follow elsewhere,
/// in the same order. `directory` is the repository's. What is written in an unusual way is not known to be the same.
pub(super) fn is_harmless_change(old: &[u8], new: &[u8], directory: &Path) -> bool {
    let others = |content: &[u8]| -> Option<Vec<Setting>> {
        Some(parse(content)?.into_iter().filter(|setting| !setting.is_data(directory)).collect())
    };
    others(old).is_some_and(|old| others(new).is_some_and(|new| old == new))
}

/// Each `section.key` with its value, where no section has a part. `None` for what is written in an unusual way.
pub(super) fn values(content: &[u8]) -> Option<Vec<(String, String)>> {
    let of = |setting: Setting| {
        setting.part.is_none().then(|| (format!("{}.{}", setting.section, setting.key), setting.value))
    };
    parse(content)?.into_iter().map(of).collect()
}

// `None` for what is written in an unusual way.
fn parse(content: &[u8]) -> Option<Vec<Setting>> {
    let text = std::str::from_utf8(content).ok()?;
    let mut section = None;
    let mut settings = Vec::new();
    for line in text.split('\n') {
        let line = line.trim_matches([' ', '\t']);
        if line.chars().any(|character| character.is_control() && character != '\t') || line.ends_with('\\') {
            return None;
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') {
            section = Some(section_of(line)?);
            continue;
        }
        let (key, value) =
            line.split_once('=').map_or((line, ""), |(key, value)| (key.trim_end(), value.trim_start()));
        let (section, part) = section.clone()?;
        settings.push(Setting { section, part, key: key.to_ascii_lowercase(), value: value.to_owned() });
    }
    Some(settings)
}

// `[name]` or `[name "part"]`, with nothing behind it.
fn section_of(line: &str) -> Option<(String, Option<String>)> {
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    let (name, part) = inner.split_once(' ').map_or((inner, None), |(name, part)| (name, Some(part)));
    let is_name = !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric());
    let part = match part {
        Some(part) => {
            let part = part.strip_prefix('"')?.strip_suffix('"')?;
            Some(part.to_owned()).filter(|part| !part.contains(['"', '\\', ']']))
        }
        None => return is_name.then(|| (name.to_ascii_lowercase(), None)),
    };
    (is_name && part.is_some()).then(|| (name.to_ascii_lowercase(), part))
}

impl Setting {
    // Whether git neither executes it nor follows it to other settings or another tree. What is not listed is not.
    fn is_data(&self, directory: &Path) -> bool {
        let Self { section, part, key, value } = self;
        match (section.as_str(), key.as_str()) {
            (
                "core",
                "repositoryformatversion"
                | "filemode"
                | "bare"
                | "logallrefupdates"
                | "ignorecase"
                | "precomposeunicode"
                | "symlinks"
                | "autocrlf"
                | "eol"
                | "quotepath",
            )
            | ("remote", "fetch" | "tagopt" | "promisor" | "partialclonefilter" | "mirror" | "prune")
            | ("branch", "merge" | "rebase" | "description")
            | ("extensions", "objectformat" | "refstorage")
            | ("user", "name" | "email")
            | ("submodule", "active")
            | ("pull", "rebase" | "ff")
            | ("push", "default" | "autosetupremote")
            | ("merge", "ff" | "conflictstyle")
            | ("rebase", "autostash" | "autosquash")
            | ("fetch", "prune")
            | ("init", "defaultbranch")
            | ("color", "ui")
            | ("gc", "auto") => true,
            ("advice", _) => part.is_none(),
            ("core", "worktree") => part.is_none() && is_submodules(directory, value),
            // A URL may stand in each. Not another transport's program, nor an option; quotes could hide both.
            ("remote", "url" | "pushurl")
            | ("submodule", "url")
            | ("branch", "remote" | "pushremote")
            | ("remote", "pushdefault")
            | ("extensions", "partialclone") => {
                !value.contains(['"', '\\']) && !value.contains("::") && !value.starts_with('-')
            }
            _ => false,
        }
    }
}

/// Whether it is the place of a submodule beside the `.git` that has its repository: nowhere else.
fn is_submodules(directory: &Path, value: &str) -> bool {
    let names: Vec<_> = directory.iter().collect();
    let Some(at) = names.iter().position(|name| *name == ".git") else { return false };
    let (above, beneath) = (names.len() - at, names.get(at + 1..).unwrap_or_default());
    if beneath.len() < 2 || beneath.first().is_none_or(|name| *name != "modules") {
        return false;
    }
    let ups = value.split('/').take_while(|name| *name == "..").count();
    let rest: Vec<&str> = value.split('/').skip(ups).collect();
    let is_plain = |name: &&str| Path::new(name).components().eq([Component::Normal(name.as_ref())]);
    let is_own = |name: &&str| name.eq_ignore_ascii_case(".git") || name.contains(['"', '\\', '#', ';']);
    ups == above && !rest.is_empty() && rest.iter().all(is_plain) && !rest.iter().any(is_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_data(content: &[u8]) -> bool {
        is_harmless_change(b"", content, Path::new("/w/.git"))
    }

    #[test]
    fn what_git_writes_into_a_new_repository_is_data() {
        let init = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n";
        let clone = "[remote \"origin\"]\n\turl = https://example.org/x.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
                     [branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n";
        for text in ["", init, clone, "# a\n[user]\n name = A \"B\" C\n\temail=a@b\n"] {
            assert!(is_data(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_git_would_execute_or_what_is_written_oddly_is_not() {
        for text in [
            "evil",
            "[core]\n\tfsmonitor = evil\n",
            "[core]\n\thooksPath = x\n",
            "[core] fsmonitor = evil\n",
            "[core]\n\tbare = \\\n\tfsmonitor = evil\n",
            "[CORE]\n\tFSMonitor = evil\n",
            "[core.x]\n\tbare = 1\n",
            "[remote \"a\\\"]\"]\n\turl = x\n",
            "[remote \"a\"] url = x\n",
            "[remote \"a\"]\n\turl = ext::sh -c evil\n",
            "[remote \"a\"]\n\turl = \"--upload-pack=evil\"\n",
            "[remote \"a\"]\n\turl = ext:\"\":sh -c evil\n",
            "[branch \"a\"]\n\tremote = ext::sh -c evil\n",
            "[branch \"a\"]\n\tremote = ext:\"\":sh -c evil\n",
            "[extensions]\n\tpartialclone = ext::sh -c evil\n",
            "[remote \"a\"]\n\tuploadpack = evil\n",
            "[include]\n\tpath = x\n",
            "[alias]\n\tst = !evil\n",
            "[submodule \"a\"]\n\tupdate = !evil\n",
            "[core]\n\tbare = 1\r\tfsmonitor = evil\n",
            "[core]\n\tbare = \0\n",
            "bare = 1\n",
        ] {
            assert!(!is_data(text.as_bytes()), "{text}");
        }
        assert!(!is_data(b"\xff"));
    }

    #[test]
    fn what_git_executes_stays_as_it_was_whatever_else_changes() {
        let old = "[core]\n\tbare = false\n\thooksPath = .hooks\n[alias]\n\tst = !status\n";
        let added = format!("{old}[remote \"origin\"]\n\turl = /x\n");
        let is_harmless =
            |old: &str, new: &str| is_harmless_change(old.as_bytes(), new.as_bytes(), Path::new("/w/.git"));
        assert!(is_harmless(old, old) && is_harmless(old, &added) && is_harmless(&added, old));
        for new in [
            "",
            &old.replace(".hooks", "evil"),
            &old.replace("alias", "Alias2"),
            &old.replace("[alias]", "[alias \"x\"]"),
            &format!("{old}\tco = !evil\n"),
            &format!("{old}[core]\n\thooksPath = .hooks\n"),
            "[alias]\n\tst = !status\n[core]\n\tbare = false\n\thooksPath = .hooks\n",
        ] {
            assert!(!is_harmless(old, new), "{new}");
        }
        assert!(!is_harmless("original", "original"), "what cannot be read is not known");
    }

    #[test]
    fn a_submodule_has_its_tree_beside_its_repository_and_nowhere_else() {
        let is_tree = |directory: &str, value: &str| is_submodules(Path::new(directory), value);
        assert!(is_tree("/w/.git/modules/sub", "../../../sub"));
        assert!(is_tree("/w/.git/modules/a/b", "../../../../a/b"));
        for (directory, value) in [
            ("/w/.git", "../sub"),
            ("/w/.git/modules", "../../sub"),
            ("/w/.git/modules/sub", "../../../../sub"),
            ("/w/.git/modules/sub", "../../sub"),
            ("/w/.git/modules/sub", "../../../sub/../.."),
            ("/w/.git/modules/sub", "../../../.git"),
            ("/w/.git/modules/sub", "../../.."),
            ("/w/.git/modules/sub", "../../../"),
            ("/w/.git/modules/sub", "/home"),
            ("/w/.git/modules/sub", "../../../a\"/../..\""),
            ("/w/modules/sub", "../../../sub"),
        ] {
            assert!(!is_tree(directory, value), "{directory} {value}");
        }
    }
}
