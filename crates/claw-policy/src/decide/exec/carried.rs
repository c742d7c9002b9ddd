//! Commands that arguments and variables carry: they are judged like commands of the line.

use std::path::PathBuf;

use claw_shell::{CwdId, Dialect, Script, Span};

use super::directories::Directories;
use super::expected::Before;
use super::{Judge, Scope};

impl Judge<'_> {
    /// Judges a command line that an argument or a variable makes a program run.
    pub(super) fn carried(&mut self, scope: &Scope<'_>, cwd: CwdId, text: &[u8], span: Span) {
        match claw_shell::parse(text, Dialect::Posix) {
            Ok(script) => self.carried_script(scope, cwd, &script, span),
            Err(_) => self.carrier(scope, span, "the command line in this argument does not parse"),
        }
    }

    /// Judges an argument vector that an argument makes a program run.
    pub(super) fn carried_argv(&mut self, scope: &Scope<'_>, cwd: CwdId, argv: &[Vec<u8>], span: Span) {
        match claw_shell::from_argv(argv) {
            Ok(script) => self.carried_script(scope, cwd, &script, span),
            Err(_) => self.carrier(scope, span, "the command in this argument cannot be read"),
        }
    }

    fn carried_script(&mut self, scope: &Scope<'_>, cwd: CwdId, script: &Script, span: Span) {
        if scope.depth >= super::CARRIED_DEPTH {
            return self.carrier(scope, span, "commands inside arguments are nested too deeply");
        }
        let start = scope.directories.at(cwd).map(<[PathBuf]>::to_vec);
        let before = Before { script, outer: scope.before.runs_a_program(span, None) };
        let directories = Directories::new(before, self.world, start);
        let (span, depth) = (Some(scope.span(span)), scope.depth + 1);
        self.script(&Scope { before, directories, span, depth });
    }
}
