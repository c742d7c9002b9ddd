//! The built-in profile: what holds when no policy says otherwise. Each table has its one home here.

mod bundles;
mod read_ahead;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use crate::expand::Expansion;
use crate::policy::{PathPattern, RootRule, Ruled};
use crate::{Access, Format, RuleRef, Source};

pub(crate) use self::bundles::bundles;
pub(crate) use self::read_ahead::read_ahead;

const TEXT: &str = include_str!("built-in.yaml");

/// The built-in profile as a document, readable and commented.
///
/// Layer 0 of every policy. Its name in messages is `built-in`.
#[must_use]
pub fn built_in() -> Source {
    Source::new("built-in", TEXT, Format::Yaml)
}

/// Where bare names are looked up.
pub(crate) fn trusted_dirs() -> Vec<PathBuf> {
    ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from).into()
}

/// Readable for commands, where it exists: programs, libraries, their configuration, and the kernel's tables.
/// Credentials beneath are taken out by the profile's `hidden` list.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/proc",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
    "/run/systemd/resolve",
    "/var/lib/dpkg",
    "/var/cache/fontconfig",
    "/var/lib/ca-certificates",
];

/// What programs read in `/etc`. Named one by one: the directory also holds credentials, and a grant of all of it
/// with exceptions would have to list what is there at one moment.
const SYSTEM_ETC: &[&str] = &[
    "/etc/alternatives",
    "/etc/bash.bashrc",
    "/etc/bash_completion.d",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/default/locale",
    "/etc/environment",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/gitconfig",
    "/etc/gnutls",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/inputrc",
    "/etc/java",
    "/etc/java-11-openjdk",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/lsb-release",
    "/etc/machine-id",
    "/etc/magic",
    "/etc/magic.mime",
    "/etc/maven",
    "/etc/mime.types",
    "/etc/mke2fs.conf",
    "/etc/networks",
    "/etc/nsswitch.conf",
    "/etc/npmrc",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/perl",
    "/etc/pip.conf",
    "/etc/pki/tls/certs",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/protocols",
    "/etc/python3",
    "/etc/python3.11",
    "/etc/python3.12",
    "/etc/python3.13",
    "/etc/redhat-release",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/shells",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/etc/xattr.conf",
    "/etc/xdg",
];

/// The same below the home directory: tool configuration and toolchains, without which the tools do not start.
const SYSTEM_HOME: &[&str] = &[
    ".gitconfig",
    ".config/git",
    ".gitignore_global",
    ".cargo/bin",
    ".cargo/env",
    ".cargo/config.toml",
    ".cargo/registry",
    ".cargo/git",
    ".rustup",
    ".pyenv",
    ".nvm",
    ".local/bin",
    ".local/lib",
    ".local/share/uv",
    ".npm/_cacache",
    ".cache/pip",
    "go",
    ".config/pip",
    ".deno/bin",
    ".bun/bin",
];

/// The system profile for the home of `expansion`.
pub(crate) fn system(expansion: &Expansion) -> Vec<Ruled<RootRule>> {
    let home = expansion.home.as_ref().filter(|home| home.is_absolute());
    let below_home = SYSTEM_HOME.iter().filter_map(|path| home.map(|home| home.join(path)));
    let paths = SYSTEM.iter().chain(SYSTEM_ETC).map(PathBuf::from).chain(below_home);
    let source: Arc<str> = "system profile".into();
    let rule = |path: PathBuf| Ruled {
        rule: RuleRef { source: source.clone(), line: 0, column: 0, text: path.to_string_lossy().into() },
        value: RootRule { path, access: Access::Read, execute: false, named: false },
    };
    paths.map(rule).collect()
}

/// Files through which the next command, outside of the sandbox, would run something: read-only inside
/// every writable root, also when missing, also in nested repositories.
const PROTECTED_NAMES: &[&str] = &[
    ".gitmodules",
    ".gitconfig",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".profile",
    ".envrc",
    ".npmrc",
    ".ripgreprc",
    ".mcp.json",
    ".claude",
    ".codex",
    ".agents",
    ".cursor",
    ".gemini",
    ".openclaw",
    ".vscode",
    ".idea",
    // Hooks of git, where a repository's own settings name them (`core.hooksPath`).
    ".husky",
    ".claw-sandbox.yaml",
    ".claw-sandbox.json5",
    ".claw-sandbox.json",
];
const PROTECTED_GLOBS: &[&str] = &[
    "/**/.git/hooks",
    "/**/.git/config",
    "/**/.git/config.worktree",
    "/**/.git/modules/**/hooks",
    "/**/.git/modules/**/config",
    "/**/.git/info/attributes",
    // Where git looks for the rest of a repository, its configuration and hooks among it.
    "/**/.git/commondir",
    "/**/.git/worktrees/**/commondir",
    "/**/.git/worktrees/**/config.worktree",
    // What git executes when somebody continues a rebase or a cherry-pick: `exec` lines, and a strategy's program.
    "/**/.git/rebase-merge/git-rebase-todo",
    "/**/.git/rebase-merge/strategy",
    "/**/.git/sequencer/opts",
];

/// The item of `exec.allowlist` that stands for the entries of this profile. A program of that name is
/// `command: default`.
pub(crate) const DEFAULT_ENTRIES: &str = "default";

/// What `protected: default` means; `rule` is where it is written.
pub(crate) fn protected(rule: &RuleRef) -> Vec<Ruled<PathPattern>> {
    let ruled = |value, text: &str| {
        let mut rule = rule.clone();
        rule.text = text.into();
        Ruled { value, rule }
    };
    let names = PROTECTED_NAMES.iter().map(|name| ruled(PathPattern::Component((*name).to_owned()), name));
    let globs = PROTECTED_GLOBS
        .iter()
        .map(|glob| ruled(PathPattern::Glob((*glob).to_owned()), glob.trim_start_matches("/**/")));
    names.chain(globs).collect()
}

/// Programs that start no others but the parts of their own bundle. What they can be made to start by their
/// arguments (`sort --compress-program`, `tar -I`) is judged as a command of its own.
const ALONE: &[&str] = &[
    "[",
    "awk",
    "base64",
    "basename",
    "bc",
    "bzip2",
    "cat",
    "chmod",
    "cmp",
    "column",
    "comm",
    "cp",
    "cut",
    "date",
    "df",
    "diff",
    "dirname",
    "du",
    "echo",
    "envsubst",
    "expand",
    "expr",
    "false",
    "file",
    "fmt",
    "fold",
    "gawk",
    "git",
    "grep",
    "gzip",
    "head",
    "hexdump",
    "hostname",
    "iconv",
    "id",
    "join",
    "jq",
    "ln",
    "ls",
    "mawk",
    "md5sum",
    "mkdir",
    "mktemp",
    "mv",
    "nl",
    "nproc",
    "od",
    "paste",
    "printenv",
    "printf",
    "pwd",
    "readlink",
    "realpath",
    "rg",
    "rmdir",
    "sed",
    "seq",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "sleep",
    "sort",
    "split",
    "stat",
    "strings",
    "tac",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "tr",
    "tree",
    "true",
    "truncate",
    "uname",
    "unexpand",
    "uniq",
    "wc",
    "which",
    "whoami",
    "xxd",
    "xz",
    "yes",
    "zstd",
];

/// Commands of `git` that are scripts, so that they start `sed`, `uname` and others, and those that start tools.
const GIT_SCRIPTS: &[&[u8]] = &[
    b"bisect",
    b"difftool",
    b"filter-branch",
    b"mergetool",
    b"quiltimport",
    b"request-pull",
    b"send-email",
    b"submodule",
    b"subtree",
];

/// Whether the trusted program of this name starts no others with these arguments.
pub(crate) fn starts_no_others<'w>(
    name: &[u8],
    mut arguments: impl Iterator<Item = Option<Cow<'w, [u8]>>>,
) -> bool {
    let is_known = ALONE.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok();
    // An argument that the text does not tell could be the name of a script.
    let may_be_script =
        |argument: Option<Cow<'_, [u8]>>| argument.is_none_or(|text| GIT_SCRIPTS.contains(&&*text));
    is_known && !(name == b"git" && arguments.any(may_be_script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_programs_that_start_no_others_is_sorted() {
        assert!(ALONE.is_sorted());
        let alone = |words: &[&'static str]| {
            let mut words = words.iter().map(|word| Cow::Borrowed(word.as_bytes()));
            let name = words.next().unwrap();
            starts_no_others(&name, words.map(Some))
        };
        assert!(alone(&["git", "log", "submodules"]) && alone(&["ls", "submodule"]));
        assert!(!alone(&["make"]) && !alone(&["git", "-C", "x", "submodule", "status"]));
        assert!(!starts_no_others(b"git", [None].into_iter()));
    }
}
