//! YAML into a tree: one document, no aliases, no tags, no duplicate keys, bounded.

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::node::{Entry, Malformed, Node, Value};
use super::{MAX_DEPTH, MAX_NODES};
use crate::SourceSpan;

/// Reads a YAML text.
pub(super) fn read(text: &str) -> Result<Node, Malformed> {
    let mut reader = Reader { text, parser: Parser::new_from_str(text), nodes: 0 };
    reader.document()
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, SourceSpan), Malformed> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, self.span(span))),
                Some(Err(error)) => {
                    let at = self.offset(error.marker());
                    return Err(refused(SourceSpan { start: at, end: at + 1 }, &error.info()));
                }
                None => return Ok((Event::StreamEnd, self.end())),
            }
        }
    }

    fn document(&mut self) -> Result<Node, Malformed> {
        let mut root = Node { span: self.end(), value: Value::Map([].as_slice().into()) };
        let mut documents = 0;
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(..), span) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Malformed::new(span, "a policy is one document").with_help(
                            "remove everything from this `---` on, or put it into a file of its own",
                        ));
                    }
                }
                (event, span) => root = self.node(event, span, 0)?,
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: SourceSpan, depth: usize) -> Result<Node, Malformed> {
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return Err(Malformed::new(span, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if self.nodes > MAX_NODES {
            return Err(Malformed::new(span, format!("more than {MAX_NODES} values")));
        }
        match event {
            Event::Scalar(_, _, anchor, ref tag) if anchor != 0 || tag.is_some() => Err(unsupported(span)),
            Event::SequenceStart(_, anchor, ref tag) | Event::MappingStart(_, anchor, ref tag)
                if anchor != 0 || tag.is_some() =>
            {
                Err(unsupported(span))
            }
            Event::Scalar(text, style, ..) => Ok(self.scalar(&text, style, span)),
            Event::Alias(..) => Err(unsupported(span)),
            Event::SequenceStart(..) => self.list(span, depth),
            Event::MappingStart(..) => self.map(span, depth),
            _ => Err(unsupported(span)),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: SourceSpan) -> Node {
        // The parser gives `~` for a value that is missing, too.
        let missing = text == "~" && self.text.get(span.start..span.end) != Some("~");
        let value = match style {
            ScalarStyle::Plain if missing => Value::Null,
            ScalarStyle::Plain => plain(text),
            _ => Value::Text(text.to_owned().into()),
        };
        Node { span, value }
    }

    fn list(&mut self, start: SourceSpan, depth: usize) -> Result<Node, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let span = SourceSpan { start: start.start, end: end.end.max(start.end) };
                    return Ok(Node { span, value: Value::List(items.into()) });
                }
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, start: SourceSpan, depth: usize) -> Result<Node, Malformed> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, key_span) = self.next()?;
            let key = match event {
                Event::MappingEnd => {
                    let span = SourceSpan { start: start.start, end: key_span.end.max(start.end) };
                    return Ok(Node { span, value: Value::Map(entries.into()) });
                }
                Event::Scalar(text, _, 0, None) if text != "<<" => text.into_owned(),
                Event::SequenceStart(_, 0, None) | Event::MappingStart(_, 0, None) => {
                    return Err(Malformed::new(key_span, "a key must be a text"));
                }
                _ => return Err(unsupported(key_span)),
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                return Err(super::duplicate(self.text, &key, first.key_span, key_span));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push(Entry { key: key.into(), key_span, value });
        }
    }

    fn span(&self, span: Span) -> SourceSpan {
        SourceSpan { start: self.offset(&span.start), end: self.offset(&span.end) }
    }

    // The parser counts in characters unless it knows the bytes.
    fn offset(&self, marker: &granit_parser::Marker) -> usize {
        let by_characters =
            || self.text.char_indices().nth(marker.index()).map_or(self.text.len(), |(offset, _)| offset);
        marker.byte_offset().unwrap_or_else(by_characters).min(self.text.len())
    }

    fn end(&self) -> SourceSpan {
        SourceSpan { start: self.text.len(), end: self.text.len() }
    }
}

/// What the parser says, in the words of our other messages.
fn refused(span: SourceSpan, info: &str) -> Malformed {
    if info.contains("anchor") {
        return unsupported(span);
    }
    Malformed::new(span, info.to_owned())
        .with_help("check the indentation and the quotes here and in the line before")
}

fn unsupported(span: SourceSpan) -> Malformed {
    Malformed::new(span, "anchors, aliases, tags and merge keys are not part of a policy")
        .with_help("write the value out where it is needed")
}

/// A plain scalar. `~` stays a text: in a policy it is the home directory, not nothing.
fn plain(text: &str) -> Value {
    match text {
        "" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned().into()),
        _ => Value::Text(text.to_owned().into()),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'))
        && digits.parse::<f64>().is_ok()
}
