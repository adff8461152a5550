//! Pods and containers get names from a directory, once, and are not shown before.

use crate::machine::{DRAM, Machine, PACKAGE, Setup, process};
use kepler_core::directory::{ContainerEntry, Directory, PodDirectory, PodEntry};
use kepler_core::host::Timestamp;
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::{Energy, ZoneKind};
use kepler_core::workload::{ContainerKind, PodOwner, Workload as _};

const UID: &str = "a13400bf-8540-49f7-aed9-7e72047287f8";
const WEB: &str = "bf9ecaec81401408d87f3fc7936ec4a5a9652bebb02451345a29357df4fff90a";
const SANDBOX: &str = "01ed6f7c62ae4458d015caa16504f2c3bef879e141935ad698d9f017177af3fd";

fn pod_cgroup() -> String {
    format!("/kubepods/burstable/pod{UID}")
}

fn cgroup(id: &str) -> String {
    format!("{}/{id}", pod_cgroup())
}

fn machine(directory: &Directory) -> Machine {
    Machine::of(Setup { directory: Some(directory.clone()), ..Setup::default() })
}

/// The pod with some of its containers, as listed at a moment.
fn listed(at: Timestamp, containers: &[(&str, ContainerKind, &str)]) -> PodDirectory {
    let mut pod = PodEntry::new(UID, "nginx-light-76bcb6cd6b-fdp5j", "workload-test");
    pod.owner = Some(PodOwner::new("Deployment", "nginx-light"));
    pod.lists_containers = true;
    let entry = |&(name, kind, id): &(&str, ContainerKind, &str)| ContainerEntry::new(name, kind, [id.to_owned()]);
    pod.containers = containers.iter().map(entry).collect();
    PodDirectory::new("kubelet", at, vec![pod])
}

fn web(at: Timestamp) -> PodDirectory {
    listed(at, &[("nginx", ContainerKind::Regular, WEB)])
}

fn pod_name(snapshot: &Snapshot) -> Option<String> {
    snapshot.pods.first().map(|row| row.info.name.clone())
}

fn container_names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.containers.iter().map(|row| row.info.name.as_str()).collect()
}

/// The labels of all series of pods and containers.
fn labels(snapshot: &Snapshot) -> Vec<String> {
    let pods = snapshot.pods.iter().map(|row| format!("{:?}", row.info.attributes().labels().collect::<Vec<_>>()));
    let containers =
        snapshot.containers.iter().map(|row| format!("{:?}", row.info.attributes().labels().collect::<Vec<_>>()));
    pods.chain(containers).collect()
}

/// Works and draws 100 J of package energy.
fn work(machine: &mut Machine, pid: u32, id: &str) {
    machine.processes.work(pid, 100, Some(&cgroup(id))).unwrap();
    machine.processes.rest(100).unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(100.0)).unwrap();
    machine.tree.draw(DRAM, Energy::from_joules(10.0)).unwrap();
}

#[test]
fn a_new_pod_is_not_shown_before_it_is_listed_and_loses_no_energy() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    assert!(!directory.is_asked(), "nothing unknown runs");
    machine.spawn(10, b"nginx", &cgroup(WEB));
    work(&mut machine, 10, WEB);
    let first = machine.tick(1.0);
    assert!(first.pods.is_empty() && first.containers.is_empty(), "{first:?}");
    assert!(directory.is_asked());
    assert_eq!(directory.status().unresolved_pods, 1);
    directory.publish(web(machine.at.advanced(std::time::Duration::from_secs(1))));
    let second = machine.tick(1.0);
    let (pod, container) = (second.pods.first().unwrap(), second.containers.first().unwrap());
    assert_eq!((&*pod.info.name, &*pod.info.namespace), ("nginx-light-76bcb6cd6b-fdp5j", "workload-test"));
    assert_eq!(pod.info.owner, Some(PodOwner::new("Deployment", "nginx-light")));
    assert_eq!((&*container.info.name, container.info.kind), ("nginx", Some(ContainerKind::Regular)));
    assert_eq!(container.info.pod.as_ref(), Some(&pod.info));
    assert!(pod.energy[ZoneKind::Package].joules() > 40.0, "{pod:?}");
    assert_eq!(pod.energy, container.energy);
    let process = process(&second, 10, State::Running).unwrap();
    assert_eq!(process.info.container.as_ref(), Some(&container.info), "the process is described by the same names");
    assert_eq!(directory.status().unresolved_pods, 0);
}

#[test]
fn a_name_once_shown_stays_whatever_is_listed_later_and_after_the_end() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.spawn(10, b"nginx", &cgroup(WEB));
    work(&mut machine, 10, WEB);
    directory.publish(web(machine.at.advanced(std::time::Duration::from_secs(9))));
    assert_eq!(container_names(&machine.tick(1.0)), ["nginx"]);
    let mut renamed = PodEntry::new(UID, "other", "other");
    renamed.lists_containers = true;
    renamed.containers = vec![ContainerEntry::new("other", ContainerKind::Init, [WEB.to_owned()])];
    for pods in [vec![renamed], Vec::new()] {
        directory.publish(PodDirectory::new("kubelet", machine.at, pods));
        let snapshot = machine.tick(1.0);
        assert_eq!(pod_name(&snapshot).as_deref(), Some("nginx-light-76bcb6cd6b-fdp5j"));
        assert_eq!(container_names(&snapshot), ["nginx"]);
    }
    machine.processes.exit(10).unwrap();
    machine.processes.remove_cgroup(&cgroup(WEB)).unwrap();
    let _ = machine.processes.remove_cgroup(&pod_cgroup());
    machine.tick(1.0);
    let ended = machine.tick(1.0);
    let container = ended.containers.first().unwrap();
    assert_eq!((container.state, &*container.info.name), (State::Terminated, "nginx"));
    assert_eq!(pod_name(&ended).as_deref(), Some("nginx-light-76bcb6cd6b-fdp5j"));
}

#[test]
fn a_pod_of_which_only_names_were_known_gets_the_rest_later_and_keeps_its_names() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.spawn(10, b"nginx", &cgroup(WEB));
    let mut names = PodEntry::new(UID, "nginx-light-76bcb6cd6b-fdp5j", "workload-test");
    names.lists_containers = true;
    names.containers = vec![ContainerEntry::new("nginx", ContainerKind::Regular, [WEB.to_owned()])];
    directory.publish(PodDirectory::new("files", machine.at, vec![names.clone()]));
    assert_eq!(machine.tick(1.0).pods.first().unwrap().info.owner, None);
    let mut whole = names.clone();
    whole.owner = Some(PodOwner::new("Deployment", "nginx-light"));
    whole.qos_class = "Burstable".to_owned();
    whole.labels = vec![("app".to_owned(), "nginx".to_owned())];
    whole.containers = vec![ContainerEntry::new("nginx", ContainerKind::Sidecar, [WEB.to_owned()])];
    let mut of_another_name = whole.clone();
    of_another_name.name = "other".to_owned();
    directory.publish(PodDirectory::new("kubelet", machine.at, vec![of_another_name]));
    assert_eq!(machine.tick(1.0).pods.first().unwrap().info.owner, None);
    directory.publish(PodDirectory::new("kubelet", machine.at, vec![whole.clone()]));
    let told = |snapshot: &Snapshot| {
        let (pod, container) = (&snapshot.pods.first().unwrap().info, &snapshot.containers.first().unwrap().info);
        (pod.owner.clone(), pod.qos_class.clone(), pod.labels.clone(), container.name.clone(), container.kind)
    };
    let expected = (
        whole.owner.clone(),
        whole.qos_class.clone(),
        whole.labels.clone(),
        "nginx".to_owned(),
        Some(ContainerKind::Sidecar),
    );
    assert_eq!(told(&machine.tick(1.0)), expected);
    whole.qos_class = "Guaranteed".to_owned();
    for later in [whole, names] {
        directory.publish(PodDirectory::new("kubelet", machine.at, vec![later]));
        assert_eq!(told(&machine.tick(1.0)), expected, "from then on it stays");
    }
}

#[test]
fn what_is_not_listed_within_two_seconds_is_shown_without_a_name_and_keeps_its_labels_when_it_gets_one() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.spawn(10, b"nginx", &cgroup(WEB));
    assert!(machine.tick(1.0).pods.is_empty());
    assert!(machine.tick(1.0).pods.is_empty());
    let shown = machine.tick(1.0);
    assert_eq!(pod_name(&shown).as_deref(), Some(""));
    assert_eq!(container_names(&shown), [WEB.get(..12).unwrap()]);
    let before = labels(&shown);
    directory.publish(web(machine.at));
    let named = machine.tick(1.0);
    assert_eq!(pod_name(&named).as_deref(), Some("nginx-light-76bcb6cd6b-fdp5j"));
    assert_eq!(container_names(&named), ["nginx"]);
    assert_eq!(labels(&named), before, "no series of energy ends or begins");
    // Still when it has ended, and when it is back.
    work(&mut machine, 10, WEB);
    machine.tick(1.0);
    machine.processes.exit(10).unwrap();
    machine.processes.remove_cgroup(&cgroup(WEB)).unwrap();
    let _ = machine.processes.remove_cgroup(&pod_cgroup());
    machine.tick(1.0);
    let ended = machine.tick(1.0);
    assert_eq!((labels(&ended), pod_name(&ended)), (before.clone(), pod_name(&named)));
    machine.spawn(12, b"nginx", &cgroup(WEB));
    let back = machine.tick(1.0);
    assert_eq!((labels(&back), pod_name(&back)), (before, pod_name(&named)));
}

#[test]
fn what_has_ended_without_a_name_comes_back_with_the_labels_it_had() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.spawn(10, b"nginx", &cgroup(WEB));
    work(&mut machine, 10, WEB);
    machine.tick(1.0);
    let before = labels(&machine.tick(3.0));
    assert_eq!(before.len(), 2);
    machine.processes.exit(10).unwrap();
    machine.processes.remove_cgroup(&cgroup(WEB)).unwrap();
    let _ = machine.processes.remove_cgroup(&pod_cgroup());
    machine.tick(1.0);
    machine.tick(1.0);
    machine.spawn(12, b"nginx", &cgroup(WEB));
    assert_eq!(labels(&machine.tick(1.0)), before, "it is not held back a second time");
    directory.publish(web(machine.at));
    let named = machine.tick(1.0);
    assert_eq!((labels(&named), container_names(&named)), (before, vec!["nginx"]));
}

#[test]
fn a_job_within_a_container_describes_it_by_the_name_that_comes_later() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    let job = format!("{}/system.slice/slurmstepd.scope/job_7/step_0/user/task_0", cgroup(WEB));
    machine.spawn(10, b"nginx", &cgroup(WEB));
    machine.spawn(11, b"solver", &job);
    machine.tick(1.0);
    directory.publish(web(machine.at.advanced(std::time::Duration::from_secs(9))));
    let snapshot = machine.tick(1.0);
    let container = snapshot.jobs.first().and_then(|row| row.info.container.as_ref()).unwrap();
    assert_eq!((&*container.name, container.kind), ("nginx", Some(ContainerKind::Regular)));
    assert_eq!(container.pod.as_ref().map(|pod| &*pod.name), Some("nginx-light-76bcb6cd6b-fdp5j"));
    let process = process(&snapshot, 11, State::Running).unwrap();
    assert_eq!(process.info.job.as_ref().and_then(|job| job.container.as_ref()), Some(container));
}

#[test]
fn a_pods_sandbox_has_no_row_and_counts_for_the_pod() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.processes.spawn(9, 1, b"pod", &pod_cgroup()).unwrap();
    machine.spawn(10, b"nginx", &cgroup(WEB));
    machine.spawn(11, b"pause", &cgroup(SANDBOX));
    directory.publish(web(machine.at.advanced(std::time::Duration::from_secs(9))));
    work(&mut machine, 11, SANDBOX);
    let snapshot = machine.tick(1.0);
    assert_eq!(container_names(&snapshot), ["nginx"]);
    let pod = snapshot.pods.first().unwrap();
    assert!(pod.energy[ZoneKind::Package].joules() > 40.0, "{pod:?}");
    assert!(!directory.is_asked(), "a newer list would say the same");
    // Still none when Kubernetes has forgotten the pod, nor when it ends.
    directory.publish(PodDirectory::new("kubelet", machine.at, Vec::new()));
    machine.tick(3.0);
    machine.processes.exit(11).unwrap();
    machine.processes.remove_cgroup(&cgroup(SANDBOX)).unwrap();
    machine.tick(3.0);
    assert_eq!(container_names(&machine.tick(3.0)), ["nginx"]);
}

#[test]
fn a_pod_whose_statuses_list_no_container_at_all_has_a_sandbox_only() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.spawn(11, b"pause", &cgroup(SANDBOX));
    directory.publish(listed(machine.at, &[]));
    for _ in 0..4 {
        let snapshot = machine.tick(1.0);
        assert_eq!((snapshot.pods.len(), snapshot.containers.len()), (1, 0), "its image cannot be pulled");
    }
}

#[test]
fn a_container_of_a_pod_without_statuses_is_shown_without_a_name() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.spawn(10, b"web", &cgroup(WEB));
    let pending = PodEntry::new(UID, "static-web-node-a", "kube-system");
    directory.publish(PodDirectory::new("kubelet", machine.at, vec![pending]));
    assert_eq!(container_names(&machine.tick(1.0)), Vec::<&str>::new());
    assert_eq!(container_names(&machine.tick(3.0)), [WEB.get(..12).unwrap()]);
}

#[test]
fn a_container_that_starts_later_is_asked_for_and_shown_once_it_is_listed() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.spawn(10, b"nginx", &cgroup(WEB));
    directory.publish(web(machine.at.advanced(std::time::Duration::from_secs(2))));
    machine.tick(1.0);
    machine.tick(3.0);
    assert!(!directory.is_asked());
    let later = "705d0079e47ad910bffe30779704d85a7420578487de0b6095f6372f5ad1af89";
    machine.spawn(12, b"sh", &cgroup(later));
    assert_eq!(container_names(&machine.tick(1.0)), ["nginx"]);
    assert!(directory.is_asked());
    let both = [("nginx", ContainerKind::Regular, WEB), ("debugger", ContainerKind::Ephemeral, later)];
    directory.publish(listed(machine.at, &both));
    let snapshot = machine.tick(1.0);
    let mut names = container_names(&snapshot);
    names.sort_unstable();
    assert_eq!(names, ["debugger", "nginx"]);
}

#[test]
fn a_pod_that_ended_before_it_was_listed_is_named_all_the_same() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    machine.spawn(10, b"job", &cgroup(WEB));
    work(&mut machine, 10, WEB);
    machine.tick(1.0);
    machine.processes.exit(10).unwrap();
    machine.processes.remove_cgroup(&cgroup(WEB)).unwrap();
    let _ = machine.processes.remove_cgroup(&pod_cgroup());
    machine.tick(0.5);
    directory.publish(web(machine.at));
    let snapshot = machine.tick(0.5);
    assert_eq!(
        (pod_name(&snapshot).as_deref(), container_names(&snapshot)),
        (Some("nginx-light-76bcb6cd6b-fdp5j"), vec!["nginx"])
    );
}

#[test]
fn a_container_that_a_container_of_a_pod_runs_is_shown_with_the_pod() {
    let directory = Directory::new();
    let mut machine = machine(&directory);
    machine.tick(1.0);
    let inner = "705d0079e47ad910bffe30779704d85a7420578487de0b6095f6372f5ad1af89";
    machine.spawn(10, b"dockerd", &cgroup(WEB));
    machine.spawn(11, b"build", &format!("{}/docker/{inner}", cgroup(WEB)));
    directory.publish(web(machine.at.advanced(std::time::Duration::from_secs(9))));
    machine.tick(1.0);
    let snapshot = machine.tick(1.0);
    let row = snapshot.containers.iter().find(|row| row.info.id == inner).unwrap();
    assert_eq!(row.info.pod.as_ref().map(|pod| pod.name.as_str()), Some("nginx-light-76bcb6cd6b-fdp5j"));
}
