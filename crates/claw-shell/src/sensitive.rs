//! Names of variables that change what later commands do.

/// Whether a plain assignment to `name` matters beyond the data it holds: the variable is (nearly
/// always) in the environment already, so that setting it exports it, or the shell itself obeys it.
pub(crate) fn is_sensitive(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 15] = [
        b"PATH",
        b"HOME",
        b"IFS",
        b"ENV",
        b"CDPATH",
        b"SHELL",
        b"SHELLOPTS",
        b"BASHOPTS",
        b"GLOBIGNORE",
        b"PAGER",
        b"EDITOR",
        b"VISUAL",
        b"TMPDIR",
        b"POSIXLY_CORRECT",
        b"EXECIGNORE",
    ];
    const PREFIXES: [&[u8]; 9] =
        [b"LD_", b"GIT_", b"BASH_", b"PYTHON", b"NODE_", b"PERL5", b"RUBY", b"PROMPT_COMMAND", b"DYLD_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || is_prompt(name)
}

/// Whether it matters that `name` gets a value which the text does not tell. `PWD` is what paths are written with.
pub(crate) fn is_notable(name: &[u8]) -> bool {
    is_sensitive(name) || name == b"PWD"
}

/// Whether bash expands the value of `name` like a prompt, running the code in it.
pub(crate) fn is_prompt(name: &[u8]) -> bool {
    matches!(name, b"PS0" | b"PS1" | b"PS2" | b"PS3" | b"PS4")
}

/// Whether an assignment to `name` changes which program a command name means.
pub(crate) fn redefines_commands(name: &[u8]) -> bool {
    matches!(name, b"BASH_CMDS" | b"BASH_ALIASES" | b"BASH_LOADABLES_PATH")
}
