//! Programs that the processes of a run execute: may this process run that program?
//!
//! What is refused by name or by its arguments is refused at every level of the tree. What the agent may ask for,
//! any process of the run may start. Beside that a process may start the parts of the program that it works for
//! (its [`Role`]). A program is known by the file that it is, not by what it is called.

mod applet;
mod beside;
mod known;
mod lists;
mod parts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use claw_shell::{Command, CwdId, Lookup, Origin, Span, Word};

use self::applet::{Called, called};
pub(crate) use self::known::Known;
pub(in crate::decide) use self::known::SUPERVISED;
use self::lists::Verdict;
pub(in crate::decide) use self::parts::{in_installation, workspace};
use super::program::is_multi_call;
use super::words::{base_name, display};
use super::{glob, inline};
use crate::decide::world::World;
use crate::policy::{Ask, ProgramMatcher, Security};
use crate::{
    Code, Decision, Denial, DescendantGrant, DescendantRequest, Grant, Policy, Question, Reason, Role,
};

pub(in crate::decide) fn decide(
    policy: &Policy,
    world: &World<'_>,
    request: &DescendantRequest<'_>,
) -> Decision {
    let Some(known) = world.known(policy) else {
        return deny(
            request,
            vec![Reason::new(Code::ExecNotFound, "facts about the policy's programs are missing")],
        );
    };
    let called = called(request.program, request.argv);
    let names = known.names_of(request.program, called);
    let arguments = arguments_of(request.argv, called, &names);
    Case { policy, world, known: &known, request, called, names, arguments, command: OnceCell::new() }
        .decision()
}

/// One request being judged.
struct Case<'r> {
    policy: &'r Policy,
    world: &'r World<'r>,
    known: &'r Known,
    request: &'r DescendantRequest<'r>,
    called: Called<'r>,
    /// The policy's names that mean the program.
    names: Vec<&'r [u8]>,
    /// The words after its name.
    arguments: Cow<'r, [Vec<u8>]>,
    /// The argument vector as a command, made when a rule asks for it.
    command: OnceCell<Command>,
}

impl Case<'_> {
    fn decision(&self) -> Decision {
        if let Some(reason) = self.refusal() {
            return deny(self.request, vec![reason]);
        }
        let (mut allowed, mut missed, mut narrowed) = (Vec::new(), Vec::new(), false);
        for (index, layer) in self.policy.exec.iter().enumerate() {
            match self.layer(index, layer) {
                Verdict::Allow(reason) => allowed.push(reason),
                Verdict::Refuse(reason) => return deny(self.request, vec![reason]),
                Verdict::Miss(reason) => missed.push((layer, reason)),
                Verdict::Narrow(reason) => {
                    narrowed = true;
                    missed.push((layer, reason));
                }
            }
        }
        if missed.is_empty() {
            return self.allow(allowed, self.part().is_some());
        }
        if let Some((reason, keeps)) = self.beside(narrowed) {
            return self.allow(vec![reason], keeps);
        }
        let asks = missed.iter().all(|(layer, _)| layer.ask.value != Ask::Off);
        let reasons = missed.into_iter().map(|(_, reason)| reason).collect();
        if asks { self.ask(reasons) } else { deny(self.request, reasons) }
    }

    /// Why it may not run whatever any list says.
    fn refusal(&self) -> Option<Reason> {
        let layers = &self.policy.exec;
        if let Some(layer) = layers.iter().find(|layer| layer.security.value == Security::Deny) {
            let reason = Reason::new(Code::ExecSecurityDeny, "no command may run: `exec.security` is `deny`");
            return Some(reason.by(&layer.security.rule));
        }
        if let Some(entry) = self.policy.exec_deny.iter().find(|entry| self.is_denied(&entry.value)) {
            let message = format!("`{}` is never run: `{}` is in `exec.deny`", self.shown(), entry.rule.text);
            let change = format!("remove `{}` from exec.deny", entry.rule.text);
            return Some(Reason::new(Code::ExecDenied, message).by(&entry.rule).with_change(change));
        }
        self.inline_eval()
    }

    /// Whether a `deny` entry means the program or an interpreter that the kernel starts for it: any name is enough.
    fn is_denied(&self, matcher: &ProgramMatcher) -> bool {
        let program = self.request.program;
        let files = [&program.found, &program.real].into_iter().chain(program.started_for_it());
        match matcher {
            ProgramMatcher::Path(pattern) => {
                let mut paths = files.map(|file| file.as_os_str().as_encoded_bytes());
                paths.any(|path| glob::matches(pattern.as_bytes(), path))
            }
            ProgramMatcher::Name(name) => {
                let own = self.request.argv.first().map(|word| base_name(word));
                let mut named = files.map(|file| base_name(file.as_os_str().as_encoded_bytes()));
                own == Some(name)
                    || self.called.name == name
                    || self.names.contains(&name.as_slice())
                    || named.any(|known| known == name)
                    || self.is_interpreted_by(name)
            }
        }
    }

    /// Whether the kernel starts the trusted program `name` for it.
    fn is_interpreted_by(&self, name: &[u8]) -> bool {
        let program = self.request.program;
        program.is_script()
            && matches!(self.world.program(name), Some(Ok(fact)) if program.interpreters.contains(&fact.real))
    }

    fn inline_eval(&self) -> Option<Reason> {
        let rule = self.policy.exec.iter().find_map(|layer| layer.inline_eval_denied.as_ref())?;
        let real = base_name(self.request.program.real.as_os_str().as_encoded_bytes());
        let mut names = self.names.iter().copied().chain([self.called.name, real]);
        let found = names.find_map(|name| inline::detect(name, self.command()))?;
        let what = match found {
            inline::Found::Text(what) => what,
            inline::Found::Unknown => "the arguments of this interpreter may be program text".to_owned(),
        };
        let reason = Reason::new(Code::ExecInlineEval, format!("{what}, and `inlineEval` is `deny`"));
        Some(reason.by(rule).with_change("set exec.inlineEval to allow"))
    }

    /// The decision that allows it; with `keeps` the process goes on working for whom its caller does.
    fn allow(&self, reasons: Vec<Reason>, keeps: bool) -> Decision {
        Decision::Allow(Grant::Descendant(self.grant(reasons, keeps)))
    }

    fn ask(&self, reasons: Vec<Reason>) -> Decision {
        let grant = Box::new(Grant::Descendant(self.grant(Vec::new(), false)));
        Decision::Ask(Question { reasons, commands: vec![self.request.argv.to_vec()], grant })
    }

    fn grant(&self, reasons: Vec<Reason>, keeps: bool) -> DescendantGrant {
        let caller = self.request.caller;
        let mut bundles: Vec<Vec<u8>> = Vec::new();
        let mut hold = |name: &[u8]| {
            if self.known.has_bundle(name) && bundles.iter().all(|held| held != name) {
                bundles.push(name.to_vec());
            }
        };
        if keeps {
            self.held().into_iter().for_each(&mut hold);
        }
        self.names.iter().for_each(|name| hold(name));
        let program = self.request.program;
        let script = if program.is_script() {
            Some(Arc::new(program.clone()))
        } else {
            caller.script().filter(|_| keeps).cloned()
        };
        let name = self.names.first().copied().unwrap_or_else(|| self.own_name());
        DescendantGrant { role: Role::started_by(caller, name, bundles, script), reasons }
    }

    fn own_name(&self) -> &[u8] {
        base_name(self.request.program.found.as_os_str().as_encoded_bytes())
    }

    /// The program for people.
    fn shown(&self) -> String {
        let own = if is_multi_call(&self.request.program.real) { self.called.name } else { self.own_name() };
        display(self.names.first().copied().unwrap_or(own))
    }

    /// The argument vector as a command of the program that it is.
    fn command(&self) -> &Command {
        self.command.get_or_init(|| {
            let name = self.names.first().copied().unwrap_or(self.called.name);
            let words = std::iter::once(name).chain(self.arguments.iter().map(Vec::as_slice));
            let words = words.map(|word| Word::literal(word, Span::default())).collect();
            Command {
                span: Span::default(),
                words,
                assignments: Vec::new(),
                cwd: CwdId(0),
                origin: Origin::Argv,
                lookup: Lookup::Program,
                more_arguments: false,
                transparent: false,
                stdin_fed: false,
            }
        })
    }
}

fn deny(request: &DescendantRequest<'_>, reasons: Vec<Reason>) -> Decision {
    Decision::Deny(Denial { reasons, commands: vec![request.argv.to_vec()] })
}

/// The words after the program's name. git acts as its command when it is called `git-COMMAND`.
fn arguments_of<'r>(argv: &'r [Vec<u8>], called: Called<'_>, names: &[&[u8]]) -> Cow<'r, [Vec<u8>]> {
    let written = argv.get(called.at + 1..).unwrap_or_default();
    match called.name.strip_prefix(b"git-") {
        Some(command) if names.contains(&&b"git"[..]) => {
            std::iter::once(command.to_vec()).chain(written.iter().cloned()).collect()
        }
        _ => Cow::Borrowed(written),
    }
}
