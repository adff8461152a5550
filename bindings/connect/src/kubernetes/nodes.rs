//! The nodes of a cluster, and where they stand: their names and a few labels, and nothing else of them.
//!
//! One list of metadata when it begins and every five minutes, from the API server's cache. It needs the right to `list` `nodes`;
//! without it, nodes that have no exporter are not known.

use super::access::Access;
use super::apiserver::{self, Collection, Connection};
use super::cluster::{Object, region};
use super::failure::{Right, SourceFailure};
use crate::kepler::{KeplerView, KnownNode};
use kepler_core::availability::Unavailable;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

const RIGHT: Right = Right { api_group: "", resource: "nodes", verbs: &["list"] };
/// Metadata alone: a node's status lists its images, which are most of it.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
/// Time between two lists.
const EVERY: Duration = Duration::from_secs(300);

/// Lists the nodes of a cluster.
///
/// # Errors
/// Why the API server does not, and what would change that.
pub fn nodes(access: &Access) -> Result<Vec<KnownNode>, Unavailable> {
    list(access).map_err(|refusal| refusal.unavailable("nodes"))
}

fn list(access: &Access) -> Result<Vec<KnownNode>, SourceFailure> {
    let path = ["api", "v1", "nodes"].map(str::to_owned).to_vec();
    let collection = Collection { path, selector: None, accept: METADATA, right: RIGHT };
    let (objects, _) = apiserver::list::<Object>(&Connection::open(access)?, &collection)?;
    Ok(objects.iter().filter_map(known).collect())
}

/// A machine; none of what only stands for a service (Fargate, virtual kubelets).
fn known(object: &Object) -> Option<KnownNode> {
    let metadata = object.metadata.as_ref()?;
    let label = |name: &str| metadata.label(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let is_virtual = label("type").is_some_and(|kind| kind == "virtual-kubelet")
        || label("eks.amazonaws.com/compute-type").is_some_and(|kind| kind == "fargate");
    if is_virtual {
        return None;
    }
    let mut node = KnownNode::new(metadata.name.as_deref().filter(|name| !name.is_empty())?);
    let either = |new: &str, old: &str| label(new).or_else(|| label(old));
    node.region = region(metadata);
    node.zone = either("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone");
    node.instance_type = either("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type");
    Some(node)
}

/// Has `view` know the nodes of the cluster, as they come and go, until what this gives is dropped.
///
/// # Errors
/// When the system gives no thread.
pub fn follow_nodes(access: Access, view: Arc<KeplerView>) -> io::Result<NodesFollower> {
    let (stop, stopped) = channel();
    let look = move || {
        let mut said: Option<String> = None;
        loop {
            match nodes(&access) {
                Ok(nodes) => {
                    view.know_nodes(nodes);
                    said = None;
                }
                Err(unavailable) => {
                    let text = format!("{}; {}", unavailable.reason, unavailable.remedy);
                    if said.as_ref() != Some(&text) {
                        tracing::warn!("nodes without an exporter are not known: {text}");
                    }
                    said = Some(text);
                }
            }
            if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    std::thread::Builder::new().name("kepler-nodes".into()).spawn(look)?;
    Ok(NodesFollower { _stop: stop })
}

/// Stops listing when it is dropped.
#[derive(Debug)]
#[must_use = "nodes are no longer listed when this is dropped"]
pub struct NodesFollower {
    _stop: Sender<()>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(labels: &str) -> Option<(String, [Option<String>; 3])> {
        let text = format!(r#"{{"metadata": {{"name": "n", "labels": {{{labels}}}}}}}"#);
        let node = known(&serde_json::from_str(&text).unwrap())?;
        Some((node.name.to_string(), [node.region, node.zone, node.instance_type]))
    }

    #[test]
    fn labels_say_where_a_node_stands_and_what_it_is() {
        let labels = r#""topology.kubernetes.io/region": "ap-northeast-2", "topology.kubernetes.io/zone": "ap-northeast-2a",
            "node.kubernetes.io/instance-type": "c5.metal", "failure-domain.beta.kubernetes.io/region": "old""#;
        let place = ["ap-northeast-2", "ap-northeast-2a", "c5.metal"].map(|text| Some(text.to_owned()));
        assert_eq!(one(labels), Some(("n".to_owned(), place)));
        assert_eq!(one(r#""beta.kubernetes.io/instance-type": "k3s""#).unwrap().1[2].as_deref(), Some("k3s"));
        assert_eq!(one(""), Some(("n".to_owned(), [None, None, None])));
        assert_eq!(one(r#""type": "virtual-kubelet""#), None);
        assert_eq!(one(r#""eks.amazonaws.com/compute-type": "fargate""#), None);
    }
}
