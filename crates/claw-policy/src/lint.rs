//! Traps in a policy that is valid: what opens more than it seems to, or means something else.

use std::path::Path;

use crate::policy::{ArgumentRule, Ask, Entry, Policy, ProgramMatcher, Ruled, Security};
use crate::{Access, Diagnostic, Guarantee, RuleRef, Severity, Source, SourceSpan};

/// Interpreters: allowed without bounds, they run any text (docs/policy-reference.md, "Commands").
const INTERPRETERS: &[&str] = &[
    "python",
    "python2",
    "python3",
    "node",
    "nodejs",
    "deno",
    "bun",
    "ruby",
    "perl",
    "php",
    "lua",
    "osascript",
    "Rscript",
    "julia",
    "elixir",
    "guile",
    "groovy",
    "scala",
    "clojure",
    "raku",
    "ghc",
    "erl",
    "expect",
    "tclsh",
];

/// Programs that run code or commands given in arguments or in files of the workspace.
const RUNNERS: &[&str] = &[
    "npm", "npx", "pnpm", "yarn", "bunx", "pip", "pip3", "cargo", "go", "make", "cmake", "ninja", "gradle",
    "mvn", "awk", "gawk", "mawk", "sed", "vim", "vi", "ed", "emacs", "less", "man", "tar", "rsync", "find",
    "fd", "xargs", "env", "parallel", "watch", "gdb", "docker", "podman", "kubectl", "ansible", "tcpdump",
    "zip", "openssl",
];

/// Shells: a line for a shell is opened and judged without an entry; an entry lets scripts run unjudged.
const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "fish", "busybox", "toybox"];

/// Programs that change who or where one is.
const ESCALATIONS: &[&str] = &[
    "sudo",
    "doas",
    "su",
    "pkexec",
    "chroot",
    "unshare",
    "nsenter",
    "ssh",
    "systemd-run",
    "at",
    "batch",
    "crontab",
    "bwrap",
    "firejail",
    "strace",
    "script",
];

/// What is suspicious in a policy, in the order of its texts. Rules of the built-in profile are not judged.
///
/// # Example
///
/// ```
/// use claw_policy::{compile, lint, Expansion, Format, Layer, LayerKind, Source};
///
/// let source = Source::new("policy.yaml", "exec:\n  security: full\n", Format::Yaml);
/// let policy = compile(&[Layer { source, kind: LayerKind::Named }], &Expansion::default()).unwrap();
/// assert!(lint(&policy).iter().any(|finding| finding.code == "lint.security-full"));
/// ```
#[must_use]
pub fn lint(policy: &Policy) -> Vec<Diagnostic> {
    let mut linter = Linter { policy, found: Vec::new() };
    linter.exec();
    linter.files();
    linter.rest();
    linter.secrets();
    linter.found.sort_by_key(|finding| (finding.source.name().to_owned(), finding.span.start));
    linter.found
}

struct Linter<'p> {
    policy: &'p Policy,
    found: Vec<Diagnostic>,
}

impl Linter<'_> {
    fn find(&mut self, severity: Severity, code: &'static str, rule: &RuleRef, message: String, help: &str) {
        let Some(source) = self.policy.sources.iter().find(|source| source.name() == &*rule.source) else {
            return;
        };
        if source.name() == "built-in" {
            return;
        }
        let span = span_of(source, rule);
        let (source, help) = (source.clone(), Some(help.to_owned()));
        self.found.push(Diagnostic { severity, code, source, span, message, help });
    }

    fn warn(&mut self, code: &'static str, rule: &RuleRef, message: String, help: &str) {
        self.find(Severity::Warning, code, rule, message, help);
    }

    fn exec(&mut self) {
        for layer in &self.policy.exec {
            if layer.security.value == Security::Full {
                let message = "every command may run, `rm -rf` of the workspace included".to_owned();
                let help = "use `security: allowlist` and list what is needed";
                self.warn("lint.security-full", &layer.security.rule, message, help);
            }
            if layer.ask.value != Ask::Off
                && layer.security.value == Security::Full
                && layer.ask.value == Ask::OnMiss
            {
                let message = "`ask: on-miss` asks nothing under `security: full`".to_owned();
                self.warn(
                    "lint.ask",
                    &layer.ask.rule,
                    message,
                    "use `security: allowlist`, or `ask: always`",
                );
            }
            let denied = layer.inline_eval_denied.is_some();
            let mut seen: Vec<&Entry> = Vec::new();
            for entry in &layer.allowlist {
                if seen.contains(&&entry.value) {
                    let message = format!("`{}` is listed twice", entry.rule.text);
                    self.find(Severity::Note, "lint.duplicate", &entry.rule, message, "remove one of them");
                }
                seen.push(&entry.value);
                self.entry(entry, denied);
            }
        }
        for dir in &self.policy.trusted_dirs {
            let exposed = dir.starts_with("/tmp") || dir.starts_with("/var/tmp") || self.is_writable(dir);
            let rule = self.policy.exec.iter().map(|layer| &layer.security.rule).next().cloned();
            if let (true, Some(rule)) = (exposed, rule) {
                let message = format!("the trusted directory `{}` can be written by commands", dir.display());
                self.warn(
                    "lint.trusted-dir",
                    &rule,
                    message,
                    "list only directories that commands cannot write",
                );
            }
        }
    }

    fn is_writable(&self, path: &Path) -> bool {
        let roots = self.policy.files.iter().flat_map(|layer| &layer.roots);
        roots.into_iter().any(|root| root.value.access == Access::Write && path.starts_with(&root.value.path))
    }

    fn entry(&mut self, entry: &Ruled<Entry>, inline_eval_denied: bool) {
        let bounded = !entry.value.prefix.is_empty() || !entry.value.allow.is_empty();
        let rule = &entry.rule;
        match &entry.value.program {
            ProgramMatcher::Path(path) => {
                if path.ends_with("/*") || path.ends_with("/**") {
                    let message = format!("`{path}` allows every program there, also ones that come later");
                    self.warn("lint.wildcard", rule, message, "list the programs by name");
                }
            }
            ProgramMatcher::Name(name) => {
                let name = String::from_utf8_lossy(name);
                let is = |list: &[&str]| list.contains(&&*name);
                if is(ESCALATIONS) {
                    let message = format!("`{name}` leaves what a policy can judge");
                    self.warn("lint.escalation", rule, message, "remove it from the allowlist");
                } else if is(SHELLS) {
                    let message = format!("`{name}` runs scripts whose commands are not judged beforehand");
                    let help = "remove it: lines for a shell are opened and judged without an entry";
                    self.warn("lint.shell", rule, message, help);
                } else if is(INTERPRETERS) && !inline_eval_denied && !bounded {
                    let message = format!("`{name}` runs any program text within the sandbox's bounds");
                    let help = "set `inlineEval: deny`, or bound it with `allow:` rules";
                    self.warn("lint.interpreter", rule, message, help);
                } else if is(RUNNERS) && !bounded {
                    let message = format!("`{name}` can run other programs or code from the workspace");
                    let help = "list the subcommands that are needed, such as `cargo build`";
                    self.find(Severity::Note, "lint.runner", rule, message, help);
                }
                if let Some(deny) =
                    self.policy.exec_deny.iter().find(|deny| deny.value == entry.value.program)
                {
                    let message = format!("`{name}` never runs: {deny} denies it", deny = deny.rule);
                    self.warn("lint.unreachable", rule, message, "remove one of the two");
                }
            }
        }
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

    fn files(&mut self) {
        let policy = self.policy;
        for layer in &policy.files {
            if let Some(workspace) = &layer.workspace {
                self.workspace(workspace);
            }
            for root in &layer.roots {
                let path = &root.value.path;
                let credential = policy.hidden_by_default.iter().any(|hidden| match &hidden.value {
                    crate::policy::PathPattern::Literal(hidden) => path.starts_with(hidden),
                    _ => false,
                });
                if credential && root.value.named {
                    let message = format!("what is in `{}` can be read, private keys too", path.display());
                    let help = "move it to `hidden` if commands do not need it";
                    self.warn("lint.credentials", &root.rule, message, help);
                }
            }
        }
        if policy.protected.is_empty() {
            let rule =
                policy.files.first().and_then(|layer| layer.workspace.as_ref()).map(|root| root.rule.clone());
            if let Some(rule) = rule {
                let message = "start-up files in the workspace are not protected".to_owned();
                self.find(Severity::Note, "lint.unprotected", &rule, message, "use `protected: default`");
            }
        }
        if let Some(log) = &policy.logging.log_file
            && self.is_writable(log)
            && let Some(rule) = policy.files.first().and_then(|layer| layer.workspace.clone())
        {
            let message = format!("the audit log `{}` lies where commands can write", log.display());
            self.warn(
                "lint.log-writable",
                &rule.rule,
                message,
                "move `logging.logFile` out of the workspace",
            );
        }
    }

    fn workspace(&mut self, workspace: &Ruled<std::path::PathBuf>) {
        let path = &workspace.value;
        let parts = path.components().count();
        if parts <= 2 || (path.starts_with("/home") && parts <= 3) {
            let message = format!("the workspace `{}` is more than one project", path.display());
            self.warn("lint.workspace", &workspace.rule, message, "use a directory of its own");
        }
        let hidden = self.policy.hidden_by_default.iter().find(|hidden| match &hidden.value {
            crate::policy::PathPattern::Literal(hidden) => hidden.starts_with(path) && hidden != path,
            _ => false,
        });
        if let Some(hidden) = hidden {
            let message = format!("the workspace contains `{}`, which is hidden", hidden.rule.text);
            self.warn("lint.workspace", &workspace.rule, message, "use a directory below it");
        }
    }

    fn rest(&mut self) {
        let policy = self.policy;
        for layer in &policy.network {
            if layer.default_allow
                && let Some(rule) = layer.allow.first()
            {
                let message = "every address may be reached".to_owned();
                self.warn("lint.network", &rule.rule, message, "use `default: deny` and list what is needed");
            }
        }
        if !policy.verify
            && let Some(rule) = policy.exec.first().map(|layer| layer.security.rule.clone())
        {
            let message = "`verify: false` lets a race run other arguments than the judged ones".to_owned();
            self.warn("lint.verify", &rule, message, "remove it");
        }
        if policy.floor.degrade.contains(&Guarantee::Files)
            && let Some(rule) = policy.exec.first().map(|layer| layer.security.rule.clone())
        {
            let message = "`files` is given up: commands may read and write anything".to_owned();
            self.warn("lint.degrade", &rule, message, "remove it from `enforcement.degrade`");
        }
    }

    /// Keys written out instead of referred to.
    fn secrets(&mut self) {
        for source in &self.policy.sources {
            if source.name() == "built-in" {
                continue;
            }
            for (key, offset) in written_out(source.text()) {
                let span = SourceSpan { start: offset, end: offset + key.len() };
                self.found.push(Diagnostic {
                    severity: Severity::Warning,
                    code: "lint.hard-coded-secret",
                    source: source.clone(),
                    span,
                    message: "a secret is written into the policy".to_owned(),
                    help: Some("keep it in the environment and write `${NAME}`".to_owned()),
                });
            }
        }
    }
}

/// Values of secret-looking keys that are not references, with their offsets.
fn written_out(text: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let key_value = line.split_once(':');
        if let Some((key, value)) = key_value
            && ["apikey", "bottoken", "token", "secret", "password"]
                .iter()
                .any(|name| key.trim().trim_matches(['"', '\'']).to_lowercase().ends_with(name))
        {
            let trimmed = value.trim().trim_end_matches(',').trim_matches(['"', '\'']);
            if !trimmed.is_empty() && !trimmed.starts_with("${") && !trimmed.starts_with('#') {
                let start = line.find(trimmed).unwrap_or(0);
                found.push((trimmed, offset + start));
            }
        }
        offset += line.len();
    }
    found
}

/// Where a rule stands: from its line and column to the end of its text in that line.
fn span_of(source: &Source, rule: &RuleRef) -> SourceSpan {
    let mut start = 0;
    for line in source.text().split_inclusive('\n').take(rule.line.saturating_sub(1)) {
        start += line.len();
    }
    let line = source.text().get(start..).unwrap_or("").lines().next().unwrap_or("");
    let column =
        line.char_indices().nth(rule.column.saturating_sub(1)).map_or(line.len(), |(offset, _)| offset);
    let rest = line.len() - column;
    SourceSpan { start: start + column, end: start + column + rest.min(rule.text.len()) }
}
