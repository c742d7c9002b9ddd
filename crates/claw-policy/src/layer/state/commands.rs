//! `exec`: entries, matchers and argument rules.

use super::reader::Reader;
use super::tree::{flag, items, items_of, member, pairs, text};
use super::{Stated, words};
use std::path::PathBuf;

use crate::document::{self, Entry as Pair, Node, Value};
use crate::policy::{ArgumentRule, Ask, Descendants, Entry, Part, ProgramMatcher, Ruled, Security};
use crate::profile;

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
            .map(|node| items(node).iter().flat_map(|item| self.entries(item)).collect());
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
            .map(|node| items(node).iter().filter_map(|item| self.trusted_dir(item)).collect());
        stated.verify = flag(exec, "verify");
        stated.descendants = member(exec, "descendants").map(|node| match text(node) {
            "system" => Descendants::System,
            _ => Descendants::Strict,
        });
        if let Some(node) = member(exec, "bundles") {
            stated.bundles = self.bundles(node);
        }
    }

    fn bundles(&mut self, node: &Node) -> Vec<(Vec<u8>, Vec<Ruled<Part>>)> {
        if self.restricts() && !pairs(node).is_empty() {
            let help = "state bundles in a policy that is named with --policy".to_owned();
            let message = "a user's or project's policy only restricts: it cannot state bundles".to_owned();
            self.error("policy.layer", node.span, message, Some(help));
        }
        let ruled = |reader: &mut Self, node: &Node| reader.part(node).map(|part| reader.ruled(node, part));
        let mut bundle = |pair: &Pair| {
            let parts = items(&pair.value).iter().filter_map(|item| ruled(self, item)).collect();
            (pair.key.as_bytes().to_vec(), parts)
        };
        pairs(node).iter().map(&mut bundle).collect()
    }

    fn part(&mut self, node: &Node) -> Option<Part> {
        let written = text(node).trim_end_matches('/');
        if !written.contains('/') && !written.starts_with('~') {
            let mut words = self.plain(node, words::split(written))?.into_iter().map(String::into_bytes);
            return Some(Part::Command { name: words.next()?, arguments: words.collect() });
        }
        let is_relative = !written.starts_with(['/', '~', '$']);
        if written.trim_matches(['*', '/', '.']).is_empty() {
            let help = "name a directory below it".to_owned();
            self.error("policy.path", node.span, format!("`{}` would be everything", text(node)), Some(help));
            return None;
        }
        if is_relative {
            if written.split('/').any(|name| name == "..") {
                let help = "write the directory that is meant".to_owned();
                let message = format!("`{}` leads out of the workspace", text(node));
                self.error("policy.path", node.span, message, Some(help));
                return None;
            }
            self.check_glob(node, written)?;
            return Some(Part::of_text(written));
        }
        if crate::pattern::is_magic(written) {
            let glob = self.expanded_glob(node, written)?;
            self.check_glob(node, &glob)?;
            return Some(Part::Glob(glob));
        }
        self.path(node, None).map(|path| Part::Path(path.value))
    }

    fn trusted_dir(&mut self, node: &Node) -> Option<Ruled<PathBuf>> {
        let path = self.path(node, None)?;
        if path.value.to_string_lossy().contains(':') {
            let message = format!("`{}` cannot stand in PATH", path.value.display());
            let help = "use a directory without a colon in its name".to_owned();
            self.error("policy.path", node.span, message, Some(help));
            return None;
        }
        Some(path)
    }

    /// The entry of an item; of the word `default` those of the built-in profile, each by that item.
    fn entries(&mut self, node: &Node) -> Vec<Ruled<Entry>> {
        if !matches!(&node.value, Value::Text(text) if text == profile::DEFAULT_ENTRIES) {
            return self.entry(node).map(|entry| self.ruled(node, entry)).into_iter().collect();
        }
        let Ok(profile) = document::read(&profile::built_in()) else { return Vec::new() };
        let items = member(&profile, "exec").map_or(&[][..], |exec| items_of(exec, "allowlist"));
        items.iter().filter_map(|item| self.entry(item).map(|entry| self.ruled(node, entry))).collect()
    }

    fn entry(&mut self, node: &Node) -> Option<Entry> {
        let (written, is_path) = match (member(node, "path"), member(node, "command")) {
            (Some(path), _) => (path, true),
            (_, Some(command)) => (command, false),
            _ => (node, false),
        };
        let (program, words) = if is_path {
            (self.program_glob(written, text(written))?, Vec::new())
        } else {
            self.command(written)?
        };
        let prefix = words.into_iter().map(String::into_bytes).collect();
        let allow = self.argument_rules(node, "allow");
        let deny = self.argument_rules(node, "deny");
        Some(Entry { program, prefix, allow, deny })
    }

    /// A program with its leading arguments.
    fn command(&mut self, node: &Node) -> Option<(ProgramMatcher, Vec<String>)> {
        let written = text(node);
        // Most entries are a plain name, and a profile has many.
        if is_plain_name(written) {
            return Some((ProgramMatcher::Name(written.as_bytes().to_vec()), Vec::new()));
        }
        // A path may hold references, which are no words of a shell; it ends at the first blank.
        let (first, rest) = written.trim().split_once([' ', '\t']).unwrap_or((written.trim(), ""));
        if first.contains("${") && first.contains('/') {
            let words = if rest.trim().is_empty() { Some(Vec::new()) } else { words::split(rest) };
            let words = self.plain(node, words)?;
            return Some((self.program_glob(node, first)?, words));
        }
        let mut words = self.plain(node, words::split(written))?;
        let first = if words.is_empty() { return None } else { words.remove(0) };
        Some((self.matcher(node, &first)?, words))
    }

    fn plain(&mut self, node: &Node, words: Option<Vec<String>>) -> Option<Vec<String>> {
        if words.is_none() {
            let help = "write a program and its leading arguments, without operators and expansions";
            let message = format!("`{}` is not a plain command", text(node));
            self.error("policy.command", node.span, message, Some(help.to_owned()));
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
        let glob = self.expanded_glob(node, text)?;
        self.check_glob(node, &glob)?;
        Some(ProgramMatcher::Path(glob))
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

/// Whether a text is one word of a shell in which nothing has a meaning.
fn is_plain_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain)
}
