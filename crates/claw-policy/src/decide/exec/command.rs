//! One simple command.

use claw_shell::{Builtin, Command, Lookup};

use super::program::Program;
use super::words::{base_name, display};
use super::{Judge, Scope, carrier, inline};
use crate::{Code, FactError, Reason};

impl<'a> Judge<'a> {
    pub(super) fn command(&mut self, scope: &Scope<'_>, command: &Command) {
        match command.lookup {
            Lookup::Builtin(builtin) => self.builtin(scope, command, builtin),
            Lookup::Function => {}
            Lookup::Program | Lookup::FunctionOrProgram => self.program(scope, command),
        }
        for assignment in &command.assignments {
            self.assignment(scope, assignment, Some(command));
        }
    }

    fn builtin(&mut self, scope: &Scope<'_>, command: &Command, builtin: Builtin) {
        let Some(name) = command.words.first().and_then(claw_shell::Word::as_literal) else { return };
        let span = scope.span(command.span);
        let program = Program { invoked: name, fact: Err(FactError::NotFound) };
        if self.denied(&program, span) {
            return;
        }
        if builtin == Builtin::Opaque && scope.script().opaque.is_empty() && !self.unrestricted() {
            self.unknown(scope, command.span, "this builtin does something that the text does not tell");
        }
        self.findings.allow(Reason::new(Code::ExecBuiltin, "a builtin of the shell").at(span));
        if matches!(&*program.invoked, b"test" | b"[" | b"mapfile" | b"readarray") {
            self.hidden_operands(scope, command, &program.invoked);
        }
    }

    fn program(&mut self, scope: &Scope<'_>, command: &Command) {
        let Some(word) = command.words.first() else { return };
        if let Some(name) = word.as_literal().filter(|name| !name.contains(&b'/')) {
            if let Some(program) = self.named(name) {
                self.one_program(scope, command, &program);
            }
            return;
        }
        let Some(programs) = self.programs_of(scope, word, command.cwd) else {
            if !self.unrestricted() {
                self.unknown(scope, word.span, "which program this names is only known when the line runs");
            }
            return;
        };
        for program in &programs {
            self.one_program(scope, command, program);
        }
    }

    fn one_program(&mut self, scope: &Scope<'_>, command: &Command, program: &Program<'a, '_>) {
        let span = scope.span(command.span);
        if let Ok(fact) = program.fact {
            self.programs.push(fact);
        }
        if self.denied(program, span) {
            return;
        }
        // Nothing more has to be known of what may not run at all.
        if !self.allowed(program, command, span) && !self.askable() {
            return;
        }
        self.present(program, span);
        let names = [Some(program.name()), program.real().map(base_name)];
        self.inline_eval(scope, command, names);
        self.hidden_operands(scope, command, program.name());
        if self.restricted() && !command.transparent {
            carrier::judge(self, scope, command, names);
        } else if command.transparent {
            carrier::judge_wrapper(self, scope, command, program.name());
        }
    }

    /// Whether an allowed program is there is no question of the policy: the run says so, or its shell does.
    fn present(&mut self, program: &Program<'_, '_>, span: claw_shell::Span) {
        let name = || display(&program.invoked);
        match program.fact {
            Ok(fact) if fact.executable => {}
            Ok(_) => {
                let message = format!("`{}` is not executable", name());
                self.findings.absent(Reason::new(Code::ExecNotExecutable, message).at(span));
            }
            Err(FactError::IsDirectory) => {
                let message = format!("`{}` is a directory", name());
                self.findings.absent(Reason::new(Code::ExecNotExecutable, message).at(span));
            }
            Err(_) => {
                let message = if program.is_bare() {
                    format!(
                        "`{}` was not found in the trusted directories; `exec.trustedDirs` lists them",
                        name()
                    )
                } else {
                    format!("`{}` was not found", name())
                };
                self.findings.absent(Reason::new(Code::ExecNotFound, message).at(span));
            }
        }
    }

    fn inline_eval(&mut self, scope: &Scope<'_>, command: &Command, names: [Option<&[u8]>; 2]) {
        let Some(rule) = self.policy.exec.iter().find_map(|layer| layer.inline_eval_denied.as_ref()) else {
            return;
        };
        let Some(found) = names.into_iter().flatten().find_map(|name| inline::detect(name, command)) else {
            return;
        };
        let reason = match found {
            inline::Found::Text(what) => {
                Reason::new(Code::ExecInlineEval, format!("{what}, and `inlineEval` is `deny`"))
                    .with_change("set exec.inlineEval to allow")
            }
            inline::Found::Unknown => {
                return self.unknown(
                    scope,
                    command.span,
                    "the arguments of this interpreter may be program text",
                );
            }
        };
        self.findings.refuse(reason.by(rule).at(scope.span(command.span)));
    }
}
