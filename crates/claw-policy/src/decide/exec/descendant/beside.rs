//! Why a process may start what no list has: it is a part of what it works for, or it only starts what is judged.

use std::path::Path;

use super::super::program::is_multi_call;
use super::super::words::{base_name, bytes_path, display};
use super::super::{Judge, inline};
use super::Case;
use super::applet::called;
use super::known::{SHELLS, WRAPPERS};
use super::lists::named;
use super::parts::Form;
use crate::policy::{Descendants, Security};
use crate::role::Held;
use crate::{Code, ExecRequest, ProgramFact, Reason};

impl Case<'_> {
    /// Why it may run though no list has it, and whether it then works for whom its caller does.
    pub(super) fn beside(&self, narrowed: bool) -> Option<(Reason, bool)> {
        match self.part() {
            Some((reason, Form::Stated)) => return Some((reason, true)),
            // Where entries name the arguments, no bundle allows others.
            _ if narrowed => return None,
            Some((reason, Form::Any)) => return Some((reason, true)),
            None => {}
        }
        if let Some(reason) = self.wrapper() {
            return Some((reason, true));
        }
        if self.is_judged_text() {
            let message = format!("what `{}` runs is allowed", self.shown());
            return Some((Reason::new(Code::ExecTransparent, message), false));
        }
        self.by_place()
    }

    /// Why it may run for being where it is.
    fn by_place(&self) -> Option<(Reason, bool)> {
        let program = self.request.program;
        let shown = self.shown();
        if self.policy.descendants == Descendants::System && self.known.is_trusted(program) {
            let message = format!("`{shown}` is in a trusted directory, and `exec.descendants` is `system`");
            return Some((Reason::new(Code::ExecSystem, message), true));
        }
        let root = self.world.ground(self.policy).execution_root(&program.real)?;
        if !self.is_interpretable() {
            return None;
        }
        let message = format!("`{shown}` lies in a tree whose programs may run");
        Some((Reason::new(Code::ExecAllowed, message).by(&root.rule), false))
    }

    /// Whether the interpreters that the kernel starts for a script may run by themselves.
    fn is_interpretable(&self) -> bool {
        self.request.program.started_for_it().all(|interpreter| {
            let is_free = |name: &[u8]| name == b"env" || SHELLS.contains(&name) || self.is_listed(name);
            self.known.names_at(interpreter).any(is_free)
                || self
                    .held()
                    .iter()
                    .filter_map(|owner| self.known.parts(owner))
                    .any(|parts| parts.has_file(interpreter))
        })
    }

    /// Whether every layer has an entry for the program `name` with any arguments.
    fn is_listed(&self, name: &[u8]) -> bool {
        self.policy.exec.iter().enumerate().all(|(index, layer)| {
            let mut entries = named(self.policy, index, layer, name);
            layer.security.value == Security::Full
                || entries.any(|entry| entry.value.prefix.is_empty() && entry.value.allow.is_empty())
        })
    }

    /// Why and how the caller may run it as a part of what it works for.
    pub(super) fn part(&self) -> Option<(Reason, Form)> {
        let program = self.request.program;
        let form = |owner| self.known.form(owner, program, self.called, &self.names, &self.arguments);
        let forms = self.held().into_iter().filter_map(|owner| Some((form(owner)?, owner)));
        if let Some((form, owner)) = forms.max_by_key(|(form, _)| *form) {
            // A script brings its interpreters, which the bundle has to hold too.
            if form == Form::Stated || self.is_interpretable() {
                let message = format!("`{}` is a part of `{}`", self.shown(), display(owner));
                return Some((Reason::new(Code::ExecPart, message), form));
            }
        }
        let script = self.script()?;
        let name = script.found.file_name().unwrap_or_default().to_string_lossy();
        let message = format!("`{}` reads the script `{name}`", self.shown());
        Some((Reason::new(Code::ExecPart, message), Form::Any))
    }

    /// The programs whose parts the caller may start.
    pub(super) fn held(&self) -> Vec<&[u8]> {
        match self.request.caller.held() {
            Held::Bundles(owners) => owners.iter().map(Vec::as_slice).collect(),
            Held::Command { program, argv } => self.known.names_of(program, called(program, argv)),
        }
    }

    /// The caller's script, when the program is an interpreter of it and is started for it.
    fn script(&self) -> Option<&ProgramFact> {
        let script = self.request.caller.script()?;
        let is_interpreter = script.interpreters.contains(&self.request.program.real);
        if !is_interpreter || is_multi_call(&self.request.program.real) {
            return None;
        }
        // Before the script's own name there is at most the one argument of its `#!` line.
        let words = self.arguments.iter().take(2).enumerate();
        let named =
            words.skip_while(|(at, word)| *at == 0 && word.starts_with(b"-")).map(|(_, word)| word).next()?;
        let path = self.request.cwd.join(bytes_path(named));
        let is_it = path == script.found || path == script.real || self.is_file(&path, script);
        (is_it && inline::detect(self.called.name, self.command()).is_none()).then_some(script)
    }

    fn is_file(&self, path: &Path, script: &ProgramFact) -> bool {
        matches!(self.world.program_path(path), Some(Ok(fact)) if fact.id == script.id)
    }

    /// Why a program that only runs what its arguments name may run.
    fn wrapper(&self) -> Option<Reason> {
        let name = self.names.iter().find(|name| WRAPPERS.contains(name))?;
        if runs_applets(self.request.program) {
            return None;
        }
        let message = format!("`{}` only runs commands that are judged themselves", display(name));
        Some(Reason::new(Code::ExecTransparent, message))
    }

    /// Whether it is a shell with a text that could be asked for, or a wrapper that may run one of its own
    /// programs without an execution.
    fn is_judged_text(&self) -> bool {
        let is_judged = |name: &&&[u8]| SHELLS.contains(name) || WRAPPERS.contains(name);
        let Some(name) = self.names.iter().find(is_judged) else { return false };
        let mut argv = vec![name.to_vec()];
        argv.extend(self.arguments.iter().cloned());
        let Ok(script) = claw_shell::from_argv(&argv) else { return false };
        let request = ExecRequest {
            script: &script,
            shell: None,
            line: None,
            cwd: self.request.cwd.to_owned(),
            environment: Default::default(),
        };
        Judge::allows(self.policy, self.world, &request)
    }
}

/// Whether the file may become another of its programs without an execution that could be judged (`busybox xargs rm`).
fn runs_applets(program: &ProgramFact) -> bool {
    let name = base_name(program.real.as_os_str().as_encoded_bytes());
    name.starts_with(b"busybox") || name.starts_with(b"toybox")
}
