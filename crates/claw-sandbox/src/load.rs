//! From files and defaults to a policy: built-in < user < project < named.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use claw_policy::{Expansion, Format, Layer, LayerKind, Policy, Source, built_in, compile};

use crate::policy_file::{self, PolicyFileError};
use crate::{Error, home};

/// What a policy is loaded for.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Where relative paths start, and the workspace when no policy states one; absolute.
    pub cwd: PathBuf,
    /// A policy that replaces what it states. Without one, the user's and the project's files restrict.
    pub named: Option<PathBuf>,
    /// A workspace in place of the policy's.
    pub workspace: Option<PathBuf>,
    /// Texts that only restrict, on top of all: a sub-agent's policy, which so lies within its parent's
    /// ([`Judge::within`](crate::Judge::within) proves it).
    pub narrowed_by: Vec<Source>,
}

/// The names that a file of a kind may have, in order.
const USER: [&str; 3] = ["policy.yaml", "policy.json5", "policy.json"];
const PROJECT: [&str; 3] = [".claw-sandbox.yaml", ".claw-sandbox.json5", ".claw-sandbox.json"];

/// Loads the policy that holds for a directory.
///
/// The built-in profile is the ground. `~/.config/claw-sandbox/policy.yaml` (or `.json5`, `.json`; below
/// `XDG_CONFIG_HOME` where it is set) and `.claw-sandbox.yaml` in `cwd` can only restrict it; they are not read when
/// a policy is named. The latter has to be a file there, not a link: it is not the user who put it there.
///
/// # Errors
///
/// When a file cannot be read, could have been written by somebody else, or is not a policy.
pub fn load_policy(options: &LoadOptions) -> Result<Policy, Error> {
    let mut layers = vec![Layer { source: built_in(), kind: LayerKind::BuiltIn }];
    match &options.named {
        Some(path) => layers.push(Layer { source: policy_file::read(path)?, kind: LayerKind::Named }),
        None => {
            let user = config_directory().map(|directory| directory.join("claw-sandbox"));
            if let Some(source) =
                user.map(|directory| first(&directory, &USER, policy_file::read)).transpose()?.flatten()
            {
                layers.push(Layer { source, kind: LayerKind::User });
            }
            if let Some(source) = first(&options.cwd, &PROJECT, policy_file::read_in_workspace)? {
                layers.push(Layer { source, kind: LayerKind::Project });
            }
        }
    }
    if let Some(workspace) = &options.workspace {
        let text = serde_json::json!({ "workspace": workspace }).to_string();
        layers.push(Layer { source: Source::new("--workspace", text, Format::Json), kind: LayerKind::Named });
    }
    let narrowing = options.narrowed_by.iter().cloned();
    layers.extend(narrowing.map(|source| Layer { source, kind: LayerKind::User }));
    Ok(compile(&layers, &expansion(&options.cwd))?)
}

/// The built-in profile with `workspace` as the workspace; no file is read.
///
/// # Errors
///
/// When the profile does not fit this machine, which is a mistake of ours.
pub fn built_in_policy(workspace: impl AsRef<Path>) -> Result<Policy, Error> {
    let layers = [Layer { source: built_in(), kind: LayerKind::BuiltIn }];
    Ok(compile(&layers, &expansion(workspace.as_ref()))?)
}

/// A policy in YAML that replaces what it states in the built-in profile; `cwd` is where relative paths start.
///
/// # Errors
///
/// When the text is not a policy.
pub fn policy_from_yaml(text: &str, cwd: impl AsRef<Path>) -> Result<Policy, Error> {
    let named = Source::new("policy", text, Format::Yaml);
    let layers = [
        Layer { source: built_in(), kind: LayerKind::BuiltIn },
        Layer { source: named, kind: LayerKind::Named },
    ];
    Ok(compile(&layers, &expansion(cwd.as_ref()))?)
}

fn first(
    directory: &Path,
    names: &[&str],
    read: fn(&Path) -> Result<Source, PolicyFileError>,
) -> Result<Option<Source>, Error> {
    for name in names {
        let path = directory.join(name);
        // A link that leads nowhere is a mistake to be told, not an absent policy.
        if path.symlink_metadata().is_ok() {
            return Ok(Some(read(&path)?));
        }
    }
    Ok(None)
}

/// `XDG_CONFIG_HOME`, or `.config` in the home directory.
#[must_use]
pub fn config_directory() -> Option<PathBuf> {
    let stated = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    stated.or_else(|| Some(home()?.join(".config")))
}

/// The names of this process.
fn expansion(cwd: &Path) -> Expansion {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Expansion { home: home(), cwd: cwd.to_owned(), variables: variables.collect(), users: BTreeMap::new() }
}
