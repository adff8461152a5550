//! Which accelerator drew how much, and for whom, in the answers of tools.

use super::fixture::{World, near};
use jiff::Timestamp;
use kepler_compliance::tools::{
    Context, EnergyRequest, HotspotsRequest, PowerNowRequest, ToolRequest, get_energy, get_power_hotspots,
    get_power_now,
};
use kepler_compliance::units::{Energy, Power, ZoneKind};
use kepler_compliance::view::{EnergyView, HistoryRing, NodeZoneEnergy, RingOptions, TimeRange};
use kepler_core::device::{Device, SharesBy};
use kepler_core::host;
use kepler_core::meter::Method;
use kepler_core::snapshot::{DeviceRow, DeviceUse, NodeZone, Row, Snapshot, State};
use kepler_core::workload::ProcessInfo;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(5);
const STEPS: u32 = 120;

/// After `steps` of 5 s: a device of 300 W with 50 W idle, of which `train` and `infer` have two parts and one, and one of
/// 20 W that no process uses and whose idle power is not known.
fn snapshot(steps: u32) -> Snapshot {
    let joules = |watts: f64| Energy::from_joules(watts * 5.0 * f64::from(steps));
    let boot = Duration::from_secs(1000) + STEP * steps;
    let wall = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + STEP * steps;
    let mut snapshot = Snapshot::empty(host::Timestamp { monotonic: boot, boottime: boot, wall });
    (snapshot.sequence, snapshot.interval) = (u64::from(steps) + 1, STEP);
    let device = |uuid: &str, index| Device::new(uuid, "nvidia", "H200").with(|device| device.index = index);
    let mut busy = DeviceRow::new(device("GPU-a", 0), "nvml", Method::Measured);
    (busy.energy, busy.active_energy, busy.idle_energy) = (joules(300.0), joules(250.0), joules(50.0));
    (busy.utilisation, busy.shares_by) = (Some(0.9), Some(SharesBy::Utilisation));
    let mut unused = DeviceRow::new(device("GPU-b", 1), "nvml", Method::Measured);
    (unused.energy, unused.unsplit_energy) = (joules(20.0), joules(20.0));
    let mut zone = NodeZone::new("aggregated-gpu", "nvml", Method::Measured);
    (zone.energy, zone.active_energy, zone.idle_energy) = (joules(320.0), joules(250.0), joules(70.0));
    snapshot.node.zones[ZoneKind::Gpu] = Some(zone);
    snapshot.devices = vec![busy, unused];
    let process = |pid, comm, watts| {
        let mut row = Row::new(ProcessInfo::new(pid, 7, comm), State::Running);
        row.energy[ZoneKind::Gpu] = joules(watts);
        let used = DeviceUse::new(0, joules(watts), Power::from_watts(watts));
        row.devices = vec![used.with(|used| used.shares_by = Some(SharesBy::Utilisation))];
        row
    };
    snapshot.processes = vec![process(10, "train", 250.0 * 2.0 / 3.0), process(11, "infer", 250.0 / 3.0)];
    snapshot
}

/// Ten minutes of them.
fn ring(options: RingOptions) -> (HistoryRing, Timestamp) {
    let ring = HistoryRing::new("live", "node-1", options);
    (0..=STEPS).for_each(|step| ring.record(&snapshot(step)));
    let now = Timestamp::try_from(snapshot(STEPS).at.wall).unwrap();
    (ring, now)
}

fn with<T>(view: &dyn EnergyView, now: Timestamp, ask: impl FnOnce(&Context<'_>) -> T) -> T {
    let world = World::new();
    ask(&Context::new(view, &world.standards, &world.zones, &*world.intensity, &world.settings, now))
}

#[test]
fn power_by_device_and_what_each_workload_draws_of_it() {
    let (ring, now) = ring(RingOptions::default());
    let answer = with(&ring, now, |context| get_power_now(context, &PowerNowRequest::default()).unwrap());
    let shown: Vec<_> = answer.devices.iter().map(|device| (device.gpu, &*device.uuid, device.idle_watts)).collect();
    assert!(near(Some(answer.devices[0].power_watts), 300.0, 1e-6) && near(shown[0].2, 50.0, 1e-6), "{shown:?}");
    assert!(near(Some(answer.devices[1].power_watts), 20.0, 1e-6));
    assert_eq!(
        (shown[0].1, shown[1]),
        ("GPU-a", (1, "GPU-b", None)),
        "of the second it is not known whether it is idle"
    );
    let sum: f64 = answer.devices.iter().map(|device| device.power_watts).sum();
    assert!(near(answer.power_watts.gpu, sum, 1e-6), "the devices are the GPUs' power");
    let train = &answer.consumers[0];
    assert_eq!((&*train.workload, train.devices.len()), ("train", 1));
    assert!(near(Some(train.devices[0].power_watts), 250.0 * 2.0 / 3.0, 1e-3), "{train:?}");
    assert_eq!(train.devices[0].shares_by.as_deref(), Some("utilisation"));
    assert!(answer.evidence.caveats.iter().all(|caveat| !caveat.contains("accelerator")), "{:?}", answer.evidence);
    let hot = with(&ring, now, |context| get_power_hotspots(context, &HotspotsRequest::default()).unwrap());
    assert_eq!(hot.hotspots[0].devices, train.devices);
}

#[test]
fn energy_by_device_of_a_workload_and_of_a_node() {
    // Few rows: old samples are merged, and lose nothing of what each device drew.
    for options in [RingOptions::default(), RingOptions::default().with(|options| options.max_rows = 100)] {
        let (ring, now) = ring(options);
        let asked = EnergyRequest::default().with(|asked| asked.workload = Some("infer".into()));
        let own = with(&ring, now, |context| get_energy(context, &asked).unwrap());
        assert_eq!(own.devices.len(), 1);
        let device = &own.devices[0];
        assert!(
            near(own.energy_joules, device.energy_joules, 1e-9) && near(own.energy_joules, 50_000.0, 0.1),
            "{own:?}"
        );
        assert_eq!((device.idle_joules, device.unattributed_joules), (None, None), "of a node only");
        let whole = with(&ring, now, |context| get_energy(context, &EnergyRequest::default()).unwrap());
        let joules: Vec<f64> = whole.devices.iter().map(|device| device.energy_joules).collect();
        assert!(near(Some(joules[0]), 180_000.0, 1e-6) && near(Some(joules[1]), 12_000.0, 1e-6), "{joules:?}");
        assert!(near(whole.devices[0].idle_joules, 30_000.0, 1e-6));
    }
}

#[test]
fn what_is_known_as_a_sum_only_is_said() {
    let (ring, now) = ring(RingOptions::default());
    let mut inventory = (*ring.inventory(TimeRange::ending(now, STEP * STEPS)).unwrap()).clone();
    let mut before = NodeZoneEnergy::new(Energy::from_joules(300_000.0), Method::Measured, "nvml");
    before.active = Some(Energy::ZERO);
    inventory.nodes[0].zones[ZoneKind::Gpu] = Some(before);
    let caveats = with(&Fixed(inventory.clone()), now, said);
    assert!(caveats.iter().any(|caveat| caveat.contains("300000 J") && caveat.contains("192000 J")), "{caveats:?}");
    inventory.nodes[0].devices.clear();
    let caveats = with(&Fixed(inventory), now, said);
    assert!(caveats.iter().any(|caveat| caveat.contains("does not tell which")), "{caveats:?}");
}

fn said(context: &Context<'_>) -> Vec<String> {
    get_energy(context, &EnergyRequest::default()).unwrap().evidence.caveats
}

/// Answers with one inventory, whatever is asked.
struct Fixed(kepler_compliance::view::Inventory);

impl EnergyView for Fixed {
    fn name(&self) -> &str {
        "fixed"
    }

    fn inventory(
        &self,
        _: TimeRange,
    ) -> Result<std::sync::Arc<kepler_compliance::view::Inventory>, kepler_compliance::view::ViewError> {
        Ok(std::sync::Arc::new(self.0.clone()))
    }

    fn series(
        &self,
        _: &kepler_compliance::view::Subject,
        range: TimeRange,
        _: Duration,
    ) -> Result<kepler_compliance::view::EnergySeries, kepler_compliance::view::ViewError> {
        let origin = "fixed".to_owned();
        Err(kepler_compliance::view::ViewError::NoData { origin, range, reason: "no steps".into() })
    }

    fn newest(&self) -> Option<kepler_compliance::view::NewestReading> {
        None
    }
}
