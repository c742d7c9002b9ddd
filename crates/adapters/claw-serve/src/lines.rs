//! Lines of a bounded length.

use std::io::{self, BufRead as _, BufReader, Read};

/// The most bytes of a line. A file of 8 MiB fits in base64.
pub(crate) const MAX_LINE: usize = 12 << 20;

/// A line without its end.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Line {
    Text(Vec<u8>),
    /// It was longer; the rest of it was read and thrown away.
    TooLong,
}

/// Reads lines, never more than [`MAX_LINE`] bytes into memory.
#[derive(Debug)]
pub(crate) struct Lines<R>(BufReader<R>);

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self(BufReader::with_capacity(64 << 10, input))
    }

    /// The next line; `None` at the end of the input.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let limit = MAX_LINE as u64 + 1;
        if (&mut self.0).take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(Some(Line::Text(line)));
        }
        if line.len() <= MAX_LINE {
            // The last line may lack its end.
            return Ok(Some(Line::Text(line)));
        }
        self.0.skip_until(b'\n')?;
        Ok(Some(Line::TooLong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(input);
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    #[test]
    fn lines_end_with_a_newline_or_the_input() {
        let text = |text: &[u8]| Line::Text(text.to_vec());
        assert_eq!(all(b""), []);
        assert_eq!(all(b"a\n\nb"), [text(b"a"), text(b""), text(b"b")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_is_read() {
        let mut input = vec![b'x'; MAX_LINE + 1];
        input.extend_from_slice(b"\nb\n");
        assert_eq!(all(&input), [Line::TooLong, Line::Text(b"b".to_vec())]);
        let mut input = vec![b'x'; MAX_LINE];
        input.push(b'\n');
        assert!(matches!(&all(&input)[..], [Line::Text(text)] if text.len() == MAX_LINE));
    }
}
