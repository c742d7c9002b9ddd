//! Follows the working directory through the script.

use super::Collector;
use crate::Text;
use crate::bounds::Parsed;
use crate::script::{Cwd, CwdId, Piece, Span, Word};

/// In which directory the shell is after a command that succeeded, and after one that failed.
/// `None` when that cannot happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) success: Option<CwdId>,
    pub(crate) failure: Option<CwdId>,
}

impl Flow {
    pub(crate) fn stay(cwd: CwdId) -> Self {
        Self { success: Some(cwd), failure: Some(cwd) }
    }

    /// The shell does not go on (`exit`).
    pub(crate) fn never() -> Self {
        Self { success: None, failure: None }
    }

    pub(crate) fn inverted(self) -> Self {
        Self { success: self.failure, failure: self.success }
    }
}

impl Collector {
    pub(crate) fn stay(&self) -> Flow {
        Flow::stay(self.shell.cwd)
    }

    pub(crate) fn unknown_directory(&mut self) -> CwdId {
        self.push_cwd(Cwd::Unknown)
    }

    pub(crate) fn push_cwd(&mut self, cwd: Cwd) -> CwdId {
        let last = CwdId(self.script.cwds.len().saturating_sub(1));
        if self.script.cwds.last() == Some(&cwd) {
            return last;
        }
        self.script.cwds.push(cwd);
        CwdId(last.0 + 1)
    }

    /// Where the shell is when either may have happened.
    pub(crate) fn join(&mut self, one: Option<CwdId>, other: Option<CwdId>) -> Option<CwdId> {
        let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
        if one == other {
            return Some(one);
        }
        match self.script.cwds.get(one.0) {
            Some(Cwd::Unknown) => return Some(one),
            Some(Cwd::Cd { from, target, certain: true }) if *from == other => {
                let uncertain = Cwd::Cd { from: *from, target: target.clone(), certain: false };
                return Some(self.push_cwd(uncertain));
            }
            _ => {}
        }
        if self.script.cwds.get(other.0) == Some(&Cwd::Unknown) {
            return Some(other);
        }
        Some(self.push_cwd(Cwd::Either(one, other)))
    }

    /// Goes on after `flow`, whichever way it went.
    pub(crate) fn settle(&mut self, flow: Flow) {
        if let Some(cwd) = self.join(flow.success, flow.failure) {
            self.shell.cwd = cwd;
        }
    }

    /// Runs `collect` as a subshell: its directory and its functions do not reach the outer shell.
    pub(crate) fn subshell<T>(&mut self, collect: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let (cwd, defined) = (self.shell.cwd, self.shell.defined.len());
        let (exports_all, integers) = (self.shell.exports_all, self.shell.integers);
        let result = collect(self)?;
        self.shell.cwd = cwd;
        (self.shell.exports_all, self.shell.integers) = (exports_all, integers);
        for name in self.shell.defined.drain(defined.min(self.shell.defined.len())..) {
            self.shell.functions.remove(&name);
        }
        Ok(result)
    }

    /// Runs `collect` where it is not certain that it runs at all.
    pub(crate) fn conditional<T>(&mut self, collect: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.shell.conditional += 1;
        let result = collect(self)?;
        self.shell.conditional -= 1;
        Ok(result)
    }

    /// Runs `collect` in the directory of a time that is not known yet.
    pub(crate) fn at_another_time<T>(&mut self, collect: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let later = match self.later {
            Some(later) => later,
            None => {
                self.script.cwds.push(Cwd::Unknown);
                CwdId(self.script.cwds.len() - 1)
            }
        };
        self.later = Some(later);
        let before = std::mem::replace(&mut self.shell.cwd, later);
        let result = self.conditional(collect)?;
        self.shell.cwd = before;
        Ok(result)
    }

    /// When nothing in the script changes the directory, functions and traps run where it starts.
    pub(super) fn settle_later_directory(&mut self) {
        let Some(later) = self.later else { return };
        if self.script.cwds.len() > 2 || later != CwdId(1) {
            return;
        }
        self.script.cwds.truncate(1);
        for command in &mut self.script.commands {
            command.cwd = CwdId(0);
        }
        for redirect in &mut self.script.redirects {
            redirect.cwd = CwdId(0);
        }
    }

    /// `~` and `$HOME` are not the home that the caller knows once the script changes `HOME`, nor is `$PWD` its directory.
    ///
    /// A loop runs what comes before the change once more, so all words are concerned.
    pub(super) fn forget_changed_directories(&mut self) {
        if !self.home_changed && !self.directory_changed {
            return;
        }
        let (home, directory) = (self.home_changed, self.directory_changed);
        let forget = |word: &mut Word| {
            for piece in &mut word.pieces {
                match piece {
                    Piece::Tilde(name) if home && name.is_empty() => *piece = Piece::Dynamic { quoted: true },
                    Piece::Param { name, quoted }
                        if (home && name == b"HOME") || (directory && name == b"PWD") =>
                    {
                        *piece = Piece::Dynamic { quoted: *quoted };
                    }
                    _ => {}
                }
            }
        };
        for command in &mut self.script.commands {
            command.words.iter_mut().for_each(forget);
            command
                .assignments
                .iter_mut()
                .filter_map(|assignment| assignment.value.as_mut())
                .for_each(forget);
        }
        self.script.redirects.iter_mut().map(|redirect| &mut redirect.target).for_each(forget);
        self.script
            .assignments
            .iter_mut()
            .filter_map(|assignment| assignment.value.as_mut())
            .for_each(forget);
        for cwd in &mut self.script.cwds {
            if let Cwd::Cd { target, .. } = cwd {
                forget(target);
            }
        }
    }

    /// `cd` with `words` as its arguments, the name included.
    pub(crate) fn change_directory(&mut self, words: &[Word], span: Span, more_arguments: bool) -> Flow {
        let from = self.shell.cwd;
        let target = if more_arguments { None } else { self.cd_target(words, span) };
        let moved = match target {
            Some(target) => self.push_cwd(Cwd::Cd { from, target, certain: true }),
            None => self.unknown_directory(),
        };
        Flow { success: Some(moved), failure: Some(from) }
    }

    fn cd_target(&self, words: &[Word], span: Span) -> Option<Word> {
        let mut operands = words.iter().skip(1).peekable();
        while let Some(option) = operands.peek().and_then(|word| word.as_literal()) {
            match option.as_ref() {
                b"--" => {
                    operands.next();
                    break;
                }
                [b'-', letters @ ..]
                    if !letters.is_empty() && letters.iter().all(|byte| b"LPe@".contains(byte)) =>
                {
                    // `..` after a link leads elsewhere than the text says.
                    if letters.contains(&b'P') {
                        return None;
                    }
                    operands.next();
                }
                _ => break,
            }
        }
        let home = Word { span, pieces: Piece::Tilde(Text::new()).into() };
        let target = match (operands.next(), operands.next()) {
            (None, _) => home,
            (Some(target), None) => target.clone(),
            (Some(_), Some(_)) => return None,
        };
        let uses_home = !matches!(target.pieces.first(), Some(Piece::Literal(_)));
        if uses_home && self.home_changed {
            return None;
        }
        let known = target.pieces.iter().all(|piece| match piece {
            Piece::Literal(_) | Piece::Tilde(_) => true,
            Piece::Param { name, quoted } => name == b"HOME" && *quoted,
            Piece::Glob(_) | Piece::Number | Piece::Dynamic { .. } => false,
        });
        let first = target.literal_prefix();
        let relative = !uses_home && !first.starts_with(b"/");
        let odd = first.starts_with(b"-") || target.as_literal().is_some_and(|text| text.is_empty());
        let searched = relative && self.cdpath_changed && !first.starts_with(b".");
        (known && !odd && !searched).then_some(target)
    }
}
