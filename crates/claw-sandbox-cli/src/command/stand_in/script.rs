//! The file that a host is told is its shell.
//!
//! ```text
//! #!/usr/local/bin/claw-sandbox stand-in
//! policy: /home/u/.config/claw-sandbox/agent.yaml
//! host: claude-code
//! ```
//!
//! It says what the user wants, where a host cannot pass it: a host's settings have room for a path and nothing else. Like a
//! policy it has to be a file that nobody else could have written.

use std::path::{Path, PathBuf};

use claw_sandbox::claw_wire::Identifier;
use claw_sandbox::policy_file;

use crate::failure::Failure;

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// The policy; without one, what is in force in the current directory.
    pub(super) policy: Option<PathBuf>,
    /// The host's name in the audit log and in the policy's contexts.
    pub(super) host: Option<Identifier>,
}

impl Script {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let source = policy_file::read(path).map_err(Failure::new)?;
        let mut script = Self::default();
        for (number, line) in source.text().lines().enumerate().skip(1) {
            let wrong = |what: &str| {
                Failure::new(format_args!(
                    "{}:{}:1: {what}; write the file anew with `claw-sandbox shell install`",
                    path.display(),
                    number + 1
                ))
            };
            match line.trim().split_once(": ") {
                Some(("policy", policy)) if script.policy.is_none() && policy.starts_with('/') => {
                    script.policy = Some(policy.into());
                }
                Some(("policy", _)) => return Err(wrong("`policy` wants one absolute path")),
                Some(("host", host)) if script.host.is_none() => {
                    let host = Identifier::new(host).map_err(|error| wrong(&error.to_string()))?;
                    script.host = Some(host);
                }
                _ if line.trim().is_empty() || line.starts_with('#') => {}
                _ => return Err(wrong("not a line of `policy: FILE` or `host: NAME`")),
            }
        }
        Ok(script)
    }

    /// The file's text, for this command at `interpreter`.
    pub(super) fn text(&self, interpreter: &Path) -> String {
        let mut text = format!("#!{} stand-in\n", interpreter.display());
        text.push_str(
            "# Stands in for a shell: lines run in the sandbox. Made by `claw-sandbox shell install`.\n",
        );
        if let Some(policy) = &self.policy {
            text.push_str(&format!("policy: {}\n", policy.display()));
        }
        if let Some(host) = &self.host {
            text.push_str(&format!("host: {host}\n"));
        }
        text
    }
}
