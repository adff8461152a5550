//! The metric families. Each table is one file: the exporter itself, the node,
//! the workloads, and older names.

mod compat;
mod exporter;
mod facility;
mod gpu;
mod hub;
mod kubernetes;
mod node;
mod platform;
mod rapl_names;
mod workload;

use crate::duplicate_series::DuplicateSeries;
use crate::encode::{Header, Kind, Samples, Value};
use crate::facility::{FacilityFigures, FacilitySource};
use crate::hub::{Hub, HubStatus};
use crate::options::{Compat, ExportOptions, Levels};
use kepler_core::directory::{Directory, DirectoryStatus};
use kepler_core::metric_names;
use kepler_core::snapshot::Snapshot;
use kepler_core::units::ZoneKind;
use kepler_core::workload::WorkloadKind;
use std::collections::HashMap;

/// A metric family: its header and how its samples are made.
pub(crate) struct Family {
    pub(crate) header: Header,
    /// The level it belongs to; [`Levels::NONE`] is always exported.
    level: Levels,
    /// How many rows `write` is called for, one call a row. It may make no sample for a row.
    rows: fn(&RenderContext<'_>) -> usize,
    pub(crate) write: fn(&RenderContext<'_>, usize, &mut Samples<'_>),
}

impl Family {
    const fn counter(name: &'static str, unit: Option<&'static str>, help: &'static str) -> Header {
        Header { name, kind: Kind::Counter, unit, help }
    }

    const fn gauge(name: &'static str, unit: Option<&'static str>, help: &'static str) -> Header {
        Header { name, kind: Kind::Gauge, unit, help }
    }

    pub(crate) fn rows(&self, context: &RenderContext<'_>) -> usize {
        (self.rows)(context)
    }
}

/// What each node exports whether it has figures or not.
const OF_NODES: [&str; 2] = [metric_names::BUILD_INFO, metric_names::NODE_CPU_INFO];

/// The families that are exported whatever names are asked for beside them, in the order of export.
const TABLES: [&[Family]; 10] = [
    exporter::FAMILIES,
    facility::FAMILIES,
    hub::FAMILIES,
    kubernetes::FAMILIES,
    node::FAMILIES,
    gpu::NODE_FAMILIES,
    platform::FAMILIES,
    workload::FAMILIES,
    gpu::WORKLOAD_FAMILIES,
    gpu::RESERVED_FAMILIES,
];

/// The families that `options` ask for, in the order of export.
pub(crate) fn chosen(options: &ExportOptions) -> impl Iterator<Item = &'static Family> {
    let (levels, of_hub) = (options.levels, options.hub.is_some());
    let older: &[Family] = match options.compat {
        None => &[],
        Some(Compat::Kepler07) => compat::FAMILIES,
        Some(Compat::RaplNames) => rapl_names::FAMILIES,
    };
    TABLES
        .into_iter()
        .chain([older])
        .flatten()
        .filter(move |family| levels.contains(family.level))
        // Who counts nodes by these must not count a hub.
        .filter(move |family| !of_hub || !OF_NODES.contains(&family.header.name))
}

/// What a family is made from.
pub(crate) struct RenderContext<'a> {
    /// `node_name="…"`, escaped.
    pub(crate) node_label: &'a str,
    pub(crate) options: &'a ExportOptions,
    /// `None` before the first one.
    pub(crate) snapshot: Option<&'a Snapshot>,
    pub(crate) plan: &'a Plan,
}

/// Worked out once an exposition: which zones there are, and which rows have equal labels.
#[derive(Default)]
pub(crate) struct Plan {
    /// Zones with a source, but for accelerators, which have families of their own.
    zones: Vec<ZoneKind>,
    /// Zones that could be read over the last interval: without a reading there are no watts.
    powered: Vec<ZoneKind>,
    /// Rows with equal labels, kind by kind.
    duplicates: HashMap<WorkloadKind, DuplicateSeries>,
    /// Processes again, without the `state` label that `_cpu_seconds_total` does not have.
    process_seconds: DuplicateSeries,
    /// Containers again, without the `state` label that Kepler 0.7 did not have.
    older_containers: DuplicateSeries,
    /// Pods again, of which `kepler_pod_info` has one for each identifier: others are joined with it by that.
    pod_info: DuplicateSeries,
    /// Containers likewise, for `kepler_container_info`.
    container_info: DuplicateSeries,
    /// How asking Kubernetes for pods fares, if that is done.
    kubernetes: Option<DirectoryStatus>,
    /// How a hub fares.
    hub: Option<HubStatus>,
    /// What electricity emits and costs here.
    facility: Option<FacilityFigures>,
}

impl Plan {
    pub(crate) fn new(snapshot: Option<&Snapshot>, options: &ExportOptions) -> Self {
        let mut plan = snapshot.map_or_else(Plan::default, |snapshot| Plan::of_node(snapshot, options));
        plan.hub = options.hub.as_ref().map(Hub::status);
        plan.facility = options.facility.as_ref().map(FacilitySource::figures);
        plan
    }

    fn of_node(snapshot: &Snapshot, options: &ExportOptions) -> Self {
        let mut plan = workload::plan(snapshot, options);
        plan.kubernetes = options.directory.as_ref().map(Directory::status);
        let zones = || snapshot.node.zones().filter(|(kind, _)| *kind != ZoneKind::Gpu);
        plan.zones = zones().map(|(kind, _)| kind).collect();
        plan.powered = zones().filter(|(_, zone)| zone.power.is_some()).map(|(kind, _)| kind).collect();
        plan
    }

    /// Whether a row writes nothing, since another one with its labels stands for it.
    fn hides(&self, kind: WorkloadKind, row: usize) -> bool {
        self.duplicates.get(&kind).is_some_and(|duplicates| duplicates.hides(row))
    }

    /// The rows whose figures a row has to add to its own.
    fn added_to(&self, kind: WorkloadKind, row: usize) -> &[usize] {
        self.duplicates.get(&kind).map_or(&[], |duplicates| duplicates.added_to(row))
    }
}

/// For families that are written in one go.
fn once(_: &RenderContext<'_>) -> usize {
    1
}

/// For families that are written in one go once there is a snapshot.
fn once_known(context: &RenderContext<'_>) -> usize {
    usize::from(context.snapshot.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Family> {
        TABLES.into_iter().chain([compat::FAMILIES, rapl_names::FAMILIES]).flatten()
    }

    #[test]
    fn names_help_and_units_follow_both_formats_rules() {
        for family in all() {
            let Header { name, kind, unit, help } = family.header;
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
            assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(!help.contains(['\\', '"', '\n']) && !help.is_empty(), "{name}: {help}");
            if let Some(unit) = unit {
                assert!(name.trim_end_matches("_total").ends_with(&format!("_{unit}")), "{name}: {unit}");
            }
        }
    }

    #[test]
    fn no_family_is_listed_twice() {
        for compat in [None, Some(Compat::Kepler07), Some(Compat::RaplNames)] {
            let options = ExportOptions { compat, ..ExportOptions::default() };
            let mut names: Vec<_> = chosen(&options).map(|family| family.header.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{compat:?}");
        }
    }
}
