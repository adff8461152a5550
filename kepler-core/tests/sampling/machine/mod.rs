//! A simulated machine of two processors and its books, for the tests beside this folder.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot set up its machine fails")]

use kepler_core::attribution::{IdlePolicy, Weights};
use kepler_core::calibration::{Calibration, KeptCorrection};
use kepler_core::device::{DeviceDirectory, DeviceMeter};
use kepler_core::directory::Directory;
use kepler_core::host::Timestamp;
use kepler_core::meter::chain::Source;
use kepler_core::platform::{PlatformAttribution, PlatformBoard};
use kepler_core::sampler::{Retention, Sampler, SamplerOptions};
use kepler_core::sim::{PowercapTree, ProcessTree};
use kepler_core::snapshot::{DeviceRow, NodeZone, Row, Snapshot, State};
use kepler_core::units::{Energy, ZoneKind};
use kepler_core::usage::UsageSource;
use kepler_core::workload::ProcessInfo;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub const PACKAGE: &str = "intel-rapl:0";
pub const DRAM: &str = "intel-rapl:0:0";
pub const SECOND: &str = "intel-rapl:1";

/// Clock ticks of 10 ms.
pub fn seconds(ticks: u64) -> f64 {
    ticks as f64 / 100.0
}

/// What a machine is made of. The default is that of [`Machine::new`].
pub struct Setup {
    pub policy: IdlePolicy,
    pub retention: Retention,
    pub weights: Weights,
    pub second_socket: bool,
    /// The package of each of the two processors, if the machine tells.
    pub packages: Option<[u32; 2]>,
    pub sysfs_files: Vec<(&'static str, &'static str)>,
    /// The root of the cgroup namespace that these tests read in.
    pub cgroup_namespace: Option<String>,
    pub usage_source: Option<Box<dyn UsageSource>>,
    pub meter: Source,
    /// Sources that stand before it.
    pub before: Vec<Source>,
    pub calibration: Option<Arc<Calibration>>,
    pub directory: Option<Directory>,
    pub devices: Vec<Box<dyn DeviceMeter>>,
    pub platform: Option<PlatformBoard>,
    pub platform_attribution: PlatformAttribution,
    /// What an earlier run has learned of the estimate.
    pub kept_correction: Option<KeptCorrection>,
    /// What the network knows of them.
    pub device_directory: Option<DeviceDirectory>,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            policy: IdlePolicy::Ratio,
            retention: Retention::default(),
            weights: Weights::default(),
            second_socket: false,
            packages: None,
            sysfs_files: Vec::new(),
            cgroup_namespace: None,
            usage_source: None,
            meter: Source::Powercap,
            before: Vec::new(),
            calibration: None,
            directory: None,
            devices: Vec::new(),
            platform: None,
            platform_attribution: PlatformAttribution::None,
            kept_correction: None,
            device_directory: None,
        }
    }
}

pub struct Machine {
    pub tree: PowercapTree,
    pub processes: ProcessTree,
    pub sampler: Sampler,
    pub at: Timestamp,
    seen: HashMap<String, Energy>,
    seen_before: HashMap<String, Energy>,
    _root: tempfile::TempDir,
}

impl Machine {
    pub fn new() -> Self {
        Self::with(IdlePolicy::Ratio, Retention::default())
    }

    pub fn with(policy: IdlePolicy, retention: Retention) -> Self {
        Self::build(policy, retention, false)
    }

    /// The same with a second package.
    pub fn with_second_socket(policy: IdlePolicy) -> Self {
        Self::build(policy, Retention::default(), true)
    }

    fn build(policy: IdlePolicy, retention: Retention, second_socket: bool) -> Self {
        Self::of(Setup { policy, retention, second_socket, ..Setup::default() })
    }

    pub fn of(setup: Setup) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut tree = PowercapTree::create(root.path()).unwrap();
        tree.add_zone(PACKAGE, "package-0", Energy::from_joules(1000.0)).unwrap();
        tree.add_zone(DRAM, "dram", Energy::from_joules(500.0)).unwrap();
        if setup.second_socket {
            tree.add_zone(SECOND, "package-1", Energy::from_joules(7.0)).unwrap();
        }
        let processes = ProcessTree::create(root.path(), 2).unwrap();
        if let Some(packages) = setup.packages {
            processes.set_packages(&packages).unwrap();
        }
        for (path, text) in setup.sysfs_files {
            let path = tree.sysfs().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        if let Some(namespace) = setup.cgroup_namespace {
            let directory = processes.host(tree.sysfs()).cgroup().join(namespace.trim_start_matches('/'));
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("cgroup.procs"), format!("{}\n", std::process::id())).unwrap();
            std::fs::create_dir_all(processes.procfs().join("self")).unwrap();
            std::fs::write(processes.procfs().join("self/cgroup"), "0::/\n").unwrap();
        }
        let mut options = SamplerOptions::default();
        options.chain.sources = setup.before;
        options.chain.sources.push(setup.meter);
        options.chain.calibration = setup.calibration;
        (options.policy, options.retention, options.weights) = (setup.policy, setup.retention, setup.weights);
        options.directory = setup.directory;
        (options.platform, options.platform_attribution) = (setup.platform, setup.platform_attribution);
        options.kept_correction = setup.kept_correction;
        options.devices.directory = setup.device_directory;
        let mut sampler = Sampler::new(&processes.host(tree.sysfs()), options).unwrap();
        sampler = sampler.with_devices(setup.devices);
        if let Some(source) = setup.usage_source {
            sampler = sampler.with_usage_source(source);
        }
        // Far from boot, so that start times differ.
        let mut at = Timestamp::now();
        at.monotonic = Duration::from_secs(1000);
        at.boottime = Duration::from_secs(1000);
        Machine { tree, processes, sampler, at, seen: HashMap::new(), seen_before: HashMap::new(), _root: root }
    }

    /// The start time of a process that is born now.
    pub fn now_ticks(&self) -> u64 {
        u64::try_from(self.at.boottime.as_millis() / 10).unwrap()
    }

    pub fn spawn(&mut self, pid: u32, comm: &[u8], cgroup: &str) {
        let start = self.now_ticks() + 50;
        self.processes.spawn(pid, start, comm, cgroup).unwrap();
    }

    /// `seconds` go by, then a tick is done, and its books are checked.
    pub fn tick(&mut self, seconds: f64) -> Arc<Snapshot> {
        self.at = self.at.advanced(Duration::from_secs_f64(seconds));
        let snapshot = self.sampler.tick_at(self.at);
        self.check(&snapshot);
        snapshot
    }

    /// Everything balances to the microjoule, and no counter went back.
    fn check(&mut self, snapshot: &Snapshot) {
        self.seen_before = std::mem::take(&mut self.seen);
        self.check_devices(snapshot);
        for (kind, zone) in snapshot.node.zones() {
            assert_eq!(zone.energy, zone.active_energy + zone.idle_energy, "{kind}");
            let processes: Energy = snapshot.processes.iter().map(|row| row.energy[kind]).sum();
            let NodeZone { short_lived_energy, unattributed_energy, unlisted_energy, .. } = *zone;
            let parts = processes + short_lived_energy + unattributed_energy + unlisted_energy;
            assert_eq!(zone.active_energy, parts, "{kind}");
            // No process is in two containers, units or pods.
            let containers: Energy = snapshot.containers.iter().map(|row| row.energy[kind]).sum();
            let units: Energy = snapshot.units.iter().map(|row| row.energy[kind]).sum();
            let pods: Energy = snapshot.pods.iter().map(|row| row.energy[kind]).sum();
            assert!(containers + units <= zone.active_energy && pods <= zone.active_energy, "{kind}");
            for (name, energy) in [
                ("energy", zone.energy),
                ("active", zone.active_energy),
                ("idle", zone.idle_energy),
                ("unattributed", unattributed_energy),
                ("short-lived", short_lived_energy),
                ("unlisted", unlisted_energy),
            ] {
                self.must_not_fall(format!("node {name} {kind}"), energy);
            }
            for row in &snapshot.processes {
                let key = format!("process {} {} {kind}", row.info.pid, row.info.start_ticks);
                self.must_not_fall(key, row.energy[kind]);
            }
            for row in &snapshot.containers {
                self.must_not_fall(format!("container {} {kind}", row.info.id), row.energy[kind]);
            }
            for row in &snapshot.pods {
                self.must_not_fall(format!("pod {} {kind}", row.info.id), row.energy[kind]);
            }
            for row in &snapshot.units {
                self.must_not_fall(format!("unit {} {kind}", row.info.cgroup), row.energy[kind]);
            }
        }
    }

    /// The accelerators' books are those of their sum, and every workload's share of the sum is the sum of its shares.
    fn check_devices(&mut self, snapshot: &Snapshot) {
        let Some(zone) = &snapshot.node.zones[ZoneKind::Gpu] else {
            assert!(snapshot.devices.is_empty());
            return;
        };
        let sum = |of: fn(&DeviceRow) -> Energy| snapshot.devices.iter().map(of).sum::<Energy>();
        assert_eq!(zone.energy, sum(|row| row.energy));
        assert_eq!(zone.active_energy, sum(|row| row.active_energy));
        assert_eq!(zone.idle_energy, sum(|row| row.idle_energy + row.unsplit_energy));
        assert_eq!(zone.unattributed_energy, sum(|row| row.unattributed_energy));
        for (place, row) in snapshot.devices.iter().enumerate() {
            assert_eq!(row.energy, row.active_energy + row.idle_energy + row.unsplit_energy);
            let used = snapshot.processes.iter().flat_map(|row| &row.devices);
            let used: Energy = used.filter(|used| used.device as usize == place).map(|used| used.energy).sum();
            assert!(used + row.unattributed_energy <= row.active_energy, "what ended is not listed");
            self.must_not_fall(format!("device {place}"), row.energy);
            self.must_not_fall(format!("device {place} active"), row.active_energy);
            self.must_not_fall(format!("device {place} unattributed"), row.unattributed_energy);
        }
        snapshot.for_each(|row| {
            let (energy, power) = (row.energy[ZoneKind::Gpu], row.power[ZoneKind::Gpu]);
            assert_eq!(row.devices.iter().map(|used| used.energy).sum::<Energy>(), energy, "{}", row.identity());
            let watts: f64 = row.devices.iter().map(|used| used.power.watts()).sum();
            assert!((watts - power.watts()).abs() < 1e-6, "{}", row.identity());
        });
    }

    /// What was shown at the tick before must not be less now. What was not, may start again.
    fn must_not_fall(&mut self, key: String, energy: Energy) {
        let before = self.seen_before.get(&key).copied().unwrap_or_default();
        assert!(energy >= before, "{key} fell from {before} to {energy}");
        self.seen.insert(key, energy);
    }
}

pub fn package(snapshot: &Snapshot) -> &NodeZone {
    snapshot.node.zones[ZoneKind::Package].as_ref().unwrap()
}

pub fn process(snapshot: &Snapshot, pid: u32, state: State) -> Option<&Row<ProcessInfo>> {
    snapshot.processes.iter().find(|row| row.info.pid == pid && row.state == state)
}

/// Joules of a row's package.
pub fn joules<Info>(row: Option<&Row<Info>>) -> f64 {
    row.map_or(f64::NAN, |row| row.energy[ZoneKind::Package].joules())
}

pub fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= 1e-4_f64.max(expected.abs() * 1e-6)
}
