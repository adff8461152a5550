//! One workload: who it is, and its figures.

use super::device::DevicePart;
use kepler_core::snapshot::AnyRow;
use kepler_core::units::ZoneKind;
use kepler_core::workload::{Identity, Workload as _, WorkloadKind};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hash as _, Hasher};
use std::sync::Arc;

/// Who a workload is, kept across moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) id: u64,
    pub(crate) kind: WorkloadKind,
    pub(crate) name: String,
    /// Executable, runtime, cgroup: what tells more.
    pub(crate) detail: String,
    pub(crate) namespace: String,
    pub(crate) pid: Option<u32>,
    /// The nearest workload that contains it.
    pub(crate) parent: Option<u64>,
}

/// A workload's figures with its name of its own.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) who: Arc<Who>,
    pub(crate) watts: Option<f64>,
    pub(crate) joules: f64,
    pub(crate) cpu_seconds: f64,
    /// Watts and joules by zone.
    pub(crate) zones: Vec<(ZoneKind, Option<f64>, f64)>,
    pub(crate) devices: Vec<DevicePart>,
}

impl Row {
    pub(crate) fn item(&self) -> Item<'_> {
        let who = &*self.who;
        Item {
            id: who.id,
            kind: who.kind,
            name: &who.name,
            detail: &who.detail,
            namespace: &who.namespace,
            pid: who.pid,
            parent: who.parent,
            watts: self.watts,
            joules: self.joules,
            cpu_seconds: self.cpu_seconds,
        }
    }
}

/// A workload that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// The same workload has the same in every moment of one source.
    pub(crate) id: u64,
    pub(crate) kind: WorkloadKind,
    pub(crate) name: &'a str,
    pub(crate) detail: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) pid: Option<u32>,
    pub(crate) parent: Option<u64>,
    /// Mean over the last interval, in the zones that may be added.
    pub(crate) watts: Option<f64>,
    /// Since the source began to measure.
    pub(crate) joules: f64,
    pub(crate) cpu_seconds: f64,
}

impl Item<'_> {
    /// Whether anything that is known of it contains a text in lower case.
    pub(crate) fn has(&self, wanted: &str) -> bool {
        let has = |text: &str| text.to_lowercase().contains(wanted);
        has(self.name)
            || has(self.detail)
            || has(self.namespace)
            || self.kind.name().contains(wanted)
            || self.pid.is_some_and(|pid| pid.to_string().contains(wanted))
    }
}

impl Who {
    /// Of a row, whose number is known already.
    pub(crate) fn of(id: u64, row: &AnyRow<'_>) -> Self {
        let attribute = |wanted: &str| {
            let found = row.attributes().find(|(attribute, _)| attribute.name == wanted);
            found.and_then(|(_, value)| value.text()).unwrap_or_default()
        };
        let identity = row.identity();
        let text = match identity {
            Identity::Text(text) => text,
            _ => "",
        };
        let detail = match row.kind() {
            WorkloadKind::Process => attribute("exe"),
            WorkloadKind::Container => attribute("runtime"),
            WorkloadKind::Vm => attribute("hypervisor"),
            WorkloadKind::Job => attribute("scheduler"),
            _ => text,
        };
        Who {
            id,
            kind: row.kind(),
            name: if row.name().is_empty() { text } else { row.name() }.to_owned(),
            detail: detail.to_owned(),
            namespace: row.namespace().unwrap_or_default().to_owned(),
            pid: match identity {
                Identity::Process { pid, .. } => Some(pid),
                _ => None,
            },
            parent: parent(row),
        }
    }

    /// Whether it still has the name that a row has: a process changes it, Kubernetes tells it later.
    fn is_called_as(&self, row: &AnyRow<'_>) -> bool {
        (row.name().is_empty() || self.name == row.name()) && self.namespace == row.namespace().unwrap_or_default()
    }
}

/// The nearest workload that contains a row's.
fn parent(row: &AnyRow<'_>) -> Option<u64> {
    let parents = row.parents();
    match row.kind() {
        WorkloadKind::Container => parents.pod.map(|pod| id(WorkloadKind::Pod, &pod.identity())),
        WorkloadKind::Process | WorkloadKind::Command | WorkloadKind::Job => {
            let container = parents.container.map(|of| id(WorkloadKind::Container, &of.identity()));
            let vm = || parents.vm.map(|of| id(WorkloadKind::Vm, &of.identity()));
            let job = || parents.job.map(|of| id(WorkloadKind::Job, &of.identity()));
            let unit = || parents.unit.map(|of| id(WorkloadKind::Unit, &of.identity()));
            container.or_else(vm).or_else(job).or_else(unit)
        }
        _ => None,
    }
}

/// Maps by [`id`], which is a hash already: hashing it once more was a third of what a frame cost.
pub(crate) type IdMap<V> = HashMap<u64, V, BuildHasherDefault<IdHasher>>;

/// Takes a number for its own hash.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

/// Who the workloads are, each kept once: in thousands of rows a second few are new.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: IdMap<Arc<Who>>,
    frames: u32,
}

impl Names {
    /// Begins a frame; now and then what no row has any more is dropped, and what may have changed is looked at again.
    pub(crate) fn begin(&mut self) {
        self.frames = self.frames.wrapping_add(1);
        if self.frames.is_multiple_of(64) {
            self.known.retain(|_, who| Arc::strong_count(who) > 1);
        }
    }

    /// Of a row of a snapshot.
    pub(crate) fn of_row(&mut self, row: &AnyRow<'_>) -> Arc<Who> {
        let id = id(row.kind(), &row.identity());
        let is_due = self.frames.is_multiple_of(16);
        if let Some(who) = self.known.get(&id).filter(|who| !is_due && who.is_called_as(row)) {
            return Arc::clone(who);
        }
        self.keep(Who::of(id, row))
    }

    /// The one that is kept already, where nothing of it has changed.
    pub(crate) fn keep(&mut self, who: Who) -> Arc<Who> {
        match self.known.get(&who.id) {
            Some(known) if **known == who => Arc::clone(known),
            _ => {
                let who = Arc::new(who);
                self.known.insert(who.id, Arc::clone(&who));
                who
            }
        }
    }
}

/// A number for a workload, the same as long as the program runs.
pub(crate) fn id(kind: WorkloadKind, identity: &Identity<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, identity).hash(&mut hasher);
    hasher.finish()
}
