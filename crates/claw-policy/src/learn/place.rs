//! Where in a policy's text something is added to a list.

use super::Item;
use crate::policy::Policy;
use crate::{Format, RuleRef, Source};

/// Lists with their keys.
type Lists = Vec<(String, Vec<Item>)>;

/// A text while it is changed.
#[derive(Debug)]
pub(super) struct Edited {
    source: Source,
    /// The lines, each with those that come after it. The first stands for what comes before all.
    lines: Vec<(String, Vec<String>)>,
    /// Sections that the text does not have, with their lists.
    sections: Vec<(String, Lists)>,
}

impl Edited {
    pub(super) fn new(source: &Source) -> Self {
        let text = source.text();
        let own = text.strip_suffix('\n').unwrap_or(text).split('\n').filter(|_| !text.is_empty());
        let own = own.map(|line| (line.to_owned(), Vec::new()));
        let lines = std::iter::once((String::new(), Vec::new())).chain(own).collect();
        Self { source: source.clone(), lines, sections: Vec::new() }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.source.name() == name
    }

    pub(super) fn name(&self) -> &str {
        self.source.name()
    }

    pub(super) fn before(&self) -> &str {
        self.source.text()
    }

    pub(super) fn is_changed(&self) -> bool {
        self.after() != self.before()
    }

    pub(super) fn after(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for (at, (line, after)) in self.lines.iter().enumerate() {
            lines.extend((at > 0).then(|| line.clone()));
            lines.extend_from_slice(after);
        }
        if self.is_block() {
            self.add_sections(&mut lines);
        } else if let Some(root) = lines.iter_mut().find(|line| line.trim_start().starts_with('{')) {
            let members = self.sections.iter().map(|(section, lists)| {
                let list = |(key, items): &(String, Vec<Item>)| format!("\"{key}\": [{}]", flow(items));
                format!(" \"{section}\": {{ {} }},", lists.iter().map(list).collect::<Vec<_>>().join(", "))
            });
            let at = root.find('{').map_or(0, |at| at + 1);
            let mut members: String = members.collect();
            if is_empty_mapping(self.before()) && members.ends_with(',') {
                members.pop();
            }
            root.insert_str(at, &members);
        }
        let text = lines.join("\n");
        if self.before().ends_with('\n') || self.before().is_empty() { text + "\n" } else { text }
    }

    fn add_sections(&self, lines: &mut Vec<String>) {
        for (section, lists) in &self.sections {
            lines.push(format!("{section}:"));
            for (key, items) in lists {
                lines.push(format!("  {key}:"));
                lines.extend(items.iter().map(|item| format!("    - {}", item.block)));
            }
        }
    }

    /// Whether the text is block-style YAML.
    fn is_block(&self) -> bool {
        let mut lines = self.before().lines().map(str::trim_start);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        self.source.format() == Format::Yaml && !first.is_some_and(|line| line.starts_with('{'))
    }

    /// Adds a list to a section that the text does not have.
    pub(super) fn add_section(&mut self, [section, key]: [&str; 2], items: &[Item]) {
        let list = (key.to_owned(), items.to_vec());
        match self.sections.iter_mut().find(|(known, _)| known == section) {
            Some((_, lists)) => lists.push(list),
            None => self.sections.push((section.to_owned(), vec![list])),
        }
    }

    /// Adds items to the list at `key`, of which `rules` are items.
    pub(super) fn insert(
        &mut self,
        policy: &Policy,
        key: [&str; 2],
        rules: &[&RuleRef],
        items: &[Item],
        left: &mut Vec<String>,
    ) {
        let own = rules.iter().filter(|rule| self.is(&rule.source) && rule.line > 0);
        let in_list = |rule: &&&RuleRef| key != ["filesystem", "writable"] || !self.is_workspace(rule);
        let last =
            own.filter(in_list).max_by_key(|rule| (rule.line, rule.column)).map(|rule| RuleRef::clone(rule));
        let done = match last {
            Some(rule) => self.after_item(&rule, items),
            None => self.as_list(policy, key, items),
        };
        if done.is_none() {
            let items = flow(items);
            let [section, list] = key;
            left.push(format!("add {items} to `{section}.{list}` in {} by hand", self.name()));
        }
    }

    /// The workspace is a writable root that stands under a key of its own.
    fn is_workspace(&self, rule: &RuleRef) -> bool {
        self.lines.get(rule.line).is_some_and(|(line, _)| {
            line.trim_start().trim_start_matches(['"', '{', ' ']).starts_with("workspace")
        })
    }

    fn after_item(&mut self, rule: &RuleRef, items: &[Item]) -> Option<()> {
        let (line, _) = self.lines.get(rule.line)?;
        let at = line.char_indices().nth(rule.column.checked_sub(1)?).map_or(line.len(), |(at, _)| at);
        let (before, rest) = line.split_at_checked(at)?;
        if before.trim() == "-" {
            let margin = indent(before);
            let end = self.end_of_block(rule.line, margin);
            let (_, after) = self.lines.get_mut(end)?;
            after.extend(items.iter().map(|item| format!("{}- {}", " ".repeat(margin), item.block)));
            return Some(());
        }
        let length = rest.starts_with(&*rule.text).then_some(rule.text.len())?;
        let added: String = items.iter().map(|item| format!(", {}", item.flow)).collect();
        self.lines.get_mut(rule.line)?.0.insert_str(at + length, &added);
        Some(())
    }

    /// The last line of an item of a block list whose `-` has this margin.
    fn end_of_block(&self, start: usize, margin: usize) -> usize {
        let mut end = start;
        for (at, (line, _)) in self.lines.iter().enumerate().skip(start + 1) {
            if line.trim().is_empty() {
                continue;
            }
            if indent(line) <= margin {
                break;
            }
            end = at;
        }
        end
    }

    /// A list that is empty or not there yet.
    fn as_list(&mut self, policy: &Policy, [section, key]: [&str; 2], items: &[Item]) -> Option<()> {
        let flow = flow(items);
        let place = |name: &str| policy.places.keys.get(name).filter(|rule| self.is(&rule.source)).cloned();
        if let Some(rule) = place(&format!("{section}.{key}")) {
            let (line, _) = self.lines.get_mut(rule.line)?;
            let at = line.find("[]")?;
            line.replace_range(at..at + 2, &format!("[{flow}]"));
            return Some(());
        }
        if let Some(rule) = place(section) {
            return self.in_section(&rule, key, items, &flow);
        }
        self.add_section([section, key], items);
        // Without a mapping there is no place for it in JSON.
        (self.is_block() || self.before().contains('{')).then_some(())
    }

    fn in_section(&mut self, rule: &RuleRef, key: &str, items: &[Item], flow: &str) -> Option<()> {
        let (line, _) = self.lines.get(rule.line)?;
        if !line.trim_end().ends_with(':') {
            let at = line.char_indices().nth(rule.column.checked_sub(1)?).map_or(0, |(at, _)| at);
            return self.open(rule.line, at, &format!("\"{key}\": [{flow}]"));
        }
        let mut below = self.lines.iter().skip(rule.line + 1).map(|(line, _)| line);
        let first = below.find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        let own = indent(line);
        let margin = first.map(|line| indent(line)).filter(|margin| *margin > own).unwrap_or(own + 2);
        let (_, after) = self.lines.get_mut(rule.line)?;
        after.push(format!("{}{key}:", " ".repeat(margin)));
        after.extend(items.iter().map(|item| format!("{}- {}", " ".repeat(margin + 2), item.block)));
        Some(())
    }

    /// Adds a member after the first `{` at or after `from` in a line.
    fn open(&mut self, line: usize, from: usize, member: &str) -> Option<()> {
        let (text, _) = self.lines.get(line)?;
        let at = from + text.get(from..)?.find('{')? + 1;
        let rest = text.get(at..)?;
        let next = self.lines.get(line + 1).map_or("", |(line, _)| line.trim_start());
        let is_empty =
            rest.trim_start().starts_with('}') || (rest.trim().is_empty() && next.starts_with('}'));
        let comma = if is_empty { "" } else { "," };
        self.lines.get_mut(line)?.0.insert_str(at, &format!(" {member}{comma}"));
        Some(())
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_empty_mapping(text: &str) -> bool {
    text.trim().strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('}'))
}

/// Items as they stand between brackets.
fn flow(items: &[Item]) -> String {
    items.iter().map(|item| item.flow.as_str()).collect::<Vec<_>>().join(", ")
}
