//! `env [options] [NAME=value ...] [command]`.

use super::options::{Found, without_prefix};
use super::run_inner;
use crate::bounds::Parsed;
use crate::collect::{Call, Collector};
use crate::script::{Assignment, Cwd, OpaqueKind, Piece, Word};

pub(super) fn open(
    collector: &mut Collector,
    call: &Call<'_>,
    found: &[Found],
    words: &[Word],
) -> Parsed<()> {
    // `-S` splits a string by rules of its own.
    if let Some(option) = found.iter().find(|option| option.name == "S" || option.name == "split-string") {
        collector.mark(OpaqueKind::WrapperOption, option.span);
        return Ok(());
    }
    let mut assignments = Vec::new();
    for option in found {
        if let ("u" | "unset", Some(value)) = (option.name.as_str(), &option.value) {
            let name = value.as_literal().unwrap_or_default().into_owned();
            assignments.push(Assignment { span: option.span, name, value: None, exported: true });
        }
    }
    let mut words = words;
    while let Some((first, rest)) = words.split_first() {
        let Some((name, value)) = assignment(first) else { break };
        assignments.push(Assignment { span: first.span, name, value: Some(value), exported: true });
        words = rest;
    }
    let directory = found.iter().rev().find(|option| option.name == "C" || option.name == "chdir");
    let before = collector.shell.cwd;
    if let Some(target) = directory.and_then(|option| option.value.clone()) {
        collector.shell.cwd = collector.push_cwd(Cwd::Cd { from: before, target, certain: true });
    }
    run_inner(collector, call, words, assignments)?;
    collector.shell.cwd = before;
    Ok(())
}

/// `NAME=value` as `env` reads it: the name is any text.
fn assignment(word: &Word) -> Option<(Vec<u8>, Word)> {
    let Some(Piece::Literal(text)) = word.pieces.first() else { return None };
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let name = text.get(..equals)?.to_vec();
    Some((name, without_prefix(word, equals + 1)))
}
