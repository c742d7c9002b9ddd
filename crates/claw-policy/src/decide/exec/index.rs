//! The policy's lists by name, made once per policy: a line asks them for every command and operand.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::{glob, words};
use crate::Message;
use crate::policy::{ExecLayer, PathPattern, Policy, ProgramMatcher};

/// Indexes of the lists that commands are held against.
#[derive(Debug)]
pub(crate) struct Index {
    /// By layer.
    allowlists: Vec<Allowlist>,
    /// Made when a name is first asked about.
    hidden: OnceLock<HiddenNames>,
}

impl Index {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self { allowlists: policy.exec.iter().map(Allowlist::new).collect(), hidden: OnceLock::new() }
    }

    /// The places of the entries in a layer's allowlist that can mean a program with the bare name `name`.
    pub(super) fn entries(&self, layer: usize, name: &[u8]) -> &[usize] {
        self.allowlists.get(layer).map_or(&[], |list| list.by_name.get(name).unwrap_or(&list.by_path))
    }

    /// The places of those that mean paths.
    pub(super) fn by_path(&self, layer: usize) -> &[usize] {
        self.allowlists.get(layer).map_or(&[], |list| &list.by_path)
    }

    /// What is said when the entry at `place` in a layer's allowlist allows a command.
    pub(super) fn said(&self, layer: usize, place: usize) -> Message {
        let said = self.allowlists.get(layer).and_then(|list| list.said.get(place));
        said.map_or("the allowlist names it".into(), |said| Arc::clone(said).into())
    }

    /// Whether a name without `/` could be the last one of something that `policy`, whose index this is, hides.
    pub(super) fn may_be_hidden(&self, policy: &Policy, name: &[u8]) -> bool {
        self.hidden.get_or_init(|| HiddenNames::new(policy)).may_be(name)
    }
}

/// The places of a layer's allowlist entries, in order.
#[derive(Debug)]
struct Allowlist {
    /// Those that mean the name, among those that mean paths.
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    /// Those that mean paths, which can be a program of any name.
    by_path: Vec<usize>,
    /// What is said when an entry allows a command, by place.
    said: Vec<Arc<str>>,
}

impl Allowlist {
    fn new(layer: &ExecLayer) -> Self {
        let said =
            layer.allowlist.iter().map(|entry| format!("`{}` is in the allowlist", entry.rule.text).into());
        let mut list = Self {
            by_name: HashMap::with_capacity(layer.allowlist.len()),
            by_path: Vec::new(),
            said: said.collect(),
        };
        for (place, entry) in layer.allowlist.iter().enumerate() {
            match &entry.value.program {
                ProgramMatcher::Path(_) => {
                    list.by_path.push(place);
                    list.by_name.values_mut().for_each(|places| places.push(place));
                }
                ProgramMatcher::Name(name) => {
                    list.by_name.entry(name.clone()).or_insert_with(|| list.by_path.clone()).push(place);
                }
            }
        }
        list
    }
}

/// The last names of what is hidden.
#[derive(Debug, Default)]
struct HiddenNames {
    /// Names without pattern characters, and every end of the literal paths' last names.
    plain: HashSet<Vec<u8>>,
    /// What follows the only star of a pattern that begins with it, as most do (`*.pem`).
    ends: Vec<Vec<u8>>,
    patterns: Vec<Vec<u8>>,
}

impl HiddenNames {
    fn new(policy: &Policy) -> Self {
        let mut names = Self::default();
        for rule in policy.hidden.iter().chain(&policy.hidden_by_default) {
            match &rule.value {
                PathPattern::Component(pattern) => names.add(pattern.as_bytes()),
                PathPattern::Glob(pattern) => names.add(words::base_name(pattern.as_bytes())),
                PathPattern::Literal(path) => {
                    let name = words::base_name(path.as_os_str().as_encoded_bytes());
                    names.plain.extend((0..=name.len()).filter_map(|at| name.get(at..)).map(<[u8]>::to_vec));
                }
            }
        }
        names
    }

    fn add(&mut self, pattern: &[u8]) {
        match pattern {
            [b'*', end @ ..] if !is_magic(end) => self.ends.push(end.to_vec()),
            pattern if is_magic(pattern) => self.patterns.push(pattern.to_vec()),
            pattern => {
                self.plain.insert(pattern.to_vec());
            }
        }
    }

    fn may_be(&self, name: &[u8]) -> bool {
        self.ends.iter().any(|end| name.ends_with(end))
            || self.plain.contains(name)
            || self.patterns.iter().any(|pattern| glob::matches(pattern, name))
    }
}

fn is_magic(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| b"*?[]{}\\".contains(byte))
}
