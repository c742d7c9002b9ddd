//! GNU parallel: joins its words to texts for a shell, one for each input item.

use super::options::{Options, Scan, scan};
use super::xargs::replace;
use crate::bounds::Parsed;
use crate::collect::{Call, Collector};
use crate::script::{Dialect, OpaqueKind, Word};

/// The common options of GNU parallel 2024; there are many more.
const OPTIONS: Options = Options {
    flags: "0kmXutqv",
    valued: "jnNPLsdI",
    optional: "",
    long_flags: &[
        "null",
        "keep-order",
        "bar",
        "progress",
        "eta",
        "dry-run",
        "verbose",
        "will-cite",
        "ungroup",
        "line-buffer",
        "lb",
        "no-notice",
        "xargs",
        "quote",
        "tag",
        "citation",
        "group",
    ],
    long_valued: &[
        "jobs",
        "max-args",
        "max-replace-args",
        "delay",
        "timeout",
        "halt",
        "retries",
        "load",
        "colsep",
        "max-procs",
        "delimiter",
    ],
    long_optional: &[],
    number: false,
};

pub(super) fn open(collector: &mut Collector, call: &Call<'_>) -> Parsed<()> {
    let (found, rest) = match scan(&OPTIONS, call.arguments()) {
        Scan::Unknown(span) => {
            collector.mark(OpaqueKind::WrapperOption, span);
            return Ok(());
        }
        Scan::Options { found, rest } => (found, rest),
    };
    if found.iter().any(|option| matches!(option.name.as_str(), "help" | "version" | "citation")) {
        return Ok(());
    }
    let words = call.arguments().get(rest..).unwrap_or_default();
    let separator = words.iter().position(is_separator).unwrap_or(words.len());
    let (command, inputs) = words.split_at(separator);
    if command.is_empty() {
        return commands_from_input(collector, call, inputs);
    }
    // Replacement strings are quoted by parallel and stay data: `{}`, `{.}`, `{/}`, `{1}`.
    let mut text = Vec::new();
    for word in command {
        let word = replace(word, b"\0");
        let Some(literal) = word.as_literal() else {
            collector.mark(OpaqueKind::DynamicCode, word.span);
            return Ok(());
        };
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(&with_parameters(&literal));
    }
    let span = command.first().map_or(call.span, |word| word.span);
    // Without a replacement string the item is appended.
    text.extend_from_slice(b" \"$1\"");
    run(collector, call, &text, span)
}

fn run(collector: &mut Collector, call: &Call<'_>, text: &[u8], span: crate::Span) -> Parsed<()> {
    collector.publish_assignments(call.id)?;
    let input = collector.shell.input.of_many();
    collector.new_shell(text, span, Dialect::Posix, input)
}

fn is_separator(word: &Word) -> bool {
    matches!(word.as_literal().as_deref(), Some(b":::" | b"::::" | b":::+" | b"::::+"))
}

/// `parallel ::: 'cmd a' 'cmd b'`: every item is a command.
fn commands_from_input(collector: &mut Collector, call: &Call<'_>, inputs: &[Word]) -> Parsed<()> {
    let listed = inputs.first().is_some_and(|word| word.as_literal().as_deref() == Some(b":::"));
    if !listed || call.more_arguments {
        collector.mark(OpaqueKind::CodeFromInput, call.span);
        return Ok(());
    }
    for word in inputs.iter().skip(1) {
        match word.as_literal() {
            Some(text) if !is_separator(word) => run(collector, call, &text, word.span)?,
            _ => collector.mark(OpaqueKind::DynamicCode, word.span),
        }
    }
    Ok(())
}

/// `text` with each replacement string as a quoted parameter.
fn with_parameters(text: &[u8]) -> Vec<u8> {
    let (mut result, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, after)) = rest.split_first() {
        let close = if *first == b'{' { after.iter().position(|byte| *byte == b'}') } else { None };
        match close.and_then(|close| after.split_at_checked(close)) {
            Some((name, tail))
                if name.iter().all(|byte| byte.is_ascii_digit() || b"./-#%+".contains(byte)) =>
            {
                result.extend_from_slice(b"\"$1\"");
                rest = tail.get(1..).unwrap_or_default();
            }
            _ => {
                result.push(*first);
                rest = after;
            }
        }
    }
    result
}
