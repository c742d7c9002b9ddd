use super::super::testing::{policy, ruled};
use super::*;

fn request(protocol: Protocol, port: u16, host: Option<&str>) -> NetworkRequest {
    NetworkRequest { protocol, port, host: host.map(str::to_owned) }
}

fn rule(protocol: Option<Protocol>, port: Option<u16>, host: Option<&str>) -> Ruled<NetworkRule> {
    ruled("rule", NetworkRule { protocol, port, host: host.map(str::to_owned) })
}

fn layer(default_allow: bool, allow: Vec<Ruled<NetworkRule>>) -> NetworkLayer {
    NetworkLayer { default_allow, allow }
}

#[test]
fn rules_by_port_protocol_and_host() {
    use Protocol::{Tcp, Udp};
    let mut policy = policy("/w", &[], &[]);
    policy.network = vec![layer(
        false,
        vec![
            rule(Some(Tcp), Some(443), None),
            rule(None, Some(8080), Some("localhost")),
            rule(None, None, Some("*.Example.org.")),
            rule(None, Some(53), Some("[::ffff:10.0.0.1]")),
        ],
    )];
    let cases = [
        (Tcp, 443, Some("api.github.com"), true),
        (Tcp, 443, None, true),
        (Udp, 443, Some("api.github.com"), false),
        (Tcp, 80, Some("api.github.com"), false),
        (Tcp, 443, Some("127.0.0.1"), false),
        (Tcp, 443, Some("LOCALHOST."), false),
        (Tcp, 443, Some("127.1"), false),
        (Tcp, 443, Some("0x7f000001"), false),
        (Tcp, 443, Some("2130706433"), false),
        (Tcp, 443, Some("::ffff:127.0.0.1"), false),
        (Tcp, 443, Some("[::1]"), false),
        (Tcp, 443, Some("169.254.169.254"), false),
        (Tcp, 443, Some("metadata.google.internal"), false),
        (Tcp, 443, Some("fe80::1%eth0"), false),
        (Tcp, 443, Some("64:ff9b::a9fe:a9fe"), false),
        (Tcp, 443, Some("2606:4700::1111"), true),
        (Tcp, 443, Some("8.8.8.8"), true),
        (Tcp, 8080, Some("localhost"), true),
        (Tcp, 22, Some("git.example.ORG"), true),
        (Tcp, 22, Some("example.org"), false),
        (Tcp, 22, Some("evilexample.org"), false),
        (Udp, 53, Some("10.0.0.1"), true),
        (Udp, 53, Some("10.0.0.2"), false),
    ];
    for (protocol, port, host, expected) in cases {
        assert_eq!(judge(&policy, &request(protocol, port, host)).is_ok(), expected, "{host:?} {port}");
    }
}

#[test]
fn every_layer_must_allow_and_none_is_no_network() {
    let mut policy = policy("/w", &[], &[]);
    let https = request(Protocol::Tcp, 443, Some("example.org"));
    assert!(judge(&policy, &https).is_err());
    policy.network = vec![layer(true, Vec::new()), layer(false, vec![rule(None, Some(443), None)])];
    assert!(judge(&policy, &https).is_ok());
    assert!(judge(&policy, &request(Protocol::Tcp, 80, Some("example.org"))).is_err());
    assert!(judge(&policy, &request(Protocol::Tcp, 443, Some("10.1.1.1"))).is_err());
    assert_eq!(rules(&policy), [NetworkRule { protocol: None, port: Some(443), host: None }]);
}
