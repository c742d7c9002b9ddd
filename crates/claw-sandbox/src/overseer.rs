//! The policy's judgement of what the processes of a run execute and reach.
#![forbid(unsafe_code)]

use std::sync::Arc;

use claw_policy::{
    Code, Confinement, Decision, Denial, DescendantGrant, DescendantRequest, Grant, Question, Reason,
    Request, TouchRequest,
};

use crate::approval::{Approvals, Asked, Waits};
use crate::lessons::Lessons;
use crate::reach::Reach;
use crate::record::Recorder;
use crate::supervisor::{
    ExecAttempt, FileAttempt, Judgement, NetworkAttempt, NetworkVerdict, Oversight, Verdict,
};
use crate::terminal::RunTerminal;
use crate::told::told;
use crate::{Judge, supervisor};

/// Judges by the policy that allowed the run.
#[derive(Debug)]
pub(crate) struct Overseer {
    judge: Arc<Judge>,
    approvals: Approvals,
    ledger: Ledger,
    reach: Reach,
}

/// Where it is written down what was said.
#[derive(Clone, Debug)]
struct Ledger {
    recorder: Recorder,
    lessons: Lessons,
    // The recorded decision that allowed the run.
    run: Arc<str>,
}

impl Overseer {
    pub(crate) fn new(
        judge: Arc<Judge>,
        recorder: Recorder,
        approvals: Approvals,
        lessons: Lessons,
        run: Arc<str>,
        confinement: &Confinement,
    ) -> Self {
        let reach = Reach::new(confinement, crate::edge::resolvers);
        let ledger = Ledger { recorder, lessons, run };
        Self { judge, approvals, ledger, reach }
    }

    // What a question comes to. With somebody to be asked it takes as long as a person does.
    fn settled(
        approvals: &Approvals,
        question: Question,
        attempt: &ExecAttempt,
        terminal: Option<&RunTerminal>,
        waits: Waits<'_>,
    ) -> Result<DescendantGrant, Denial> {
        let ExecAttempt { role, program, argv, cwd, .. } = attempt;
        let caller = Some(role.to_string());
        let asked = Asked { program: Some(program), line: None, argv, cwd, caller, terminal, waits };
        if let Err(reasons) = approvals.settle(&question, &asked) {
            return Err(Denial { reasons, commands: question.commands });
        }
        match question.grant_approved() {
            Grant::Descendant(grant) => Ok(grant),
            _ => Err(crate::sandbox::unsettled()),
        }
    }
}

impl Ledger {
    fn exec(&self, attempt: &ExecAttempt, judged: Result<DescendantGrant, Denial>) -> Verdict {
        if let Err(error) = self.recorder.descendant(&self.run, attempt, judged.as_ref()) {
            // What cannot be recorded does not happen.
            return Verdict::Deny(error.to_string());
        }
        match judged {
            Ok(grant) => Verdict::Allow(grant.role().clone()),
            Err(denial) => {
                self.lessons.command(Some(&attempt.program), &attempt.argv, &denial);
                let asked = shown(&attempt.argv);
                Verdict::Deny(told(&denial, Some(&format!("`{asked}`, by {}", attempt.role))))
            }
        }
    }
}

impl Oversight for Overseer {
    fn exec(&self, attempt: &Arc<ExecAttempt>) -> Judgement {
        let ExecAttempt { role: caller, program, argv, cwd, .. } = &**attempt;
        let request = DescendantRequest { program, argv, cwd, caller };
        let judged = match self.judge.decide(Request::Descendant(&request)) {
            Some(Decision::Allow(Grant::Descendant(grant))) => Ok(grant),
            Some(Decision::Deny(denial)) => Err(denial),
            Some(Decision::Ask(question))
                if self.approvals.covers(argv, program, self.judge.policy().trusted_directories()) =>
            {
                match question.grant_approved() {
                    Grant::Descendant(grant) => Ok(grant),
                    _ => Err(crate::sandbox::unsettled()),
                }
            }
            Some(Decision::Ask(question)) if self.approvals.approver.is_some() => {
                let (approvals, ledger) = (self.approvals.clone(), self.ledger.clone());
                let attempt = Arc::clone(attempt);
                return Judgement::Ask(Box::new(move |terminal, waits| {
                    let waits = Waits::while_true(waits);
                    ledger.exec(&attempt, Self::settled(&approvals, question, &attempt, terminal, waits))
                }));
            }
            Some(Decision::Ask(question)) => {
                Self::settled(&self.approvals, question, attempt, None, Waits::always())
            }
            // A grant of another kind does not answer this request.
            Some(Decision::Allow(_)) | None => Err(crate::sandbox::unsettled()),
        };
        Judgement::Decided(self.ledger.exec(attempt, judged))
    }

    fn unasked(&self, attempt: &ExecAttempt) -> Verdict {
        let reason = Reason {
            code: Code::ExecAsk,
            message: "a person has to be asked, and too many questions of this run are open already".into(),
            rule: None,
            span: None,
            change: None,
        };
        self.ledger.exec(attempt, Err(Denial { reasons: vec![reason], commands: Vec::new() }))
    }

    fn network(&self, attempt: &NetworkAttempt) -> NetworkVerdict {
        let Err(denial) = self.reach.judge(self.judge.policy(), attempt) else {
            return NetworkVerdict::Allow;
        };
        if Reach::is_look_at_route(self.judge.policy(), attempt) {
            return NetworkVerdict::DenySilently;
        }
        self.ledger.lessons.address(attempt.protocol, attempt.address, &denial);
        self.ledger.recorder.network(&self.ledger.run, attempt, &denial);
        NetworkVerdict::Deny(told(&denial, None))
    }

    fn lost_race(&self, attempt: &ExecAttempt) {
        self.ledger.recorder.lost_race(&self.ledger.run, attempt);
    }

    fn touch(&self, request: &TouchRequest<'_>) -> Result<(), Denial> {
        self.judge.touch(request)
    }

    fn records_files(&self) -> bool {
        self.judge.policy().logging().audit_file_access
    }

    fn file(&self, attempt: &FileAttempt<'_>, judged: Result<(), Denial>) -> Result<(), String> {
        if let Err(error) = self.ledger.recorder.touched(&self.ledger.run, attempt, judged.as_ref().copied())
        {
            return Err(error.to_string());
        }
        judged.map_err(|denial| {
            self.ledger.lessons.file(attempt.action, attempt.path, &denial);
            let (action, path) = (attempt.action.name(), supervisor::shown(attempt.path));
            told(&denial, Some(&format!("`{action} {path}`")))
        })
    }
}

// The beginning of a command, without control characters.
fn shown(argv: &[Vec<u8>]) -> String {
    const CHARACTERS: usize = 120;
    let line = argv.join(&b' ');
    let line = String::from_utf8_lossy(&line);
    let mut shown: String = line.chars().take(CHARACTERS).flat_map(char::escape_debug).collect();
    if line.chars().nth(CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}
