//! `exec`: entries, matchers and argument rules.

use super::Stated;
use super::reader::Reader;
use super::tree::{flag, items, items_of, member, text};
use crate::document::{Node, Value};
use crate::policy::{ArgumentRule, Ask, Entry, ProgramMatcher, Ruled, Security};

impl Reader<'_> {
    pub(super) fn exec(&mut self, stated: &mut Stated, exec: Option<&Node>) {
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
        stated.trusted_dirs = member(exec, "trustedDirs")
            .map(|node| items(node).iter().filter_map(|item| self.path(item, None)).collect());
        stated.verify = flag(exec, "verify");
    }

    pub(super) fn entry(&mut self, node: &Node) -> Option<Ruled<Entry>> {
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
        let base = self.base.clone();
        let path = self.expanded(node, text, Some(&base))?;
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
}
