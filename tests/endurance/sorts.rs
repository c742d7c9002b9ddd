//! The sorts of runs: what each does, and how it ends when it is left alone.

use std::time::Duration;

use claw_sandbox::{Command, Ending, Outcome, Sandbox, Stream, TtySize};

use crate::place::Place;

/// Scripts in the workspace. `$1` is the run's mark, a number of seconds that nobody else sleeps.
pub(crate) const SCRIPTS: &[(&str, &str)] = &[
    ("tree", "for i in 1 2 3; do (for j in 1 2 3; do sleep $1 & done; wait) & done; wait\n"),
    (
        "daemon",
        "setsid sleep $1 < /dev/null > /dev/null 2>&1 &\nsetsid sh -c \"trap '' TERM HUP; sleep $1\" > /dev/null 2>&1 &\nexit 5\n",
    ),
    ("denied", "touch marked\nfind tree -exec touch marked ';'\nexit 9\n"),
    (
        "protected",
        "echo x > own.$1 && rm own.$1 || exit 1\necho x > .git/config\necho x > .git/hooks/pre-commit\necho x > ../out/new\nexit 6\n",
    ),
    ("network", ": > /dev/tcp/127.0.0.1/$3\n: > /dev/tcp/127.0.0.1/$2 && exit 4\n"),
    ("storm", "i=0; while [ $i -lt 25 ]; do env true; i=$((i+1)); done; exit 3\n"),
    ("stubborn", "trap '' TERM HUP INT; while :; do sleep $1; done\n"),
    ("stopped", "kill -s STOP $$; sleep $1\n"),
    ("signals", "kill -s KILL $2; kill -s TERM $2; exit 8\n"),
    ("asked", "id > /dev/null; id -u > /dev/null; exit 2\n"),
];

/// Which sandbox a sort needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Under {
    Plain,
    Network,
    Limited,
    Asking,
}

impl Under {
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Network, Self::Limited, Self::Asking];

    /// The rest of the policy. Protected paths are in all of them, and so is the log.
    pub(crate) fn policy(self, place: &Place) -> String {
        let own = match self {
            Self::Plain => "logging: {auditFileAccess: true, ".into(),
            Self::Network => format!(
                "network: {{default: deny, allow: [{{port: {}, protocol: tcp, host: 127.0.0.1}}]}}\nlogging: {{",
                place.open_port
            ),
            // The kernel counts the processes of all runs of an unprivileged user, so the bound leaves room for eight.
            Self::Limited => "limits: {output: 64KiB, processes: 1000, openFiles: 64}\nlogging: {".into(),
            Self::Asking => "logging: {".into(),
        };
        let ask = if self == Self::Asking { ", ask: on-miss" } else { "" };
        let allowed = "sh, bash, sleep, setsid, env, 'true', seq, sort, head, 'yes', find, rm, kill, echo";
        format!(
            "workspace: {}\nexec: {{allowlist: [{allowed}]{ask}}}\nfilesystem: {{readOnly: [{}]}}\n{own}logFile: {}}}\n",
            place.path("ws").display(),
            place.path("ro").display(),
            place.path(format!("out/{self:?}.log")).display()
        )
    }
}

/// One sort of run.
#[derive(Debug)]
pub(crate) struct Sort {
    pub(crate) name: &'static str,
    pub(crate) under: Under,
    pub(crate) command: fn(&Sandbox, &Place, &str) -> Command,
    pub(crate) ends: Ends,
}

/// How a run of a sort ends when nobody ends it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    /// By itself, with this status.
    With(i32),
    /// The same, on a terminal of its own.
    OnATerminal(i32),
    /// With this status and output.
    Saying(i32, &'static str),
    /// With this status, after denials.
    Denied(i32),
    /// By the limit of its output.
    AtTheLimit,
    /// Not.
    Never,
    /// It does not begin.
    Refused,
}

impl Ends {
    /// Whether a run that was left alone ended as its sort does.
    pub(crate) fn holds(self, outcome: &Outcome, said: &[u8]) -> bool {
        let code = outcome.status.and_then(|status| status.code());
        let exited = |status| outcome.ending == Ending::Exited && code == Some(status);
        match self {
            Self::With(status) | Self::OnATerminal(status) => exited(status),
            Self::Saying(status, text) => exited(status) && said == text.as_bytes(),
            Self::Denied(status) => exited(status) && outcome.denials != claw_sandbox::Denials::default(),
            Self::AtTheLimit => outcome.ending == Ending::OutputLimit(Stream::Stdout),
            Self::Never | Self::Refused => false,
        }
    }
}

/// A script of the workspace with its mark and the ports.
fn script(shell: &str, name: &str, sandbox: &Sandbox, place: &Place, mark: &str) -> Command {
    let mut command = sandbox.command(shell);
    command.arg(place.path("ws").join(name)).arg(mark).args([&place.open_port, &place.closed_port]);
    command
}

/// Every sort.
pub(crate) const ALL: &[Sort] = &[
    Sort {
        name: "a plain command",
        under: Under::Plain,
        command: |sandbox, _, _| sandbox.command("true"),
        ends: Ends::With(0),
    },
    Sort {
        name: "a line",
        under: Under::Plain,
        command: |sandbox, _, _| sandbox.shell("exit 7"),
        ends: Ends::With(7),
    },
    Sort {
        name: "a pipeline",
        under: Under::Limited,
        command: |sandbox, _, _| sandbox.shell("seq 1 2000 | sort -rn | head -n 1"),
        ends: Ends::Saying(0, "2000\n"),
    },
    Sort {
        name: "a sleeper",
        under: Under::Plain,
        command: |sandbox, _, mark| {
            let mut command = sandbox.command("sleep");
            command.arg(mark);
            command
        },
        ends: Ends::Never,
    },
    Sort {
        name: "a tree of forks",
        under: Under::Plain,
        command: |s, p, m| script("sh", "tree", s, p, m),
        ends: Ends::Never,
    },
    Sort {
        name: "a tree of forks under limits",
        under: Under::Limited,
        command: |s, p, m| script("sh", "tree", s, p, m),
        ends: Ends::Never,
    },
    Sort {
        name: "a flood",
        under: Under::Limited,
        command: |sandbox, _, _| sandbox.command("yes"),
        ends: Ends::AtTheLimit,
    },
    Sort {
        name: "a flood of two",
        under: Under::Limited,
        command: |sandbox, _, _| sandbox.shell("yes & yes 1>&2"),
        ends: Ends::Never,
    },
    Sort {
        name: "denied descendants",
        under: Under::Plain,
        command: |s, p, m| script("sh", "denied", s, p, m),
        ends: Ends::Denied(9),
    },
    Sort {
        name: "daemons",
        under: Under::Plain,
        command: |s, p, m| script("sh", "daemon", s, p, m),
        ends: Ends::With(5),
    },
    Sort {
        name: "protected paths",
        under: Under::Plain,
        command: |s, p, m| script("sh", "protected", s, p, m),
        ends: Ends::Denied(6),
    },
    Sort {
        name: "network rules",
        under: Under::Network,
        command: |s, p, m| script("bash", "network", s, p, m),
        ends: Ends::Denied(4),
    },
    Sort {
        name: "a storm of execs",
        under: Under::Network,
        command: |s, p, m| script("sh", "storm", s, p, m),
        ends: Ends::With(3),
    },
    Sort {
        name: "deaf to signals",
        under: Under::Plain,
        command: |s, p, m| script("bash", "stubborn", s, p, m),
        ends: Ends::Never,
    },
    Sort {
        name: "stopped by itself",
        under: Under::Plain,
        command: |s, p, m| script("sh", "stopped", s, p, m),
        ends: Ends::Never,
    },
    Sort {
        name: "signals to outside",
        under: Under::Plain,
        command: |sandbox, place, mark| {
            let mut command = sandbox.command("sh");
            command.arg(place.path("ws/signals")).arg(mark).arg(&place.victim);
            command
        },
        ends: Ends::With(8),
    },
    Sort {
        name: "questions",
        under: Under::Asking,
        command: |s, p, m| script("sh", "asked", s, p, m),
        ends: Ends::With(2),
    },
    Sort {
        name: "a terminal",
        under: Under::Plain,
        command: |sandbox, _, _| {
            let mut command = sandbox.shell("[ -t 0 ] && [ -t 1 ] && exit 3");
            command.tty(TtySize::default());
            command
        },
        ends: Ends::OnATerminal(3),
    },
    Sort {
        name: "no such program",
        under: Under::Plain,
        command: |sandbox, _, _| sandbox.command("no-such-program"),
        ends: Ends::Refused,
    },
    Sort {
        name: "a denied command",
        under: Under::Plain,
        command: |sandbox, _, _| sandbox.shell("touch marked"),
        ends: Ends::Refused,
    },
];

/// How somebody ends a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cancel {
    /// Nobody does.
    Not,
    Kill(Duration),
    Terminate(Duration),
    TimeOut(Duration),
    /// The handle is dropped.
    Drop(Duration),
    /// From another thread, while this one waits.
    KillMeanwhile(Duration),
    /// Signals to the group first, whatever they do, and the end then.
    Signals(Duration),
}
