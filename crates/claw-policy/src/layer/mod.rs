//! From checked documents to one policy.
//!
//! The built-in profile is the ground. A *named* document (the command line's, or one given inline)
//! replaces what it states. The user's and the project's documents only restrict: each is a layer of its
//! own that has to allow a request too.

mod merge;
mod state;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::document::{self, Node};
use crate::expand::Expansion;
use crate::{Diagnostic, Policy, Severity, Source};

pub(crate) use self::state::Stated;

/// What a document may do to the layers before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LayerKind {
    /// The profile that ships with this crate; always the first.
    BuiltIn,
    /// The user's own: restricts.
    User,
    /// The project's: restricts.
    Project,
    /// Named by whoever asks: replaces what it states.
    Named,
}

/// A document and its place.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The text.
    pub source: Source,
    /// What it may do.
    pub kind: LayerKind,
}

/// Compiles layers, in the order in which they apply, into a policy.
///
/// # Errors
///
/// Everything that is wrong, in the order of the texts; warnings are [`crate::lint`]'s.
///
/// # Example
///
/// ```
/// use claw_policy::{compile, built_in, Expansion, Format, Layer, LayerKind, Source};
///
/// let expansion = Expansion { home: Some("/home/u".into()), cwd: "/home/u/project".into(), ..Expansion::default() };
/// let named = Source::new("policy.yaml", "exec:\n  alowlist: [git]\n", Format::Yaml);
/// let layers = [
///     Layer { source: built_in(), kind: LayerKind::BuiltIn },
///     Layer { source: named, kind: LayerKind::Named },
/// ];
/// let errors = compile(&layers, &expansion).unwrap_err();
/// assert!(errors[0].to_string().starts_with("policy.yaml:2:3: error: unknown key `alowlist`"));
/// assert_eq!(errors[0].help.as_deref(), Some("did you mean `allowlist`?"));
/// ```
pub fn compile(layers: &[Layer], expansion: &Expansion) -> Result<Policy, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let mut stated = Vec::new();
    let documents: Vec<_> = layers.iter().map(|layer| (layer, document::read(&layer.source))).collect();
    let base = workspace(&documents, expansion);
    for (layer, root) in documents {
        let mut found = Vec::new();
        match root {
            Ok(root) => {
                stated.push(Stated::new(&layer.source, layer.kind, &root, &base, expansion, &mut found));
            }
            Err(errors) => found = errors,
        }
        found.sort_by_key(|diagnostic| diagnostic.span.start);
        diagnostics.extend(found);
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(diagnostics);
    }
    Ok(merge::merge(stated, expansion))
}

impl Policy {
    /// The same with a text on top that only restricts.
    pub(crate) fn restricted(&self, stated: &Stated) -> Self {
        self.edited(|policy| merge::restrict(policy, stated.clone()))
    }
}

/// The workspace that will hold: where the relative paths of documents start that state none.
fn workspace(documents: &[(&Layer, Result<Node, Vec<Diagnostic>>)], expansion: &Expansion) -> PathBuf {
    let stated = documents.iter().rev().find_map(|(layer, root)| {
        let root = root.as_ref().ok().filter(|_| layer.kind == LayerKind::Named)?;
        state::workspace(root, expansion)
    });
    stated.unwrap_or_else(|| expansion.cwd.clone())
}
