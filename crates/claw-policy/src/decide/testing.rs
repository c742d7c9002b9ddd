//! Test support: a file system as a value, and policies by hand.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::policy::{
    Ask, Descendants, EnvironmentRules, ExecLayer, FileLayer, FrontDoor, Logging, PathPattern, Policy,
    RootRule, Ruled, Secrets, Security,
};
use crate::{
    Access, Decision, FactError, Facts, FileId, FileKind, Floor, Limits, PathFact, ProgramFact, Query,
    Request, ResolvedPath, RuleRef, decide,
};

/// A node of the file system.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Node {
    Directory,
    /// A regular file with its inode number.
    File(u64),
    Link(PathBuf),
    Fifo,
}

/// A whole file system: every path that exists, canonical.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: BTreeMap<PathBuf, Node>,
    /// Trees in which hard links are looked for, as the edge does for the policy's roots.
    pub(crate) scanned: Vec<PathBuf>,
}

impl Tree {
    pub(crate) fn new(scanned: &[&str]) -> Self {
        let scanned = scanned.iter().map(PathBuf::from).collect();
        Self { nodes: BTreeMap::from([("/".into(), Node::Directory)]), scanned }
    }

    pub(crate) fn add(&mut self, path: impl AsRef<Path>, node: Node) -> &mut Self {
        let path = path.as_ref();
        for ancestor in path.ancestors().skip(1) {
            self.nodes.entry(ancestor.to_owned()).or_insert(Node::Directory);
        }
        self.nodes.insert(path.to_owned(), node);
        self
    }

    pub(crate) fn directory(&mut self, path: &str) -> &mut Self {
        self.add(path, Node::Directory)
    }

    pub(crate) fn file(&mut self, path: &str) -> &mut Self {
        let inode = self.nodes.len() as u64 + 1000;
        self.add(path, Node::File(inode))
    }

    pub(crate) fn hard_link(&mut self, path: &str, to: &str) -> &mut Self {
        let node = self.nodes.get(Path::new(to)).cloned().expect("the other name is there");
        self.add(path, node)
    }

    pub(crate) fn link(&mut self, path: &str, to: &str) -> &mut Self {
        self.add(path, Node::Link(to.into()))
    }

    /// Resolves as the kernel does: component by component, `..` after the link.
    pub(crate) fn resolve(&self, path: &Path, follow: bool) -> PathFact {
        let mut todo: Vec<PathBuf> = parts(path);
        let (mut at, mut visited, mut links, mut missing) = (PathBuf::from("/"), Vec::new(), 0, false);
        while let Some(part) = todo.pop() {
            if missing && part == Path::new("..") {
                return Err(FactError::NotFound);
            }
            match self.nodes.get(&at) {
                _ if missing => {}
                Some(Node::Directory) => {}
                _ => return Err(FactError::NotDirectory),
            }
            if part == Path::new("..") {
                at.pop();
                continue;
            }
            let entry = at.join(&part);
            visited.push(entry.clone());
            match self.nodes.get(&entry) {
                Some(Node::Link(target)) if follow || !todo.is_empty() => {
                    links += 1;
                    if links > 40 {
                        return Err(FactError::LinkLoop);
                    }
                    if target.is_absolute() {
                        at = "/".into();
                    }
                    todo.extend(parts(target));
                }
                found => {
                    missing |= found.is_none();
                    at = entry;
                }
            }
        }
        visited.push(at.clone());
        Ok(self.describe(at, visited))
    }

    fn describe(&self, real: PathBuf, visited: Vec<PathBuf>) -> ResolvedPath {
        let node = self.nodes.get(&real);
        let kind = match node {
            None => FileKind::Missing,
            Some(Node::Directory) => FileKind::Directory,
            Some(Node::File(_)) => FileKind::File,
            Some(Node::Link(_)) => FileKind::Link,
            Some(Node::Fifo) => FileKind::Special,
        };
        let (mut aliases, mut outside_names, mut id) = (Vec::new(), false, None);
        if let Some(Node::File(inode)) = node {
            id = Some(FileId { device: 1, inode: *inode });
            for (name, other) in &self.nodes {
                if other == &Node::File(*inode) && *name != real {
                    if self.scanned.iter().any(|root| name.starts_with(root)) {
                        aliases.push(name.clone());
                    } else {
                        outside_names = true;
                    }
                }
            }
        }
        ResolvedPath { real, visited, kind, id, aliases, outside_names, mount_point: false }
    }

    /// Answers a query.
    pub(crate) fn answer(&self, query: &Query, facts: &mut Facts) {
        match query {
            Query::Path { path, follow } => facts.set_path(path, *follow, self.resolve(path, *follow)),
            Query::Tree { path } => {
                let entries = self.nodes.keys().filter(|name| name.starts_with(path) && *name != path);
                facts.set_tree(path, Some(entries.cloned().collect()));
            }
            Query::Home { user } => {
                facts.set_home(user.clone(), (user == b"bob").then(|| "/home/bob".into()));
            }
            Query::Program { name } => {
                let path = Path::new("/usr/bin").join(String::from_utf8_lossy(name).into_owned());
                facts.set_program(name.clone(), self.program(&path));
            }
            Query::ProgramPath { path } => facts.set_program_path(path, self.program(path)),
            Query::ProgramGlob { pattern } => {
                let glob = globset::Glob::new(pattern).expect("the glob compiles").compile_matcher();
                let names = self.nodes.keys().filter(|name| glob.is_match(name));
                let programs = names.filter_map(|name| self.program(name).ok()).collect();
                facts.set_glob(pattern.clone(), programs);
            }
        }
    }

    /// Every regular file is an executable program.
    fn program(&self, path: &Path) -> Result<ProgramFact, FactError> {
        let found = self.resolve(path, true)?;
        match (found.kind, found.id) {
            (FileKind::File, Some(id)) => Ok(ProgramFact {
                found: path.to_owned(),
                real: found.real,
                id,
                executable: true,
                interpreters: Vec::new(),
            }),
            (FileKind::Directory, _) => Err(FactError::IsDirectory),
            _ => Err(FactError::NotFound),
        }
    }

    /// Answers what is asked until there is a decision.
    pub(crate) fn decide(&self, policy: &Policy, request: Request<'_>) -> Decision {
        let mut facts = Facts::new(Some("/home/me".into()));
        for _ in 0..64 {
            match decide(policy, &facts, request) {
                Ok(decision) => return decision,
                Err(missing) => missing.queries.iter().for_each(|query| self.answer(query, &mut facts)),
            }
        }
        panic!("the facts do not settle")
    }
}

/// The components of a path, last first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let is_part = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(is_part).map(|part| part.as_os_str().into()).collect()
}

/// A rule that says where it stands by its text.
pub(crate) fn rule(text: &str) -> RuleRef {
    RuleRef { source: Arc::from("test.yaml"), line: 1, column: 1, text: Arc::from(text) }
}

pub(crate) fn ruled<T>(text: &str, value: T) -> Ruled<T> {
    Ruled { value, rule: rule(text) }
}

/// A root of a named policy.
pub(crate) fn root(path: &str, access: Access) -> Ruled<RootRule> {
    ruled(path, RootRule { path: path.into(), access, execute: false, named: true })
}

/// A pattern: `/x` is literal, `x*y` without `/` a name, the rest a glob.
pub(crate) fn pattern(text: &str) -> Ruled<PathPattern> {
    let magic = text.contains(['*', '?', '[']);
    ruled(
        text,
        match text.contains('/') {
            false => PathPattern::Component(text.into()),
            true if magic => PathPattern::Glob(text.into()),
            true => PathPattern::Literal(text.into()),
        },
    )
}

/// A policy with one file layer: a workspace and more roots.
pub(crate) fn policy(workspace: &str, roots: &[(&str, Access)], hidden: &[&str]) -> Policy {
    let mut layer = FileLayer {
        roots: vec![root(workspace, Access::Write)],
        workspace: Some(ruled(workspace, workspace.into())),
        workspace_exec: false,
    };
    layer.roots.extend(roots.iter().map(|(path, access)| root(path, *access)));
    Policy {
        sources: Vec::new(),
        project_sources: Vec::new(),
        named_sources: Vec::new(),
        exec: vec![ExecLayer {
            security: ruled("allowlist", Security::Allowlist),
            ask: ruled("off", Ask::Off),
            allowlist: Vec::new(),
            inline_eval_denied: None,
            safe_bins: Vec::new(),
        }],
        exec_deny: Vec::new(),
        trusted_dirs: vec!["/usr/bin".into()],
        bundles: Vec::new(),
        descendants: Descendants::default(),
        verify: true,
        files: vec![layer],
        system: Vec::new(),
        hidden: hidden.iter().map(|text| pattern(text)).collect(),
        hidden_by_default: Vec::new(),
        protected: Vec::new(),
        network: Vec::new(),
        environment: EnvironmentRules::default(),
        limits: Limits::default(),
        floor: Floor::default(),
        detach: false,
        secrets: Secrets::default(),
        logging: Logging::default(),
        front_door: FrontDoor::default(),
        tools: vec![Vec::new()],
        contexts: Vec::new(),
        places: Default::default(),
        patterns: Default::default(),
    }
}
