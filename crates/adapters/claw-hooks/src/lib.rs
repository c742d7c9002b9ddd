//! Hooks of agents' hosts, as data: what a host says before it uses a tool becomes requests, and a decision becomes the words
//! that this host takes for a no.
//!
//! A hook is an early and readable word, not a wall: the host may not ask, may not listen, and acts by itself. Every host goes
//! on when its hook fails in a way that it does not know, so the one thing that matters here is the form of a no. It was
//! seen in the hosts themselves: Claude Code 2.1.330, Codex 0.169.0 and Gemini CLI 0.61.0. Copilot CLI and Cursor are
//! written from their documentation.
#![forbid(unsafe_code)]

mod call;
mod patch;
mod reply;

use claw_wire::Identifier;

pub use call::{Call, Malformed, read};
pub use reply::{Reply, Surface, asks, failure, reply};

/// The most bytes of a host's message. A tool's whole input is in it, a written file too.
pub const MAX_INPUT: usize = 16 << 20;

/// A host whose hooks are known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Host {
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// Gemini CLI.
    GeminiCli,
    /// Copilot CLI; from its documentation.
    Copilot,
    /// Cursor; from its documentation.
    Cursor,
}

impl Host {
    /// Every host.
    pub const ALL: [Self; 5] = [Self::ClaudeCode, Self::Codex, Self::GeminiCli, Self::Copilot, Self::Cursor];

    /// The name in contexts and in tables of tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::GeminiCli => "gemini-cli",
            Self::Copilot => "copilot",
            Self::Cursor => "cursor",
        }
    }

    /// The host of a name on the command line.
    ///
    /// ```
    /// use claw_hooks::Host;
    ///
    /// assert_eq!(Host::of_name("claude"), Some(Host::ClaudeCode));
    /// assert_eq!(Host::of_name("gemini-cli"), Some(Host::GeminiCli));
    /// ```
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "claude" => Some(Self::ClaudeCode),
            "gemini" => Some(Self::GeminiCli),
            _ => Self::ALL.into_iter().find(|host| host.name() == name),
        }
    }

    fn identifier(self) -> Option<Identifier> {
        Identifier::new(self.name()).ok()
    }
}
