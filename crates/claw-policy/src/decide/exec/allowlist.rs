//! What each layer says of one program with its arguments.

use claw_shell::{Command, Span};

use super::arguments::{self, Match};
use super::program::{Program, way_to_list};
use super::words::{base_name, display};
use super::{Judge, safe_bin};
use crate::policy::{ArgumentRule, Entry, ExecLayer, ProgramMatcher, Ruled, Security};
use crate::{Code, Reason};

/// What one layer says.
enum Verdict {
    Allow(Reason),
    /// Nothing allows it; somebody may be asked.
    Miss(Reason),
    /// A rule forbids it.
    Refuse(Reason),
}

impl Judge<'_> {
    /// Whether a `deny` entry means `program`; then the request is refused.
    pub(super) fn denied(&mut self, program: &Program<'_, '_>, span: Span) -> bool {
        let Some(entry) = self.policy.exec_deny.iter().find(|entry| self.is_denied(&entry.value, program))
        else {
            return false;
        };
        let name = display(program.name());
        let message = format!("`{name}` is never run: `{}` is in `exec.deny`", entry.rule.text);
        let change = format!("remove `{}` from exec.deny", entry.rule.text);
        self.findings
            .refuse(Reason::new(Code::ExecDenied, message).by(&entry.rule).at(span).with_change(change));
        true
    }

    /// Whether every layer allows `program` with the command's arguments; findings say why or why not.
    pub(super) fn allowed(&mut self, program: &Program<'_, '_>, command: &Command, span: Span) -> bool {
        let mut allowed = true;
        let policy = self.policy;
        for (index, layer) in policy.exec.iter().enumerate() {
            match self.layer(index, layer, program, command, span) {
                Verdict::Allow(reason) => self.findings.allow(reason),
                Verdict::Miss(reason) => {
                    self.findings.miss(Some(index), reason);
                    allowed = false;
                }
                Verdict::Refuse(reason) => {
                    self.findings.refuse(reason);
                    allowed = false;
                }
            }
        }
        allowed
    }

    /// Whether every allowlist lists the program together with this first argument, so that the form itself was meant.
    pub(super) fn is_form_listed(&self, name: &[u8], first: &[u8]) -> bool {
        let names_first = |rule: &Ruled<ArgumentRule>| match &rule.value {
            ArgumentRule::Prefix(words) | ArgumentRule::Flags { subcommand: words, .. } => {
                words.first().is_some_and(|word| word == first)
            }
        };
        let lists = |entry: &Ruled<Entry>| {
            matches!(&entry.value.program, ProgramMatcher::Name(known) if known == name)
                && (entry.value.prefix.first().is_some_and(|word| word == first)
                    || entry.value.allow.iter().any(names_first))
        };
        let layers = self.policy.exec.iter().filter(|layer| layer.security.value == Security::Allowlist);
        layers.into_iter().all(|layer| layer.allowlist.iter().any(lists))
    }

    fn layer(
        &self,
        index: usize,
        layer: &ExecLayer,
        program: &Program<'_, '_>,
        command: &Command,
        span: Span,
    ) -> Verdict {
        let mut accepted: Option<(usize, &Ruled<Entry>)> = None;
        let mut narrowed: Option<&Ruled<Entry>> = None;
        let mut unknown: Option<Reason> = None;
        for (place, entry) in self.candidates(index, layer, program) {
            if !self.is_meant(&entry.value.program, program) {
                continue;
            }
            if !has_prefix(command, &entry.value.prefix) {
                narrowed = narrowed.or(Some(entry));
                continue;
            }
            for rule in &entry.value.deny {
                match arguments::denies(&rule.value, program.name(), command) {
                    Match::Yes => return Verdict::Refuse(forbidden(program, &rule.rule, span)),
                    Match::Unknown => {
                        unknown = unknown.or_else(|| Some(undecided(program, &rule.rule, span)))
                    }
                    Match::No => {}
                }
            }
            let allow = &entry.value.allow;
            if allow.is_empty()
                || allow.iter().any(|rule| arguments::allows(&rule.value, program.name(), command))
            {
                accepted = accepted.or(Some((place, entry)));
            } else {
                narrowed = narrowed.or(Some(entry));
            }
        }
        if let Some(reason) = unknown {
            return Verdict::Miss(reason);
        }
        if command.transparent && self.is_trusted(program) {
            return Verdict::Allow(transparent(program, span));
        }
        match (accepted, narrowed) {
            (Some((place, entry)), _) => {
                let said = self.policy.patterns().exec.said(index, place);
                Verdict::Allow(Reason::new(Code::ExecAllowed, said).by(&entry.rule).at(span))
            }
            (None, Some(entry))
                if !entry.value.allow.is_empty() || layer.security.value == Security::Allowlist =>
            {
                self.safe_bin(layer, program, command, span)
                    .unwrap_or_else(|| narrow(program, command, entry, span))
            }
            _ if layer.security.value == Security::Full => Verdict::Allow(
                Reason::new(Code::ExecFull, "`exec.security` is `full`").by(&layer.security.rule).at(span),
            ),
            _ => self
                .safe_bin(layer, program, command, span)
                .unwrap_or_else(|| self.not_listed(layer, program, span)),
        }
    }

    /// The entries that can mean `program` and their places, in order.
    fn candidates<'l>(
        &'l self,
        index: usize,
        layer: &'l ExecLayer,
        program: &Program<'_, '_>,
    ) -> impl Iterator<Item = (usize, &'l Ruled<Entry>)> {
        let listed = if program.is_bare() {
            (&[][..], self.policy.patterns().exec.entries(index, &program.invoked))
        } else {
            // A path can be another spelling of any entry's program.
            (layer.allowlist.as_slice(), &[][..])
        };
        let by_place = |place: &usize| Some((*place, layer.allowlist.get(*place)?));
        listed.0.iter().enumerate().chain(listed.1.iter().filter_map(by_place))
    }

    fn safe_bin(
        &self,
        layer: &ExecLayer,
        program: &Program<'_, '_>,
        command: &Command,
        span: Span,
    ) -> Option<Verdict> {
        let name = program.name();
        let rule = layer.safe_bins.iter().find(|bin| bin.value == name && self.is_trusted(program))?;
        let reason = match safe_bin::misuse(name, command) {
            None => {
                let message = format!("`{}` runs as a filter", display(name));
                return Some(Verdict::Allow(Reason::new(Code::ExecAllowed, message).by(&rule.rule).at(span)));
            }
            Some(why) => format!("`{}` may only run as a filter: {why}", display(name)),
        };
        let change = format!("add \"{}\" to exec.allowlist", display(name));
        Some(Verdict::Miss(
            Reason::new(Code::ExecSafeBin, reason).by(&rule.rule).at(span).with_change(change),
        ))
    }

    fn not_listed(&self, layer: &ExecLayer, program: &Program<'_, '_>, span: Span) -> Verdict {
        let name = display(program.name());
        let is_listed = |entry: &Ruled<Entry>| matches!(&entry.value.program, ProgramMatcher::Name(known) if known == program.name());
        if let Some(entry) = layer.allowlist.iter().find(|entry| is_listed(entry)) {
            let path = String::from_utf8_lossy(program.place()).into_owned();
            let message = format!("`{path}` is not the `{name}` of the trusted directories");
            return Verdict::Miss(
                Reason::new(Code::ExecUntrusted, message)
                    .by(&entry.rule)
                    .at(span)
                    .with_change(format!("add {{path: {path}}} to exec.allowlist")),
            );
        }
        // No entry decided, so the rule is the one that makes the list count.
        let list = &layer.security.rule;
        if !program.is_bare() {
            let path = String::from_utf8_lossy(program.place()).into_owned();
            let message = format!("`{path}` is not in the allowlist");
            let change = format!("add {{path: {path}}} to exec.allowlist");
            return Verdict::Miss(
                Reason::new(Code::ExecNotAllowlisted, message).by(list).at(span).with_change(change),
            );
        }
        let message = format!("`{name}` is not in the allowlist");
        let change = way_to_list(&name);
        Verdict::Miss(Reason::new(Code::ExecNotAllowlisted, message).by(list).at(span).with_change(change))
    }
}

fn has_prefix(command: &Command, prefix: &[Vec<u8>]) -> bool {
    let arguments = command.words.get(1..).unwrap_or_default();
    prefix.len() <= arguments.len()
        && prefix
            .iter()
            .zip(arguments)
            .all(|(wanted, word)| word.as_literal().is_some_and(|text| *text == **wanted))
}

fn transparent(program: &Program<'_, '_>, span: Span) -> Reason {
    let name = display(base_name(&program.invoked));
    Reason::new(Code::ExecTransparent, format!("`{name}` only runs commands that are judged themselves"))
        .at(span)
}

fn forbidden(program: &Program<'_, '_>, rule: &crate::RuleRef, span: Span) -> Reason {
    let message = format!("`{}` may not run with these arguments: `{}`", display(program.name()), rule.text);
    Reason::new(Code::ExecArguments, message).by(rule).at(span).with_change(format!("remove `{}`", rule.text))
}

fn undecided(program: &Program<'_, '_>, rule: &crate::RuleRef, span: Span) -> Reason {
    let name = display(program.name());
    let message = format!(
        "the arguments of `{name}` are only known when the line runs, and `{}` forbids some",
        rule.text
    );
    Reason::new(Code::ShellOpaque, message).by(rule).at(span)
}

fn narrow(program: &Program<'_, '_>, command: &Command, entry: &Ruled<Entry>, span: Span) -> Verdict {
    let name = display(program.name());
    let code = if entry.value.allow.is_empty() { Code::ExecNotAllowlisted } else { Code::ExecArguments };
    let message = format!("`{name}` is allowed only as `{}` says", entry.rule.text);
    let first = command.words.get(1).and_then(claw_shell::Word::as_literal).unwrap_or_default();
    let change = format!("add \"{name} {}\" to exec.allowlist", display(&first));
    Verdict::Miss(Reason::new(code, message).by(&entry.rule).at(span).with_change(change))
}
