use super::*;
use proptest::prelude::*;
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// `PERF_TYPE_SOFTWARE`, a type every kernel has.
const SOFTWARE: &str = "1\n";
/// One watt, if a nanosecond of CPU clock is counted as a nanojoule.
const ONE_WATT: &str = "1e-9\n";

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Adds an event to a PMU laid out as `arch/x86/events/rapl.c` lays it out.
fn add_event(sysfs: &Path, pmu: &str, event: &str, config: &str, scale: &str) {
    let pmu = sysfs.join("bus/event_source/devices").join(pmu);
    write(&pmu.join("type"), SOFTWARE);
    write(&pmu.join("cpumask"), "0\n");
    write(&pmu.join("format/event"), "config:0-7\n");
    write(&pmu.join("events").join(event), config);
    write(&pmu.join("events").join(format!("{event}.scale")), scale);
    write(&pmu.join("events").join(format!("{event}.unit")), "Joules\n");
}

fn open_or_skip(host: &Host) -> Option<Perf> {
    match Perf::open(host) {
        Err(unavailable) if unavailable.remedy.is_permission() => {
            println!("SKIPPED: perf_event_open is not allowed here: {unavailable}");
            None
        }
        other => Some(other.unwrap()),
    }
}

fn read(meter: &mut Perf) -> Vec<Energy> {
    let mut readings = Vec::new();
    meter.read(Timestamp::now(), &mut readings);
    let energy = |reading: Result<Reading, ReadError>| match reading.unwrap() {
        Reading::Counter(energy) => energy,
        Reading::Power(power) => panic!("a power of {power}"),
    };
    readings.into_iter().map(energy).collect()
}

#[test]
fn a_real_kernel_counter_is_opened_and_rises_by_its_scale() {
    let sysfs = tempfile::tempdir().unwrap();
    add_event(sysfs.path(), "power", "energy-pkg", "event=0x00\n", ONE_WATT);
    let Some(mut meter) = open_or_skip(&Host::default().with_sysfs(sysfs.path())) else { return };
    assert_eq!(meter.zones().len(), 1);
    assert_eq!((meter.zones()[0].kind, meter.zones()[0].package), (ZoneKind::Package, Some(0)));

    let start = Instant::now();
    let first = read(&mut meter)[0];
    std::thread::sleep(Duration::from_millis(60));
    let second = read(&mut meter)[0];
    let elapsed = start.elapsed().as_secs_f64();
    let joules = (second - first).joules();
    // The CPU clock of a processor runs with real time: one watt for the time that passed.
    assert!(joules > 0.05 && joules < elapsed + 0.05, "{joules} J in {elapsed} s");
}

#[test]
fn every_event_of_both_pmus_is_mapped_to_its_zone() {
    let sysfs = tempfile::tempdir().unwrap();
    for (pmu, event, _) in EVENTS {
        add_event(sysfs.path(), pmu, event, "event=0x00\n", ONE_WATT);
    }
    let Some(meter) = open_or_skip(&Host::default().with_sysfs(sysfs.path())) else { return };
    let kinds: Vec<_> = meter.zones().iter().map(|zone| zone.kind).collect();
    assert_eq!(kinds, EVENTS.map(|(_, _, kind)| kind));
}

#[test]
fn counters_of_one_package_are_summed() {
    let sysfs = tempfile::tempdir().unwrap();
    add_event(sysfs.path(), "power", "energy-pkg", "event=0x00\n", ONE_WATT);
    add_event(sysfs.path(), "power_core", "energy-core", "event=0x00\n", ONE_WATT);
    let mask = sysfs.path().join("bus/event_source/devices/power_core/cpumask");
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    if online.trim() == "0" {
        println!("SKIPPED: this machine has one processor");
        return;
    }
    write(&mask, "0-1\n");
    // One package, whatever this machine has.
    write(&sysfs.path().join("devices/system/cpu/cpu0/topology/physical_package_id"), "0\n");
    write(&sysfs.path().join("devices/system/cpu/cpu1/topology/physical_package_id"), "0\n");
    let Some(mut meter) = open_or_skip(&Host::default().with_sysfs(sysfs.path())) else { return };
    assert_eq!(meter.zones().len(), 2);
    let mut rose = Vec::new();
    let is_double = (0..5).any(|_| {
        let first = read(&mut meter);
        std::thread::sleep(Duration::from_millis(60));
        let second = read(&mut meter);
        let (package, cores) = ((second[0] - first[0]).joules(), (second[1] - first[1]).joules());
        rose.push((cores, package));
        // One is read after the other, later on a busy machine.
        cores > 1.5 * package && cores < 2.5 * package
    });
    assert!(is_double, "two counters rose by the first, one by the second: {rose:?}");
}

#[test]
fn an_event_the_kernel_refuses_leaves_the_others_alone() {
    let sysfs = tempfile::tempdir().unwrap();
    add_event(sysfs.path(), "power", "energy-pkg", "event=0x00\n", ONE_WATT);
    // No software event has this number.
    add_event(sysfs.path(), "power", "energy-ram", "event=0xff\n", ONE_WATT);
    add_event(sysfs.path(), "power", "energy-gpu", "event=0x00\n", "0.0\n");
    let Some(meter) = open_or_skip(&Host::default().with_sysfs(sysfs.path())) else { return };
    assert_eq!(meter.zones().iter().map(|zone| zone.kind).collect::<Vec<_>>(), [ZoneKind::Package]);
}

#[test]
fn a_refused_event_names_the_event_and_a_remedy() {
    let sysfs = tempfile::tempdir().unwrap();
    add_event(sysfs.path(), "power", "energy-pkg", "event=0xff\n", ONE_WATT);
    let unavailable = Perf::open(&Host::default().with_sysfs(sysfs.path())).unwrap_err();
    assert!(unavailable.reason.contains("energy-pkg"), "{unavailable}");
    assert!(!unavailable.remedy.is_none());
}

#[test]
fn an_event_in_another_unit_is_not_believed() {
    let sysfs = tempfile::tempdir().unwrap();
    add_event(sysfs.path(), "power", "energy-pkg", "event=0x00\n", ONE_WATT);
    write(&sysfs.path().join("bus/event_source/devices/power/events/energy-pkg.unit"), "Watts\n");
    let unavailable = Perf::open(&Host::default().with_sysfs(sysfs.path())).unwrap_err();
    assert!(unavailable.reason.contains("Joules"), "{unavailable}");
}

#[test]
fn without_a_pmu_the_reason_depends_on_the_machine() {
    let tree = tempfile::tempdir().unwrap();
    let host = Host::default().with_sysfs(tree.path()).with_procfs(tree.path());
    let metal = Perf::open(&host).unwrap_err();
    assert!(metal.to_string().contains("load the kernel module rapl"), "{metal}");
    write(&tree.path().join("cpuinfo"), "processor\t: 0\nflags\t\t: fpu hypervisor\n");
    let guest = Perf::open(&host).unwrap_err();
    assert!(guest.remedy == Remedy::MeasureOnHost, "{guest}");
}

#[test]
fn missing_privileges_are_distinguished_from_blocked_calls() {
    let pmu = Path::new("/sys/bus/event_source/devices/power");
    let tree = tempfile::tempdir().unwrap();
    let host = Host::default().with_procfs(tree.path());
    let unavailable = |errno: Errno| refused(pmu, "energy-pkg", &errno.into(), Paranoia::of(&host)).to_string();
    assert!(unavailable(Errno::ACCESS).contains("perf_event_paranoid to 0"));
    // Linux 6.1 of Debian 12 with CAP_PERFMON: the call is refused at 3 and goes through at 2.
    for (level, asks_for) in [
        ("2\n", "CAP_PERFMON, or set the kernel parameter kernel.perf_event_paranoid to 0"),
        ("3\n", "CAP_SYS_ADMIN"),
        ("4\n", "CAP_SYS_ADMIN"),
    ] {
        write(&tree.path().join("sys/kernel/perf_event_paranoid"), level);
        let text = unavailable(Errno::ACCESS);
        assert!(text.contains(asks_for), "{text}");
        assert_eq!(text.contains("perf_event_paranoid to 2"), level != "2\n", "{text}");
    }
    assert!(unavailable(Errno::PERM).contains("seccomp"));
    assert!(unavailable(Errno::INVAL).contains("powercap"));
}

#[test]
fn processor_lists_are_read_as_the_kernel_writes_them() {
    assert_eq!(parse_processor_list("0"), Some(vec![0]));
    assert_eq!(parse_processor_list("0,28"), Some(vec![0, 28]));
    assert_eq!(parse_processor_list("0-2,8"), Some(vec![0, 1, 2, 8]));
    for damaged in ["", "a", "3-1", "0-4000000000", "1,"] {
        assert_eq!(parse_processor_list(damaged), None, "{damaged}");
    }
}

/// What the kernel writes as the scale of RAPL events: 2⁻³².
const RAPL_SCALE: f64 = 2.328_306_436_538_696_3e-10;

proptest! {
    #[test]
    fn conversion_is_exact_to_a_microjoule_up_to_two_gigajoules(count in 0u64..(1 << 63)) {
        let exact = (u128::from(count) * 1_000_000) >> 32;
        let converted = u128::from(energy(count, RAPL_SCALE).microjoules());
        prop_assert!(converted.abs_diff(exact) <= 1);
    }

    #[test]
    fn energy_never_falls_while_the_count_rises(count: u64, step in 0u64..1_000_000) {
        let next = count.saturating_add(step);
        prop_assert!(energy(next, RAPL_SCALE) >= energy(count, RAPL_SCALE));
    }
}
