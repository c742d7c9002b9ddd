//! `check --jsonl`: requests and answers as lines of JSON, for programs that keep one child.

use std::io::{self, Write as _};

use crate::args::PolicyArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lines::{self, Line};
use crate::output;
use crate::wire::{Answer, ErrorAnswer, Id, WireRequest};

use super::judge::Judges;

/// A line of 64 KiB, the longest command line that is judged, has at most 384 KiB in JSON; one that is
/// longer, but not absurdly so, is still worth a proper denial.
const LINE_LIMIT: usize = 8 << 20;

/// Answers every line, in order, each before the next is read.
pub(crate) fn run(args: &PolicyArgs) -> Outcome {
    let mut judges = Judges::new(args);
    answer_each(|line| answer(&mut judges, line))
}

/// Gives standard output an answer for each line of standard input that is not blank.
pub(super) fn answer_each(mut answer: impl FnMut(&[u8]) -> Vec<u8>) -> Outcome {
    let mut input = io::stdin().lock();
    loop {
        let answer = match lines::next(&mut input, LINE_LIMIT) {
            Ok(None) => return Ok(Exit::Success),
            Ok(Some(Line::Whole(line))) if line.trim_ascii().is_empty() => continue,
            Ok(Some(Line::Whole(line))) => answer(&line),
            Ok(Some(Line::TooLong)) => {
                error(None, format!("the line is longer than {} MiB", LINE_LIMIT >> 20))
            }
            Err(error) => {
                return Err(Failure::new(format_args!(
                    "cannot read standard input: {error}; check where it comes from"
                )));
            }
        };
        let mut stdout = io::stdout().lock();
        stdout.write_all(&answer).and_then(|()| stdout.flush()).map_err(|error| output::closed(&error))?;
    }
}

fn answer(judges: &mut Judges<'_>, line: &[u8]) -> Vec<u8> {
    let mut request = match WireRequest::read(line) {
        Ok(request) => request,
        Err(message) => return error(WireRequest::id_of(line), message),
    };
    let decision = request.question().and_then(|question| judges.judge(&request, question));
    match decision {
        Ok(judged) => {
            to_line(&Answer::new(Some(&request.id), &judged.decision).in_contexts(judged.contexts.as_deref()))
        }
        Err(message) => error(request.id, message),
    }
}

pub(super) fn error(id: Id, error: String) -> Vec<u8> {
    to_line(&ErrorAnswer { id, error })
}

/// Writing these types as JSON cannot fail: no map in them has keys that are not strings.
pub(super) fn to_line(answer: &impl serde::Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}
