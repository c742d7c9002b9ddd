//! `find -exec command {} ;` and its relatives. `find` also acts by itself, so it is not transparent.

use super::inner;
use super::xargs::replace;
use crate::bounds::Parsed;
use crate::collect::{Call, Collector, Input};
use crate::script::{OpaqueKind, Word};

pub(super) fn open(collector: &mut Collector, call: &Call<'_>) -> Parsed<()> {
    let mut words = call.arguments();
    while let Some((first, rest)) = words.split_first() {
        words = rest;
        let elsewhere = match first.as_literal().as_deref() {
            Some(b"-exec" | b"-ok") => false,
            Some(b"-execdir" | b"-okdir") => true,
            _ => continue,
        };
        let end = end_of_command(rest);
        let (command, after) = rest.split_at(end.unwrap_or(rest.len()));
        words = after.get(1..).unwrap_or_default();
        run(collector, call, command, after.first(), elsewhere)?;
    }
    Ok(())
}

/// The index of `;`, or of a `+` that follows `{}`.
fn end_of_command(words: &[Word]) -> Option<usize> {
    let mut braces = false;
    for (index, word) in words.iter().enumerate() {
        match word.as_literal().as_deref() {
            Some(b";") => return Some(index),
            Some(b"+") if braces => return Some(index),
            text => braces = text == Some(b"{}"),
        }
    }
    None
}

fn run(
    collector: &mut Collector,
    call: &Call<'_>,
    command: &[Word],
    end: Option<&Word>,
    elsewhere: bool,
) -> Parsed<()> {
    if command.is_empty() {
        if end.is_none() && call.more_arguments {
            collector.mark(OpaqueKind::DynamicCommand, call.span);
        }
        return Ok(());
    }
    // An expansion that could become the `;` would begin another action.
    if let Some(word) =
        command.iter().skip(1).find(|word| word.can_split() && word.literal_prefix().is_empty())
    {
        collector.mark(OpaqueKind::WrapperOption, word.span);
    }
    let words: Vec<Word> = command.iter().map(|word| replace(word, b"{}")).collect();
    let mut invocation = inner(collector, call, &words)?;
    invocation.more_arguments = end.is_none_or(|end| end.as_literal().as_deref() == Some(b"+"));
    let before = collector.shell.cwd;
    if elsewhere {
        collector.shell.cwd = collector.unknown_directory();
    }
    let outer = std::mem::replace(&mut collector.shell.input, Input::Fed);
    collector.invoke(invocation)?;
    collector.shell.input = outer;
    collector.shell.cwd = before;
    Ok(())
}
