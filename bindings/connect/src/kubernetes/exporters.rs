//! The exporters of a cluster: the endpoints of their Service, by a watch on its `EndpointSlice`s.
//!
//! One list and one watch, whatever the number of nodes: an update is some kilobytes for each hundred endpoints. It needs the
//! right to `list` and `watch` `endpointslices` in the Service's namespace. Endpoints that are not ready are exporters
//! all the same, of which it is said why they do not answer.

use super::access::{Access, bracketed};
use super::apiserver::{self, Collection, Connection, Event, Followed, News, WHOLE, Watched};
use super::failure::{Right, SourceFailure};
use super::pods::Metadata;
use crate::kepler::{KeplerView, Target};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const RIGHT: Right = Right { api_group: "discovery.k8s.io", resource: "endpointslices", verbs: &["list", "watch"] };

/// Which exporters are looked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exporters {
    /// How the cluster is reached.
    pub access: Access,
    /// The namespace of their Service.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// The name or number of its port; else `https`, `http`, or the first one.
    pub port: Option<String>,
}

impl Exporters {
    /// The exporters behind a Service.
    pub fn new(access: Access, namespace: impl Into<String>, service: impl Into<String>) -> Self {
        Exporters { access, namespace: namespace.into(), service: service.into(), port: None }
    }

    /// Has `view` poll those that are there, as they come and go, until what this gives is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn follow(self, view: Arc<KeplerView>) -> io::Result<ExportersFollower> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let follow = move || {
            let mut slices: HashMap<String, Slice> = HashMap::new();
            // What was last complained about, so that it is said once.
            let mut said: Option<String> = None;
            let hear = |news: News<Slice>| {
                match news {
                    News::List(list) => slices = list.into_iter().map(|slice| (slice.uid(), slice)).collect(),
                    News::Event(Event::Present(slice)) => {
                        slices.insert(slice.uid(), *slice);
                    }
                    News::Event(Event::Gone(uid)) => {
                        slices.remove(&uid);
                    }
                    News::Event(Event::Bookmark(_)) => {}
                    News::Refused(refusal) => {
                        let unavailable = refusal.clone().unavailable("endpointslices");
                        let text = format!("{}; {}", unavailable.reason, unavailable.remedy);
                        if said.as_ref() != Some(&text) {
                            tracing::warn!("exporters are not found: {text}");
                        }
                        said = Some(text);
                        view.not_listed(refusal.fault, refusal.reason);
                        return true;
                    }
                }
                said = None;
                view.list(self.targets(slices.values()), Timestamp::now());
                true
            };
            apiserver::follow(&self, hear, &stopped);
        };
        std::thread::Builder::new().name("kepler-slices".into()).spawn(follow)?;
        Ok(ExportersFollower { stop })
    }

    /// One exporter a node, the most lively one; those whose node is unknown, each by itself.
    fn targets<'a>(&self, slices: impl Iterator<Item = &'a Slice>) -> Vec<Target> {
        // Of equal ones the first by address, each time: two exporters have counters of their own.
        let mut found: BTreeMap<(Option<&str>, String), (Preference<'_>, Target)> = BTreeMap::new();
        let slices: Vec<&Slice> = slices.collect();
        let families: HashSet<&str> = slices.iter().map(|slice| slice.address_type.as_str()).collect();
        for slice in slices {
            let Some((scheme, port)) = slice.port(self.port.as_deref()) else { continue };
            for endpoint in slice.endpoints.iter().flatten() {
                let Some(address) = endpoint.addresses.iter().flatten().next() else { continue };
                let url = format!("{scheme}://{}:{port}", bracketed(address));
                let Ok(target) = Target::new(&url) else { continue };
                let node = endpoint.node_name.as_deref().filter(|name| !name.is_empty());
                let target = match node {
                    Some(node) => target.on_node(node),
                    // An address of each family may lead to it.
                    None if families.len() > 1 => target.perhaps_known(),
                    None => target,
                };
                // The name that its certificate has.
                let target = if scheme == "https" { target.named(self.host()) } else { target };
                let (key, rank) = ((node, node.map_or(url, |_| String::new())), (endpoint.rank(slice), address));
                let is_better = found.get(&key).is_none_or(|(known, _)| rank < *known);
                if is_better {
                    found.insert(key, (rank, target));
                }
            }
        }
        found.into_values().map(|(_, target)| target).collect()
    }

    fn host(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }
}

/// Of endpoints that are as lively the first one by address.
type Preference<'a> = (Rank, &'a String);

/// Lower is better.
type Rank = (bool, bool, bool);

/// Stops following when it is dropped; a request under way ends by itself.
#[derive(Debug)]
#[must_use = "exporters are no longer followed when this is dropped"]
pub struct ExportersFollower {
    stop: Arc<AtomicBool>,
}

impl Drop for ExportersFollower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// An `EndpointSlice`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Slice {
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(default)]
    address_type: String,
    #[serde(default)]
    endpoints: Option<Vec<Endpoint>>,
    #[serde(default)]
    ports: Option<Vec<Port>>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    code: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default)]
    addresses: Option<Vec<String>>,
    #[serde(default)]
    conditions: Conditions,
    #[serde(default)]
    node_name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Conditions {
    #[serde(default)]
    ready: Option<bool>,
    #[serde(default)]
    terminating: Option<bool>,
}

#[derive(Deserialize)]
struct Port {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    port: Option<u16>,
}

impl Endpoint {
    fn rank(&self, slice: &Slice) -> Rank {
        let terminates = self.conditions.terminating == Some(true);
        // Not known is ready (EndpointSlice API, `conditions.ready`).
        (terminates, self.conditions.ready == Some(false), slice.address_type != "IPv4")
    }
}

impl Slice {
    fn uid(&self) -> String {
        self.metadata.as_ref().and_then(|metadata| metadata.uid.clone()).unwrap_or_default()
    }

    /// How exporters are asked, and at which port.
    fn port(&self, wanted: Option<&str>) -> Option<(&'static str, u16)> {
        let ports =
            || self.ports.iter().flatten().filter_map(|port| Some((port.name.as_deref().unwrap_or(""), port.port?)));
        let is_wanted = |wanted: &str, name: &str, port: u16| name == wanted || wanted.parse() == Ok(port);
        let found = match wanted {
            Some(wanted) => ports().find(|&(name, port)| is_wanted(wanted, name, port)),
            None => ["https", "http"]
                .into_iter()
                .find_map(|wanted| ports().find(|&(name, _)| name == wanted))
                .or_else(|| ports().next()),
        };
        found.map(|(name, port)| (if name == "https" { "https" } else { "http" }, port))
    }
}

impl Watched for Slice {
    fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    fn error(&self) -> (Option<&str>, Option<u16>) {
        (self.message.as_deref(), self.code)
    }
}

impl Followed for Exporters {
    type Object = Slice;
    type Item = Slice;

    fn access(&self) -> &Access {
        &self.access
    }

    fn collection(&self) -> Collection {
        let path = ["apis", "discovery.k8s.io", "v1", "namespaces", &self.namespace, "endpointslices"];
        Collection {
            path: path.map(str::to_owned).to_vec(),
            selector: Some(("labelSelector", format!("kubernetes.io/service-name={}", self.service))),
            accept: WHOLE,
            right: RIGHT,
        }
    }

    fn item(&self, slice: Slice) -> Slice {
        slice
    }

    fn list(&self, connection: &Connection) -> Result<(Vec<Slice>, String), SourceFailure> {
        apiserver::list(connection, &self.collection())
    }

    fn lists_by_watch(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exporters() -> Exporters {
        Exporters::new(Access::default(), "kepler-system", "kepler")
    }

    fn targets(slices: &[&str]) -> Vec<String> {
        let slices: Vec<Slice> = slices.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        exporters().targets(slices.iter()).iter().map(|target| format!("{target:?}")).collect()
    }

    #[test]
    fn each_node_is_polled_once_at_its_most_lively_exporter() {
        let four = r#"{"addressType":"IPv4","ports":[{"name":"metrics","port":1},{"name":"http","port":28282}],"endpoints":[
            {"addresses":["10.0.0.1"],"nodeName":"a","conditions":{"ready":false,"terminating":true}},
            {"addresses":["10.0.0.2"],"nodeName":"a","conditions":{"ready":true}},
            {"addresses":["10.0.0.3"],"nodeName":"b","conditions":{"ready":false}},
            {"addresses":["10.0.0.4"]}, {"addresses":null,"nodeName":"c"}]}"#;
        let six = r#"{"addressType":"IPv6","ports":[{"name":"http","port":28282}],"endpoints":[
            {"addresses":["fd00::2"],"nodeName":"a","conditions":{"ready":true}},
            {"addresses":["fd00::9"],"nodeName":"d","conditions":{"ready":true}}]}"#;
        let found = targets(&[six, four]);
        assert_eq!(found.len(), 4, "{found:?}");
        for (node, host) in [("\"a\"", "10.0.0.2"), ("\"b\"", "10.0.0.3"), ("\"d\"", "fd00::9"), ("None", "10.0.0.4")] {
            assert!(
                found.iter().any(|target| target.contains(node) && target.contains(host)),
                "{node} {host}: {found:?}"
            );
        }
        assert!(found.iter().all(|target| target.contains("28282")));
    }

    #[test]
    fn an_endpoint_in_several_slices_counts_once_and_each_family_of_an_unknown_node_is_a_way_to_it() {
        let slice = |family: &str, addresses: &[&str], node: &str| {
            let endpoints: Vec<String> = addresses
                .iter()
                .map(|address| format!(r#"{{"addresses":["{address}"],"conditions":{{"ready":true}}{node}}}"#))
                .collect();
            format!(
                r#"{{"addressType":"{family}","ports":[{{"name":"http","port":28282}}],"endpoints":[{}]}}"#,
                endpoints.join(",")
            )
        };
        // While endpoints move from a slice to another one, they may stand in both (EndpointSlice API, 2026).
        let (first, second) =
            (slice("IPv4", &["10.0.0.1", "10.0.0.2"], ""), slice("IPv4", &["10.0.0.2", "10.0.0.3"], ""));
        let found = targets(&[&first, &second]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|target| target.contains("may_repeat: false")), "{found:?}");
        let named = r#","nodeName":"a""#;
        assert_eq!(targets(&[&slice("IPv4", &["10.0.0.1"], named), &slice("IPv4", &["10.0.0.1"], named)]).len(), 1);
        // Slices that people write have no names of nodes.
        let six = slice("IPv6", &["fd00::1", "fd00::2"], "");
        let found = targets(&[&first, &six]);
        assert!(found.len() == 4 && found.iter().all(|target| target.contains("may_repeat: true")), "{found:?}");
        let host = slice("FQDN", &["node-a.example"], "");
        let found = targets(&[&host]);
        assert!(found.len() == 1 && found[0].contains("node-a.example"), "{found:?}");
    }

    #[test]
    fn of_two_exporters_that_are_as_lively_the_same_one_is_polled_each_time() {
        let slice = |address: &str| {
            format!(
                r#"{{"addressType":"IPv4","ports":[{{"name":"http","port":28282}}],"endpoints":[
                    {{"addresses":["{address}"],"nodeName":"a","conditions":{{"ready":true}}}}]}}"#
            )
        };
        let (ours, others) = (slice("10.0.0.9"), slice("10.0.0.5"));
        for slices in [[&ours, &others], [&others, &ours]] {
            let found = targets(&slices.map(String::as_str));
            assert!(found.len() == 1 && found[0].contains("10.0.0.5"), "{found:?}");
        }
    }

    #[test]
    fn a_port_is_found_by_name_or_number_and_https_before_http() {
        let slice: Slice =
            serde_json::from_str(r#"{"ports":[{"name":"http","port":1},{"name":"https","port":2},{"port":3}]}"#)
                .unwrap();
        assert_eq!(slice.port(None), Some(("https", 2)));
        assert_eq!(slice.port(Some("http")), Some(("http", 1)));
        assert_eq!(slice.port(Some("3")), Some(("http", 3)));
        assert_eq!(slice.port(Some("metrics")), None);
        assert_eq!(Slice::default().port(None), None);
    }
}
