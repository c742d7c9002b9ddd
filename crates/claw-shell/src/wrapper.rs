//! Programs that run another command which stands in their arguments.
//!
//! Each has its own option syntax; an option that is not in its table makes the rest unknowable.
//! Pure wrappers are `transparent`: beside their inner command they run nothing of their own.

mod environment;
mod find;
mod node;
mod options;
mod parallel;
mod shell;
mod table;
mod xargs;

use crate::bounds::Parsed;
use crate::collect::{Call, Collector, Invocation, Rules};
use crate::script::{
    Assignment, Builtin, CommandId, OpaqueKind, Origin, Piece, Redirect, RedirectKind, Span, Word,
};
use options::{Found, Scan, scan};
pub(crate) use shell::names_standard_input;
use table::{Kind, Wrapper};

/// Where the inner command begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operand {
    At(usize),
    /// Nothing is run with these options.
    Nothing,
    /// An option that is not known.
    Unknown(Span),
}

/// The last component of a program's name.
fn base_name(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b'/').next().unwrap_or(name)
}

/// Whether `name` is a program whose arguments are opened.
pub(crate) fn is_wrapper(name: &[u8]) -> bool {
    const SPECIAL: [&[u8]; 12] = [
        b"find",
        b"xargs",
        b"npx",
        b"pnpx",
        b"bunx",
        b"npm",
        b"pnpm",
        b"yarn",
        b"bun",
        b"parallel",
        b"busybox",
        b"toybox",
    ];
    table::find(name).is_some() || shell::dialect(name).is_some() || SPECIAL.contains(&name)
}

/// Lists what the program `name` runs for its caller.
pub(crate) fn open(collector: &mut Collector, name: &[u8], call: &Call<'_>) -> Parsed<()> {
    let program = base_name(name);
    if let Some(dialect) = shell::dialect(program) {
        return shell::open(collector, call, dialect);
    }
    match program {
        b"find" => find::open(collector, call),
        b"xargs" => xargs::open(collector, call),
        b"busybox" | b"toybox" => applet(collector, call),
        b"parallel" => parallel::open(collector, call),
        b"npx" | b"pnpx" | b"bunx" | b"npm" | b"pnpm" | b"yarn" | b"bun" => {
            node::open(collector, call, program)
        }
        _ => match table::find(program) {
            Some(wrapper) => plain(collector, call, wrapper),
            None => Ok(()),
        },
    }
}

/// `exec [-cl] [-a name] command`: the shell becomes a program.
pub(crate) fn exec(collector: &mut Collector, call: &Call<'_>) -> Parsed<Builtin> {
    match operand(&table::EXEC, call.arguments()) {
        Operand::Unknown(span) => {
            collector.mark(OpaqueKind::WrapperOption, span);
            Ok(Builtin::Opaque)
        }
        Operand::Nothing => Ok(Builtin::Harmless),
        Operand::At(index) => {
            let words = call.arguments().get(index..).unwrap_or_default();
            if words.is_empty() && !call.more_arguments {
                return Ok(Builtin::Harmless);
            }
            run_inner(collector, call, words, Vec::new())?;
            Ok(Builtin::Listed)
        }
    }
}

/// Where the operand of the `command` builtin is.
pub(crate) fn command_operand(arguments: &[Word]) -> Operand {
    match operand(&table::COMMAND, arguments) {
        Operand::At(index) if index >= arguments.len() => Operand::Nothing,
        operand => operand,
    }
}

fn operand(wrapper: &Wrapper, arguments: &[Word]) -> Operand {
    match scan(&wrapper.options, arguments) {
        Scan::Unknown(span) => Operand::Unknown(span),
        Scan::Options { found, .. } if stops(wrapper, &found) => Operand::Nothing,
        Scan::Options { rest, .. } => Operand::At(rest),
    }
}

fn stops(wrapper: &Wrapper, found: &[Found]) -> bool {
    found.iter().any(|option| {
        let name = option.name.as_str();
        name == "help" || name == "version" || wrapper.stops.contains(&name)
    })
}

/// An invocation of `words` under the wrapper of `call`.
pub(crate) fn inner(collector: &mut Collector, call: &Call<'_>, words: &[Word]) -> Parsed<Invocation> {
    let assignments = collector.command(call.id)?.assignments.clone();
    let values = assignments.iter().filter_map(|assignment| assignment.value.as_ref());
    let size = words.iter().chain(values).map(word_size).sum();
    collector.shared.bounds.charge(size, call.span)?;
    let start = words.first().map_or(call.span.start, |word| word.span.start);
    Ok(Invocation {
        words: words.to_vec(),
        assignments,
        span: Span::new(start.min(call.span.end), call.span.end),
        more_arguments: call.more_arguments,
        rules: Rules::Programs,
        origin: Origin::Wrapper(call.id),
    })
}

/// The cost of copying a word.
fn word_size(word: &Word) -> usize {
    word.pieces.iter().map(|piece| if let Piece::Literal(text) = piece { 8 + text.len() } else { 8 }).sum()
}

/// Lists `words` as the whole of what the wrapper runs.
fn run_inner(
    collector: &mut Collector,
    call: &Call<'_>,
    words: &[Word],
    assignments: Vec<Assignment>,
) -> Parsed<()> {
    if words.is_empty() {
        if call.more_arguments {
            collector.mark(OpaqueKind::DynamicCommand, call.span);
        }
        return Ok(());
    }
    let mut invocation = inner(collector, call, words)?;
    invocation.assignments.extend(assignments);
    collector.invoke(invocation)?;
    collector.set_transparent(call.id);
    Ok(())
}

/// A wrapper that the table describes.
fn plain(collector: &mut Collector, call: &Call<'_>, wrapper: &Wrapper) -> Parsed<()> {
    let arguments = call.arguments();
    let (found, rest) = match scan(&wrapper.options, arguments) {
        Scan::Unknown(span) => {
            collector.mark(OpaqueKind::WrapperOption, span);
            return Ok(());
        }
        Scan::Options { found, rest } => (found, rest),
    };
    if stops(wrapper, &found) {
        return Ok(());
    }
    for operand in arguments.iter().skip(rest).take(wrapper.operands) {
        // More than one argument, or an option, would move the inner command.
        if operand.can_split() || (begins_computed(operand) && wrapper.kind != Kind::Duration) {
            collector.mark(OpaqueKind::WrapperOption, operand.span);
            return Ok(());
        }
    }
    let operands = arguments.get(rest..).unwrap_or_default();
    let words = operands.get(wrapper.operands..).unwrap_or_default();
    match wrapper.kind {
        Kind::Command | Kind::Duration => run_inner(collector, call, words, Vec::new()),
        Kind::Environment => environment::open(collector, call, &found, words),
        Kind::Output => {
            outputs(collector, call.id, &found);
            run_inner(collector, call, words, Vec::new())
        }
        Kind::Lock => lock(collector, call, &found, operands),
        Kind::ShellText => watch(collector, call, &found, words),
    }
}

/// Whether the first characters are not known, so that the word may be an option.
fn begins_computed(word: &Word) -> bool {
    word.as_literal().is_none() && word.literal_prefix().is_empty()
}

/// Lists the files that the wrapper itself writes.
fn outputs(collector: &mut Collector, id: CommandId, found: &[Found]) {
    for option in found {
        if let ("o" | "output", Some(target)) = (option.name.as_str(), &option.value) {
            file(collector, id, RedirectKind::Write, target.clone());
        }
    }
}

fn file(collector: &mut Collector, id: CommandId, kind: RedirectKind, target: Word) {
    let (span, cwd) = (target.span, collector.shell.cwd);
    collector.script.redirects.push(Redirect { span, kind, target, cwd, command: Some(id) });
}

/// `flock file command`, `flock file -c text`, `flock 9`.
fn lock(collector: &mut Collector, call: &Call<'_>, found: &[Found], operands: &[Word]) -> Parsed<()> {
    let Some((target, words)) = operands.split_first() else {
        return run_inner(collector, call, operands, Vec::new());
    };
    let descriptor = target.as_literal().is_some_and(|text| text.iter().all(u8::is_ascii_digit));
    if !(descriptor && words.is_empty()) {
        file(collector, call.id, RedirectKind::ReadWrite, target.clone());
    }
    let text = found.iter().find(|option| option.name == "c" || option.name == "command");
    if let Some(text) = text.and_then(|option| option.value.as_ref()) {
        return shell_text(collector, call, std::slice::from_ref(text));
    }
    match words.split_first() {
        Some((option, text)) if matches!(option.as_literal().as_deref(), Some(b"-c" | b"--command")) => {
            shell_text(collector, call, text)
        }
        _ => run_inner(collector, call, words, Vec::new()),
    }
}

fn watch(collector: &mut Collector, call: &Call<'_>, found: &[Found], words: &[Word]) -> Parsed<()> {
    if found.iter().any(|option| option.name == "x" || option.name == "exec") {
        return run_inner(collector, call, words, Vec::new());
    }
    shell_text(collector, call, words)
}

/// `words`, joined by spaces, are given to `sh -c`.
fn shell_text(collector: &mut Collector, call: &Call<'_>, words: &[Word]) -> Parsed<()> {
    if words.is_empty() && !call.more_arguments {
        return Ok(());
    }
    let mut text = Vec::new();
    for word in words {
        let Some(literal) = word.as_literal().filter(|_| !call.more_arguments) else {
            collector.mark(OpaqueKind::DynamicCode, word.span);
            return Ok(());
        };
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(&literal);
    }
    let span = words.first().map_or(call.span, |word| word.span);
    collector.publish_assignments(call.id)?;
    let input = collector.shell.input.of_many();
    collector.new_shell(&text, span, crate::Dialect::Posix, input)?;
    collector.set_transparent(call.id);
    Ok(())
}

/// `busybox applet args`: the applet is judged under its own name.
fn applet(collector: &mut Collector, call: &Call<'_>) -> Parsed<()> {
    match call.arguments().first() {
        Some(first) if first.literal_prefix().starts_with(b"-") => Ok(()),
        _ => run_inner(collector, call, call.arguments(), Vec::new()),
    }
}
