//! Addresses to listen at, as Go writes them: `host:port`, `[v6]:port`, `:port`.

use super::raw_setting::{Problem, Value};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    /// A name or a number; empty for all interfaces.
    host: String,
    port: u16,
}

impl ListenAddress {
    /// Reachable from this machine only.
    pub(crate) fn local(port: u16) -> Self {
        ListenAddress { host: Ipv4Addr::LOCALHOST.to_string(), port }
    }

    /// Reachable at all addresses of this machine.
    pub(crate) fn everywhere(port: u16) -> Self {
        ListenAddress { host: String::new(), port }
    }

    /// Reads `host:port`, `[v6]:port` or `:port`. Port 0 lets the kernel choose a free one.
    pub(crate) fn parse(value: &Value) -> Result<Self, Problem> {
        let text = &value.text;
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(value
                .problem(format_args!("`{text}` lacks a port; write `{text}:28282`, or `:28282` for all interfaces")));
        };
        let Ok(port) = port.parse() else {
            return Err(value.problem(format_args!("`{text}`: the port `{port}` is not a number of 0 to 65535")));
        };
        let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(Some(v6)) if v6.parse::<Ipv6Addr>().is_ok() => v6,
            None if !host.contains(':') => host,
            _ => return Err(value.problem(format_args!("`{text}`: an IPv6 address is written as `[::1]:28282`"))),
        };
        Ok(ListenAddress { host: host.to_owned(), port })
    }

    /// The addresses to bind, of which the first that can be is enough.
    ///
    /// # Errors
    /// When the host's name is not known.
    pub(crate) fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        if self.host.is_empty() {
            // On Linux `[::]` takes IPv4 connections as well, unless IPv6 or that is switched off.
            return Ok(vec![(Ipv6Addr::UNSPECIFIED, self.port).into(), (Ipv4Addr::UNSPECIFIED, self.port).into()]);
        }
        let mut addresses: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        // As Go does for a name that has both.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        Ok(addresses)
    }

    /// The name or number, as a URL has it; none for all interfaces.
    pub(crate) fn host(&self) -> Option<String> {
        match self.host.as_str() {
            "" | "0.0.0.0" | "::" => None,
            v6 if v6.contains(':') => Some(format!("[{v6}]")),
            host => Some(host.to_owned()),
        }
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ListenAddress, Problem> {
        ListenAddress::parse(&Value::new(text, "flag `--web.listen-address`"))
    }

    #[test]
    fn every_form_that_go_takes_is_taken() {
        for text in [":28282", "localhost:8080", "0.0.0.0:9090", "[::1]:28282", "node-1.example:1"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_port_alone_means_all_interfaces() {
        let addresses = parse(":28282").unwrap().resolve().unwrap();
        assert_eq!(addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["[::]:28282", "0.0.0.0:28282"]);
    }

    #[test]
    fn what_cannot_be_an_address_is_refused_with_the_right_form() {
        let cases = [
            ("28282", "`28282` lacks a port; write `28282:28282`, or `:28282` for all interfaces"),
            ("localhost", "lacks a port"),
            ("localhost:http", "the port `http` is not a number of 0 to 65535"),
            (":65536", "the port `65536` is not"),
            ("::1:28282", "an IPv6 address is written as `[::1]:28282`"),
            ("[::1:28282", "an IPv6 address"),
            ("", "lacks a port"),
        ];
        for (text, expected) in cases {
            let problem = parse(text).unwrap_err().to_string();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }
}
