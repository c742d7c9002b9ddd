//! What the kernel makes of a file that begins with `#!` (fs/binfmt_script.c).
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What the kernel reads of a file (`BINPRM_BUF_SIZE`).
const HEAD_BYTES: usize = 256;

/// A program that is opened to be read, and what the kernel reads of it.
pub(crate) type Head = (File, Vec<u8>);

/// Opens a program and reads what the kernel reads of it. `None` for what cannot be read or is no regular file.
pub(crate) fn read_head(path: &Path) -> Option<Head> {
    // Opening a pipe must not wait for a writer.
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let mut file = options.open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
    Some((file, head))
}

/// The first line of a script.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Shebang {
    /// The interpreter's path as it is written.
    pub(crate) interpreter: Vec<u8>,
    /// The rest of the line, one argument.
    pub(crate) argument: Option<Vec<u8>>,
}

impl Shebang {
    /// Reads it from the first bytes of a file. `None` when the kernel would not take it for a script.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let line =
            line(head.get(..HEAD_BYTES).unwrap_or(head).strip_prefix(b"#!")?, head.len() >= HEAD_BYTES)?;
        let line = trim(line);
        let end = line.iter().position(|byte| is_blank(*byte) || *byte == 0).unwrap_or(line.len());
        let (interpreter, rest) = line.split_at_checked(end)?;
        if interpreter.is_empty() {
            return None;
        }
        let argument =
            rest.first().filter(|byte| **byte != 0).map(|_| trim(rest)).filter(|rest| !rest.is_empty());
        // The kernel copies them as C strings.
        let text = |bytes: &[u8]| bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        Some(Self { interpreter: text(interpreter), argument: argument.map(text) })
    }
}

// Up to the newline; without one in a full buffer the interpreter's name must end before the buffer does.
fn line(rest: &[u8], is_full: bool) -> Option<&[u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n' || *byte == 0);
    if let Some(end) = end.filter(|end| rest.get(*end) == Some(&b'\n')) {
        return rest.get(..end);
    }
    let name = rest.iter().position(|byte| !is_blank(*byte))?;
    let is_ended = rest.iter().skip(name).any(|byte| is_blank(*byte) || *byte == 0);
    if is_full {
        // The last byte of the buffer is never looked at.
        return if is_ended { rest.get(..rest.len() - 1) } else { None };
    }
    Some(rest)
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let Some((first, rest)) = line.split_first().filter(|(first, _)| is_blank(**first)) {
        let _ = first;
        line = rest;
    }
    while let Some((_, rest)) = line.split_last().filter(|(last, _)| is_blank(**last)) {
        line = rest;
    }
    line
}

const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_split_as_the_kernel_splits_it() {
        type Split = Option<(&'static [u8], Option<&'static [u8]>)>;
        let cases: &[(&[u8], Split)] = &[
            (b"#!/bin/sh\n", Some((b"/bin/sh", None))),
            (b"#!/bin/sh", Some((b"/bin/sh", None))),
            (b"#! \t/bin/sh -e  \nrest", Some((b"/bin/sh", Some(b"-e")))),
            (b"#!/usr/bin/env -S python3 -u\n", Some((b"/usr/bin/env", Some(b"-S python3 -u")))),
            (b"#!\n", None),
            (b"#!   \n", None),
            (b"# !/bin/sh\n", None),
            (b"\x7fELF", None),
            (b"", None),
            (b"#!/bin/sh\0-e\n", Some((b"/bin/sh", None))),
        ];
        for (head, expected) in cases {
            let found = Shebang::of(head);
            let found = found.as_ref().map(|found| (&*found.interpreter, found.argument.as_deref()));
            assert_eq!(found, *expected, "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn a_name_that_fills_the_buffer_is_no_interpreter() {
        let mut head = b"#!/".to_vec();
        head.resize(HEAD_BYTES, b'a');
        assert_eq!(Shebang::of(&head), None);
        if let Some(byte) = head.get_mut(100) {
            *byte = b' ';
        }
        assert!(Shebang::of(&head).is_some());
    }
}
