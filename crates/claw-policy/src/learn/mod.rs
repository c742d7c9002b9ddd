//! The smallest change of a policy that would have let a run through, as a diff against its texts.

mod diff;
mod place;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use self::place::Edited;
use crate::policy::{ExecLayer, Policy, Security};
use crate::profile::DEFAULT_ENTRIES;
use crate::{Access, Code, FileAction, Format, NetworkRule, ProgramFact, Source};

/// Something that was refused to a run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// What.
    pub what: Refused,
    /// The first reason's kind: what a rule forbids is not learnt.
    pub code: Code,
}

/// What was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refused {
    /// A command, at the top or by a process of the run.
    Command {
        /// The program, when it was found.
        program: Option<ProgramFact>,
        /// The argument vector.
        argv: Vec<Vec<u8>>,
    },
    /// A file.
    File {
        /// What was to be done.
        action: FileAction,
        /// To which file, canonical.
        path: PathBuf,
    },
    /// An address.
    Network(NetworkRule),
}

/// A change of a policy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lesson {
    diff: String,
    texts: Vec<(String, String)>,
    left: Vec<String>,
}

impl Lesson {
    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diff.is_empty()
    }

    /// The changed texts by the name of their source. A source that the policy does not have is a new text.
    #[must_use]
    pub fn texts(&self) -> &[(String, String)] {
        &self.texts
    }

    /// What the change does not grant, one line each: what a rule forbids, and where a text has to be changed by hand.
    #[must_use]
    pub fn left(&self) -> &[String] {
        &self.left
    }
}

impl fmt::Display for Lesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diff)
    }
}

/// Where a change goes when the policy has no text of its own.
const NEW: &str = "policy.yaml";

/// More leading arguments of one program than this are no pattern: then it is the program.
const MOST_FORMS: usize = 4;

/// More files of one directory than this stand for the directory.
const MOST_FILES: usize = 3;

/// The smallest change under which `refused` would have been allowed.
///
/// A program is learnt with its subcommand, a file by itself, or by its directory when there are many. What a
/// rule forbids (`deny`, hidden and protected paths, argument rules that deny) is not learnt.
#[must_use]
pub fn learn(policy: &Policy, refused: &[Refusal]) -> Lesson {
    let wanted = Wanted::new(policy, refused);
    let mut texts = Texts::new(policy);
    let mut left = wanted.left.clone();
    let entries: Vec<Item> = wanted.entries();
    if !entries.is_empty() {
        texts.add_entries(policy, &entries, &mut left);
    }
    let paths = |paths: &BTreeSet<PathBuf>| paths.iter().map(|path| Item::of_path(path)).collect::<Vec<_>>();
    let roots = |access| {
        let roots = policy.files.iter().flat_map(|layer| &layer.roots);
        roots.filter(move |root| root.value.access == access).map(|root| &root.rule).collect::<Vec<_>>()
    };
    texts.add(policy, ["filesystem", "readOnly"], &roots(Access::Read), &paths(&wanted.read), &mut left);
    texts.add(policy, ["filesystem", "writable"], &roots(Access::Write), &paths(&wanted.written), &mut left);
    let rules = policy.network.iter().flat_map(|layer| layer.allow.iter().map(|rule| &rule.rule));
    let addresses: Vec<Item> = wanted.network.iter().map(Item::of_rule).collect();
    texts.add(policy, ["network", "allow"], &rules.collect::<Vec<_>>(), &addresses, &mut left);
    texts.lesson(left)
}

/// One item of a list, in the block style of YAML and in the style that all formats read.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Item {
    block: String,
    flow: String,
}

impl Item {
    fn of_text(text: &str) -> Self {
        let quoted = serde_json::Value::from(text).to_string();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./+- ".contains(&byte);
        let is_word = ["true", "false", "null"].contains(&text) || text.parse::<f64>().is_ok();
        let plain = text.bytes().all(is_plain)
            && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
        Self { block: if plain && !is_word { text.to_owned() } else { quoted.clone() }, flow: quoted }
    }

    fn of_path(path: &Path) -> Self {
        Self::of_text(&literal(path))
    }

    fn of_program(path: &Path) -> Self {
        let glob = Self::of_text(&globset::escape(&literal(path)));
        Self { block: format!("path: {}", glob.block), flow: format!("{{ \"path\": {} }}", glob.flow) }
    }

    fn of_rule(rule: &NetworkRule) -> Self {
        let host =
            rule.host.as_ref().map(|host| ("host", serde_json::Value::from(host.as_str()).to_string()));
        let port = rule.port.map(|port| ("port", port.to_string()));
        let protocol = rule.protocol.map(|protocol| ("protocol", format!("\"{protocol:?}\"").to_lowercase()));
        let parts: Vec<_> = [host, port, protocol].into_iter().flatten().collect();
        let written = |quote: &str| {
            let parts = parts.iter().map(|(key, value)| format!("{quote}{key}{quote}: {value}"));
            format!("{{ {} }}", parts.collect::<Vec<_>>().join(", "))
        };
        Self { block: written(""), flow: written("\"") }
    }
}

/// A path as a policy writes it: nothing in it is expanded.
fn literal(path: &Path) -> String {
    path.to_string_lossy().replace("${", "$${")
}

/// What has to be granted.
#[derive(Debug, Default)]
struct Wanted {
    /// Programs by name, with the subcommands that were asked for; `None` is the program with other arguments.
    names: BTreeMap<String, BTreeSet<Option<String>>>,
    files: BTreeSet<PathBuf>,
    read: BTreeSet<PathBuf>,
    written: BTreeSet<PathBuf>,
    network: Vec<NetworkRule>,
    left: Vec<String>,
}

impl Wanted {
    fn new(policy: &Policy, refused: &[Refusal]) -> Self {
        let mut wanted = Self::default();
        for refusal in refused {
            match &refusal.what {
                what if !is_learnable(refusal.code) => {
                    wanted.leave(format!("{what} is refused by a rule ({})", refusal.code.name()));
                }
                Refused::Command { program, argv } => wanted.command(policy, program.as_ref(), argv),
                Refused::File { action, path } => wanted.file(*action, path),
                Refused::Network(rule) if wanted.network.contains(rule) => {}
                Refused::Network(rule) => wanted.network.push(rule.clone()),
            }
        }
        wanted.written = widened(&wanted.written);
        wanted.read = widened(&wanted.read);
        // What can be written can be read.
        let written = wanted.written.clone();
        wanted.read.retain(|path| !written.iter().any(|root| path.starts_with(root)));
        wanted
    }

    fn leave(&mut self, line: String) {
        if !self.left.contains(&line) {
            self.left.push(line);
        }
    }

    fn command(&mut self, policy: &Policy, program: Option<&ProgramFact>, argv: &[Vec<u8>]) {
        let in_trusted = |path: &Path| {
            policy.trusted_dirs.iter().any(|directory| path.parent() == Some(directory.as_path()))
        };
        let called = argv.first().map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        let name = match program {
            Some(program) if !in_trusted(&program.found) => {
                self.files.insert(program.real.clone());
                return;
            }
            Some(program) => program.found.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            None if called.contains('/') || called.is_empty() => {
                self.leave(format!("`{called}` leads to no program"));
                return;
            }
            None => called,
        };
        let first = argv.get(1).and_then(|word| std::str::from_utf8(word).ok());
        let form = first.filter(|word| is_subcommand(word)).map(str::to_owned);
        self.names.entry(name).or_default().insert(form);
    }

    fn file(&mut self, action: FileAction, path: &Path) {
        match action {
            FileAction::Read | FileAction::List | FileAction::Stat => self.read.insert(path.to_owned()),
            FileAction::Execute => self.files.insert(path.to_owned()),
            FileAction::Write | FileAction::Chmod => self.written.insert(path.to_owned()),
            // An entry of a directory comes or goes.
            _ => self.written.insert(path.parent().unwrap_or(path).to_owned()),
        };
    }

    fn entries(&self) -> Vec<Item> {
        let mut entries = Vec::new();
        for (name, forms) in &self.names {
            let is_whole = forms.contains(&None) || forms.len() > MOST_FORMS;
            match is_whole {
                true => entries.push(Item::of_text(name)),
                false => entries
                    .extend(forms.iter().flatten().map(|form| Item::of_text(&format!("{name} {form}")))),
            }
        }
        entries.extend(self.files.iter().map(|path| Item::of_program(path)));
        entries
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { argv, .. } => write!(f, "`{}`", String::from_utf8_lossy(&argv.join(&b' '))),
            Self::File { action, path } => write!(f, "{} `{}`", action.name(), path.display()),
            Self::Network(rule) => write!(f, "`{}`", Item::of_rule(rule).block),
        }
    }
}

/// Whether something more in a list would have been enough.
const fn is_learnable(code: Code) -> bool {
    matches!(
        code,
        Code::ExecNotAllowlisted
            | Code::ExecUntrusted
            | Code::ExecAsk
            | Code::ExecSafeBin
            | Code::FileOutside
            | Code::FileReadOnly
            | Code::NetworkDenied
    )
}

/// `status`, `remote-add`: what could be the name of a subcommand, and no file or value.
fn is_subcommand(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && word.len() < 24
}

/// Many files of a directory become the directory, and what lies beneath another path is left out.
fn widened(paths: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let beside = |path: &Path| paths.iter().filter(|other| other.parent() == path.parent()).count();
    let wide = |path: &PathBuf| match path.parent() {
        Some(parent) if beside(path) > MOST_FILES && parent != Path::new("/") => parent.to_owned(),
        _ => path.clone(),
    };
    let wide: BTreeSet<PathBuf> = paths.iter().map(wide).collect();
    let is_beneath = |path: &Path| wide.iter().any(|other| path != other && path.starts_with(other));
    wide.iter().filter(|path| !is_beneath(path)).cloned().collect()
}

/// The policy's texts while they are changed.
struct Texts {
    edited: Vec<Edited>,
    /// A text of one's own, where the built-in profile is in force.
    new: Vec<([&'static str; 2], Vec<Item>)>,
}

impl Texts {
    fn new(policy: &Policy) -> Self {
        // The user's and the project's only restrict; a named policy takes their place.
        let is_named = |source: &&Source| policy.named_sources.iter().any(|name| name == source.name());
        let own = policy.sources.iter().filter(is_named);
        Self { edited: own.map(Edited::new).collect(), new: Vec::new() }
    }

    /// Adds to the list of every layer that has one: each of them has to allow.
    fn add_entries(&mut self, policy: &Policy, entries: &[Item], left: &mut Vec<String>) {
        let layers = if self.edited.is_empty() { 1 } else { policy.exec.len() };
        let listing = |layer: &&ExecLayer| layer.security.value == Security::Allowlist;
        for layer in policy.exec.iter().take(layers).filter(listing) {
            let rules: Vec<_> = layer.allowlist.iter().map(|entry| &entry.rule).collect();
            let is_own = rules.iter().any(|rule| self.edited.iter().any(|text| text.is(&rule.source)));
            if is_own || rules.is_empty() {
                self.add(policy, ["exec", "allowlist"], &rules, entries, left);
                continue;
            }
            // A list replaces the profile's, so it has to name it.
            let items: Vec<Item> =
                std::iter::once(Item::of_text(DEFAULT_ENTRIES)).chain(entries.iter().cloned()).collect();
            self.add(policy, ["exec", "allowlist"], &[], &items, left);
        }
    }

    fn add(
        &mut self,
        policy: &Policy,
        key: [&'static str; 2],
        rules: &[&crate::RuleRef],
        items: &[Item],
        left: &mut Vec<String>,
    ) {
        if items.is_empty() {
            return;
        }
        let stated =
            rules.iter().rev().find_map(|rule| self.edited.iter().position(|text| text.is(&rule.source)));
        let last = self.edited.len().checked_sub(1);
        match stated.or(last).and_then(|place| self.edited.get_mut(place)) {
            Some(text) => text.insert(policy, key, rules, items, left),
            None => self.new.push((key, items.to_vec())),
        }
    }

    fn lesson(self, left: Vec<String>) -> Lesson {
        let mut lesson = Lesson { left, ..Lesson::default() };
        for text in self.edited.iter().filter(|text| text.is_changed()) {
            lesson.diff.push_str(&diff::unified(text.name(), text.before(), &text.after()));
            lesson.texts.push((text.name().to_owned(), text.after()));
        }
        if !self.new.is_empty() {
            let mut text = Edited::new(&Source::new(NEW, "", Format::Yaml));
            self.new.iter().for_each(|(key, items)| text.add_section(*key, items));
            lesson.diff.push_str(&diff::unified(NEW, "", &text.after()));
            lesson.texts.push((NEW.to_owned(), text.after()));
        }
        lesson
    }
}
