//! The addresses of this node, as its first process sees them: a pod's own are others.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// A node with thousands of services has some hundred kilobytes of routes.
const LONGEST: u64 = 4 << 20;

/// Addresses in the network namespace of the first process of `procfs`, loopback last.
pub(super) fn of(procfs: &Path) -> Vec<IpAddr> {
    let read = |name: &str| {
        let mut text = String::new();
        let file = File::open(procfs.join("1/net").join(name)).ok()?;
        file.take(LONGEST).read_to_string(&mut text).ok()?;
        Some(text)
    };
    let mut found: Vec<IpAddr> = read("fib_trie").map(|text| v4(&text)).unwrap_or_default();
    found.extend(read("if_inet6").map(|text| v6(&text)).unwrap_or_default());
    found.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    found
}

/// Of `fib_trie`, the leaves that are `/32 host LOCAL`.
fn v4(text: &str) -> Vec<IpAddr> {
    let (mut found, mut leaf) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = leaf.filter(|address| !address.is_loopback()).map(IpAddr::V4)
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// Of `if_inet6`: address, interface number, prefix, scope (00 is global), flags, name.
fn v6(text: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let mut fields = line.split_whitespace();
        let (digits, scope) = (fields.next()?, fields.nth(2)?);
        let address = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32 && scope == "00")?;
        Some(IpAddr::V6(Ipv6Addr::from(address)))
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_addresses_are_read_from_its_first_process() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("1/net")).unwrap();
        assert_eq!(of(root.path()), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.88.0.0\n        /16 link UNICAST\n     |-- 10.88.0.1\n        \
                    /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\nLocal:\n     |-- 10.88.0.1\n        /32 host LOCAL\n";
        std::fs::write(root.path().join("1/net/fib_trie"), trie).unwrap();
        let inet6 = "00000000000000000000000000000001 01 80 10 80       lo\nfd000000000000000000000000000005 02 40 00 80     eth0\n\
                     fe800000000000000042acfffe110002 02 40 20 80     eth0\nodd\n";
        std::fs::write(root.path().join("1/net/if_inet6"), inet6).unwrap();
        let found: Vec<String> = of(root.path()).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.88.0.1", "fd00::5", "127.0.0.1"]);
    }
}
