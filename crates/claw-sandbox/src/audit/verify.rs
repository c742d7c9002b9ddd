//! Checks that nothing in a log was changed, removed, inserted or reordered.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::error::AuditError;
use super::files::is_same_file;
use super::lines::{LINE_LIMIT, Line, next_line};
use super::seal::{self, Flaw, GENESIS, Head, Sealed, Torn};

/// The result of a verification.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The files of the log, oldest first.
    pub files: Vec<PathBuf>,
    /// The number of intact events.
    pub events: u64,
    /// The number of the first event: more than 0 when earlier files of the log are not here.
    pub first: u64,
    /// The last event; note it to find lines that are cut off later.
    pub head: Option<Head>,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// What is unusual, but explained by the log itself: an interrupted write, earlier files that are not here.
    pub notes: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Something about one line of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
    /// What it is, as one line.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// Verifies a log together with its rotated files. `expected` is the hash of an event that must be in it.
///
/// # Errors
///
/// When a file cannot be read.
pub fn verify(path: &Path, expected: Option<&str>) -> Result<Report, AuditError> {
    let files = files_of(path)?;
    let mut check = Check::new(expected);
    for file in &files {
        check.file(file)?;
    }
    check.finish(files)
}

/// The rotated files of a log in their order, then the log itself.
pub(super) fn files_of(path: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let mut prefix = path.file_name().unwrap_or_default().to_os_string();
    prefix.push(".");
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(directory).map_err(|error| AuditError::io("find", path, error))?;
    let mut files: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes())?;
            let is_number = number.len() == 12 && number.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(number).ok().filter(|_| is_number)?.parse().ok()?;
            Some((number, directory.join(name)))
        })
        .collect();
    files.sort();
    let mut files: Vec<PathBuf> = files.into_iter().map(|(_, file)| file).collect();
    // A crash in the middle of a rotation leaves one file with two names.
    files.retain(|file| !is_same_file(file, path));
    files.push(path.to_owned());
    Ok(files)
}

#[derive(Debug)]
struct Check<'a> {
    expected: Option<&'a str>,
    found_expected: bool,
    events: u64,
    first: u64,
    head: Option<Head>,
    // A line that is no event: fine when the next one says that a crash cut it short.
    torn: Option<(Finding, Torn)>,
    findings: Vec<Finding>,
    notes: Vec<Finding>,
}

impl<'a> Check<'a> {
    const fn new(expected: Option<&'a str>) -> Self {
        Self {
            expected,
            found_expected: false,
            events: 0,
            first: 0,
            head: None,
            torn: None,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn file(&mut self, file: &Path) -> Result<(), AuditError> {
        let failed = |error| AuditError::io("read", file, error);
        let mut reader = BufReader::new(File::open(file).map_err(failed)?);
        let mut line = Vec::new();
        for number in 1.. {
            let at =
                |message: &str| Finding { file: file.to_owned(), line: number, message: message.to_owned() };
            match next_line(&mut reader, &mut line).map_err(failed)? {
                Line::End => break,
                Line::Whole => self.line(&line, at),
                Line::TooLong => {
                    self.settle_torn(None);
                    let message = format!("the line is longer than {LINE_LIMIT} bytes: no audit event is");
                    self.findings.push(at(&message));
                }
                Line::Torn => self.findings.push(at(
                    "the line has no end: its writing was interrupted, or its end was cut off; the next event recovers it",
                )),
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], at: impl Fn(&str) -> Finding) {
        match seal::open(line) {
            Ok(sealed) => {
                self.events += 1;
                self.settle_torn(sealed.torn.as_ref().filter(|_| sealed.event == "log.recovered"));
                self.link(sealed, at);
            }
            Err((Flaw::Changed, Some(sealed))) => {
                self.settle_torn(None);
                self.findings.push(at("the line was changed: its hash is not that of its content"));
                // The lines after it are judged by what it claims, so that one change is one finding.
                self.head = Some(Head { seq: sealed.seq, hash: sealed.hash });
            }
            Err(_) => {
                self.settle_torn(None);
                self.torn = Some((at("the line is not an audit event"), Torn::of(line)));
            }
        }
    }

    /// Judges the line before by what this one says of it.
    fn settle_torn(&mut self, recovered: Option<&Torn>) {
        match self.torn.take() {
            Some((finding, torn)) if recovered == Some(&torn) => {
                let message =
                    "a crash interrupted the writing of this line; the next event records it".to_owned();
                self.notes.push(Finding { message, ..finding });
            }
            Some((finding, _)) => self.findings.push(finding),
            None => {}
        }
    }

    fn link(&mut self, sealed: Sealed, at: impl Fn(&str) -> Finding) {
        match &self.head {
            Some(head) if sealed.prev != head.hash || Some(sealed.seq) != head.seq.checked_add(1) => {
                self.findings.push(at(&format!(
                    "event {} follows event {}: lines were removed, inserted or reordered before this one",
                    sealed.seq, head.seq
                )));
            }
            Some(_) => {}
            None => self.begin(&sealed, at),
        }
        self.found_expected |= self.expected == Some(sealed.hash.as_str());
        self.head = Some(Head { seq: sealed.seq, hash: sealed.hash });
    }

    /// Judges the first event that is here: only one that names the event before it may come from an earlier file.
    fn begin(&mut self, sealed: &Sealed, at: impl Fn(&str) -> Finding) {
        self.first = sealed.seq;
        let is_first = sealed.prev == GENESIS;
        let begins = match sealed.event.as_str() {
            "log.opened" | "log.recovered" => sealed.seq == 0 && is_first,
            "log.continued" => sealed.seq > 0 && !is_first,
            _ => false,
        };
        if !begins {
            self.findings.push(at(&format!(
                "the log begins with event {} (`{}`): lines before it were removed",
                sealed.seq, sealed.event
            )));
        } else if sealed.seq > 0 {
            self.notes.push(at(&format!(
                "the log begins with event {}: the files before it are not here, and were not checked",
                sealed.seq
            )));
        }
    }

    fn finish(mut self, files: Vec<PathBuf>) -> Result<Report, AuditError> {
        self.settle_torn(None);
        if let (Some(expected), false, Some(file)) = (self.expected, self.found_expected, files.last()) {
            let message = format!("no event has the hash {expected}: lines were cut off at the end");
            self.findings.push(Finding { file: file.clone(), line: self.events + 1, message });
        }
        let Self { events, first, head, findings, notes, .. } = self;
        Ok(Report { files, events, first, head, findings, notes })
    }
}
