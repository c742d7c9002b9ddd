//! The policy's judgement of the addresses that the processes of a run use.
#![forbid(unsafe_code)]

use std::net::{IpAddr, SocketAddr};

use claw_policy::{
    Code, Confinement, Decision, Denial, Facts, NetworkRequest, Policy, Protocol, Reason, Request,
};

use crate::supervisor::{NetworkAttempt, Purpose};

// The port of name servers.
const DNS: u16 = 53;

/// What a run may reach beside the policy's rules for addresses.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    // Over what its processes may be reached on loopback addresses.
    listening: Vec<Protocol>,
    // Where the system looks names up.
    resolvers: Vec<IpAddr>,
}

impl Reach {
    /// `resolvers` is where the system looks names up.
    pub(crate) fn new(confinement: &Confinement, resolvers: impl FnOnce() -> Vec<IpAddr>) -> Self {
        if confinement.network.is_empty() {
            return Self { listening: Vec::new(), resolvers: Vec::new() };
        }
        let protocols = [Protocol::Tcp, Protocol::Udp].into_iter();
        let listening = protocols.filter(|protocol| confinement.may_listen_on_loopback(*protocol)).collect();
        Self { listening, resolvers: resolvers() }
    }

    /// Judges an address.
    pub(crate) fn judge(&self, policy: &Policy, attempt: &NetworkAttempt) -> Result<(), Denial> {
        let NetworkAttempt { protocol, address, purpose, .. } = *attempt;
        if purpose == Purpose::Listen {
            let is_open = address.ip().to_canonical().is_loopback() && self.listening.contains(&protocol);
            return if is_open { Ok(()) } else { Err(cannot_listen(address)) };
        }
        let Err(denial) = ask(policy, protocol, address.port(), Some(address.ip())) else { return Ok(()) };
        // The system's configuration names its resolvers: a rule for their port means them too.
        let is_resolver = address.port() == DNS && self.resolvers.contains(&address.ip().to_canonical());
        if is_resolver && ask(policy, protocol, DNS, None).is_ok() { Ok(()) } else { Err(denial) }
    }

    /// Whether it is how resolver libraries ask the kernel for a route (RFC 6724): they connect UDP sockets to what
    /// TCP will be connected to, and send nothing.
    pub(crate) fn is_look_at_route(policy: &Policy, attempt: &NetworkAttempt) -> bool {
        let (ip, port) = (attempt.address.ip(), attempt.address.port());
        attempt.purpose == Purpose::Connect
            && attempt.protocol == Protocol::Udp
            && (port == 0 || ask(policy, Protocol::Tcp, port, Some(ip)).is_ok())
    }
}

// Addresses are decided without a look at any file.
fn ask(policy: &Policy, protocol: Protocol, port: u16, host: Option<IpAddr>) -> Result<(), Denial> {
    let request = NetworkRequest { protocol, port, host: host.map(|host| host.to_string()) };
    match claw_policy::decide(policy, &Facts::new(None), Request::Network(&request)) {
        Ok(Decision::Allow(_)) => Ok(()),
        Ok(Decision::Deny(denial)) => Err(denial),
        Ok(Decision::Ask(_)) | Err(_) => Err(crate::sandbox::unsettled()),
    }
}

fn cannot_listen(address: SocketAddr) -> Denial {
    let reason = Reason {
        code: Code::NetworkDenied,
        message: format!("nothing may listen on `{address}`").into(),
        rule: None,
        span: None,
        change: Some("add `{ host: loopback }` to `network.allow` to listen on 127.0.0.1 or ::1".to_owned()),
    };
    Denial { reasons: vec![reason], commands: Vec::new() }
}
