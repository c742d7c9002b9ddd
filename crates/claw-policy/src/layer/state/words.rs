//! The words of a command that is written in one text, such as `git commit -m "a b"`.
//!
//! Quotes and backslashes mean what they mean to a shell. Nothing is expanded and nothing is run, so whatever a
//! shell would read as more than words is refused.

/// Splits a text; `None` when it is more than plain words.
pub(super) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => word.get_or_insert_default().push_str(&single_quoted(&mut characters)?),
            '"' => word.get_or_insert_default().push_str(&double_quoted(&mut characters)?),
            '\\' => word.get_or_insert_default().push(characters.next().filter(|next| *next != '\n')?),
            '#' if word.is_none() => return None,
            ';' | '&' | '|' | '<' | '>' | '(' | ')' | '`' | '$' => return None,
            _ if character.is_control() => return None,
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    let is_assignment = |word: &String| word.split_once('=').is_some_and(|(name, _)| is_name(name));
    (!words.is_empty() && !words.first().is_some_and(is_assignment)).then_some(words)
}

fn single_quoted(characters: &mut std::str::Chars<'_>) -> Option<String> {
    let (inside, after) = characters.as_str().split_once('\'')?;
    *characters = after.chars();
    Some(inside.to_owned())
}

fn double_quoted(characters: &mut std::str::Chars<'_>) -> Option<String> {
    let mut inside = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(inside),
            '$' | '`' => return None,
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\' | '$' | '`') => inside.push(escaped),
                other => inside.extend(['\\', other]),
            },
            character => inside.push(character),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_those_of_a_shell() {
        let cases: &[(&str, &[&str])] = &[
            ("git", &["git"]),
            ("  git   log\t-1 ", &["git", "log", "-1"]),
            ("git commit -m 'a \"b\"'", &["git", "commit", "-m", "a \"b\""]),
            (r#"a "b \" \n \$" c\ d"#, &["a", r#"b " \n $"#, "c d"]),
            ("a '' b", &["a", "", "b"]),
            ("tar --file=x y#z", &["tar", "--file=x", "y#z"]),
            ("[", &["["]),
            ("~/bin/x *.c {a,b} !", &["~/bin/x", "*.c", "{a,b}", "!"]),
        ];
        for (text, words) in cases {
            assert_eq!(
                split(text).as_deref(),
                Some(&words.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_more_than_words_is_refused() {
        let texts = [
            "", "  ", "a; b", "a | b", "a && b", "a > b", "a $b", "a \"$b\"", "a `b`", "(a)", "A=1 b",
            "a\nb", "a 'b", "a \"b", "a \\", "# a", "a &",
        ];
        for text in texts {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
