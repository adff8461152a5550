//! Pods in JSON, read as they arrive: of each pod only what the directory holds is kept, and nothing else is stored for
//! longer than it takes to skip it. Environments, arguments and annotations may hold secrets; they are never kept.

use super::owner::{self, Reference};
use super::quantity::Amounts;
use super::resources::{self, Resources};
use jiff::Timestamp;
use kepler_core::directory::{ContainerEntry, PodEntry};
#[cfg(feature = "kepler")]
use kepler_core::workload::PodOwner;
use kepler_core::workload::{ContainerKind, ENERGY_PREFIX, EnergyAnnotation, ResourceAmounts};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::Read;

/// Which labels are kept, by name; those that end in `*` are prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelFilter {
    names: Vec<String>,
    skips_annotations: bool,
}

impl LabelFilter {
    /// Keeps labels of these names.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        LabelFilter { names: names.into_iter().collect(), skips_annotations: false }
    }

    /// The same without annotations and labels `kepler.energy/…`: pods choose nothing.
    #[must_use]
    pub fn without_energy_annotations(self) -> Self {
        LabelFilter { skips_annotations: true, ..self }
    }

    fn keeps(&self, name: &str) -> bool {
        self.names.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == name,
        })
    }
}

/// A list of pods, and where it stands in the history of the cluster.
#[derive(Debug, Default)]
pub(super) struct PodList {
    pub(super) pods: Vec<PodEntry>,
    pub(super) resource_version: String,
    /// Where the list goes on, if that is not all.
    pub(super) next: String,
}

/// More pods than this are on no node: the kubelet's limit is 110, large ones run 500, and tests 10,000.
pub(super) const MOST_PODS: usize = 50_000;

/// Reads a `PodList`.
pub(super) fn read_list(from: impl Read, labels: &LabelFilter) -> Result<PodList, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_reader(from);
    let list = ListSeed(labels).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(list)
}

/// Reads one pod.
pub(super) fn entry(pod: Pod, labels: &LabelFilter) -> PodEntry {
    pod.into_entry(labels)
}

struct ListSeed<'a>(&'a LabelFilter);

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMetadata {
    #[serde(default)]
    pub(super) resource_version: Option<String>,
    #[serde(default, rename = "continue")]
    pub(super) next: Option<String>,
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = PodList;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PodList, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = PodList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pods")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PodList, A::Error> {
        use serde::de::Error as _;
        let (mut list, mut has_items) = (PodList::default(), false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "kind" => {
                    let kind: String = map.next_value()?;
                    if kind != "PodList" && kind != "List" {
                        return Err(A::Error::custom("it is no list of pods"));
                    }
                }
                "metadata" => {
                    let metadata = map.next_value::<Option<ListMetadata>>()?.unwrap_or_default();
                    list.resource_version = metadata.resource_version.unwrap_or_default();
                    list.next = metadata.next.unwrap_or_default();
                }
                "items" => {
                    has_items = true;
                    list.pods = map.next_value_seed(ItemsSeed(self.0))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if has_items { Ok(list) } else { Err(A::Error::custom("it is no list of pods")) }
    }
}

struct ItemsSeed<'a>(&'a LabelFilter);

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_> {
    type Value = Vec<PodEntry>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_> {
    type Value = Vec<PodEntry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pods")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error as _;
        let mut pods = Vec::new();
        while let Some(pod) = items.next_element::<Pod>()? {
            if pods.len() >= MOST_PODS {
                return Err(A::Error::custom(format_args!("it lists more than {MOST_PODS} pods")));
            }
            pods.push(pod.into_entry(self.0));
        }
        Ok(pods)
    }
}

/// One pod of a list or an event, as far as it is read.
#[derive(Deserialize, Default)]
pub(super) struct Pod {
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    #[serde(default)]
    spec: Option<Spec>,
    #[serde(default, deserialize_with = "status")]
    status: Option<Status>,
    /// What the status of an error says, which stands in the place of a pod.
    #[serde(default)]
    pub(super) message: Option<String>,
    /// Its code.
    #[serde(default)]
    pub(super) code: Option<u16>,
}

/// A pod's status; that of an error is a word.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Status>, D::Error> {
    struct Either;
    impl<'de> Visitor<'de> for Either {
        type Value = Option<Status>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a pod's status")
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Status::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Some)
        }
    }
    deserializer.deserialize_any(Either)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    pub(super) uid: Option<String>,
    #[serde(default)]
    pub(super) resource_version: Option<String>,
    #[serde(default)]
    creation_timestamp: Option<String>,
    #[serde(default)]
    labels: Option<Labels>,
    #[serde(default)]
    pub(super) annotations: Option<Annotations>,
    #[serde(default)]
    owner_references: Option<Vec<Reference>>,
}

impl Metadata {
    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let labels = self.labels.as_ref()?;
        labels.0.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    /// Annotations and labels `kepler.energy/…`, those of a name as an annotation first.
    pub(super) fn energy(&self) -> Vec<EnergyAnnotation> {
        let annotations = self.annotations.as_ref().map(|few| few.energy.as_slice()).unwrap_or_default();
        let labels = self.labels.as_ref().map(|labels| labels.0.as_slice()).unwrap_or_default();
        let labels = labels.iter().filter_map(|(name, value)| energy_annotation(name, value, true));
        annotations.iter().cloned().chain(labels).take(MOST_ANNOTATIONS).collect()
    }
}

/// More than these are not meant for us.
const MOST_ANNOTATIONS: usize = 16;
/// No value that means anything is longer; what follows is cut off.
const LONGEST_VALUE: usize = 128;

/// The annotation or label of that name, if it is about energy.
fn energy_annotation(name: &str, value: &str, is_label: bool) -> Option<EnergyAnnotation> {
    let name = name.strip_prefix(ENERGY_PREFIX)?;
    Some(EnergyAnnotation::new(name, value.chars().take(LONGEST_VALUE).collect::<String>(), is_label))
}

#[cfg(feature = "kepler")]
impl Metadata {
    /// The controller, as it is referred to.
    pub(super) fn controller(&self) -> Option<PodOwner> {
        owner::owner(self.owner_references.as_deref()?, None, None)
    }
}

/// Labels in their order.
#[derive(Default)]
struct Labels(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = Vec::new();
                while let Some(label) = map.next_entry::<String, String>()? {
                    labels.push(label);
                }
                Ok(Labels(labels))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The few annotations that are read. Others may hold a whole specification with its secrets: they are skipped.
#[derive(Default)]
pub(super) struct Annotations {
    hash: Option<String>,
    mirror: Option<String>,
    pub(super) is_end_of_initial_events: bool,
    energy: Vec<EnergyAnnotation>,
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Few;
        impl<'de> Visitor<'de> for Few {
            type Value = Annotations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
                let mut few = Annotations::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "kubernetes.io/config.hash" => few.hash = Some(map.next_value()?),
                        "kubernetes.io/config.mirror" => few.mirror = Some(map.next_value()?),
                        "k8s.io/initial-events-end" => {
                            few.is_end_of_initial_events = map.next_value::<String>()? == "true";
                        }
                        name if name.starts_with(ENERGY_PREFIX) => {
                            few.energy.extend(energy_annotation(name, &map.next_value::<String>()?, false));
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(few)
            }
        }
        deserializer.deserialize_map(Few)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    init_containers: Option<Vec<ContainerSpec>>,
    #[serde(default)]
    containers: Option<Vec<ContainerSpec>>,
    #[serde(default)]
    ephemeral_containers: Option<Vec<ContainerSpec>>,
    #[serde(default)]
    resources: Option<Resources>,
    #[serde(default)]
    overhead: Option<Amounts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerSpec {
    #[serde(default)]
    name: String,
    #[serde(default)]
    restart_policy: Option<String>,
    #[serde(default)]
    resources: Option<Resources>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    qos_class: Option<String>,
    #[serde(default)]
    init_container_statuses: Option<Vec<ContainerStatus>>,
    #[serde(default)]
    container_statuses: Option<Vec<ContainerStatus>>,
    #[serde(default)]
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "containerID")]
    container_id: Option<String>,
    #[serde(default)]
    state: Option<State>,
    #[serde(default)]
    last_state: Option<State>,
    #[serde(default)]
    resources: Option<Resources>,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    terminated: Option<Terminated>,
}

#[derive(Deserialize)]
struct Terminated {
    #[serde(default, rename = "containerID")]
    container_id: Option<String>,
}

impl ContainerStatus {
    /// Its identifiers without the runtime's name before them (`containerd://`, `cri-o://`, `docker://`).
    fn ids(&self) -> Vec<String> {
        let of_state = |state: &Option<State>| state.as_ref()?.terminated.as_ref()?.container_id.clone();
        let mut ids = Vec::new();
        for id in [self.container_id.clone(), of_state(&self.state), of_state(&self.last_state)].into_iter().flatten() {
            let id = id.split_once("://").map_or(id.as_str(), |(_, id)| id);
            if !id.is_empty() && !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        ids
    }
}

impl Pod {
    fn into_entry(self, filter: &LabelFilter) -> PodEntry {
        let (metadata, spec) = (self.metadata.unwrap_or_default(), self.spec.unwrap_or_default());
        let status = self.status.unwrap_or_default();
        let energy = if filter.skips_annotations { Vec::new() } else { metadata.energy() };
        let mut pod = PodEntry::new(
            metadata.uid.unwrap_or_default(),
            metadata.name.unwrap_or_default(),
            metadata.namespace.unwrap_or_default(),
        );
        let annotations = metadata.annotations.unwrap_or_default();
        for uid in [annotations.mirror, annotations.hash].into_iter().flatten() {
            if uid != pod.uid && !pod.other_uids.contains(&uid) {
                pod.other_uids.push(uid);
            }
        }
        let labels = metadata.labels.unwrap_or_default().0;
        let hash = labels.iter().find(|(name, _)| name == "pod-template-hash").map(|(_, hash)| hash.as_str());
        let created = metadata.creation_timestamp.and_then(|time| time.parse::<Timestamp>().ok());
        pod.owner = owner::owner(&metadata.owner_references.unwrap_or_default(), hash, created);
        pod.labels = labels.into_iter().filter(|(name, _)| filter.keeps(name)).collect();
        pod.annotations = energy;
        pod.qos_class = status.qos_class.unwrap_or_default();
        pod.lists_containers = status.container_statuses.is_some()
            || status.init_container_statuses.is_some()
            || status.ephemeral_container_statuses.is_some();
        let parts = [
            (ContainerKind::Init, spec.init_containers, status.init_container_statuses),
            (ContainerKind::Regular, spec.containers, status.container_statuses),
            (ContainerKind::Ephemeral, spec.ephemeral_containers, status.ephemeral_container_statuses),
        ];
        for (kind, specs, statuses) in parts {
            add(&mut pod.containers, kind, specs.unwrap_or_default(), statuses.unwrap_or_default());
        }
        let containers = pod.containers.iter().map(|container| (container.kind, &container.resources));
        pod.resources = resources::of_pod(containers, spec.resources, spec.overhead);
        pod
    }
}

/// Adds the containers of one kind, as specified and as they run.
fn add(
    to: &mut Vec<ContainerEntry>,
    kind: ContainerKind,
    specs: Vec<ContainerSpec>,
    mut statuses: Vec<ContainerStatus>,
) {
    for spec in specs {
        let position = statuses.iter().position(|status| status.name == spec.name);
        let status = position.map(|position| statuses.swap_remove(position));
        let restarts = spec.restart_policy.as_deref() == Some("Always");
        let kind = if kind == ContainerKind::Init && restarts { ContainerKind::Sidecar } else { kind };
        let ids = status.as_ref().map(ContainerStatus::ids).unwrap_or_default();
        let mut container = ContainerEntry::new(spec.name, kind, ids);
        container.resources = Resources::amounts(status.and_then(|status| status.resources), spec.resources);
        to.push(container);
    }
    for status in statuses {
        let ids = status.ids();
        let mut container = ContainerEntry::new(status.name, kind, ids);
        container.resources =
            status.resources.map_or_else(ResourceAmounts::default, |own| Resources::amounts(Some(own), None));
        to.push(container);
    }
}

#[cfg(test)]
mod tests;
