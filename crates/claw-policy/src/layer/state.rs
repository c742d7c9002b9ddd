//! What one document states, typed and with the places of its rules.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::LayerKind;
use crate::document::keys::FRONT_DOOR;
use crate::document::{self, Entry as Pair, Node, Value, nearest};
use crate::expand::{ExpandError, Expansion, check_references};
use crate::policy::{ArgumentRule, Ask, Entry, PathPattern, ProgramMatcher, Ruled, Security};
use crate::{Diagnostic, Guarantee, Limits, NetworkRule, Protocol, RuleRef, Severity, Source, SourceSpan};

/// One document's statements; `None` and empty are "not stated".
#[derive(Debug)]
pub(super) struct Stated {
    pub(super) kind: LayerKind,
    pub(super) source: Source,
    pub(super) workspace: Option<Ruled<PathBuf>>,
    pub(super) workspace_exec: Option<bool>,
    pub(super) detach: Option<bool>,
    pub(super) security: Option<Ruled<Security>>,
    pub(super) ask: Option<Ruled<Ask>>,
    pub(super) allowlist: Option<Vec<Ruled<Entry>>>,
    pub(super) deny: Vec<Ruled<ProgramMatcher>>,
    /// `Some(None)` is `allow`.
    pub(super) inline_eval_denied: Option<Option<RuleRef>>,
    pub(super) safe_bins: Option<Vec<Ruled<Vec<u8>>>>,
    pub(super) trusted_dirs: Option<Vec<PathBuf>>,
    pub(super) verify: Option<bool>,
    pub(super) read_only: Option<Vec<Ruled<PathBuf>>>,
    pub(super) writable: Option<Vec<Ruled<PathBuf>>>,
    pub(super) hidden: Vec<Ruled<PathPattern>>,
    pub(super) protected: Option<Protected>,
    pub(super) network_default_allow: Option<bool>,
    pub(super) network_allow: Option<Vec<Ruled<NetworkRule>>>,
    pub(super) pass: Option<Vec<Ruled<String>>>,
    pub(super) set: Vec<Ruled<(String, String)>>,
    pub(super) limits: Limits,
    pub(super) degrade: Option<Vec<Guarantee>>,
    pub(super) audit_commands: Option<bool>,
    pub(super) audit_file_access: Option<bool>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) continue_without_log: Option<bool>,
    pub(super) front_door: serde_json::Map<String, serde_json::Value>,
}

/// `filesystem.protected`.
#[derive(Debug)]
pub(super) enum Protected {
    Default(RuleRef),
    None,
    List(Vec<Ruled<PathPattern>>),
}

impl Stated {
    pub(super) fn new(
        source: &Source,
        kind: LayerKind,
        root: &Node,
        expansion: &Expansion,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut reader = Reader { source, kind, expansion, workspace: None, diagnostics };
        reader.document(root)
    }

    fn empty(source: &Source, kind: LayerKind) -> Self {
        Self {
            kind,
            source: source.clone(),
            workspace: None,
            workspace_exec: None,
            detach: None,
            security: None,
            ask: None,
            allowlist: None,
            deny: Vec::new(),
            inline_eval_denied: None,
            safe_bins: None,
            trusted_dirs: None,
            verify: None,
            read_only: None,
            writable: None,
            hidden: Vec::new(),
            protected: None,
            network_default_allow: None,
            network_allow: None,
            pass: None,
            set: Vec::new(),
            limits: Limits::default(),
            degrade: None,
            audit_commands: None,
            audit_file_access: None,
            log_file: None,
            continue_without_log: None,
            front_door: serde_json::Map::new(),
        }
    }
}

struct Reader<'a> {
    source: &'a Source,
    kind: LayerKind,
    expansion: &'a Expansion,
    /// Where relative paths and patterns start.
    workspace: Option<PathBuf>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn document(&mut self, root: &Node) -> Stated {
        let mut stated = Stated::empty(self.source, self.kind);
        // The workspace first: other paths may be relative to it.
        if let Some(node) = member(root, "workspace") {
            let base = self.expansion.cwd.clone();
            stated.workspace = self.path(node, Some(&base));
        }
        let default = self.expansion.cwd.clone();
        self.workspace = Some(stated.workspace.as_ref().map_or(default, |workspace| workspace.value.clone()));
        stated.workspace_exec = flag(root, "workspaceExec");
        stated.detach = flag(root, "detach");
        self.exec(&mut stated, section(root, "exec"));
        self.filesystem(&mut stated, section(root, "filesystem"));
        self.network(&mut stated, section(root, "network"));
        self.environment(&mut stated, section(root, "environment"));
        limits(&mut stated.limits, section(root, "limits"));
        self.enforcement(&mut stated, section(root, "enforcement"));
        self.logging(&mut stated, section(root, "logging"));
        for pair in pairs(root).iter().filter(|pair| FRONT_DOOR.contains(&pair.key.as_str())) {
            self.secrets(&pair.value);
            stated.front_door.insert(pair.key.clone(), json(&pair.value, pair.key != "ownerNumbers"));
        }
        stated
    }

    fn exec(&mut self, stated: &mut Stated, exec: Option<&Node>) {
        let Some(exec) = exec else { return };
        stated.security = member(exec, "security").map(|node| {
            let value = match text(node) {
                "full" => Security::Full,
                "allowlist" => Security::Allowlist,
                _ => Security::Deny,
            };
            self.ruled(node, value)
        });
        stated.ask = member(exec, "ask").map(|node| {
            let value = match text(node) {
                "off" => Ask::Off,
                "on-miss" => Ask::OnMiss,
                _ => Ask::Always,
            };
            self.ruled(node, value)
        });
        stated.allowlist = member(exec, "allowlist")
            .map(|node| items(node).iter().filter_map(|item| self.entry(item)).collect());
        for item in items_of(exec, "deny") {
            if let Some(matcher) = self.matcher(item, text(item)) {
                stated.deny.push(self.ruled(item, matcher));
            }
        }
        stated.inline_eval_denied =
            member(exec, "inlineEval").map(|node| (text(node) == "deny").then(|| self.rule(node.span)));
        stated.safe_bins = member(exec, "safeBins").map(|node| {
            items(node).iter().map(|item| self.ruled(item, text(item).as_bytes().to_vec())).collect()
        });
        stated.trusted_dirs = member(exec, "trustedDirs").map(|node| {
            items(node).iter().filter_map(|item| self.path(item, None)).map(|path| path.value).collect()
        });
        stated.verify = flag(exec, "verify");
    }

    fn entry(&mut self, node: &Node) -> Option<Ruled<Entry>> {
        let (written, is_path) = match (member(node, "path"), member(node, "command")) {
            (Some(path), _) => (path, true),
            (_, Some(command)) => (command, false),
            _ => (node, false),
        };
        let written_text = text(written);
        let mut words =
            if is_path { vec![written_text.to_owned()] } else { self.words(written, written_text)? };
        let first = if words.is_empty() { return None } else { words.remove(0) };
        let program =
            if is_path { self.program_glob(written, &first)? } else { self.matcher(written, &first)? };
        let prefix = words.into_iter().map(String::into_bytes).collect();
        let allow = self.argument_rules(node, "allow");
        let deny = self.argument_rules(node, "deny");
        Some(self.ruled(node, Entry { program, prefix, allow, deny }))
    }

    /// The words of a command, with quotes as a shell reads them but nothing expanded.
    fn words(&mut self, node: &Node, text: &str) -> Option<Vec<String>> {
        let parsed = claw_shell::parse(text.as_bytes(), claw_shell::Dialect::Posix).ok();
        let plain = parsed.filter(|script| {
            script.redirects.is_empty() && script.assignments.is_empty() && !script.commands.is_empty()
        });
        let words = plain.and_then(|script| {
            let command = script.commands.into_iter().next()?;
            (command.assignments.is_empty() && command.span.end - command.span.start == text.trim().len())
                .then_some(command.words)
        });
        let literal = |word: &claw_shell::Word| {
            let mut whole = Vec::new();
            for piece in &word.pieces {
                match piece {
                    claw_shell::Piece::Literal(text) | claw_shell::Piece::Glob(text) => {
                        whole.extend_from_slice(text)
                    }
                    claw_shell::Piece::Tilde(user) => {
                        whole.push(b'~');
                        whole.extend_from_slice(user);
                    }
                    _ => return None,
                }
            }
            String::from_utf8(whole).ok()
        };
        let words: Option<Vec<String>> = words.and_then(|words| words.iter().map(literal).collect());
        if words.is_none() {
            let help = "write a program and its leading arguments, without operators and expansions";
            self.error(
                "policy.command",
                node.span,
                format!("`{text}` is not a plain command"),
                Some(help.into()),
            );
        }
        words
    }

    /// A bare name, or a glob when it has a `/` or begins with `~`.
    fn matcher(&mut self, node: &Node, text: &str) -> Option<ProgramMatcher> {
        if text.contains('/') || text.starts_with('~') {
            return self.program_glob(node, text);
        }
        // `[` alone is the other name of `test`.
        if text != "[" && text.contains(['*', '?', '[']) {
            let help = format!("write the names one by one, or a path such as /usr/bin/{text}");
            self.error("policy.command", node.span, format!("`{text}` is a pattern, not a name"), Some(help));
            return None;
        }
        Some(ProgramMatcher::Name(text.as_bytes().to_vec()))
    }

    fn program_glob(&mut self, node: &Node, text: &str) -> Option<ProgramMatcher> {
        let base = self.workspace.clone();
        let path = self.expanded(node, text, base.as_deref())?;
        self.check_glob(node, &path.to_string_lossy())?;
        Some(ProgramMatcher::Path(path.to_string_lossy().into_owned()))
    }

    fn argument_rules(&mut self, entry: &Node, key: &str) -> Vec<Ruled<ArgumentRule>> {
        let bytes = |node: &Node| text(node).as_bytes().to_vec();
        let list = |node: &Node, key| items_of(node, key).iter().map(bytes).collect();
        let rule = |node: &Node| match &node.value {
            Value::List(words) => ArgumentRule::Prefix(words.iter().map(bytes).collect()),
            _ => {
                ArgumentRule::Flags { subcommand: list(node, "subcommand"), any_flag: list(node, "anyFlag") }
            }
        };
        items_of(entry, key).iter().map(|node| self.ruled(node, rule(node))).collect()
    }

    fn filesystem(&mut self, stated: &mut Stated, filesystem: Option<&Node>) {
        let Some(filesystem) = filesystem else { return };
        let base = self.workspace.clone();
        stated.read_only = member(filesystem, "readOnly")
            .map(|node| items(node).iter().filter_map(|item| self.path(item, base.as_deref())).collect());
        stated.writable = member(filesystem, "writable")
            .map(|node| items(node).iter().filter_map(|item| self.path(item, base.as_deref())).collect());
        stated.hidden = self.patterns(items_of(filesystem, "hidden"));
        stated.protected = member(filesystem, "protected").map(|node| match &node.value {
            Value::List(list) => Protected::List(self.patterns(list)),
            _ if text(node) == "none" => Protected::None,
            _ => Protected::Default(self.rule(node.span)),
        });
    }

    fn patterns(&mut self, nodes: &[Node]) -> Vec<Ruled<PathPattern>> {
        nodes.iter().filter_map(|node| self.pattern(node)).collect()
    }

    fn pattern(&mut self, node: &Node) -> Option<Ruled<PathPattern>> {
        let written = text(node);
        let trimmed = written.trim_end_matches('/');
        if trimmed.is_empty() {
            let help = "name a directory below it".to_owned();
            self.error("policy.path", node.span, format!("`{written}` would hide everything"), Some(help));
            return None;
        }
        let pattern = if !trimmed.contains('/') && !trimmed.starts_with('~') {
            let name = self.expansion.variables(trimmed).map_err(|error| self.refuse(node, error)).ok()?;
            self.check_glob(node, &name)?;
            PathPattern::Component(name)
        } else if trimmed.starts_with("**") {
            self.check_glob(node, trimmed)?;
            PathPattern::Glob(format!("/{trimmed}"))
        } else {
            let base = self.workspace.clone();
            let path = self.expanded(node, trimmed, base.as_deref())?;
            if trimmed.contains(['*', '?', '[']) {
                let glob = path.to_string_lossy().into_owned();
                self.check_glob(node, &glob)?;
                PathPattern::Glob(glob)
            } else {
                PathPattern::Literal(path)
            }
        };
        Some(self.ruled(node, pattern))
    }

    fn check_glob(&mut self, node: &Node, glob: &str) -> Option<()> {
        match globset::GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(_) => Some(()),
            Err(error) => {
                self.error("policy.glob", node.span, format!("not a pattern: {}", error.kind()), None);
                None
            }
        }
    }

    fn network(&mut self, stated: &mut Stated, network: Option<&Node>) {
        let Some(network) = network else { return };
        stated.network_default_allow = member(network, "default").map(|node| text(node) == "allow");
        let rule = |node: &Node| NetworkRule {
            protocol: member(node, "protocol")
                .map(|node| if text(node) == "udp" { Protocol::Udp } else { Protocol::Tcp }),
            port: member(node, "port").and_then(|node| text(node).parse().ok()),
            host: member(node, "host").map(|node| text(node).to_owned()),
        };
        stated.network_allow = member(network, "allow")
            .map(|node| items(node).iter().map(|item| self.ruled(item, rule(item))).collect());
        for item in items_of(network, "allow").iter().filter(|item| pairs(item).is_empty()) {
            let help = "write a `port`, a `protocol` or a `host`".to_owned();
            self.error("policy.network", item.span, "this rule would allow every address".into(), Some(help));
        }
    }

    fn environment(&mut self, stated: &mut Stated, environment: Option<&Node>) {
        let Some(environment) = environment else { return };
        stated.pass = member(environment, "pass")
            .map(|node| items(node).iter().map(|item| self.ruled(item, text(item).to_owned())).collect());
        let Some(set) = member(environment, "set") else { return };
        if self.restricts() && !pairs(set).is_empty() {
            let help = "set variables in a policy that is named with --policy".to_owned();
            let message = "a user's or project's policy only restricts: it cannot set variables".to_owned();
            self.error("policy.layer", set.span, message, Some(help));
        }
        for pair in pairs(set) {
            let value = match &pair.value.value {
                Value::Bool(value) => value.to_string(),
                _ => text(&pair.value).to_owned(),
            };
            match self.expansion.variables(&value) {
                Ok(value) => {
                    let rule = self.rule(pair.key_span);
                    stated.set.push(Ruled { value: (pair.key.clone(), value), rule });
                }
                Err(error) => self.refuse(&pair.value, error),
            }
        }
    }

    fn enforcement(&mut self, stated: &mut Stated, enforcement: Option<&Node>) {
        let Some(degrade) = enforcement.and_then(|enforcement| member(enforcement, "degrade")) else {
            return;
        };
        let mut guarantees = Vec::new();
        for item in items(degrade) {
            match Guarantee::of_name(text(item)) {
                Some(guarantee) => guarantees.push(guarantee),
                None => {
                    let names: Vec<&str> = Guarantee::ALL.iter().map(|guarantee| guarantee.name()).collect();
                    let help = nearest(text(item), names.iter().copied()).map_or_else(
                        || format!("known: {}", names.join(", ")),
                        |name| format!("did you mean `{name}`?"),
                    );
                    let message = format!("`{}` is not a guarantee", text(item));
                    self.error("policy.guarantee", item.span, message, Some(help));
                }
            }
        }
        if self.restricts() && !guarantees.is_empty() {
            let help = "degrade in a policy that is named with --policy".to_owned();
            let message =
                "a user's or project's policy only restricts: it cannot give up guarantees".to_owned();
            self.error("policy.layer", degrade.span, message, Some(help));
        }
        stated.degrade = Some(guarantees);
    }

    fn logging(&mut self, stated: &mut Stated, logging: Option<&Node>) {
        let Some(logging) = logging else { return };
        stated.audit_commands = flag(logging, "auditCommands");
        stated.audit_file_access = flag(logging, "auditFileAccess");
        stated.log_file =
            member(logging, "logFile").and_then(|node| self.path(node, None)).map(|path| path.value);
        stated.continue_without_log = member(logging, "auditFailure").map(|node| text(node) == "continue");
    }

    /// References in the front door's texts: the names are checked, the values are looked up by whoever needs them.
    fn secrets(&mut self, node: &Node) {
        match &node.value {
            Value::Text(text) => {
                if let Err(error) = check_references(text) {
                    self.refuse(node, error);
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.secrets(item)),
            Value::Map(pairs) => pairs.iter().for_each(|pair| self.secrets(&pair.value)),
            _ => {}
        }
    }

    const fn restricts(&self) -> bool {
        matches!(self.kind, LayerKind::User | LayerKind::Project)
    }

    fn path(&mut self, node: &Node, base: Option<&Path>) -> Option<Ruled<PathBuf>> {
        let path = self.expanded(node, text(node), base)?;
        Some(self.ruled(node, path))
    }

    fn expanded(&mut self, node: &Node, text: &str, base: Option<&Path>) -> Option<PathBuf> {
        match self.expansion.path(text, base) {
            Ok(path) => Some(path),
            Err(error) => {
                self.refuse(node, error);
                None
            }
        }
    }

    fn refuse(&mut self, node: &Node, (message, help): ExpandError) {
        self.error("policy.expansion", node.span, message, help);
    }

    fn error(&mut self, code: &'static str, span: SourceSpan, message: String, help: Option<String>) {
        let source = self.source.clone();
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code, source, span, message, help });
    }

    fn ruled<T>(&self, node: &Node, value: T) -> Ruled<T> {
        Ruled { value, rule: self.rule(node.span) }
    }

    fn rule(&self, span: SourceSpan) -> RuleRef {
        let at = self.source.line_column(span.start);
        let written = self.source.text().get(span.start..span.end).unwrap_or("");
        // Rules are shown in one line of a message.
        let mut text: String = written.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().count() > 60 {
            text = text.chars().take(57).chain("...".chars()).collect();
        }
        RuleRef {
            source: Arc::from(self.source.name()),
            line: at.line,
            column: at.column,
            text: Arc::from(text),
        }
    }
}

fn limits(limits: &mut Limits, node: Option<&Node>) {
    let Some(node) = node else { return };
    let span = |key| member(node, key).and_then(|node| document::duration(text(node)));
    let size = |key| member(node, key).and_then(|node| document::size(text(node)));
    let count = |key| member(node, key).and_then(|node| text(node).parse::<u64>().ok());
    let time: Option<Duration> = span("time");
    *limits = Limits {
        time,
        output: size("output"),
        cpu: span("cpu"),
        memory: size("memory"),
        processes: count("processes"),
        open_files: count("openFiles"),
        file_size: size("fileSize"),
        disk: size("disk"),
        new_files: count("newFiles"),
    };
}

fn pairs(node: &Node) -> &[Pair] {
    match &node.value {
        Value::Map(pairs) => pairs,
        _ => &[],
    }
}

fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    pairs(node).iter().find(|pair| pair.key == key).map(|pair| &pair.value)
}

fn section<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    member(node, key)
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn items_of<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    member(node, key).map_or(&[], items)
}

fn text(node: &Node) -> &str {
    match &node.value {
        Value::Text(text) | Value::Number(text) => text,
        _ => "",
    }
}

fn flag(node: &Node, key: &str) -> Option<bool> {
    match member(node, key)?.value {
        Value::Bool(value) => Some(value),
        _ => None,
    }
}

/// As JSON. `numbers`: whether digits without quotes are a number (an owner's number is not).
fn json(node: &Node, numbers: bool) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(text) => match text.parse::<u64>() {
            Ok(number) if numbers => number.into(),
            _ => text.clone().into(),
        },
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(|item| json(item, numbers)).collect(),
        Value::Map(pairs) => {
            pairs.iter().map(|pair| (pair.key.clone(), json(&pair.value, numbers))).collect()
        }
    }
}
