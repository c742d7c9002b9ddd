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
use crate::policy::{PathPattern, Policy, Ruled};

/// What a policy amounts to by itself; also its identity, for what is remembered about it elsewhere.
#[derive(Debug)]
pub(crate) struct Patterns {
    pub(crate) hidden: Arc<PatternSet>,
    pub(crate) hidden_by_default: Arc<PatternSet>,
    pub(crate) protected: Arc<PatternSet>,
    pub(crate) exec: ExecIndex,
    /// The variables of every run.
    pub(crate) environment: Environment,
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
                environment: crate::decide::environment_of_every_run(self),
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
    names: GlobSet,
    name_rules: Vec<usize>,
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
    rests: GlobSet,
    rules: Vec<usize>,
}

impl PatternSet {
    fn new(patterns: &[Ruled<PathPattern>]) -> Self {
        let mut names = GlobSetBuilder::new();
        let mut groups: Vec<(PathBuf, GlobSetBuilder, Vec<usize>)> = Vec::new();
        let mut set = Self::default();
        for (rule, pattern) in patterns.iter().enumerate() {
            set.plain_names.extend(plain_name(&pattern.value).map(|name| (name.into(), rule)));
            match &pattern.value {
                PathPattern::Literal(path) => set.literals.push((path.components().collect(), rule)),
                PathPattern::Component(name) => match compile(name) {
                    Some(glob) => {
                        names.add(glob);
                        set.name_rules.push(rule);
                    }
                    None => set.broken = Some(rule),
                },
                PathPattern::Glob(glob) => {
                    let (base, rest) = split(glob);
                    let Some(rest) = compile(&rest) else {
                        set.broken = Some(rule);
                        continue;
                    };
                    if !groups.iter().any(|(known, ..)| *known == base) {
                        groups.push((base.clone(), GlobSetBuilder::new(), Vec::new()));
                    }
                    if let Some((_, rests, rules)) = groups.iter_mut().find(|(known, ..)| *known == base) {
                        rests.add(rest);
                        rules.push(rule);
                    }
                }
            }
        }
        match names.build() {
            Ok(built) => set.names = built,
            Err(_) => set.broken = set.name_rules.first().copied(),
        }
        for (base, rests, rules) in groups {
            match rests.build() {
                Ok(rests) => set.groups.push(GlobGroup { base, rests, rules }),
                Err(_) => set.broken = rules.first().copied(),
            }
        }
        set
    }

    /// The rule that matches everything because it does not compile.
    pub(crate) const fn broken(&self) -> Option<usize> {
        self.broken
    }

    /// Rules that match a component of `path` beneath `root`, with the path up to that component.
    pub(crate) fn match_names(&self, path: &Path, root: &Path, found: &mut Matches) {
        if self.names.is_empty() {
            return;
        }
        let beneath = path.strip_prefix(root).unwrap_or(Path::new(""));
        for (depth, component) in beneath.components().enumerate() {
            for index in self.names.matches(Path::new(component.as_os_str())) {
                let matched = || root.join(beneath.components().take(depth + 1).collect::<PathBuf>());
                found.extend(self.name_rules.get(index).map(|rule| (*rule, matched())));
            }
        }
    }
}

impl GlobGroup {
    /// Whether every glob of the group may begin anywhere (`**/x`).
    pub(crate) fn is_anywhere(&self) -> bool {
        self.base == Path::new("/")
    }

    /// Whether the rule is one of the group's.
    pub(crate) fn has(&self, rule: usize) -> bool {
        self.rules.contains(&rule)
    }

    /// Rules that match `path` or an ancestor of it beneath `base` (a spelling of the group's own).
    pub(crate) fn match_beneath(&self, path: &Path, base: &Path, found: &mut Matches) {
        let Ok(rest) = path.strip_prefix(base) else { return };
        for ancestor in rest.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()) {
            for index in self.rests.matches(ancestor) {
                found.extend(self.rules.get(index).map(|rule| (*rule, base.join(ancestor))));
            }
        }
    }
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
    use super::*;

    #[test]
    fn a_glob_is_cut_before_its_first_pattern_character() {
        assert_eq!(split("/w/sub/*.key"), ("/w/sub".into(), "*.key".into()));
        assert_eq!(split("**/.env"), ("/".into(), "**/.env".into()));
        assert_eq!(split("/w/a/"), ("/w".into(), "a".into()));
        assert_eq!(split("/w/[a]/b"), ("/w".into(), "[a]/b".into()));
    }
}
