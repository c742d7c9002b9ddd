//! One entry of OpenClaw's allowlist.

use crate::config::listed;
use crate::cursor::Cursor;
use crate::draft::{literal, quoted, scalar};
use crate::report::{Fate, Report};

/// What is recorded in an entry beside its rule.
const RECORDS: &str = "id source commandText addedAt lastUsedAt lastUsedCommand lastResolvedPath note";

/// Programs that OpenClaw never runs, listed or not. We would run them as listed, and not judge what they run.
pub(crate) const NEVER: &str = "sudo doas su pkexec chroot unshare nsenter strace bwrap firejail taskset systemd-run chrt \
    cpulimit proot proxychains torsocks xvfb-run setpriv script xcrun arch";
/// Programs whose entry permits nothing there; we open them and judge what they run.
const OPENED: &str = "sh bash dash zsh ksh fish ash mksh csh tcsh pwsh powershell setsid ionice watch";

/// Entries as a policy writes them, and what became of the pattern.
struct Entries {
    texts: Vec<String>,
    fate: Fate,
    message: &'static str,
}

/// The entries that permit at most what this one does. Nothing when it cannot be said.
pub(crate) fn entries(at: &Cursor<'_>, trusted: &[String], report: &mut Report) -> Vec<String> {
    let pattern = at.text().map(|_| at.clone()).or_else(|| at.member("pattern"));
    let arguments = at.member("argPattern");
    for member in at.members() {
        match member.name {
            "pattern" | "argPattern" => {}
            name if listed(RECORDS, name) => report.lost(&member, "a record, not a rule"),
            _ => report.unknown(&member),
        }
    }
    let Some((pattern, text)) = pattern.and_then(|pattern| Some((pattern.clone(), pattern.text()?))) else {
        report.lost(at, "an entry without a pattern");
        return Vec::new();
    };
    let is_automatic = at.member("source").is_some_and(|source| source.text() == Some("allow-always"));
    if is_automatic && arguments.is_none() {
        report.lost(&pattern, "OpenClaw does not honour an automatic approval without arguments");
        return Vec::new();
    }
    let base = text.rsplit('/').next().unwrap_or(text);
    if listed(NEVER, base) || listed(OPENED, base) {
        report.lost(&pattern, "in OpenClaw this entry permits nothing; list what it runs");
        return Vec::new();
    }
    let arguments = arguments.filter(|arguments| arguments.text() != Some(""));
    let found = match &arguments {
        Some(arguments) => with_arguments(text, arguments.text().unwrap_or_default()),
        None if text.contains(['/', '\\', '~']) => file(text),
        None => name(text, trusted),
    };
    report.say(found.fate, arguments.as_ref().unwrap_or(&pattern), found.message);
    found.texts
}

fn lost(message: &'static str) -> Entries {
    Entries { texts: Vec::new(), fate: Fate::Inexpressible, message }
}

/// A pattern without separators: a program that is called by its bare name.
fn name(pattern: &str, trusted: &[String]) -> Entries {
    if is_program(pattern) {
        // The word has a meaning of its own as an item.
        let text = if pattern == "default" { "command: default".to_owned() } else { scalar(pattern) };
        return Entries { texts: vec![text], fate: Fate::Mapped, message: "" };
    }
    if !pattern.contains(['*', '?']) || pattern.starts_with('=') {
        return lost("not the name of a program; an approval of one exact command is not a rule");
    }
    let Some(glob) = glob(pattern) else { return lost("not a pattern of a name") };
    let texts = trusted.iter().map(|directory| format!("path: {}", quoted(&format!("{directory}/{glob}"))));
    Entries { texts: texts.collect(), fate: Fate::Narrowed, message: "in the trusted directories" }
}

/// A pattern on the file.
fn file(pattern: &str) -> Entries {
    let is_anywhere = pattern.starts_with("**/");
    let pattern = if is_anywhere { format!("/{pattern}") } else { pattern.to_owned() };
    if !pattern.starts_with('/') && !pattern.starts_with("~/") {
        return lost("not an absolute path: it matches no program");
    }
    if pattern.split('/').any(|part| part == ".." || part == ".")
        || pattern.contains("//")
        || pattern.ends_with('/')
    {
        return lost("no resolved path looks like this: it matches no program");
    }
    if pattern.bytes().all(|byte| b"/*?".contains(&byte)) {
        return lost("every program; if that is meant, write `security: full`");
    }
    // Ours may stand for nothing before a `/`, also within a name.
    let within_names =
        pattern.match_indices("**/").any(|(at, _)| !pattern.get(..at).unwrap_or("").ends_with('/'));
    if within_names || pattern.contains("***") {
        return lost("`**` as a part of a name");
    }
    let Some(glob) = glob(&pattern) else { return lost("not a pattern of a path") };
    // OpenClaw's `/**/` stands for one directory at least, ours for none too.
    let mut parts: Vec<&str> = glob.split('/').map(|part| if part == "**" { "*/**" } else { part }).collect();
    if let Some(last) = parts.last_mut().filter(|last| **last == "*/**") {
        *last = "**";
    }
    let mut glob = parts.join("/");
    if is_anywhere {
        glob = glob.replacen("/*/**", "/**", 1);
    }
    Entries { texts: vec![format!("path: {}", quoted(&glob))], fate: Fate::Mapped, message: "" }
}

/// The same pattern for us, to whom brackets and `${` mean something.
fn glob(pattern: &str) -> Option<String> {
    let is_odd = pattern.contains(['\\', ']']) || pattern.chars().any(char::is_control);
    (!is_odd).then(|| literal(&pattern.replace('[', "[[]")))
}

/// A regular expression on the arguments: leading words can be said, anything else cannot.
fn with_arguments(pattern: &str, arguments: &str) -> Entries {
    if !is_program(pattern) || pattern == "default" {
        return lost("arguments of a pattern; write an entry with argument rules by hand");
    }
    let Some((leading, fate)) = leading_words(arguments) else {
        return lost("not the beginning of an argument vector; write an entry with argument rules by hand");
    };
    let texts = leading.iter().map(|words| quoted(&format!("{pattern} {words}"))).collect();
    let message = match fate {
        Fate::Mapped => "as leading arguments; those that follow may have line breaks too",
        _ => "as whole leading arguments",
    };
    Entries { texts, fate, message }
}

/// `^(status|diff)( .*)?$` and the like, as the words that an argument vector then begins with.
fn leading_words(pattern: &str) -> Option<(Vec<String>, Fate)> {
    const ANYTHING: [&str; 6] = ["( .*)?$", "(?: .*)?$", "(\\s.*)?$", "(?:\\s.*)?$", "( |$)", "(?: |$)"];
    let rest = pattern.strip_prefix('^')?;
    let whole = ANYTHING.iter().find_map(|tail| rest.strip_suffix(tail));
    let (words, fate) = match whole {
        Some(words) => (words, Fate::Mapped),
        None => (rest.strip_suffix("\\b").unwrap_or(rest), Fate::Narrowed),
    };
    let group = words
        .strip_prefix("(?:")
        .or_else(|| words.strip_prefix('('))
        .and_then(|words| words.strip_suffix(')'));
    let alternatives: Option<Vec<String>> = match group {
        Some(group) => group.split('|').map(plain_words).collect(),
        None => plain_words(words).map(|words| vec![words]),
    };
    Some((alternatives?, fate))
}

/// Words that a regular expression means literally.
fn plain_words(pattern: &str) -> Option<String> {
    let mut words = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => words.push(letters.next().filter(|escaped| ".-/+".contains(*escaped))?),
            _ if letter.is_ascii_alphanumeric() || "-_/:=,@% ".contains(letter) => words.push(letter),
            _ => return None,
        }
    }
    (!words.is_empty() && !words.split(' ').any(str::is_empty)).then_some(words)
}

fn is_program(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && name.bytes().all(is_plain)
}
