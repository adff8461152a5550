//! What pods, namespaces and nodes choose for themselves, by annotations and labels.
//!
//! | `kepler.energy/…` | what it chooses | values |
//! |---|---|---|
//! | `standard` | the standard a workload is judged by | a code, such as `KR_CARBON_2050` |
//! | `budget` | what a workload may emit | `20 g/h`, `5 kg/month`; a number alone is grams per hour |
//! | `pue` | the PUE of where it runs | a number from 1 on |
//! | `language` | the language of answers about it | `en`, `ko` |
//! | `energy-unit` | the unit its energy is also given in | `J`, `kJ`, `MJ`, `Wh`, `kWh` |
//!
//! An argument of a request comes first, then what the pod says, what its namespace says, and the settings. An annotation
//! comes before a label. What cannot be used is said in the answer's caveats, and the next in this order is taken. Where no
//! region is asked for or set, that of the node's label counts. Answers list what was chosen and where
//! ([`WorkloadChoice`]).
//!
//! ```
//! use kepler_compliance::choices::{ChoiceSource, Choices};
//! use kepler_core::workload::EnergyAnnotation;
//!
//! /// One pod that has a budget of its own.
//! struct OnePod;
//!
//! impl ChoiceSource for OnePod {
//!     fn choices(&self) -> Choices {
//!         let mut choices = Choices::default();
//!         let budget = EnergyAnnotation::new("budget", "20 g/h", false);
//!         choices.pods.insert("0c5e0c5e-0c5e-0c5e-0c5e-0c5e0c5e0c5e".into(), vec![budget]);
//!         choices
//!     }
//! }
//! assert_eq!(OnePod.choices().pods.len(), 1);
//! ```

mod unit;

pub use unit::{EnergyUnit, UnitEnergy};

use kepler_core::workload::EnergyAnnotation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The names that mean something, without their prefix.
pub(crate) const NAMES: [&str; 5] = ["standard", "budget", "pue", "language", "energy-unit"];
/// What the label of a node chooses.
pub(crate) const REGION: &str = "region";

/// Where annotations and labels are read.
pub trait ChoiceSource: Send + Sync {
    /// What is written now. Those who write nothing need not be in it.
    fn choices(&self) -> Choices;
}

/// Nothing is chosen.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
pub struct NoChoices;

impl ChoiceSource for NoChoices {
    fn choices(&self) -> Choices {
        Choices::default()
    }
}

/// What is written on pods, namespaces and nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choices {
    /// By the pod's UID.
    pub pods: HashMap<Arc<str>, Vec<EnergyAnnotation>>,
    /// By the namespace's name.
    pub namespaces: HashMap<Arc<str>, Vec<EnergyAnnotation>>,
    /// Labels of pods that are kept, by the pod's UID; under the names that the source shows (`app_kubernetes_io_name` of
    /// an exporter). They choose nothing: workloads are found by them.
    pub labels: HashMap<Arc<str>, Vec<(String, String)>>,
    /// Regions by the node's name, as labels say.
    pub regions: HashMap<Arc<str>, String>,
}

impl Choices {
    /// The region that all nodes with a label have in common.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        let regions: BTreeSet<&str> = self.regions.values().map(String::as_str).collect();
        regions.first().copied().filter(|_| regions.len() == 1)
    }
}

/// On what something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum ChoiceOrigin {
    /// An annotation of the pod.
    #[serde(rename = "pod annotation")]
    PodAnnotation,
    /// A label of the pod.
    #[serde(rename = "pod label")]
    PodLabel,
    /// An annotation of its namespace.
    #[serde(rename = "namespace annotation")]
    NamespaceAnnotation,
    /// A label of its namespace.
    #[serde(rename = "namespace label")]
    NamespaceLabel,
    /// A label of its node.
    #[serde(rename = "node label")]
    NodeLabel,
}

impl ChoiceOrigin {
    /// Its name in answers: `pod annotation`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ChoiceOrigin::PodAnnotation => "pod annotation",
            ChoiceOrigin::PodLabel => "pod label",
            ChoiceOrigin::NamespaceAnnotation => "namespace annotation",
            ChoiceOrigin::NamespaceLabel => "namespace label",
            ChoiceOrigin::NodeLabel => "node label",
        }
    }
}

/// Something that a pod, its namespace or its node chose for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct WorkloadChoice {
    /// What is chosen: `standard`, `budget`, `pue`, `language`, `energy-unit` or `region`.
    pub name: String,
    /// The value, as it is written.
    pub value: String,
    /// On what it is written.
    pub origin: ChoiceOrigin,
    /// On whom: `shop/cart-0`, `shop`, `node-a`.
    pub place: String,
}
