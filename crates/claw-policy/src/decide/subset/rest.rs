//! Network, environment, limits, and what enforcement may be missing.

use super::{Example, Excess, ExcessKind};
use crate::decide::{environment, network, tool};
use crate::policy::Ruled;
use crate::{NetworkRequest, NetworkRule, Policy, Protocol, RuleRef};

pub(super) fn excesses(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let mut excesses = connections(inner, outer);
    excesses.extend(variables(inner, outer));
    excesses.extend(limits(inner, outer));
    excesses.extend(tools(inner, outer));
    excesses.extend(records(inner, outer));
    if inner.secrets < outer.secrets {
        let excess = Excess::new("the runtime may read or write credentials (`secrets`)".to_owned());
        let rule = outer.places.keys.get("secrets");
        excesses.push(rule.map_or(excess.clone(), |rule| excess.outer(rule)));
    }
    let given_up = inner.floor.degrade.iter().filter(|guarantee| !outer.floor.degrade.contains(guarantee));
    excesses.extend(given_up.map(|guarantee| {
        Excess::new(format!("`{}` may be missing (`enforcement.degrade`)", guarantee.name()))
    }));
    excesses
}

/// By every layer of the outer policy: one layer of the inner one that lies within it is enough, or what all of them leave.
fn connections(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let own: Vec<_> = network::rules_by_layer(inner).chain([network::rules(inner)]).collect();
    let mut layers: Vec<_> = network::rules_by_layer(outer).collect();
    if layers.is_empty() {
        layers.push(Vec::new());
    }
    let mut exceeding: Vec<&NetworkRule> = Vec::new();
    for layer in &layers {
        let is_beyond = |rule: &&NetworkRule| !layer.iter().any(|outer| network::holds(outer, rule));
        let beyond = own.iter().map(|rules| rules.iter().filter(is_beyond).collect::<Vec<_>>());
        let least = beyond.min_by_key(Vec::len).unwrap_or_default();
        exceeding.extend(least.into_iter().filter(|rule| !exceeding.contains(rule)).collect::<Vec<_>>());
    }
    exceeding
        .into_iter()
        .map(|rule| Excess::new(format!("{} may be reached", shown(rule))).examples(requests(rule)))
        .collect()
}

fn shown(rule: &NetworkRule) -> String {
    let protocol = match rule.protocol {
        Some(Protocol::Tcp) => "/tcp",
        Some(Protocol::Udp) => "/udp",
        None => "",
    };
    let port = rule.port.map_or_else(|| "any port".to_owned(), |port| format!("port {port}"));
    rule.host
        .as_ref()
        .map_or_else(|| format!("{port}{protocol}"), |host| format!("`{host}`, {port}{protocol}"))
}

fn requests(rule: &NetworkRule) -> Vec<Example> {
    let hosts = match rule.host.as_deref() {
        // Addresses for no peer in particular: TEST-NET-like ones count as private, so a public resolver's.
        None => vec!["example.com".to_owned(), "8.8.8.8".to_owned()],
        Some(network::host::LOOPBACK) => vec!["127.0.0.1".to_owned()],
        Some(host) => vec![host.replace("*.", "x."), host.split('/').next().unwrap_or(host).to_owned()],
    };
    let protocols =
        rule.protocol.map_or_else(|| vec![Protocol::Tcp, Protocol::Udp], |protocol| vec![protocol]);
    let ports = rule.port.map_or_else(|| vec![9, 80, 443], |port| vec![port]);
    let mut requests = Vec::new();
    for host in &hosts {
        for &port in &ports {
            let request =
                |&protocol| Example::Network(NetworkRequest { protocol, port, host: Some(host.clone()) });
            requests.extend(protocols.iter().map(request));
        }
    }
    requests
}

/// Names that pass, by every list of the outer policy, and variables that the inner policy sets itself.
fn variables(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let is_within = |pattern: &str, list: &[Ruled<String>]| {
        list.iter().any(|own| match own.value.strip_suffix('*') {
            // What looks like a secret passes by its very name only.
            Some(_) if environment::is_secret(pattern.as_bytes()) => own.value == pattern,
            Some(prefix) => pattern.trim_end_matches('*').starts_with(prefix),
            None => own.value == pattern,
        })
    };
    let exceeding = |outer_list: &Vec<Ruled<String>>| {
        let own =
            inner.environment.pass.iter().map(|list| {
                list.iter().filter(|name| !is_within(&name.value, outer_list)).collect::<Vec<_>>()
            });
        own.min_by_key(Vec::len).unwrap_or_default()
    };
    let nothing = [Vec::new()];
    let lists = if outer.environment.pass.is_empty() { &nothing[..] } else { &outer.environment.pass };
    let passed = lists.iter().flat_map(exceeding).map(|name| {
        Excess::new(format!("`{}` passes", name.value))
            .inner(&name.rule)
            .examples([Example::Environment(name.value.replace('*', "X").into_bytes())])
    });
    let set = inner
        .environment
        .set
        .iter()
        .filter(|own| !outer.environment.set.iter().any(|other| other.value == own.value));
    let set = set.map(|own| Excess::new(format!("`{}` is set", own.value.0)).inner(&own.rule));
    passed.chain(set).collect()
}

/// Tools of every list of the inner policy that a list of the outer one does not have.
fn tools(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let exceeding = |outer: &Vec<Ruled<String>>| {
        let own = inner
            .tools
            .iter()
            .map(|list| list.iter().filter(|name| !tool::is_within(&name.value, outer)).collect::<Vec<_>>());
        own.min_by_key(Vec::len).unwrap_or_default()
    };
    let excess = |name: &Ruled<String>| {
        Excess::new(format!("the tool `{}` may be used", name.value))
            .inner(&name.rule)
            .examples([Example::Tool(name.value.replace('*', "x"))])
    };
    outer.tools.iter().flat_map(exceeding).map(excess).collect()
}

/// What the outer policy has recorded and the inner one has not. No request shows that: both answer alike.
fn records(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let (own, other) = (inner.logging(), outer.logging());
    let lost = [
        ("auditCommands", "commands are not recorded", other.audit_commands && !own.audit_commands),
        (
            "auditFileAccess",
            "what is done to files is not recorded",
            other.audit_file_access && !own.audit_file_access,
        ),
        (
            "auditFailure",
            "runs go on when nothing can be recorded",
            own.continue_without_log && !other.continue_without_log,
        ),
    ];
    let excess = |(key, message, _): (&str, &str, bool)| {
        let place = |policy: &Policy| policy.places.keys.get(&format!("logging.{key}")).cloned();
        Excess {
            kind: ExcessKind::Record,
            inner: place(inner),
            outer: place(outer),
            ..Excess::new(format!("{message} (`logging.{key}`)"))
        }
    };
    lost.into_iter().filter(|(.., is_lost)| *is_lost).map(excess).collect()
}

fn limits(inner: &Policy, outer: &Policy) -> Vec<Excess> {
    let (own, other) = (&inner.limits, &outer.limits);
    let nanoseconds = |time: Option<std::time::Duration>| time.map(|time| time.as_nanos());
    let bytes = |count: Option<u64>| count.map(u128::from);
    let pairs = [
        ("time", nanoseconds(own.time), nanoseconds(other.time)),
        ("cpu", nanoseconds(own.cpu), nanoseconds(other.cpu)),
        ("output", bytes(own.output), bytes(other.output)),
        ("memory", bytes(own.memory), bytes(other.memory)),
        ("processes", bytes(own.processes), bytes(other.processes)),
        ("openFiles", bytes(own.open_files), bytes(other.open_files)),
        ("fileSize", bytes(own.file_size), bytes(other.file_size)),
        ("disk", bytes(own.disk), bytes(other.disk)),
        ("newFiles", bytes(own.new_files), bytes(other.new_files)),
    ];
    let exceeding = pairs
        .into_iter()
        .filter(|(_, own, other)| other.is_some_and(|other| own.is_none_or(|own| own > other)));
    exceeding
        .map(|(name, ..)| {
            let excess = Excess::new(format!("more is left by `limits.{name}`"));
            place(outer, name).map_or(excess.clone(), |rule| excess.outer(rule))
        })
        .collect()
}

fn place<'p>(policy: &'p Policy, name: &str) -> Option<&'p RuleRef> {
    policy.places.keys.get(&format!("limits.{name}"))
}
