//! Host names and addresses in one normal form.

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
            Ok(address) => Self::Address(canonical(address)),
            Err(_) => legacy_ipv4(bare).map_or_else(
                || Self::Name(bare.to_ascii_lowercase()),
                |address| Self::Address(address.into()),
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

    /// Whether a rule's host means it; `*.example.org` means every name beneath.
    pub(super) fn is_meant_by(&self, rule: &str) -> bool {
        match (self, rule.trim().strip_prefix("*.")) {
            (Self::Name(name), Some(domain)) => {
                let domain = domain.trim_end_matches('.').to_ascii_lowercase();
                *name != domain && is_or_beneath(name, &domain)
            }
            (Self::Address(_), Some(_)) => false,
            (_, None) => *self == Self::new(rule),
        }
    }
}

fn is_or_beneath(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The IPv4 address inside an IPv6 one that is only another way to write or reach it.
fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
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
