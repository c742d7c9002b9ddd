//! Whether one policy lies within another on this machine: a sub-agent's within its parent's.
#![forbid(unsafe_code)]

use claw_policy::{Decision, Example, Excess, Request};

use crate::{CommandLine, ExecInput, Judge};

/// How one policy lies to another.
#[derive(Debug)]
#[non_exhaustive]
pub struct Containment {
    /// The rules by which the inner policy may allow more; none: it lies within.
    pub excesses: Vec<Excess>,
    /// A request that shows it, when one was found.
    pub counterexample: Option<Counterexample>,
}

/// A request on which the inner policy is the looser one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Counterexample {
    /// What is asked.
    pub request: Example,
    /// The inner policy's answer.
    pub inner: Decision,
    /// The outer policy's answer.
    pub outer: Decision,
}

impl Containment {
    /// Whether everything that the inner policy allows is proven to be allowed by the outer one.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.excesses.is_empty()
    }
}

impl Judge {
    /// Compares this judge's policy with one that it should lie within. `None` when the world changes faster than it
    /// can be looked at.
    ///
    /// The proof is about the world as it is now (which file a name means, where a link leads); compare again when
    /// that has changed. See [`claw_policy::subset`].
    ///
    /// ```
    /// use claw_sandbox::{Judge, policy_from_yaml};
    ///
    /// let judge = |text| Judge::new(policy_from_yaml(text, "/srv/work").unwrap());
    /// let parent = judge("exec: { allowlist: [git, ls] }");
    /// let child = judge("exec: { allowlist: [git log] }");
    /// assert!(child.within(&parent).unwrap().is_within());
    /// assert!(!parent.within(&child).unwrap().is_within());
    /// ```
    #[must_use]
    pub fn within(&self, outer: &Self) -> Option<Containment> {
        let excesses = self.look_up(|facts| claw_policy::subset(self.policy(), outer.policy(), facts))?;
        let examples = excesses.iter().flat_map(|excess| &excess.examples);
        let counterexample = examples.into_iter().find_map(|example| {
            let (inner, outer) = (decide(self, example)?, decide(outer, example)?);
            (rank(&inner) > rank(&outer)).then(|| Counterexample { request: example.clone(), inner, outer })
        });
        Some(Containment { excesses, counterexample })
    }
}

fn decide(judge: &Judge, example: &Example) -> Option<Decision> {
    match example {
        Example::Exec(argv) => {
            let command = CommandLine::Argv(argv.clone());
            // A command starts somewhere; the root directory is there on every machine.
            let cwd = judge.policy().workspace().map_or_else(|| "/".into(), Into::into);
            let input = ExecInput { command, cwd, environment: Vec::new(), timeout: None };
            match input.parse() {
                Ok(script) => judge.decide(Request::Exec(&input.request(&script))),
                Err(denial) => Some(Decision::Deny(denial)),
            }
        }
        Example::File(request) => judge.decide(Request::File(request)),
        Example::Network(request) => judge.decide(Request::Network(request)),
        Example::Environment(name) => judge.decide(Request::Environment(name)),
        Example::Tool(name) => judge.decide(Request::Tool(name)),
    }
}

/// How loose an answer is.
const fn rank(decision: &Decision) -> u8 {
    match decision {
        Decision::Deny(_) => 0,
        Decision::Ask(_) => 1,
        Decision::Allow(_) => 2,
    }
}
