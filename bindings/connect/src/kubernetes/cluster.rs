//! What the API server says of the cluster around pods: the annotations of namespaces, and the region of this node.
//!
//! Metadata alone, when it begins and every five minutes, from the API server's cache. It needs the rights to `list`
//! `namespaces` and to `get` `nodes`; without one of them that part is not known.

use super::access::Access;
use super::apiserver::{self, Collection, Connection, Watched};
use super::failure::{Right, SourceFailure};
use super::pace::TIMEOUT;
use super::pods::Metadata;
use super::source::Bounded;
use kepler_core::availability::Unavailable;
use kepler_core::directory::{ClusterFacts, Directory, NamespaceEntry};
use serde::Deserialize;
use std::io::{self, BufReader};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

const NAMESPACES: Right = Right { api_group: "", resource: "namespaces", verbs: &["list"] };
const NODES: Right = Right { api_group: "", resource: "nodes", verbs: &["get"] };
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// Time between two looks; after a failure sooner.
const EVERY: Duration = Duration::from_secs(300);
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// A node's status lists its images, where the server does not leave it out.
const MAX_NODE: u64 = 4 << 20;

/// An object of which only the metadata is read.
#[derive(Default, Deserialize)]
pub(super) struct Object {
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    code: Option<u16>,
}

impl Watched for Object {
    fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    fn error(&self) -> (Option<&str>, Option<u16>) {
        (self.message.as_deref(), self.code)
    }
}

/// The region that the labels of a node name.
pub(super) fn region(node: &Metadata) -> Option<String> {
    let label = |name: &str| node.label(name).filter(|value| !value.is_empty());
    let found = label("topology.kubernetes.io/region").or_else(|| label("failure-domain.beta.kubernetes.io/region"));
    found.map(str::to_owned)
}

/// Namespaces with annotations or labels about energy.
fn namespaces(access: &Access) -> Result<Vec<NamespaceEntry>, SourceFailure> {
    let path = ["api", "v1", "namespaces"].map(str::to_owned).to_vec();
    let collection = Collection { path, selector: None, accept: METADATA_LIST, right: NAMESPACES };
    let (objects, _) = apiserver::list::<Object>(&Connection::open(access)?, &collection)?;
    let known = objects.into_iter().filter_map(|object| {
        let metadata = object.metadata?;
        let annotations = metadata.energy();
        (!annotations.is_empty()).then(|| NamespaceEntry::new(metadata.name.unwrap_or_default(), annotations))
    });
    Ok(known.collect())
}

/// The region of a node; `None` where its labels name none.
fn region_of(access: &Access, node: &str) -> Result<Option<String>, SourceFailure> {
    let connection = Connection::open(access)?;
    let (url, body) = connection.get(&["api", "v1", "nodes", node], &[], METADATA, TIMEOUT, &NODES)?;
    let object: Object = serde_json::from_reader(BufReader::new(Bounded::new(body, MAX_NODE)))
        .map_err(|error| SourceFailure::malformed(url.as_str(), error))?;
    Ok(object.metadata.as_ref().and_then(region))
}

/// Reads once what there is to know; what fails is left as it was, and given.
fn look(access: &Access, node: Option<&str>, directory: &Directory) -> Vec<Unavailable> {
    let (mut facts, mut refused) = (ClusterFacts::clone(&directory.cluster()), Vec::new());
    match namespaces(access) {
        Ok(namespaces) => facts.namespaces = namespaces,
        Err(failure) => refused.push(failure.unavailable("namespaces")),
    }
    match node.map(|node| region_of(access, node)) {
        Some(Ok(region)) => facts.region = region,
        Some(Err(failure)) => refused.push(failure.unavailable("nodes")),
        None => {}
    }
    if facts != *directory.cluster() {
        directory.set_cluster(facts);
    }
    refused
}

/// Has `directory` know the annotations of namespaces, and the region of `node` if one is named, until what this gives is
/// dropped. The first look is over when this returns, or goes on for longer than `patience`.
///
/// # Errors
/// When the system gives no thread.
pub fn follow_cluster(
    access: Access,
    node: Option<String>,
    directory: Directory,
    patience: Duration,
) -> io::Result<ClusterFollower> {
    let ((stop, stopped), (first, looked)) = (channel(), channel());
    let follow = move || {
        let (mut said, mut first) = (String::new(), Some(first));
        loop {
            let refused = look(&access, node.as_deref(), &directory);
            // The caller may no longer be waiting.
            let _ = first.take().map(|first| first.send(()));
            let lines = refused.iter().map(|one| format!("{}: {}; {}", one.source_name, one.reason, one.remedy));
            let text = lines.collect::<Vec<_>>().join("; ");
            if said != text && !text.is_empty() {
                tracing::warn!("annotations of namespaces or the node's region are not known: {text}");
            }
            said = text;
            let pause = if refused.is_empty() { EVERY } else { AFTER_FAILURE };
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    std::thread::Builder::new().name("kepler-cluster".into()).spawn(follow)?;
    // A server that does not answer is no reason to wait for it.
    let _ = looked.recv_timeout(patience);
    Ok(ClusterFollower { _stop: stop })
}

/// Stops looking when it is dropped.
#[derive(Debug)]
#[must_use = "the cluster is no longer looked at when this is dropped"]
pub struct ClusterFollower {
    _stop: Sender<()>,
}
