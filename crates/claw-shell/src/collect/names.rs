//! The names that a shell takes for builtins.

use crate::script::Dialect;

/// Builtins of every POSIX shell (dash 0.5.12 has all of them).
const POSIX: [&[u8]; 38] = [
    b".",
    b":",
    b"[",
    b"alias",
    b"bg",
    b"break",
    b"cd",
    b"command",
    b"continue",
    b"echo",
    b"eval",
    b"exec",
    b"exit",
    b"export",
    b"false",
    b"fg",
    b"getopts",
    b"hash",
    b"jobs",
    b"kill",
    b"local",
    b"printf",
    b"pwd",
    b"read",
    b"readonly",
    b"return",
    b"set",
    b"shift",
    b"test",
    b"times",
    b"trap",
    b"true",
    b"type",
    b"ulimit",
    b"umask",
    b"unalias",
    b"unset",
    b"wait",
];

/// What bash 5 has besides.
const BASH: [&[u8]; 23] = [
    b"bind",
    b"caller",
    b"compgen",
    b"complete",
    b"compopt",
    b"dirs",
    b"disown",
    b"enable",
    b"help",
    b"history",
    b"logout",
    b"mapfile",
    b"popd",
    b"pushd",
    b"readarray",
    b"shopt",
    b"suspend",
    b"fc",
    b"let",
    b"source",
    b"builtin",
    b"typeset",
    b"declare",
];

pub(super) fn is_builtin(name: &[u8], dialect: Dialect) -> bool {
    POSIX.contains(&name) || (dialect == Dialect::Bash && BASH.contains(&name))
}
