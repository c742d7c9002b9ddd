//! `~`, `~user` and `${NAME}` in paths and values, and what a path in a policy may look like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What names in a policy stand for. The edge fills it in; the policy never looks itself.
#[derive(Clone, Debug, Default)]
pub struct Expansion {
    /// `~`.
    pub home: Option<PathBuf>,
    /// Where a relative workspace starts, and the workspace when none is stated.
    pub cwd: PathBuf,
    /// `${NAME}`.
    pub variables: BTreeMap<String, String>,
    /// `~name`.
    pub users: BTreeMap<String, PathBuf>,
}

/// Why a text cannot be expanded: message and help.
pub(crate) type ExpandError = (String, Option<String>);

impl Expansion {
    /// Replaces `${NAME}`; `$${` is a literal `${`.
    pub(crate) fn variables(&self, text: &str) -> Result<String, ExpandError> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(escaped) = before.strip_suffix('$') {
                expanded.push_str(escaped);
                expanded.push_str("${");
                rest = after;
                continue;
            }
            expanded.push_str(before);
            let (name, after) = after.split_once('}').ok_or_else(|| {
                (
                    "`${` without `}`".to_owned(),
                    Some("write `${NAME}`, or `$${` for a literal `${`".to_owned()),
                )
            })?;
            expanded.push_str(self.variable(name)?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn variable(&self, name: &str) -> Result<&str, ExpandError> {
        check_name(name)?;
        self.variables.get(name).map(String::as_str).ok_or_else(|| {
            let help = format!("set it before, or write the value; `$${{{name}}}` is the text itself");
            (format!("the variable `{name}` is not set"), Some(help))
        })
    }

    /// An absolute path: variables, a leading `~` or `~user`, and `base` for a relative one.
    pub(crate) fn path(&self, text: &str, base: Option<&Path>) -> Result<PathBuf, ExpandError> {
        let text = self.variables(text)?;
        let path = match text.strip_prefix('~') {
            Some(rest) => self.home(rest)?,
            None if text.starts_with('/') => PathBuf::from(text),
            None => {
                let base = base.ok_or_else(|| {
                    let help = "write an absolute path, or state a workspace for it to start in".to_owned();
                    (format!("`{text}` is relative to nothing"), Some(help))
                })?;
                base.join(text)
            }
        };
        // `components` drops `.`, double and trailing slashes.
        if path.components().any(|component| component == std::path::Component::ParentDir) {
            let help = "write the directory that is meant: links could make `..` lead elsewhere".to_owned();
            return Err((format!("`{}` contains `..`", path.display()), Some(help)));
        }
        Ok(path.components().collect())
    }

    fn home(&self, rest: &str) -> Result<PathBuf, ExpandError> {
        let (user, below) = rest.split_once('/').unwrap_or((rest, ""));
        let home = if user.is_empty() { self.home.as_ref() } else { self.users.get(user) };
        let home = home.filter(|home| home.is_absolute()).ok_or_else(|| {
            let what = if user.is_empty() {
                "the home directory".to_owned()
            } else {
                format!("the home of `{user}`")
            };
            (format!("{what} is not known"), Some("write an absolute path".to_owned()))
        })?;
        Ok(home.join(below.trim_start_matches('/')))
    }
}

/// A reference to a secret: the names are checked, the values are not wanted.
pub(crate) fn check_references(text: &str) -> Result<(), ExpandError> {
    let unescaped = text.replace("$${", "");
    for part in unescaped.split("${").skip(1) {
        check_name(part.split_once('}').map_or(part, |(name, _)| name))?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ExpandError> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    let help = "only plain names are expanded: `${NAME}`".to_owned();
    Err((format!("`${{{name}}}` is not a variable"), Some(help)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expansion() -> Expansion {
        Expansion {
            home: Some("/home/u".into()),
            cwd: "/w".into(),
            variables: [("NAME".to_owned(), "value".to_owned())].into(),
            users: [("bob".to_owned(), PathBuf::from("/home/bob"))].into(),
        }
    }

    #[test]
    fn names_are_replaced_and_escapes_are_kept() {
        let expansion = expansion();
        assert_eq!(expansion.variables("a/${NAME}/b").unwrap(), "a/value/b");
        assert_eq!(expansion.variables("$${NAME} $NAME $").unwrap(), "${NAME} $NAME $");
        for wrong in ["${MISSING}", "${NAME", "${NAME:-x}", "${}", "${1}", "${$(id)}"] {
            assert!(expansion.variables(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn paths_become_absolute_without_detours() {
        let expansion = expansion();
        let path =
            |text: &str| expansion.path(text, Some(Path::new("/w"))).map(|path| path.display().to_string());
        assert_eq!(path("~/.ssh").unwrap(), "/home/u/.ssh");
        assert_eq!(path("~").unwrap(), "/home/u");
        assert_eq!(path("~bob/x").unwrap(), "/home/bob/x");
        assert_eq!(path("docs//a/./b/").unwrap(), "/w/docs/a/b");
        assert!(path("/a/../b").is_err());
        assert!(path("~eve").is_err());
        assert!(expansion.path("docs", None).is_err());
    }

    #[test]
    fn references_to_secrets_need_no_value() {
        assert!(check_references("${ANTHROPIC_API_KEY}").is_ok());
        assert!(check_references("${not a name}").is_err());
    }
}
