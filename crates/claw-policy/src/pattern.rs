//! What is compiled once per policy: its path patterns, indexes of its lists, and the variables of its runs.
//!
//! A match covers everything below it, so a path is tested together with its ancestors. Globs are cut
//! into a directory without pattern characters and a rest, because that directory may be spelled
//! through links: the rest is then matched beneath every spelling of it.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::Environment;
use crate::decide::ExecIndex;
use crate::normal::{self, normal};
use crate::policy::{PathPattern, Policy, Ruled};

/// What a policy amounts to by itself; also its identity, for what is remembered about it elsewhere.
#[derive(Debug)]
pub(crate) struct Patterns {
    pub(crate) hidden: Arc<PatternSet>,
    pub(crate) hidden_by_default: Arc<PatternSet>,
    pub(crate) protected: Arc<PatternSet>,
    pub(crate) exec: ExecIndex,
    /// The variables of every run.
    pub(crate) environment: Arc<Environment>,
}

/// Compiled on first use. A policy that is changed after its first use needs a new one: see [`Policy::edited`].
#[derive(Clone, Debug, Default)]
pub(crate) struct LazyPatterns(OnceLock<Arc<Patterns>>);

impl Policy {
    pub(crate) fn patterns(&self) -> &Arc<Patterns> {
        self.patterns.0.get_or_init(|| {
            Arc::new(Patterns {
                hidden: Arc::new(PatternSet::new(&self.hidden)),
                hidden_by_default: Arc::new(PatternSet::new(&self.hidden_by_default)),
                protected: Arc::new(PatternSet::new(&self.protected)),
                exec: ExecIndex::new(self),
                environment: Arc::new(crate::decide::environment_of_every_run(self)),
            })
        })
    }

    /// A changed copy that shares nothing remembered with the original.
    pub(crate) fn edited(&self, edit: impl FnOnce(&mut Self)) -> Self {
        let mut policy = self.clone();
        policy.patterns = LazyPatterns::default();
        edit(&mut policy);
        policy
    }
}

/// A list of patterns; a pattern is known by its place in the list.
#[derive(Debug, Default)]
pub(crate) struct PatternSet {
    /// Names without pattern characters, and the others.
    names: Vec<(String, usize)>,
    name_globs: Globs,
    pub(crate) literals: Vec<(PathBuf, usize)>,
    /// Relative paths without pattern characters that match anywhere (`.env`, `**/.env`).
    pub(crate) plain_names: Vec<(PathBuf, usize)>,
    pub(crate) groups: Vec<GlobGroup>,
    /// A pattern that does not compile matches everything: these lists only ever take away.
    broken: Option<usize>,
}

/// Globs beneath the same directory.
#[derive(Debug)]
pub(crate) struct GlobGroup {
    pub(crate) base: PathBuf,
    /// `**/` and a path without pattern characters, which most are: the end of a path.
    ends: Vec<(PathBuf, usize)>,
    rests: Globs,
}

/// Globs that are tried together. They are compiled when a path comes as far as them: that costs more than
/// everything else that is made of a policy, and most runs touch nothing of the kind.
#[derive(Debug, Default)]
struct Globs {
    patterns: Vec<Glob>,
    rules: Vec<usize>,
    compiled: OnceLock<Option<GlobSet>>,
}

impl PatternSet {
    fn new(patterns: &[Ruled<PathPattern>]) -> Self {
        let mut set = Self::default();
        for (rule, pattern) in patterns.iter().enumerate() {
            set.plain_names.extend(plain_name(&pattern.value).map(|name| (name.into(), rule)));
            match &pattern.value {
                PathPattern::Literal(path) => set.literals.push((normal(path).into_owned(), rule)),
                PathPattern::Component(name) if !is_magic(name) => set.names.push((name.clone(), rule)),
                PathPattern::Component(name) => {
                    if set.name_globs.add(name, rule).is_none() {
                        set.broken = Some(rule);
                    }
                }
                PathPattern::Glob(glob) => {
                    let (base, rest) = split(glob);
                    if set.add_beneath(base, &rest, rule).is_none() {
                        set.broken = Some(rule);
                    }
                }
            }
        }
        set
    }

    fn add_beneath(&mut self, base: PathBuf, rest: &str, rule: usize) -> Option<()> {
        if let Some(group) = self.groups.iter_mut().find(|group| group.base == base) {
            return group.add(rest, rule);
        }
        let mut group = GlobGroup { base, ends: Vec::new(), rests: Globs::default() };
        group.add(rest, rule)?;
        self.groups.push(group);
        Some(())
    }

    /// The rule that matches everything because it does not compile.
    pub(crate) const fn broken(&self) -> Option<usize> {
        self.broken
    }

    /// Rules that match a component of `path` beneath `root`, with the path up to that component.
    pub(crate) fn match_names(&self, path: &Path, root: &Path, found: &mut Matches) {
        if self.names.is_empty() && self.name_globs.patterns.is_empty() {
            return;
        }
        for (to_name, name) in normal::names(path, root) {
            let plain = self.names.iter().filter(|(known, _)| name == known.as_str()).map(|(_, rule)| *rule);
            let rules = in_order(plain, self.name_globs.matches(Path::new(name)));
            found.extend(rules.into_iter().map(|rule| (rule, to_name.to_owned())));
        }
    }
}

impl GlobGroup {
    fn add(&mut self, rest: &str, rule: usize) -> Option<()> {
        match rest.strip_prefix("**/").filter(|end| !is_magic(end)) {
            Some(end) => self.ends.push((end.into(), rule)),
            None => self.rests.add(rest, rule)?,
        }
        Some(())
    }

    /// Whether every glob of the group may begin anywhere (`**/x`).
    pub(crate) fn is_anywhere(&self) -> bool {
        self.base == Path::new("/")
    }

    /// Whether the rule is one of the group's.
    pub(crate) fn has(&self, rule: usize) -> bool {
        self.rests.rules.contains(&rule) || self.ends.iter().any(|(_, known)| *known == rule)
    }

    /// Rules that match `path` or an ancestor of it beneath `base` (a spelling of the group's own).
    pub(crate) fn match_beneath(&self, path: &Path, base: &Path, found: &mut Matches) {
        let Some(rest) = normal::below(path, base) else { return };
        for ancestor in normal::ancestors(rest) {
            let ends = self.ends.iter().filter(|(end, _)| normal::ends_with(ancestor, end));
            let rules = in_order(ends.map(|(_, rule)| *rule), self.rests.matches(ancestor));
            found.extend(rules.into_iter().map(|rule| (rule, base.join(ancestor))));
        }
    }
}

impl Globs {
    /// `None` for a pattern that is none.
    fn add(&mut self, pattern: &str, rule: usize) -> Option<()> {
        self.patterns.push(compile(pattern)?);
        self.rules.push(rule);
        Some(())
    }

    /// The rules that match; all of them when they do not compile together.
    fn matches(&self, path: &Path) -> Vec<usize> {
        if self.patterns.is_empty() {
            return Vec::new();
        }
        let compiled = self.compiled.get_or_init(|| {
            let mut set = GlobSetBuilder::new();
            self.patterns.iter().for_each(|glob| {
                set.add(glob.clone());
            });
            set.build().ok()
        });
        match compiled {
            Some(set) => set.matches(path).into_iter().filter_map(|at| self.rules.get(at).copied()).collect(),
            None => self.rules.clone(),
        }
    }
}

/// Rules in the order of the policy: the first that matches is the one that is named.
fn in_order(plain: impl Iterator<Item = usize>, mut rules: Vec<usize>) -> Vec<usize> {
    rules.extend(plain);
    rules.sort_unstable();
    rules
}

/// Matching rules and what exactly they matched: the path itself or an ancestor of it.
pub(crate) type Matches = Vec<(usize, PathBuf)>;

fn compile(pattern: &str) -> Option<Glob> {
    GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build().ok()
}

/// The relative path that a pattern matches anywhere, if it is without pattern characters.
fn plain_name(pattern: &PathPattern) -> Option<&str> {
    let name = match pattern {
        PathPattern::Component(name) => name,
        PathPattern::Glob(glob) => glob.trim_start_matches('/').strip_prefix("**/")?,
        PathPattern::Literal(_) => return None,
    };
    (!is_magic(name)).then_some(name)
}

/// Whether a path component of a pattern is more than plain text.
pub(crate) fn is_magic(component: &str) -> bool {
    component.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// Cuts an absolute glob (or one that begins with `**`) before its first component with a pattern character.
pub(crate) fn split(glob: &str) -> (PathBuf, String) {
    let mut base = PathBuf::from("/");
    let mut rest: Vec<&str> = Vec::new();
    for component in glob.split('/').filter(|component| !component.is_empty() && *component != ".") {
        if rest.is_empty() && !is_magic(component) {
            base.push(component);
        } else {
            rest.push(component);
        }
    }
    // Without any pattern character the last component is the rest.
    if rest.is_empty()
        && let Some(Component::Normal(name)) = base.components().next_back()
    {
        let name = name.to_string_lossy().into_owned();
        base.pop();
        return (base, name);
    }
    (base, rest.join("/"))
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use proptest::prelude::*;

    use super::*;
    use crate::decide::testing::ruled;

    fn of(texts: &[String], kind: fn(String) -> PathPattern) -> Vec<Ruled<PathPattern>> {
        texts.iter().map(|text| ruled(text, kind(text.clone()))).collect()
    }

    /// Every glob by itself, on the path and on its ancestors: what a set has to find, in whatever way.
    fn by_globs(globs: &[String], path: &Path) -> Vec<(usize, PathBuf)> {
        let below = |ancestor: &&Path| *ancestor != Path::new("/");
        let matchers = globs.iter().map(|glob| compile(glob).unwrap().compile_matcher()).collect::<Vec<_>>();
        let of = |ancestor: &Path| {
            let matching = matchers.iter().enumerate().filter(|(_, matcher)| matcher.is_match(ancestor));
            matching.map(|(rule, _)| (rule, ancestor.to_owned())).collect::<Vec<_>>()
        };
        path.ancestors().filter(below).flat_map(of).collect()
    }

    proptest! {
        #[test]
        fn a_set_finds_what_its_globs_match(
            globs in prop::collection::vec("(/\\*\\*)?(/(a|b|ab|\\*b|\\?)){1,3}", 1..5),
            path in "(/(a|b|ab|abb)){1,4}",
        ) {
            let path = Path::new(&path);
            let mut found = Matches::new();
            for group in PatternSet::new(&of(&globs, PathPattern::Glob)).groups {
                let before = found.len();
                group.match_beneath(path, &group.base, &mut found);
                // From the whole path up, and in the policy's order.
                let order = |(rule, matched): &(usize, PathBuf)| (Reverse(matched.as_os_str().len()), *rule);
                prop_assert!(found[before..].is_sorted_by_key(order));
            }
            let mut expected = by_globs(&globs, path);
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn names_match_the_components_that_their_globs_match(
            names in prop::collection::vec("a|b|ab|\\*b|\\?|\\[ab\\]", 1..5),
            path in "(/(a|b|ab|abb)){1,4}",
        ) {
            let mut found = Matches::new();
            let set = PatternSet::new(&of(&names, PathPattern::Component));
            set.match_names(Path::new(&path), Path::new("/"), &mut found);
            let globs: Vec<String> = names.iter().map(|name| format!("**/{name}")).collect();
            let mut expected = by_globs(&globs, Path::new(&path));
            // From the root down, and in the policy's order.
            expected.sort_by_key(|(rule, matched)| (matched.as_os_str().len(), *rule));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_pattern_that_does_not_compile_matches_everything() {
        let glob = ruled("/x/[", PathPattern::Glob("/x/[".into()));
        let patterns = [glob, ruled("[", PathPattern::Component("[".into()))];
        assert_eq!(PatternSet::new(&patterns[..1]).broken(), Some(0));
        assert_eq!(PatternSet::new(&patterns).broken(), Some(1));
    }

    #[test]
    fn a_glob_is_cut_before_its_first_pattern_character() {
        assert_eq!(split("/w/sub/*.key"), ("/w/sub".into(), "*.key".into()));
        assert_eq!(split("**/.env"), ("/".into(), "**/.env".into()));
        assert_eq!(split("/w/a/"), ("/w".into(), "a".into()));
        assert_eq!(split("/w/[a]/b"), ("/w".into(), "[a]/b".into()));
    }
}
