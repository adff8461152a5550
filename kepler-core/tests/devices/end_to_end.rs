//! From the library's counters to a container's energy, through the sampler.

use crate::nvml::Rig;
use kepler_core::device::DeviceOptions;
use kepler_core::meter::fake::Fake;
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::sim::ProcessTree;
use kepler_core::units::{Energy, Power, ZoneKind};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn two_processes_of_a_container_share_what_the_device_drew_beyond_its_idle_power() {
    let script = |millijoules: u64| {
        format!(
            "gpu uuid=GPU-a name=H200 bus=0x41 energy={millijoules} limit=700000 util=90\n\
             process gpu=0 pid=42 sm=60\nprocess gpu=0 pid=43 sm=30\n"
        )
    };
    let rig = Rig::new(&script(0));
    let mut processes = ProcessTree::create(rig.path("machine"), 2).unwrap();
    let cgroup = format!("/system.slice/docker-{ID}.scope");
    for pid in [42, 43] {
        processes.spawn(pid, 5, b"train", &cgroup).unwrap();
        Rig::hold(processes.procfs(), pid);
    }
    let options = SamplerOptions::default().with(|options| {
        options.devices = DeviceOptions::default().with(|devices| {
            devices.idle_power = Some(Power::from_watts(50.0));
            devices.nvml_library = Some(rig.library());
        });
    });
    let host = processes.host(&rig.path("sys"));
    let mut sampler = Sampler::with_meter(&host, Box::new(Fake::new(&[ZoneKind::Package])), &options).unwrap();
    let begun = Instant::now();
    let mut counter = 0;
    let mut snapshot = sampler.tick();
    for _ in 0..40 {
        sleep(Duration::from_millis(200));
        processes.rest(20).unwrap();
        // 300 W.
        counter = (begun.elapsed().as_secs_f64() * 300_000.0) as u64;
        rig.script(&script(counter));
        snapshot = sampler.tick();
    }
    let [row] = snapshot.devices.as_slice() else { panic!("one device: {:?}", snapshot.devices) };
    assert_eq!((&*row.device.uuid, row.source, row.fault), ("GPU-a", "nvml", None));
    assert!(row.energy > Energy::from_joules(300.0) && row.energy <= Energy::from_microjoules(counter * 1000));
    assert_eq!(row.energy, row.idle_energy + row.active_energy + row.unsplit_energy, "the sum is exact");
    let watts = row.power.unwrap();
    assert!((watts.idle.watts() - 50.0).abs() < 1e-6 && watts.total.watts() > 100.0, "{watts:?}");
    let joules = |pid: u32| {
        let process = snapshot.processes.iter().find(|row| row.info.pid == pid).unwrap();
        process.energy[ZoneKind::Gpu]
    };
    assert_eq!(joules(42) + joules(43) + row.unattributed_energy, row.active_energy);
    // The first second, of which there is no sample, is unattributed.
    assert!(row.unattributed_energy.joules() < row.active_energy.joules() / 2.0, "{row:?}");
    let share = joules(42).joules() / (joules(42) + joules(43)).joules();
    assert!((share - 2.0 / 3.0).abs() < 0.01, "{share}");
    assert_eq!(snapshot.containers.first().unwrap().energy[ZoneKind::Gpu], joules(42) + joules(43));
}
