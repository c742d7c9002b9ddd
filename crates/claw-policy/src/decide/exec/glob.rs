//! Globs on program files, matched without being compiled.

/// Whether `pattern` covers the whole of `path`: `*`, `?` and `[..]` do not cross `/`, `**` does.
pub(super) fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let mut budget = 10_000;
    walk(pattern, path, &mut budget)
}

/// `budget` bounds the backtracking of patterns with many stars; an exhausted one does not match.
fn walk(pattern: &[u8], path: &[u8], budget: &mut u32) -> bool {
    let Some(left) = budget.checked_sub(1) else { return false };
    *budget = left;
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', b'/', rest @ ..] => {
            walk(rest, path, budget)
                || suffixes(path, |_| true).any(|(before, after)| before == b'/' && walk(rest, after, budget))
        }
        [b'*', b'*', rest @ ..] => {
            walk(rest, path, budget) || suffixes(path, |_| true).any(|(_, after)| walk(rest, after, budget))
        }
        [b'*', rest @ ..] => {
            walk(rest, path, budget)
                || suffixes(path, |byte| byte != b'/').any(|(_, after)| walk(rest, after, budget))
        }
        [b'?', rest @ ..] => matches!(path, [byte, after @ ..] if *byte != b'/' && walk(rest, after, budget)),
        [b'[', rest @ ..] => match (class(rest), path) {
            (Some((set, rest)), [byte, after @ ..]) => {
                *byte != b'/' && in_class(set, *byte) && walk(rest, after, budget)
            }
            _ => false,
        },
        [b'\\', wanted, rest @ ..] => {
            matches!(path, [byte, after @ ..] if byte == wanted && walk(rest, after, budget))
        }
        [wanted, rest @ ..] => {
            matches!(path, [byte, after @ ..] if byte == wanted && walk(rest, after, budget))
        }
    }
}

/// Every way to eat one or more bytes that satisfy `eats`: the last byte eaten and what remains.
fn suffixes(path: &[u8], eats: impl Fn(u8) -> bool) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let (byte, after) = rest.split_first()?;
        if !eats(*byte) {
            return None;
        }
        rest = after;
        Some((*byte, after))
    })
}

/// The inside of a bracket expression and what follows it.
fn class(pattern: &[u8]) -> Option<(&[u8], &[u8])> {
    let skip = usize::from(matches!(pattern.first(), Some(b'!' | b'^')));
    // A `]` that comes first is a member.
    let from = skip + usize::from(pattern.get(skip) == Some(&b']'));
    let end = from + pattern.get(from..)?.iter().position(|byte| *byte == b']')?;
    Some((pattern.get(..end)?, pattern.get(end + 1..)?))
}

fn in_class(set: &[u8], byte: u8) -> bool {
    let (negated, mut set) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    while let [first, rest @ ..] = set {
        set = match rest {
            [b'-', last, rest @ ..] => {
                found |= (*first..=*last).contains(&byte);
                rest
            }
            rest => {
                found |= *first == byte;
                rest
            }
        };
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_does_not_cross_a_slash_and_two_stars_do() {
        for (pattern, path, expected) in [
            ("/opt/tools/*/bin/*", "/opt/tools/a/bin/x", true),
            ("/opt/tools/*/bin/*", "/opt/tools/a/b/bin/x", false),
            ("/opt/**/x", "/opt/x", true),
            ("/opt/**/x", "/opt/a/b/x", true),
            ("/opt/**", "/opt/a/b", true),
            ("/opt/[a-c]?", "/opt/b1", true),
            ("/opt/[!a-c]", "/opt/b", false),
            ("/usr/bin/git", "/usr/bin/git", true),
            ("/usr/bin/git", "/usr/bin/gitk", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), expected, "{pattern} {path}");
        }
    }
}
