//! Lines of bounded length from a stream of any length.

use std::io::{self, BufRead};

/// One line.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// Its bytes, without the newline.
    Whole(Vec<u8>),
    /// Longer than the limit; its bytes were read past and dropped.
    TooLong,
}

/// Reads the next line; `None` at the end of the stream. Keeps at most `limit` bytes in memory.
pub(crate) fn next(input: &mut impl BufRead, limit: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long = false;
    let mut started = false;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if buffer.is_empty() {
            return Ok(started.then_some(if too_long { Line::TooLong } else { Line::Whole(line) }));
        }
        started = true;
        let mut parts = buffer.splitn(2, |byte| *byte == b'\n');
        let part = parts.next().unwrap_or_default();
        let ends = parts.next().is_some();
        too_long |= line.len() + part.len() > limit;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let consumed = part.len() + usize::from(ends);
        input.consume(consumed);
        if ends {
            return Ok(Some(if too_long { Line::TooLong } else { Line::Whole(line) }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], buffer: usize) -> Vec<Line> {
        let mut input = io::BufReader::with_capacity(buffer, text);
        std::iter::from_fn(|| next(&mut input, 5).unwrap()).collect()
    }

    #[test]
    fn lines_are_the_same_whatever_the_buffer_holds() {
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        for buffer in 1..20 {
            assert_eq!(lines(b"", buffer), []);
            assert_eq!(lines(b"\n\n", buffer), [whole(""), whole("")]);
            assert_eq!(lines(b"a\nbcdef\ng", buffer), [whole("a"), whole("bcdef"), whole("g")]);
            assert_eq!(lines(b"abcdef\ng\n", buffer), [Line::TooLong, whole("g")]);
            assert_eq!(lines(b"a\nbcdefghijklm", buffer), [whole("a"), Line::TooLong]);
        }
    }
}
