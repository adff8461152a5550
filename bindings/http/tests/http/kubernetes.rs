//! What Kubernetes says of pods and containers, as series to join with those of energy.
#![allow(clippy::print_stderr, reason = "a skipped check says why")]

use crate::support::{Sample, exporter, options, parse, row, snapshot, text, values};
use kepler_core::snapshot::{Row, Snapshot, State};
use kepler_core::workload::{ContainerInfo, ContainerKind, PodInfo};
use kepler_http::{Compat, ExportOptions, Format, Levels};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const PROMTOOL: &str = "/usr/bin/promtool";

fn pod(id: &str, name: &str) -> Arc<PodInfo> {
    let mut pod = PodInfo::new(id);
    (pod.name, pod.namespace) = (name.into(), "shop".into());
    Arc::new(pod)
}

fn container(id: &str, name: &str, kind: Option<ContainerKind>, pod: &Arc<PodInfo>) -> ContainerInfo {
    let mut container = ContainerInfo::new(id, "containerd");
    (container.name, container.kind, container.pod) = (name.into(), kind, Some(Arc::clone(pod)));
    container
}

/// A pod that was named late, and its container; a pod named at once with an init container that has ended; a container
/// that Kubernetes does not list; one of no pod.
fn node() -> Snapshot {
    let mut late = PodInfo::clone(&pod("uid-late", "web-0"));
    late.shown_unnamed = true;
    let (late, prompt) = (Arc::new(late), pod("uid-prompt", "redis-0"));
    let mut named_late = container("0123456789abcdef", "nginx", Some(ContainerKind::Sidecar), &late);
    named_late.shown_as = Some("0123456789ab".into());
    let mut unlisted = container("ffff0123456789ab", "ffff01234567", None, &prompt);
    unlisted.shown_as = Some("ffff01234567".into());
    let mut docker = ContainerInfo::new("d0c4", "docker");
    docker.name = "builder".into();
    let mut snapshot = snapshot();
    snapshot.pods = vec![row(late, State::Running, 2.0), row(Arc::clone(&prompt), State::Running, 3.0)];
    snapshot.containers = vec![
        row(named_late, State::Running, 2.0),
        row(unlisted, State::Running, 1.0),
        row(docker, State::Running, 1.0),
        row(container("1111", "migrate", Some(ContainerKind::Init), &prompt), State::Terminated, 3.0),
    ];
    snapshot
}

fn show(snapshot: Snapshot, options: ExportOptions) -> String {
    text(&exporter(Some(snapshot), options), Format::Text)
}

fn samples(snapshot: Snapshot) -> Vec<Sample> {
    parse(&show(snapshot, options()), Format::Text)
}

fn infos(samples: &[Sample]) -> Vec<String> {
    let infos = samples.iter().filter(|sample| sample.name == "kepler_container_info");
    infos
        .map(|info| ["container_id", "container_name", "container_kind"].map(|label| &*info.labels[label]).join(" "))
        .collect()
}

#[test]
fn a_container_that_is_named_late_is_told_by_that_name_and_its_energy_keeps_its_labels() {
    let samples = samples(node());
    let late = [("container_id", "0123456789abcdef")];
    let is_named = [("container_name", "nginx"), ("container_kind", "sidecar"), ("pod_id", "uid-late")];
    let is_in = [("pod_name", "web-0"), ("pod_namespace", "shop"), ("node_name", "node-1")];
    assert_eq!(values(&samples, "kepler_container_info", &[&late[..], &is_named, &is_in].concat()), ["1"]);
    let energy = [&late[..], &[("container_name", "0123456789ab"), ("zone", "package")]].concat();
    assert_eq!(values(&samples, "kepler_container_cpu_joules_total", &energy), ["2"]);
    let energy = [("pod_id", "uid-late"), ("pod_name", ""), ("zone", "package")];
    assert_eq!(values(&samples, "kepler_pod_cpu_joules_total", &energy), ["2"]);
}

#[test]
fn what_kubernetes_has_not_named_has_no_series_of_names_and_what_has_ended_keeps_its_own() {
    // A sandbox has no row at all; one that is not listed has one, and is told by no name.
    let samples = samples(node());
    assert_eq!(infos(&samples), ["0123456789abcdef nginx sidecar", "1111 migrate init"]);
    let ended = [("container_id", "1111"), ("state", "terminated"), ("zone", "package")];
    assert_eq!(values(&samples, "kepler_container_cpu_joules_total", &ended), ["3"]);
}

/// The newest of one identifier stands for all, whatever labels the others have: else a join finds two.
#[test]
fn an_identifier_has_one_series_of_names() {
    let mut snapshot = node();
    let older = |name: &str, pod: &Arc<PodInfo>| -> Row<ContainerInfo> {
        row(container("0123456789abcdef", name, Some(ContainerKind::Regular), pod), State::Terminated, 5.0)
    };
    snapshot.containers.insert(0, older("nginx-old", &pod("uid-old", "web-old")));
    snapshot.containers.push(older("nginx", &pod("uid-late", "web-0")));
    snapshot.pods.insert(0, row(pod("uid-late", "web-old"), State::Terminated, 1.0));
    let samples = samples(snapshot);
    assert_eq!(infos(&samples), ["0123456789abcdef nginx sidecar", "1111 migrate init"]);
    let pods: Vec<_> = samples.iter().filter(|sample| sample.name == "kepler_pod_info").collect();
    let named = |id: &str| -> Vec<&str> {
        pods.iter().filter(|pod| pod.labels["pod_id"] == id).map(|pod| &*pod.labels["pod_name"]).collect()
    };
    assert_eq!((named("uid-late"), named("uid-prompt")), (vec!["web-0"], vec!["redis-0"]));
}

#[test]
fn names_of_containers_belong_to_their_level() {
    let of = |levels| show(node(), options().with(|options| options.levels = levels));
    assert!(
        of(Levels::CONTAINER).contains("kepler_container_info{") && !of(Levels::CONTAINER).contains("kepler_pod_info")
    );
    assert!(of(Levels::POD).contains("kepler_pod_info{") && !of(Levels::POD).contains("kepler_container_info"));
}

#[test]
fn promtool_has_no_complaint() {
    if !Path::new(PROMTOOL).exists() {
        eprintln!("SKIPPED: {PROMTOOL} is not installed (Debian package `prometheus`)");
        return;
    }
    let text = show(node(), options());
    let mut check = Command::new(PROMTOOL)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = check.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&[done.stdout, done.stderr].concat()), "", "{text}");
    // Older names as well make no series twice, which the parser looks after.
    parse(&show(node(), options().with(|options| options.compat = Some(Compat::Kepler07))), Format::Text);
}
