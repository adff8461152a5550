//! What the API server says beside pods: of namespaces, and of the node.

use crate::workload::EnergyAnnotation;

/// What is known of the cluster around the pods; nothing where the API server is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterFacts {
    /// Namespaces that say how the energy of their pods is to be judged and shown.
    pub namespaces: Vec<NamespaceEntry>,
    /// The region of this node, as its label says.
    pub region: Option<String>,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamespaceEntry {
    /// Its name.
    pub name: String,
    /// How the energy of its pods is to be judged and shown.
    pub annotations: Vec<EnergyAnnotation>,
}

impl NamespaceEntry {
    /// A namespace with these annotations.
    #[must_use]
    pub fn new(name: impl Into<String>, annotations: Vec<EnergyAnnotation>) -> Self {
        NamespaceEntry { name: name.into(), annotations }
    }
}
