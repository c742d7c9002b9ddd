//! `xargs`: its arguments begin a command, its input ends it.

use super::options::{Options, Scan, scan};
use super::{file, inner};
use crate::Pieces;
use crate::bounds::Parsed;
use crate::collect::{Call, Collector, Input};
use crate::script::{Assignment, OpaqueKind, Piece, RedirectKind, Word};

/// findutils 4.9. The BSD options `-J`, `-R`, `-S` are not among them.
const OPTIONS: Options = Options {
    flags: "0oprtx",
    valued: "adEILnPs",
    optional: "eil",
    long_flags: &["null", "interactive", "no-run-if-empty", "open-tty", "show-limits", "verbose", "exit"],
    long_valued: &["arg-file", "delimiter", "max-args", "max-procs", "max-chars", "process-slot-var"],
    long_optional: &["eof", "replace", "max-lines"],
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
    if found.iter().any(|option| option.name == "help" || option.name == "version") {
        return Ok(());
    }
    let mut replaced = None;
    let mut assignments = Vec::new();
    for option in &found {
        let name = option.name.as_str();
        match (name, &option.value) {
            ("a" | "arg-file", Some(path)) => file(collector, call.id, RedirectKind::Read, path.clone()),
            ("I" | "i" | "replace", value) => replaced = Some(value.clone()),
            ("process-slot-var", Some(value)) => {
                let name = value.as_literal().unwrap_or_default().into_owned();
                let value = Some(Word { span: option.span, pieces: Piece::Dynamic { quoted: true }.into() });
                assignments.push(Assignment { span: option.span, name, value, exported: true });
            }
            _ => {}
        }
    }
    let mut words = call.arguments().get(rest..).unwrap_or_default().to_vec();
    if words.is_empty() {
        if call.more_arguments {
            collector.mark(OpaqueKind::DynamicCommand, call.span);
        }
        words.push(Word::literal(*b"echo", call.span));
    }
    if let Some(marker) = &replaced {
        let marker = marker
            .as_ref()
            .map_or(Some(b"{}".to_vec()), |word| word.as_literal().map(|text| text.into_owned()));
        let Some(marker) = marker else {
            collector.mark(OpaqueKind::WrapperOption, call.span);
            return Ok(());
        };
        words = words.iter().map(|word| replace(word, &marker)).collect();
    }
    let mut invocation = inner(collector, call, &words)?;
    invocation.assignments.extend(assignments);
    invocation.more_arguments = replaced.is_none() || call.more_arguments;
    let outer = std::mem::replace(&mut collector.shell.input, Input::Fed);
    collector.invoke(invocation)?;
    collector.shell.input = outer;
    collector.set_transparent(call.id);
    Ok(())
}

/// `word` with what stands for an input item made unknown.
pub(super) fn replace(word: &Word, marker: &[u8]) -> Word {
    let holds = |piece: &Piece| match piece {
        Piece::Literal(text) | Piece::Glob(text) => {
            !marker.is_empty() && text.windows(marker.len()).any(|window| window == marker)
        }
        _ => false,
    };
    if !word.pieces.iter().any(holds) {
        return word.clone();
    }
    let mut pieces = Pieces::new();
    for piece in &word.pieces {
        match piece {
            Piece::Literal(text) | Piece::Glob(text) if holds(piece) => split(text, marker, &mut pieces),
            piece => pieces.push(piece.clone()),
        }
    }
    Word { span: word.span, pieces }
}

fn split(text: &[u8], marker: &[u8], pieces: &mut Pieces) {
    let mut rest = text;
    while let Some(at) = rest.windows(marker.len()).position(|window| window == marker) {
        let (before, after) = rest.split_at(at);
        if !before.is_empty() {
            pieces.push(Piece::Literal(before.into()));
        }
        pieces.push(Piece::Dynamic { quoted: true });
        rest = after.get(marker.len()..).unwrap_or_default();
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.into()));
    }
}
