//! What allowed programs start as parts of themselves: `data/bundles.yaml`.
//!
//! The file is YAML, written in one line a program, and read line by line: every start reads it, and a YAML parser
//! would take longer than the rest of the start. A test holds both readings together.

use std::path::PathBuf;

use crate::expand::Expansion;
use crate::policy::{Bundle, Part};

const TEXT: &str = include_str!("../../data/bundles.yaml");

/// The built-in bundles for the home of `expansion`.
pub(crate) fn bundles(expansion: &Expansion) -> Vec<Bundle> {
    lines(TEXT)
        .map(|(program, parts)| Bundle {
            program: program.as_bytes().to_vec(),
            parts: parts.filter_map(|part| self::part(part, expansion)).collect(),
        })
        .collect()
}

/// Every program with its parts, as written.
fn lines(text: &str) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
    let stated = text.lines().filter(|line| !line.starts_with('#'));
    stated
        .filter_map(|line| line.strip_suffix(']')?.split_once(": ["))
        .map(|(program, parts)| (program, parts.split(", ").map(|part| part.trim_matches('"'))))
}

/// A part; `None` for one below a home directory that nobody has.
fn part(text: &str, expansion: &Expansion) -> Option<Part> {
    if let Some(rest) = text.strip_prefix("../") {
        return Some(Part::Installation(rest.to_owned()));
    }
    let Some(rest) = text.strip_prefix("~/") else { return Some(Part::of_text(text)) };
    let home = expansion.home.as_ref().filter(|home| home.is_absolute())?;
    let home = home.to_str()?;
    Some(if crate::pattern::is_magic(rest) {
        Part::Glob(format!("{}/{rest}", globset::escape(home)))
    } else {
        Part::Path(PathBuf::from(home).join(rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Value;
    use crate::{Format, Source, document};

    #[test]
    fn the_lines_are_what_yaml_says() {
        let text = format!("exec:\n  bundles:\n{}", TEXT.replace('\n', "\n    ").replacen("#", "    #", 1));
        let root = document::parse(&Source::new("bundles.yaml", text, Format::Yaml)).unwrap();
        let child = |node: &document::Node, key: &str| match &node.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).unwrap().value.clone(),
            other => panic!("{other:?}"),
        };
        let Value::Map(programs) = child(&child(&root, "exec"), "bundles").value else {
            panic!("no mapping")
        };
        let text_of = |node: &document::Node| match &node.value {
            Value::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        };
        let by_yaml: Vec<(String, Vec<String>)> = programs
            .iter()
            .map(|entry| match &entry.value.value {
                Value::List(parts) => (entry.key.to_string(), parts.iter().map(text_of).collect()),
                other => panic!("{other:?}"),
            })
            .collect();
        let by_line: Vec<(String, Vec<String>)> = lines(TEXT)
            .map(|(program, parts)| (program.to_owned(), parts.map(str::to_owned).collect()))
            .collect();
        assert!(by_line.len() > 20);
        assert_eq!(by_line, by_yaml);
    }

    #[test]
    fn a_part_is_what_its_text_looks_like() {
        let expansion = Expansion { home: Some("/home/[me]".into()), ..Expansion::default() };
        let read = |text| part(text, &expansion).unwrap();
        assert_eq!(read("sh"), Part::Command { name: b"sh".to_vec(), arguments: Vec::new() });
        let arguments = vec![b"gc".to_vec(), b"-q".to_vec()];
        assert_eq!(read("git gc -q"), Part::Command { name: b"git".to_vec(), arguments });
        assert_eq!(read("/usr/lib/gcc"), Part::Path("/usr/lib/gcc".into()));
        assert_eq!(read("/usr/*/x"), Part::Glob("/usr/*/x".into()));
        assert_eq!(read("**/target/**"), Part::Workspace("**/target/**".into()));
        assert_eq!(read("../lib/*/x"), Part::Installation("lib/*/x".into()));
        assert_eq!(read("~/a/*"), Part::Glob("/home/[[]me[]]/a/*".into()));
        assert_eq!(read("~/a"), Part::Path("/home/[me]/a".into()));
        assert_eq!(part("~/a", &Expansion::default()), None);
    }
}
