//! A policy laid over the facts: its roots and patterns under the names that the kernel would use.
//!
//! Everything in here depends on the policy and on facts alone, not on the request, so it is made
//! once and remembered with the facts.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sieve::Sieve;
use super::world::World;
use crate::normal::{self, is_strictly_beneath, is_within, normal};
use crate::pattern::{Matches, PatternSet, Patterns};
use crate::policy::{FileLayer, PathPattern, Policy, RootRule, Ruled};
use crate::{Access, Code, FileId, FileKind, ResolvedPath, RuleRef};

/// A policy laid over the facts.
#[derive(Debug)]
pub(crate) struct Ground {
    policy: Arc<Patterns>,
    pub(super) layers: Vec<GroundLayer>,
    pub(super) system: Vec<GroundRoot>,
    hidden: GroundPatterns,
    hidden_by_default: GroundPatterns,
    protected: GroundPatterns,
}

/// The roots of one layer.
#[derive(Debug)]
pub(super) struct GroundLayer {
    pub(super) roots: Vec<GroundRoot>,
    /// A layer without a workspace only narrows.
    pub(super) narrows: bool,
    /// For a layer that narrows: whether files in executable trees may be executed as far as it goes.
    execute: bool,
}

/// A root under its canonical name.
#[derive(Clone, Debug)]
pub(super) struct GroundRoot {
    pub(super) real: PathBuf,
    /// As the policy spells it.
    written: PathBuf,
    /// The directory entry that names it, which is a link when it differs from `real`.
    pub(super) entry: PathBuf,
    pub(super) kind: FileKind,
    pub(super) access: Access,
    pub(super) execute: bool,
    pub(super) named: bool,
    pub(super) rule: RuleRef,
}

/// Patterns under every spelling that the facts give them.
#[derive(Debug)]
struct GroundPatterns {
    set: Arc<PatternSet>,
    rules: Vec<RuleRef>,
    literals: Vec<GroundLiteral>,
    /// The literals' places in the list, by their names and by their objects.
    by_name: HashMap<OsString, usize>,
    names: Sieve,
    by_id: HashMap<FileId, usize>,
    /// Spellings of the globs' directories, with the group's place.
    bases: Vec<(PathBuf, usize)>,
}

/// A pattern without pattern characters.
#[derive(Debug)]
struct GroundLiteral {
    rule: usize,
    /// As written, as a directory entry, and what it leads to.
    names: Vec<PathBuf>,
    /// The object, to know it under other names.
    id: Option<FileId>,
    exists: bool,
}

/// Where a pattern can match.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// At these names of one place, which may not exist.
    Exact { paths: &'a [PathBuf], exists: bool, text: &'a str },
    /// Somewhere beneath these names of a directory.
    Beneath { bases: Vec<&'a PathBuf>, text: &'a str },
    /// Beneath every root.
    Anywhere { text: &'a str },
}

impl Place<'_> {
    /// As the policy writes it.
    pub(super) const fn text(&self) -> &str {
        match self {
            Self::Exact { text, .. } | Self::Beneath { text, .. } | Self::Anywhere { text } => text,
        }
    }
}

impl Ground {
    pub(super) fn new(policy: &Policy, world: &World<'_>) -> Self {
        let patterns = Arc::clone(policy.patterns());
        let layers: Vec<_> = policy.files.iter().map(|layer| GroundLayer::new(layer, world)).collect();
        let mut hidden = GroundPatterns::new(&patterns.hidden, &policy.hidden, world);
        hidden.follow_links(layers.iter().flat_map(|layer| &layer.roots), world);
        let lay =
            |set: &Arc<PatternSet>, rules: &[Ruled<PathPattern>]| GroundPatterns::new(set, rules, world);
        Self {
            layers,
            system: policy.system.iter().filter_map(|root| GroundRoot::new(root, world)).collect(),
            hidden,
            hidden_by_default: lay(&patterns.hidden_by_default, &policy.hidden_by_default),
            protected: lay(&patterns.protected, &policy.protected),
            policy: patterns,
        }
    }

    /// Whether it was made from this very policy.
    pub(super) fn is_of(&self, policy: &Policy) -> bool {
        Arc::ptr_eq(&self.policy, policy.patterns())
    }

    /// The roots of all layers.
    pub(super) fn roots(&self) -> impl Iterator<Item = &GroundRoot> {
        self.layers.iter().flat_map(|layer| &layer.roots)
    }

    /// The rule that hides the path, or the object when its identity is given.
    pub(super) fn hidden(&self, path: &Path, id: Option<FileId>) -> Option<&RuleRef> {
        let top = self.outermost(path);
        if let Some((rule, _)) = self.hidden.matches(path, top, id).first() {
            return self.hidden.rules.get(*rule);
        }
        let matches = self.hidden_by_default.matches(path, top, id);
        let (rule, _) = matches.iter().find(|(_, matched)| !self.is_granted_by_name(path, matched))?;
        self.hidden_by_default.rules.get(*rule)
    }

    /// The rule that protects the path from changes. The path lies in a writable root.
    pub(super) fn protected(&self, path: &Path) -> Option<&RuleRef> {
        let top = self.outermost(path)?;
        let matches = self.protected.matches_beneath(path, top);
        matches.first().and_then(|(rule, _)| self.protected.rules.get(*rule))
    }

    /// Something hidden or protected that is known to be strictly beneath `directory`, without looking.
    pub(super) fn known_beneath(&self, directory: &Path) -> Option<(Code, &RuleRef, &Path)> {
        let lists = [
            (Code::FileHidden, &self.hidden),
            (Code::FileHidden, &self.hidden_by_default),
            (Code::FileProtected, &self.protected),
        ];
        lists.into_iter().find_map(|(code, patterns)| {
            let (rule, name) = patterns.known_beneath(directory)?;
            Some((code, rule, name))
        })
    }

    /// A root, of any layer or the system profile, that is `path` itself or strictly beneath it.
    pub(super) fn root_at_or_beneath(&self, path: &Path) -> Option<&GroundRoot> {
        self.roots().chain(&self.system).find(|root| {
            (root.kind != FileKind::Missing || root.real == path)
                && (root.real.starts_with(path) || root.entry.starts_with(path))
        })
    }

    /// Every name of what is hidden by name, those that links lead to as well.
    pub(super) fn hidden_names(&self) -> impl Iterator<Item = (&RuleRef, &Path)> {
        self.hidden.names().chain(self.hidden_by_default.names())
    }

    /// Every name of what is protected by name.
    pub(super) fn protected_names(&self) -> impl Iterator<Item = (&RuleRef, &Path)> {
        self.protected.names()
    }

    /// Where things are hidden, but for what a policy grants by name.
    pub(super) fn hidden_places(&self) -> impl Iterator<Item = Place<'_>> {
        let granted = |place: &Place<'_>| match place {
            Place::Exact { paths, .. } => paths.iter().any(|path| self.is_granted_by_name(path, path)),
            _ => false,
        };
        self.hidden.places().chain(self.hidden_by_default.places().filter(move |place| !granted(place)))
    }

    /// Where things are protected inside writable roots.
    pub(super) fn protected_places(&self) -> impl Iterator<Item = Place<'_>> {
        self.protected.places()
    }

    /// A root's path as a policy spells it.
    pub(super) fn spelling_of(&self, real: &Path) -> String {
        let root = self.roots().find(|root| root.real == real);
        root.map_or(real, |root| &root.written).display().to_string()
    }

    /// The root by which every layer lets a file be executed for being where it is.
    pub(super) fn execution_root(&self, path: &Path) -> Option<&GroundRoot> {
        let mut found = None;
        for layer in &self.layers {
            found = found.or(layer.execution_root(path).ok()?);
        }
        found
    }

    /// The outermost root of a layer that holds `path`: patterns on names apply beneath it.
    fn outermost(&self, path: &Path) -> Option<&Path> {
        let holding = self.roots().map(|root| root.real.as_path()).filter(|root| is_within(path, root));
        // They hold one another too, so the shortest name is the outermost.
        holding.min_by_key(|root| root.as_os_str().len())
    }

    /// Whether a root that a policy names lies at or beneath the hidden place and holds the path.
    fn is_granted_by_name(&self, path: &Path, hidden: &Path) -> bool {
        self.roots().filter(|root| root.named).any(|root| {
            let names = [&root.real, &root.entry, &root.written];
            names.iter().any(|name| name.starts_with(hidden))
                && names.iter().any(|name| path.starts_with(name))
        })
    }
}

impl GroundLayer {
    fn new(layer: &FileLayer, world: &World<'_>) -> Self {
        let mut roots: Vec<_> = layer.roots.iter().filter_map(|root| GroundRoot::new(root, world)).collect();
        if let Some(workspace) = &layer.workspace {
            let written = normal(&workspace.value);
            for root in roots.iter_mut().filter(|root| root.written == written) {
                root.execute |= layer.workspace_exec;
            }
        }
        Self { roots, narrows: layer.workspace.is_none(), execute: layer.workspace_exec }
    }

    /// The root by which a file may be executed for being where it is. `Ok(None)` when the layer grants
    /// nothing and forbids nothing.
    pub(super) fn execution_root(&self, path: &Path) -> Result<Option<&GroundRoot>, ()> {
        match self.root_of(path) {
            _ if self.narrows => {
                if self.execute {
                    Ok(None)
                } else {
                    Err(())
                }
            }
            Some(root) if root.execute => Ok(Some(root)),
            _ => Err(()),
        }
    }

    /// The root that decides for a canonical path: the deepest, and of two at the same place the stricter.
    pub(super) fn root_of(&self, path: &Path) -> Option<&GroundRoot> {
        deepest(&self.roots, path)
    }
}

/// The deepest root that holds `path`; read-only wins a tie.
pub(super) fn deepest<'a>(roots: &'a [GroundRoot], path: &Path) -> Option<&'a GroundRoot> {
    let holding = roots.iter().filter(|root| is_within(path, &root.real));
    // They hold one another too, so the longest name is the deepest.
    holding.max_by_key(|root| (root.real.as_os_str().len(), root.access == Access::Read, !root.execute))
}

impl GroundRoot {
    /// `None` for a writable root that does not resolve; a read-only one then holds as it is written.
    fn new(root: &Ruled<RootRule>, world: &World<'_>) -> Option<Self> {
        let written = normal(&root.value.path);
        let (entry, object) = resolve(world, &written)?;
        let (real, kind) = match object {
            Some(object) => (&*object.real, object.kind),
            None if root.value.access == Access::Read => (&*written, FileKind::Missing),
            None => return None,
        };
        Some(Self {
            real: real.to_owned(),
            entry: entry.unwrap_or(&written).to_owned(),
            written: written.to_path_buf(),
            kind,
            access: root.value.access,
            execute: root.value.execute,
            named: root.value.named,
            rule: root.rule.clone(),
        })
    }
}

impl GroundPatterns {
    fn new(set: &Arc<PatternSet>, rules: &[Ruled<PathPattern>], world: &World<'_>) -> Self {
        let mut bases = Vec::new();
        for (group, globs) in set.groups.iter().enumerate() {
            bases.push((globs.base.clone(), group));
            if !globs.is_anywhere()
                && let Some((_, Some(object))) = resolve(world, &globs.base)
                && object.real != globs.base
            {
                bases.push((object.real.clone(), group));
            }
        }
        let mut patterns = Self {
            set: Arc::clone(set),
            rules: rules.iter().map(|rule| rule.rule.clone()).collect(),
            literals: Vec::new(),
            by_name: HashMap::with_capacity(set.literals.len()),
            names: Sieve::default(),
            by_id: HashMap::new(),
            bases,
        };
        for literal in set.literals.iter().filter_map(|(path, rule)| GroundLiteral::new(path, *rule, world)) {
            patterns.add(literal);
        }
        patterns
    }

    fn add(&mut self, literal: GroundLiteral) {
        let place = self.literals.len();
        for name in &literal.names {
            self.names.add(name.as_os_str());
            self.by_name.entry(name.as_os_str().to_owned()).or_insert(place);
        }
        if let Some(id) = literal.id {
            self.by_id.entry(id).or_insert(place);
        }
        self.literals.push(literal);
    }

    /// A hidden name that is a link covers its target. Names without pattern characters are looked up
    /// at the top of every root; a link with such a name further down covers itself only.
    fn follow_links<'r>(&mut self, roots: impl Iterator<Item = &'r GroundRoot>, world: &World<'_>) {
        for root in roots.filter(|root| root.kind == FileKind::Directory) {
            for (name, rule) in &Arc::clone(&self.set).plain_names {
                if let Some((Some(entry), Some(object))) = resolve(world, &root.real.join(name))
                    && entry != object.real
                {
                    let exists = object.kind != FileKind::Missing;
                    let names = vec![object.real.clone()];
                    self.add(GroundLiteral { rule: *rule, names, id: object.id, exists });
                }
            }
        }
    }

    fn known_beneath(&self, directory: &Path) -> Option<(&RuleRef, &Path)> {
        self.literals.iter().filter(|literal| literal.exists).find_map(|literal| {
            let name = literal.names.iter().find(|name| is_strictly_beneath(name, directory))?;
            Some((self.rules.get(literal.rule)?, name.as_path()))
        })
    }

    /// Every pattern with where it can match.
    fn names(&self) -> impl Iterator<Item = (&RuleRef, &Path)> {
        self.literals.iter().flat_map(|literal| {
            let rule = self.rules.get(literal.rule);
            literal.names.iter().filter_map(move |name| Some((rule?, name.as_path())))
        })
    }

    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.rules.iter().enumerate().map(|(rule, stated)| {
            let text = &*stated.text;
            let is_literal = self.set.literals.iter().any(|(_, literal)| *literal == rule);
            if is_literal && let Some(literal) = self.literals.iter().find(|literal| literal.rule == rule) {
                return Place::Exact { paths: &literal.names, exists: literal.exists, text };
            }
            let of_rule = |group: &usize| self.set.groups.get(*group).is_some_and(|group| group.has(rule));
            let bases: Vec<&PathBuf> =
                self.bases.iter().filter(|(_, group)| of_rule(group)).map(|(base, _)| base).collect();
            if bases.is_empty() || bases.iter().any(|base| base.as_path() == Path::new("/")) {
                return Place::Anywhere { text };
            }
            Place::Beneath { bases, text }
        })
    }

    /// Rules that match the path or an ancestor; names count beneath `top`, globs anywhere.
    fn matches(&self, path: &Path, top: Option<&Path>, id: Option<FileId>) -> Matches {
        let mut found = self.matches_literally(path, id);
        if let Some(top) = top {
            self.set.match_names(path, top, &mut found);
        }
        for (base, group) in &self.bases {
            if let Some(group) = self.set.groups.get(*group) {
                group.match_beneath(path, base, &mut found);
            }
        }
        found
    }

    /// The same, but globs that may begin anywhere begin beneath `top`: a workspace below a directory
    /// of a protected name is not protected as a whole.
    fn matches_beneath(&self, path: &Path, top: &Path) -> Matches {
        let mut found = self.matches_literally(path, None);
        self.set.match_names(path, top, &mut found);
        for (base, group) in &self.bases {
            if let Some(group) = self.set.groups.get(*group) {
                group.match_beneath(path, if group.is_anywhere() { top } else { base }, &mut found);
            }
        }
        found
    }

    fn matches_literally(&self, path: &Path, id: Option<FileId>) -> Matches {
        let mut found: Matches = self.set.broken().map(|rule| (rule, path.to_owned())).into_iter().collect();
        for ancestor in normal::ancestors(path).filter(|name| self.names.may_have(name.as_os_str())) {
            let place = self.by_name.get(ancestor.as_os_str());
            if let Some(literal) = place.and_then(|place| self.literals.get(*place)) {
                found.push((literal.rule, ancestor.to_owned()));
            }
        }
        let same_object = id.and_then(|id| self.literals.get(*self.by_id.get(&id)?));
        if let Some(literal) = same_object
            && let Some(name) = literal.names.first()
        {
            found.push((literal.rule, name.clone()));
        }
        found
    }
}

impl GroundLiteral {
    fn new(path: &Path, rule: usize, world: &World<'_>) -> Option<Self> {
        let (entry, object) = resolve(world, path)?;
        let mut names = vec![path.to_owned()];
        for name in [entry, object.map(|object| &*object.real)].into_iter().flatten() {
            if names.last().is_none_or(|last| last.as_os_str() != name.as_os_str()) {
                names.push(name.to_owned());
            }
        }
        let exists = object.is_some_and(|object| object.kind != FileKind::Missing);
        Some(Self { rule, names, id: object.and_then(|object| object.id), exists })
    }
}

/// The canonical directory entry of a path and what it leads to, as far as there is something.
type Resolved<'w> = (Option<&'w Path>, Option<&'w ResolvedPath>);

/// `None` while the fact is missing: what is made without it is thrown away.
fn resolve<'w>(world: &World<'w>, path: &Path) -> Option<Resolved<'w>> {
    let Ok(entry) = world.path(path, false)? else { return Some((None, None)) };
    let object =
        if entry.kind == FileKind::Link { world.path(path, true)?.as_ref().ok() } else { Some(entry) };
    Some((Some(&*entry.real), object))
}
