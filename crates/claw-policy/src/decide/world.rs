//! Facts, read through a recorder of what is missing.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Known;
use super::ground::Ground;
use crate::confinement::BaseConfinement;
use crate::{
    Confinement, Decision, FactError, Facts, MissingFacts, PathFact, Policy, ProgramFact, Query, TreeFact,
};

/// The built-in profile asks for as many paths.
const MISSING: usize = 200;

/// Queries in the order in which they came up, each once.
#[derive(Debug, Default)]
struct Missing {
    queries: Vec<Query>,
    known: HashSet<Query>,
}

/// The facts during one decision. An unknown fact is recorded and reads as `None`; the decision that
/// is made without it is thrown away by [`World::finish`].
#[derive(Debug)]
pub(super) struct World<'a> {
    facts: &'a Facts,
    missing: RefCell<Missing>,
    /// How often a fact was asked for and missing.
    unanswered: Cell<usize>,
    ground: OnceCell<Arc<Ground>>,
}

impl<'a> World<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        Self { facts, missing: RefCell::default(), unanswered: Cell::new(0), ground: OnceCell::new() }
    }

    /// The decision, unless a fact that it asked for was missing.
    pub(super) fn finish(self, decision: Decision) -> Result<Decision, MissingFacts> {
        let queries = self.missing.into_inner().queries;
        if queries.is_empty() { Ok(decision) } else { Err(MissingFacts { queries }) }
    }

    pub(super) fn home(&self) -> Option<&'a Path> {
        self.facts.home.as_deref()
    }

    pub(super) fn program(&self, name: &[u8]) -> Option<&'a Result<ProgramFact, FactError>> {
        self.facts.program(name).or_else(|| self.missing(Query::Program { name: name.to_vec() }))
    }

    pub(super) fn program_path(&self, path: &Path) -> Option<&'a Result<ProgramFact, FactError>> {
        self.facts.program_path(path).or_else(|| self.missing(Query::ProgramPath { path: path.to_owned() }))
    }

    pub(super) fn path(&self, path: &Path, follow: bool) -> Option<&'a PathFact> {
        self.facts.path(path, follow).or_else(|| self.missing(Query::Path { path: path.to_owned(), follow }))
    }

    pub(super) fn glob(&self, pattern: &str) -> Option<&'a [ProgramFact]> {
        self.facts.glob(pattern).or_else(|| self.missing(Query::ProgramGlob { pattern: pattern.to_owned() }))
    }

    pub(super) fn home_of(&self, user: &[u8]) -> Option<&'a Option<PathBuf>> {
        self.facts.home_of(user).or_else(|| self.missing(Query::Home { user: user.to_vec() }))
    }

    pub(super) fn tree(&self, path: &Path) -> Option<&'a TreeFact> {
        self.facts.tree(path).or_else(|| self.missing(Query::Tree { path: path.to_owned() }))
    }

    /// How often a fact was missing so far: when two readings are equal, what lay between is complete.
    pub(super) const fn unanswered(&self) -> usize {
        self.unanswered.get()
    }

    /// The policy laid over the facts; remembered in the facts once it is complete.
    pub(super) fn ground(&self, policy: &Policy) -> &Ground {
        self.ground.get_or_init(|| {
            if let Some(known) = self.facts.ground.get()
                && known.is_of(policy)
            {
                return Arc::clone(known);
            }
            let before = self.unanswered();
            let ground = Arc::new(Ground::new(policy, self));
            if self.unanswered() == before {
                // Another policy's ground may be there already: then this one is not remembered.
                let _ = self.facts.ground.set(Arc::clone(&ground));
            }
            ground
        })
    }

    /// Whether only one command will run.
    pub(super) const fn one_shot(&self) -> bool {
        self.facts.one_shot
    }

    /// The policy's confinement; remembered in the facts. `None` while a fact for it is missing.
    pub(super) fn confinement(
        &self,
        policy: &Policy,
        make: impl FnOnce() -> Confinement,
    ) -> Option<Arc<BaseConfinement>> {
        if let Some((of, known)) = self.facts.confinement.get()
            && Arc::ptr_eq(of, policy.patterns())
        {
            return Some(Arc::clone(known));
        }
        let before = self.unanswered();
        let confinement = Arc::new(BaseConfinement::new(make()));
        if self.unanswered() != before {
            return None;
        }
        let _ = self.facts.confinement.set((Arc::clone(policy.patterns()), Arc::clone(&confinement)));
        Some(confinement)
    }

    /// What the policy's names of programs mean; remembered in the facts. `None` while a fact for it is missing.
    pub(super) fn known(&self, policy: &Policy) -> Option<Arc<Known>> {
        if let Some((of, known)) = self.facts.known.get()
            && Arc::ptr_eq(of, policy.patterns())
        {
            return Some(Arc::clone(known));
        }
        let before = self.unanswered();
        let known = Arc::new(Known::new(policy, self));
        if self.unanswered() != before {
            return None;
        }
        let _ = self.facts.known.set((Arc::clone(policy.patterns()), Arc::clone(&known)));
        Some(known)
    }

    /// Every query that was not answered, for the caller to answer.
    pub(super) fn into_missing(self) -> Vec<Query> {
        self.missing.into_inner().queries
    }

    fn missing<T>(&self, query: Query) -> Option<T> {
        self.unanswered.set(self.unanswered() + 1);
        let mut missing = self.missing.borrow_mut();
        // What follows is the policy's own list of paths, at first.
        if missing.queries.is_empty() {
            missing.queries.reserve(MISSING);
            missing.known.reserve(MISSING);
        }
        if missing.known.insert(query.clone()) {
            missing.queries.push(query);
        }
        None
    }
}
