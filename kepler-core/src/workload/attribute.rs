//! The attributes of every kind of workload: the [`Workload`] trait.

use super::{ContainerInfo, JobInfo, PodInfo, PodOwner, ResourceAmounts, UnitInfo, VmInfo, WorkloadKind};
use std::fmt;

/// A workload of any kind.
pub trait Workload: fmt::Debug {
    /// What it is.
    fn kind(&self) -> WorkloadKind;

    /// What no other workload of its kind on this node has.
    fn identity(&self) -> Identity<'_>;

    /// What people call it: command, container, pod, VM or unit name, job number. Empty where it is not known.
    fn name(&self) -> &str;

    /// What it belongs to.
    fn parents(&self) -> Parents<'_> {
        Parents::default()
    }

    /// The Kubernetes namespace of the pod that it is or runs in, where that is known.
    fn namespace(&self) -> Option<&str> {
        self.parents().pod.map(|pod| pod.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }

    /// The controller of a pod, where that is known.
    fn owner(&self) -> Option<&PodOwner> {
        None
    }

    /// What a pod or container asked Kubernetes for; all of it `None` where that is not known.
    fn resources(&self) -> ResourceAmounts {
        ResourceAmounts::default()
    }

    /// What is known of it, in a fixed order for its kind.
    fn attributes(&self) -> Attributes<'_>;
}

/// What tells a workload from all others of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity<'a> {
    /// A process. Displayed as `pid/start_ticks`.
    Process {
        /// Its number.
        pid: u32,
        /// Its start, in clock ticks after boot.
        start_ticks: u64,
    },
    /// The id of a container, pod or VM; the cgroup of a unit or job.
    Text(&'a str),
    /// A command name in a container, job or unit. Displayed as `name@id`.
    Command {
        /// The command name.
        comm: &'a str,
        /// The container's id, else the job's or unit's cgroup, else empty.
        within: &'a str,
    },
}

impl fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Process { pid, start_ticks } => write!(f, "{pid}/{start_ticks}"),
            Identity::Text(text) => f.write_str(text),
            Identity::Command { comm, within } => write!(f, "{comm}@{within}"),
        }
    }
}

/// What a workload belongs to, or is a part of. Its energy is contained in that of each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parents<'a> {
    /// The container it runs in.
    pub container: Option<&'a ContainerInfo>,
    /// The pod it, or its container, runs in.
    pub pod: Option<&'a PodInfo>,
    /// The systemd unit it runs in.
    pub unit: Option<&'a UnitInfo>,
    /// The virtual machine that it is.
    pub vm: Option<&'a VmInfo>,
    /// The batch job it runs in.
    pub job: Option<&'a JobInfo>,
}

/// One thing that is known of every workload of a kind: a label of metrics, a field of an answer, a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// Its name in answers: `id`, `name`, `runtime`, `pod_id`.
    pub name: &'static str,
    /// Its name as a label of metrics: `container_id`. `None`: it is no label, since it would make more series
    /// without telling more apart, or since Kepler's own series do not have it.
    pub label: Option<&'static str>,
    /// What it says, in one sentence.
    pub about: &'static str,
    /// Whether it is a whole number; else it is text.
    pub is_number: bool,
}

impl Attribute {
    pub(super) const fn text(name: &'static str, label: Option<&'static str>, about: &'static str) -> Self {
        Attribute { name, label, about, is_number: false }
    }

    pub(super) const fn number(name: &'static str, label: Option<&'static str>, about: &'static str) -> Self {
        Attribute { name, label, about, is_number: true }
    }
}

/// The value of an [`Attribute`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number.
    Number(u64),
    /// Not known, or it does not apply. As a label of metrics, which must always be there, it is empty.
    Absent,
}

impl<'a> Value<'a> {
    /// Text that is empty where it is not known.
    #[must_use]
    pub const fn known(text: &'a str) -> Self {
        if text.is_empty() { Value::Absent } else { Value::Text(text) }
    }

    /// The text; `None` for numbers and what is not known.
    #[must_use]
    pub const fn text(self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Absent => None,
        }
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Value::Absent, Value::known)
    }
}

/// The most attributes of a kind.
pub(super) const MOST: usize = 12;

/// The attributes of one workload with their values, in the order of [`WorkloadKind::attributes`]. Made without
/// allocating.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    table: &'static [Attribute],
    values: [Value<'a>; MOST],
    next: usize,
    /// Name and namespace as labels have them.
    named: Option<(&'a str, &'a str)>,
}

impl<'a> Attributes<'a> {
    pub(super) fn new<const N: usize>(table: &'static [Attribute; N], values: [Value<'a>; N]) -> Self {
        let mut all = [Value::Absent; MOST];
        all.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
        Attributes { table, values: all, next: 0, named: None }
    }

    /// The same with a name and namespace that labels have, whatever the attributes say by now.
    pub(super) fn named_in_labels(mut self, name: &'a str, namespace: &'a str) -> Self {
        self.named = Some((name, namespace));
        self
    }

    /// Those that are labels of metrics, by their label's name. A name that became known after a series had begun is not
    /// among them.
    pub fn labels(self) -> impl Iterator<Item = (&'static str, Value<'a>)> {
        let named = self.named;
        self.filter_map(move |(attribute, value)| {
            let value = match (attribute.name, named) {
                ("name", Some((name, _))) => Value::known(name),
                ("namespace", Some((_, namespace))) => Value::known(namespace),
                _ => value,
            };
            Some((attribute.label?, value))
        })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'static Attribute, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let item = (self.table.get(self.next)?, *self.values.get(self.next)?);
        self.next += 1;
        Some(item)
    }
}
