//! The file that a host is told is its shell.
//!
//! ```text
//! #!/usr/local/bin/claw-sandbox stand-in
//! policy: /home/u/.config/claw-sandbox/agent.yaml
//! workspace: /home/u/project
//! home: /home/u
//! host: claude-code
//! ```
//!
//! It says what the user wants, where a host cannot pass it: a host's settings have room for a path and nothing else. Like a
//! policy it has to be a file that nobody else could have written.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use claw_sandbox::claw_wire::Identifier;
use claw_sandbox::policy_file;

use crate::failure::Failure;

/// The variables that say where the user's own files are, by the keys under which they are written down: a host's environment
/// is the model's to change in part, and `~` and the audit log must not move with it.
const PLACES: [(&str, &str); 3] =
    [("home", "HOME"), ("config", "XDG_CONFIG_HOME"), ("state", "XDG_STATE_HOME")];

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// The policy; without one, what is in force in the current directory.
    pub(super) policy: Option<PathBuf>,
    /// The workspace; without one the policy's, or the current directory.
    pub(super) workspace: Option<PathBuf>,
    /// The host's name in the audit log and in the policy's contexts.
    pub(super) host: Option<Identifier>,
    /// Where the user's own files are; nothing when the file does not say.
    places: BTreeMap<&'static str, PathBuf>,
}

impl Script {
    /// What is to be written down, with the places of this process's own environment.
    pub(super) fn new(policy: Option<PathBuf>, workspace: Option<PathBuf>, host: Option<Identifier>) -> Self {
        let place = |(key, variable)| Some((key, PathBuf::from(env::var_os(variable)?)));
        let places = PLACES.into_iter().filter_map(place).filter(|(_, path)| path.is_absolute());
        Self { policy, workspace, host, places: places.collect() }
    }

    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let source = policy_file::read(path).map_err(Failure::new)?;
        let mut script = Self::default();
        for (number, line) in source.text().lines().enumerate().skip(1) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                script.take(line).map_err(|what| {
                    Failure::new(format_args!(
                        "{}:{}:1: {what}; write the file anew with `claw-sandbox shell install`",
                        path.display(),
                        number + 1
                    ))
                })?;
            }
        }
        Ok(script)
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        let is_new = match (key, PLACES.iter().find(|(place, _)| *place == key)) {
            ("policy", _) => self.policy.replace(absolute(key, value)?).is_none(),
            ("workspace", _) => self.workspace.replace(absolute(key, value)?).is_none(),
            ("host", _) => {
                let host = Identifier::new(value).map_err(|error| error.to_string())?;
                self.host.replace(host).is_none()
            }
            (_, Some((place, _))) => self.places.insert(place, absolute(key, value)?).is_none(),
            (_, None) => {
                return Err(format!("`{key}` is none of policy, workspace, host, home, config and state"));
            }
        };
        if is_new { Ok(()) } else { Err(format!("`{key}` stands there twice")) }
    }

    /// The file's text, for this command at `interpreter`.
    pub(super) fn text(&self, interpreter: &Path) -> String {
        let mut text = format!("#!{} stand-in\n", interpreter.display());
        text.push_str(
            "# Stands in for a shell: lines run in the sandbox. Made by `claw-sandbox shell install`.\n",
        );
        let paths = [("policy", &self.policy), ("workspace", &self.workspace)];
        let paths = paths.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?)));
        for (key, path) in paths.chain(self.places.iter().map(|(key, path)| (*key, path))) {
            text.push_str(&format!("{key}: {}\n", path.display()));
        }
        if let Some(host) = &self.host {
            text.push_str(&format!("host: {host}\n"));
        }
        text
    }

    /// What the environment has to be where it is not what was written down.
    pub(super) fn corrections(&self) -> Vec<(&'static str, Option<&Path>)> {
        if self.places.is_empty() {
            return Vec::new();
        }
        let place = |(key, variable)| (variable, self.places.get(key).map(PathBuf::as_path));
        let wrong = |(variable, path): &(&str, Option<&Path>)| {
            env::var_os(variable).as_deref() != path.map(Path::as_os_str)
        };
        PLACES.into_iter().map(place).filter(wrong).collect()
    }
}

fn absolute(key: &str, value: &str) -> Result<PathBuf, String> {
    if value.starts_with('/') { Ok(value.into()) } else { Err(format!("`{key}` wants an absolute path")) }
}
