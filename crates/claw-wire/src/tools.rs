//! Which tools of which host run commands or touch files, as data.
//!
//! A tool that is not in its host's table is opaque: it can be decided by its name, and by nothing else. A patch names its
//! files in its own text; who has one makes a file request of each.

/// What a host's tool does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ToolKind {
    /// Runs a command line.
    Exec,
    /// Reads a file.
    Read,
    /// Writes a whole file.
    Write,
    /// Changes a part of a file.
    Edit,
    /// Lists a directory, or looks for names in a tree.
    List,
    /// Looks into the contents of a tree.
    Search,
    /// Applies a patch that names its files itself.
    Patch,
}

/// How an entry of a table is known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Evidence {
    /// A call was captured from the real host.
    Captured,
    /// The host's published types declare it.
    Declared,
    /// Its documentation says so.
    Documented,
}

/// A host's tool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tool {
    /// The host's name for it.
    pub name: &'static str,
    /// What it does.
    pub kind: ToolKind,
    /// The argument that holds the command line, the path or the patch.
    pub argument: &'static str,
    /// Whether a call without that argument means the working directory.
    pub optional: bool,
    /// How this is known.
    pub evidence: Evidence,
}

/// A host's tools.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Host {
    /// The host's name in contexts.
    pub name: &'static str,
    /// The newest version that the table was compared with.
    pub version: &'static str,
    /// The tools that are more than a name.
    pub tools: &'static [Tool],
}

const fn tool(name: &'static str, kind: ToolKind, argument: &'static str, evidence: Evidence) -> Tool {
    Tool { name, kind, argument, optional: false, evidence }
}

const fn optional(tool: Tool) -> Tool {
    Tool { optional: true, ..tool }
}

use Evidence::{Captured, Declared, Documented};
use ToolKind::{Edit, Exec, List, Patch, Read, Search, Write};

const CLAUDE_CODE: Host = Host {
    name: "claude-code",
    version: "2.1.330",
    tools: &[
        tool("Bash", Exec, "command", Captured),
        tool("Monitor", Exec, "command", Declared),
        tool("PowerShell", Exec, "command", Declared),
        tool("Read", Read, "file_path", Declared),
        tool("Write", Write, "file_path", Declared),
        tool("Edit", Edit, "file_path", Declared),
        tool("NotebookEdit", Edit, "notebook_path", Declared),
        optional(tool("Glob", List, "path", Declared)),
        optional(tool("Grep", Search, "path", Declared)),
    ],
};

const CODEX: Host = Host {
    name: "codex",
    version: "0.169.0",
    tools: &[tool("Bash", Exec, "command", Captured), tool("apply_patch", Patch, "command", Captured)],
};

const GEMINI_CLI: Host = Host {
    name: "gemini-cli",
    version: "0.61.0",
    tools: &[
        tool("run_shell_command", Exec, "command", Captured),
        tool("write_file", Write, "file_path", Captured),
        tool("read_file", Read, "file_path", Documented),
        tool("replace", Edit, "file_path", Documented),
        tool("list_directory", List, "dir_path", Documented),
        optional(tool("glob", List, "dir_path", Documented)),
        optional(tool("grep_search", Search, "dir_path", Documented)),
    ],
};

// Its `exec` is JavaScript when the call is of kind `code_mode_exec`: the adapter makes that opaque.
const OPENCLAW: Host = Host {
    name: "openclaw",
    version: "2026.9.6",
    tools: &[
        tool("exec", Exec, "command", Captured),
        tool("read", Read, "path", Captured),
        tool("write", Write, "path", Captured),
        tool("edit", Edit, "path", Captured),
        optional(tool("ls", List, "path", Captured)),
        tool("apply_patch", Patch, "input", Captured),
    ],
};

const COPILOT: Host = Host {
    name: "copilot",
    version: "from its documentation",
    tools: &[
        tool("bash", Exec, "command", Documented),
        tool("view", Read, "path", Documented),
        tool("create", Write, "path", Documented),
        tool("edit", Edit, "path", Documented),
    ],
};

// The names are the adapter's own: its hooks are one for each kind of tool.
const CURSOR: Host = Host {
    name: "cursor",
    version: "from its documentation",
    tools: &[tool("shell", Exec, "command", Documented), tool("read_file", Read, "file_path", Documented)],
};

/// Every host that has a table.
pub const HOSTS: &[Host] = &[CLAUDE_CODE, CODEX, GEMINI_CLI, OPENCLAW, COPILOT, CURSOR];

/// What is known of a host's tool; `None`: it is opaque.
///
/// ```
/// use claw_wire::tools::{ToolKind, find};
///
/// assert_eq!(find("claude-code", "Bash").map(|tool| tool.kind), Some(ToolKind::Exec));
/// assert_eq!(find("claude-code", "bash"), None);
/// ```
#[must_use]
pub fn find(host: &str, tool: &str) -> Option<&'static Tool> {
    let host = HOSTS.iter().find(|known| known.name == host)?;
    host.tools.iter().find(|known| known.name == tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_an_identifier_and_stands_once() {
        for host in HOSTS {
            crate::Identifier::new(host.name).unwrap();
            for (place, tool) in host.tools.iter().enumerate() {
                crate::Identifier::new(tool.name).unwrap();
                assert!(!tool.argument.is_empty(), "{}", tool.name);
                assert!(host.tools[..place].iter().all(|other| other.name != tool.name), "{}", tool.name);
                assert_eq!(find(host.name, tool.name), Some(tool));
            }
        }
    }
}
