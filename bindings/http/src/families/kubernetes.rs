//! What Kubernetes says of pods, and how asking it fares. Nothing where it is not asked.

use super::{Family, Levels, RenderContext, Samples, Value};
use kepler_core::host::Timestamp;
use kepler_core::metric_names;
use kepler_core::snapshot::State;
use kepler_core::workload::{ResourceAmounts, WorkloadKind};

/// A family about the list of pods: how its samples are made of the list's status.
macro_rules! about {
    ($header:ident, $name:ident, $unit:expr, $help:literal, |$context:ident, $status:ident, $samples:ident| $write:expr) => {
        Family {
            header: Family::$header(metric_names::$name, $unit, $help),
            level: Levels::NONE,
            rows: |context| usize::from(context.plan.kubernetes.is_some()),
            write: |$context, _, $samples| {
                if let Some($status) = &$context.plan.kubernetes {
                    $write
                }
            },
        }
    };
}

/// A family of what pods or containers asked for.
macro_rules! resources {
    ($kind:ident, $name:ident, $help:literal, $cpu:ident, $memory:ident) => {
        Family {
            header: Family::gauge(metric_names::$name, None, $help),
            level: Levels::of(WorkloadKind::$kind),
            rows: |context| context.snapshot.map_or(0, |snapshot| snapshot.count(WorkloadKind::$kind)),
            write: |context, row, samples| {
                amounts(context, WorkloadKind::$kind, row, samples, |amounts| (amounts.$cpu, amounts.$memory));
            },
        }
    };
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        header: Family::gauge(
            metric_names::POD_INFO,
            None,
            "Controller, QoS class and chosen labels of a pod, a constant 1",
        ),
        level: Levels::POD,
        rows: |context| context.snapshot.map_or(0, |snapshot| snapshot.pods.len()),
        write: pod,
    },
    Family {
        header: Family::gauge(
            metric_names::CONTAINER_INFO,
            None,
            "Name, kind and pod of a container as Kubernetes tells them, a constant 1",
        ),
        level: Levels::CONTAINER,
        rows: |context| context.snapshot.map_or(0, |snapshot| snapshot.containers.len()),
        write: container,
    },
    Family {
        header: Family::gauge(
            metric_names::POD_ANNOTATION_INFO,
            None,
            "How a pod's energy is to be judged and shown, as its annotations kepler.energy/… say, a constant 1",
        ),
        level: Levels::POD,
        rows: |context| context.snapshot.map_or(0, |snapshot| snapshot.pods.len()),
        write: annotations,
    },
    resources!(
        Pod,
        POD_RESOURCE_REQUESTS,
        "What a running pod asked the scheduler for, overhead included: cpu in cores, memory in bytes",
        cpu_request_millicores,
        memory_request_bytes
    ),
    resources!(
        Pod,
        POD_RESOURCE_LIMITS,
        "What a running pod may use at most: cpu in cores, memory in bytes",
        cpu_limit_millicores,
        memory_limit_bytes
    ),
    resources!(
        Container,
        CONTAINER_RESOURCE_REQUESTS,
        "What a running container of a pod asked for: cpu in cores, memory in bytes",
        cpu_request_millicores,
        memory_request_bytes
    ),
    resources!(
        Container,
        CONTAINER_RESOURCE_LIMITS,
        "What a running container of a pod may use at most: cpu in cores, memory in bytes",
        cpu_limit_millicores,
        memory_limit_bytes
    ),
    about!(
        gauge,
        KUBERNETES_SOURCE_INFO,
        None,
        "Where the names of pods come from now, a constant 1",
        |context, status, samples| if let Some(source) = status.source {
            samples.sample().rendered(context.node_label).label("source", source).value(Value::Count(1));
        }
    ),
    about!(
        gauge,
        KUBERNETES_AGE_SECONDS,
        Some("seconds"),
        "Time since the list of pods in use was asked for in seconds",
        |context, status, samples| if let Some(read_at) = status.read_at {
            let age = Timestamp::now().boottime_since(&read_at);
            samples.sample().rendered(context.node_label).value(Value::Time(age));
        }
    ),
    about!(gauge, KUBERNETES_PODS, None, "Pods that are listed", |context, status, samples| {
        samples.sample().rendered(context.node_label).value(Value::Count(status.pods as u64));
    }),
    about!(
        gauge,
        KUBERNETES_UNRESOLVED_PODS,
        None,
        "Pods that run here and are not listed",
        |context, status, samples| {
            samples.sample().rendered(context.node_label).value(Value::Count(status.unresolved_pods));
        }
    ),
    about!(
        counter,
        KUBERNETES_REFRESHES_TOTAL,
        None,
        "Lists of pods that were taken over",
        |context, status, samples| {
            samples.sample().rendered(context.node_label).value(Value::Count(status.refreshes));
        }
    ),
    about!(
        counter,
        KUBERNETES_ERRORS_TOTAL,
        None,
        "Requests for pods that failed, by source and kind of fault",
        |context, status, samples| for fault in &status.faults {
            let sample = samples.sample().rendered(context.node_label);
            sample.label("source", fault.source).label("reason", fault.reason).value(Value::Count(fault.count));
        }
    ),
];

/// One of a pod whose name is known.
fn pod(context: &RenderContext<'_>, row: usize, samples: &mut Samples<'_>) {
    if context.plan.pod_info.hides(row) {
        return;
    }
    let Some(row) = context.snapshot.and_then(|snapshot| snapshot.pods.get(row)) else { return };
    let pod = &row.info;
    if pod.name.is_empty() {
        return;
    }
    let (kind, owner) = pod.owner.as_ref().map_or(("", ""), |owner| (&owner.kind, &owner.name));
    let sample = samples
        .sample()
        .rendered(context.node_label)
        .label("pod_id", &pod.id)
        .label("pod_name", &pod.name)
        .label("pod_namespace", &pod.namespace)
        .label("owner_kind", kind)
        .label("owner_name", owner)
        .label("qos_class", &pod.qos_class);
    let mut written: Vec<String> = Vec::new();
    let sample = pod.labels.iter().fold(sample, |sample, (name, value)| {
        let name = label_name(name);
        // `a.b` and `a_b` are one name here: the first one stays.
        if written.contains(&name) {
            return sample;
        }
        let sample = sample.label(&name, value);
        written.push(name);
        sample
    });
    sample.value(Value::Count(1));
}

/// One of a container of a pod that Kubernetes has named, by the names that are known by now.
fn container(context: &RenderContext<'_>, row: usize, samples: &mut Samples<'_>) {
    if context.plan.container_info.hides(row) {
        return;
    }
    let Some(row) = context.snapshot.and_then(|snapshot| snapshot.containers.get(row)) else { return };
    let container = &row.info;
    let (Some(kind), Some(pod)) = (container.kind, &container.pod) else { return };
    samples
        .sample()
        .rendered(context.node_label)
        .label("container_id", &container.id)
        .label("container_name", &container.name)
        .label("container_kind", kind.name())
        .label("pod_id", &pod.id)
        .label("pod_name", &pod.name)
        .label("pod_namespace", &pod.namespace)
        .value(Value::Count(1));
}

/// What the annotations and labels of a pod say of its energy, one sample each.
fn annotations(context: &RenderContext<'_>, row: usize, samples: &mut Samples<'_>) {
    if context.plan.pod_info.hides(row) {
        return;
    }
    let Some(row) = context.snapshot.and_then(|snapshot| snapshot.pods.get(row)) else { return };
    let pod = &row.info;
    for annotation in &pod.annotations {
        samples
            .sample()
            .rendered(context.node_label)
            .label("pod_id", &pod.id)
            .label("pod_name", &pod.name)
            .label("pod_namespace", &pod.namespace)
            .label("annotation", &annotation.name)
            .label("value", &annotation.value)
            .label("written_as", if annotation.is_label { "label" } else { "annotation" })
            .value(Value::Count(1));
    }
}

/// Amounts of processors and memory, as kube-state-metrics writes them; none where nothing is set or known.
fn amounts(
    context: &RenderContext<'_>,
    kind: WorkloadKind,
    row: usize,
    samples: &mut Samples<'_>,
    of: impl Fn(&ResourceAmounts) -> (Option<u64>, Option<u64>),
) {
    let Some(running) = context.snapshot.and_then(|snapshot| snapshot.row(kind, row)) else { return };
    let amounts = running.resources();
    // What has ended holds nothing any more.
    if amounts.is_empty() || running.state != State::Running || context.plan.hides(kind, row) {
        return;
    }
    let (millicores, bytes) = of(&amounts);
    let labels: &[&str] = match kind {
        WorkloadKind::Pod => &["pod_id", "pod_name", "pod_namespace"],
        _ => &["container_id", "container_name", "pod_id"],
    };
    #[expect(clippy::cast_precision_loss, reason = "no node has 2^53 thousandths of a processor")]
    let cores = millicores.map(|millicores| Value::Number(millicores as f64 / 1000.0));
    for (resource, unit, value) in [("cpu", "core", cores), ("memory", "byte", bytes.map(Value::Count))] {
        let Some(value) = value else { continue };
        let mut sample = samples.sample().rendered(context.node_label);
        // With the names that are known by now: amounts are known no sooner.
        let known = running.attributes().filter_map(|(attribute, value)| Some((attribute.label?, value)));
        for (name, known) in known.filter(|(name, _)| labels.contains(name)) {
            sample = sample.label(name, known.text().unwrap_or_default());
        }
        sample.label("resource", resource).label("unit", unit).value(value);
    }
}

/// A label's name as kube-state-metrics writes it: `app.kubernetes.io/name` is `label_app_kubernetes_io_name`.
fn label_name(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    "label_".chars().chain(plain).collect()
}
