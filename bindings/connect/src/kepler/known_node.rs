//! A node as a cluster knows it.

use std::sync::Arc;

/// What a cluster says of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownNode {
    /// Its name.
    pub name: Arc<str>,
    /// The region it is in.
    pub region: Option<String>,
    /// The zone of that.
    pub zone: Option<String>,
    /// What machine it is.
    pub instance_type: Option<String>,
}

impl KnownNode {
    /// A node of which only the name is known.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        KnownNode { name: name.into(), region: None, zone: None, instance_type: None }
    }
}
