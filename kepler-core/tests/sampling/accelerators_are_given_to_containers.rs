//! Devices that Kubernetes has given to containers: their idle energy, and the energy of processes that the driver hides.

use crate::accelerators::Accelerators;
use crate::machine::{Machine, Setup, near};
use kepler_core::attribution::IdlePolicy;
use kepler_core::device::{Device, DeviceAllocation, DeviceDirectory, DeviceInstance, DeviceUser, SharesBy};
use kepler_core::directory::{ContainerEntry, Directory, PodDirectory, PodEntry};
use kepler_core::snapshot::{DeviceUse, Snapshot};
use kepler_core::units::{Energy, Power, ZoneKind};
use kepler_core::workload::ContainerKind;
use proptest::prelude::*;

const UIDS: [&str; 2] = ["a13400bf-8540-49f7-aed9-7e72047287f8", "b13400bf-8540-49f7-aed9-7e72047287f8"];

/// A node with a device of 50 W when idle, and two pods with a container each.
struct Node {
    machine: Machine,
    gpus: Accelerators,
    devices: DeviceDirectory,
}

impl Node {
    fn new(device: Device) -> Self {
        Self::with_idle_power(device, Some(Power::from_watts(50.0)))
    }

    fn with_idle_power(device: Device, idle_power: Option<Power>) -> Self {
        let device = device.with(|device| device.idle_power = idle_power);
        let gpus = Accelerators::new(&[device]);
        let (directory, devices) = (Directory::new(), DeviceDirectory::new());
        let mut machine = Machine::of(Setup {
            policy: IdlePolicy::Baseline,
            devices: vec![gpus.meter()],
            directory: Some(directory.clone()),
            device_directory: Some(devices.clone()),
            ..Setup::default()
        });
        let pods = UIDS.iter().zip(0..).map(|(uid, number)| {
            let mut pod = PodEntry::new(*uid, format!("train-{number}"), "ml");
            pod.lists_containers = true;
            pod.containers.push(ContainerEntry::new("worker", ContainerKind::Regular, [id(number)]));
            pod
        });
        directory.publish(PodDirectory::new("kubelet", machine.at, pods.collect()));
        for number in 0..2 {
            let cgroup = format!("/kubepods/burstable/pod{}/{}", UIDS[number as usize], id(number));
            machine.spawn(10 + number, b"train", &cgroup);
        }
        gpus.count(0, 0.0, None, &[]);
        machine.tick(1.0);
        Node { machine, gpus, devices }
    }

    fn give(&self, allocations: &[(&str, &str)]) {
        let of = |&(device, pod): &(&str, &str)| DeviceAllocation::new(device, "ml", pod, "worker");
        self.devices.publish_allocations(self.machine.at, allocations.iter().map(of).collect());
    }

    fn tick(&mut self) -> std::sync::Arc<Snapshot> {
        self.machine.tick(1.0)
    }
}

fn id(number: u32) -> String {
    number.to_string().repeat(64)
}

fn gpu() -> Device {
    Device::new("GPU-a", "nvidia", "H200").with(|device| device.minor = Some(0))
}

/// The same, divided into instances of three and of two slices.
fn divided(device: Device) -> Device {
    let instance = |id, slices, uuid: &str| DeviceInstance::new(id, slices).with(|one| one.uuids = vec![uuid.into()]);
    device.with(|device| {
        device.instances = vec![instance(1, 3, "MIG-3"), instance(5, 2, "MIG-2")];
        device.slices = 7;
    })
}

/// What a pod, and its container alike, has of the device.
fn of_pod(snapshot: &Snapshot, name: &str) -> Option<DeviceUse> {
    let pod = snapshot.pods.iter().find(|row| row.info.name == name)?;
    let container = snapshot.containers.iter().find(|row| row.info.pod.as_ref().is_some_and(|pod| pod.name == name))?;
    assert_eq!(pod.devices, container.devices);
    pod.devices.first().copied()
}

fn figures(snapshot: &Snapshot, name: &str) -> (f64, f64, Option<SharesBy>) {
    of_pod(snapshot, name)
        .map_or((0.0, 0.0, None), |used| (used.energy.joules(), used.idle_energy.joules(), used.shares_by))
}

#[test]
fn idle_energy_of_a_device_is_that_of_the_container_that_has_it() {
    let mut node = Node::new(gpu());
    node.give(&[("GPU-a", "train-0")]);
    node.gpus.count(0, 50.0, None, &[]);
    let snapshot = node.tick();
    assert_eq!(figures(&snapshot, "train-0"), (0.0, 50.0, None));
    assert_eq!(figures(&snapshot, "train-1"), (0.0, 0.0, None));
    assert_eq!(snapshot.pods[0].energy[ZoneKind::Gpu], Energy::ZERO, "idle energy is no workload's");
    assert_eq!(snapshot.devices[0].allocations.len(), 1);
    // It is taken from it again.
    node.give(&[]);
    node.gpus.count(0, 100.0, None, &[]);
    let snapshot = node.tick();
    assert_eq!((figures(&snapshot, "train-0").1, snapshot.devices[0].allocations.len()), (50.0, 0));
}

#[test]
fn energy_of_hidden_processes_goes_to_the_only_container_that_has_the_device_and_is_marked() {
    let mut node = Node::new(gpu());
    node.give(&[("nvidia0", "train-0")]);
    // One is seen in the other pod: processes come before allocations.
    node.gpus.count(0, 150.0, None, &[(11, 0.25), (0, 0.25)]);
    let snapshot = node.tick();
    assert_eq!(figures(&snapshot, "train-0"), (50.0, 50.0, Some(SharesBy::Allocation)));
    assert_eq!(figures(&snapshot, "train-1"), (50.0, 0.0, Some(SharesBy::Utilisation)));
    assert_eq!(snapshot.devices[0].unattributed_energy, Energy::ZERO);
    assert!(near(snapshot.node.zones[ZoneKind::Gpu].as_ref().unwrap().short_lived_energy.joules(), 50.0));
    // No use is reported at all.
    node.gpus.count(0, 300.0, None, &[]);
    let snapshot = node.tick();
    assert_eq!(figures(&snapshot, "train-0"), (150.0, 100.0, Some(SharesBy::Allocation)));
}

#[test]
fn of_a_device_that_several_containers_share_nothing_hidden_is_guessed() {
    let mut node = Node::new(gpu());
    node.give(&[("GPU-a::0", "train-0"), ("GPU-a::1", "train-1"), ("GPU-a::2", "train-1")]);
    node.gpus.count(0, 150.0, None, &[(0, 0.5)]);
    let snapshot = node.tick();
    let shares = ["train-0", "train-1"].map(|name| figures(&snapshot, name));
    assert!(near(shares[0].1, 50.0 / 3.0) && near(shares[1].1, 100.0 / 3.0), "{shares:?}");
    assert_eq!((shares[0].0, shares[1].0), (0.0, 0.0));
    assert!(near(snapshot.devices[0].unattributed_energy.joules(), 100.0));
}

#[test]
fn devices_of_pods_that_have_ended_or_are_not_known_are_left_out() {
    let mut node = Node::new(gpu());
    node.give(&[("GPU-a", "ended-7"), ("GPU-a", "train-0"), ("GPU-other", "train-1")]);
    node.gpus.count(0, 150.0, None, &[(0, 0.5)]);
    let snapshot = node.tick();
    assert_eq!(figures(&snapshot, "train-0"), (100.0, 50.0, Some(SharesBy::Allocation)));
    // What the kubelet said a while ago is not known any more.
    node.machine.tick(70.0);
    node.gpus.count(0, 300.0, None, &[(0, 0.5)]);
    let snapshot = node.tick();
    assert_eq!((figures(&snapshot, "train-0").0, snapshot.devices[0].allocations.len()), (100.0, 0));
}

#[test]
fn instances_have_idle_energy_by_their_slices_and_hidden_processes_of_their_own() {
    let mut node = Node::new(divided(gpu()));
    node.give(&[("MIG-3", "train-0"), ("nvidia0/gi5", "train-1")]);
    let users = vec![DeviceUser::new(0, 3.0 / 7.0).of_instance(1), DeviceUser::new(11, 2.0 / 7.0).of_instance(5)];
    node.gpus.divide(0, 120.0, users, SharesBy::InstanceSlices);
    let snapshot = node.tick();
    let shares = ["train-0", "train-1"].map(|name| figures(&snapshot, name));
    assert!(near(shares[0].0, 42.0) && near(shares[1].0, 28.0), "{shares:?}");
    assert!(near(shares[0].1, 50.0 * 3.0 / 7.0) && near(shares[1].1, 50.0 * 2.0 / 7.0), "two slices are not allocated");
    assert_eq!((shares[0].2, shares[1].2), (Some(SharesBy::Allocation), Some(SharesBy::InstanceSlices)));
    assert_eq!(snapshot.devices[0].shares_by, Some(SharesBy::InstanceSlices));
}

#[test]
fn what_is_not_known_to_be_idle_is_nobodys() {
    let mut node = Node::with_idle_power(gpu(), None);
    node.give(&[("GPU-a", "train-0")]);
    node.gpus.count(0, 300.0, None, &[(10, 0.9)]);
    let snapshot = node.tick();
    assert_eq!(figures(&snapshot, "train-0"), (0.0, 0.0, None));
    assert_eq!(snapshot.devices[0].unsplit_energy, Energy::from_joules(300.0));
}

/// What is given to whom, which instances there are, who used the device how much, in one tick.
#[derive(Clone, Debug)]
struct Step {
    joules: u32,
    is_divided: bool,
    given: Vec<(usize, usize)>,
    users: Vec<(u32, Option<u32>, f64)>,
    is_lost: bool,
}

const IDS: [&str; 6] = ["GPU-a", "GPU-a::1", "MIG-3", "nvidia0/gi5", "nvidia0/vgpu1", "GPU-other"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let given = prop::collection::vec((0..IDS.len(), 0usize..3), 0..4);
    let pid = prop::sample::select(vec![0u32, 10, 11, 4711]);
    let instance = prop::option::of(prop::sample::select(vec![1u32, 5, 9]));
    let users = prop::collection::vec((pid, instance, 0.0f64..1.2), 0..4);
    let step = (0u32..3000, any::<bool>(), given, users, prop::bool::weighted(0.1));
    let step =
        step.prop_map(|(joules, is_divided, given, users, is_lost)| Step { joules, is_divided, given, users, is_lost });
    prop::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// However devices are allocated, divided and used: the sums agree to the microjoule at every tick, no counter falls, and
    /// none has more idle energy than the device.
    #[test]
    fn energy_is_conserved_whatever_is_given_to_whom(steps in steps()) {
        let mut node = Node::new(gpu());
        let mut joules = 0.0;
        for step in steps {
            joules += f64::from(step.joules);
            let pods = ["train-0", "train-1", "ended-7"];
            node.give(&step.given.iter().map(|&(id, pod)| (IDS[id], pods[pod])).collect::<Vec<_>>());
            let users = step.users.iter().map(|&(pid, instance, busy)| match instance {
                Some(instance) => DeviceUser::new(pid, busy).of_instance(instance),
                None => DeviceUser::new(pid, busy),
            });
            node.gpus.divide(0, joules, users.collect(), SharesBy::InstanceSlices);
            node.gpus.change(|shown| {
                shown.generation += 1;
                let device = gpu().with(|device| device.idle_power = Some(Power::from_watts(50.0)));
                shown.devices = vec![if step.is_divided { divided(device) } else { device }];
                if step.is_lost {
                    shown.readings[0] = None;
                }
            });
            let snapshot = node.tick();
            let idle: Energy = snapshot.pods.iter().flat_map(|row| &row.devices).map(|used| used.idle_energy).sum();
            prop_assert!(idle <= snapshot.devices[0].idle_energy, "{idle} of {}", snapshot.devices[0].idle_energy);
        }
    }
}
