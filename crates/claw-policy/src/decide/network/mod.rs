//! Network requests: may this address be reached?
//!
//! Every layer must allow it. This machine and its network are closed unless a rule names them as a
//! host: a rule for a port, or `default: allow`, means the internet.

pub(crate) mod host;
#[cfg(test)]
mod tests;

use self::host::Host;
use crate::policy::{NetworkLayer, Ruled};
use crate::{
    Code, Decision, Denial, Grant, NetworkGrant, NetworkRequest, NetworkRule, Policy, Protocol, Reason,
    RuleRef,
};

pub(super) fn decide(policy: &Policy, request: &NetworkRequest) -> Decision {
    match judge(policy, request) {
        Ok(reasons) => Decision::Allow(Grant::Network(NetworkGrant { reasons })),
        Err(reasons) => Decision::Deny(Denial { reasons, commands: Vec::new() }),
    }
}

/// The reasons why the address may be reached, or why not.
pub(super) fn judge(policy: &Policy, request: &NetworkRequest) -> Result<Vec<Reason>, Vec<Reason>> {
    let host = request.host.as_deref().map(Host::new);
    let mut reasons = Vec::new();
    for layer in &policy.network {
        match by_layer(layer, request, host.as_ref()) {
            Some(rule) => reasons.push(allowed(request, rule)),
            None => return Err(vec![denied(request, host.as_ref())]),
        }
    }
    if reasons.is_empty() { Err(vec![denied(request, host.as_ref())]) } else { Ok(reasons) }
}

/// The rule that allows it (none for `default: allow`), or `None` when the layer does not.
fn by_layer<'a>(
    layer: &'a NetworkLayer,
    request: &NetworkRequest,
    host: Option<&Host>,
) -> Option<Option<&'a RuleRef>> {
    let rule = layer.allow.iter().find(|rule| matches(rule, request, host));
    if rule.is_some() {
        return Some(rule.map(|rule| &rule.rule));
    }
    (layer.default_allow && !host.is_some_and(Host::is_private)).then_some(None)
}

fn matches(rule: &Ruled<NetworkRule>, request: &NetworkRequest, host: Option<&Host>) -> bool {
    let rule = &rule.value;
    let host_matches = match (&rule.host, host) {
        (Some(named), Some(host)) => host.is_meant_by(named),
        // An unknown address is not the named one.
        (Some(_), None) => false,
        (None, Some(host)) => !host.is_private(),
        (None, None) => true,
    };
    host_matches
        && rule.protocol.is_none_or(|protocol| protocol == request.protocol)
        && rule.port.is_none_or(|port| port == request.port)
}

fn allowed(request: &NetworkRequest, rule: Option<&RuleRef>) -> Reason {
    let message = format!("{} may be reached", shown(request));
    let reason = Reason::new(Code::NetworkAllowed, message);
    rule.map_or(reason.clone(), |rule| reason.by(rule))
}

fn denied(request: &NetworkRequest, host: Option<&Host>) -> Reason {
    let protocol = name(request.protocol);
    let port = request.port;
    let (why, change) = match (host, &request.host) {
        (Some(host), Some(text)) if host.is_private() => (
            "is this machine or its network, and no rule names it",
            format!("add `{{ host: \"{text}\", port: {port}, protocol: {protocol} }}` to `network.allow`"),
        ),
        _ => (
            "is not in `network.allow`",
            format!("add `{{ port: {port}, protocol: {protocol} }}` to `network.allow`"),
        ),
    };
    Reason::new(Code::NetworkDenied, format!("{} {why}", shown(request))).with_change(change)
}

fn shown(request: &NetworkRequest) -> String {
    let (host, port) = (request.host.as_deref().unwrap_or("*"), request.port);
    format!("`{host}` port {port}/{}", name(request.protocol))
}

const fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// What every layer allows, as rules: empty is no network at all.
pub(super) fn rules(policy: &Policy) -> Vec<NetworkRule> {
    let mut layers = rules_by_layer(policy);
    let first = layers.next().unwrap_or_default();
    layers.fold(first, |left, right| {
        left.iter().flat_map(|left| right.iter().filter_map(|right| meet(left, right))).collect()
    })
}

/// What each layer allows.
pub(super) fn rules_by_layer(policy: &Policy) -> impl Iterator<Item = Vec<NetworkRule>> {
    policy.network.iter().map(layer_rules)
}

fn layer_rules(layer: &NetworkLayer) -> Vec<NetworkRule> {
    let any = NetworkRule { protocol: None, port: None, host: None };
    let named = layer.allow.iter().map(|rule| rule.value.clone());
    named.chain(layer.default_allow.then_some(any)).collect()
}

/// The rule that allows what both allow.
fn meet(left: &NetworkRule, right: &NetworkRule) -> Option<NetworkRule> {
    fn both<T: Clone + PartialEq>(left: &Option<T>, right: &Option<T>) -> Option<Option<T>> {
        match (left, right) {
            (Some(left), Some(right)) => (left == right).then(|| Some(left.clone())),
            (one, None) | (None, one) => Some(one.clone()),
        }
    }
    let host = match (&left.host, &right.host) {
        (Some(left), Some(right)) => Some(host::meet(left, right)?),
        // Without a host a rule means the internet.
        (Some(host), None) | (None, Some(host)) if host::is_never_public(host) => return None,
        (one, None) | (None, one) => one.clone(),
    };
    Some(NetworkRule {
        protocol: both(&left.protocol, &right.protocol)?,
        port: both(&left.port, &right.port)?,
        host,
    })
}

/// Whether the outer rule allows all that the inner one does.
pub(super) fn holds(outer: &NetworkRule, inner: &NetworkRule) -> bool {
    let host = match (&outer.host, &inner.host) {
        (None, None) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => host::meet(inner, outer).as_ref() == Some(inner),
        // Without a host a rule means the internet.
        (None, Some(inner)) => host::is_public(inner),
    };
    host && outer.protocol.is_none_or(|protocol| inner.protocol == Some(protocol))
        && outer.port.is_none_or(|port| inner.port == Some(port))
}
