//! Questions of people and programs, in the library's words.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use claw_policy::{Decision, Denial, Explanation, FileRequest, NetworkRequest, Origin, Policy, Request};
use claw_sandbox::{CommandLine, DEFAULT_SHELL, ExecInput, Judge, policy_file};

use claw_wire::Context;

use crate::args::PolicyArgs;
use crate::failure::Failure;
use crate::wire::{Exec, PolicyText, Question, WireFacts, WireRequest};

use super::policy::{self, Names};

/// Policies that were compiled before. Emptied when it is full: a program that asks uses few.
const CACHED: usize = 64;

const UNSETTLED: &str = "the files that the decision depends on change faster than they can be looked at";

/// A question that is ready to be put to a judge.
#[derive(Debug)]
pub(crate) enum Asked {
    Exec(ExecInput),
    File(FileRequest),
    Environment(Vec<u8>),
    Network(NetworkRequest),
    Tool(String),
}

impl Asked {
    /// Decides.
    pub(crate) fn decide(&self, judge: &Judge) -> Result<Decision, String> {
        self.put(|request| judge.decide(request))
            .unwrap_or_else(|denial| Some(Decision::Deny(denial)))
            .ok_or_else(|| UNSETTLED.to_owned())
    }

    /// Explains.
    pub(crate) fn explain(&self, judge: &Judge) -> Result<Explanation, String> {
        let unread = |denial| {
            let decision = Decision::Deny(denial);
            Some(Explanation { decision, considered: Vec::new(), deciding: Vec::new(), change: None })
        };
        self.put(|request| judge.explain(request)).unwrap_or_else(unread).ok_or_else(|| UNSETTLED.to_owned())
    }

    /// The answer of `ask`, or the denial of a line that cannot be read.
    fn put<T>(&self, ask: impl FnOnce(Request<'_>) -> T) -> Result<T, Denial> {
        Ok(match self {
            Self::Exec(input) => {
                let script = input.parse()?;
                ask(Request::Exec(&input.request(&script)))
            }
            Self::File(request) => ask(Request::File(request)),
            Self::Environment(name) => ask(Request::Environment(name)),
            Self::Network(request) => ask(Request::Network(request)),
            Self::Tool(name) => ask(Request::Tool(name)),
        })
    }
}

/// A decision, and the rules about contexts that held when there was a context.
pub(crate) struct Judged {
    pub(crate) decision: Decision,
    pub(crate) contexts: Option<Vec<String>>,
}

/// The judge that holds in a context, and the rules that narrowed it.
pub(super) fn in_context(judge: &Judge, context: &Context) -> (Judge, Vec<String>) {
    let narrowing = judge.policy().narrowing(context);
    let rules = judge.policy().narrowing_rules(&narrowing).map(ToString::to_string).collect();
    (judge.narrowed(&narrowing), rules)
}

/// The judges for the policies of a stream of requests.
pub(crate) struct Judges<'a> {
    args: &'a PolicyArgs,
    cache: HashMap<(PolicyText, PathBuf, WireFacts), Rc<Judge>>,
}

impl<'a> Judges<'a> {
    pub(crate) fn new(args: &'a PolicyArgs) -> Self {
        Self { args, cache: HashMap::new() }
    }

    /// Judges one line's question.
    pub(crate) fn judge(&mut self, request: &WireRequest, question: Question) -> Result<Judged, String> {
        let cwd = match &request.cwd {
            Some(cwd) => PathBuf::from(OsStr::from_bytes(&cwd.0)),
            None => super::directory(self.args.cwd.as_deref()).map_err(|failure| failure.to_string())?,
        };
        if !cwd.is_absolute() {
            return Err("`cwd` is not an absolute path".to_owned());
        }
        let judge = self.judge_of(request.policy()?, &cwd, &request.facts)?;
        let asked = asked(question, cwd)?;
        match &request.context {
            None => Ok(Judged { decision: asked.decide(&judge)?, contexts: None }),
            Some(context) => {
                let (judge, contexts) = in_context(&judge, context);
                Ok(Judged { decision: asked.decide(&judge)?, contexts: Some(contexts) })
            }
        }
    }

    fn judge_of(&mut self, text: PolicyText, cwd: &Path, facts: &WireFacts) -> Result<Rc<Judge>, String> {
        // A file may change before the next request.
        if !matches!(text, PolicyText::Inline(_)) {
            return self.fresh(&text, cwd, facts).map(Rc::new).map_err(|failure| failure.to_string());
        }
        let key = (text, cwd.to_owned(), facts.clone());
        if let Some(judge) = self.cache.get(&key) {
            return Ok(Rc::clone(judge));
        }
        let judge = self.fresh(&key.0, cwd, facts).map(Rc::new).map_err(|failure| failure.to_string())?;
        if self.cache.len() >= CACHED {
            self.cache.clear();
        }
        self.cache.insert(key, Rc::clone(&judge));
        Ok(judge)
    }

    fn fresh(&self, text: &PolicyText, cwd: &Path, facts: &WireFacts) -> Result<Judge, Failure> {
        let users = facts.users.iter().flatten().map(|(name, home)| (name.clone(), home.into())).collect();
        let home = facts.home.as_ref().map(PathBuf::from).or_else(claw_sandbox::home);
        let names = Names { home, cwd: cwd.to_owned(), users };
        let mut judge = Judge::new(self.policy(text, &names, facts)?);
        if let Some(home) = names.home {
            judge = judge.with_home(home);
        }
        if facts.users.is_some() {
            judge = judge.with_users(names.users);
        }
        Ok(judge)
    }

    fn policy(&self, text: &PolicyText, names: &Names, facts: &WireFacts) -> Result<Policy, Failure> {
        let read = |path: &Path| policy_file::read(path).map_err(Failure::new);
        let named = match text {
            PolicyText::Inline(text) => Some(policy::inline(text)),
            PolicyText::File(path) => Some(read(Path::new(path))?),
            PolicyText::Default if *facts == WireFacts::default() => {
                let args = PolicyArgs { cwd: Some(names.cwd.clone()), ..self.args.clone() };
                return policy::of_args(&args);
            }
            PolicyText::Default => self.args.policy.as_deref().map(read).transpose()?,
        };
        policy::compiled(named, names).map_err(Failure::Policy)
    }
}

/// A line's question in the library's words.
fn asked(question: Question, cwd: PathBuf) -> Result<Asked, String> {
    Ok(match question {
        Question::Exec(exec) => {
            let environment =
                exec.env.iter().map(|(name, value)| (name.clone().into_bytes(), value.0.clone())).collect();
            Asked::Exec(ExecInput { command: command(exec)?, cwd, environment, timeout: None })
        }
        Question::File(file) => Asked::File(FileRequest {
            action: file.action,
            path: file.path.0,
            to: file.to.map(|to| to.0),
            recursive: file.recursive,
            cwd,
            origin: Origin::Runtime,
        }),
        Question::Environment(name) => Asked::Environment(name.0),
        Question::Network(network) => {
            let (protocol, port, host) = (network.protocol, network.port, network.host);
            Asked::Network(NetworkRequest { protocol, port, host })
        }
        Question::Opaque(opaque) => Asked::Tool(opaque.tool.into()),
    })
}

fn command(exec: Exec) -> Result<CommandLine, String> {
    match (exec.command, exec.argv) {
        (Some(text), None) => {
            let shell = exec.shell.unwrap_or_else(|| DEFAULT_SHELL.to_owned()).into_bytes();
            Ok(CommandLine::Line { text: text.0, shell })
        }
        (None, Some(argv)) if exec.shell.is_none() => {
            Ok(CommandLine::Argv(argv.into_iter().map(|word| word.0).collect()))
        }
        (None, Some(_)) => Err("`shell` goes with `command`, not with `argv`".to_owned()),
        _ => Err("`exec` wants either `command` or `argv`".to_owned()),
    }
}
