//! The `drm` meter, on trees as amdgpu, i915 and xe make them.

use kepler_core::device::background::{Background, Pace};
use kepler_core::device::drm::{self, DrmOptions};
use kepler_core::device::{DeviceMeter, DeviceReading};
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::{ReadError, Reading};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

const PACE: Duration = Duration::from_millis(20);

struct Rig {
    tree: TempDir,
    readings: Vec<Result<DeviceReading, ReadError>>,
}

impl Rig {
    fn new() -> Self {
        let rig = Rig { tree: tempfile::tempdir().unwrap(), readings: Vec::new() };
        fs::create_dir_all(rig.tree.path().join("proc")).unwrap();
        rig
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // As a whole: a reader never sees half of it.
        let next = path.with_extension("next");
        fs::write(&next, content).unwrap();
        fs::rename(next, &path).unwrap();
        path
    }

    /// A card, with some of its files.
    fn card(&self, number: u32, driver: &str, id: &str, address: &str, files: &[(&str, &str)]) {
        let device = format!("sys/class/drm/card{number}/device");
        self.write(&format!("{device}/uevent"), format!("DRIVER={driver}\nPCI_ID={id}\nPCI_SLOT_NAME={address}\n"));
        self.write(&format!("{device}/power/runtime_status"), "active\n");
        self.write(&format!("sys/class/drm/card{number}-DP-1/status"), "connected\n");
        for (name, content) in files {
            self.write(&format!("{device}/{name}"), format!("{content}\n"));
        }
    }

    /// A process, with what fdinfo says of each of its descriptors.
    fn client(&self, pid: u32, files: &[(u32, String)]) {
        for (number, text) in files {
            let link = self.tree.path().join(format!("proc/{pid}/fd/{number}"));
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            if fs::symlink_metadata(&link).is_err() {
                symlink("/dev/dri/renderD128", link).unwrap();
            }
            self.write(&format!("proc/{pid}/fdinfo/{number}"), text);
        }
    }

    fn host(&self) -> Host {
        Host::default().with_procfs(self.tree.path().join("proc")).with_sysfs(self.tree.path().join("sys"))
    }

    fn open(&self) -> Background {
        let options = DrmOptions::default().with(|options| {
            options.pace = Pace::default().with(|pace| pace.period = PACE);
            options.look_again = PACE * 2;
        });
        drm::open(&self.host(), &options).unwrap()
    }

    fn until(&mut self, meter: &mut Background, is_so: impl Fn(&[Result<DeviceReading, ReadError>]) -> bool) {
        crate::until(meter, &mut self.readings, PACE, is_so);
    }

    /// The mean power of each device over a while, by their counters.
    fn watts(&mut self, meter: &mut Background, over: Duration) -> Vec<f64> {
        self.until(meter, |readings| !readings.is_empty() && readings.iter().all(|reading| reading.is_ok()));
        let before = self.counters();
        sleep(over);
        self.until(meter, |readings| readings.iter().all(|reading| reading.is_ok()));
        let after = self.counters();
        let mean = |((from, then), (to, now)): (&(f64, Timestamp), &(f64, Timestamp))| {
            (to - from) / now.since(then).as_secs_f64()
        };
        before.iter().zip(&after).map(mean).collect()
    }

    fn counters(&self) -> Vec<(f64, Timestamp)> {
        let counter = |reading: &DeviceReading| match reading.energy {
            Reading::Counter(energy) => (energy.joules(), reading.at),
            Reading::Power(_) => panic!("it must be a counter"),
        };
        self.readings.iter().map(|reading| counter(reading.as_ref().unwrap())).collect()
    }
}

/// Table 1.3 of a card.
fn table(watts: u16, activity: u16) -> Vec<u8> {
    let mut table = vec![0xff; 120];
    table[..4].copy_from_slice(&[120, 0, 1, 3]);
    table[16..18].copy_from_slice(&activity.to_le_bytes());
    table[22..24].copy_from_slice(&watts.to_le_bytes());
    table
}

fn reasons(meter: &Background) -> Vec<String> {
    meter.unavailable().iter().map(ToString::to_string).collect()
}

#[test]
fn a_radeon_has_its_average_power_integrated() {
    let mut rig = Rig::new();
    let files =
        [("hwmon/hwmon3/name", "amdgpu"), ("hwmon/hwmon3/power1_average", "85000000"), ("product_name", "RX 6800 XT")];
    rig.card(0, "amdgpu", "1002:73BF", "0000:08:00.0", &files);
    rig.write("sys/class/drm/card0/device/gpu_metrics", table(65535, 42));
    let mut meter = rig.open();
    let device = &meter.devices()[0];
    assert_eq!((&*device.uuid, device.vendor, &*device.name), ("0000:08:00.0", "amd", "RX 6800 XT"));
    assert!(device.path.ends_with("power1_average, integrated"), "{}", device.path);
    let watts = rig.watts(&mut meter, PACE * 10);
    assert!((watts[0] - 85.0).abs() < 0.01, "{watts:?}");
    rig.until(&mut meter, |readings| readings[0].as_ref().is_ok_and(|reading| reading.utilisation.is_some()));
    let utilisation = rig.readings[0].as_ref().unwrap().utilisation.unwrap();
    assert!((utilisation - 0.42).abs() < 1e-9);
}

#[test]
fn an_mi300x_without_an_average_is_read_by_its_input_or_its_table() {
    let mut rig = Rig::new();
    let files = [("hwmon/hwmon3/name", "amdgpu"), ("hwmon/hwmon3/power1_input", "717000000")];
    rig.card(1, "amdgpu", "1002:74A1", "0000:05:00.0", &files);
    rig.card(2, "amdgpu", "1002:74A1", "0000:15:00.0", &[]);
    let mut seventh = vec![0xff; 400];
    seventh[..4].copy_from_slice(&[0x90, 1, 1, 7]);
    seventh[10..12].copy_from_slice(&650u16.to_le_bytes());
    rig.write("sys/class/drm/card2/device/gpu_metrics", seventh);
    let mut meter = rig.open();
    let watts = rig.watts(&mut meter, PACE * 10);
    assert!((watts[0] - 717.0).abs() < 0.1 && (watts[1] - 650.0).abs() < 0.1, "{watts:?}");
}

#[test]
fn a_processor_with_graphics_is_part_of_its_package_and_not_read_twice() {
    let rig = Rig::new();
    let apu = [("hwmon/hwmon2/name", "amdgpu"), ("hwmon/hwmon2/power1_average", "15000000")];
    rig.card(0, "amdgpu", "1002:1681", "0000:64:00.0", &apu);
    let mut table = vec![0xff; 128];
    table[..4].copy_from_slice(&[128, 0, 2, 3]);
    rig.write("sys/class/drm/card0/device/gpu_metrics", table);
    rig.card(1, "i915", "8086:A780", "0000:00:02.0", &[]);
    let error = drm::open(&rig.host(), &DrmOptions::default()).unwrap_err();
    assert!(error.to_string().contains("part of the processor's package"), "{error}");

    let radeon = [("hwmon/hwmon3/name", "amdgpu"), ("hwmon/hwmon3/power1_average", "85000000")];
    rig.card(2, "amdgpu", "1002:73BF", "0000:08:00.0", &radeon);
    let meter = rig.open();
    assert_eq!(meter.devices().len(), 1);
    let reasons = reasons(&meter);
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].starts_with("drm: card1 (0000:00:02.0)") && reasons[1].contains("card0"), "{reasons:?}");
}

#[test]
fn the_second_die_of_an_mi250_is_part_of_the_first_and_so_are_its_users() {
    let mut rig = Rig::new();
    for (number, address, watts) in
        [(0, "0000:29:00.0", 93), (1, "0000:2c:00.0", 0), (2, "0000:32:00.0", 88), (3, "0000:35:00.0", 0)]
    {
        rig.card(number, "amdgpu", "1002:740C", address, &[]);
        rig.write(&format!("sys/class/drm/card{number}/device/gpu_metrics"), table(watts, 10));
    }
    let text = |ns: u64| {
        format!("drm-driver:\tamdgpu\ndrm-pdev:\t0000:2c:00.0\ndrm-client-id:\t9\ndrm-engine-compute:\t{ns} ns\n")
    };
    rig.client(50, &[(5, text(0))]);
    let mut meter = rig.open();
    let uuids: Vec<&str> = meter.devices().iter().map(|device| &*device.uuid).collect();
    assert_eq!(uuids, ["0000:29:00.0", "0000:32:00.0"]);
    assert_eq!(reasons(&meter).len(), 2);
    let mut ns = 0;
    let mut found = false;
    for _ in 0..50 {
        ns += 1_000_000_000;
        rig.client(50, &[(5, text(ns))]);
        sleep(PACE * 2);
        meter.read(Timestamp::now(), &mut rig.readings);
        found |= rig.readings[0]
            .as_ref()
            .is_ok_and(|reading| reading.users.iter().any(|user| user.pid == 50 && user.busy > 0.2));
    }
    assert!(found, "{:?}", rig.readings);
    assert!(rig.readings[1].as_ref().unwrap().users.is_empty());
}

#[test]
fn an_arc_is_read_as_a_card_and_never_with_its_package_or_tiles() {
    let mut rig = Rig::new();
    let tiles = [
        ("hwmon/hwmon5/name", "i915"),
        ("hwmon/hwmon5/energy1_input", "5000000"),
        ("hwmon/hwmon6/name", "i915_gt0"),
        ("hwmon/hwmon6/energy1_input", "3000000"),
    ];
    rig.card(0, "i915", "8086:56A0", "0000:03:00.0", &tiles);
    let xe = [
        ("hwmon/hwmon7/name", "xe"),
        ("hwmon/hwmon7/energy1_label", "card"),
        ("hwmon/hwmon7/energy1_input", "7000000"),
        ("hwmon/hwmon7/energy2_label", "pkg"),
        ("hwmon/hwmon7/energy2_input", "6000000"),
    ];
    rig.card(1, "xe", "8086:E20B", "0000:04:00.0", &xe);
    rig.card(2, "xe", "8086:56C0", "0000:05:00.0", &xe[..1]);
    rig.write("sys/class/drm/card2/device/hwmon/hwmon7/energy2_label", "pkg\n");
    rig.write("sys/class/drm/card2/device/hwmon/hwmon7/energy2_input", "4000000\n");
    let mut meter = rig.open();
    rig.until(&mut meter, |readings| readings.iter().all(|reading| reading.is_ok()));
    let joules: Vec<f64> = rig.counters().iter().map(|(joules, _)| *joules).collect();
    assert_eq!(joules, [5.0, 7.0, 4.0]);
    assert!(meter.devices()[2].path.ends_with("energy2_input"));
    // The driver is bound again and its counter restarts: that is shown as it is.
    rig.write("sys/class/drm/card1/device/hwmon/hwmon7/energy1_input", "10\n");
    rig.until(&mut meter, |readings| {
        readings[1]
            .as_ref()
            .is_ok_and(|reading| reading.energy == Reading::Counter(kepler_core::units::Energy::from_microjoules(10)))
    });
    rig.write("sys/class/drm/card1/device/hwmon/hwmon7/energy1_input", "-5\n");
    rig.until(&mut meter, |readings| {
        readings[1].as_ref().is_err_and(|error| error.reason() == "invalid_data") && readings[0].is_ok()
    });
}

fn i915_client(id: u32, ns: u64) -> String {
    format!("pos:\t0\ndrm-driver:\ti915\ndrm-pdev:\t0000:03:00.0\ndrm-client-id:\t{id}\ndrm-engine-render:\t{ns} ns\n")
}

#[test]
fn a_client_that_is_shared_by_descriptors_and_processes_counts_once() {
    let mut rig = Rig::new();
    rig.card(
        0,
        "i915",
        "8086:56A0",
        "0000:03:00.0",
        &[("hwmon/hwmon5/name", "i915"), ("hwmon/hwmon5/energy1_input", "5000000")],
    );
    let files = |ns: u64| vec![(7, i915_client(1, ns)), (8, i915_client(1, ns))];
    rig.client(60, &files(0));
    rig.client(61, &files(0));
    // Not a client, and one whose descriptors say nothing.
    fs::create_dir_all(rig.tree.path().join("proc/62/fd")).unwrap();
    rig.client(63, &[(4, "pos:\t0\nflags:\t02\n".to_owned())]);
    let mut meter = rig.open();
    let (mut ns, mut total, begun) = (0, 0.0, Timestamp::now());
    let mut seconds = 0.0;
    let mut last = begun;
    for _ in 0..40 {
        sleep(PACE);
        // Half of the time that passes.
        let now = Timestamp::now();
        ns = (now.since(&begun).as_nanos() / 2) as u64;
        rig.client(60, &files(ns));
        rig.client(61, &files(ns));
        meter.read(now, &mut rig.readings);
        let reading = rig.readings[0].as_ref().unwrap();
        assert!(reading.users.iter().all(|user| user.pid == 60), "{reading:?}");
        let span = reading.at.since(&last).as_secs_f64();
        last = reading.at;
        for user in &reading.users {
            total += user.busy * span;
            seconds += span;
        }
    }
    assert!(ns > 0 && seconds > 0.3);
    let share = total / seconds;
    assert!((0.35..0.65).contains(&share), "{share}");
}

#[test]
fn rocm_processes_are_known_by_the_units_that_they_occupy() {
    let mut rig = Rig::new();
    rig.card(0, "amdgpu", "1002:74A1", "0000:05:00.0", &[]);
    rig.write("sys/class/drm/card0/device/gpu_metrics", table(500, 90));
    let kfd = "sys/class/kfd/kfd";
    rig.write(&format!("{kfd}/topology/nodes/0/gpu_id"), "0\n");
    rig.write(&format!("{kfd}/topology/nodes/1/gpu_id"), "51115\n");
    rig.write(
        &format!("{kfd}/topology/nodes/1/properties"),
        "simd_count 1216\nsimd_per_cu 4\nlocation_id 1280\ndomain 0\n",
    );
    rig.write(&format!("{kfd}/proc/70/stats_51115/cu_occupancy"), "152\n");
    rig.write(&format!("{kfd}/proc/71/stats_51115/cu_occupancy"), "76\n");
    let link = rig.tree.path().join("proc/70/fd/3");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink("/dev/kfd", link).unwrap();
    let mut meter = rig.open();
    rig.until(&mut meter, |readings| readings[0].as_ref().is_ok_and(|reading| reading.users.len() == 2));
    let mut users = rig.readings[0].as_ref().unwrap().users.clone();
    users.sort_unstable_by_key(|user| user.pid);
    assert!(users[1].pid == 70 && (users[1].busy - 0.5).abs() < 1e-9, "{users:?}");
    assert!(
        users[0].pid == 0 && (users[0].busy - 0.25).abs() < 1e-9,
        "a process of another namespace is hidden: {users:?}"
    );
}

#[test]
fn a_card_that_sleeps_is_not_read_and_cards_come_and_go() {
    let mut rig = Rig::new();
    let files = [("hwmon/hwmon3/name", "amdgpu"), ("hwmon/hwmon3/power1_average", "85000000")];
    rig.card(0, "amdgpu", "1002:73BF", "0000:08:00.0", &files);
    rig.write("sys/class/drm/card0/device/power/runtime_status", "suspended\n");
    let mut meter = rig.open();
    assert!(meter.devices().is_empty(), "whether it is a processor's is not known yet");
    rig.write("sys/class/drm/card0/device/power/runtime_status", "active\n");
    rig.until(&mut meter, |readings| readings.len() == 1);
    let watts = rig.watts(&mut meter, PACE * 10);
    assert!((watts[0] - 85.0).abs() < 0.01, "{watts:?}");
    rig.write("sys/class/drm/card0/device/power/runtime_status", "suspended\n");
    // What cannot be read is not read.
    rig.write("sys/class/drm/card0/device/hwmon/hwmon3/power1_average", "not a number\n");
    sleep(PACE * 3);
    let watts = rig.watts(&mut meter, PACE * 10);
    assert_eq!(watts, [0.0]);
    rig.card(1, "amdgpu", "1002:73BF", "0000:09:00.0", &files);
    rig.until(&mut meter, |readings| readings.len() == 2 && readings.iter().all(|reading| reading.is_ok()));
    fs::remove_dir_all(rig.tree.path().join("sys/class/drm/card0")).unwrap();
    rig.until(&mut meter, |readings| readings.len() == 1);
    assert_eq!(&*meter.devices()[0].uuid, "0000:09:00.0");
}

#[test]
fn what_nvidia_drives_is_left_to_its_own_meter_and_a_bare_host_has_none() {
    let rig = Rig::new();
    fs::create_dir_all(rig.tree.path().join("sys/class")).unwrap();
    assert!(drm::open(&rig.host(), &DrmOptions::default()).unwrap_err().remedy.is_none());
    rig.card(0, "nvidia", "10DE:2330", "0000:41:00.0", &[]);
    assert!(drm::open(&rig.host(), &DrmOptions::default()).unwrap_err().reason.starts_with("there is no device"));
    rig.card(1, "ast", "1A03:2000", "0000:02:00.0", &[]);
    let error = drm::open(&rig.host(), &DrmOptions::default()).unwrap_err();
    assert!(error.reason.contains("card1") && error.reason.contains("neither energy nor power"), "{error}");
}
