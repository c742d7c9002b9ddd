//! Asks the decision point, and looks up what it wants to know.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use claw_policy::{
    Decision, Denial, Explanation, Facts, FileRequest, MissingFacts, Narrowing, Policy, Query, Request,
    TouchRequest,
};

use nix::time::{ClockId, clock_gettime};

use crate::edge::{self, Edge, Stamp};

/// Rounds of questions after which a decision is given up: more than the links in any path.
const ROUNDS: usize = 200;

/// How long facts about the policy's own paths are kept. What can change meanwhile is what a link outside of
/// the roots leads to; a decision is about one moment anyway, and the kernel holds the files themselves.
const KEPT: Duration = Duration::from_secs(2);

/// How long they serve without a look whether they still hold, for requests about files: these come by the thousand.
const RECENT: Duration = Duration::from_secs(1);

/// A policy together with the world that it is about.
///
/// May be used from many threads at once.
#[derive(Debug)]
pub struct Judge {
    policy: Policy,
    edge: Edge,
    home: Option<PathBuf>,
    users: Option<BTreeMap<String, PathBuf>>,
    one_shot: bool,
    base: Mutex<Option<Base>>,
    descendants: Mutex<Option<DescendantFacts>>,
}

/// Kept facts with those that decisions on descendants need too.
#[derive(Debug)]
struct DescendantFacts {
    base: Arc<Facts>,
    facts: Arc<Facts>,
}

/// Facts that hold for longer than one request: the policy's roots, hidden entries and programs.
#[derive(Debug)]
struct Base {
    facts: Arc<Facts>,
    stamp: Stamp,
    since: Instant,
}

/// Facts for many judgements in a row.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    facts: Arc<Facts>,
    until: Option<Duration>,
}

/// The time since the start of the machine, some milliseconds late, and much faster than the exact one.
fn coarse_now() -> Duration {
    // It fails for unknown clocks only; then facts are looked up again for each judgement.
    clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).map_or(Duration::MAX, Duration::from)
}

impl Judge {
    /// A judge of this machine.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let edge = Edge::new(&policy);
        Self {
            policy,
            edge,
            home: edge::own_home(),
            users: None,
            one_shot: false,
            base: Mutex::new(None),
            descendants: Mutex::new(None),
        }
    }

    /// States what `~` means.
    #[must_use]
    pub fn with_home(mut self, home: PathBuf) -> Self {
        self.home = Some(home);
        self
    }

    /// States what `~user` means; no other user is known then.
    #[must_use]
    pub fn with_users(mut self, users: BTreeMap<String, PathBuf>) -> Self {
        self.users = Some(users);
        self
    }

    /// States that only one command will run: its confinement need not serve others.
    #[must_use]
    pub fn one_shot(mut self) -> Self {
        self.one_shot = true;
        self
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The judge that holds for requests of a context: the same world under a narrower policy.
    #[must_use]
    pub fn narrowed(&self, narrowing: &Narrowing) -> Self {
        let policy = self.policy.narrowed(narrowing);
        let edge = Edge::new(&policy);
        let (home, users) = (self.home.clone(), self.users.clone());
        let (base, descendants) = (Mutex::default(), Mutex::default());
        Self { policy, edge, home, users, one_shot: self.one_shot, base, descendants }
    }

    /// Decides. `None` when the world changes faster than it can be looked at.
    #[must_use]
    pub fn decide(&self, request: Request<'_>) -> Option<Decision> {
        if let Request::File(file) = request
            && let Some((allowed @ Decision::Allow(_), _)) = self.decide_file(file)
        {
            return Some(allowed);
        }
        self.settle(request, |facts| claw_policy::decide(&self.policy, facts, request))
    }

    /// Decides about a file, and says how long the policy's own paths need not be looked at again for an allowance.
    pub(crate) fn decide_until(&self, request: &FileRequest) -> Option<(Decision, Option<Instant>)> {
        if let Some((allowed @ Decision::Allow(_), until)) = self.decide_file(request) {
            return Some((allowed, Some(until)));
        }
        let request = Request::File(request);
        let decision = self.settle(request, |facts| claw_policy::decide(&self.policy, facts, request))?;
        Some((decision, None))
    }

    /// Decides about a file by facts about the policy's own paths of at most a second ago, and about the file of now.
    /// A denial may come of a root that was not there then: it is for the caller to look again. The facts are old enough
    /// at the time that comes with the decision.
    fn decide_file(&self, request: &FileRequest) -> Option<(Decision, Instant)> {
        let (recent, until) = self.recent();
        let ask = |facts: &Facts| claw_policy::decide(&self.policy, facts, Request::File(request));
        let mut facts = Facts::over(&recent);
        Edge::answer_at_once(request.cwd.join(OsStr::from_bytes(&request.path)), &mut facts);
        Some((self.settle_with(facts, ask)?, until))
    }

    /// Explains. `None` when the world changes faster than it can be looked at.
    #[must_use]
    pub fn explain(&self, request: Request<'_>) -> Option<Explanation> {
        self.settle(request, |facts| claw_policy::explain(&self.policy, facts, request))
    }

    /// Judges one object of an operation that was granted as a whole, by facts of at most a second ago.
    pub(crate) fn touch(&self, request: &TouchRequest<'_>) -> Result<(), Denial> {
        claw_policy::decide_touch(&self.policy, &self.recent().0, request)
    }

    /// Judges one object of many by the same facts, which are looked up again when they are a second old.
    pub(crate) fn touch_next(&self, recent: &mut Recent, request: &TouchRequest<'_>) -> Result<(), Denial> {
        if recent.until.is_none_or(|until| coarse_now() >= until) {
            let (facts, until) = self.recent();
            *recent = Recent {
                until: Some(coarse_now().saturating_add(until.saturating_duration_since(Instant::now()))),
                facts,
            };
        }
        claw_policy::decide_touch(&self.policy, &recent.facts, request)
    }

    /// Every fact that a decision on `request` needs, looked up now.
    #[must_use]
    pub fn facts(&self, request: Request<'_>) -> Facts {
        let mut facts = Facts::over(&self.kept(request));
        for _ in 0..ROUNDS {
            match claw_policy::decide(&self.policy, &facts, request) {
                Ok(_) => break,
                Err(missing) => self.answer(missing.queries, &mut facts),
            }
        }
        facts
    }

    /// The answer to a question about the policy's own facts.
    pub(crate) fn look_up<T>(&self, ask: impl Fn(&Facts) -> Result<T, MissingFacts>) -> Option<T> {
        self.settle_over(&self.base(), ask)
    }

    fn settle<T>(&self, request: Request<'_>, ask: impl Fn(&Facts) -> Result<T, MissingFacts>) -> Option<T> {
        self.settle_over(&self.kept(request), ask)
    }

    fn settle_over<T>(
        &self,
        kept: &Arc<Facts>,
        ask: impl Fn(&Facts) -> Result<T, MissingFacts>,
    ) -> Option<T> {
        self.settle_with(Facts::over(kept), ask)
    }

    fn settle_with<T>(&self, mut facts: Facts, ask: impl Fn(&Facts) -> Result<T, MissingFacts>) -> Option<T> {
        for _ in 0..ROUNDS {
            match ask(&facts) {
                Ok(answer) => return Some(answer),
                Err(missing) => self.answer(missing.queries, &mut facts),
            }
        }
        None
    }

    /// The kept facts for requests of this kind.
    fn kept(&self, request: Request<'_>) -> Arc<Facts> {
        let base = self.base();
        if !matches!(request, Request::Descendant(_)) {
            return base;
        }
        let mut descendants = self.descendants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = descendants.as_ref()
            && Arc::ptr_eq(&known.base, &base)
        {
            return Arc::clone(&known.facts);
        }
        let mut facts = Facts::over(&base);
        self.complete(&mut facts, claw_policy::descendant_queries);
        let facts = Arc::new(facts);
        *descendants = Some(DescendantFacts { base, facts: Arc::clone(&facts) });
        facts
    }

    /// Answers until nothing is asked any more.
    fn complete(&self, facts: &mut Facts, queries: impl Fn(&Policy, &Facts) -> Vec<Query>) {
        for _ in 0..ROUNDS {
            let queries = queries(&self.policy, facts);
            if queries.is_empty() {
                break;
            }
            self.answer(queries, facts);
        }
    }

    /// The kept facts, of at most a second ago, and when they have that age.
    fn recent(&self) -> (Arc<Facts>, Instant) {
        let mut kept = self.lock();
        let base = match kept.take().filter(|base| base.since.elapsed() < RECENT) {
            Some(base) => base,
            None => self.look_again(self.edge.stamp()),
        };
        let base = kept.insert(base);
        (Arc::clone(&base.facts), base.since + RECENT)
    }

    /// The kept facts, looked up anew when they are old or a root or trusted directory has changed.
    fn base(&self) -> Arc<Facts> {
        let mut kept = self.lock();
        let stamp = self.edge.stamp();
        let base = match kept.take().filter(|base| base.since.elapsed() < KEPT && base.stamp == stamp) {
            Some(base) => base,
            None => self.look_again(stamp),
        };
        Arc::clone(&kept.insert(base).facts)
    }

    fn look_again(&self, stamp: Stamp) -> Base {
        let since = Instant::now();
        let mut facts = Facts::new(self.home.clone());
        facts.one_shot = self.one_shot;
        self.complete(&mut facts, claw_policy::queries);
        Base { facts: Arc::new(facts), stamp, since }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Base>> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, queries: Vec<Query>, facts: &mut Facts) {
        let Some(users) = &self.users else { return self.edge.answer(queries, facts) };
        let (homes, others): (Vec<_>, Vec<_>) =
            queries.into_iter().partition(|query| matches!(query, Query::Home { .. }));
        for query in homes {
            if let Query::Home { user } = query {
                let home = std::str::from_utf8(&user).ok().and_then(|user| users.get(user)).cloned();
                facts.set_home(user, home);
            }
        }
        self.edge.answer(others, facts);
    }
}
