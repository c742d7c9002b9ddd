//! Reads a log for people: which events match, and how often what happened.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::error::AuditError;
use super::lines::{Line, next_line};
use super::verify::files_of;

/// A line of a log that is JSON. It is not verified: see [`super::verify`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
    /// The line as it stands there.
    pub text: String,
    /// The event.
    pub event: Value,
}

impl Entry {
    /// A text field of the event.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.event.get(name)?.as_str()
    }

    /// Every program that the event is about: the first word of each command.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        let commands = self.event.get("commands").and_then(Value::as_array).into_iter().flatten();
        commands.filter_map(|argv| argv.get(0)?.as_str())
    }

    fn time(&self) -> Option<Timestamp> {
        self.field("time")?.parse().ok()
    }
}

/// Every event of a log, its rotated files first. Lines that are no JSON are counted and left out.
///
/// # Errors
///
/// When a file cannot be read.
pub fn entries(path: &Path) -> Result<Entries, AuditError> {
    let mut files = Vec::new();
    for file in files_of(path)? {
        let opened = File::open(&file).map_err(|error| AuditError::io("read", &file, error))?;
        files.push((file, BufReader::new(opened), 0));
    }
    Ok(Entries { files: files.into(), unreadable: 0, buffer: Vec::new() })
}

/// The events of a log, read one by one.
#[derive(Debug)]
pub struct Entries {
    /// What is still to be read, with the number of lines that were.
    files: VecDeque<(PathBuf, BufReader<File>, u64)>,
    unreadable: u64,
    buffer: Vec<u8>,
}

impl Entries {
    /// How many lines could not be read as events so far.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        while let Some((file, reader, number)) = self.files.front_mut() {
            *number += 1;
            let line = next_line(reader, &mut self.buffer);
            let text = std::str::from_utf8(&self.buffer).ok().filter(|_| matches!(line, Ok(Line::Whole)));
            if let Some((text, event)) = text.and_then(|text| Some((text, serde_json::from_str(text).ok()?)))
            {
                return Some(Entry { file: file.clone(), line: *number, text: text.to_owned(), event });
            }
            self.unreadable += u64::from(!matches!(line, Ok(Line::End)));
            if matches!(line, Ok(Line::End) | Err(_)) {
                self.files.pop_front();
            }
        }
        None
    }
}

/// Which events are wanted. What is not stated does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The kind of event, or its first part: `exec` for `exec.decision` and `exec.outcome`.
    pub event: Option<String>,
    /// `allow`, `deny`.
    pub decision: Option<String>,
    /// The code of the reason.
    pub code: Option<String>,
    /// The name of a program that would run.
    pub program: Option<String>,
    /// A text that the line contains, upper and lower case alike.
    pub text: Option<String>,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether an event is wanted.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| entry.field(name) == Some(wanted))
        };
        let kind = entry.field("event").unwrap_or("");
        let is_kind = self.event.as_deref().is_none_or(|wanted| {
            kind == wanted || kind.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
        });
        let has_program = self.program.as_deref().is_none_or(|wanted| {
            entry.programs().any(|program| program == wanted || program.rsplit('/').next() == Some(wanted))
        });
        let has_text =
            self.text.as_deref().is_none_or(|text| entry.text.to_lowercase().contains(&text.to_lowercase()));
        let in_time = |time: Timestamp| {
            self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
        };
        let is_timed = self.since.is_some() || self.until.is_some();
        is_kind
            && is(&self.decision, "decision")
            && is(&self.code, "code")
            && has_program
            && has_text
            && (!is_timed || entry.time().is_some_and(in_time))
    }
}

/// Reads a time: RFC 3339 (`2026-02-02T10:00:00Z`), a date in UTC (`2026-02-02`), or how long ago (`90s`, `30m`,
/// `24h`, `7d`).
#[must_use]
pub fn parse_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Ok(time) = format!("{text}T00:00:00Z").parse() {
        return Some(time);
    }
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    now.checked_sub(Duration::from_secs(number.checked_mul(seconds)?)).ok()
}

/// How often something was allowed and denied.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Allowed.
    pub allowed: u64,
    /// Denied.
    pub denied: u64,
}

/// What a log tells in numbers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// All events.
    pub events: u64,
    /// By kind of event.
    pub kinds: BTreeMap<String, u64>,
    /// Decisions by program.
    pub programs: BTreeMap<String, Counts>,
    /// Denials by the code of the reason.
    pub denials: BTreeMap<String, u64>,
    /// Denials that were only counted, because their run had too many.
    pub denials_unwritten: u64,
    /// How runs ended.
    pub endings: BTreeMap<String, u64>,
    /// Events that tell of a failed authentication.
    pub auth_failed: u64,
    /// The times of the first and the last event.
    pub period: Option<(String, String)>,
}

/// Counts events.
pub fn summarize(entries: impl Iterator<Item = Entry>) -> Summary {
    let mut summary = Summary::default();
    for entry in entries {
        summary.add(&entry);
    }
    summary
}

impl Summary {
    fn add(&mut self, entry: &Entry) {
        let count = |counts: &mut BTreeMap<String, u64>, name: Option<&str>| {
            if let Some(name) = name {
                *counts.entry(name.to_owned()).or_default() += 1;
            }
        };
        self.events += 1;
        count(&mut self.kinds, entry.field("event"));
        count(&mut self.endings, entry.field("ending"));
        let is_denied = entry.field("decision") == Some("deny");
        if is_denied {
            count(&mut self.denials, entry.field("code"));
        }
        let unwritten = entry.event.get("denialsUnwritten").and_then(Value::as_u64).unwrap_or(0);
        self.denials_unwritten = self.denials_unwritten.saturating_add(unwritten);
        for program in entry.programs() {
            let counts = self.programs.entry(program.to_owned()).or_default();
            *(if is_denied { &mut counts.denied } else { &mut counts.allowed }) += 1;
        }
        self.auth_failed +=
            u64::from(entry.field("message").is_some_and(|text| text.contains("auth failed")));
        if let Some(time) = entry.field("time").map(str::to_owned) {
            match &mut self.period {
                Some((_, last)) => *last = time,
                None => self.period = Some((time.clone(), time)),
            }
        }
    }
}
