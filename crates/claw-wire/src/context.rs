//! Who asks, from where, and how far that is to be believed.

use serde::{Deserialize, Serialize};

use crate::Identifier;
use crate::object::only_as_object;

/// On whose behalf a request is made.
///
/// The order is that of trust: [`Self::Unknown`] is the least.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Principal {
    /// Nobody said.
    #[default]
    Unknown,
    /// Somebody whom the host recognises: `channel:account:sender`, with the components escaped.
    Known(Identifier),
    /// The one whose machine, or assistant, it is.
    Owner,
}

/// What kind of conversation a request comes from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chat {
    /// Nobody said: treated like a group.
    #[default]
    Unknown,
    /// Several people, each of whom can speak to the agent.
    Group,
    /// A room that anybody may join or post to.
    Channel,
    /// A turn that a clock started: nobody is there.
    Scheduled,
    /// An agent that another agent started.
    SubAgent,
    /// One person.
    Direct,
    /// A person at this machine.
    Local,
}

impl Chat {
    /// Every kind, from the least.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Group,
        Self::Channel,
        Self::Scheduled,
        Self::SubAgent,
        Self::Direct,
        Self::Local,
    ];

    /// The name in messages and policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Group => "group",
            Self::Channel => "channel",
            Self::Scheduled => "scheduled",
            Self::SubAgent => "sub-agent",
            Self::Direct => "direct",
            Self::Local => "local",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|chat| chat.name() == name)
    }
}

/// How far a context is to be believed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Somebody says so: an environment variable, an argument, a hook's input, a message of an unknown client. The model
    /// may have written it, so it can only narrow.
    #[default]
    Asserted,
    /// A token of ours proves it.
    Signed,
    /// The process that embeds us, or the one that started us and holds our pipes, says so.
    Embedded,
}

/// How a person can be asked.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskSurface {
    /// Not at all.
    #[default]
    None,
    /// The host asks, in a way of its own that the model cannot answer.
    Inline,
    /// The broker's directory: `claw-sandbox approve`.
    Broker,
}

/// Who asks, from where, and how far that is to be believed. What is missing is unknown.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct Context {
    /// The program that the agent runs in (`claude-code`, `codex`, `gemini-cli`, `openclaw`, `zeroclaw`, `picoclaw`,
    /// `mcp:NAME`). It is the adapter's own name for its host, so it is believed under every [`Trust`]: an adapter
    /// never takes it from a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Identifier>,
    /// On whose behalf.
    pub principal: Principal,
    /// From what kind of conversation.
    pub chat: Chat,
    /// The network or room (`telegram`, `discord`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Identifier>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Identifier>,
    /// The agent, where a host has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Identifier>,
    /// The tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Identifier>,
    /// How far all of this is to be believed.
    pub trust: Trust,
    /// How a person can be asked.
    pub ask: AskSurface,
}

only_as_object!(Context);

impl Context {
    /// Nothing is known but the host.
    #[must_use]
    pub fn of_host(host: Identifier) -> Self {
        Self { host: Some(host), ..Self::default() }
    }

    /// The same, believed no further than `trust`. A sender's own word about its trust is worth what the way is worth
    /// on which it came: whoever receives a context caps it by that.
    #[must_use]
    pub fn at_most(mut self, trust: Trust) -> Self {
        self.trust = self.trust.min(trust);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_context_is_the_least_of_everything() {
        let context: Context = serde_json::from_str("{}").unwrap();
        assert_eq!(context, Context::default());
        assert_eq!(
            (context.principal, context.chat, context.trust, context.ask),
            (Principal::Unknown, Chat::Unknown, Trust::Asserted, AskSurface::None)
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for wrong in [
            r#"{"principle":"owner"}"#,
            r#"{"principal":"boss"}"#,
            r#"{"principal":{"known":""}}"#,
            r#"{"principal":{"owner":"x"}}"#,
            r#"{"principal":null}"#,
            r#"{"chat":"Group"}"#,
            r#"{"trust":"total"}"#,
            r#"{"session":7}"#,
            "[]",
            r#"["openclaw","owner"]"#,
            "null",
            r#"{"chat":"local","chat":"group"}"#,
        ] {
            assert!(serde_json::from_str::<Context>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_chats_are_those_on_the_wire() {
        for chat in Chat::ALL {
            assert_eq!(serde_json::to_value(chat).unwrap(), chat.name());
            assert_eq!(Chat::of_name(chat.name()), Some(chat));
        }
    }

    #[test]
    fn trust_can_be_lowered_and_not_raised() {
        for (said, way, left) in [
            (Trust::Embedded, Trust::Asserted, Trust::Asserted),
            (Trust::Asserted, Trust::Embedded, Trust::Asserted),
            (Trust::Signed, Trust::Embedded, Trust::Signed),
        ] {
            assert_eq!(Context { trust: said, ..Context::default() }.at_most(way).trust, left);
        }
    }
}
