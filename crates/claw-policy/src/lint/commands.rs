//! Traps in `exec`.

use std::path::{Path, PathBuf};

use super::Linter;
use super::programs::{Trap, trap};
use crate::RuleRef;
use crate::policy::{
    ArgumentRule, Ask, Descendants, Entry, ExecLayer, Part, ProgramMatcher, Ruled, Security,
};
use crate::profile::DEFAULT_ENTRIES;

impl Linter<'_> {
    pub(super) fn commands(&mut self) {
        for layer in &self.policy.exec {
            self.security(layer);
            // Of the profile's entries nobody here could remove one.
            let is_own = |entry: &Ruled<Entry>| entry.rule.text.trim_matches(['"', '\'']) != DEFAULT_ENTRIES;
            for (index, entry) in layer.allowlist.iter().enumerate().filter(|(_, entry)| is_own(entry)) {
                self.repeated(&layer.allowlist, index, entry);
                self.program(entry, layer.inline_eval_denied.is_some());
                self.denied_again(entry);
            }
        }
        self.trusted_dirs();
        self.descendants();
        if let Some(rule) = self.place("exec.verify").filter(|_| !self.policy.verify) {
            let message = "`verify: false` lets a race run other arguments than the judged ones".to_owned();
            self.warn("lint.verify", &rule, message, "remove it");
        }
        if self.policy.files.iter().all(|layer| layer.workspace_exec)
            && let Some(rule) = self.place("workspaceExec").or_else(|| self.place("workspace"))
        {
            let message = "commands can execute programs that they write into the workspace".to_owned();
            self.note(
                "lint.workspace-exec",
                &rule,
                message,
                "remove `workspaceExec: true` if nothing needs it",
            );
        }
    }

    fn descendants(&mut self) {
        if self.policy.descendants == Descendants::System
            && let Some(rule) = self.place("exec.descendants")
        {
            let directories =
                self.policy.trusted_dirs.iter().map(|directory| directory.display().to_string());
            let directories = directories.collect::<Vec<_>>().join(", ");
            let message = format!(
                "every process may start every program of {directories}: shells, interpreters and network tools that \
                 are in no allowlist, unless `deny` or an argument rule names them"
            );
            let help = "remove it, and add what is missing to `exec.bundles`";
            self.warn("lint.descendants", &rule, message, help);
        }
        for part in &self.policy.places.parts {
            let open = match &part.value {
                Part::Workspace(_) => true,
                Part::Path(path) => self.is_broad(path),
                Part::Glob(pattern) => self.is_broad(Path::new(pattern)),
                Part::Command { .. } | Part::Installation(_) => false,
            };
            if open {
                let message = format!("`{}` lets what comes there later be started too", part.rule.text);
                self.note("lint.bundle", &part.rule, message, "name the files that are needed");
            }
        }
    }

    /// Whether commands can write there, or it is a whole trusted directory.
    fn is_broad(&self, path: &Path) -> bool {
        let fixed: PathBuf = path
            .components()
            .take_while(|name| !name.as_os_str().to_string_lossy().contains(['*', '?', '[']))
            .collect();
        self.is_writable(&fixed) || self.policy.trusted_dirs.contains(&fixed)
    }

    fn security(&mut self, layer: &ExecLayer) {
        let rule = &layer.security.rule;
        match layer.security.value {
            Security::Full => {
                let message = "every command may run, `rm -rf` of the workspace included".to_owned();
                let help = "use `security: allowlist` and list what is needed";
                self.warn("lint.security-full", rule, message, help);
                if layer.ask.value == Ask::OnMiss {
                    let message = "`ask: on-miss` asks nothing under `security: full`".to_owned();
                    let help = "use `security: allowlist`, or `ask: always`";
                    self.warn("lint.ask", &layer.ask.rule, message, help);
                }
            }
            Security::Deny if layer.allowlist.iter().any(|entry| entry.rule.source == rule.source) => {
                let message =
                    "`security: deny` refuses every command: the allowlist has no effect".to_owned();
                self.warn("lint.unreachable", rule, message, "use `security: allowlist`, or remove the list");
            }
            Security::Deny | Security::Allowlist => {}
        }
    }

    /// The same entry before, or one that allows more.
    fn repeated(&mut self, list: &[Ruled<Entry>], index: usize, entry: &Ruled<Entry>) {
        let is_before = |at: usize| at < index;
        let covering = list.iter().enumerate().find(|(at, other)| {
            *at != index
                && other.value.program == entry.value.program
                && ((is_before(*at) && other.value == entry.value)
                    || (is_unbounded(&other.value)
                        && !entry.value.prefix.is_empty()
                        && entry.value.deny.is_empty()))
        });
        let Some((_, other)) = covering else { return };
        let message = if other.value == entry.value {
            format!("`{}` is listed twice", entry.rule.text)
        } else {
            format!("`{}` is allowed by `{}` already", entry.rule.text, other.rule.text)
        };
        self.note("lint.duplicate", &entry.rule, message, "remove one of them");
    }

    fn program(&mut self, entry: &Ruled<Entry>, inline_eval_denied: bool) {
        let bounded = !entry.value.prefix.is_empty() || !entry.value.allow.is_empty();
        let rule = &entry.rule;
        match &entry.value.program {
            ProgramMatcher::Name(name) => {
                let name = String::from_utf8_lossy(name);
                self.trap(&name, rule, bounded, inline_eval_denied);
            }
            ProgramMatcher::Path(path) => {
                let last = path.rsplit('/').next().unwrap_or(path);
                if last.trim_matches('*').is_empty() {
                    let message = format!("`{path}` allows every program there, also ones that come later");
                    self.warn("lint.wildcard", rule, message, "list the programs by name");
                }
                let fixed = path.split(['*', '?', '[']).next().unwrap_or(path);
                if self.is_writable(Path::new(fixed)) {
                    let message =
                        format!("`{path}` lies where commands can write: they can replace the program");
                    self.warn("lint.writable-program", rule, message, "move it out of the writable trees");
                }
                self.trap(last, rule, bounded, inline_eval_denied);
            }
        }
        let denied = self.policy.exec_deny.iter().find(|deny| deny.value == entry.value.program);
        if let Some(deny) = denied {
            let message = format!("`{}` never runs: {} denies it", rule.text, deny.rule);
            self.warn("lint.unreachable", rule, message, "remove one of the two");
        }
    }

    fn trap(&mut self, name: &str, rule: &RuleRef, bounded: bool, inline_eval_denied: bool) {
        match trap(name) {
            Some(Trap::Escalation) => {
                let message = format!("`{name}` leaves what a policy can judge");
                self.warn("lint.escalation", rule, message, "remove it from the allowlist");
            }
            Some(Trap::Shell) => {
                let message = format!("`{name}` runs scripts whose commands are not judged beforehand");
                let help = "remove it: lines for a shell are opened and judged without an entry";
                self.warn("lint.shell", rule, message, help);
            }
            Some(Trap::Wrapper) => {
                let message =
                    format!("`{name}` runs other programs, and each of them needs an entry of its own");
                self.note(
                    "lint.wrapper",
                    rule,
                    message,
                    "remove it: it is opened and judged without an entry",
                );
            }
            Some(Trap::Interpreter) if !inline_eval_denied && !bounded => {
                let message = format!("`{name}` runs any program text within the sandbox's bounds");
                let help = "set `inlineEval: deny`, or bound it with `allow:` rules";
                self.warn("lint.interpreter", rule, message, help);
            }
            Some(Trap::Interpreter | Trap::Runner) if !bounded => {
                let message = format!("`{name}` can run code from the workspace");
                let help = "list the forms that are needed, such as `cargo build` or `npm test`";
                self.note("lint.runner", rule, message, help);
            }
            Some(Trap::Carrier) if !bounded => {
                let message =
                    format!("`{name}` can be made to run other programs by its arguments or settings");
                let help =
                    "what its arguments run is judged; list the subcommands that are needed to bound it";
                self.note("lint.carrier", rule, message, help);
            }
            _ => {}
        }
    }

    fn denied_again(&mut self, entry: &Ruled<Entry>) {
        for allowed in &entry.value.allow {
            let covered = |deny: &Ruled<ArgumentRule>| match (&deny.value, &allowed.value) {
                (ArgumentRule::Prefix(deny), ArgumentRule::Prefix(allow)) => allow.starts_with(deny),
                (deny, allow) => deny == allow,
            };
            if let Some(deny) = entry.value.deny.iter().find(|deny| covered(deny)) {
                let message = format!("`{}` is denied again by {}", allowed.rule.text, deny.rule);
                self.warn("lint.unreachable", &allowed.rule, message, "remove one of the two");
            }
        }
    }

    fn trusted_dirs(&mut self) {
        let policy = self.policy;
        if policy.trusted_dirs.is_empty()
            && let Some(rule) = self.place("exec.trustedDirs")
        {
            let message = "no directory is trusted: no command can be found".to_owned();
            self.warn("lint.trusted-dir", &rule, message, "list /usr/local/bin, /usr/bin and /bin");
        }
        for dir in policy.places.trusted_dirs.iter().filter(|dir| policy.trusted_dirs.contains(&dir.value)) {
            let shared = ["/tmp", "/var/tmp", "/dev/shm"].iter().any(|shared| dir.value.starts_with(shared));
            if shared || self.is_writable(&dir.value) {
                let message =
                    format!("the trusted directory `{}` can be written by commands", dir.value.display());
                let help = "list only directories that commands cannot write";
                self.warn("lint.trusted-dir", &dir.rule, message, help);
            }
        }
    }
}

fn is_unbounded(entry: &Entry) -> bool {
    entry.prefix.is_empty() && entry.allow.is_empty() && entry.deny.is_empty()
}
