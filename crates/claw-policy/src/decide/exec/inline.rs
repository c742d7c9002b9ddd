//! Program text for interpreters: on the command line, on standard input, from a pipe.

use claw_shell::{Command, Word};

use super::words::{base_name, display, may_be_option};

/// What was found.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// Program text; what people call it.
    Text(String),
    /// The arguments may or may not be program text.
    Unknown,
}

/// How an interpreter takes program text.
struct Interpreter {
    /// Without a version at the end.
    names: &'static [&'static str],
    /// Options whose value is program text.
    code: &'static [&'static str],
    /// Options that take another value.
    values: &'static [&'static str],
    /// Options that name what to run instead, so that what follows are that program's arguments.
    ends: &'static [&'static str],
    /// Whether it reads its program from standard input when no file is named.
    stdin: bool,
    /// Whether short options may be joined (`-ne`).
    clusters: bool,
}

/// From each interpreter's own manual page.
static INTERPRETERS: [Interpreter; 27] = [
    Interpreter {
        names: &["python", "pypy", "ipython"],
        code: &["-c"],
        values: &["-W", "-X", "--check-hash-based-pycs"],
        ends: &["-m", "-V", "--version", "-h", "--help", "-VV"],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["node", "nodejs"],
        code: &["-e", "--eval", "-p", "--print", "-pe"],
        values: &[
            "-r",
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
            "-C",
            "--conditions",
            "--env-file",
            "--input-type",
        ],
        ends: &["-v", "--version", "-h", "--help", "--test", "--run", "--check", "-c"],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["deno"],
        code: &["eval", "-e", "--eval", "-p", "--print"],
        values: &[],
        ends: &["test", "fmt", "lint", "check", "task", "install", "--version", "--help", "cache", "info"],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["bun"],
        code: &["-e", "--eval", "-p", "--print"],
        values: &["--cwd", "--config", "-c"],
        ends: &[],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["ruby", "jruby"],
        code: &["-e"],
        values: &["-C", "-E", "-I", "-r", "--encoding", "--external-encoding", "--internal-encoding"],
        ends: &["--version", "--help", "-h"],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["perl"],
        code: &["-e", "-E"],
        values: &["-I", "-x"],
        ends: &["-v", "-V", "--version", "--help", "-h"],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["php", "php-cli"],
        code: &["-r", "--run", "-B", "--process-begin", "-R", "--process-code", "-E", "--process-end"],
        values: &["-d", "--define", "-c", "--php-ini", "-S", "-t", "-z"],
        ends: &[
            "-v",
            "--version",
            "-i",
            "--info",
            "-m",
            "--modules",
            "-h",
            "--help",
            "-f",
            "--file",
            "-F",
            "-l",
        ],
        stdin: true,
        clusters: false,
    },
    Interpreter {
        names: &["lua", "luajit", "luau"],
        code: &["-e"],
        values: &["-l"],
        ends: &["-v"],
        stdin: true,
        clusters: false,
    },
    Interpreter {
        names: &["osascript"],
        code: &["-e"],
        values: &["-l", "-s"],
        ends: &[],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["R", "Rscript", "littler"],
        code: &["-e"],
        values: &["-f", "-g"],
        ends: &["--version", "--help", "CMD"],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["julia"],
        code: &["-e", "--eval", "-E", "--print"],
        values: &["-J", "--sysimage", "-H", "-p", "--procs", "-t", "--threads", "-L", "--load"],
        ends: &["-v", "--version", "-h", "--help"],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["elixir", "iex"],
        code: &["-e", "--eval", "--rpc-eval"],
        values: &["-r", "-pr", "-pa", "-pz", "--app", "--name", "--sname", "--cookie"],
        ends: &["-v", "--version", "--help"],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["guile"],
        code: &["-c"],
        values: &["-L", "-l", "-x"],
        ends: &["-v", "--version"],
        stdin: true,
        clusters: false,
    },
    Interpreter {
        names: &["groovy"],
        code: &["-e"],
        values: &["-c", "-cp"],
        ends: &["-v", "--version"],
        stdin: false,
        clusters: true,
    },
    Interpreter {
        names: &["scala", "scala-cli"],
        code: &["-e"],
        values: &["-cp"],
        ends: &["--version"],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["clojure", "clj"],
        code: &["-e", "--eval"],
        values: &["-i", "--init"],
        ends: &["--version"],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["raku", "perl6"],
        code: &["-e"],
        values: &["-I", "-M"],
        ends: &["-v", "--version"],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["ghc", "runghc", "runhaskell"],
        code: &["-e"],
        values: &["-o"],
        ends: &["--version"],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["erl"],
        code: &["-eval"],
        values: &["-name", "-sname", "-pa"],
        ends: &[],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["gdb"],
        code: &["-ex", "--ex", "-eval-command", "--eval-command", "-iex", "--iex"],
        values: &["-x"],
        ends: &[],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["expect"],
        code: &["-c"],
        values: &[],
        ends: &["-v"],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["tclsh", "wish"],
        code: &[],
        values: &["-encoding"],
        ends: &[],
        stdin: true,
        clusters: false,
    },
    Interpreter {
        names: &["ts-node", "tsx"],
        code: &["-e", "--eval", "-p", "--print", "-pe"],
        values: &["-r", "--require", "-O", "-P", "--project"],
        ends: &["-v", "--version", "-h", "--help"],
        stdin: true,
        clusters: false,
    },
    Interpreter {
        names: &["racket", "swift", "ocaml", "bb", "janet", "ghci"],
        code: &["-e", "--eval"],
        values: &["-I", "-l"],
        ends: &["--version", "--help"],
        stdin: false,
        clusters: false,
    },
    Interpreter {
        names: &["sbcl", "octave"],
        code: &["--eval"],
        values: &["--load"],
        ends: &["--version", "--help"],
        stdin: true,
        clusters: false,
    },
    // Shells whose language is not read like a line.
    Interpreter {
        names: &["fish", "nu", "xonsh", "elvish"],
        code: &["-c", "--command", "--commands", "-C", "--init-command"],
        values: &[],
        ends: &["-v", "--version", "-h", "--help"],
        stdin: true,
        clusters: true,
    },
    Interpreter {
        names: &["pwsh", "powershell"],
        code: &[
            "-c",
            "-Command",
            "-command",
            "-EncodedCommand",
            "-encodedcommand",
            "-ec",
            "-e",
            "-CommandWithArgs",
            "-cwa",
        ],
        values: &["-ExecutionPolicy", "-WorkingDirectory", "-wd"],
        ends: &["-File", "-file", "-f", "-Version", "-v", "-Help", "-h"],
        stdin: true,
        clusters: false,
    },
];

/// The program text that `command` gives to the interpreter `name`.
pub(super) fn detect(name: &[u8], command: &Command) -> Option<Found> {
    if matches!(name, b"make" | b"gmake") {
        return makefile(command);
    }
    let plain = without_version(name);
    let interpreter =
        INTERPRETERS.iter().find(|known| known.names.iter().any(|it| it.as_bytes() == plain))?;
    interpreter.detect(name, command)
}

impl Interpreter {
    fn detect(&self, name: &[u8], command: &Command) -> Option<Found> {
        let mut words = command.words.iter().skip(1);
        let mut named = false;
        while let Some(word) = words.next() {
            if let Some(found) = self.dynamic(word) {
                return Some(found);
            }
            let text = word.as_literal().unwrap_or_default();
            if *text == *b"-" || *text == *b"--" || !text.starts_with(b"-") && !self.is_subcommand(&text) {
                let script =
                    if *text == *b"--" { words.next().and_then(Word::as_literal) } else { Some(text) };
                if script.as_deref().is_some_and(is_input) {
                    return Some(text_of(name, "standard input"));
                }
                named = script.is_some() || !word.pieces.is_empty();
                break;
            }
            if self.ends.iter().any(|end| end.as_bytes() == &*text) {
                return None;
            }
            match self.option(name, &text) {
                Step::Code(found) => return Some(found),
                Step::TakesNext => {
                    words.next();
                }
                Step::Ends => return None,
                Step::Next => {}
            }
        }
        if named || !self.stdin {
            return (command.more_arguments && !named).then_some(Found::Unknown);
        }
        Some(text_of(name, "standard input"))
    }

    /// A word that is not known: it may be a script's name, or text from a pipe.
    fn dynamic(&self, word: &Word) -> Option<Found> {
        if word.as_literal().is_some() {
            return None;
        }
        let process = matches!(word.pieces.as_slice(), [claw_shell::Piece::Dynamic { quoted: false }]);
        (process || may_be_option(word)).then_some(Found::Unknown)
    }

    fn is_subcommand(&self, text: &[u8]) -> bool {
        self.code.iter().chain(self.ends).any(|known| !known.starts_with('-') && known.as_bytes() == text)
    }

    fn option(&self, name: &[u8], text: &[u8]) -> Step {
        let option = text.split(|byte| *byte == b'=').next().unwrap_or(text);
        if let Some(code) = self.code.iter().find(|code| code.as_bytes() == option) {
            return Step::Code(text_of(name, code));
        }
        if self.values.iter().any(|value| value.as_bytes() == text) {
            return Step::TakesNext;
        }
        if !self.clusters || text.starts_with(b"--") {
            return self.abbreviated(name, option);
        }
        self.cluster(name, text)
    }

    /// Interpreters do not abbreviate, but what could be one is not guessed.
    fn abbreviated(&self, name: &[u8], option: &[u8]) -> Step {
        let fits =
            |code: &&&str| option.len() > 4 && code.starts_with("--") && code.as_bytes().starts_with(option);
        let joined =
            |code: &&&str| code.len() == 2 && option.len() > 2 && option.starts_with(code.as_bytes());
        match self.code.iter().find(|code| fits(code) || joined(code)) {
            Some(code) => Step::Code(text_of(name, code)),
            None => Step::Next,
        }
    }

    fn cluster(&self, name: &[u8], text: &[u8]) -> Step {
        if base_name(name).starts_with(b"perl") && is_module_code(text) {
            return Step::Code(text_of(name, "-M"));
        }
        let letters = text.get(1..).unwrap_or_default();
        for (at, letter) in letters.iter().enumerate() {
            let is = |known: &&&str| known.as_bytes() == [b'-', *letter];
            if let Some(code) = self.code.iter().find(is) {
                return Step::Code(text_of(name, code));
            }
            if self.values.iter().any(|known| is(&known)) {
                return if at + 1 == letters.len() { Step::TakesNext } else { Step::Next };
            }
            if self.ends.iter().any(|known| is(&known)) {
                return Step::Ends;
            }
            if takes_rest(name, *letter) {
                return Step::Next;
            }
        }
        Step::Next
    }
}

enum Step {
    Code(Found),
    TakesNext,
    Ends,
    Next,
}

/// Letters whose value is joined and that end a cluster (perl's `-Mmodule`, `-i.bak`, ruby's `-Fsep`).
fn takes_rest(name: &[u8], letter: u8) -> bool {
    match base_name(name) {
        perl if perl.starts_with(b"perl") => matches!(letter, b'M' | b'm' | b'i' | b'F' | b'd' | b'D' | b'C'),
        ruby if ruby.starts_with(b"ruby") => matches!(letter, b'i' | b'F' | b'K' | b'T' | b'W' | b'x'),
        _ => false,
    }
}

/// `perl -M'POSIX; system "id"'` is program text.
fn is_module_code(text: &[u8]) -> bool {
    let Some(module) = text.strip_prefix(b"-M").or_else(|| text.strip_prefix(b"-m")) else { return false };
    !module
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'=' | b',' | b'-' | b'.'))
}

/// Whether the script operand is what is fed to the interpreter, not a file.
fn is_input(path: &[u8]) -> bool {
    path == b"-"
        || path == b"/dev/stdin"
        || path.starts_with(b"/dev/fd/")
        || path.starts_with(b"/proc/self/fd/")
        || path.starts_with(b"data:")
}

fn makefile(command: &Command) -> Option<Found> {
    let mut words = command.words.iter().skip(1);
    while let Some(word) = words.next() {
        let text = word.as_literal().unwrap_or_default();
        if text.starts_with(b"--eval") || text.starts_with(b"-E") {
            return Some(text_of(b"make", "--eval"));
        }
        let file = match &*text {
            b"-f" | b"--file" | b"--makefile" => words.next().and_then(Word::as_literal),
            other => other
                .strip_prefix(b"-f")
                .or_else(|| other.strip_prefix(b"--file="))
                .map(|it| it.to_vec().into()),
        };
        if file.is_some_and(|file| is_input(&file)) {
            return Some(text_of(b"make", "standard input"));
        }
    }
    None
}

fn text_of(name: &[u8], how: &str) -> Found {
    let name = display(base_name(name));
    Found::Text(format!(
        "`{name}` gets program text by {}",
        if how.starts_with('-') { format!("`{how}`") } else { how.to_owned() }
    ))
}

/// `python3.11` is `python`.
fn without_version(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b'.' && *byte != b'-');
    end.and_then(|end| name.get(..=end)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::{Found, detect};

    #[test]
    fn interpreters_and_shells_of_other_languages_get_no_program_text() {
        for (line, is_text) in [
            ("ts-node --eval 1", true),
            ("ts-node x.ts -e 1", false),
            ("tsx -p 1", true),
            ("racket -e 1", true),
            ("racket x.rkt", false),
            ("sbcl --eval=1", true),
            ("octave --eval 1", true),
            ("fish -c id", true),
            ("fish --command=id", true),
            ("fish x.fish", false),
            ("pwsh -Command id", true),
            ("pwsh -ec aWQ=", true),
            ("pwsh -File x.ps1 -Command", false),
            ("pwsh", true),
        ] {
            let script = claw_shell::parse(line.as_bytes(), claw_shell::Dialect::Bash).unwrap();
            let command = script.commands.first().unwrap();
            let name = line.split(' ').next().unwrap();
            let found = detect(name.as_bytes(), command);
            assert_eq!(matches!(found, Some(Found::Text(_))), is_text, "{line}: {found:?}");
        }
    }
}
