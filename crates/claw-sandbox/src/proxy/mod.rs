//! The boundary for adapters: a request in a host's words becomes a decision, and a decision becomes an act.
//!
//! An adapter reads its host's message, makes a [`Request`] of it, and says what came of it in its host's words. It has no
//! opinion, no path arithmetic and starts nothing itself: [`Proxy::decide`] decides, [`Proxy::perform`] does what was decided
//! and nothing else, and both end in the audit log.
//!
//! Not protected against: an adapter that says more about who asks than it knows. What it took from its host's message is
//! [`Trust::Asserted`](claw_wire::Trust::Asserted).
#![forbid(unsafe_code)]

mod asked;
mod decided;
mod reply;
mod views;

use std::sync::Arc;

use claw_policy::Decision as Verdict;
use claw_wire::{Answer, AskSurface, Context, Request};

pub use self::decided::Decided;
use self::decided::Subject;
use self::views::Views;
use crate::told::visible;
use crate::{Child, Error, Files, Sandbox, Streams, pipeline};

/// Decides requests of agents' hosts and does what was decided. Cheap to clone; may be used from many threads at once.
///
/// ```
/// use claw_sandbox::claw_wire::{Action, Exec, Request};
/// use claw_sandbox::{Performed, Proxy, Sandbox, Streams, built_in_policy};
///
/// let directory = std::env::temp_dir().join("claw-sandbox-proxy-example");
/// std::fs::create_dir_all(&directory)?;
/// let proxy = Proxy::new(Sandbox::new(built_in_policy(&directory)?)?);
///
/// let decided = proxy.decide(&Request::new(Action::Exec(Exec::line("echo hello"))));
/// assert!(decided.decision().is_allowed());
/// if let Performed::Started(child) = proxy.perform(decided, Streams::default())? {
///     assert_eq!(child.wait_with_output()?.stdout, b"hello\n");
/// }
///
/// let decided = proxy.decide(&Request::new(Action::Exec(Exec::line("curl https://example.com"))));
/// assert_eq!(decided.decision().code, "exec.not-allowlisted");
/// assert!(proxy.perform(decided, Streams::default()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Proxy {
    sandbox: Sandbox,
    views: Arc<Views>,
}

/// What came of a decision.
#[derive(Debug)]
pub enum Performed {
    /// A command runs.
    Started(Child),
    /// File operations under the policy of the request's context, with relative paths from its directory. Each operation is
    /// decided and recorded on the object that it touches.
    Files(Files),
    /// Nothing: the host does it itself. That it was allowed is recorded.
    Noted,
}

impl Proxy {
    /// A proxy for this sandbox. Its approver is asked where the policy asks and the request's context says that it can be.
    #[must_use]
    pub fn new(sandbox: Sandbox) -> Self {
        Self { sandbox, views: Arc::default() }
    }

    /// The sandbox, under the policy that holds for everybody.
    #[must_use]
    pub const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Decides. Nothing is done and nothing recorded; whoever does not go on to [`Self::perform`] calls [`Self::note`].
    pub fn decide(&self, request: &Request) -> Decided {
        let (sandbox, contexts) = self.in_context(&request.context);
        Decided::new(sandbox, contexts, request)
    }

    /// Takes an answer that the host got from a person, in a way that the model cannot answer.
    ///
    /// It changes only a question of a request whose context says [`AskSurface::Inline`], and only for as long as the question
    /// holds; otherwise it is a no.
    pub fn answer(&self, decided: Decided, answer: Answer) -> Decided {
        decided.answered(answer)
    }

    /// Puts an open question to who can be asked, and waits: for adapters whose host acts itself. What comes back is allowed or
    /// denied; then it is performed or noted.
    pub fn settle(&self, decided: Decided) -> Decided {
        decided.settled()
    }

    /// Does what was decided. A question is put to the sandbox's approver, and waits for it.
    ///
    /// # Errors
    ///
    /// A denial, as data, when it was denied or nobody allows it; else what keeps it from being done. Nothing has started then.
    pub fn perform(&self, decided: Decided, streams: Streams) -> Result<Performed, Error> {
        let Decided { sandbox, subject, .. } = decided.redeemed();
        match subject {
            Subject::Exec { input, verdict } => {
                let (io, ends) = streams.plan(Streams::COLLECTED)?;
                let launched = pipeline::launch_decided(sandbox.parts(), &input, verdict, io)?;
                Ok(Performed::Started(ends.of(launched)))
            }
            Subject::File { request, verdict } => match verdict {
                Verdict::Allow(_) => Ok(Performed::Files(sandbox.files().in_directory(request.cwd))),
                Verdict::Ask(_) | Verdict::Deny(_) => {
                    decided::note_file(&sandbox, &request, &verdict)?;
                    Err(decided::denial_of(verdict).into())
                }
            },
            Subject::Opaque { tool, verdict } => {
                decided::note_tool(&sandbox, &tool, &verdict)?;
                match verdict {
                    Verdict::Allow(_) => Ok(Performed::Noted),
                    Verdict::Ask(_) | Verdict::Deny(_) => Err(decided::denial_of(verdict).into()),
                }
            }
        }
    }

    /// Records a decision that the host acts on itself.
    ///
    /// # Errors
    ///
    /// When it cannot be recorded: then the host must be told no.
    pub fn note(&self, decided: &Decided) -> Result<(), Error> {
        decided.note()
    }

    /// File operations under the policy of a context; relative paths start in the workspace.
    #[must_use]
    pub fn files(&self, context: &Context) -> Files {
        self.in_context(context).0.files()
    }

    /// The sandbox under the policy that holds in a context, and the rules that narrowed it.
    fn in_context(&self, context: &Context) -> (Sandbox, Vec<String>) {
        let parts = self.sandbox.parts();
        let said = Context { ask: AskSurface::None, ..context.clone() };
        let recorder = match serde_json::to_value(said) {
            Ok(said) => parts.recorder.in_context(said),
            Err(_) => parts.recorder.clone(),
        };
        let policy = self.sandbox.policy();
        let narrowing = policy.narrowing(context);
        let rules = policy.narrowing_rules(&narrowing).map(|rule| visible(&rule.to_string())).collect();
        let judge = self.views.judge(&parts.judge, narrowing);
        (self.sandbox.with(judge, recorder, parts.approvals.in_context(context)), rules)
    }
}
