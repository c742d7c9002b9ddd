//! The wrappers with their option syntax, from the manuals of coreutils 9.5, util-linux 2.40,
//! procps 4.0, GNU time 1.9 and bash 5.2.

use super::options::Options;

/// What a wrapper does with its operands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// They are the inner command.
    Command,
    /// The first is a duration, which cannot be mistaken for an option that takes a command.
    Duration,
    /// Assignments, then the inner command.
    Environment,
    /// Like `Command`, with an option that names a file to write.
    Output,
    /// A lock file, then the inner command or `-c` and a text.
    Lock,
    /// They are joined to a text for `sh -c`.
    ShellText,
}

#[derive(Debug)]
pub(super) struct Wrapper {
    names: &'static [&'static str],
    pub(super) kind: Kind,
    /// How many operands stand before the inner command.
    pub(super) operands: usize,
    pub(super) options: Options,
    /// Options with which nothing is run.
    pub(super) stops: &'static [&'static str],
}

pub(super) fn find(name: &[u8]) -> Option<&'static Wrapper> {
    let name = std::str::from_utf8(name).ok()?;
    TABLE.iter().chain([&COMMAND]).find(|wrapper| wrapper.names.contains(&name))
}

const NO_OPTIONS: Options = Options {
    flags: "",
    valued: "",
    optional: "",
    long_flags: &[],
    long_valued: &[],
    long_optional: &[],
    number: false,
};

const PLAIN: Wrapper =
    Wrapper { names: &[], kind: Kind::Command, operands: 0, options: NO_OPTIONS, stops: &[] };

/// Also a program (`/usr/bin/command`) on some systems.
pub(super) static COMMAND: Wrapper = Wrapper {
    names: &["command"],
    options: Options { flags: "pvV", ..NO_OPTIONS },
    stops: &["v", "V"],
    ..PLAIN
};

/// Only ever a builtin, so it has no name to be found by.
pub(super) static EXEC: Wrapper =
    Wrapper { options: Options { flags: "cl", valued: "a", ..NO_OPTIONS }, ..PLAIN };

static TABLE: [Wrapper; 10] = [
    Wrapper {
        names: &["env"],
        kind: Kind::Environment,
        options: Options {
            flags: "i0v-",
            valued: "uCSa",
            long_flags: &["ignore-environment", "null", "debug", "list-signal-handling"],
            long_valued: &["unset", "chdir", "split-string", "argv0"],
            long_optional: &["block-signal", "default-signal", "ignore-signal"],
            ..NO_OPTIONS
        },
        ..PLAIN
    },
    Wrapper {
        names: &["nice"],
        options: Options { valued: "n", long_valued: &["adjustment"], number: true, ..NO_OPTIONS },
        ..PLAIN
    },
    Wrapper { names: &["nohup"], ..PLAIN },
    Wrapper {
        names: &["setsid"],
        options: Options { flags: "cfwVh", long_flags: &["ctty", "fork", "wait"], ..NO_OPTIONS },
        stops: &["V", "h"],
        ..PLAIN
    },
    Wrapper {
        names: &["timeout"],
        kind: Kind::Duration,
        operands: 1,
        options: Options {
            flags: "fpv",
            valued: "ks",
            long_flags: &["foreground", "preserve-status", "verbose"],
            long_valued: &["kill-after", "signal"],
            ..NO_OPTIONS
        },
        ..PLAIN
    },
    Wrapper {
        names: &["stdbuf"],
        options: Options { valued: "ioe", long_valued: &["input", "output", "error"], ..NO_OPTIONS },
        ..PLAIN
    },
    Wrapper {
        names: &["time"],
        kind: Kind::Output,
        options: Options {
            flags: "apvqVh",
            valued: "fo",
            long_flags: &["append", "portability", "verbose", "quiet"],
            long_valued: &["format", "output"],
            ..NO_OPTIONS
        },
        stops: &["V", "h"],
        ..PLAIN
    },
    Wrapper {
        names: &["flock"],
        kind: Kind::Lock,
        options: Options {
            flags: "exsnuoFVh",
            valued: "wEc",
            long_flags: &["exclusive", "shared", "unlock", "nonblock", "nb", "close", "no-fork", "verbose"],
            long_valued: &["timeout", "wait", "conflict-exit-code", "command"],
            ..NO_OPTIONS
        },
        stops: &["V", "h"],
        ..PLAIN
    },
    Wrapper {
        names: &["ionice"],
        options: Options {
            flags: "tVh",
            valued: "cnpPu",
            long_flags: &["ignore"],
            long_valued: &["class", "classdata", "pid", "pgid", "uid"],
            ..NO_OPTIONS
        },
        stops: &["V", "h", "p", "P", "u", "pid", "pgid", "uid"],
        ..PLAIN
    },
    Wrapper {
        names: &["watch"],
        kind: Kind::ShellText,
        options: Options {
            flags: "bceghprtvwxC",
            valued: "nqs",
            optional: "d",
            long_flags: &[
                "beep",
                "color",
                "no-color",
                "errexit",
                "chgexit",
                "precise",
                "no-rerun",
                "no-title",
                "no-wrap",
                "no-linewrap",
                "exec",
            ],
            long_valued: &["interval", "equexit", "shotsdir"],
            long_optional: &["differences"],
            ..NO_OPTIONS
        },
        stops: &["h", "v"],
        ..PLAIN
    },
];
