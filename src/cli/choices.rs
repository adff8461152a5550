//! What pods, namespaces and nodes choose for themselves, as a node or a hub knows it.

use super::config::{Annotated, Config};
use super::kubernetes;
use kepler_compliance::choices::{ChoiceSource, Choices, NoChoices};
use kepler_connect::kubernetes::ClusterFollower;
use kepler_core::directory::Directory;
use kepler_core::snapshot::Feed;
use std::sync::Arc;

/// On a node: what its pods say, and what the API server says beside that.
struct OfNode {
    feed: Feed,
    node: String,
    annotated: Annotated,
    directory: Directory,
}

impl ChoiceSource for OfNode {
    fn choices(&self) -> Choices {
        let mut choices = Choices::default();
        let snapshot = self.feed.latest();
        for row in snapshot.iter().flat_map(|snapshot| &snapshot.pods).filter(|row| !row.info.labels.is_empty()) {
            choices.labels.insert(row.info.id.as_str().into(), row.info.labels.clone());
        }
        if self.annotated == Annotated::Nothing {
            return choices;
        }
        for row in snapshot.iter().flat_map(|snapshot| &snapshot.pods).filter(|row| !row.info.annotations.is_empty()) {
            choices.pods.insert(row.info.id.as_str().into(), row.info.annotations.clone());
        }
        add(&mut choices, &self.directory, Some(&self.node));
        choices
    }
}

/// In a hub: what exporters show of pods, and what the API server says beside that.
struct OfHub {
    exporters: Arc<dyn ChoiceSource>,
    annotated: Annotated,
    directory: Directory,
    _cluster: Option<ClusterFollower>,
}

impl ChoiceSource for OfHub {
    fn choices(&self) -> Choices {
        let mut choices = self.exporters.choices();
        if self.annotated == Annotated::Nothing {
            choices.pods.clear();
        }
        add(&mut choices, &self.directory, None);
        choices
    }
}

/// Adds what a directory knows of the cluster.
fn add(choices: &mut Choices, directory: &Directory, node: Option<&str>) {
    let cluster = directory.cluster();
    let namespaces = cluster.namespaces.iter().map(|own| (own.name.as_str().into(), own.annotations.clone()));
    choices.namespaces.extend(namespaces);
    if let Some((node, region)) = node.zip(cluster.region.clone()) {
        choices.regions.insert(node.into(), region);
    }
}

/// What is chosen on a node whose pods are named by `directory`; nothing where Kubernetes is not asked.
pub(super) fn of_node(config: &Config, feed: Feed, directory: Option<Directory>) -> Arc<dyn ChoiceSource> {
    match directory {
        Some(directory) => {
            Arc::new(OfNode { feed, node: config.node_name(), annotated: config.kube.annotations, directory })
        }
        None => Arc::new(NoChoices),
    }
}

/// What is chosen in a cluster whose exporters are asked, or a Prometheus that asks them.
pub(super) fn of_hub(config: &Config, exporters: Arc<dyn ChoiceSource>) -> Arc<dyn ChoiceSource> {
    let (annotated, directory) = (config.kube.annotations, Directory::new());
    let cluster = kubernetes::cluster(config, None, &directory);
    Arc::new(OfHub { exporters, annotated, directory, _cluster: cluster })
}
