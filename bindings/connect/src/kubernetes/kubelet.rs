//! The kubelet of this node: all of its pods in one answer, and nothing asked of the API server.
//!
//! It is dialled at its address, and its certificate has to have the node's name: of the cluster's authorities, or of the
//! node's own (`/var/lib/kubelet/pki/kubelet.crt`), as most kubelets sign their own. So the token reaches this node only.

use super::access::{Access, AccessError};
use super::failure::{Right, SourceFailure};
use super::pace::TIMEOUT;
use super::pods::{LabelFilter, PodList, read_list};
use super::source::{Bounded, MAX_BODY, PodSource};
use super::{apiserver, kubelet_process, node_addresses};
use crate::http::peer::{Peer, PeerClient, PeerTrust};
use kepler_core::availability::{Remedy, Setting};
use kepler_core::directory::PodEntry;
use reqwest::Url;
use std::io::BufReader;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// The port of every kubelet.
const PORT: u16 = 10250;

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
    /// Where the kubelet's process had it.
    pub(super) of_process: Vec<PathBuf>,
    pub(super) insecure: bool,
    /// The host's procfs, whose first process sees the node's addresses.
    pub(super) procfs: PathBuf,
    pub(super) labels: LabelFilter,
    /// The connection, kept as long as it works, and what is shown and trusted on it.
    pub(super) client: Option<(PeerClient, Credentials, SocketAddr)>,
}

impl Kubelet {
    /// Where it may be: as stated; as the API server knows it; by its name; at one of the node's own addresses. All of
    /// them have to show the node's certificate.
    fn addresses(&self) -> Vec<SocketAddr> {
        if let Some(address) = &self.address {
            return resolve(address);
        }
        let mut found = apiserver::node_addresses(&self.access, &self.node).unwrap_or_default();
        let port = found.first().map_or(PORT, SocketAddr::port);
        found.extend(resolve(&self.node));
        found.extend(node_addresses::of(&self.procfs).into_iter().map(|address| SocketAddr::new(address, port)));
        let mut known = Vec::new();
        found.retain(|address| !known.contains(address) && (known.push(*address), true).1);
        found.truncate(MOST_ADDRESSES);
        found
    }

    /// The certificates to trust: those of the cluster and of this kubelet.
    fn authorities(&self) -> Vec<u8> {
        let mut pem = self.access.authorities.read().unwrap_or_default();
        for path in self.certificates.iter().chain(&self.of_process) {
            if let Ok(own) = super::access::Pem::File(path.clone()).read() {
                pem.push(b'\n');
                pem.extend(own);
            }
        }
        pem
    }

    fn identity(&self) -> Result<Option<ClientIdentity>, SourceFailure> {
        let unreadable = |error: AccessError| SourceFailure::new("credentials", error.to_string(), Remedy::None);
        let Some((certificate, key)) = &self.access.identity else { return Ok(None) };
        Ok(Some((certificate.read().map_err(unreadable)?, key.read().map_err(unreadable)?)))
    }

    fn connect(&self, credentials: Credentials, address: SocketAddr) -> Result<PeerClient, SourceFailure> {
        let Credentials { authorities, identity } = credentials;
        let trust = PeerTrust { authorities, identity, insecure: self.insecure };
        let client = trust.config().and_then(|tls| {
            let peer = Peer { tls, address: Some((self.node.clone(), address)) };
            PeerClient::new(peer, CONNECT_TIMEOUT)
        });
        client.map_err(|error| SourceFailure::new("credentials", error.to_string(), Remedy::None))
    }

    fn ask(&self, client: &PeerClient, address: SocketAddr) -> Result<Vec<PodEntry>, SourceFailure> {
        let auth = self.access.token.auth();
        let auth = auth.map_err(|error| SourceFailure::new("credentials", error.to_string(), Remedy::Wait))?;
        let text = format!("https://{}:{}/pods", self.node, address.port());
        let node = |_| {
            let reason = format!("`{}` is no name of a host", kepler_core::printable::line(&self.node));
            SourceFailure::new("node_name", reason, Remedy::CorrectSetting { setting: Setting::NodeName })
        };
        let url = Url::parse(&text).map_err(node)?;
        let answer = client.stream(&url, &auth, &[("accept", "application/json")], TIMEOUT);
        let answer = answer.map_err(|error| {
            let mut failure = SourceFailure::of(&error, &RIGHT);
            if failure.fault == "unreachable" {
                failure.reason = format!("{} (tried at {address})", failure.reason);
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
        // A kubelet that is started again is another process.
        if !self.looks_for_process || !answer.as_ref().is_err_and(|failure| failure.fault == "certificate") {
            return answer;
        }
        let trusted = self.authorities();
        let found = kubelet_process::certificates(&self.procfs);
        if !found.is_empty() {
            self.of_process = found;
        }
        if self.authorities() == trusted { answer } else { self.list_as_trusted() }
    }
}

impl Kubelet {
    /// Asks, trusting the certificates that are known by now.
    fn list_as_trusted(&mut self) -> Result<Vec<PodEntry>, SourceFailure> {
        let authorities = self.authorities();
        if authorities.iter().all(u8::is_ascii_whitespace) && !self.insecure {
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
        let credentials = Credentials { authorities, identity: self.identity()? };
        if let Some((client, known, address)) = self.client.take().filter(|(_, known, _)| *known == credentials) {
            let answer = self.ask(&client, address);
            let fault = answer.as_ref().err().map(|failure| failure.fault);
            if fault == Some("timeout") {
                // The next one is on another connection: this one may be dead.
                return answer;
            }
            // A server that refuses is there; a new connection would get the same answer.
            if !fault.is_some_and(|fault| matches!(fault, "unreachable" | "broken" | "certificate")) {
                self.client = Some((client, known, address));
                return answer;
            }
        }
        let mut first = None;
        for address in self.addresses() {
            let client = self.connect(credentials.clone(), address)?;
            match self.ask(&client, address) {
                Ok(pods) => {
                    self.client = Some((client, credentials, address));
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

/// The addresses of `host`, `host:port`, `1.2.3.4`, `fd00::1` or `[fd00::1]:10250`.
fn resolve(text: &str) -> Vec<SocketAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return vec![address];
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse() {
        return vec![SocketAddr::new(address, PORT)];
    }
    let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let found = if has_port { text.to_socket_addrs() } else { (text, PORT).to_socket_addrs() };
    found.map(Iterator::collect).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port_and_be_of_either_family() {
        let one = |text: &str| resolve(text).first().map(ToString::to_string);
        assert_eq!(one("10.88.0.1").as_deref(), Some("10.88.0.1:10250"));
        assert_eq!(one("10.88.0.1:1234").as_deref(), Some("10.88.0.1:1234"));
        assert_eq!(one("fd00::1").as_deref(), Some("[fd00::1]:10250"));
        assert_eq!(one("[fd00::1]").as_deref(), Some("[fd00::1]:10250"));
        assert_eq!(one("[fd00::1]:1234").as_deref(), Some("[fd00::1]:1234"));
        assert!(resolve("no such host").is_empty());
    }
}
