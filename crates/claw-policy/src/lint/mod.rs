//! Traps in a policy that is valid: what opens more than it seems to, or means something else.

mod commands;
mod contexts;
mod files;
mod programs;
mod run;
mod secrets;

use std::path::Path;

use crate::policy::Policy;
use crate::{Access, Diagnostic, RuleRef, Severity, Source, SourceSpan};

/// What is suspicious in a policy, in the order of its texts. Rules of the built-in profile are not judged.
///
/// # Example
///
/// ```
/// use claw_policy::{compile, lint, Expansion, Format, Layer, LayerKind, Source};
///
/// let source = Source::new("policy.yaml", "exec:\n  security: full\n", Format::Yaml);
/// let policy = compile(&[Layer { source, kind: LayerKind::Named }], &Expansion::default()).unwrap();
/// assert!(lint(&policy).iter().any(|finding| finding.code == "lint.security-full"));
/// ```
#[must_use]
pub fn lint(policy: &Policy) -> Vec<Diagnostic> {
    let mut linter = Linter { policy, found: Vec::new() };
    linter.commands();
    linter.files();
    linter.run();
    linter.contexts();
    linter.secrets();
    let order = |name: &str| policy.sources.iter().position(|source| source.name() == name);
    linter.found.sort_by_key(|finding| (order(finding.source.name()), finding.span.start));
    linter.found
}

struct Linter<'p> {
    policy: &'p Policy,
    found: Vec<Diagnostic>,
}

impl Linter<'_> {
    fn warn(&mut self, code: &'static str, rule: &RuleRef, message: String, help: &str) {
        self.find(Severity::Warning, code, rule, message, help);
    }

    fn note(&mut self, code: &'static str, rule: &RuleRef, message: String, help: &str) {
        self.find(Severity::Note, code, rule, message, help);
    }

    fn find(&mut self, severity: Severity, code: &'static str, rule: &RuleRef, message: String, help: &str) {
        let Some(source) = self.texts().find(|source| source.name() == &*rule.source) else { return };
        self.push(severity, code, source, span_of(source, rule), message, help);
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        source: &Source,
        span: SourceSpan,
        message: String,
        help: &str,
    ) {
        let (source, help) = (source.clone(), Some(help.to_owned()));
        self.found.push(Diagnostic { severity, code, source, span, message, help });
    }

    /// Where the statement stands that holds for a dotted key.
    fn place(&self, key: &str) -> Option<RuleRef> {
        self.policy.places.keys.get(key).cloned()
    }

    fn is_writable(&self, path: &Path) -> bool {
        let roots = self.policy.files.iter().flat_map(|layer| &layer.roots);
        roots.into_iter().any(|root| root.value.access == Access::Write && path.starts_with(&root.value.path))
    }
}

impl<'p> Linter<'p> {
    /// The texts that are somebody's to change.
    fn texts(&self) -> impl Iterator<Item = &'p Source> + use<'p> {
        self.policy.sources.iter().filter(|source| source.name() != "built-in")
    }
}

/// Where a rule stands: from its line and column to the end of its text in that line.
fn span_of(source: &Source, rule: &RuleRef) -> SourceSpan {
    let lines = source.text().split_inclusive('\n').take(rule.line.saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    let line = source.text().get(start..).unwrap_or("").lines().next().unwrap_or("");
    let column =
        line.char_indices().nth(rule.column.saturating_sub(1)).map_or(line.len(), |(offset, _)| offset);
    let rest = line.get(column..).unwrap_or("");
    // A long rule is shown cut; then it is the whole line.
    let written = if rest.starts_with(&*rule.text) { rule.text.len() } else { rest.trim_end().len() };
    SourceSpan { start: start + column, end: start + column + written }
}
