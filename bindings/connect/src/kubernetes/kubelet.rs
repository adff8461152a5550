//! The kubelet of this node: all of its pods in one answer, and nothing asked of the API server.
//!
//! It is dialled at its address. Its certificate is the very one that it keeps on this node, or has the node's name or that
//! address and is of the cluster's authorities or the node's own (`/var/lib/kubelet/pki/kubelet.crt`, as most kubelets sign
//! their own). So the token reaches this node only.
//!
//! The certificate of a managed kubelet may have another name than the node: GKE's has the machine's name in full and its
//! addresses, that of a node named by its instance number (AWS) has the host's name and the addresses; older ones
//! of AKS have a common name only; and one that a kubelet signed itself is kept when it has expired, after a year (kubeadm issue 2186).

use super::access::{Access, AccessError};
use super::failure::{Right, SourceFailure};
use super::pace::TIMEOUT;
use super::pods::{LabelFilter, PodList, read_list};
use super::source::{Bounded, MAX_BODY, PodSource};
use super::{apiserver, certificates, kubelet_process, node_addresses};
use crate::http::peer::{Peer, PeerClient, PeerTrust};
use kepler_core::availability::{Remedy, Setting};
use kepler_core::directory::PodEntry;
use reqwest::Url;
use rustls::pki_types::ServerName;
use std::io::BufReader;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// The port of nearly every kubelet.
pub(super) const PORT: u16 = 10250;

/// Addresses that are tried, at most.
const MOST_ADDRESSES: usize = 12;

/// The node is one hop away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

const RIGHT: Right = Right { api_group: "", resource: "nodes/pods", verbs: &["get"] };

/// The certificate of a client, and its key.
type ClientIdentity = (Vec<u8>, Vec<u8>);

/// What a connection rests on, as the files have it now.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    authorities: Vec<u8>,
    /// The certificates that the kubelet keeps on this node.
    own: Vec<u8>,
    identity: Option<ClientIdentity>,
}

/// Asks the kubelet.
pub(super) struct Kubelet {
    pub(super) access: Access,
    /// The node's name, which the kubelet's certificate has.
    pub(super) node: String,
    /// `host` or `host:port`, if stated.
    pub(super) address: Option<String>,
    /// Where the kubelet's own certificate may be.
    pub(super) certificates: Vec<PathBuf>,
    /// Whether the kubelet's process may lead to it.
    pub(super) looks_for_process: bool,
    /// What the kubelet's process was last seen to have: its certificates, PEM.
    pub(super) of_process: Vec<u8>,
    /// Where it listens, if its address is stated without a port.
    pub(super) port: u16,
    pub(super) insecure: bool,
    /// The host's procfs, whose first process sees the node's addresses.
    pub(super) procfs: PathBuf,
    pub(super) labels: LabelFilter,
    /// The connection, kept as long as it works, and what is shown and trusted on it.
    pub(super) client: Option<(PeerClient, Credentials, Place)>,
}

/// Where the kubelet may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    address: SocketAddr,
    /// Whether the cluster or this node says that it is one of this node, and not only the name's resolution.
    is_nodes: bool,
}

impl Kubelet {
    /// Where it may be: as stated; as the API server knows it; by its name; at one of the node's own addresses. All of
    /// them have to show the node's certificate.
    fn places(&self) -> Vec<Place> {
        if let Some(stated) = &self.address {
            return places(resolve(stated, self.port), |_| literal(stated, self.port).is_some());
        }
        let mut found = apiserver::node_addresses(&self.access, &self.node).unwrap_or_default();
        let port = found.first().map_or(self.port, SocketAddr::port);
        let own = node_addresses::of(&self.procfs).into_iter().map(|address| SocketAddr::new(address, port));
        let own: Vec<SocketAddr> = own.collect();
        let of_node: Vec<SocketAddr> = found.iter().chain(&own).copied().collect();
        found.extend(resolve(&self.node, port));
        found.extend(own);
        let mut known = Vec::new();
        found.retain(|address| !known.contains(address) && (known.push(*address), true).1);
        found.truncate(MOST_ADDRESSES);
        places(found, |address| of_node.contains(address))
    }

    /// The certificates that the kubelet keeps on this node, as far as they are seen.
    fn own(&self) -> Vec<u8> {
        let files = self.certificates.iter().filter_map(|path| super::access::Pem::File(path.clone()).read().ok());
        let mut pem: Vec<u8> = files.flat_map(|file| certificates::of(&file)).collect();
        pem.extend_from_slice(&self.of_process);
        pem
    }

    fn identity(&self) -> Result<Option<ClientIdentity>, SourceFailure> {
        let unreadable = |error: AccessError| SourceFailure::new("credentials", error.to_string(), Remedy::None);
        let Some((certificate, key)) = &self.access.identity else { return Ok(None) };
        Ok(Some((certificate.read().map_err(unreadable)?, key.read().map_err(unreadable)?)))
    }

    fn connect(&self, credentials: Credentials, place: Place) -> Result<PeerClient, SourceFailure> {
        let Credentials { authorities, own, identity } = credentials;
        let trust = PeerTrust { authorities, own, names: self.names(place), identity, insecure: self.insecure };
        let client = trust.config().and_then(|tls| {
            let peer = Peer { tls, address: Some((self.node.clone(), place.address)) };
            PeerClient::new(peer, CONNECT_TIMEOUT)
        });
        client.map_err(|error| SourceFailure::new("credentials", error.to_string(), Remedy::None))
    }

    /// What a certificate of the cluster may be of: the node, or the node's address. The certificates of all kubelets of k3s are
    /// of 127.0.0.1 as well.
    fn names(&self, Place { address, is_nodes }: Place) -> Vec<ServerName<'static>> {
        let node = ServerName::try_from(self.node.clone()).ok();
        let address = Some(address.ip()).filter(|address| is_nodes && !address.is_loopback()).map(ServerName::from);
        node.into_iter().chain(address).collect()
    }

    /// By the node's name, as far as that is one of a host: what is told is about the node then. `10` and `node.1` are not.
    fn url(&self, place: Place) -> Result<Url, SourceFailure> {
        let named = Url::parse(&format!("https://{}:{}/pods", self.node, place.address.port())).ok();
        let named = named.filter(|url| url.domain().is_some_and(|name| name == self.node));
        let by_address = || Url::parse(&format!("https://{}/pods", place.address)).ok();
        let by_address = || by_address().filter(|_| !self.names(place).is_empty());
        named.or_else(by_address).ok_or_else(|| {
            let reason = format!("`{}` is no name of a host", kepler_core::printable::line(&self.node));
            SourceFailure::new("node_name", reason, Remedy::CorrectSetting { setting: Setting::NodeName })
        })
    }

    fn ask(&self, client: &PeerClient, place: Place) -> Result<Vec<PodEntry>, SourceFailure> {
        let auth = self.access.token.auth();
        let auth = auth.map_err(|error| SourceFailure::new("credentials", error.to_string(), Remedy::Wait))?;
        let url = self.url(place)?;
        let answer = client.stream(&url, &auth, &[("accept", "application/json")], TIMEOUT);
        let answer = answer.map_err(|error| {
            let mut failure = SourceFailure::of(&error, &RIGHT);
            if failure.fault == "unreachable" {
                failure.reason = format!("{} (tried at {})", failure.reason, place.address);
            }
            if failure.fault == "unauthorized" {
                failure
                    .reason
                    .push_str("; a kubelet with authentication.webhook.enabled: false knows no tokens at all");
            }
            failure
        })?;
        let PodList { pods, .. } =
            read_list(BufReader::with_capacity(64 << 10, Bounded::new(answer, MAX_BODY)), &self.labels)
                .map_err(|error| SourceFailure::malformed(url.as_str(), error))?;
        Ok(pods)
    }
}

impl PodSource for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn list(&mut self) -> Result<Vec<PodEntry>, SourceFailure> {
        let answer = self.list_as_trusted();
        let fault = answer.as_ref().err().map(|failure| failure.fault);
        if !self.looks_for_process || !matches!(fault, Some("certificate" | "unreachable")) {
            return answer;
        }
        // A kubelet that is started again is another process.
        let known = (self.own(), self.port);
        let found = kubelet_process::find(&self.procfs);
        if !found.certificates.is_empty() {
            self.of_process.clone_from(&found.certificates);
        }
        self.port = found.port.unwrap_or(self.port);
        let answer = if (self.own(), self.port) == known { answer } else { self.list_as_trusted() };
        answer.map_err(|failure| match (&failure.remedy, found.remedy()) {
            (Remedy::MountHostPath { .. }, Some(remedy)) => SourceFailure { remedy, ..failure },
            _ => failure,
        })
    }
}

impl Kubelet {
    /// Asks, trusting the certificates that are known by now.
    fn list_as_trusted(&mut self) -> Result<Vec<PodEntry>, SourceFailure> {
        let (authorities, own) = (self.access.authorities.read().unwrap_or_default(), self.own());
        if authorities.iter().chain(&own).all(u8::is_ascii_whitespace) && !self.insecure {
            let reason = "there is no certificate to trust a kubelet by: neither the cluster's nor this node's own";
            let remedy = Remedy::MountHostPath { path: "/var/lib/kubelet/pki/kubelet.crt".into() };
            return Err(SourceFailure::new("certificate", reason, remedy));
        }
        let unknown = || {
            let reason = format!(
                "the address of the kubelet of node `{}` is not known",
                kepler_core::printable::line(&self.node)
            );
            SourceFailure::new("unreachable", reason, Remedy::CorrectSetting { setting: Setting::KubeletAddress })
        };
        let credentials = Credentials { authorities, own, identity: self.identity()? };
        if let Some((client, known, place)) = self.client.take().filter(|(_, known, _)| *known == credentials) {
            let answer = self.ask(&client, place);
            let fault = answer.as_ref().err().map(|failure| failure.fault);
            if fault == Some("timeout") {
                // The next one is on another connection: this one may be dead.
                return answer;
            }
            // A server that refuses is there; a new connection would get the same answer.
            if !fault.is_some_and(|fault| matches!(fault, "unreachable" | "broken" | "certificate")) {
                self.client = Some((client, known, place));
                return answer;
            }
        }
        let mut first = None;
        for place in self.places() {
            let client = self.connect(credentials.clone(), place)?;
            match self.ask(&client, place) {
                Ok(pods) => {
                    self.client = Some((client, credentials, place));
                    return Ok(pods);
                }
                Err(failure) => {
                    // A server that answers is there: its answer is what has to be fixed.
                    let is_there = failure.fault != "unreachable";
                    if is_there || first.is_none() {
                        first = Some(failure);
                    }
                    if is_there {
                        break;
                    }
                }
            }
        }
        Err(first.unwrap_or_else(unknown))
    }
}

fn places(addresses: Vec<SocketAddr>, is_nodes: impl Fn(&SocketAddr) -> bool) -> Vec<Place> {
    addresses.into_iter().map(|address| Place { address, is_nodes: is_nodes(&address) }).collect()
}

/// The addresses of `host`, `host:port`, `1.2.3.4`, `fd00::1` or `[fd00::1]:10250`; at `port` if none is stated.
fn resolve(text: &str, port: u16) -> Vec<SocketAddr> {
    if let Some(address) = literal(text, port) {
        return vec![address];
    }
    let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let found = if has_port { text.to_socket_addrs() } else { (text, port).to_socket_addrs() };
    found.map(Iterator::collect).unwrap_or_default()
}

/// The address that a text is, if it is one and no name.
fn literal(text: &str, port: u16) -> Option<SocketAddr> {
    let without_port = || Some(SocketAddr::new(text.trim_matches(['[', ']']).parse().ok()?, port));
    text.parse().ok().or_else(without_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubelet(node: &str, address: &str) -> Kubelet {
        Kubelet {
            access: Access::default(),
            node: node.into(),
            address: Some(address.into()),
            certificates: Vec::new(),
            looks_for_process: false,
            of_process: Vec::new(),
            port: PORT,
            insecure: false,
            procfs: "/nonexistent".into(),
            labels: LabelFilter::default(),
            client: None,
        }
    }

    #[test]
    fn a_certificate_of_the_cluster_is_of_the_node_or_of_an_address_that_is_said_to_be_the_nodes() {
        let names = |node: &str, address: &str| {
            let kubelet = kubelet(node, address);
            let names = |place| kubelet.names(place).iter().map(|name| name.to_str().into_owned()).collect::<Vec<_>>();
            kubelet.places().into_iter().map(names).collect::<Vec<_>>()
        };
        assert_eq!(names("gke-a-ggs", "10.142.0.39"), [["gke-a-ggs", "10.142.0.39"]]);
        assert_eq!(names("node-a", "[fd00::1]:10255"), [["node-a", "fd00::1"]]);
        assert_eq!(names("10.176.48.78", "10.176.48.79"), [["10.176.48.78", "10.176.48.79"]]);
        assert_eq!(names("node.1", "10.0.0.1"), [["10.0.0.1"]], "no name of a host ends in a number");
        assert_eq!(names("node-a", "127.0.0.1:1"), [["node-a"]], "every node has this one");
        assert!(names("node-a", "localhost").iter().all(|names| names == &["node-a"]), "a name may lead anywhere");
    }

    #[test]
    fn a_node_is_asked_by_its_name_and_where_that_is_none_by_its_address() {
        let url = |node: &str, address: &str| {
            let kubelet = kubelet(node, address);
            kubelet.url(kubelet.places()[0]).map(|url| url.to_string()).map_err(|failure| failure.fault)
        };
        assert_eq!(url("node-a", "10.0.0.1").unwrap(), "https://node-a:10250/pods");
        // A URL with the host `10` is one of 0.0.0.10.
        for odd in ["10", "node.1", "10.176.48.78"] {
            assert_eq!(url(odd, "10.0.0.1").unwrap(), "https://10.0.0.1:10250/pods", "{odd}");
        }
        assert_eq!(url("node-a", "fd00::1").unwrap(), "https://node-a:10250/pods");
        assert_eq!(url("1", "fd00::1").unwrap(), "https://[fd00::1]:10250/pods");
        assert_eq!(url("no such host", "127.0.0.1"), Err("node_name"));
    }

    #[test]
    fn an_address_may_have_a_port_and_be_of_either_family() {
        let one = |text: &str| resolve(text, PORT).first().map(ToString::to_string);
        assert_eq!(one("10.88.0.1").as_deref(), Some("10.88.0.1:10250"));
        assert_eq!(one("10.88.0.1:1234").as_deref(), Some("10.88.0.1:1234"));
        assert_eq!(one("fd00::1").as_deref(), Some("[fd00::1]:10250"));
        assert_eq!(one("[fd00::1]").as_deref(), Some("[fd00::1]:10250"));
        assert_eq!(one("[fd00::1]:1234").as_deref(), Some("[fd00::1]:1234"));
        assert!(resolve("no such host", PORT).is_empty());
    }
}
