//! Commands that arguments and variables carry: they are judged like commands of the line.

use claw_shell::{Command, CwdId, Lookup, Origin, Script, Span, Word};

use super::{Judge, Scope};

impl Judge<'_> {
    /// Judges a command line that an argument or a variable makes a program run.
    pub(super) fn carried(&mut self, scope: &Scope<'_>, text: &[u8], span: Span) {
        if !text.iter().all(|byte| is_plain(*byte)) {
            return self.carrier(scope, span, "a shell would run the text of this argument");
        }
        let words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let argv: Vec<Vec<u8>> = words.map(<[u8]>::to_vec).collect();
        self.carried_argv(scope, &argv, span);
    }

    /// Judges an argument vector that an argument makes a program run.
    pub(super) fn carried_argv(&mut self, scope: &Scope<'_>, argv: &[Vec<u8>], span: Span) {
        if let Some(script) = script(argv, span) {
            self.carried_script(scope, &script, span);
        }
    }
}

fn script(argv: &[Vec<u8>], span: Span) -> Option<Script> {
    let words: Vec<Word> = argv.iter().map(|text| Word::literal(text.clone(), span)).collect();
    let command = Command {
        span,
        words,
        assignments: Vec::new(),
        cwd: CwdId(0),
        origin: Origin::Argv,
        lookup: Lookup::Program,
        more_arguments: false,
        transparent: false,
        stdin_fed: true,
    };
    (!argv.is_empty()).then(|| Script {
        commands: vec![command],
        cwds: vec![claw_shell::Cwd::Start],
        ..Script::default()
    })
}

/// Bytes that mean nothing to a shell.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" _./+:,@%-=".contains(&byte)
}
