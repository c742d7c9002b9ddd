//! Unified diffs that show what was done, in bounded memory and time.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Texts up to this are compared line by line; of larger ones what lies between their equal ends is one change, and shown
/// when it is not larger than this itself. A line takes some sixty bytes while it is compared.
const BYTES: usize = 8 << 20;
const LINES: usize = 250_000;

/// Lines around a change.
const CONTEXT: usize = 3;

/// A unified diff with three lines around each change.
pub(crate) fn unified(path: &Path, old: &[u8], new: &[u8]) -> String {
    let name = path.to_string_lossy();
    let name = name.trim_start_matches('/');
    let (before, after) = (format!("a/{name}"), format!("b/{name}"));
    if is_small(old) && is_small(new) {
        return similar::TextDiff::configure()
            // It only shows what was done: beyond this it shows more lines than need be.
            .timeout(Duration::from_millis(500))
            .diff_lines(old, new)
            .unified_diff()
            .header(&before, &after)
            .to_string();
    }
    if old == new {
        return String::new();
    }
    let start = equal_lines(old, new);
    let end = equal_end(old.get(start..).unwrap_or_default(), new.get(start..).unwrap_or_default());
    let middle = |text: &'_ [u8]| start..text.len() - end;
    let (gone, come) = (old.get(middle(old)).unwrap_or_default(), new.get(middle(new)).unwrap_or_default());
    if !is_small(gone) || !is_small(come) {
        return format!("Files {before} and {after} differ\n");
    }
    let above = last_lines(old.get(..start).unwrap_or_default());
    let below =
        old.get(old.len() - end..).unwrap_or_default().split_inclusive(|byte| *byte == b'\n').take(CONTEXT);
    let below: Vec<&[u8]> = below.collect();
    let first = lines(old.get(..start - above.len()).unwrap_or_default()) + 1;
    let around = lines(above) + below.len();
    let range = |changed: &[u8]| {
        let count = lines(changed) + around;
        // An empty range names the line before it.
        format!("{},{count}", if count == 0 { first - 1 } else { first })
    };
    let mut diff = format!("--- {before}\n+++ {after}\n@@ -{} +{} @@\n", range(gone), range(come));
    show(&mut diff, ' ', above);
    show(&mut diff, '-', gone);
    show(&mut diff, '+', come);
    below.iter().for_each(|line| show(&mut diff, ' ', line));
    diff
}

fn is_small(text: &[u8]) -> bool {
    text.len() <= BYTES && memchr::memchr_iter(b'\n', text).take(LINES + 1).count() <= LINES
}

/// How many bytes the lines have that both begin with.
fn equal_lines(one: &[u8], other: &[u8]) -> usize {
    let equal = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    one.get(..equal).and_then(|equal| memchr::memrchr(b'\n', equal)).map_or(0, |end| end + 1)
}

/// How many bytes the whole lines have that both end with.
fn equal_end(one: &[u8], other: &[u8]) -> usize {
    let equal = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    let ending = one.get(one.len() - equal..).unwrap_or_default();
    memchr::memchr(b'\n', ending).map_or(0, |end| equal - end - 1)
}

/// The last lines of a text that ends with one.
fn last_lines(text: &[u8]) -> &[u8] {
    let ends = memchr::memrchr_iter(b'\n', text).nth(CONTEXT);
    text.get(ends.map_or(0, |end| end + 1)..).unwrap_or_default()
}

fn lines(text: &[u8]) -> usize {
    let ends = memchr::memchr_iter(b'\n', text).count();
    ends + usize::from(!text.is_empty() && !text.ends_with(b"\n"))
}

fn show(diff: &mut String, sign: char, text: &[u8]) {
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let _ = write!(diff, "{sign}{}", String::from_utf8_lossy(line));
        if !line.ends_with(b"\n") {
            diff.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Sandbox, built_in_policy};

    #[test]
    fn the_diff_of_a_large_text_is_a_patch_as_well() {
        let scene = tempfile::tempdir().unwrap();
        let workspace = scene.path().canonicalize().unwrap();
        let files = Sandbox::new(built_in_policy(&workspace).unwrap()).unwrap().files();
        let text: String = (0..LINES + 10).map(|line| format!("{line}\n")).collect();
        let last = format!("{}\n", LINES + 9);
        let whole = |changed: String| (text.clone(), changed);
        for (old, new) in [
            whole(text.replace("\n777\n", "\nx\ny\n")),
            whole(text.replace("\n777\n", "\n")),
            whole(text.replacen("0\n", "", 1)),
            whole(format!("first\n{text}")),
            whole(format!("{text}last")),
            whole(text.replace(&last, "")),
            whole(text.replace("\n777\n", "\na\n").replace("\n999\n", "\nb\n")),
            whole(text.replace(&last, last.trim_end())),
            (text.replace(&last, last.trim_end()), text.replace(&last, "end")),
            (
                text.replace(&last, last.trim_end()),
                text.replace("\n777\n", "\n").replace(&last, last.trim_end()),
            ),
        ] {
            let diff = unified(Path::new("/f"), old.as_bytes(), new.as_bytes());
            assert!(diff.len() < 10_000, "{} bytes", diff.len());
            fs::write(workspace.join("f"), &old).unwrap();
            files.patch(diff.as_bytes()).unwrap();
            assert!(fs::read(workspace.join("f")).unwrap() == new.as_bytes(), "{diff}");
        }
        assert_eq!(unified(Path::new("f"), text.as_bytes(), text.as_bytes()), "");
    }

    #[test]
    fn a_change_that_is_too_large_to_be_shown_is_said() {
        let (old, new) = ("\n".repeat(LINES + 1), "x\n".repeat(LINES + 1));
        assert_eq!(
            unified(Path::new("/d/f"), old.as_bytes(), new.as_bytes()),
            "Files a/d/f and b/d/f differ\n"
        );
    }
}
