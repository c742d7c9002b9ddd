//! Reading a patch: the format of `diff -u` and `git diff` (POSIX `diff`, "Diff -u Output Format"; git-diff(1)).
#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::{FilePatch, Hunk};

/// The files of a patch, or what is wrong with it.
pub(super) fn parse(patch: &[u8]) -> Result<Vec<FilePatch>, String> {
    let lines: Vec<&[u8]> = patch.split_inclusive(|byte| *byte == b'\n').collect();
    let mut files: Vec<FilePatch> = Vec::new();
    let mut at = 0;
    // What git said of the file whose `---` comes next.
    let mut is_program = None;
    while let Some(line) = lines.get(at) {
        if let Some((old, new)) = names(&lines, at)? {
            files.push(FilePatch { old, new, hunks: Vec::new(), is_program: is_program.take() });
            at += 2;
        } else if line.starts_with(b"diff --git ") {
            let (head, end) = head(&lines, at)?;
            let goes_on = [b"--- ".as_slice(), b"GIT binary patch", b"Binary files "];
            if lines.get(end).is_some_and(|line| goes_on.iter().any(|start| line.starts_with(start))) {
                is_program = head.is_program;
            } else {
                files.extend(head.alone(at)?);
            }
            at = end;
        } else if line.starts_with(b"@@ ") {
            let file = files.last_mut().ok_or_else(|| format!("line {}: a hunk before any file", at + 1))?;
            let (hunk, end) = hunk(&lines, at)?;
            file.hunks.push(hunk);
            at = end;
        } else if line.starts_with(b"GIT binary patch") || line.starts_with(b"Binary files ") {
            return Err(format!("line {}: binary patches are not applied; write the file", at + 1));
        } else {
            // `diff --git`, `index` and what people write around a patch.
            at += 1;
        }
    }
    match files.iter().find(|file| file.old.is_none() && file.new.is_none()) {
        _ if files.is_empty() => Err("it holds no `---` and `+++` lines; give a unified diff".to_owned()),
        Some(_) => Err("both names of a file are /dev/null".to_owned()),
        None => Ok(files),
    }
}

/// The two names of a file that stand at a line.
#[expect(clippy::type_complexity, reason = "two names, each of which may be /dev/null, where there are any")]
fn names(lines: &[&[u8]], at: usize) -> Result<Option<(Option<PathBuf>, Option<PathBuf>)>, String> {
    let after = |at: usize, start: &[u8]| lines.get(at).and_then(|line| line.strip_prefix(start));
    let (Some(old), Some(new)) = (after(at, b"--- "), after(at + 1, b"+++ ")) else { return Ok(None) };
    Ok(Some((name(old, b"a/", at)?, name(new, b"b/", at + 1)?)))
}

/// A name without its time stamp and git's prefix; `None` for `/dev/null`.
fn name(text: &[u8], prefix: &[u8], at: usize) -> Result<Option<PathBuf>, String> {
    let unquoted;
    let text = match text.strip_prefix(b"\"") {
        Some(quoted) => {
            unquoted =
                unquote(quoted).ok_or_else(|| format!("line {}: the quoted name is no name", at + 1))?;
            unquoted.as_slice()
        }
        None => text.split(|byte| matches!(byte, b'\t' | b'\n' | b'\r')).next().unwrap_or_default(),
    };
    let text = text.strip_prefix(prefix).unwrap_or(text);
    Ok((text != b"/dev/null").then(|| path(text)))
}

fn path(text: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(text))
}

/// A name as git quotes it (`core.quotePath`), behind its first quote: C's escapes, and bytes in octal.
fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let (mut name, mut rest) = (Vec::new(), text);
    loop {
        match rest {
            [b'"', ..] => return Some(name),
            [b'\\', high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', behind @ ..] => {
                name.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                rest = behind;
            }
            [b'\\', letter, behind @ ..] => {
                name.push(match letter {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'"' | b'\\' => *letter,
                    _ => return None,
                });
                rest = behind;
            }
            [b'\n', ..] | [] => return None,
            [byte, behind @ ..] => {
                name.push(*byte);
                rest = behind;
            }
        }
    }
}

/// What git says of a file before its hunks ("Generating patch text with -p", git-diff(1)).
#[derive(Debug, Default)]
struct Head {
    name: Option<PathBuf>,
    is_program: Option<bool>,
    is_new: bool,
    is_deleted: bool,
}

impl Head {
    /// The file, if nothing follows: it is empty, or only its mode changes.
    fn alone(self, at: usize) -> Result<Option<FilePatch>, String> {
        let Self { name, is_program, is_new, is_deleted } = self;
        if !is_new && !is_deleted && is_program.is_none() {
            return Ok(None);
        }
        let name = name.ok_or_else(|| format!("line {}: the two names are not the same", at + 1))?;
        let (old, new) = ((!is_new).then(|| name.clone()), (!is_deleted).then_some(name));
        Ok(Some(FilePatch { old, new, hunks: Vec::new(), is_program }))
    }
}

/// The head that begins at a line, and the line behind it.
fn head(lines: &[&[u8]], at: usize) -> Result<(Head, usize), String> {
    let text = |at: usize| lines.get(at).map(|line| line.trim_ascii_end());
    let names = text(at).and_then(|line| line.strip_prefix(b"diff --git "));
    let mut head = Head { name: names.and_then(twice), ..Head::default() };
    let mut next = at + 1;
    while let Some(line) = text(next) {
        let says = |start: &str| line.strip_prefix(start.as_bytes());
        let program = |mode| is_program(mode).map_err(|what| format!("line {}: {what}", next + 1));
        if let Some(mode) = says("new file mode ") {
            (head.is_new, head.is_program) = (true, Some(program(mode)?));
        } else if let Some(mode) = says("new mode ") {
            head.is_program = Some(program(mode)?);
        } else if let Some(mode) = says("deleted file mode ") {
            program(mode)?;
            head.is_deleted = true;
        } else if let Some(mode) = says("old mode ") {
            program(mode)?;
        } else if let Some(index) = says("index ") {
            index.splitn(2, |byte| *byte == b' ').nth(1).map_or(Ok(false), program)?;
        } else if ["rename from ", "copy from "].iter().any(|start| says(start).is_some()) {
            return Err(format!(
                "line {}: the patch renames or copies a file; do that first, then patch it by its new name",
                next + 1
            ));
        } else if !["similarity index ", "dissimilarity index "].iter().any(|start| says(start).is_some()) {
            break;
        }
        next += 1;
    }
    Ok((head, next))
}

/// The name in `a/NAME b/NAME`.
fn twice(names: &[u8]) -> Option<PathBuf> {
    if let Some(quoted) = names.strip_prefix(b"\"a/") {
        return unquote(quoted).map(|name| path(&name));
    }
    let rest = names.strip_prefix(b"a/")?;
    let (one, other) = rest.split_at_checked(rest.len().checked_sub(3)? / 2)?;
    (other.strip_prefix(b" b/") == Some(one)).then(|| path(one))
}

/// Whether a file with this mode is a program.
fn is_program(mode: &[u8]) -> Result<bool, &'static str> {
    match mode {
        b"100644" => Ok(false),
        b"100755" => Ok(true),
        b"120000" => Err("links are not patched; make or remove the link"),
        _ => Err("the mode is none of a file"),
    }
}

/// The hunk that begins at a line, and the line behind it.
fn hunk(lines: &[&[u8]], at: usize) -> Result<(Hunk, usize), String> {
    let head = lines.get(at).copied().unwrap_or_default();
    let wrong = |what: &str| format!("line {}: {what}", at + 1);
    let head = std::str::from_utf8(head).map_err(|_| wrong("a hunk's head is not UTF-8"))?;
    let ranges = head.strip_prefix("@@ -").and_then(|rest| rest.split_once(" @@")).map(|(ranges, _)| ranges);
    let (old, new) = ranges
        .and_then(|ranges| ranges.split_once(" +"))
        .ok_or_else(|| wrong("a hunk begins with `@@ -1,2 +3,4 @@`"))?;
    let numbers = |text: &str| -> Option<(usize, usize)> {
        let (start, count) = text.split_once(',').unwrap_or((text, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    let ((start, old_count), (_, new_count)) =
        numbers(old).zip(numbers(new)).ok_or_else(|| wrong("a hunk's numbers are no numbers"))?;
    // Lines count from 1; an empty range names the line before it.
    let start = if old_count == 0 { start } else { start.saturating_sub(1) };
    let mut hunk = Hunk { start, old: Vec::new(), new: Vec::new(), line: at + 1 };
    let mut next = at + 1;
    while hunk.old.len() < old_count
        || hunk.new.len() < new_count
        || lines.get(next).is_some_and(|line| line.starts_with(b"\\"))
    {
        let line =
            lines.get(next).copied().ok_or_else(|| wrong("the hunk ends before all of its lines came"))?;
        match line.split_first() {
            Some((b' ', rest)) => {
                hunk.old.push(rest.to_vec());
                hunk.new.push(rest.to_vec());
            }
            Some((b'-', rest)) => hunk.old.push(rest.to_vec()),
            Some((b'+', rest)) => hunk.new.push(rest.to_vec()),
            // `\\ No newline at end of file`: of the line before.
            Some((b'\\', _)) => {
                let before = lines.get(next - 1).and_then(|line| line.first());
                let ended = |lines: &mut Vec<Vec<u8>>| {
                    lines.last_mut().filter(|line| line.ends_with(b"\n")).map(Vec::pop)
                };
                if before != Some(&b'+') {
                    ended(&mut hunk.old);
                }
                if before != Some(&b'-') {
                    ended(&mut hunk.new);
                }
            }
            // Some programs drop the blank of an empty context line.
            Some((b'\n' | b'\r', _)) => {
                hunk.old.push(line.to_vec());
                hunk.new.push(line.to_vec());
            }
            _ => return Err(format!("line {}: a hunk's lines begin with a blank, `-` or `+`", next + 1)),
        }
        next += 1;
    }
    if hunk.old.len() != old_count || hunk.new.len() != new_count {
        return Err(wrong("the hunk has other numbers of lines than it says"));
    }
    Ok((hunk, next))
}
