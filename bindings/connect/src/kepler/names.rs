//! Exporters behind a name: all of its addresses, looked up again and again.

use super::{KeplerView, Target};
use jiff::Timestamp;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(30);

/// Exporters behind a name, such as that of a headless Service: each of its addresses, of either family, is one.
///
/// A name does not identify nodes: one whose exporter has never answered is named by its address, and one whose address is gone
/// is known until its figures are forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedExporters {
    host: String,
    port: u16,
}

impl NamedExporters {
    /// The exporters at `HOST:PORT`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let wrong = || "it is HOST:PORT, such as kepler.kepler.svc:28282".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|&port| port > 0).ok_or_else(wrong)?;
        if host.is_empty() || host.contains(['/', '@', ':']) {
            return Err(wrong());
        }
        Ok(NamedExporters { host: host.to_owned(), port })
    }

    /// Has `view` poll those that are there, as they come and go, until what this gives is dropped. The first look is
    /// over when it returns.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn follow(self, view: Arc<KeplerView>) -> io::Result<NamedExportersFollower> {
        let (stop, stopped) = channel();
        self.look(&view);
        let look = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                self.look(&view);
            }
        };
        std::thread::Builder::new().name("kepler-names".into()).spawn(look)?;
        Ok(NamedExportersFollower { _stop: stop })
    }

    fn look(&self, view: &KeplerView) {
        match (self.host.as_str(), self.port).to_socket_addrs() {
            Ok(found) => view.list(self.targets(found), Timestamp::now()),
            Err(error) => {
                let reason = format!("`{}` has no address: {error}", kepler_core::printable::line(&self.host));
                tracing::warn!("exporters are not found: {reason}");
                view.not_listed("name", reason);
            }
        }
    }

    fn targets(&self, found: impl Iterator<Item = SocketAddr>) -> Vec<Target> {
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let target = |address: IpAddr| Target::new(&format!("http://{}", SocketAddr::new(address, self.port)));
        addresses.into_iter().filter_map(|address| target(address).ok()).map(Target::perhaps_known).collect()
    }
}

/// Stops looking when it is dropped.
#[derive(Debug)]
#[must_use = "the name is no longer looked up when this is dropped"]
pub struct NamedExportersFollower {
    _stop: Sender<()>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_port_and_each_address_counts_once() {
        for wrong in ["", "kepler", "kepler:", "kepler:0", "kepler:x", ":28282", "http://kepler:28282", "[::1]:28282"] {
            assert!(NamedExporters::new(wrong).is_err(), "{wrong}");
        }
        let named = NamedExporters::new("kepler.kepler.svc:28282").unwrap();
        let found = ["10.0.0.2:1", "10.0.0.1:1", "10.0.0.2:1", "[fd00::1]:1"].map(|text| text.parse().unwrap());
        let targets = named.targets(found.into_iter());
        let addresses: Vec<String> = targets.iter().map(Target::address).collect();
        let expected =
            ["http://10.0.0.1:28282/metrics", "http://10.0.0.2:28282/metrics", "http://[fd00::1]:28282/metrics"];
        assert_eq!(addresses, expected);
    }
}
