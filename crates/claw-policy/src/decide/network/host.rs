//! Host names and addresses in one normal form, and what a rule's host means.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host as it is compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Host {
    Address(IpAddr),
    /// Lower case, without the final dot.
    Name(String),
}

impl Host {
    pub(super) fn new(text: &str) -> Self {
        let text = text.trim().trim_end_matches('.');
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        // A zone (`fe80::1%eth0`) is not a part of the address.
        let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
        match bare.parse::<IpAddr>() {
            Ok(address) => Self::Address(reached(address)),
            Err(_) => legacy_ipv4(bare).map_or_else(
                || Self::Name(bare.to_ascii_lowercase()),
                |address| Self::Address(reached(address.into())),
            ),
        }
    }

    /// Whether it is this machine, its network, or an address that is for no peer on the internet.
    pub(super) fn is_private(&self) -> bool {
        match self {
            Self::Address(IpAddr::V4(address)) => is_private_v4(*address),
            Self::Address(IpAddr::V6(address)) => is_private_v6(*address),
            Self::Name(name) => {
                let inner = ["localhost", "local", "internal", "localdomain", "home.arpa"];
                inner.iter().any(|inner| is_or_beneath(name, inner))
            }
        }
    }

    /// Whether a rule's host means it.
    pub(super) fn is_meant_by(&self, rule: &str) -> bool {
        match (self, RuleHost::new(rule)) {
            (Self::Name(name), RuleHost::Loopback) => is_or_beneath(name, "localhost") || name == LOOPBACK,
            (Self::Address(address), RuleHost::Loopback) => address.is_loopback(),
            (Self::Name(name), RuleHost::Beneath(domain)) => *name != domain && is_or_beneath(name, &domain),
            (Self::Address(address), RuleHost::Network(network)) => network.contains(*address),
            (_, RuleHost::Beneath(_) | RuleHost::Network(_)) => false,
            (_, RuleHost::One(host)) => *self == host,
        }
    }
}

/// This machine, as a rule's host.
pub(crate) const LOOPBACK: &str = "loopback";

/// What a rule's host means.
#[derive(Clone, Debug, Eq, PartialEq)]
enum RuleHost {
    /// `loopback`, `localhost`: 127.0.0.0/8, `::1` and the names below `localhost` (RFC 6761).
    Loopback,
    /// `*.example.org`: every name beneath.
    Beneath(String),
    /// `192.0.2.0/24`.
    Network(Network),
    /// One name or address.
    One(Host),
}

impl RuleHost {
    fn new(text: &str) -> Self {
        let text = text.trim();
        if let Some(domain) = text.strip_prefix("*.") {
            return Self::Beneath(domain.trim_end_matches('.').to_ascii_lowercase());
        }
        if let Some(network) = Network::new(text) {
            return Self::Network(network);
        }
        match Host::new(text) {
            Host::Name(name) if name == LOOPBACK || name == "localhost" => Self::Loopback,
            host => Self::One(host),
        }
    }
}

/// Addresses with a common prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Network {
    base: IpAddr,
    prefix: u32,
}

impl Network {
    /// `192.0.2.0/24`, `2001:db8::/32`.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let (base, prefix) = text.split_once('/')?;
        let bare = base.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(base);
        let base: IpAddr = bare.parse().ok()?;
        let prefix =
            prefix.bytes().all(|byte| byte.is_ascii_digit()).then(|| prefix.parse().ok()).flatten()?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then_some(Self { base, prefix })
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix
            }
            // `::ffff:0:0/96` and what is inside of it.
            (IpAddr::V6(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_ipv6_mapped().to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        }
    }

    fn last(self) -> IpAddr {
        match self.base {
            IpAddr::V4(base) => {
                let rest = u32::MAX.checked_shr(self.prefix).unwrap_or(0);
                Ipv4Addr::from_bits(base.to_bits() | rest).into()
            }
            IpAddr::V6(base) => {
                let rest = u128::MAX.checked_shr(self.prefix).unwrap_or(0);
                Ipv6Addr::from_bits(base.to_bits() | rest).into()
            }
        }
    }

    fn is_within(self, other: Self) -> bool {
        self.prefix >= other.prefix
            && self.base.is_ipv4() == other.base.is_ipv4()
            && other.contains(self.base)
    }
}

/// Whether a rule's host can only be told by a name, which no packet shows.
pub(crate) fn is_name(rule: &str) -> bool {
    matches!(RuleHost::new(rule), RuleHost::Beneath(_) | RuleHost::One(Host::Name(_)))
}

/// Whether a rule's host can only be on the internet. Of a network of addresses nobody has looked at all of them.
pub(super) fn is_public(rule: &str) -> bool {
    match RuleHost::new(rule) {
        RuleHost::One(host) => !host.is_private(),
        RuleHost::Beneath(domain) => !Host::Name(domain).is_private(),
        RuleHost::Loopback | RuleHost::Network(_) => false,
    }
}

/// Whether nothing that a rule's host means is on the internet. Of a network that is so when its ends are not, and lie in one of
/// the blocks that are set aside, which begin with seven bits or more.
pub(super) fn is_never_public(rule: &str) -> bool {
    match RuleHost::new(rule) {
        RuleHost::Loopback => true,
        RuleHost::One(host) => host.is_private(),
        RuleHost::Beneath(domain) => Host::Name(domain).is_private(),
        RuleHost::Network(network) => {
            network.prefix >= 7
                && [network.base, network.last()].into_iter().all(|end| Host::Address(end).is_private())
        }
    }
}

/// The host that both rules mean: the narrower one, or none when neither holds the other.
pub(super) fn meet(left: &str, right: &str) -> Option<String> {
    if is_within(left, right) {
        return Some(left.to_owned());
    }
    is_within(right, left).then(|| right.to_owned())
}

fn is_within(inner: &str, outer: &str) -> bool {
    match (RuleHost::new(inner), RuleHost::new(outer)) {
        (RuleHost::One(host), _) => host.is_meant_by(outer),
        (RuleHost::Loopback, outer) => outer == RuleHost::Loopback,
        (RuleHost::Network(inner), RuleHost::Network(outer)) => inner.is_within(outer),
        (RuleHost::Network(inner), RuleHost::Loopback) => {
            let loopback = Network { base: Ipv4Addr::LOCALHOST.into(), prefix: 8 };
            inner.is_within(loopback) || (inner.prefix == 128 && inner.base.is_loopback())
        }
        (RuleHost::Network(_), _) => false,
        (RuleHost::Beneath(inner), RuleHost::Beneath(outer)) => is_or_beneath(&inner, &outer),
        (RuleHost::Beneath(inner), RuleHost::Loopback) => is_or_beneath(&inner, "localhost"),
        (RuleHost::Beneath(_), _) => false,
    }
}

fn is_or_beneath(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The address that the kernel reaches: the IPv4 one inside an IPv6 one that is only another way to write it, and
/// this machine for the unspecified one (`ip_route_output_key_hash_rcu`, `tcp_v6_connect`).
fn reached(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// `127.1`, `0x7f000001`, `0177.0.0.1`: what `inet_aton(3)` and so many programs accept.
fn legacy_ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, front) = parts.split_last()?;
    if front.len() > 3 || front.iter().any(|part| *part > 255) {
        return None;
    }
    let rest_bits = 32 - 8 * u32::try_from(front.len()).ok()?;
    if rest_bits < 32 && *last >> rest_bits != 0 {
        return None;
    }
    let high = front.iter().enumerate().map(|(place, part)| part << (24 - 8 * place)).sum::<u32>();
    Some(Ipv4Addr::from(high | last))
}

fn number(text: &str) -> Option<u32> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    if text.len() > 1 && text.starts_with('0') {
        return u32::from_str_radix(text, 8).ok();
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The special-purpose registry of RFC 6890 and multicast.
fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [a, b, .., y, z] = address.segments();
    let embedded =
        |high: u16, low: u16| is_private_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    // Loopback, unspecified and IPv4-compatible; unique local; link- and site-local; multicast.
    address.segments().iter().take(6).all(|segment| *segment == 0)
        || a & 0xfe00 == 0xfc00
        || a & 0xffc0 == 0xfe80
        || a & 0xffc0 == 0xfec0
        || a & 0xff00 == 0xff00
        // NAT64 (RFC 6052, RFC 8215) and 6to4 (RFC 3056) lead to an IPv4 address; Teredo hides one.
        || (a == 0x64 && b == 0xff9b && embedded(y, z))
        || (a == 0x2002 && embedded(b, address.segments().get(2).copied().unwrap_or(0)))
        || (a == 0x2001 && b == 0)
}
