//! Whether one policy lies within another: a sub-agent's within its parent's.
//!
//! Rule by rule, and one-sided: an answer without an excess is a proof, as far as the facts go (which file a name means, where
//! a root lies). An excess is a rule of the inner policy for which no proof was found; most come with an example, a
//! request that deciding under both policies shows to be one. What is compared is what may be *done*, and what
//! of it is recorded: not where the log lies, the front door or what a rule is called.

mod exec;
mod files;
mod rest;
#[cfg(test)]
mod tests;

use super::world::World;
use crate::{Facts, FileRequest, MissingFacts, NetworkRequest, Policy, RuleRef};

/// What one policy has beyond another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ExcessKind {
    /// More may be done.
    Right,
    /// Less of what is done is recorded.
    Record,
}

impl ExcessKind {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Record => "record",
        }
    }
}

/// What the inner policy may have and the outer one has not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Excess {
    /// What kind of thing it is.
    pub kind: ExcessKind,
    /// What it is, in one line.
    pub message: String,
    /// The inner policy's rule that grants it.
    pub inner: Option<RuleRef>,
    /// The outer policy's rule that does not.
    pub outer: Option<RuleRef>,
    /// Requests, the likeliest first, one of which the inner policy allows and the outer one does not, unless other
    /// rules of the two policies forbid the first or allow the second: to be decided under both.
    pub examples: Vec<Example>,
}

/// A request by which two policies can be told apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Example {
    /// An argument vector.
    Exec(Vec<Vec<u8>>),
    /// A file operation.
    File(FileRequest),
    /// A connection.
    Network(NetworkRequest),
    /// A variable's name.
    Environment(Vec<u8>),
    /// A tool's name.
    Tool(String),
}

impl Excess {
    fn new(message: String) -> Self {
        Self { kind: ExcessKind::Right, message, inner: None, outer: None, examples: Vec::new() }
    }

    fn inner(self, rule: &RuleRef) -> Self {
        Self { inner: Some(rule.clone()), ..self }
    }

    fn outer(self, rule: &RuleRef) -> Self {
        Self { outer: Some(rule.clone()), ..self }
    }

    fn examples(self, examples: impl IntoIterator<Item = Example>) -> Self {
        Self { examples: examples.into_iter().collect(), ..self }
    }
}

/// What `inner` allows (or asks about) and `outer` denies (or asks about). Nothing: it lies within.
///
/// # Errors
///
/// [`MissingFacts`] lists the facts to look up before asking again, as [`crate::decide`] does.
///
/// # Example
///
/// ```
/// use claw_policy::{Expansion, FactError, Facts, Format, Layer, LayerKind, Query, Source, compile, subset};
///
/// let policy = |text| {
///     let source = Source::new("policy.yaml", text, Format::Yaml);
///     let expansion = Expansion { cwd: "/work".into(), ..Expansion::default() };
///     compile(&[Layer { source, kind: LayerKind::Named }], &expansion).unwrap()
/// };
/// let parent = policy("network: { allow: [{ port: 443, protocol: tcp }, { port: 53, protocol: udp }] }");
/// let child = policy("network: { allow: [{ port: 443, protocol: tcp }] }");
///
/// // A world without files. `claw-sandbox` looks into the real one.
/// let mut facts = Facts::default();
/// while let Err(missing) = subset(&child, &parent, &facts) {
///     for query in missing.queries {
///         let Query::Path { path, follow } = query else { unreachable!("no programs are named") };
///         facts.set_path(path, follow, Err(FactError::NotFound));
///     }
/// }
/// assert!(subset(&child, &parent, &facts).unwrap().is_empty());
/// assert_eq!(subset(&parent, &child, &facts).unwrap()[0].message, "port 53/udp may be reached");
/// ```
pub fn subset(inner: &Policy, outer: &Policy, facts: &Facts) -> Result<Vec<Excess>, MissingFacts> {
    let mut excesses = as_they_are(inner, outer, facts)?;
    // In a context that narrows the outer policy the inner one is narrowed by its own rules for at least that context.
    for rule in &outer.contexts {
        let outer = outer.restricted(&rule.narrow);
        let own = inner.contexts.iter().filter(|own| own.when.covers(&rule.when));
        let inner = own.fold(inner.clone(), |policy, own| policy.restricted(&own.narrow));
        for excess in as_they_are(&inner, &outer, facts)? {
            if !excesses.iter().any(|known| known.message == excess.message) {
                let message = format!("{}, in a context of rule {}", excess.message, rule.rule);
                // An example is a request without a context.
                excesses.push(Excess { message, examples: Vec::new(), ..excess });
            }
        }
    }
    Ok(excesses)
}

/// The same without a look at contexts.
fn as_they_are(inner: &Policy, outer: &Policy, facts: &Facts) -> Result<Vec<Excess>, MissingFacts> {
    // Each remembers one policy laid over the facts.
    let (inner_world, outer_world) = (World::new(facts), World::new(facts));
    let mut excesses = exec::excesses(inner, outer, &inner_world);
    excesses.extend(files::excesses(inner, &inner_world, outer, &outer_world));
    excesses.extend(rest::excesses(inner, outer));
    let mut queries = inner_world.into_missing();
    queries.extend(
        outer_world.into_missing().into_iter().filter(|query| !queries.contains(query)).collect::<Vec<_>>(),
    );
    if queries.is_empty() { Ok(excesses) } else { Err(MissingFacts { queries }) }
}
