//! The sandbox: a policy, the world it is about, and the launchers that enforce it.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claw_policy::{
    Access, Code, Decision, Denial, Explanation, FileRequest, Lesson, Policy, Reason, Request,
};

use claw_wire::Context;

use crate::approval::{ApprovalStore, Approvals, Approver, Broker};
use crate::audit::{AuditError, AuditLog};
use crate::command::Command;
use crate::lessons::Lessons;
use crate::record::{Recorder, Sink};
use crate::request::ExecInput;
use crate::sys::fd::folds_case;
use crate::{Ahead, Enforcement, Error, Judge, KernelFeatures, LauncherCache, assess, pipeline};

/// Runs commands under one policy. Cheap to clone; may be used from many threads at once.
///
/// What it does not protect against is listed in `docs/threat-model.md`.
#[derive(Clone, Debug)]
pub struct Sandbox {
    parts: Arc<Parts>,
}

/// What the pipeline works with.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) judge: Arc<Judge>,
    pub(crate) kernel: KernelFeatures,
    pub(crate) launchers: Arc<LauncherCache>,
    pub(crate) recorder: Recorder,
    pub(crate) approvals: Approvals,
    pub(crate) lessons: Lessons,
}

/// Puts a [`Sandbox`] together.
#[derive(Debug)]
pub struct SandboxBuilder {
    judge: Judge,
    kernel: Option<KernelFeatures>,
    ahead: Option<Ahead>,
    log: Option<AuditLog>,
    approvals: Approvals,
    lessons: Lessons,
    lost_log: Option<Arc<str>>,
    context: Option<Context>,
}

impl Sandbox {
    /// A sandbox for `policy` on this machine. It keeps an audit log when the policy says where (`logFile`).
    ///
    /// # Errors
    ///
    /// When the policy file or the log lies where a command could change it, or the log cannot be opened.
    pub fn new(policy: Policy) -> Result<Self, Error> {
        Self::builder(policy).build()
    }

    /// A sandbox with more to say about it.
    #[must_use]
    pub fn builder(policy: Policy) -> SandboxBuilder {
        SandboxBuilder {
            judge: Judge::new(policy),
            kernel: None,
            ahead: None,
            log: None,
            approvals: Approvals::default(),
            lessons: Lessons::default(),
            lost_log: None,
            context: None,
        }
    }

    /// A command that runs `program` directly; no shell is involved.
    ///
    /// A bare name is looked up in the policy's trusted directories, never on PATH.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command::argv(self.clone(), program.as_ref())
    }

    /// A command that gives `line` to bash.
    pub fn shell(&self, line: impl AsRef<OsStr>) -> Command {
        Command::line(self.clone(), line.as_ref())
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.parts.judge.policy()
    }

    /// What the kernel offers.
    #[must_use]
    pub fn kernel(&self) -> &KernelFeatures {
        &self.parts.kernel
    }

    /// Decides a command without running or recording it.
    pub fn decide_exec(&self, input: &ExecInput) -> Decision {
        match input.parse() {
            Ok(script) => self.decide(Request::Exec(&input.request(&script))),
            Err(denial) => Decision::Deny(denial),
        }
    }

    /// Decides a file request without touching or recording it.
    pub fn decide_file(&self, request: &FileRequest) -> Decision {
        self.decide(Request::File(request))
    }

    /// Decides a file request and records the decision, as far as the policy audits file access.
    ///
    /// # Errors
    ///
    /// When the decision cannot be recorded: then the file must not be touched.
    pub fn authorize_file(&self, request: &FileRequest) -> Result<Decision, Error> {
        let decision = self.decide_file(request);
        if self.policy().logging().audit_file_access {
            let _ = self.parts.recorder.file(request, &decision)?;
        }
        Ok(decision)
    }

    /// How many events are missing in the audit log: those that could not be written under `auditFailure: continue`, and
    /// those whose loss stops nothing any more, such as the end of a run whose [`crate::Child`] was dropped.
    #[must_use]
    pub fn unrecorded(&self) -> u64 {
        self.parts.recorder.flush().count
    }

    /// Why the first of the missing events is missing.
    #[must_use]
    pub fn unrecorded_because(&self) -> Option<String> {
        self.parts.recorder.flush().reason
    }

    /// The smallest change of the policy's texts under which nothing would have been refused so far; empty unless
    /// the sandbox was built to [`SandboxBuilder::learn`].
    ///
    /// A run that is refused something goes another way, so there may be more to learn afterwards. What the kernel
    /// refuses by itself is not noticed: files outside of every tree.
    #[must_use]
    pub fn lesson(&self) -> Lesson {
        self.parts.lessons.lesson(self.policy())
    }

    /// Decides any request.
    pub fn decide(&self, request: Request<'_>) -> Decision {
        self.parts.judge.decide(request).unwrap_or_else(|| Decision::Deny(unsettled()))
    }

    /// Says why a request is decided as it is. `None` when the world changes faster than it can be looked at.
    #[must_use]
    pub fn explain(&self, request: Request<'_>) -> Option<Explanation> {
        self.parts.judge.explain(request)
    }

    /// What would be enforced for a command, without starting it.
    ///
    /// # Errors
    ///
    /// When the policy denies the command.
    pub fn enforcement(&self, input: &ExecInput) -> Result<Enforcement, Error> {
        let grant = pipeline::decide(&self.parts, input)?.granted()?;
        Ok(assess(grant.confinement(), &self.parts.kernel))
    }

    /// The last act before this process ends: removes the private temporary directories of the runs, which must have
    /// ended, and dismisses the guardians. Memory and threads are left to the kernel, which takes them back in one go; to drop a sandbox instead
    /// ends its threads one by one and frees each rule of its policy.
    pub fn finish(self) {
        self.parts.launchers.finish();
        self.parts.recorder.flush();
        std::mem::forget(self);
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The same under another judge, with who asks in its events.
    pub(crate) fn with(&self, judge: Arc<Judge>, recorder: Recorder, approvals: Approvals) -> Self {
        Self { parts: Arc::new(Parts { judge, recorder, approvals, ..(*self.parts).clone() }) }
    }
}

impl SandboxBuilder {
    /// Takes the kernel's features as given instead of probing them.
    #[must_use]
    pub fn kernel(mut self, kernel: KernelFeatures) -> Self {
        self.kernel = Some(kernel);
        self
    }

    /// Uses what was begun before the policy was known.
    #[must_use]
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.ahead = Some(ahead);
        self
    }

    /// The sandbox will run one command only. A command that starts no programs but its own is then confined to
    /// those, and the programs of the allowlist are not even looked up: a faster start and fewer rights.
    #[must_use]
    pub fn one_shot(mut self) -> Self {
        self.judge = self.judge.one_shot();
        self
    }

    /// Names who is asked where the policy asks (`exec.ask`). Without an approver a question is a denial.
    #[must_use]
    pub fn approver(mut self, approver: Arc<dyn Approver>) -> Self {
        self.approvals.broker_asks = false;
        self.approvals.approver = Some(approver);
        self
    }

    /// States who asks, for every command and file: the policy is narrowed to what holds in that context.
    #[must_use]
    pub fn in_context(mut self, context: Context) -> Self {
        let narrowing = self.judge.policy().narrowing(&context);
        if !narrowing.is_none() {
            self.judge = self.judge.narrowed(&narrowing);
        }
        self.approvals = self.approvals.asked_by(&context);
        self.context = Some(context);
        self
    }

    /// Puts questions into this broker's directory: for those who cannot ask, and for everybody if no approver is named.
    #[must_use]
    pub fn broker(mut self, broker: Broker) -> Self {
        if self.approvals.approver.is_none() {
            self.approvals.approver = Some(Arc::new(broker.clone()));
            self.approvals.broker_asks = true;
        }
        self.approvals.broker = Some(broker);
        self
    }

    /// Keeps what is refused to the sandbox's runs, for [`Sandbox::lesson`].
    #[must_use]
    pub fn learn(mut self) -> Self {
        self.lessons = Lessons::kept();
        self
    }

    /// Keeps what was allowed for always there; see [`crate::approval::default_path`].
    #[must_use]
    pub fn approvals(mut self, store: ApprovalStore) -> Self {
        self.approvals.store = Some(Arc::new(store));
        self
    }

    /// Keeps the audit log there, in place of the policy's `logFile`.
    ///
    /// [`AuditLog::of_policy`] has the default place for policies that name none.
    #[must_use]
    pub fn audit(mut self, log: AuditLog) -> Self {
        self.log = Some(log);
        self
    }

    /// States that the log that was meant to be kept cannot be opened. Every event is missing then
    /// ([`Sandbox::unrecorded`]); for policies with `auditFailure: continue`, others fail to build.
    #[must_use]
    pub fn audit_lost(mut self, error: &AuditError) -> Self {
        self.lost_log = Some(error.to_string().into());
        self
    }

    /// The sandbox.
    ///
    /// # Errors
    ///
    /// When the policy file, the log or the approvals lie where a command could change them, the log cannot be opened,
    /// or the workspace is not a directory.
    pub fn build(self) -> Result<Sandbox, Error> {
        let policy = self.judge.policy();
        check_workspace(policy)?;
        check_folding(policy)?;
        check_sources(policy)?;
        if let Some(store) = &self.approvals.store {
            check_exposed(policy, "the approvals lie", store.path())?;
        }
        if let Some(broker) = self.approvals.broker.as_ref().filter(|_| policy.may_ask()) {
            check_exposed(policy, "the questions lie", broker.path())?;
        }
        let approvals = self.approvals.about(policy);
        let recorder = recorder(policy, self.log, self.lost_log)?;
        let recorder = match self.context.map(serde_json::to_value) {
            Some(Ok(context)) => recorder.in_context(context),
            Some(Err(_)) | None => recorder,
        };
        let probed = || self.ahead.as_ref().and_then(Ahead::kernel);
        let kernel = self.kernel.or_else(probed).unwrap_or_else(KernelFeatures::probe);
        let judge = Arc::new(self.judge);
        let parts = Parts {
            judge,
            kernel,
            launchers: Arc::new(LauncherCache::with(self.ahead)),
            recorder,
            approvals,
            lessons: self.lessons,
        };
        Ok(Sandbox { parts: Arc::new(parts) })
    }
}

fn recorder(policy: &Policy, given: Option<AuditLog>, lost: Option<Arc<str>>) -> Result<Recorder, Error> {
    let logging = policy.logging();
    let commands = given.is_some() || lost.is_some() || logging.audit_commands;
    let log = match (given, &lost) {
        (Some(log), _) => log.refuse_exposed(policy).map(|()| Some(log)),
        (None, None) if logging.log_file.is_some() => AuditLog::of_policy(policy),
        (None, _) => Ok(None),
    };
    let sink = match (log, lost) {
        (Ok(Some(log)), _) => Sink::Log(log),
        (Ok(None), None) => Sink::None,
        (Ok(None), Some(reason)) if logging.continue_without_log => Sink::Lost(reason),
        (Ok(None), Some(reason)) => return Err(Error::audit(&reason)),
        (Err(error), _) if logging.continue_without_log => Sink::Lost(error.to_string().into()),
        (Err(error), _) => return Err(Error::audit(&error)),
    };
    Ok(Recorder::new(sink, commands, logging))
}

/// A workspace that is not there cannot be enforced; one that is a link is what it leads to.
fn check_workspace(policy: &Policy) -> Result<(), Error> {
    let Some(workspace) = policy.workspace() else { return Ok(()) };
    let shown = workspace.display();
    match fs::metadata(workspace) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => {
            Err(Error::workspace(format!("the workspace is not a directory: {shown}; name a directory")))
        }
        // A policy is text, so what it says of such a name is something else.
        Err(_) if workspace.to_string_lossy().contains(char::REPLACEMENT_CHARACTER) => Err(Error::workspace(
            format!("the workspace's name is not UTF-8: {shown}; rename it, or work in a directory above it"),
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::workspace(format!("the workspace does not exist: {shown}; run `mkdir -p {shown}`")))
        }
        Err(_) => Err(Error::workspace(format!(
            "the workspace cannot be looked at: {shown}; check its permissions"
        ))),
    }
}

/// Names are compared byte by byte, so a tree in which `.GIT` is `.git` has no protected paths.
fn check_folding(policy: &Policy) -> Result<(), Error> {
    let writable = policy.roots().filter(|(_, access)| *access == Access::Write);
    for (root, _) in writable {
        let directory = fs::File::options().read(true).custom_flags(libc::O_DIRECTORY).open(root);
        if directory.is_ok_and(|directory| folds_case(directory.as_fd())) {
            return Err(Error::workspace(format!(
                "upper and lower case are the same in the writable tree {}, which no rule for a name can express; name \
                 a directory without `chattr +F`",
                root.display()
            )));
        }
    }
    Ok(())
}

/// A policy that its own commands can change is none. A project's own file only restricts, so it may lie there.
fn check_sources(policy: &Policy) -> Result<(), Error> {
    for source in policy.sources() {
        let path = Path::new(source.name());
        if policy.is_project_source(source) {
            continue;
        }
        if real(path).is_some() {
            check_exposed(policy, "the policy lies", path)?;
        }
    }
    Ok(())
}

/// What the sandbox's own safety depends on must not lie in a writable tree; it need not be there yet.
pub(crate) fn check_exposed(policy: &Policy, what: &str, path: &Path) -> Result<(), Error> {
    let mut existing = path.ancestors().filter_map(real);
    let Some(place) = existing.next() else { return Ok(()) };
    let writable = policy.roots().filter(|(_, access)| *access == Access::Write);
    for root in writable.filter_map(|(root, _)| real(root)) {
        if place.starts_with(&root) {
            let (path, root) = (path.display(), root.display());
            return Err(Error::workspace(format!(
                "{what} inside the writable tree {root}: {path}; commands could change it: move it elsewhere"
            )));
        }
    }
    Ok(())
}

fn real(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// The denial for a world that does not hold still.
pub(crate) fn unsettled() -> Denial {
    let reason = Reason {
        code: Code::FileUnresolved,
        message: "the files that the decision depends on change faster than they can be looked at".into(),
        rule: None,
        span: None,
        change: None,
    };
    Denial { reasons: vec![reason], commands: Vec::new() }
}
