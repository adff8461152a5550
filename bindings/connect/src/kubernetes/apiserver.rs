//! The API server: this node's pods by list, and by watch what changes from then on.
//!
//! Asked with `fieldSelector=spec.nodeName=…`, from the server's cache (`resourceVersion=0`), compressed. A watch of each
//! node's agent is a load on the server; the kubelet is asked first unless that is wanted.

mod follow;
mod watch;

pub(super) use follow::{Followed, News, SILENCE, follow};
pub(super) use watch::{Collection, Event, WHOLE, Watched};

use super::access::{Access, AccessError};
use super::failure::{Right, SourceFailure};
use super::pace::TIMEOUT;
use super::pods::{LabelFilter, ListMetadata, Metadata, Pod, PodList, entry, read_list};
use super::source::{Bounded, MAX_BODY, PodSource};
use crate::http::peer::{Peer, PeerClient, PeerTrust};
use crate::http::{Auth, ClientOptions, HttpError, decompressed};
use kepler_core::availability::{Remedy, Setting};
use kepler_core::directory::PodEntry;
use reqwest::Url;
use serde::Deserialize;
use std::io::{BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const RIGHT: Right = Right { api_group: "", resource: "pods", verbs: &["list", "watch"] };

/// Pods a page of a list: a page of 500 has some 3 MB.
const PAGE: u32 = 500;

/// Asks the API server for the pods of a node.
pub(super) struct ApiServer {
    pub(super) access: Access,
    pub(super) node: String,
    pub(super) labels: LabelFilter,
    /// A watch that says nothing for so long is dead.
    pub(super) silence: Duration,
}

/// A connection to the API server.
pub(super) struct Connection {
    http: PeerClient,
    server: Url,
    access: Access,
}

impl Connection {
    pub(super) fn open(access: &Access) -> Result<Self, SourceFailure> {
        Connection::with_silence(access, SILENCE)
    }

    /// A connection on which a watch may be silent for so long.
    fn with_silence(access: &Access, silence: Duration) -> Result<Self, SourceFailure> {
        let refuse = |error: AccessError| {
            let remedy = Remedy::CorrectSetting { setting: Setting::Kubeconfig };
            SourceFailure::new("credentials", error.to_string(), remedy)
        };
        let mut server = access.server().map_err(refuse)?;
        let identity = match &access.identity {
            Some((certificate, key)) => Some((certificate.read().map_err(refuse)?, key.read().map_err(refuse)?)),
            None => None,
        };
        let authorities = access.authorities.read().map_err(refuse)?;
        let trust = PeerTrust { authorities, identity, insecure: access.insecure, ..PeerTrust::default() };
        let mut address = None;
        if let Some(name) = &access.server_name {
            let found = server.socket_addrs(|| None).ok().and_then(|found| found.first().copied());
            address = found.map(|found| (name.clone(), found));
            if server.set_host(Some(name)).is_err() {
                address = None;
            }
        }
        let http = trust.config().and_then(|tls| {
            PeerClient::of_streams(Peer { tls, address }, ClientOptions::default().connect_timeout, silence)
        });
        let http = http.map_err(|error| SourceFailure::new("credentials", error.to_string(), Remedy::None))?;
        Ok(Connection { http, server, access: access.clone() })
    }

    /// GET of a path and query; the answer's body, decompressed.
    pub(super) fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        accept: &'static str,
        timeout: Duration,
        right: &Right,
    ) -> Result<(Url, Box<dyn Read + Send>), SourceFailure> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let auth = self.auth()?;
        let headers = [("accept", accept), ("accept-encoding", "gzip")];
        let answer = self.http.stream(&url, &auth, &headers, timeout).map_err(|error| failure(&error, right))?;
        Ok((url, decompressed(answer)))
    }

    /// GET of something that does not end: what has come by then, decompressed.
    fn watch(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        accept: &'static str,
        right: &Right,
    ) -> Result<Box<dyn Read + Send>, SourceFailure> {
        let (mut url, auth) = (self.url(path), self.auth()?);
        url.query_pairs_mut().extend_pairs(query);
        let headers = [("accept", accept), ("accept-encoding", "gzip")];
        self.http.endless(&url, &auth, &headers).map(decompressed).map_err(|error| failure(&error, right))
    }

    /// POST of an object in JSON; the body of the answer.
    pub(super) fn post(
        &self,
        path: &[&str],
        body: &serde_json::Value,
        timeout: Duration,
        right: &Right,
    ) -> Result<(Url, Box<dyn Read + Send>), SourceFailure> {
        let (url, auth) = (self.url(path), self.auth()?);
        let headers = [("accept", WHOLE), ("accept-encoding", "gzip"), ("content-type", "application/json")];
        let body = body.to_string().into_bytes();
        let answer = self.http.post(&url, &auth, &headers, body, timeout).map_err(|error| failure(&error, right))?;
        Ok((url, decompressed(answer)))
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// The credentials, read again each time: tokens are replaced.
    fn auth(&self) -> Result<Auth, SourceFailure> {
        let auth = self.access.token.auth();
        auth.map_err(|error| SourceFailure::new("credentials", error.to_string(), Remedy::Wait))
    }
}

fn failure(error: &HttpError, right: &Right) -> SourceFailure {
    let mut failure = SourceFailure::of(error, right);
    if matches!(failure.fault, "unreachable" | "certificate") {
        let remedy = Remedy::CorrectSetting { setting: Setting::Kubeconfig };
        failure.remedy = Remedy::any([Remedy::Wait, remedy]);
    }
    failure
}

impl ApiServer {
    /// All pods of the node, with the moment of the cluster's history that the list shows.
    pub(super) fn list_pods(&self, connection: &Connection) -> Result<PodList, SourceFailure> {
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
            let (url, body) = connection.get(&["api", "v1", "pods"], &query, WHOLE, TIMEOUT, &RIGHT)?;
            let body = BufReader::with_capacity(64 << 10, Bounded::new(body, MAX_BODY));
            let page = read_list(body, &self.labels).map_err(|error| {
                let mut shown = url.clone();
                shown.set_query(None);
                SourceFailure::malformed(shown.as_str(), error)
            })?;
            all.pods.extend(page.pods);
            all.resource_version = page.resource_version;
            if page.next.is_empty() {
                return if all.pods.is_empty() { Err(self.no_pods()) } else { Ok(all) };
            }
            if page.next == next || all.pods.len() > super::pods::MOST_PODS {
                return Err(SourceFailure::new(
                    "malformed",
                    "the API server's list of pods does not end",
                    Remedy::Wait,
                ));
            }
            next = page.next;
        }
    }

    /// A node of another name has no pods either, and the API server says nothing about that.
    fn no_pods(&self) -> SourceFailure {
        let node = kepler_core::printable::line(&self.node);
        let reason = format!("the API server lists no pod on a node `{node}`: it has none, or has another name");
        SourceFailure::new("no_pods", reason, Remedy::CorrectSetting { setting: Setting::NodeName })
    }
}

impl Watched for Pod {
    fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    fn error(&self) -> (Option<&str>, Option<u16>) {
        (self.message.as_deref(), self.code)
    }
}

impl Followed for ApiServer {
    type Object = Pod;
    type Item = PodEntry;

    fn access(&self) -> &Access {
        &self.access
    }

    fn silence(&self) -> Duration {
        self.silence
    }

    fn collection(&self) -> Collection {
        Collection {
            path: ["api", "v1", "pods"].map(str::to_owned).to_vec(),
            selector: Some(("fieldSelector", format!("spec.nodeName={}", self.node))),
            accept: WHOLE,
            right: RIGHT,
        }
    }

    fn item(&self, pod: Pod) -> PodEntry {
        entry(pod, &self.labels)
    }

    fn list(&self, connection: &Connection) -> Result<(Vec<PodEntry>, String), SourceFailure> {
        self.list_pods(connection).map(|list| (list.pods, list.resource_version))
    }
}

impl PodSource for ApiServer {
    fn name(&self) -> &'static str {
        "apiserver"
    }

    fn list(&mut self) -> Result<Vec<PodEntry>, SourceFailure> {
        let connection = Connection::open(&self.access)?;
        match self.list_pods(&connection) {
            // The next page is not kept any more: from the start, once.
            Err(failure) if failure.fault == "expired" => Ok(self.list_pods(&connection)?.pods),
            other => Ok(other?.pods),
        }
    }
}

/// The answer to a list, as far as it is read.
#[derive(Deserialize)]
#[serde(bound = "T: Watched")]
struct Page<T> {
    #[serde(default)]
    metadata: ListMetadata,
    #[serde(default)]
    items: Option<Vec<T>>,
}

/// All objects of a collection, a page at a time, and the moment they show.
pub(super) fn list<T: Watched>(
    connection: &Connection,
    collection: &Collection,
) -> Result<(Vec<T>, String), SourceFailure> {
    let limit = PAGE.to_string();
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let mut query = collection.query();
        query.push(("limit", limit.as_str()));
        query.push(if next.is_empty() { ("resourceVersion", "0") } else { ("continue", next.as_str()) });
        let (mut url, body) =
            connection.get(&collection.segments(), &query, collection.accept, TIMEOUT, &collection.right)?;
        url.set_query(None);
        let body = BufReader::with_capacity(64 << 10, Bounded::new(body, MAX_BODY));
        let page: Page<T> =
            serde_json::from_reader(body).map_err(|error| SourceFailure::malformed(url.as_str(), error))?;
        all.extend(page.items.unwrap_or_default());
        let more = page.metadata.next.unwrap_or_default();
        if more.is_empty() {
            return Ok((all, page.metadata.resource_version.unwrap_or_default()));
        }
        if more == next || all.len() > super::pods::MOST_PODS {
            return Err(SourceFailure::new("malformed", format!("the list of {url} does not end"), Remedy::Wait));
        }
        next = more;
    }
}

/// Where the API server says that a node's kubelet is.
pub(super) fn node_addresses(access: &Access, node: &str) -> Result<Vec<SocketAddr>, SourceFailure> {
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
    let right = Right { api_group: "", resource: "nodes", verbs: &["get"] };
    let connection = Connection::open(access)?;
    let (url, body) = connection.get(&["api", "v1", "nodes", node], &[], WHOLE, Duration::from_secs(3), &right)?;
    let node: Node = serde_json::from_reader(BufReader::new(Bounded::new(body, 4 << 20)))
        .map_err(|error| SourceFailure::malformed(url.as_str(), error))?;
    let port =
        node.status.daemon_endpoints.and_then(|endpoints| endpoints.kubelet_endpoint).map_or(10250, |at| at.port);
    // Host names are among them, which are tried by themselves.
    let addresses = node.status.addresses.into_iter().filter_map(|known| known.address.parse::<IpAddr>().ok());
    Ok(addresses.map(|address| SocketAddr::new(address, port)).collect())
}
