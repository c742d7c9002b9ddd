//! The policy's judgement of what the processes of a run execute.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use claw_policy::{Code, Confinement, Decision, Denial, Environment, ExecRequest, ProgramFact, Request};

use crate::record::Recorder;
use crate::supervisor::{ExecAttempt, Oversight, Verdict};
use crate::{Error, Judge};

/// Judges by the policy that allowed the run.
#[derive(Clone, Debug)]
pub(crate) struct Overseer {
    judge: Arc<Judge>,
    recorder: Recorder,
    // The recorded decision that allowed the run.
    run: Arc<str>,
    confinement: Arc<Confinement>,
}

impl Overseer {
    pub(crate) fn new(
        judge: Arc<Judge>,
        recorder: Recorder,
        run: Arc<str>,
        confinement: Arc<Confinement>,
    ) -> Self {
        Self { judge, recorder, run, confinement }
    }

    fn judge(&self, attempt: &ExecAttempt<'_>) -> Result<(), Denial> {
        let mut argv = attempt.argv.to_vec();
        let program = attempt.program.real.as_os_str().as_bytes().to_vec();
        match argv.first_mut() {
            Some(first) => *first = program,
            None => argv.push(program),
        }
        let Ok(script) = claw_shell::from_argv(&argv) else { return Ok(()) };
        let cwd = attempt.cwd.to_owned();
        let request = ExecRequest {
            script: &script,
            shell: None,
            line: None,
            cwd,
            environment: Environment::default(),
        };
        match self.judge.decide(Request::Exec(&request)) {
            Some(Decision::Allow(_)) => Ok(()),
            Some(Decision::Deny(denial)) if is_final(&denial) || !self.is_part(attempt.program) => {
                Err(denial)
            }
            Some(Decision::Ask(question)) if !self.is_part(attempt.program) => {
                Err(Denial { reasons: question.reasons, commands: question.commands })
            }
            Some(Decision::Deny(_) | Decision::Ask(_)) => Ok(()),
            None => Err(crate::sandbox::unsettled()),
        }
    }

    // Whether the program is one that the allowed ones need.
    fn is_part(&self, program: &ProgramFact) -> bool {
        let confinement = &self.confinement;
        confinement.execute_any || confinement.executables.iter().any(|part| program.real.starts_with(part))
    }
}

// What no part of another program may pass over: what the policy denies by name, and argument rules.
fn is_final(denial: &Denial) -> bool {
    denial.reasons.iter().any(|reason| matches!(reason.code, Code::ExecDenied | Code::ExecArguments))
}

impl Oversight for Overseer {
    fn exec(&self, attempt: &ExecAttempt<'_>) -> Verdict {
        let judged = self.judge(attempt);
        if let Err(error) = self.recorder.descendant(&self.run, attempt, judged.as_ref().copied()) {
            // What cannot be recorded does not happen.
            return Verdict::Deny(error.to_string());
        }
        match judged {
            Ok(()) => Verdict::Allow(role_of(attempt.program)),
            Err(denial) => {
                let asked = shown(attempt.argv);
                Verdict::Deny(format!(
                    "{}; `{asked}` was asked for by `{}`",
                    Error::from(denial),
                    attempt.role
                ))
            }
        }
    }

    fn lost_race(&self, attempt: &ExecAttempt<'_>) {
        // The run is told by the supervisor; a log that cannot be written changes nothing any more.
        let _ = self.recorder.lost_race(&self.run, attempt);
    }
}

/// What a process is that executes the program.
pub(crate) fn role_of(program: &ProgramFact) -> Arc<str> {
    program.found.file_name().unwrap_or_else(|| OsStr::new("?")).to_string_lossy().into()
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
