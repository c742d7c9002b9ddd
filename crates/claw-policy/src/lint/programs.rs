//! Programs that an allowlist should not name without thought. docs/policy-reference.md, "Commands".

/// What a program is, for the lint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trap {
    /// Changes who or where one is; what it runs is not judged.
    Escalation,
    /// A line for a shell is opened and judged without an entry; an entry lets scripts run unjudged.
    Shell,
    /// Only runs what is judged anyway.
    Wrapper,
    /// Allowed without bounds, it runs any text.
    Interpreter,
    /// Runs code that lies in the workspace or comes from a registry.
    Runner,
    /// Can be made to run another program or to write a file by its arguments, which are judged.
    Carrier,
}

const TRAPS: &[(Trap, &[&str])] = &[
    (
        Trap::Escalation,
        &[
            "sudo",
            "doas",
            "su",
            "pkexec",
            "chroot",
            "unshare",
            "nsenter",
            "ssh",
            "systemd-run",
            "at",
            "batch",
            "crontab",
            "bwrap",
            "firejail",
            "strace",
            "gdb",
            "script",
            "docker",
            "podman",
        ],
    ),
    (Trap::Shell, &["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "busybox", "toybox"]),
    (
        Trap::Wrapper,
        &[
            "env", "nice", "nohup", "timeout", "stdbuf", "time", "flock", "ionice", "setsid", "watch",
            "xargs", "parallel",
        ],
    ),
    (
        Trap::Interpreter,
        &[
            "python",
            "pypy",
            "node",
            "nodejs",
            "deno",
            "bun",
            "ruby",
            "perl",
            "php",
            "lua",
            "osascript",
            "Rscript",
            "julia",
            "elixir",
            "guile",
            "groovy",
            "scala",
            "clojure",
            "raku",
            "ghc",
            "erl",
            "expect",
            "tclsh",
        ],
    ),
    (
        Trap::Runner,
        &[
            "npm", "npx", "pnpm", "yarn", "bunx", "pip", "pipx", "uv", "uvx", "cargo", "go", "make", "gmake",
            "cmake", "ninja", "gradle", "mvn", "kubectl", "ansible",
        ],
    ),
    (
        Trap::Carrier,
        &[
            "git", "find", "fd", "awk", "gawk", "mawk", "sed", "vim", "vi", "ed", "emacs", "less", "more",
            "man", "tar", "rsync", "sort", "rg", "curl", "wget", "tcpdump", "zip", "openssl", "gcc", "g++",
            "cc", "ld",
        ],
    ),
];

/// What kind of trap `name` is; a version at its end (`python3.12`) does not matter.
pub(super) fn trap(name: &str) -> Option<Trap> {
    let plain = name.trim_end_matches(|end: char| end.is_ascii_digit() || end == '.').trim_end_matches('-');
    TRAPS.iter().find(|(_, names)| names.contains(&name) || names.contains(&plain)).map(|(trap, _)| *trap)
}
