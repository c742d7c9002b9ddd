//! Where the system looks names up.
#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

const CONFIGURATION: &str = "/etc/resolv.conf";

/// The addresses of the name servers; none when the configuration is there and cannot be read.
pub(crate) fn resolvers() -> Vec<IpAddr> {
    resolvers_of(Path::new(CONFIGURATION))
}

fn resolvers_of(configuration: &Path) -> Vec<IpAddr> {
    match std::fs::read(configuration) {
        Ok(text) => configured(&String::from_utf8_lossy(&text)),
        // As the man page says, and so does what every resolver library does.
        Err(error) if error.kind() == io::ErrorKind::NotFound => configured(""),
        Err(_) => Vec::new(),
    }
}

// The name servers of resolv.conf(5).
fn configured(text: &str) -> Vec<IpAddr> {
    let servers = || text.lines().filter_map(server);
    if servers().next().is_none() {
        // "If no nameserver entries are present, the default is to use the name server on the local machine."
        return vec![Ipv4Addr::LOCALHOST.into()];
    }
    servers().flatten().collect()
}

// An address that cannot be read is nobody's, but an entry all the same.
fn server(line: &str) -> Option<Option<IpAddr>> {
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|word| *word == "nameserver")?;
    let bare = words.next()?.split('%').next()?;
    Some(bare.parse().ok().map(|address: IpAddr| address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_those_of_the_configuration() {
        let text = "# nameserver 9.9.9.9\n nameserver\t10.0.0.53 \nnameserver fe80::1%eth0\nnameserverx 1.1.1.1\nsearch x\n";
        let expected: Vec<IpAddr> = ["10.0.0.53", "fe80::1"].map(|text| text.parse().unwrap()).into();
        assert_eq!(configured(text), expected);
        assert_eq!(configured("search example.org\n"), [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        assert_eq!(configured("nameserver nonsense\n"), [] as [IpAddr; 0]);
    }

    #[test]
    fn a_configuration_that_cannot_be_read_names_nobody() {
        let directory = tempfile::tempdir().unwrap();
        // Reading a directory fails, whoever we are.
        assert_eq!(resolvers_of(directory.path()), [] as [IpAddr; 0]);
        let missing = directory.path().join("missing");
        assert_eq!(resolvers_of(&missing), [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        std::fs::write(&missing, b"nameserver 10.0.0.53 \xff\n").unwrap();
        assert_eq!(resolvers_of(&missing), [IpAddr::from([10, 0, 0, 53])]);
    }
}
