//! What is narrower for some of those who ask.
//!
//! A rule has a condition and a text that only restricts. A request gets the policy with the texts of every rule whose
//! condition holds in its context, so no context gives more than the policy itself.
//!
//! What is unknown counts as the least: unknown people as those who are known too, unknown conversations as groups and
//! channels, and a name that is missing as any name. What is only asserted adds rules and takes none away: whoever can
//! claim to be somebody else must not gain by it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use claw_wire::{Chat, Context, Identifier, Principal, Trust};

use crate::layer::Stated;
use crate::{Policy, RuleRef};

/// A rule about contexts.
#[derive(Clone, Debug)]
pub(crate) struct ContextRule {
    pub(crate) rule: RuleRef,
    pub(crate) when: When,
    pub(crate) narrow: Arc<Stated>,
}

/// A condition on a context: each part that is stated has to hold, by one of its values.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct When {
    pub(crate) host: Option<Vec<String>>,
    pub(crate) principal: Option<Vec<Who>>,
    pub(crate) chat: Option<Vec<Chat>>,
    pub(crate) channel: Option<Vec<String>>,
    pub(crate) session: Option<Vec<String>>,
    pub(crate) agent: Option<Vec<String>>,
}

/// Those who ask, and whoever is known less.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    /// Everybody.
    Owner,
    /// All but the owner.
    Known,
    /// Whom nobody knows.
    Unknown,
    /// This one, and whom nobody knows: it may be this one.
    Id(String),
}

/// The rules about contexts that hold in one; made by [`Policy::narrowing`].
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Narrowing(Vec<usize>);

impl Narrowing {
    /// Whether the policy holds as it is.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl Policy {
    /// Which of the rules about contexts hold in this one.
    #[must_use]
    pub fn narrowing(&self, context: &Context) -> Narrowing {
        let rules = self.contexts.iter().enumerate();
        Narrowing(rules.filter(|(_, rule)| rule.when.holds(context)).map(|(place, _)| place).collect())
    }

    /// The policy that holds under a narrowing of it. It is within this one.
    ///
    /// ```
    /// use claw_policy::{Expansion, Format, Layer, LayerKind, Source, compile};
    /// use claw_wire::{Chat, Context, Principal, Trust};
    ///
    /// let text = "contexts: [{ when: { chat: group }, narrow: { exec: { security: deny } } }]";
    /// let source = Source::new("policy.yaml", text, Format::Yaml);
    /// let policy = compile(&[Layer { source, kind: LayerKind::Named }], &Expansion::default()).unwrap();
    ///
    /// let nobody = Context::default();
    /// let owner = Context { principal: Principal::Owner, chat: Chat::Local, trust: Trust::Embedded, ..nobody.clone() };
    /// assert!(policy.narrowing(&owner).is_none());
    /// let narrowing = policy.narrowing(&nobody);
    /// assert_eq!(policy.narrowing_rules(&narrowing).next().unwrap().line, 1);
    /// let narrowed = policy.narrowed(&narrowing);
    /// # let _ = narrowed;
    /// ```
    #[must_use]
    pub fn narrowed(&self, narrowing: &Narrowing) -> Self {
        let rules = narrowing.0.iter().filter_map(|place| self.contexts.get(*place));
        let mut policy = self.clone();
        for rule in rules {
            policy = policy.restricted(&rule.narrow);
        }
        policy.contexts.clear();
        policy
    }

    /// The rules of a narrowing, in the order in which they stand.
    pub fn narrowing_rules(&self, narrowing: &Narrowing) -> impl Iterator<Item = &RuleRef> {
        narrowing.0.iter().filter_map(|place| self.contexts.get(*place)).map(|rule| &rule.rule)
    }
}

impl When {
    /// Whether it holds. What is only asserted is not believed where that would take a rule away.
    fn holds(&self, context: &Context) -> bool {
        if self.holds_for(context) {
            return true;
        }
        let nobody = || Context { host: context.host.clone(), ..Context::default() };
        context.trust == Trust::Asserted && self.holds_for(&nobody())
    }

    fn holds_for(&self, context: &Context) -> bool {
        is_one_of(self.host.as_deref(), context.host.as_ref())
            && self.principal.as_ref().is_none_or(|who| who.iter().any(|who| who.is(&context.principal)))
            && self.chat.as_ref().is_none_or(|chats| chats.iter().any(|chat| is_chat(*chat, context.chat)))
            && is_one_of(self.channel.as_deref(), context.channel.as_ref())
            && is_one_of(self.session.as_deref(), context.session.as_ref())
            && is_one_of(self.agent.as_deref(), context.agent.as_ref())
    }

    /// Whether every context in which `other` holds is one in which this holds: looked at part by part.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        fn each<T: PartialEq>(own: Option<&Vec<T>>, other: Option<&Vec<T>>) -> bool {
            own.is_none_or(|own| other.is_some_and(|other| other.iter().all(|value| own.contains(value))))
        }
        each(self.host.as_ref(), other.host.as_ref())
            && each(self.principal.as_ref(), other.principal.as_ref())
            && each(self.chat.as_ref(), other.chat.as_ref())
            && each(self.channel.as_ref(), other.channel.as_ref())
            && each(self.session.as_ref(), other.session.as_ref())
            && each(self.agent.as_ref(), other.agent.as_ref())
    }

    /// Whether no context can satisfy it.
    pub(crate) fn is_impossible(&self) -> bool {
        fn none<T>(values: Option<&Vec<T>>) -> bool {
            values.is_some_and(Vec::is_empty)
        }
        none(self.host.as_ref())
            || none(self.principal.as_ref())
            || none(self.chat.as_ref())
            || none(self.channel.as_ref())
            || none(self.session.as_ref())
            || none(self.agent.as_ref())
    }

    /// Whether every context satisfies it.
    pub(crate) fn is_certain(&self) -> bool {
        *self == Self::default()
    }
}

/// A name that is missing may be any; an empty list has none.
fn is_one_of(names: Option<&[String]>, name: Option<&Identifier>) -> bool {
    names.is_none_or(|names| match name {
        Some(name) => names.iter().any(|known| known == name.as_str()),
        None => !names.is_empty(),
    })
}

impl Who {
    fn is(&self, principal: &Principal) -> bool {
        match (self, principal) {
            (Self::Owner, _) | (_, Principal::Unknown) | (Self::Known, Principal::Known(_)) => true,
            (Self::Id(id), Principal::Known(known)) => id == known.as_str(),
            (Self::Known | Self::Unknown | Self::Id(_), _) => false,
        }
    }
}

/// An unknown conversation is one with many people.
fn is_chat(condition: Chat, chat: Chat) -> bool {
    condition == chat || (chat == Chat::Unknown && matches!(condition, Chat::Group | Chat::Channel))
}
