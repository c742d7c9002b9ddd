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

#[test]
fn hosts_may_be_loopback_and_networks_and_the_unspecified_address_is_this_machine() {
    let cases = [
        ("loopback", "127.0.0.1", true),
        ("loopback", "127.9.9.9", true),
        ("loopback", "::1", true),
        ("loopback", "::ffff:127.0.0.1", true),
        ("loopback", "0.0.0.0", true),
        ("loopback", "::", true),
        ("loopback", "::ffff:0.0.0.0", true),
        ("loopback", "localhost", true),
        ("localhost", "127.0.0.1", true),
        ("loopback", "10.0.0.1", false),
        ("loopback", "::2", false),
        ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "0.0.0.0", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("127.0.0.1", "::1", false),
        ("10.0.0.0/8", "10.255.255.255", true),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "127.0.0.1", false),
        ("10.1.2.3/0", "192.168.0.1", true),
        ("fd00::/8", "fd12::1", true),
        ("fd00::/8", "fe80::1", false),
        ("::/0", "10.0.0.1", true),
        ("0.0.0.0/0", "::1", false),
        ("192.0.2.1/32", "192.0.2.1", true),
    ];
    for (named, host, expected) in cases {
        let mut policy = policy("/w", &[], &[]);
        policy.network = vec![layer(false, vec![rule(None, None, Some(named))])];
        let judged = judge(&policy, &request(Protocol::Tcp, 80, Some(host)));
        assert_eq!(judged.is_ok(), expected, "{named} {host}");
    }
}

#[test]
fn a_rule_for_a_port_never_opens_this_machine_under_another_spelling() {
    let mut policy = policy("/w", &[], &[]);
    policy.network = vec![layer(true, vec![rule(None, Some(443), None)])];
    for host in [
        "0.0.0.0",
        "::",
        "0",
        "::ffff:0:0",
        "::ffff:7f00:1",
        "::127.0.0.1",
        "169.254.169.254",
        "fd00:ec2::254",
    ] {
        assert!(judge(&policy, &request(Protocol::Tcp, 443, Some(host))).is_err(), "{host}");
    }
}

#[test]
fn layers_meet_in_the_narrower_host() {
    let cases = [
        ("10.0.0.0/8", "10.1.0.0/16", Some("10.1.0.0/16")),
        ("10.1.2.3", "10.0.0.0/8", Some("10.1.2.3")),
        ("127.0.0.1", "loopback", Some("127.0.0.1")),
        ("127.0.0.0/16", "loopback", Some("127.0.0.0/16")),
        ("loopback", "localhost", Some("loopback")),
        ("*.a.example.org", "*.example.org", Some("*.a.example.org")),
        ("a.example.org", "*.example.org", Some("a.example.org")),
        ("10.0.0.0/8", "11.0.0.0/8", None),
        ("example.org", "*.example.org", None),
        ("0.0.0.0/0", "loopback", None),
    ];
    for (left, right, expected) in cases {
        assert_eq!(host::meet(left, right).as_deref(), expected, "{left} {right}");
        assert!(expected.is_none() || host::meet(right, left).is_some(), "{left} {right}");
    }
}

#[test]
fn a_layer_that_restricts_opens_nothing_inside_of_what_means_the_internet() {
    let any = || layer(true, Vec::new());
    for (host, is_left) in [
        ("loopback", false),
        ("localhost", false),
        ("127.0.0.1", false),
        ("printer.local", false),
        ("10.0.0.0/8", false),
        ("192.168.1.0/24", false),
        ("fd00::/8", false),
        ("example.org", true),
        ("8.8.8.8", true),
        ("8.8.8.0/24", true),
        // Both ends are for nobody, what lies between is the internet.
        ("0.0.0.0/1", true),
        ("::/0", true),
    ] {
        let named = || layer(false, vec![rule(Some(Protocol::Tcp), None, Some(host))]);
        for layers in [vec![any(), named()], vec![named(), any()]] {
            let mut policy = policy("/w", &[], &[]);
            policy.network = layers;
            assert_eq!(!rules(&policy).is_empty(), is_left, "{host}");
        }
    }
}

#[test]
fn rules_are_by_name_where_no_address_is_named() {
    for (named, expected) in [
        ("example.org", true),
        ("*.localhost", true),
        ("loopback", false),
        ("::1", false),
        ("10.0.0.0/8", false),
    ] {
        assert_eq!(rule(None, None, Some(named)).value.is_by_name(), expected, "{named}");
    }
    assert!(!rule(None, Some(443), None).value.is_by_name());
}
