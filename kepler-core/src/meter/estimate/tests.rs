use super::*;
use crate::host::CpuTimes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A two-CPU guest on an EPYC 7003 (Milan).
const MILAN: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nphysical id\t: 0\nflags\t\t: fpu hypervisor\n\nprocessor\t: 1\nphysical id\t: 0\n";

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(cpuinfo: &str) -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        fs::write(tree.path().join("cpuinfo"), cpuinfo).unwrap();
        tree
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn host(&self) -> Host {
        Host::default().with_procfs(self.path()).with_sysfs("/nonexistent")
    }

    /// Writes `/proc/stat` in ticks of 10 ms.
    fn stat(&self, processors: u32, user: u64, idle: u64, steal: u64) {
        let mut text = format!("cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\n");
        for number in 0..processors {
            text += &format!("cpu{number} 0 0 0 0 0 0 0 0 0 0\n");
        }
        text += "intr 0\n";
        fs::write(self.path().join("stat"), text).unwrap();
    }
}

fn start() -> Timestamp {
    Timestamp::now()
}

fn read(meter: &mut Estimate, at: Timestamp) -> Result<Energy, ReadError> {
    let mut readings = Vec::new();
    meter.read(at, &mut readings);
    assert_eq!(readings.len(), 1);
    readings.pop().unwrap().map(|reading| match reading {
        Reading::Counter(energy) => energy,
        Reading::Power(power) => panic!("a power of {power}"),
    })
}

#[test]
fn energy_is_that_of_the_window_it_reports() {
    let tree = Tree::new(MILAN);
    tree.stat(2, 0, 0, 0);
    let mut meter = Estimate::open(&tree.host());
    let (idle, full) = (meter.class().idle.watts(), meter.class().full.watts());
    assert_eq!(meter.class().name, "EPYC 3rd Gen");
    let at = start();
    assert_eq!(read(&mut meter, at).unwrap(), Energy::ZERO);

    // Ten seconds, two CPUs, both idle.
    tree.stat(2, 0, 2000, 0);
    let at = at.advanced(Duration::from_secs(10));
    let first = read(&mut meter, at).unwrap();
    assert!((first.joules() - 2.0 * idle * 10.0).abs() < 1e-5, "{first}");

    // Then ten seconds of both at full load.
    tree.stat(2, 2000, 2000, 0);
    let at = at.advanced(Duration::from_secs(10));
    let second = read(&mut meter, at).unwrap() - first;
    assert!((second.joules() - 2.0 * full * 10.0).abs() < 1e-5, "{second}");
}

#[test]
fn stolen_time_costs_no_more_than_idle_time() {
    let tree = Tree::new(MILAN);
    tree.stat(1, 0, 0, 0);
    let mut meter = Estimate::open(&tree.host());
    let at = start();
    read(&mut meter, at).unwrap();
    tree.stat(1, 0, 0, 100);
    let energy = read(&mut meter, at.advanced(Duration::from_secs(1))).unwrap();
    assert!((energy.joules() - meter.class().idle.watts()).abs() < 1e-5, "{energy}");
}

#[test]
fn reading_faster_than_the_tick_invents_no_load() {
    let tree = Tree::new(MILAN);
    tree.stat(1, 0, 0, 0);
    let mut meter = Estimate::open(&tree.host());
    let begin = start();
    read(&mut meter, begin).unwrap();
    // Two idle seconds, read every 4 ms, while the idle counter moves once in 10 ms.
    let mut energy = Energy::ZERO;
    for milliseconds in (4..=2000).step_by(4) {
        tree.stat(1, 0, milliseconds / 10, 0);
        energy = read(&mut meter, begin.advanced(Duration::from_millis(milliseconds))).unwrap();
    }
    let idle = meter.class().idle.watts() * 2.0;
    assert!((energy.joules() - idle).abs() < 0.03 * idle, "{energy} instead of {idle} J");
}

#[test]
fn idle_power_is_known_and_follows_the_number_of_processors() {
    let tree = Tree::new(MILAN);
    tree.stat(2, 0, 0, 0);
    let mut meter = Estimate::open(&tree.host());
    let idle = meter.class().idle;
    assert_eq!(meter.zones()[0].idle_power, Some(idle * 2.0));
    let at = start();
    read(&mut meter, at).unwrap();

    // Two more CPUs, whose idle counters begin anew: no burst of energy, four times the idle power.
    tree.stat(4, 0, 400, 0);
    let energy = read(&mut meter, at.advanced(Duration::from_secs(1))).unwrap();
    assert!((energy.joules() - 4.0 * idle.watts()).abs() < 1e-5, "{energy}");
    assert_eq!(meter.zones()[0].idle_power, Some(idle * 4.0));
}

#[test]
fn a_missing_stat_is_an_error_until_it_appears() {
    let tree = Tree::new("");
    let mut meter = Estimate::open(&tree.host());
    assert_eq!(meter.class().name, "generic");
    assert_eq!(meter.zones()[0].idle_power, Some(meter.class().idle), "one virtual CPU is assumed");
    let at = start();
    let error = read(&mut meter, at).unwrap_err();
    assert!(error.path.ends_with("stat") && error.reason() == "not_found", "{error}");

    tree.stat(2, 0, 0, 0);
    assert_eq!(read(&mut meter, at.advanced(Duration::from_secs(1))).unwrap(), Energy::ZERO);
}

#[test]
fn after_a_bad_reading_the_next_covers_the_gap() {
    let tree = Tree::new(MILAN);
    tree.stat(2, 0, 0, 0);
    let mut meter = Estimate::open(&tree.host());
    let idle = meter.class().idle.watts();
    let at = start();
    read(&mut meter, at).unwrap();
    fs::write(tree.path().join("stat"), "nonsense\n").unwrap();
    let error = read(&mut meter, at.advanced(Duration::from_secs(1))).unwrap_err();
    assert_eq!(error.reason(), "invalid_data");
    tree.stat(2, 0, 400, 0);
    let energy = read(&mut meter, at.advanced(Duration::from_secs(2))).unwrap();
    assert!((energy.joules() - 2.0 * idle * 2.0).abs() < 1e-5, "{energy}");
}

#[test]
fn this_machine_gets_a_figure_between_its_idle_and_full_power() {
    let mut meter = Estimate::open(&Host::default());
    let begin = Timestamp::now();
    read(&mut meter, begin).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let end = Timestamp::now();
    let power = read(&mut meter, end).unwrap().over(end.since(&begin)).watts();
    let idle = meter.zones()[0].idle_power.unwrap().watts();
    let full = meter.class().full.watts() / meter.class().idle.watts() * idle;
    println!("{}: {idle:.3} W idle, {full:.3} W full, now {power:.3} W", meter.class().name);
    assert!(power >= idle * 0.999 && power <= full * 1.001, "{idle} <= {power} <= {full}");
}

proptest! {
    #[test]
    fn power_stays_between_idle_and_full(
        processors in 1u32..512, seconds in 1u64..10_000, user in 0u64..10_000_000, idle_ticks in 0u64..10_000_000,
    ) {
        let class = CpuClass::generic();
        let elapsed = Duration::from_secs(seconds);
        let earlier = CpuTimes { processors, ..CpuTimes::default() };
        let later = CpuTimes {
            processors,
            busy: Duration::from_millis(user * 10),
            idle: Duration::from_millis(idle_ticks * 10),
            ..earlier
        };
        for before in [processors, processors + 1] {
            let (mut busy, at) = (BusyTime::default(), Timestamp::now());
            busy.advance(CpuTimes { processors: before, ..earlier }, at);
            let busy = busy.advance(later, at.advanced(elapsed)).unwrap().busy;
            let watts = window_energy(&class, processors, busy, elapsed).over(elapsed).watts();
            let n = f64::from(processors);
            prop_assert!(watts >= class.idle.watts() * n - 1e-5 && watts <= class.full.watts() * n + 1e-5);
        }
    }
}

/// Where the measured rows are, if this checkout has them.
fn measured_data() -> Option<PathBuf> {
    let folder = std::env::var_os("KEPLER_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    if folder.join("models").is_dir() {
        return Some(folder.join("models"));
    }
    println!("SKIPPED: no measured rows in {}; set KEPLER_SHARED_DATA", folder.display());
    None
}

/// CPU time in milliseconds per second, and measured package power, of each row that has both.
fn rows(file: &Path, machine: &str, cpu_time: &str) -> BTreeMap<String, Vec<(f64, f64)>> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (machine, cpu_time, power) = (column(machine), column(cpu_time), column("package_power"));
    let mut machines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let (Ok(ms), Ok(watts)) = (cells[cpu_time].parse::<f64>(), cells[power].parse::<f64>()) else { continue };
        if watts > 0.0 {
            machines.entry(cells[machine].to_owned()).or_default().push((ms, watts));
        }
    }
    machines
}

/// Mean squared relative error of the model over rows of one machine.
fn squared_error(class: &CpuClass, threads: u32, phantom_cpus: f64, rows: &[(f64, f64)]) -> f64 {
    let second = Duration::from_secs(1);
    let squares = rows.iter().map(|(ms, measured)| {
        let busy = (ms / 1000.0 - phantom_cpus).clamp(0.0, f64::from(threads));
        let estimate = window_energy(class, threads, Duration::from_secs_f64(busy), second).joules();
        ((estimate - measured) / measured).powi(2)
    });
    squares.sum::<f64>() / rows.len() as f64
}

#[test]
fn the_stated_error_covers_measured_machines() {
    let Some(models) = measured_data() else { return };
    // The exporter that recorded the EC2 rows counted about one CPU that was not there.
    let ec2 = rows(&models.join("ec2/ec2_rows.csv"), "instance", "bpf_cpu_time_ms");
    let nx12 = rows(&models.join("nx12/preprocess_abs_default_rapl_BPFOnly.csv"), "node_type", "bpf_cpu_time_us");
    let machines = [
        ("m5.metal", "Cascade Lake", 96, 1.0),
        ("c5.metal", "Cascade Lake", 96, 1.0),
        ("r5.metal", "Cascade Lake", 96, 1.0),
        ("m5zn.metal", "Cascade Lake", 48, 1.0),
        ("i3.metal", "Broadwell", 72, 1.0),
        ("m7i.metal-24xl", "Sapphire Rapids", 96, 1.0),
        ("1", "Haswell", 32, 0.0),
    ];
    let generic = CpuClass::generic();
    let (mut known_sum, mut generic_sum) = (0.0, 0.0);
    for (machine, class, threads, phantom) in machines {
        let class = CpuClass::named(class).unwrap();
        let rows = ec2.get(machine).or_else(|| nx12.get(machine)).unwrap();
        let error = squared_error(&class, threads, phantom, rows);
        let unknown = squared_error(&generic, threads, phantom, rows);
        println!("{machine}: {} ±{:.0} %, generic ±{:.0} %", class.name, 100.0 * error.sqrt(), 100.0 * unknown.sqrt());
        known_sum += error;
        generic_sum += unknown;
    }
    let count = machines.len() as f64;
    let (known, unknown) = ((known_sum / count).sqrt(), (generic_sum / count).sqrt());
    println!("all machines alike: known class ±{:.0} %, generic ±{:.0} %", 100.0 * known, 100.0 * unknown);
    let stated = CpuClass::named("Haswell").unwrap().error_ratio;
    assert!(known <= stated && known > 0.8 * stated, "{known} against the stated {stated}");
    assert!(unknown <= generic.error_ratio, "{unknown} against the stated {}", generic.error_ratio);
}
