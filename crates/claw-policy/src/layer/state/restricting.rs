//! Whether a text that only restricts takes something away from a policy.

use super::Stated;
use crate::Policy;
use crate::layer::merge::stricter;
use crate::policy::{Ask, Descendants, Security};

impl Stated {
    /// Whether it asks about commands.
    pub(crate) fn asks(&self) -> bool {
        self.ask.as_ref().is_some_and(|ask| ask.value != Ask::Off)
    }

    pub(crate) fn restricts_exec(&self, policy: &Policy) -> bool {
        let ask = policy.exec.iter().map(|layer| layer.ask.value).max().unwrap_or(Ask::Off);
        let security = self.security.as_ref().map(|security| security.value);
        security == Some(Security::Deny)
            || (self.allowlist.is_some() && security != Some(Security::Full))
            || !self.deny.is_empty()
            || self.ask.as_ref().is_some_and(|stated| stated.value > ask)
            || self.inline_eval_denied.as_ref().is_some_and(Option::is_some)
            || self.trusted_dirs.as_ref().is_some_and(|dirs| {
                policy.trusted_dirs.iter().any(|trusted| !dirs.iter().any(|dir| dir.value == *trusted))
            })
            || (self.verify == Some(true) && !policy.verify)
            || (self.descendants == Some(Descendants::Strict) && policy.descendants != Descendants::Strict)
    }

    pub(crate) fn restricts_files(&self, policy: &Policy) -> bool {
        let executes = policy.files.iter().all(|layer| layer.workspace_exec);
        self.read_only.is_some()
            || self.writable.is_some()
            || !self.hidden.is_empty()
            || matches!(self.protected, Some(super::Protected::List(_) | super::Protected::Default(_)))
            || (self.workspace_exec == Some(false) && executes)
            || self.secrets.is_some_and(|secrets| secrets > policy.secrets)
    }

    pub(crate) fn restricts_rest(&self, policy: &Policy) -> bool {
        let states_network = self.network_default_allow.is_some() || self.network_allow.is_some();
        let has_network = policy.network.iter().all(|layer| layer.default_allow || !layer.allow.is_empty());
        (states_network && self.network_default_allow != Some(true) && has_network)
            || self.pass.is_some()
            || (self.tools.is_some() && policy.tools.iter().all(|layer| !layer.is_empty()))
            || (self.detach == Some(false) && policy.detach)
            || stricter(&self.limits, &policy.limits) != policy.limits
    }
}
