//! `openclaw.json` and the approvals document together.

use claw_policy::{Diagnostic, Source, TreeNode, TreeValue};

use crate::Import;
use crate::cursor::Cursor;
use crate::draft::{self, Draft, scalar};
use crate::exec::Exec;
use crate::report::{Fate, Report};
use crate::{approvals, sandbox};

/// Sections that are known and say nothing about commands and files.
const ELSEWHERE: &str = "acp approvals audio auth bindings broadcast browser canvasHost channels commands cron \
    diagnostics discovery env gateway hooks logging mcp media memory messages meta models nodeHost plugins proxy secrets \
    security session skills talk ui update web wizard $schema";

/// Keys of an agent that say nothing about commands and files.
const OF_AGENTS: &str = "agentDir avatar blockStreamingDefault bootstrapMaxChars compaction contextPruning contextTokens \
    default description elevatedDefault groupChat heartbeat id identity imageModel maxConcurrent mediaMaxMb memorySearch model \
    models name params repoRoot runtime skills skipBootstrap subagents thinkingDefault timeoutSeconds typingMode userTimezone \
    verboseDefault";

/// Sections of `tools` beside those that are translated.
const OF_TOOLS: &str = "agentToAgent alsoAllow byProvider codeMode elevated experimental links loopDetection media message \
    sandbox sessions sessions_spawn subagents toolsBySender toolSearch web";

type Document<'a> = Option<(&'a Source, &'a TreeNode)>;

pub(crate) fn import(
    config: Document<'_>,
    approvals: Document<'_>,
    agent: &str,
) -> Result<Import, Vec<Diagnostic>> {
    let (mut report, mut draft) = (Report::default(), Draft::default());
    let mut exec = Exec::default();
    let mut is_known = agent == "main";
    if let Some((source, node)) = config {
        let root = mapping(source, node)?;
        is_known |= read_config(&root, agent, &mut exec, &mut draft, &mut report)?;
    }
    if let Some((source, node)) = approvals {
        let root = mapping(source, node)?;
        is_known |= approvals::read(&root, agent, &mut exec, &mut report)?;
    }
    if let (false, Some((source, node))) = (is_known, config.or(approvals)) {
        let root = Cursor::root(source, node);
        return Err(root.fail("import.agent", &format!("no agent `{}`", crate::cursor::printable(agent))));
    }
    exec.draft(&mut draft, &mut report);
    let header = "# Imported from OpenClaw. The report of the import says what is missing here.\n";
    Ok(Import { policy: draft.text(header), report: report.sorted() })
}

fn mapping<'a>(source: &'a Source, node: &'a TreeNode) -> Result<Cursor<'a>, Vec<Diagnostic>> {
    let root = Cursor::root(source, node);
    match node.value {
        TreeValue::Map(_) => included(&root).map_or(Ok(root), |at| {
            Err(at.fail(
                "import.include",
                "what is included could restrict, and is not read; give the settings as one text",
            ))
        }),
        _ => Err(root.fail("import.shape", "not a mapping")),
    }
}

fn included<'a>(at: &Cursor<'a>) -> Option<Cursor<'a>> {
    let mut below = at.members();
    below.extend(at.items());
    below.into_iter().find_map(|below| if below.name == "$include" { Some(below) } else { included(&below) })
}

/// Whether the agent is known.
fn read_config<'a>(
    root: &Cursor<'a>,
    agent: &str,
    exec: &mut Exec<'a>,
    draft: &mut Draft,
    report: &mut Report,
) -> Result<bool, Vec<Diagnostic>> {
    let (mut levels, mut tools, mut is_known) = (Vec::new(), Vec::new(), false);
    for member in root.members() {
        match member.name {
            "tools" => tools.insert(0, member),
            "agents" => is_known = agents(&member, agent, &mut levels, report),
            name if listed(ELSEWHERE, name) => {
                report.lost(&member, "not about commands and files");
            }
            _ => report.unknown(&member),
        }
    }
    let mut sandboxes = Vec::new();
    for member in overlay(&levels, &["tools", "sandbox"], report) {
        match member.name {
            "tools" => tools.push(member),
            "sandbox" => sandboxes.push(member),
            "workspace" => {}
            name if listed(OF_AGENTS, name) => report.lost(&member, "not about commands and files"),
            _ => report.unknown(&member),
        }
    }
    let workspace = levels.iter().rev().find_map(|level| level.member("workspace"));
    let workspace = place_of_work(workspace, agent, draft, report);
    for section in &tools {
        read_tools(section, exec, report);
    }
    exec.read(&nested(&tools, "exec"), report);
    sandbox::read(&sandboxes, workspace.as_deref(), exec, draft, report);
    Ok(is_known)
}

/// Finds the levels that hold for the agent, the general one first.
fn agents<'a>(at: &Cursor<'a>, agent: &str, levels: &mut Vec<Cursor<'a>>, report: &mut Report) -> bool {
    let mut own = None;
    for member in at.members() {
        let entries = match member.name {
            "defaults" => {
                levels.insert(0, member);
                continue;
            }
            "entries" => member.members(),
            "list" => member.items(),
            _ => {
                report.unknown(&member);
                continue;
            }
        };
        for entry in entries {
            let id = entry.member("id").and_then(|id| id.text()).unwrap_or(entry.name);
            if id == agent {
                own = Some(entry);
            } else {
                report.lost(&entry, "another agent; import it by itself with --agent");
            }
        }
    }
    let is_known = own.is_some();
    levels.extend(own);
    is_known
}

/// States the workspace, and returns it as a policy writes it.
fn place_of_work(
    at: Option<Cursor<'_>>,
    agent: &str,
    draft: &mut Draft,
    report: &mut Report,
) -> Option<String> {
    let Some(at) = at else {
        if agent == "main" {
            draft.set("workspace", "~/.openclaw/workspace", "not stated: OpenClaw's default");
            report.unstated("agents.defaults.workspace", Fate::Mapped, "OpenClaw's default is stated");
            return Some("~/.openclaw/workspace".to_owned());
        }
        let message = "the directory in which a run starts is the workspace; state one";
        report.unstated("agents.defaults.workspace", Fate::Inexpressible, message);
        return None;
    };
    let path = path_of(&at, report)?;
    draft.set("workspace", scalar(&path), draft::from(&at));
    report.mapped(&at, "");
    Some(path)
}

/// A path that a policy can state; what cannot be one is reported.
pub(crate) fn path_of(at: &Cursor<'_>, report: &mut Report) -> Option<String> {
    let text = at.text().unwrap_or_default();
    let path = in_policy(text);
    if path.is_none() {
        report.lost(at, "not an absolute path without `..`");
    }
    path
}

/// An absolute path as a policy writes it.
pub(crate) fn in_policy(text: &str) -> Option<String> {
    let is_absolute = text.starts_with('/') || text.starts_with("~/") || text.starts_with("${");
    let is_odd = text.contains(['*', '?', '[', ']', '\\']) || text.chars().any(char::is_control);
    (is_absolute && !is_odd && !text.split('/').any(|part| part == "..")).then(|| expanded(text))
}

/// OpenClaw expands `${NAME}` in capitals only; a policy any name.
pub(crate) fn expanded(text: &str) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = part.split_once('}').map_or("", |(name, _)| name);
        let is_name = name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        // `$${` is an escape in both.
        let is_same = is_name || whole.ends_with('$');
        whole.push_str(if is_same { "${" } else { "$${" });
        whole.push_str(part);
    }
    whole
}

fn read_tools<'a>(at: &Cursor<'a>, exec: &mut Exec<'a>, report: &mut Report) {
    for member in at.members() {
        match member.name {
            "exec" => {}
            "fs" => read_fs(&member, report),
            "allow" | "deny" | "profile" => exec.read_tool_list(&member, report),
            name if listed(OF_TOOLS, name) => {
                report.lost(
                    &member,
                    "a policy speaks of commands and files, not of tools; keep it in OpenClaw",
                );
            }
            _ => report.unknown(&member),
        }
    }
}

fn read_fs(at: &Cursor<'_>, report: &mut Report) {
    for member in at.members() {
        match (member.name, member.flag()) {
            ("workspaceOnly", Some(true)) => {
                report.mapped(&member, "file tools keep to the workspace and the listed trees")
            }
            ("workspaceOnly", _) => {
                report.narrowed(&member, "file tools keep to the workspace; list more trees in filesystem")
            }
            _ => report.unknown(&member),
        }
    }
}

/// The members of all levels; of two with the same name the later holds, except for `kept`.
pub(crate) fn overlay<'a>(levels: &[Cursor<'a>], kept: &[&str], report: &mut Report) -> Vec<Cursor<'a>> {
    let mut members = Vec::new();
    for (place, level) in levels.iter().enumerate() {
        let later = levels.get(place + 1..).unwrap_or_default();
        for member in level.members() {
            let winner = later.iter().rev().find_map(|level| level.member(member.name));
            match winner.filter(|_| !kept.contains(&member.name)) {
                Some(winner) => report.mapped(&member, format!("replaced by {}", winner.key)),
                None => members.push(member),
            }
        }
    }
    members
}

pub(crate) fn nested<'a>(levels: &[Cursor<'a>], name: &str) -> Vec<Cursor<'a>> {
    levels.iter().filter_map(|level| level.member(name)).collect()
}

pub(crate) fn listed(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|known| known == name)
}
