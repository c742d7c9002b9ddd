//! Programs that the processes of a run execute: may this process run that program?
//!
//! What is refused by name or by its arguments is refused at every level of the tree. What the agent may ask for,
//! any process of the run may start. Beside that a process may start the parts of the program that it works for
//! (its [`Role`]). A program is known by the file that it is, not by what it is called.

mod applet;
mod known;
mod parts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use claw_shell::{Command, CwdId, Lookup, Origin, Span, Word};

use self::applet::{Called, called};
pub(crate) use self::known::Known;
pub(in crate::decide) use self::known::SUPERVISED;
use self::known::{SHELLS, WRAPPERS};
use self::parts::Form;
pub(in crate::decide) use self::parts::workspace;
use super::arguments::{self, Match};
use super::program::{is_multi_call, needs_a_name_of};
use super::words::{base_name, bytes_path, display};
use super::{Judge, glob, inline, safe_bin};
use crate::decide::world::World;
use crate::policy::{Ask, Descendants, Entry, ExecLayer, ProgramMatcher, Ruled, Security};
use crate::role::Held;
use crate::{
    Code, Decision, Denial, DescendantGrant, DescendantRequest, ExecRequest, Grant, Policy, ProgramFact,
    Question, Reason, Role,
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

/// What a layer says.
enum Verdict {
    Allow(Reason),
    /// Nothing allows it.
    Miss(Reason),
    /// Entries allow the program with other arguments only.
    Narrow(Reason),
    /// A rule forbids it.
    Refuse(Reason),
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

    /// Why it may run though no list has it, and whether it then works for whom its caller does.
    fn beside(&self, narrowed: bool) -> Option<(Reason, bool)> {
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

    /// What one layer says of the program with these arguments.
    fn layer(&self, index: usize, layer: &ExecLayer) -> Verdict {
        let (mut accepted, mut narrowed) = (None, None);
        for (entry, name) in self.entries(index, layer) {
            if !self.has_prefix(&entry.value.prefix) {
                narrowed = narrowed.or(Some(entry));
                continue;
            }
            for rule in &entry.value.deny {
                if arguments::denies(&rule.value, name, self.command()) != Match::No {
                    return Verdict::Refuse(self.forbidden(&rule.rule));
                }
            }
            let allow = &entry.value.allow;
            if allow.is_empty()
                || allow.iter().any(|rule| arguments::allows(&rule.value, name, self.command()))
            {
                accepted = accepted.or(Some(entry));
            } else {
                narrowed = narrowed.or(Some(entry));
            }
        }
        match (accepted, narrowed) {
            (Some(entry), _) => Verdict::Allow(
                Reason::new(Code::ExecAllowed, format!("`{}` is in the allowlist", entry.rule.text))
                    .by(&entry.rule),
            ),
            (None, Some(entry))
                if !entry.value.allow.is_empty() || layer.security.value == Security::Allowlist =>
            {
                self.safe_bin(layer).unwrap_or_else(|| self.narrow(entry))
            }
            _ if layer.security.value == Security::Full => Verdict::Allow(
                Reason::new(Code::ExecFull, "`exec.security` is `full`").by(&layer.security.rule),
            ),
            _ => self.safe_bin(layer).unwrap_or_else(|| self.not_listed(layer)),
        }
    }

    /// The entries of a layer that mean the program, each with the name that it means it by.
    fn entries<'l>(
        &'l self,
        index: usize,
        layer: &'l ExecLayer,
    ) -> impl Iterator<Item = (&'l Ruled<Entry>, &'l [u8])> {
        let patterns = self.policy.patterns();
        let own = self.names.first().copied().unwrap_or(self.called.name);
        let by_name = self.names.iter();
        let by_name = by_name
            .flat_map(move |name| named(self.policy, index, layer, name).map(move |entry| (entry, *name)));
        let by_path = patterns.exec.by_path(index).iter().filter_map(move |place| {
            let entry = layer.allowlist.get(*place)?;
            let ProgramMatcher::Path(pattern) = &entry.value.program else { return None };
            self.is_at(pattern).then_some((entry, own))
        });
        by_name.chain(by_path)
    }

    /// Whether the pattern means the file that runs, by either spelling of a link.
    fn is_at(&self, pattern: &str) -> bool {
        let program = self.request.program;
        let found = program.found.as_os_str().as_encoded_bytes();
        let real = program.real.as_os_str().as_encoded_bytes();
        // A file that is many programs is the one that it is called as.
        let is_called = !is_multi_call(&program.real) || base_name(found) == self.called.name;
        is_called
            && [found, real].into_iter().any(|path| glob::matches(pattern.as_bytes(), path))
            && !needs_a_name_of(pattern, [base_name(found), base_name(real)])
    }

    fn has_prefix(&self, prefix: &[Vec<u8>]) -> bool {
        self.arguments.starts_with(prefix)
    }

    fn safe_bin(&self, layer: &ExecLayer) -> Option<Verdict> {
        let rule = layer.safe_bins.iter().find(|bin| self.names.contains(&bin.value.as_slice()))?;
        let name = display(&rule.value);
        Some(match safe_bin::misuse(&rule.value, self.command()) {
            None => {
                let message = format!("`{name}` runs as a filter");
                Verdict::Allow(Reason::new(Code::ExecAllowed, message).by(&rule.rule))
            }
            Some(why) => {
                let message = format!("`{name}` may only run as a filter: {why}");
                let change = format!("add \"{name}\" to exec.allowlist");
                Verdict::Miss(Reason::new(Code::ExecSafeBin, message).by(&rule.rule).with_change(change))
            }
        })
    }

    /// Why and how the caller may run it as a part of what it works for.
    fn part(&self) -> Option<(Reason, Form)> {
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
    fn held(&self) -> Vec<&[u8]> {
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

    fn forbidden(&self, rule: &crate::RuleRef) -> Reason {
        let message = format!("`{}` may not run with these arguments: `{}`", self.shown(), rule.text);
        Reason::new(Code::ExecArguments, message).by(rule).with_change(format!("remove `{}`", rule.text))
    }

    fn narrow(&self, entry: &Ruled<Entry>) -> Verdict {
        let name = self.shown();
        let code = if entry.value.allow.is_empty() { Code::ExecNotAllowlisted } else { Code::ExecArguments };
        let message = format!("`{name}` is allowed only as `{}` says", entry.rule.text);
        let first = self.arguments.first().map_or(&[][..], Vec::as_slice);
        let change = format!("add \"{name} {}\" to exec.allowlist", display(first));
        Verdict::Narrow(Reason::new(code, message).by(&entry.rule).with_change(change))
    }

    fn not_listed(&self, layer: &ExecLayer) -> Verdict {
        let name = self.shown();
        let caller = self.request.caller;
        let message = format!("`{name}` is neither in the allowlist nor a part of {caller}");
        let program = self.request.program;
        let change = if self.known.is_trusted(program) {
            format!("add \"{name}\" to exec.allowlist")
        } else {
            format!("add {{path: {}}} to exec.allowlist", program.real.display())
        };
        let rule = &layer.security.rule;
        Verdict::Miss(Reason::new(Code::ExecNotAllowlisted, message).by(rule).with_change(change))
    }
}

/// Whether the file may become another of its programs without an execution that could be judged (`busybox xargs rm`).
fn runs_applets(program: &ProgramFact) -> bool {
    let name = base_name(program.real.as_os_str().as_encoded_bytes());
    name.starts_with(b"busybox") || name.starts_with(b"toybox")
}

fn deny(request: &DescendantRequest<'_>, reasons: Vec<Reason>) -> Decision {
    Decision::Deny(Denial { reasons, commands: vec![request.argv.to_vec()] })
}

/// The entries of a layer that name the program `name`.
fn named<'l>(
    policy: &'l Policy,
    index: usize,
    layer: &'l ExecLayer,
    name: &'l [u8],
) -> impl Iterator<Item = &'l Ruled<Entry>> {
    let entries = policy.patterns().exec.entries(index, name).iter();
    let is_named =
        move |entry: &&Ruled<Entry>| matches!(&entry.value.program, ProgramMatcher::Name(own) if own == name);
    entries.filter_map(|place| layer.allowlist.get(*place)).filter(is_named)
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
