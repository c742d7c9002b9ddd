//! Command requests: may everything that this line could run, run?
//!
//! The rules are those of `docs/policy-reference.md`, section "Commands". [`decide`] reads from top
//! to bottom: every simple command, every redirection, every assignment and every part that the text
//! does not tell is judged into [`Findings`], and the findings become the decision.

mod allowlist;
mod arguments;
mod assignment;
mod carried;
mod carrier;
mod command;
mod descendant;
mod directories;
mod expected;
mod findings;
mod glob;
mod grant;
mod index;
mod inline;
mod operand;
mod options;
mod program;
mod redirect;
mod safe_bin;
#[cfg(test)]
mod tests;
mod words;

use claw_shell::{Opaque, OpaqueKind, Script, Span};

pub(crate) use self::descendant::Known;
pub(super) use self::descendant::{SUPERVISED, decide as decide_descendant, in_installation, workspace};
use self::directories::Directories;
use self::expected::Before;
use self::findings::Findings;
pub(crate) use self::index::Index;
pub(super) use self::program::is_multi_call;
use super::world::World;
use crate::policy::{ExecLayer, Security};
use crate::{Code, Decision, ExecRequest, Message, Policy, ProgramFact, Reason};

/// How deep program text inside arguments is followed (`git -c alias.x='!git -c alias...'`).
const CARRIED_DEPTH: usize = 4;

pub(super) fn decide(policy: &Policy, world: &World<'_>, request: &ExecRequest<'_>) -> Decision {
    let mut judge = Judge { policy, world, request, findings: Findings::default(), programs: Vec::new() };
    judge.request();
    judge.decision()
}

/// One request being judged.
struct Judge<'a> {
    policy: &'a Policy,
    world: &'a World<'a>,
    request: &'a ExecRequest<'a>,
    findings: Findings,
    /// The program files that the request needs to execute.
    programs: Vec<&'a ProgramFact>,
}

/// A script being judged: the request's own, or one that an argument carries.
struct Scope<'s> {
    before: Before<'s>,
    directories: Directories,
    /// What reasons point to instead of the parts of a carried script.
    span: Option<Span>,
    depth: usize,
}

impl<'s> Scope<'s> {
    const fn script(&self) -> &'s Script {
        self.before.script
    }

    fn span(&self, span: Span) -> Span {
        self.span.unwrap_or(span)
    }
}

impl<'a> Judge<'a> {
    /// Whether nothing stands against the request.
    fn allows(policy: &'a Policy, world: &'a World<'a>, request: &'a ExecRequest<'a>) -> bool {
        let mut judge = Self { policy, world, request, findings: Findings::default(), programs: Vec::new() };
        judge.request();
        !judge.findings.refuses() && judge.findings.missing().is_empty()
    }

    fn request(&mut self) {
        let script = self.request.script;
        if let Some(layer) = self.policy.exec.iter().find(|layer| layer.security.value == Security::Deny) {
            let reason = Reason::new(Code::ExecSecurityDeny, "no command may run: `exec.security` is `deny`")
                .by(&layer.security.rule)
                .with_change("set exec.security to allowlist");
            return self.findings.refuse(reason);
        }
        if script.blank || (script.commands.is_empty() && self.request.line.is_none()) {
            return self.findings.refuse(Reason::new(Code::ExecEmpty, "there is no command in the line"));
        }
        let before = Before { script, outer: false };
        let directories = Directories::new(before, self.world, Some(vec![self.request.cwd.clone()]));
        self.script(&Scope { before, directories, span: None, depth: 0 });
    }

    /// Judges everything in a script.
    fn script(&mut self, scope: &Scope<'_>) {
        let script = scope.script();
        for command in &script.commands {
            self.command(scope, command);
        }
        for redirect in &script.redirects {
            self.redirect(scope, redirect);
        }
        for assignment in &script.assignments {
            self.assignment(scope, assignment, None);
        }
        for opaque in &script.opaque {
            self.opaque(scope, opaque);
        }
    }

    /// An argument or variable would make a program run something that is not known to be allowed.
    fn carrier(&mut self, scope: &Scope<'_>, span: Span, message: impl Into<Message>) {
        self.findings.miss(None, Reason::new(Code::ExecCarrier, message).at(scope.span(span)));
    }

    /// What runs, or what it does, depends on values that the text does not tell.
    fn unknown(&mut self, scope: &Scope<'_>, span: Span, message: impl Into<Message>) {
        let reason = Reason::new(Code::ShellOpaque, message).at(scope.span(span));
        self.findings.miss(
            None,
            reason
                .with_change("write it out as plain words, or set exec.ask to on-miss to be asked about it"),
        );
    }

    fn opaque(&mut self, scope: &Scope<'_>, opaque: &Opaque) {
        // `full` allows what it cannot know too, unless there is a rule that the unknown could break.
        if self.unrestricted() {
            return;
        }
        let message = match opaque.kind {
            OpaqueKind::DynamicCommand => "the command's name is only known when the line runs",
            OpaqueKind::DynamicCode => "this runs text that is only known when the line runs",
            OpaqueKind::CodeFromInput => "this shell reads its commands from its input or from a file",
            OpaqueKind::Redefinition => "this changes what a command's name means",
            OpaqueKind::WrapperOption => "an option of this wrapper is not known",
            OpaqueKind::Dialect => "this shell reads the construct differently",
            _ => "this construct is not followed",
        };
        self.unknown(scope, opaque.span, message);
    }

    /// Whether every layer is `full` and no rule names a program.
    fn unrestricted(&self) -> bool {
        !self.policy.exec.iter().any(|layer| self.restricts(layer))
    }

    /// Whether `layer` could refuse what it does not know.
    fn restricts(&self, layer: &ExecLayer) -> bool {
        layer.security.value != Security::Full
            || !self.policy.exec_deny.is_empty()
            || layer
                .allowlist
                .iter()
                .any(|entry| !entry.value.allow.is_empty() || !entry.value.deny.is_empty())
    }

    /// Whether some layer has an allowlist, so that arguments are judged too.
    fn restricted(&self) -> bool {
        self.policy.exec.iter().any(|layer| layer.security.value == Security::Allowlist)
    }
}
