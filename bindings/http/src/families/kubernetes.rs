//! What Kubernetes says of pods, and how asking it fares. Nothing where it is not asked.

use super::{Family, Levels, RenderContext, Samples, Value};
use kepler_core::host::Timestamp;
use kepler_core::metric_names;

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

/// A label's name as kube-state-metrics writes it: `app.kubernetes.io/name` is `label_app_kubernetes_io_name`.
fn label_name(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    "label_".chars().chain(plain).collect()
}
