//! Which names pass, and which never do. The lists are kept sorted by subject, each with its reason.

/// Set by us for every run, never taken from the caller.
pub(crate) const OURS: [&str; 2] = ["PATH", "TMPDIR"];

/// Passes without being listed: what programs need to talk to a person in their place and language.
pub(super) fn passes_by_default(name: &[u8]) -> bool {
    name.starts_with(b"LC_")
        || matches!(
            name,
            b"HOME"
                | b"LANG"
                | b"LANGUAGE"
                | b"TERM"
                | b"TZ"
                | b"USER"
                | b"LOGNAME"
                | b"SHELL"
                | b"COLORTERM"
                | b"NO_COLOR"
                | b"COLUMNS"
                | b"LINES"
        )
}

/// Whether a variable of this name makes loaders, shells, interpreters or tools run or trust something
/// else. Such a variable is never passed, whoever asks.
pub(crate) fn is_hook(name: &[u8]) -> bool {
    is_loader_hook(name)
        || is_shell_hook(name)
        || is_interpreter_hook(name)
        || is_tool_hook(name)
        || FURTHER_HOOKS.iter().any(|hook| hook.as_bytes() == name)
}

/// `ld.so(8)`, glibc's own (`gconv`, `locale(7)`, `resolver(3)`, `mallopt(3)`), and agents' sockets.
fn is_loader_hook(name: &[u8]) -> bool {
    [b"LD_".as_slice(), b"DYLD_", b"MALLOC_", b"GLIBC_TUNABLES"].iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            name,
            b"GCONV_PATH"
                | b"LOCPATH"
                | b"NLSPATH"
                | b"HOSTALIASES"
                | b"RESOLV_HOST_CONF"
                | b"SSH_AUTH_SOCK"
                | b"GPG_AGENT_INFO"
                | b"DBUS_SESSION_BUS_ADDRESS"
        )
}

/// What shells read before or between commands (`bash(1)`, "Shell Variables").
fn is_shell_hook(name: &[u8]) -> bool {
    name.starts_with(b"BASH_FUNC_")
        || matches!(
            name,
            b"BASH_ENV"
                | b"ENV"
                | b"CDPATH"
                | b"GLOBIGNORE"
                | b"PROMPT_COMMAND"
                | b"IFS"
                | b"PS4"
                | b"SHELLOPTS"
                | b"BASHOPTS"
        )
}

fn is_interpreter_hook(name: &[u8]) -> bool {
    matches!(
        name,
        b"PYTHONSTARTUP"
            | b"PYTHONPATH"
            | b"PYTHONHOME"
            | b"NODE_OPTIONS"
            | b"NODE_PATH"
            | b"PERL5OPT"
            | b"PERL5LIB"
            | b"PERL5DB"
            | b"RUBYOPT"
            | b"RUBYLIB"
            | b"GEM_PATH"
            | b"GEM_HOME"
            | b"JAVA_TOOL_OPTIONS"
            | b"_JAVA_OPTIONS"
            | b"JDK_JAVA_OPTIONS"
            | b"DOTNET_STARTUP_HOOKS"
            | b"TCLLIBPATH"
            | b"PHP_INI_SCAN_DIR"
    )
}

/// Variables by which build tools, git, pagers and editors are told to run something.
fn is_tool_hook(name: &[u8]) -> bool {
    let git = name.starts_with(b"GIT_")
        && !name.starts_with(b"GIT_AUTHOR_")
        && !name.starts_with(b"GIT_COMMITTER_")
        && name != b"GIT_TERMINAL_PROMPT";
    let cargo = name.starts_with(b"CARGO_") && (name.ends_with(b"_RUNNER") || name.ends_with(b"_LINKER"));
    // npm reads its settings in any case: `config/parse-env` of npm.
    let npm = name.get(..11).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"npm_config_"));
    git || cargo
        || npm
        || matches!(
            name,
            b"PAGER"
                | b"MANPAGER"
                | b"EDITOR"
                | b"VISUAL"
                | b"LESSOPEN"
                | b"LESSCLOSE"
                | b"SSH_ASKPASS"
                | b"RUSTC"
                | b"RUSTC_WRAPPER"
                | b"RUSTC_WORKSPACE_WRAPPER"
                | b"RUSTDOC"
                | b"RUSTFLAGS"
                | b"GOFLAGS"
                | b"CC"
                | b"CXX"
                | b"MAKEFLAGS"
        )
}

/// More of the kind, among them what OpenClaw blocks wherever it comes from.
#[rustfmt::skip]
const FURTHER_HOOKS: &[&str] = &[
    // Compilers, build tools and their own options.
    "CPP", "CXXCPP", "CARGO_BUILD_RUSTC", "CARGO_BUILD_RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTDOC", "CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER", "CMAKE_TOOLCHAIN_FILE", "CONFIG_SITE",
    "CONFIG_SHELL", "MAKE", "MFLAGS", "SBT_OPTS", "GRADLE_OPTS", "ANT_OPTS", "MAVEN_OPTS", "JAVA_OPTS",
    "CATALINA_OPTS",
    // Interpreters and runtimes.
    "NODE_REDIRECT_WARNINGS", "NODE_REPL_EXTERNAL_MODULE", "NODE_REPL_HISTORY", "NODE_V8_COVERAGE",
    "PYTHONBREAKPOINT", "DOTNET_ADDITIONAL_DEPS", "CORECLR_PROFILER", "LUA_INIT", "LUA_INIT_5_1", "LUA_INIT_5_2",
    "LUA_INIT_5_3", "LUA_INIT_5_4", "RUBYSHELL", "ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS",
    "R_ENVIRON", "R_ENVIRON_USER", "R_PROFILE", "R_PROFILE_USER",
    // Shells, editors, version control, plugins, and what opens pages or asks for passwords.
    "KSH_ENV", "FPATH", "EXINIT", "VIMINIT", "GVIMINIT", "MYVIMRC", "EMACSLOADPATH", "JULIA_EDITOR", "HGRCPATH",
    "HGEDITOR", "HGMERGE", "SVN_EDITOR", "SVN_SSH", "BZR_EDITOR", "BZR_SSH", "BZR_PLUGIN_PATH", "HELM_PLUGINS",
    "PACKER_PLUGIN_PATH", "VAGRANT_VAGRANTFILE", "BROWSER", "SUDO_ASKPASS",
    // Writes the keys of connections to a file.
    "SSLKEYLOGFILE",
];

/// Whether the name says that the value is a secret. It passes only when a policy lists that very name.
pub(crate) fn is_secret(name: &[u8]) -> bool {
    let name = name.to_ascii_uppercase();
    let ends = [b"_KEY".as_slice(), b"_TOKEN", b"_SECRET", b"_CREDENTIALS"];
    let starts = [b"AWS_".as_slice(), b"GOOGLE_", b"AZURE_"];
    ends.iter().any(|end| name.ends_with(end))
        || starts.iter().any(|start| name.starts_with(start))
        || name.windows(8).any(|part| part == b"PASSWORD")
}
