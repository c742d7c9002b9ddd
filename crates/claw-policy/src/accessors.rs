//! What others may read of a policy. Nothing after `decide` does: these are for the edge, before.

use std::path::{Path, PathBuf};

use crate::policy::{PathPattern, RootRule, Ruled};
use crate::{Access, Floor, FrontDoor, Limits, Logging, Policy, RuleRef, Secrets, Source};

impl Policy {
    /// The texts it was made from, in order.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether a text is the project's own, which can only restrict.
    #[must_use]
    pub fn is_project_source(&self, source: &Source) -> bool {
        self.project_sources.iter().any(|name| name == source.name())
    }

    /// Where bare program names are looked up, in order.
    #[must_use]
    pub fn trusted_directories(&self) -> &[PathBuf] {
        &self.trusted_dirs
    }

    /// Whether executions are checked again at the exec stop (`exec.verify`).
    #[must_use]
    pub const fn exec_verify(&self) -> bool {
        self.verify
    }

    /// Whether any command is left to somebody who is asked (`exec.ask`).
    #[must_use]
    pub fn asks(&self) -> bool {
        self.exec.iter().any(|layer| layer.ask.value != crate::policy::Ask::Off)
    }

    /// The same policy with one more path that commands may write, beneath everything that it hides, protects or lists more
    /// exactly.
    ///
    /// For a file that whoever starts a command hands to it, as a host does that wants to be told something. It does not
    /// restrict, so it is for the caller's own decision, never for what a request says. `why` is shown where a reason
    /// names the rule.
    ///
    /// ```
    /// use claw_policy::{Access, Expansion, Layer, LayerKind, built_in, compile};
    ///
    /// let layers = [Layer { source: built_in(), kind: LayerKind::BuiltIn }];
    /// let expansion = Expansion { cwd: "/w".into(), home: Some("/home/u".into()), ..Expansion::default() };
    /// let policy = compile(&layers, &expansion).unwrap().also_writable("/tmp/report".into(), "the host's report");
    /// assert!(policy.roots().any(|root| root == ("/tmp/report".as_ref(), Access::Write)));
    /// ```
    #[must_use]
    pub fn also_writable(mut self, path: PathBuf, why: &str) -> Self {
        let rule = RuleRef { source: "caller".into(), line: 0, column: 0, text: why.into() };
        // Each layer says where files may be at all.
        for layer in &mut self.files {
            let value = RootRule { path: path.clone(), access: Access::Write, execute: false, named: false };
            layer.roots.push(Ruled { value, rule: rule.clone() });
        }
        self
    }

    /// Whether it asks, or does in some context.
    #[must_use]
    pub fn may_ask(&self) -> bool {
        self.asks() || self.contexts.iter().any(|rule| rule.narrow.asks())
    }

    /// The workspace, as written after expansion.
    #[must_use]
    pub fn workspace(&self) -> Option<&Path> {
        self.files
            .iter()
            .find_map(|layer| layer.workspace.as_ref())
            .map(|workspace| workspace.value.as_path())
    }

    /// The trees that it lists, the workspace first, as written after expansion.
    pub fn roots(&self) -> impl Iterator<Item = (&Path, Access)> {
        let roots = self.files.iter().flat_map(|layer| &layer.roots);
        roots.map(|root| (root.value.path.as_path(), root.value.access))
    }

    /// The hidden paths that are written without a pattern.
    pub fn hidden_paths(&self) -> impl Iterator<Item = &Path> {
        let hidden = self.hidden.iter().chain(&self.hidden_by_default);
        hidden.filter_map(|entry| match &entry.value {
            PathPattern::Literal(path) => Some(path.as_path()),
            PathPattern::Component(_) | PathPattern::Glob(_) => None,
        })
    }

    /// Bounds on a run.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What may be missing in the enforcement.
    #[must_use]
    pub const fn floor(&self) -> &Floor {
        &self.floor
    }

    /// What is recorded, and where.
    #[must_use]
    pub const fn logging(&self) -> &Logging {
        &self.logging
    }

    /// What happens to credentials in the files that the runtime itself reads and writes.
    #[must_use]
    pub const fn secrets(&self) -> Secrets {
        self.secrets
    }

    /// The sections of the runtime's front door.
    #[must_use]
    pub const fn front_door(&self) -> &FrontDoor {
        &self.front_door
    }
}
