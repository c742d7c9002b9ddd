//! Unified diffs of texts that differ by a few inserted or changed lines.

use std::fmt::Write as _;

/// Lines around a change that are shown, as `diff -u` does.
const CONTEXT: usize = 3;

/// The diff that makes `before` to `after`, empty when they are equal.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    let lines = steps(&before.lines().collect::<Vec<_>>(), &after.lines().collect::<Vec<_>>());
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, (sign, _))| *sign != ' ').map(|(at, _)| at).collect();
    let mut diff = String::new();
    let Some(first) = changed.first() else { return diff };
    let from = if before.is_empty() { "/dev/null" } else { name };
    let _ = writeln!(diff, "--- {from}\n+++ {name}");
    let mut start = *first;
    for (place, at) in changed.iter().enumerate() {
        let next = changed.get(place + 1);
        if next.is_none_or(|next| next - at > 2 * CONTEXT + 1) {
            hunk(&mut diff, &lines, start.saturating_sub(CONTEXT), (at + CONTEXT + 1).min(lines.len()));
            start = next.copied().unwrap_or_default();
        }
    }
    diff
}

fn hunk(diff: &mut String, lines: &[(char, &str)], from: usize, to: usize) {
    let count = |lines: &[(char, &str)], sign: char| {
        lines.iter().filter(|(own, _)| *own == ' ' || *own == sign).count()
    };
    let (head, part) = (lines.get(..from).unwrap_or_default(), lines.get(from..to).unwrap_or_default());
    let range = |sign| {
        let length = count(part, sign);
        (count(head, sign) + usize::from(length > 0), length)
    };
    let ((old, old_length), (new, new_length)) = (range('-'), range('+'));
    let _ = writeln!(diff, "@@ -{old},{old_length} +{new},{new_length} @@");
    for (sign, line) in part {
        let _ = writeln!(diff, "{sign}{line}");
    }
}

/// Every line with what happens to it. Lines are only inserted or replaced, so a walk finds it.
fn steps<'t>(before: &[&'t str], after: &[&'t str]) -> Vec<(char, &'t str)> {
    let (mut old, mut new) = (before, after);
    let mut steps = Vec::new();
    loop {
        match (old.split_first(), new.split_first()) {
            (None, None) => return steps,
            (Some((a, rest_old)), Some((b, rest_new))) if a == b => {
                steps.push((' ', *a));
                (old, new) = (rest_old, rest_new);
            }
            // Inserted, when the old line comes later.
            (Some((a, _)), Some((b, rest_new))) if rest_new.contains(a) => {
                steps.push(('+', *b));
                new = rest_new;
            }
            (Some((a, rest_old)), _) => {
                steps.push(('-', *a));
                old = rest_old;
            }
            (None, Some((b, rest_new))) => {
                steps.push(('+', *b));
                new = rest_new;
            }
        }
    }
}
