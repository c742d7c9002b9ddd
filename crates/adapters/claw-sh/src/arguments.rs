//! A shell's arguments, as far as hosts use them.

use crate::Shell;

/// What a shell is asked to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Invocation {
    /// Run this line (`-c LINE`).
    Line(Vec<u8>),
    /// Run the real shell with these arguments: a script file, options that change what a line means, positional
    /// parameters. The policy judges it like any program.
    Arguments(Vec<Vec<u8>>),
    /// Read commands from standard input. What has not been written yet cannot be judged.
    Input,
}

impl Invocation {
    /// Reads the arguments, without the program's own name.
    ///
    /// Of the options before and after `-c` (hosts write `-c -l LINE` too) only those pass that do not change what a line
    /// means: login and interactive mode and start-up files, none of which exist in the sandbox.
    ///
    /// ```
    /// use claw_sh::{Invocation, Shell};
    ///
    /// let arguments = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    /// let line = Invocation::Line(b"ls".to_vec());
    /// assert_eq!(Invocation::read(Shell::Bash, &arguments(&["--noprofile", "--norc", "-c", "ls"])), line);
    /// assert_eq!(Invocation::read(Shell::Bash, &arguments(&["-c", "-l", "ls"])), line);
    /// assert_eq!(Invocation::read(Shell::Sh, &arguments(&[])), Invocation::Input);
    /// ```
    #[must_use]
    pub fn read(shell: Shell, arguments: &[Vec<u8>]) -> Self {
        let mut takes_line = false;
        let mut rest = arguments;
        while let Some((word, after)) = rest.split_first() {
            match option(shell, word) {
                Word::Operand => break,
                Word::End => {
                    rest = after;
                    break;
                }
                Word::Harmless { line } => takes_line |= line,
                Word::Meaning => return Self::Arguments(arguments.to_vec()),
            }
            rest = after;
        }
        match (takes_line, rest) {
            (true, [line]) => Self::Line(line.clone()),
            (false, []) => Self::Input,
            // `-c` without a line is the real shell's error to tell, and parameters are for it to number.
            _ => Self::Arguments(arguments.to_vec()),
        }
    }
}

/// What a word is among a shell's options.
enum Word {
    /// Not an option: the line, or a script.
    Operand,
    /// The end of the options.
    End,
    /// Options that leave a line's meaning as it is; whether `c` is among them.
    Harmless { line: bool },
    /// An option that changes what a line means, or one that we do not know.
    Meaning,
}

fn option(shell: Shell, word: &[u8]) -> Word {
    match word {
        b"--" | b"-" => Word::End,
        b"--login" | b"--noprofile" | b"--norc" => Word::Harmless { line: false },
        [b'-', b'-', ..] => Word::Meaning,
        [b'-', letters @ ..] => {
            let harmless = |letter: &u8| match letter {
                b'c' | b'i' | b'l' => true,
                // zsh reads no start-up files; elsewhere it is `noglob`.
                b'f' => shell == Shell::Zsh,
                _ => false,
            };
            if letters.iter().all(harmless) {
                Word::Harmless { line: letters.contains(&b'c') }
            } else {
                Word::Meaning
            }
        }
        [b'+', ..] => Word::Meaning,
        _ => Word::Operand,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_forms_that_hosts_use_are_lines() {
        for (shell, arguments) in [
            (Shell::Sh, &["-c", "LINE"][..]),
            (Shell::Bash, &["-c", "LINE"]),
            (Shell::Bash, &["-c", "-l", "LINE"]),
            (Shell::Bash, &["-lc", "LINE"]),
            (Shell::Bash, &["-l", "-c", "LINE"]),
            (Shell::Bash, &["--login", "-c", "LINE"]),
            (Shell::Bash, &["-ic", "LINE"]),
            (Shell::Bash, &["--noprofile", "--norc", "-c", "LINE"]),
            (Shell::Zsh, &["-f", "-c", "LINE"]),
            (Shell::Sh, &["-c", "--", "LINE"]),
        ] {
            let read = Invocation::read(shell, &words(arguments));
            assert_eq!(read, Invocation::Line(b"LINE".to_vec()), "{arguments:?}");
        }
    }

    #[test]
    fn what_changes_a_lines_meaning_is_the_real_shells() {
        for arguments in [
            &["-f", "-c", "LINE"][..],
            &["-ec", "LINE"],
            &["-x", "-c", "LINE"],
            &["-o", "pipefail", "-c", "LINE"],
            &["+B", "-c", "LINE"],
            &["--rcfile", "x", "-c", "LINE"],
            &["-c", "LINE", "name", "argument"],
            &["-c"],
            &["-s"],
            &["script.sh", "argument"],
            &["script.sh"],
            &["LINE"],
        ] {
            let arguments = words(arguments);
            assert_eq!(Invocation::read(Shell::Bash, &arguments), Invocation::Arguments(arguments.clone()));
        }
    }

    #[test]
    fn without_a_line_or_a_file_a_shell_reads_its_input() {
        for arguments in [&[][..], &["-l"], &["-i"], &["--norc"], &["--"]] {
            assert_eq!(Invocation::read(Shell::Bash, &words(arguments)), Invocation::Input, "{arguments:?}");
        }
    }
}
