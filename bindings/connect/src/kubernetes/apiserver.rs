//! The API server: this node's pods by list, and by watch what changes from then on.
//!
//! Asked with `fieldSelector=spec.nodeName=…`, from the server's cache (`resourceVersion=0`), compressed. A watch of each
//! node's agent is a load on the server; the kubelet is asked first unless that is wanted.

mod follow;
mod watch;

pub(super) use follow::{News, follow};
pub(super) use watch::Event;

use super::access::{Access, AccessError};
use super::pods::{LabelFilter, PodList, read_list};
use super::refusal::{Refusal, Right};
use super::source::{Bounded, MAX_BODY, PodSource, TIMEOUT};
use crate::http::tls::PeerTrust;
use crate::http::{Http, HttpError, HttpOptions, Peer};
use flate2::read::GzDecoder;
use kepler_core::availability::{Remedy, Setting};
use kepler_core::directory::PodEntry;
use reqwest::Url;
use reqwest::blocking::Response;
use serde::Deserialize;
use std::io::{BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const RIGHT: Right = Right { resource: "pods", verbs: &["list", "watch"] };

/// Pods a page of a list: a page of 500 has some 3 MB.
const PAGE: u32 = 500;

/// Asks the API server for the pods of a node.
pub(super) struct ApiServer {
    pub(super) access: Access,
    pub(super) node: String,
    pub(super) labels: LabelFilter,
}

/// A connection to the API server.
pub(super) struct Connection {
    http: Http,
    server: Url,
}

impl Connection {
    pub(super) fn open(access: &Access) -> Result<Self, Refusal> {
        let refuse = |error: AccessError| {
            let remedy = Remedy::CorrectSetting { setting: Setting::Kubeconfig };
            Refusal::new("credentials", error.to_string(), remedy)
        };
        let mut server = access.server().map_err(refuse)?;
        let identity = match &access.identity {
            Some((certificate, key)) => Some((certificate.read().map_err(refuse)?, key.read().map_err(refuse)?)),
            None => None,
        };
        let authorities = access.authorities.read().map_err(refuse)?;
        let trust = PeerTrust { authorities, identity, insecure: access.insecure };
        let mut address = None;
        if let Some(name) = &access.server_name {
            let found = server.socket_addrs(|| None).ok().and_then(|found| found.first().copied());
            address = found.map(|found| (name.clone(), found));
            if server.set_host(Some(name)).is_err() {
                address = None;
            }
        }
        let http = trust.config().and_then(|tls| Http::to_peer(HttpOptions::default(), Peer { tls, address }));
        let http = http.map_err(|error| Refusal::new("credentials", error.to_string(), Remedy::None))?;
        Ok(Connection { http, server })
    }

    /// GET of a path and query; the answer's body, decompressed.
    pub(super) fn get(
        &self,
        access: &Access,
        path: &[&str],
        query: &[(&str, &str)],
        timeout: Duration,
        right: &Right,
    ) -> Result<(Url, Box<dyn Read + Send>), Refusal> {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url.query_pairs_mut().extend_pairs(query);
        let auth = access.token.auth();
        let auth = auth.map_err(|error| Refusal::new("credentials", error.to_string(), Remedy::Wait))?;
        let headers = [("accept", "application/json"), ("accept-encoding", "gzip")];
        let answer = self.http.stream(&url, &auth, &headers, timeout).map_err(|error| refusal(&error, right))?;
        Ok((url, body(answer)))
    }
}

fn refusal(error: &HttpError, right: &Right) -> Refusal {
    let mut refusal = Refusal::of(error, right);
    if matches!(refusal.fault, "unreachable" | "certificate") {
        let remedy = Remedy::CorrectSetting { setting: Setting::Kubeconfig };
        refusal.remedy = Remedy::any([Remedy::Wait, remedy]);
    }
    refusal
}

fn body(answer: Response) -> Box<dyn Read + Send> {
    let is_compressed = answer.headers().get("content-encoding").is_some_and(|encoding| encoding == "gzip");
    if is_compressed { Box::new(GzDecoder::new(BufReader::new(answer))) } else { Box::new(answer) }
}

impl ApiServer {
    /// All pods of the node, with the moment of the cluster's history that the list shows.
    pub(super) fn list_pods(&self, connection: &Connection) -> Result<PodList, Refusal> {
        let selector = format!("spec.nodeName={}", self.node);
        let limit = PAGE.to_string();
        let (mut all, mut next) = (PodList::default(), String::new());
        loop {
            let mut query = vec![("fieldSelector", selector.as_str()), ("limit", limit.as_str())];
            if next.is_empty() {
                query.push(("resourceVersion", "0"));
            } else {
                query.push(("continue", next.as_str()));
            }
            let (url, body) = connection.get(&self.access, &["api", "v1", "pods"], &query, TIMEOUT, &RIGHT)?;
            let body = BufReader::with_capacity(64 << 10, Bounded::new(body, MAX_BODY));
            let page = read_list(body, &self.labels).map_err(|error| {
                let mut shown = url.clone();
                shown.set_query(None);
                Refusal::malformed(shown.as_str(), &error)
            })?;
            all.pods.extend(page.pods);
            all.resource_version = page.resource_version;
            if page.next.is_empty() {
                return Ok(all);
            }
            if page.next == next || all.pods.len() > super::pods::MOST_PODS {
                return Err(Refusal::new("malformed", "the API server's list of pods does not end", Remedy::Wait));
            }
            next = page.next;
        }
    }
}

impl PodSource for ApiServer {
    fn name(&self) -> &'static str {
        "apiserver"
    }

    fn list(&mut self) -> Result<Vec<PodEntry>, Refusal> {
        let connection = Connection::open(&self.access)?;
        match self.list_pods(&connection) {
            // The next page is not kept any more: from the start, once.
            Err(refusal) if refusal.fault == "expired" => Ok(self.list_pods(&connection)?.pods),
            other => Ok(other?.pods),
        }
    }
}

/// Where the API server says that a node's kubelet is.
pub(super) fn node_addresses(access: &Access, node: &str) -> Result<Vec<SocketAddr>, Refusal> {
    #[derive(Deserialize)]
    struct Node {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        #[serde(default)]
        addresses: Vec<Address>,
        #[serde(default)]
        daemon_endpoints: Option<Endpoints>,
    }
    #[derive(Deserialize)]
    struct Address {
        address: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Endpoints {
        #[serde(default)]
        kubelet_endpoint: Option<Endpoint>,
    }
    #[derive(Deserialize)]
    struct Endpoint {
        #[serde(rename = "Port")]
        port: u16,
    }
    let right = Right { resource: "nodes", verbs: &["get"] };
    let connection = Connection::open(access)?;
    let (url, body) = connection.get(access, &["api", "v1", "nodes", node], &[], Duration::from_secs(3), &right)?;
    let node: Node = serde_json::from_reader(BufReader::new(Bounded::new(body, 4 << 20)))
        .map_err(|error| Refusal::malformed(url.as_str(), &error))?;
    let port =
        node.status.daemon_endpoints.and_then(|endpoints| endpoints.kubelet_endpoint).map_or(10250, |at| at.port);
    // Host names are among them, which are tried by themselves.
    let addresses = node.status.addresses.into_iter().filter_map(|known| known.address.parse::<IpAddr>().ok());
    Ok(addresses.map(|address| SocketAddr::new(address, port)).collect())
}
