//! From text to a checked tree: every key known, every value of its kind.

mod check;
mod json;
pub(crate) mod keys;
mod names;
mod nearest;
mod node;
#[cfg(test)]
mod tests;
mod value;
mod yaml;

pub(crate) use nearest::nearest;
pub use node::{Entry, Node, Value};
pub use value::duration;
pub(crate) use value::size;

use self::node::Malformed;
use crate::{Diagnostic, Format, Severity, Source, SourceSpan, profile};

/// A policy is written by people: one MiB is a mistake or an attack.
const MAX_BYTES: usize = 1 << 20;
/// Deeper than any key of a policy by far; also what bounds recursion here.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 10_000;

/// Reads and checks a text. Several errors are reported at once where the text is a tree at all.
pub(crate) fn read(source: &Source) -> Result<Node, Vec<Diagnostic>> {
    profile::read_ahead(source).map_or_else(|| parse(source), Ok)
}

/// The same without the knowledge of what the built-in profile says.
pub(crate) fn parse(source: &Source) -> Result<Node, Vec<Diagnostic>> {
    let root = read_tree(source).map_err(|diagnostic| vec![*diagnostic])?;
    let diagnostics = check::check(source, &root);
    if diagnostics.is_empty() { Ok(root) } else { Err(diagnostics) }
}

/// Reads any document of the three formats as a tree, within a policy's bounds, whatever its keys mean.
///
/// # Errors
///
/// `policy.syntax`: it is no tree, has a key twice, or is too large or too deep.
pub fn read_tree(source: &Source) -> Result<Node, Box<Diagnostic>> {
    tree(source).map_err(|malformed| {
        Box::new(Diagnostic {
            severity: Severity::Error,
            code: "policy.syntax",
            source: source.clone(),
            span: malformed.span,
            message: malformed.message,
            help: malformed.help,
        })
    })
}

fn tree(source: &Source) -> Result<Node, Malformed> {
    let text = source.text();
    let whole = SourceSpan { start: 0, end: 0 };
    if text.len() > MAX_BYTES {
        return Err(Malformed::new(whole, format!("larger than {MAX_BYTES} bytes")));
    }
    if let Some(at) = text.find('\0') {
        return Err(Malformed::new(SourceSpan { start: at, end: at + 1 }, "contains a NUL character"));
    }
    // A byte order mark is not part of the text, but positions count it.
    if text.starts_with('\u{feff}') {
        let bom = SourceSpan { start: 0, end: 3 };
        return Err(Malformed::new(bom, "begins with a byte order mark").with_help("save it as plain UTF-8"));
    }
    // The parsers recurse or backtrack on brackets before they count depth.
    if let Some(at) = too_deep(text) {
        let span = SourceSpan { start: at, end: at + 1 };
        return Err(Malformed::new(span, format!("nested deeper than {MAX_DEPTH} levels")));
    }
    match source.format() {
        Format::Yaml => yaml::read(text),
        Format::Json5 => json::read(text, false),
        Format::Json => json::read(text, true),
    }
}

/// Where brackets open deeper than any document of ours could, whatever the format says about quotes.
fn too_deep(text: &str) -> Option<usize> {
    // Brackets in quotes and comments count too, so that this is a bound and no rule: hence the factor.
    const MOST: usize = 8 * MAX_DEPTH;
    let mut depth = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MOST
    })
}

fn duplicate(text: &str, key: &str, first: SourceSpan, second: SourceSpan) -> Malformed {
    let line = text.get(..first.start).unwrap_or("").bytes().filter(|byte| *byte == b'\n').count() + 1;
    Malformed::new(second, format!("the key `{key}` is written twice"))
        .with_help(format!("the first is in line {line}; keep one of them"))
}
