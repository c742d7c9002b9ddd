//! The known word that a misspelt one probably means.

/// The candidate within a third of its length in edits, if any; case does not count.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Longer words are not misspellings, and the distance is quadratic.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let candidates =
        candidates.into_iter().map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate));
    let (edits, candidate) = candidates.min_by_key(|(edits, _)| *edits)?;
    (edits <= candidate.len().max(word.len()).div_ceil(3)).then_some(candidate)
}

/// Insertions, deletions and replacements between two words (Levenshtein 1965).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = *cell;
            before = replaced.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn misspelt_keys_have_a_neighbour_and_others_do_not() {
        let keys = ["allowlist", "deny", "readOnly"];
        assert_eq!(nearest("alowlist", keys), Some("allowlist"));
        assert_eq!(nearest("readonly", keys), Some("readOnly"));
        assert_eq!(nearest("dney", keys), Some("deny"));
        assert_eq!(nearest("entirely-different", keys), None);
    }
}
