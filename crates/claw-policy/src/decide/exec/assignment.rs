//! Assignments: each is an environment request, and some variables make programs run others.

use claw_shell::{Assignment, Command, CwdId, Lookup, Piece};

use super::words::display;
use super::{Judge, Scope};
use crate::decide::environment;
use crate::{Code, Reason};

/// Variables whose value is a command line that some program runs.
const COMMANDS: [&[u8]; 34] = [
    b"PAGER",
    b"MANPAGER",
    b"GIT_PAGER",
    b"SYSTEMD_PAGER",
    b"BAT_PAGER",
    b"DELTA_PAGER",
    b"GH_PAGER",
    b"EDITOR",
    b"VISUAL",
    b"GIT_EDITOR",
    b"GIT_SEQUENCE_EDITOR",
    b"SUDO_EDITOR",
    b"FCEDIT",
    b"BROWSER",
    b"GH_BROWSER",
    b"GIT_SSH",
    b"GIT_SSH_COMMAND",
    b"GIT_ASKPASS",
    b"SSH_ASKPASS",
    b"SUDO_ASKPASS",
    b"GIT_EXTERNAL_DIFF",
    b"GIT_PROXY_COMMAND",
    b"RSYNC_RSH",
    b"CVS_RSH",
    b"SHELL",
    b"CC",
    b"CXX",
    b"RUSTC",
    b"RUSTC_WRAPPER",
    b"RUSTC_WORKSPACE_WRAPPER",
    b"RUSTDOC",
    b"LESSOPEN",
    b"LESSCLOSE",
    b"MAKE",
];

/// Variables beside those that are always stripped which change what allowed programs run or read as code.
const CARRIERS: [&[u8]; 40] = [
    b"HOME",
    b"XDG_CONFIG_HOME",
    b"XDG_CONFIG_DIRS",
    b"XDG_DATA_DIRS",
    b"TAR_OPTIONS",
    b"RIPGREP_CONFIG_PATH",
    b"MAKEFILES",
    b"MFLAGS",
    b"GNUMAKEFLAGS",
    b"PYTHONUSERBASE",
    b"PYTHONBREAKPOINT",
    b"PYTHONINSPECT",
    b"CARGO_HOME",
    b"RUSTUP_HOME",
    b"RUSTUP_TOOLCHAIN",
    b"GOROOT",
    b"GOENV",
    b"GOTOOLDIR",
    b"GOTOOLCHAIN",
    b"GCC_EXEC_PREFIX",
    b"COMPILER_PATH",
    b"JAVA_HOME",
    b"MAVEN_OPTS",
    b"GRADLE_OPTS",
    b"SBT_OPTS",
    b"ANT_OPTS",
    b"PIP_CONFIG_FILE",
    b"KUBECONFIG",
    b"DOCKER_CONFIG",
    b"DOCKER_HOST",
    b"LESS",
    b"LESSKEY",
    b"MANOPT",
    b"ZIPOPT",
    b"UNZIP",
    b"TERMINFO",
    b"OPENSSL_CONF",
    b"OPENSSL_MODULES",
    b"OPENSSL_ENGINES",
    b"INPUTRC",
];

/// Variables of the shell itself: they matter also when they are not exported.
const SHELL_VARIABLES: [&[u8]; 9] = [
    b"BASH_ENV",
    b"ENV",
    b"PROMPT_COMMAND",
    b"SHELLOPTS",
    b"BASHOPTS",
    b"PS4",
    b"GLOBIGNORE",
    b"CDPATH",
    b"HOME",
];

/// Values that make a pager or an editor do nothing.
const INERT: [&[u8]; 5] = [b"", b"cat", b"true", b"false", b":"];

impl Judge<'_> {
    /// Judges one assignment; `command` is what it stands in front of.
    pub(super) fn assignment(
        &mut self,
        scope: &Scope<'_>,
        assignment: &Assignment,
        command: Option<&Command>,
    ) {
        // Taking a variable away gives nothing, but for PATH: without it a shell has its own default.
        let name = assignment.name.as_slice();
        if assignment.value.is_none() && name != b"PATH" {
            return;
        }
        if name == b"PATH" {
            return self.search_path(scope, assignment);
        }
        if !reaches_something(assignment, command) || !self.restricted() && !is_stripped(self, name) {
            return;
        }
        if COMMANDS.contains(&name) || name.ends_with(b"_PAGER") || name.ends_with(b"_EDITOR") {
            return self.command_variable(scope, assignment, command.map_or(CwdId(0), |command| command.cwd));
        }
        let shown = display(name);
        let reason = if is_stripped(self, name) {
            Reason::new(Code::EnvironmentStripped, format!("`{shown}` is never passed to a command"))
        } else if CARRIERS.contains(&name) || is_carrier_prefix(name) {
            Reason::new(Code::ExecCarrier, format!("`{shown}` changes what programs run or read as code"))
        } else {
            return;
        };
        self.findings.refuse(reason.at(scope.span(assignment.span)));
    }

    /// `PAGER=less git log`: the variable's value is judged as the command that it is.
    fn command_variable(&mut self, scope: &Scope<'_>, assignment: &Assignment, cwd: CwdId) {
        let name = display(&assignment.name);
        let Some(value) = assignment.value.as_ref().and_then(claw_shell::Word::as_literal) else {
            let message = format!("`{name}` names a command that is only known when the line runs");
            return self.unknown(scope, assignment.span, message);
        };
        if INERT.contains(&&*value) {
            return;
        }
        // `LESSOPEN='|command %s'`.
        let text = value.strip_prefix(b"|").unwrap_or(&value);
        self.carried(scope, cwd, text, assignment.span);
    }

    /// PATH may only name the trusted directories.
    fn search_path(&mut self, scope: &Scope<'_>, assignment: &Assignment) {
        let trusted = |text: &[u8]| {
            text.split(|byte| *byte == b':').all(|dir| {
                self.policy.trusted_dirs.iter().any(|known| known.as_os_str().as_encoded_bytes() == dir)
            })
        };
        // Each piece is `$PATH`, or directories that are joined to it by a colon.
        let fine = assignment.value.as_ref().is_some_and(|value| {
            !value.pieces.is_empty()
                && value.pieces.iter().all(|piece| match piece {
                    Piece::Param { name, .. } => name == b"PATH",
                    Piece::Literal(text) if value.pieces.len() == 1 => trusted(text),
                    Piece::Literal(text) => {
                        let inner = text.strip_prefix(b":").unwrap_or(text);
                        let inner = inner.strip_suffix(b":").unwrap_or(inner);
                        inner.len() < text.len() && (inner.is_empty() && text.len() == 1 || trusted(inner))
                    }
                    _ => false,
                })
        });
        if !fine {
            let message = "`PATH` may only name the trusted directories";
            self.findings.refuse(Reason::new(Code::ExecCarrier, message).at(scope.span(assignment.span)));
        }
    }
}

/// Whether the value reaches a program, or the shell reads it itself.
fn reaches_something(assignment: &Assignment, command: Option<&Command>) -> bool {
    if SHELL_VARIABLES.contains(&assignment.name.as_slice()) || assignment.name.starts_with(b"LD_") {
        return true;
    }
    match command {
        // An assignment before a builtin ends with it (`IFS= read -r line`).
        Some(command) => !matches!(command.lookup, Lookup::Builtin(claw_shell::Builtin::Harmless)),
        None => assignment.exported,
    }
}

fn is_stripped(judge: &Judge<'_>, name: &[u8]) -> bool {
    environment::judge(judge.policy, name)
        .is_err_and(|reasons| reasons.iter().any(|reason| reason.code == Code::EnvironmentStripped))
}

fn is_carrier_prefix(name: &[u8]) -> bool {
    let upper = name.to_ascii_uppercase();
    (upper.starts_with(b"CARGO_")
        && [&b"_WRAPPER"[..], b"_RUNNER", b"_LINKER", b"_RUSTC", b"_RUSTDOC", b"_RUSTFLAGS"]
            .iter()
            .any(|end| upper.ends_with(end)))
        || upper.starts_with(b"NPM_CONFIG_")
        || upper.starts_with(b"CMAKE_") && upper.ends_with(b"_LAUNCHER")
        || upper.starts_with(b"DYLD_")
        || upper.starts_with(b"LD_")
}
