//! Traps in `workspace` and `filesystem`.

use std::path::{Path, PathBuf};

use super::Linter;
use crate::Access;
use crate::policy::{PathPattern, RootRule, Ruled};

/// Directories that hold the system or everybody's files, not one project (`hier(7)`).
const BROAD: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/local/bin",
    "/var",
    "/Users",
];

impl Linter<'_> {
    pub(super) fn files(&mut self) {
        let policy = self.policy;
        for layer in &policy.files {
            if let Some(workspace) = &layer.workspace {
                self.workspace(workspace);
            }
            let workspace = layer.workspace.as_ref().map(|workspace| &workspace.value);
            for root in layer.roots.iter().filter(|root| root.value.named) {
                self.root(root, workspace == Some(&root.value.path));
            }
        }
        if policy.protected.is_empty()
            && let Some(rule) = self.place("filesystem.protected")
        {
            let message = "start-up files and git hooks in the workspace are not protected".to_owned();
            self.warn("lint.unprotected", &rule, message, "use `protected: default`");
        }
        if let Some(log) = &policy.logging.log_file
            && self.is_writable(log)
            && let Some(rule) = self.place("logging.logFile")
        {
            let message = format!("the audit log `{}` lies where commands can write", log.display());
            self.warn("lint.log-writable", &rule, message, "move it out of the workspace");
        }
    }

    fn workspace(&mut self, workspace: &Ruled<PathBuf>) {
        let path = &workspace.value;
        if is_broad(path) {
            let message = format!("the workspace `{}` is more than one project", path.display());
            self.warn("lint.workspace", &workspace.rule, message, "use a directory of its own");
            return;
        }
        let hidden = self.policy.hidden_by_default.iter().find(|hidden| match &hidden.value {
            PathPattern::Literal(hidden) => hidden.starts_with(path) && hidden != path,
            _ => false,
        });
        if let Some(hidden) = hidden {
            let message = format!("the workspace contains `{}`, which is hidden", hidden.rule.text);
            self.warn("lint.workspace", &workspace.rule, message, "use a directory below it");
        }
    }

    fn root(&mut self, root: &Ruled<RootRule>, is_workspace: bool) {
        let (path, writable) = (&root.value.path, root.value.access == Access::Write);
        let is_credential = self.policy.hidden_by_default.iter().any(|hidden| match &hidden.value {
            PathPattern::Literal(hidden) => path.starts_with(hidden),
            _ => false,
        });
        let shown = path.display();
        if is_credential {
            let message = format!("what is in `{shown}` can be read, private keys too");
            let help = "move it to `hidden` if commands do not need it";
            self.warn("lint.credentials", &root.rule, message, help);
        } else if !is_workspace && (path == Path::new("/") || (writable && is_broad(path))) {
            let what = if writable { "written" } else { "read" };
            let message = format!("everything in `{shown}` can be {what}");
            self.warn("lint.broad-root", &root.rule, message, "list the directories that are needed");
        }
    }
}

/// A directory of the system, or a home directory as such.
fn is_broad(path: &Path) -> bool {
    let is_home =
        path.parent().is_some_and(|parent| parent == Path::new("/home") || parent == Path::new("/Users"));
    is_home || BROAD.iter().any(|broad| path == Path::new(broad))
}
