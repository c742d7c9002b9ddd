//! What the lists of a layer say of a program with its arguments.

use super::super::program::{is_multi_call, needs_a_name_of, way_to_list};
use super::super::words::{base_name, display};
use super::super::{arguments, glob, safe_bin};
use super::Case;
use crate::policy::{Entry, ExecLayer, ProgramMatcher, Ruled, Security};
use crate::{Code, Policy, Reason, RuleRef};

/// What a layer says.
pub(super) enum Verdict {
    Allow(Reason),
    /// Nothing allows it.
    Miss(Reason),
    /// Entries allow the program with other arguments only.
    Narrow(Reason),
    /// A rule forbids it.
    Refuse(Reason),
}

impl Case<'_> {
    /// What one layer says of the program with these arguments.
    pub(super) fn layer(&self, index: usize, layer: &ExecLayer) -> Verdict {
        let (mut accepted, mut narrowed) = (None, None);
        for (entry, name) in self.entries(index, layer) {
            if !self.has_prefix(&entry.value.prefix) {
                narrowed = narrowed.or(Some(entry));
                continue;
            }
            for rule in &entry.value.deny {
                if arguments::denies(&rule.value, name, self.command()) != arguments::Match::No {
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

    fn forbidden(&self, rule: &RuleRef) -> Reason {
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
            way_to_list(&name)
        } else {
            format!("add {{path: {}}} to exec.allowlist", program.real.display())
        };
        let rule = &layer.security.rule;
        Verdict::Miss(Reason::new(Code::ExecNotAllowlisted, message).by(rule).with_change(change))
    }
}

/// The entries of a layer that name the program `name`.
pub(super) fn named<'l>(
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
