//! The `nvml` meter, through the real loader, with a library whose answers a test writes.

use kepler_core::Unavailable;
use kepler_core::availability::{Remedy, Setting};
use kepler_core::device::background::{Background, Pace};
use kepler_core::device::nvml::{self, NvmlOptions};
use kepler_core::device::{DeviceMeter, DeviceReading};
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::{ReadError, Reading};
use kepler_core::units::Energy;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

const PACE: Duration = Duration::from_millis(20);

/// The stand-in, compiled once for all tests.
fn library() -> &'static [u8] {
    static LIBRARY: OnceLock<Vec<u8>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let (source, object) = (directory.path().join("nvml.c"), directory.path().join("nvml.so"));
        fs::write(&source, include_str!("libnvidia-ml.c")).unwrap();
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(compiler);
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&object).arg(&source).arg("-ldl");
        assert!(command.status().unwrap().success(), "the stand-in must compile");
        fs::read(object).unwrap()
    })
}

/// A host with NVIDIA devices and a stand-in.
pub(crate) struct Rig {
    tree: TempDir,
    readings: Vec<Result<DeviceReading, ReadError>>,
}

impl Rig {
    pub(crate) fn new(script: &str) -> Self {
        let rig = Rig { tree: tempfile::tempdir().unwrap(), readings: Vec::new() };
        fs::write(rig.library(), library()).unwrap();
        fs::create_dir_all(rig.path("proc/driver/nvidia")).unwrap();
        fs::write(rig.path("proc/driver/nvidia/version"), "NVRM version: stand-in\n").unwrap();
        rig.script(script);
        rig
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.tree.path().join(path)
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.path("libnvidia-ml.so.1")
    }

    /// Replaces the script as a whole: a call never sees half of one.
    pub(crate) fn script(&self, script: &str) {
        let next = self.path("next");
        fs::write(&next, script).unwrap();
        fs::rename(next, self.path("libnvidia-ml.so.1.script")).unwrap();
    }

    pub(crate) fn host(&self) -> Host {
        Host::default().with_procfs(self.path("proc")).with_sysfs(self.path("sys")).with_root(self.path("root"))
    }

    pub(crate) fn options(&self) -> NvmlOptions {
        NvmlOptions::default().with(|options| {
            options.library = Some(self.library());
            options.pace =
                Pace::default().with(|pace| (pace.period, pace.patience) = (PACE, Duration::from_millis(400)));
            options.look_again = PACE * 2;
        })
    }

    fn open(&self) -> Background {
        nvml::open(&self.host(), &self.options()).unwrap()
    }

    /// A process that holds a descriptor of the driver.
    pub(crate) fn process(&self, pid: u32) {
        Self::hold(&self.path("proc"), pid);
    }

    /// The same in any procfs.
    pub(crate) fn hold(procfs: &Path, pid: u32) {
        let directory = procfs.join(format!("{pid}/fd"));
        fs::create_dir_all(&directory).unwrap();
        symlink("/dev/nvidia0", directory.join("5")).unwrap();
    }

    /// A PCI device of NVIDIA's.
    fn pci(&self, address: &str, status: &str) {
        let directory = self.path(&format!("sys/bus/pci/devices/{address}"));
        fs::create_dir_all(directory.join("power")).unwrap();
        fs::write(directory.join("vendor"), "0x10de\n").unwrap();
        fs::write(directory.join("class"), "0x030200\n").unwrap();
        fs::write(directory.join("power/runtime_status"), format!("{status}\n")).unwrap();
    }

    pub(crate) fn readings(&self) -> &[Result<DeviceReading, ReadError>] {
        &self.readings
    }

    pub(crate) fn until(
        &mut self,
        meter: &mut Background,
        is_so: impl Fn(&[Result<DeviceReading, ReadError>]) -> bool,
    ) {
        crate::until(meter, &mut self.readings, PACE, is_so);
    }
}

fn shows(reading: &Result<DeviceReading, ReadError>, joules: f64) -> bool {
    reading.as_ref().is_ok_and(|reading| reading.energy == Reading::Counter(Energy::from_joules(joules)))
}

fn fails(reading: &Result<DeviceReading, ReadError>, words: &str) -> bool {
    reading.as_ref().is_err_and(|error| error.to_string().contains(words))
}

const TWO: &str = "gpu uuid=GPU-a name=H200 bus=0x41 energy=1000 power=300000 limit=700000 util=90\n\
                   gpu uuid=GPU-b name=H100 bus=0x42 energy=2000 power=50000 limit=700000 util=0\n";

#[test]
fn devices_are_described_and_their_counters_read() {
    let mut rig = Rig::new(TWO);
    let mut meter = rig.open();
    let devices = meter.devices().to_vec();
    assert_eq!([&*devices[0].uuid, &*devices[1].uuid], ["GPU-a", "GPU-b"]);
    assert_eq!((&*devices[0].name, devices[0].vendor, devices[1].index), ("H200", "nvidia", 1));
    assert_eq!(devices[0].pci_address.as_deref(), Some("0000:41:00.0"));
    assert!((devices[0].max_power.watts() - 1400.0).abs() < 1e-9);
    rig.until(&mut meter, |readings| shows(&readings[0], 1.0) && shows(&readings[1], 2.0));
    rig.script(&TWO.replace("energy=1000", "energy=1500"));
    rig.until(&mut meter, |readings| shows(&readings[0], 1.5));
    // A reset is shown as it is: who follows the counter tells it from energy.
    rig.script(&TWO.replace("energy=1000", "energy=5"));
    rig.until(&mut meter, |readings| shows(&readings[0], 0.005));
}

#[test]
fn a_counter_that_is_not_refreshed_is_the_reading_before_and_no_zero_watts() {
    let mut rig = Rig::new(TWO);
    let mut meter = rig.open();
    rig.until(&mut meter, |readings| shows(&readings[0], 1.0));
    let first = rig.readings[0].as_ref().unwrap().at;
    let mut repeated = 0;
    rig.until(&mut meter, |readings| readings[0].as_ref().is_ok_and(|reading| reading.at != first));
    for _ in 0..20 {
        let before = rig.readings[0].as_ref().unwrap().at;
        sleep(PACE);
        meter.read(Timestamp::now(), &mut rig.readings);
        repeated += usize::from(rig.readings[0].as_ref().unwrap().at == before);
    }
    assert!(repeated >= 10, "{repeated} of 20");
}

#[test]
fn two_processes_at_60_and_30_percent_have_two_thirds_and_one_third() {
    let processes =
        "process gpu=0 pid=42 sm=60 kind=c\nprocess gpu=0 pid=43 sm=30 kind=g\nprocess gpu=0 pid=44 kind=g\n";
    let mut rig = Rig::new(&format!("{TWO}{processes}"));
    [42, 43, 44].into_iter().for_each(|pid| rig.process(pid));
    let mut meter = rig.open();
    let mut energy = 1000;
    let mut sums = [0.0; 3];
    for _ in 0..40 {
        energy += 10;
        rig.script(&format!("{}{processes}", TWO.replace("energy=1000", &format!("energy={energy}"))));
        sleep(PACE * 2);
        meter.read(Timestamp::now(), &mut rig.readings);
        for user in &rig.readings[0].as_ref().unwrap().users {
            sums[user.pid as usize - 42] += user.busy;
        }
    }
    let share = sums[0] / sums.iter().sum::<f64>();
    assert!((share - 2.0 / 3.0).abs() < 0.02, "{sums:?}");
    assert!(sums[1] > 0.0 && sums[2] == 0.0, "a process that does nothing has nothing: {sums:?}");
    assert!(rig.readings[1].as_ref().unwrap().users.is_empty());
}

#[test]
fn clients_of_a_multi_process_server_and_processes_that_take_turns_have_what_they_used() {
    // The server 42 does next to nothing itself, two clients share the device by time: 50 and 25 %.
    let processes =
        "process gpu=0 pid=42 sm=0 kind=c\nprocess gpu=0 pid=43 sm=50 kind=m\nprocess gpu=0 pid=44 sm=25 kind=m\n";
    let mut rig = Rig::new(&format!("{TWO}{processes}"));
    [42, 43, 44].into_iter().for_each(|pid| rig.process(pid));
    let mut meter = rig.open();
    let share = |readings: &[Result<DeviceReading, ReadError>], pid: u32| {
        let users = &readings[0].as_ref().ok()?.users;
        users.iter().find(|user| user.pid == pid).map(|user| user.busy)
    };
    rig.until(&mut meter, |readings| {
        let [server, first, second] = [42, 43, 44].map(|pid| share(readings, pid).unwrap_or(0.0));
        server == 0.0 && second > 0.0 && (first / second - 2.0).abs() < 1e-6
    });
}

#[test]
fn a_process_of_another_namespace_is_hidden_and_its_share_known() {
    let mut rig = Rig::new(&format!("{TWO}process gpu=0 pid=42 sm=60\nprocess gpu=0 pid=1 sm=30\n"));
    rig.process(42);
    // Process 1 is there, and is not the one that the driver means: it has no descriptor of the driver's.
    fs::create_dir_all(rig.path("proc/1/fd")).unwrap();
    let mut meter = rig.open();
    let pids = |reading: &DeviceReading| reading.users.iter().map(|user| user.pid).collect::<Vec<_>>();
    rig.until(&mut meter, |readings| readings[0].as_ref().is_ok_and(|reading| pids(reading).len() == 2));
    let mut found = pids(rig.readings[0].as_ref().unwrap());
    found.sort_unstable();
    assert_eq!(found, [0, 42]);
}

#[test]
fn the_mode_of_instances_is_read_again() {
    let plain = format!("{TWO}process gpu=0 pid=42 sm=60\n");
    let mut rig = Rig::new(&plain);
    rig.process(42);
    let mut meter = rig.open();
    let busy = |reading: &Result<DeviceReading, ReadError>| {
        reading.as_ref().ok().and_then(|reading| reading.users.first().map(|user| user.busy))
    };
    let mut energy = 1000;
    for (mig, expected) in [(0, true), (1, false), (0, true)] {
        for attempt in 0.. {
            energy += 1;
            let line = format!("energy={energy} mig={mig}");
            rig.script(&plain.replace("energy=1000", &line));
            sleep(PACE * 2);
            meter.read(Timestamp::now(), &mut rig.readings);
            // Of the same sample, and not of what was summed up before the change.
            let is_used = busy(&rig.readings[0]).is_some_and(|busy| busy > 0.0);
            if attempt > 5 && rig.readings[0].is_ok() && is_used == expected {
                break;
            }
            assert!(attempt < 500, "MIG {mig}: {:?}", rig.readings[0]);
        }
    }
}

#[test]
fn a_device_without_a_counter_has_its_power_integrated() {
    let script = "gpu uuid=GPU-p name=P100 bus=1 energy=no power=200000 util=50\n";
    let mut rig = Rig::new(script);
    let mut meter = rig.open();
    rig.until(&mut meter, |readings| readings[0].is_ok());
    for _ in 0..200 {
        if meter.devices()[0].path.contains("integrated") {
            break;
        }
        sleep(PACE);
        meter.read(Timestamp::now(), &mut rig.readings);
    }
    assert!(meter.devices()[0].path.contains("integrated"), "{}", meter.devices()[0].path);
    let energy =
        |reading: &Result<DeviceReading, ReadError>| match reading.as_ref().map(|reading| (reading.energy, reading.at))
        {
            Ok((Reading::Counter(energy), at)) => Some((energy.joules(), at)),
            _ => None,
        };
    rig.until(&mut meter, |readings| energy(&readings[0]).is_some_and(|(joules, _)| joules > 5.0));
    let (from, then) = energy(&rig.readings[0]).unwrap();
    rig.until(&mut meter, |readings| energy(&readings[0]).is_some_and(|(joules, _)| joules > from + 20.0));
    let (to, now) = energy(&rig.readings[0]).unwrap();
    let watts = (to - from) / now.since(&then).as_secs_f64();
    assert!((watts - 200.0).abs() < 0.01, "{watts} W");
    // The average over a second is preferred.
    rig.script(&script.replace("util", "average=80000 util"));
    // Two that may have been under way, and those of which both ends are of then.
    for _ in 0..4 {
        let (_, before) = energy(&rig.readings[0]).unwrap();
        rig.until(&mut meter, |readings| energy(&readings[0]).is_some_and(|(_, at)| at != before));
    }
    let (from, then) = energy(&rig.readings[0]).unwrap();
    rig.until(&mut meter, |readings| energy(&readings[0]).is_some_and(|(joules, _)| joules > from + 10.0));
    let (to, now) = energy(&rig.readings[0]).unwrap();
    let watts = (to - from) / now.since(&then).as_secs_f64();
    assert!((watts - 80.0).abs() < 0.01, "{watts} W");
}

#[test]
fn a_call_that_hangs_is_a_timeout_and_the_others_go_on() {
    let mut rig = Rig::new(TWO);
    let mut meter = rig.open();
    rig.until(&mut meter, |readings| shows(&readings[0], 1.0));
    let hanging = TWO.replace("energy=1000", "energy=1000 hang=1");
    rig.script(&hanging);
    rig.until(&mut meter, |readings| fails(&readings[0], "does not answer"));
    assert_eq!(rig.readings[0].as_ref().unwrap_err().reason(), "timeout");
    assert!(meter.hanging() >= 1);
    rig.script(&hanging.replace("energy=2000", "energy=2500"));
    rig.until(&mut meter, |readings| fails(&readings[0], "does not answer") && shows(&readings[1], 2.5));
    rig.script(&TWO.replace("energy=2000", "energy=3000"));
    rig.until(&mut meter, |readings| shows(&readings[0], 1.0) && shows(&readings[1], 3.0));
    for _ in 0..500 {
        if meter.hanging() == 0 {
            return;
        }
        sleep(PACE);
    }
    panic!("a thread that was given up must end when its call returns");
}

#[test]
fn a_lost_device_is_an_error_and_comes_back() {
    let mut rig = Rig::new(TWO);
    let mut meter = rig.open();
    rig.until(&mut meter, |readings| shows(&readings[0], 1.0));
    rig.script(&TWO.replace("energy=1000", "energy=1000 lost=15"));
    rig.until(&mut meter, |readings| fails(&readings[0], "fallen off the bus") && shows(&readings[1], 2.0));
    assert_eq!(meter.devices().len(), 2, "it stays on the list");
    rig.script(&TWO.replace("energy=1000", "energy=7"));
    rig.until(&mut meter, |readings| shows(&readings[0], 0.007) && shows(&readings[1], 2.0));
}

#[test]
fn a_driver_that_is_loaded_again_is_followed_and_devices_come_and_go() {
    let mut rig = Rig::new(TWO);
    let mut meter = rig.open();
    rig.until(&mut meter, |readings| readings.len() == 2 && readings[0].is_ok());
    let gone = TWO.replace("energy", "lost=1 energy");
    rig.script(&format!("init code=9\n{gone}"));
    rig.until(&mut meter, |readings| readings.iter().all(|reading| reading.is_err()));
    let third = "gpu uuid=GPU-c name=L4 bus=3 energy=3000 util=0\n";
    rig.script(&format!("{TWO}{third}"));
    rig.until(&mut meter, |readings| readings.len() == 3 && shows(&readings[0], 1.0) && shows(&readings[2], 3.0));
    assert_eq!(&*meter.devices()[2].uuid, "GPU-c");
}

#[test]
fn half_of_the_devices_failing_leaves_the_others_and_names_each_once() {
    let lines: String = (0..8)
        .map(|index| {
            let lost = if index % 2 == 1 { " lost=15" } else { "" };
            format!("gpu uuid=GPU-{index} name=H200 bus={index} energy=1000{lost}\n")
        })
        .collect();
    let mut rig = Rig::new(&lines);
    let mut meter = rig.open();
    let uuids: Vec<&str> = meter.devices().iter().map(|device| &*device.uuid).collect();
    assert_eq!(uuids, ["GPU-0", "GPU-2", "GPU-4", "GPU-6"]);
    for _ in 0..500 {
        if meter.unavailable().len() == 4 {
            break;
        }
        sleep(PACE);
    }
    let named: Vec<String> = meter.unavailable().iter().map(|unavailable| unavailable.reason.clone()).collect();
    assert_eq!(named.len(), 4, "{named:?}");
    assert!(named[0].starts_with("device 1: the device is lost"), "{named:?}");
    rig.script(&lines.replace(" lost=15", ""));
    rig.until(&mut meter, |readings| readings.len() == 8 && readings.iter().all(|reading| shows(reading, 1.0)));
}

#[test]
fn a_device_that_sleeps_is_not_woken() {
    let mut rig = Rig::new("gpu uuid=GPU-a name=4070 bus=0x41 energy=1000 hang=1\n");
    rig.pci("0000:41:00.0", "suspended");
    // Reading it would hang: nothing is opened while every device sleeps.
    let mut meter = rig.open();
    sleep(PACE * 10);
    meter.read(Timestamp::now(), &mut rig.readings);
    assert!(meter.devices().is_empty() && rig.readings.is_empty() && meter.hanging() == 0);
    rig.script("gpu uuid=GPU-a name=4070 bus=0x41 energy=1000 util=50\n");
    rig.pci("0000:41:00.0", "active");
    let utilisation = |readings: &[Result<DeviceReading, ReadError>]| readings.first()?.as_ref().ok()?.utilisation;
    rig.until(&mut meter, |readings| utilisation(readings) == Some(0.5) && shows(&readings[0], 1.0));
    // It falls asleep again: its counter stands, and a call would hang.
    rig.pci("0000:41:00.0", "suspended");
    rig.until(&mut meter, |readings| utilisation(readings) == Some(0.0));
    rig.script("gpu uuid=GPU-a name=4070 bus=0x41 energy=1000 hang=1\n");
    let before = rig.readings[0].as_ref().unwrap().at;
    rig.until(&mut meter, |readings| readings[0].as_ref().is_ok_and(|reading| reading.at != before));
    assert_eq!((rig.readings[0].as_ref().unwrap().utilisation, meter.hanging()), (Some(0.0), 0));
}

fn refusal(rig: &Rig) -> Unavailable {
    nvml::open(&rig.host(), &rig.options()).unwrap_err()
}

#[test]
fn a_library_that_is_missing_broken_or_refused_says_what_to_do() {
    let rig = Rig::new(TWO);
    fs::remove_file(rig.library()).unwrap();
    let missing = refusal(&rig);
    assert!(missing.reason.contains("No such file"), "{missing}");
    let another = Remedy::CorrectSetting { setting: Setting::NvmlLibrary };
    assert_eq!(missing.remedy, another, "it was named");

    // The ELF header's machine is of another architecture: 16-bit SPARC was never built.
    let mut foreign = library().to_vec();
    foreign[18..20].copy_from_slice(&2u16.to_le_bytes());
    fs::write(rig.library(), foreign).unwrap();
    let foreign = refusal(&rig);
    assert_eq!(foreign.remedy, another);
    assert!(foreign.reason.contains("it is a library for processor 2, and this machine is"), "{foreign}");

    fs::write(rig.library(), "not a library").unwrap();
    assert!(refusal(&rig).reason.ends_with("libnvidia-ml.so.1: it is no library"));

    fs::write(rig.library(), library()).unwrap();
    for (code, words) in [(9, "kernel driver is not loaded"), (4, "permission denied"), (18, "different versions")] {
        rig.script(&format!("init code={code}\n{TWO}"));
        let refused = refusal(&rig);
        assert!(refused.reason.contains(words) && !refused.remedy.is_none(), "{refused}");
    }
    rig.script("init code=0\n");
    assert_eq!(refusal(&rig).reason, "the driver shows no device");
}

#[test]
fn a_library_that_may_not_be_read_names_the_right() {
    let rig = Rig::new(TWO);
    fs::set_permissions(rig.library(), fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read anything.
    if fs::read(rig.library()).is_ok() {
        return;
    }
    let refused = refusal(&rig);
    assert_eq!(refused.remedy, Remedy::MakeReadable { path: rig.library() }, "{refused}");
}

#[test]
fn without_a_device_nothing_is_loaded() {
    let rig = Rig::new(TWO);
    fs::remove_dir_all(rig.path("proc/driver")).unwrap();
    let options = rig.options().with(|options| options.library = None);
    let none = nvml::open(&rig.host(), &options).unwrap_err();
    assert!(none.remedy.is_none() && none.reason.starts_with("there is no NVIDIA device"), "{none}");
    rig.pci("0000:41:00.0", "active");
    let no_driver = nvml::open(&rig.host(), &options).unwrap_err();
    assert_eq!(no_driver.remedy, Remedy::load(["nvidia"]));
    assert!(no_driver.reason.contains("0000:41:00.0"));
}

#[test]
fn a_library_below_the_host_root_is_found() {
    let rig = Rig::new(TWO);
    let directory = rig.path("root/usr/lib64");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("libnvidia-ml.so.1"), library()).unwrap();
    fs::copy(rig.path("libnvidia-ml.so.1.script"), directory.join("libnvidia-ml.so.1.script")).unwrap();
    if Path::new("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1").exists() {
        return;
    }
    let meter = nvml::open(&rig.host(), &rig.options().with(|options| options.library = None)).unwrap();
    assert_eq!(meter.devices().len(), 2);
}

#[test]
fn a_driver_that_is_installed_later_is_noticed() {
    let mut rig = Rig::new(TWO);
    fs::remove_dir_all(rig.path("proc/driver")).unwrap();
    assert!(nvml::open_when_possible(&rig.host(), &rig.options()).is_none(), "there is no device");
    rig.pci("0000:41:00.0", "active");
    let mut meter = nvml::open_when_possible(&rig.host(), &rig.options()).unwrap();
    for _ in 0..20 {
        meter.read(Timestamp::now(), &mut rig.readings);
        assert!(rig.readings.is_empty());
        sleep(PACE);
    }
    fs::create_dir_all(rig.path("proc/driver/nvidia")).unwrap();
    fs::write(rig.path("proc/driver/nvidia/version"), "NVRM version: stand-in\n").unwrap();
    rig.until(&mut meter, |readings| readings.len() == 2 && readings.iter().all(|reading| reading.is_ok()));
}
