//! `secrets scan`: where files hold what looks like a credential.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use claw_secrets::{Finding, TextKind, find};
use serde::Serialize;

use crate::args::ScanArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::wire::{Findings, TextRequest, WireFinding, WireRequest};

use super::jsonl::{answer_each, error, to_line};

/// A text is held in memory while it is looked at. What is longer is named and counts as unread.
const LONGEST: u64 = 256 << 20;

/// One finding, for programs.
#[derive(Debug, Serialize)]
struct Found {
    path: String,
    line: usize,
    column: usize,
    #[serde(flatten)]
    finding: WireFinding,
}

/// Looks at every path, whatever is wrong with the others.
pub(crate) fn scan(args: &ScanArgs) -> Outcome {
    if args.jsonl {
        return answer_each(answer);
    }
    let mut found = Vec::new();
    let mut unreadable = false;
    let mut note = |path: &Path, text: io::Result<Vec<u8>>| match text {
        Ok(text) => found.extend(look(path, args.kind.unwrap_or_else(|| kind_of(path)), &text)),
        Err(error) => {
            unreadable = true;
            let next_step = "what it holds is not known; check its permissions, or leave it out";
            crate::report(&Failure::io("cannot read", path, &error, next_step));
        }
    };
    if args.paths.is_empty() {
        note(Path::new("-"), whole(io::stdin().lock()));
    }
    for path in &args.paths {
        walk(path.clone(), &mut note);
    }
    if args.json {
        output::print_json(&found)?;
    } else {
        for Found { path, line, column, finding } in &found {
            output::print(format_args!("{path}:{line}:{column}: {}\n", finding.secret_type))?;
        }
    }
    Ok(match (unreadable, found.is_empty()) {
        (true, _) => Exit::CannotEnforce,
        (false, false) => Exit::Findings,
        (false, true) => Exit::Success,
    })
}

fn answer(line: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<TextRequest>(line) {
        Ok(TextRequest { id, kind, text }) => to_line(&Findings::new(id, &find(kind, &text.0))),
        Err(why) => error(WireRequest::id_of(line), why.to_string()),
    }
}

/// Every file beneath a path. Links within a directory are not followed: what they lead to has a name of its own.
fn walk(top: PathBuf, note: &mut impl FnMut(&Path, io::Result<Vec<u8>>)) {
    let mut waiting = vec![top.clone()];
    while let Some(path) = waiting.pop() {
        let metadata = if path == top { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        match metadata.map(|metadata| metadata.file_type()) {
            Ok(kind) if kind.is_dir() => match entries(&path) {
                Ok(entries) => waiting.extend(entries),
                Err(error) => note(&path, Err(error)),
            },
            Ok(kind) if kind.is_file() => note(&path, File::open(&path).and_then(whole)),
            // Named by the user, a pipe is a text: `secrets scan <(command)`.
            Ok(kind) if path == top && (kind.is_fifo() || kind.is_char_device()) => {
                note(&path, File::open(&path).and_then(whole));
            }
            Ok(_) => {}
            Err(error) => note(&path, Err(error)),
        }
    }
}

/// The names in a directory, the last one first, so that they are taken in order.
fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort_unstable_by(|a, b| b.cmp(a));
    Ok(entries)
}

fn whole(file: impl io::Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("longer than {} MiB", LONGEST >> 20)));
    }
    Ok(text)
}

fn look(path: &Path, kind: TextKind, text: &[u8]) -> Vec<Found> {
    let mut place = Place { line: 1, line_start: 0, at: 0 };
    find(kind, text).iter().map(|finding| place.found(path, text, finding)).collect()
}

/// Where in a text we are: findings come in order, so lines are counted once.
struct Place {
    line: usize,
    line_start: usize,
    at: usize,
}

impl Place {
    fn found(&mut self, path: &Path, text: &[u8], finding: &Finding) -> Found {
        for (offset, _) in
            text.iter().enumerate().take(finding.span.start).skip(self.at).filter(|(_, byte)| **byte == b'\n')
        {
            self.line += 1;
            self.line_start = offset + 1;
        }
        self.at = finding.span.start;
        Found {
            path: output::visible(path.as_os_str().as_encoded_bytes()),
            line: self.line,
            column: self.at - self.line_start + 1,
            finding: finding.into(),
        }
    }
}

fn kind_of(path: &Path) -> TextKind {
    TextKind::of_file_name(path.file_name().map_or(b"", OsStr::as_encoded_bytes))
}
