//! `~`, `~user` and `${NAME}` in paths and values, and what a path in a policy may look like.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::normal::normal;

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

/// What an expanded text is for.
#[derive(Clone, Copy)]
enum Use {
    Text,
    /// A pattern: what it is expanded with is plain text in it, and so are braces.
    Glob,
}

impl Use {
    fn written(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Text => text.into(),
            Self::Glob => escape(text, &['{', '}']).into(),
        }
    }

    fn value(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Text => text.into(),
            Self::Glob => escape(text, &['*', '?', '[', ']', '{', '}', '\\']).into(),
        }
    }
}

fn escape(text: &str, special: &[char]) -> String {
    let escaped = |character| special.contains(&character).then_some('\\').into_iter().chain([character]);
    text.chars().flat_map(escaped).collect()
}

impl Expansion {
    /// Replaces `${NAME}`; `$${` is a literal `${`.
    pub(crate) fn variables(&self, text: &str) -> Result<String, ExpandError> {
        self.expand(text, Use::Text)
    }

    /// The same in a pattern.
    pub(crate) fn glob_variables(&self, text: &str) -> Result<String, ExpandError> {
        self.expand(text, Use::Glob)
    }

    fn expand(&self, text: &str, purpose: Use) -> Result<String, ExpandError> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(escaped) = before.strip_suffix('$') {
                expanded.push_str(&purpose.written(escaped));
                expanded.push_str(&purpose.written("${"));
                rest = after;
                continue;
            }
            expanded.push_str(&purpose.written(before));
            let (name, after) = after.split_once('}').ok_or_else(|| {
                (
                    "`${` without `}`".to_owned(),
                    Some("write `${NAME}`, or `$${` for a literal `${`".to_owned()),
                )
            })?;
            expanded.push_str(&purpose.value(self.variable(name)?));
            rest = after;
        }
        expanded.push_str(&purpose.written(rest));
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
        self.absolute(text, base, Use::Text)
    }

    /// An absolute pattern in the same way.
    pub(crate) fn glob(&self, text: &str, base: &Path) -> Result<String, ExpandError> {
        let glob = self.absolute(text, Some(base), Use::Glob)?;
        Ok(glob.to_string_lossy().into_owned())
    }

    fn absolute(&self, written: &str, base: Option<&Path>, purpose: Use) -> Result<PathBuf, ExpandError> {
        let text = self.expand(written, purpose)?;
        let plain = |path: &Path| PathBuf::from(&*purpose.value(&path.to_string_lossy()));
        // A `~` that a variable brings in is a name.
        let path = match text.strip_prefix('~').filter(|_| written.starts_with('~')) {
            Some(rest) => {
                let (user, below) = rest.split_once('/').unwrap_or((rest, ""));
                plain(self.home(user)?).join(below.trim_start_matches('/'))
            }
            None if text.starts_with('/') => PathBuf::from(text),
            None => {
                let base = base.ok_or_else(|| {
                    let help = "write an absolute path, or state a workspace for it to start in".to_owned();
                    (format!("`{text}` is relative to nothing"), Some(help))
                })?;
                plain(base).join(text)
            }
        };
        if path.components().any(|component| component == std::path::Component::ParentDir) {
            let help = "write the directory that is meant: links could make `..` lead elsewhere".to_owned();
            return Err((format!("`{written}` contains `..`"), Some(help)));
        }
        Ok(normal(&path).into_owned())
    }

    fn home(&self, user: &str) -> Result<&Path, ExpandError> {
        let home = if user.is_empty() { self.home.as_ref() } else { self.users.get(user) };
        home.map(PathBuf::as_path).filter(|home| home.is_absolute()).ok_or_else(|| {
            let what = if user.is_empty() {
                "the home directory".to_owned()
            } else {
                format!("the home of `{user}`")
            };
            (format!("{what} is not known"), Some("write an absolute path".to_owned()))
        })
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
    fn what_a_pattern_is_expanded_with_is_plain_text() {
        let mut expansion = expansion();
        expansion.variables.insert("ODD".to_owned(), "[a]*{b}".to_owned());
        let glob = |text: &str| expansion.glob(text, Path::new("/w[1]")).unwrap();
        assert_eq!(glob("*.pem"), r"/w\[1\]/*.pem");
        assert_eq!(glob("/x/${ODD}/[ab]"), r"/x/\[a\]\*\{b\}/[ab]");
        assert_eq!(glob("/x/{a}/$${b}"), r"/x/\{a\}/$\{b\}");
        assert_eq!(glob("~/*"), "/home/u/*");
    }

    #[test]
    fn a_tilde_from_a_variable_is_a_name() {
        let mut expansion = expansion();
        expansion.variables.insert("TILDE".to_owned(), "~".to_owned());
        let path = expansion.path("${TILDE}/x", Some(Path::new("/w"))).unwrap();
        assert_eq!(path, Path::new("/w/~/x"));
    }

    #[test]
    fn references_to_secrets_need_no_value() {
        assert!(check_references("${ANTHROPIC_API_KEY}").is_ok());
        assert!(check_references("${not a name}").is_err());
    }
}
