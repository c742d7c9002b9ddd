//! From findings to the decision.

use claw_shell::{Lookup, Piece, Text, Word};

use super::Judge;
use super::words::{base_name, display};
use crate::decide::{confinement, environment};
use crate::decision::Commands;
use crate::policy::Ask;
use crate::{Code, Decision, Denial, ExecGrant, Grant, ProgramFact, Question, Reason, profile};

/// The shell that reads a line when the request names none: the one whose language the line was parsed in.
const SHELL: &[u8] = b"bash";

/// Shells whose lines mean what the parser says. Others (`zsh`, `fish`) read the same text in another way.
const READ_ALIKE: [&[u8]; 4] = [b"bash", b"sh", b"dash", b"ash"];

/// The program that is executed, or why it is not there, and its arguments.
type Executed<'a> = (Result<&'a ProgramFact, Reason>, Vec<Vec<u8>>);

impl<'a> Judge<'a> {
    /// The decision that the findings amount to.
    pub(super) fn decision(mut self) -> Decision {
        if self.findings.refuses() || !self.askable() {
            let reasons = self.findings.against();
            return self.deny(reasons);
        }
        let missed = !self.findings.missing().is_empty();
        let always = self.policy.exec.iter().find(|layer| layer.ask.value == Ask::Always);
        let question = if missed {
            Some(self.findings.against())
        } else {
            always.map(|layer| {
                vec![Reason::new(Code::ExecAsk, "every command has to be confirmed").by(&layer.ask.rule)]
            })
        };
        match (self.grant(), question) {
            (Err(reasons), None) => self.deny(reasons),
            (Err(reasons), Some(mut asked)) => {
                asked.extend(reasons);
                self.deny(asked)
            }
            (Ok(grant), None) => Decision::Allow(Grant::Exec(grant)),
            (Ok(grant), Some(reasons)) => {
                let commands = grant.commands();
                Decision::Ask(Question { reasons, commands, grant: Box::new(Grant::Exec(grant)) })
            }
        }
    }

    fn deny(&self, reasons: Vec<Reason>) -> Decision {
        Decision::Deny(Denial { reasons, commands: self.commands().to_vectors() })
    }

    /// Whether everything that no rule allows may be asked about.
    pub(super) fn askable(&self) -> bool {
        self.findings.missing().iter().all(|layer| match layer {
            Some(index) => self.policy.exec.get(*index).is_some_and(|layer| layer.ask.value != Ask::Off),
            None => self.asks(),
        })
    }

    /// Whether all layers that restrict anything ask about it.
    fn asks(&self) -> bool {
        let layers = self.policy.exec.iter();
        layers.filter(|layer| self.restricts(layer)).all(|layer| layer.ask.value != Ask::Off)
    }

    /// What would be granted.
    fn grant(&mut self) -> Result<ExecGrant, Vec<Reason>> {
        let (program, argv) = match self.request.line {
            Some(line) => self.shell(line)?,
            None => self.argv(),
        };
        let cwd = self.working_directory()?;
        if self.world.unanswered() > 0 {
            return Err(unsettled());
        }
        let (environment, stripped) = environment::build(self.policy, &self.request.environment);
        let mut programs = std::mem::take(&mut self.programs);
        programs.extend(program.as_ref().ok().copied());
        // A line names few programs, some of them often.
        programs.sort_unstable_by_key(|fact| std::ptr::from_ref(*fact));
        programs.dedup_by(|one, other| std::ptr::eq(*one, *other));
        let alone = self.world.one_shot() && self.starts_no_others();
        let programs = programs.iter().copied();
        let confinement = if alone {
            confinement::of_one(self.policy, self.world, programs)
        } else {
            confinement::build(self.policy, self.world, programs)
        };
        let Some(confinement) = confinement else {
            return Err(unsettled());
        };
        let program = program.cloned();
        let mut reasons = std::mem::take(&mut self.findings.allowed);
        if reasons.is_empty() {
            reasons.push(Reason::new(Code::ExecBuiltin, "the shell does it without a command"));
        }
        Ok(ExecGrant {
            program,
            argv,
            cwd,
            environment,
            stripped,
            confinement,
            reasons,
            commands: self.commands(),
        })
    }

    /// Whether every command is known to start no programs but those that were judged here.
    ///
    /// The table knows the trusted programs by their bare names, and nothing of a file of that name elsewhere. Where
    /// files of a tree may be executed, hooks may be too.
    fn starts_no_others(&self) -> bool {
        let starts_none = |command: &claw_shell::Command| match command.lookup {
            Lookup::Builtin(_) | Lookup::Function => true,
            Lookup::Program | Lookup::FunctionOrProgram => {
                command.transparent
                    || command.words.split_first().is_some_and(|(name, arguments)| {
                        let name = name.as_literal().filter(|name| !name.contains(&b'/'));
                        let arguments = arguments.iter().map(Word::as_literal);
                        name.is_some_and(|name| profile::starts_no_others(&name, arguments))
                    })
            }
        };
        let script = self.request.script;
        let mut roots = self.policy.files.iter().flat_map(|layer| &layer.roots);
        script.opaque.is_empty()
            && !roots.any(|root| root.value.execute)
            && script.commands.iter().all(starts_none)
    }

    /// The program that an argument vector names, or why it is not there, and its arguments.
    fn argv(&mut self) -> Executed<'a> {
        let Some(command) = self.request.script.commands.first() else {
            return (Err(Reason::new(Code::ExecEmpty, "there is no command")), Vec::new());
        };
        let absent = self.findings.absent.iter().find(|reason| reason.span == Some(command.span)).cloned();
        let program = match (absent, self.programs.first()) {
            (Some(reason), _) => Err(reason),
            (None, Some(program)) => Ok(*program),
            (None, None) => Err(Reason::new(Code::ExecNotFound, "no program was found for the command")),
        };
        (program, literals(&command.words))
    }

    /// The shell that reads the line, or why it is not there, and its arguments.
    fn shell(&mut self, line: &[u8]) -> Result<Executed<'a>, Vec<Reason>> {
        let name = self.request.shell.unwrap_or(SHELL);
        let shown = display(name);
        if !READ_ALIKE.contains(&base_name(name)) {
            let message = format!("`{shown}` is not a shell whose lines can be judged");
            return Err(vec![
                Reason::new(Code::ExecNotAllowlisted, message).with_change("use bash, dash or sh"),
            ]);
        }
        let program = match self.find_trusted(name, &self.request.cwd) {
            Some(fact) if fact.executable => Ok(fact),
            _ => {
                let message = format!("the shell `{shown}` was not found in the trusted directories");
                Err(Reason::new(Code::ExecNotFound, message))
            }
        };
        Ok((program, vec![name.to_vec(), b"-c".to_vec(), line.to_vec()]))
    }

    fn working_directory(&self) -> Result<std::path::PathBuf, Vec<Reason>> {
        let invalid = |why: &str| {
            let cwd = self.request.cwd.display();
            vec![Reason::new(Code::CwdInvalid, format!("the working directory `{cwd}` {why}"))]
        };
        match self.world.path(&self.request.cwd, true) {
            // The answer is thrown away while the fact is missing.
            None => Ok(self.request.cwd.clone()),
            // One that does not exist cannot be entered; that is found when the run is prepared.
            Some(Ok(path)) if matches!(path.kind, crate::FileKind::Directory | crate::FileKind::Missing) => {
                Ok(path.real.clone())
            }
            Some(Ok(_)) => Err(invalid("is not a directory")),
            Some(Err(_)) => Err(invalid("cannot be resolved")),
        }
    }

    /// Every simple command of the request, words that are not known as written.
    fn commands(&self) -> Commands {
        Commands::new(&self.request.script.commands, render)
    }
}

/// Stands for the grant while facts are missing; it is thrown away.
fn unsettled() -> Vec<Reason> {
    vec![Reason::new(Code::ExecNotFound, "facts about the policy's paths are missing")]
}

fn literals(words: &[Word]) -> Vec<Vec<u8>> {
    words.iter().map(|word| render(word).to_vec()).collect()
}

/// A word as text, expansions as they are written.
fn render(word: &Word) -> Text {
    let mut text = Text::new();
    for piece in &word.pieces {
        match piece {
            Piece::Literal(bytes) | Piece::Glob(bytes) => text.extend_from_slice(bytes),
            Piece::Tilde(user) => {
                text.extend_from_slice(b"~");
                text.extend_from_slice(user);
            }
            Piece::Param { name, .. } => {
                text.extend_from_slice(b"$");
                text.extend_from_slice(name);
            }
            Piece::Number | Piece::Dynamic { .. } => text.extend_from_slice(b"$(...)"),
        }
    }
    text
}
