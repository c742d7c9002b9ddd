//! A policy in our own format, as OpenClaw's articles show it.

use claw_policy::{
    Diagnostic, Expansion, Layer, LayerKind, Source, SourceSpan, TreeNode, TreeValue, built_in, compile,
};

use crate::Import;
use crate::config::listed;
use crate::cursor::Cursor;
use crate::draft::{self, quoted, scalar};
use crate::report::{Fate, Report};

/// Sections that only a policy has.
const OURS: &str =
    "exec filesystem ownerNumbers rateLimit alerts retention environment limits enforcement workspace";
/// Sections that only OpenClaw's settings have.
const THEIRS: &str = "tools agents gateway channels models plugins";

/// Whether the text is a policy.
pub(crate) fn is_one(source: &Source, root: &TreeNode) -> bool {
    let members = Cursor::root(source, root).members();
    let any = |names| members.iter().any(|member| listed(names, member.name));
    !any(THEIRS) && (any(OURS) || source.format() == claw_policy::Format::Yaml)
}

/// Copies what is known.
pub(crate) fn import(source: &Source, root: &TreeNode) -> Result<Import, Vec<Diagnostic>> {
    let layers = [
        Layer { source: built_in(), kind: LayerKind::BuiltIn },
        Layer { source: source.clone(), kind: LayerKind::Named },
    ];
    let expansion = Expansion { home: Some("/".into()), cwd: "/".into(), ..Expansion::default() };
    let errors = compile(&layers, &expansion).err().unwrap_or_default();
    // What a name stands for is known where the policy is used.
    let errors = errors.into_iter().filter(|error| error.code != "policy.expansion");
    let (unknown, other): (Vec<_>, Vec<_>) = errors.partition(|error| error.code == "policy.unknown-key");
    if !other.is_empty() {
        return Err(other);
    }
    let unknown = unknown.iter().map(|error| error.span).collect();
    let mut copy = Copy { unknown, report: Report::default(), text: "# Imported.\n".to_owned() };
    copy.members(&Cursor::root(source, root), 0);
    Ok(Import { policy: copy.text, report: copy.report.sorted() })
}

struct Copy {
    unknown: Vec<SourceSpan>,
    report: Report,
    text: String,
}

impl Copy {
    fn members(&mut self, at: &Cursor<'_>, depth: usize) {
        for member in at.members() {
            if self.unknown.contains(&member.span()) {
                self.report.unknown(&member);
                continue;
            }
            let margin = "  ".repeat(depth);
            self.value(&member, &format!("{margin}{}:", scalar(member.name)), depth);
        }
    }

    /// Writes a value after `start`, its key or the dash of its list.
    fn value(&mut self, at: &Cursor<'_>, start: &str, depth: usize) {
        let from = draft::from(at);
        let margin = "  ".repeat(depth + 1);
        match &at.node.value {
            TreeValue::Map(entries) if !entries.is_empty() => {
                self.text.push_str(&format!("{start}\n"));
                self.members(at, depth + 1);
            }
            TreeValue::List(items) if !items.is_empty() => {
                self.text.push_str(&format!("{start} # {from}\n"));
                self.report.say(Fate::Mapped, at, "");
                at.items().iter().for_each(|item| self.value(item, &format!("{margin}-"), depth + 1));
            }
            value => {
                let written = match value {
                    TreeValue::Null => String::new(),
                    TreeValue::Bool(flag) => format!(" {flag}"),
                    TreeValue::Number(number) => format!(" {number}"),
                    TreeValue::Text(text) => format!(" {}", quoted(text)),
                    TreeValue::List(_) => " []".to_owned(),
                    TreeValue::Map(_) => " {}".to_owned(),
                };
                self.text.push_str(&format!("{start}{written} # {from}\n"));
                self.report.say(Fate::Mapped, at, "");
            }
        }
    }
}
