//! About what pods, namespaces and nodes choose.

use crate::choices::ChoiceOrigin;

/// About what pods, namespaces and nodes choose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChoiceMessage {
    /// A value that cannot be used: what comes next in order is taken.
    Unusable {
        /// What it is to choose: `pue`.
        name: String,
        /// What is written.
        value: String,
        /// On what.
        origin: ChoiceOrigin,
        /// On whom.
        place: String,
    },
    /// The pods of a workload say different things: none of it counts.
    Differ {
        /// What they choose.
        name: String,
        /// What they say.
        values: Vec<String>,
        /// On what.
        origin: ChoiceOrigin,
    },
    /// The region is that of the nodes' labels.
    RegionOfNodes {
        /// The region.
        region: String,
    },
    /// More of the kind is not listed.
    MoreUnusable {
        /// How many.
        count: usize,
    },
}
