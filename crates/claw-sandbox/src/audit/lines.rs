//! Reads lines of any bytes in bounded memory.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, Read as _};

/// The most bytes of a line. An event with a command line of 1 MiB fits: each of its words is cut long before that.
pub(super) const LINE_LIMIT: usize = 4 << 20;

/// What was read.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Line {
    /// A line that a newline ended, without it.
    Whole,
    /// The file ended before the line did.
    Torn,
    /// Longer than the limit; only its start was kept.
    TooLong,
    /// Nothing: no more lines.
    End,
}

/// Reads the next line into `buffer`.
pub(super) fn next_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let read = reader.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', buffer)?;
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
        return Ok(Line::Whole);
    }
    if read > LINE_LIMIT {
        reader.skip_until(b'\n')?;
        return Ok(Line::TooLong);
    }
    Ok(if read == 0 { Line::End } else { Line::Torn })
}
