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
    let (idle, full) = (meter.power(0.0).watts(), meter.power(1.0).watts());
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
    assert!((energy.joules() - meter.power(0.0).watts()).abs() < 1e-5, "{energy}");
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
    let idle = meter.power(0.0).watts() * 2.0;
    assert!((energy.joules() - idle).abs() < 0.03 * idle, "{energy} instead of {idle} J");
}

#[test]
fn idle_power_is_known_and_follows_the_number_of_processors() {
    let tree = Tree::new(MILAN);
    tree.stat(2, 0, 0, 0);
    let mut meter = Estimate::open(&tree.host());
    let idle = meter.power(0.0);
    assert_eq!(meter.zones()[0].idle_power, Some(idle * 2.0));
    let at = start();
    read(&mut meter, at).unwrap();

    // Two more CPUs, whose idle counters begin at zero: no burst of energy, four times the idle power.
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
    assert_eq!(meter.zones()[0].idle_power, Some(meter.power(0.0)), "one virtual CPU is assumed");
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
    let idle = meter.power(0.0).watts();
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
    let full = meter.power(1.0).watts() / meter.power(0.0).watts() * idle;
    println!("{}: {idle:.3} W idle, {full:.3} W full, now {power:.3} W", meter.class().name);
    assert!(power >= idle * 0.999 && power <= full * 1.001, "{idle} <= {power} <= {full}");
}

proptest! {
    #[test]
    fn power_stays_between_idle_and_full(
        processors in 1u32..512, seconds in 1u64..10_000, user in 0u64..10_000_000, idle_ticks in 0u64..10_000_000,
    ) {
        let curve = Curve::of(&CpuClass::generic());
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
            let power = curve.power(busy_share(processors, busy, elapsed));
            let watts = window_energy(power, processors, elapsed).over(elapsed).watts();
            let n = f64::from(processors);
            prop_assert!(watts >= curve.power(0.0).watts() * n - 1e-5 && watts <= curve.power(1.0).watts() * n + 1e-5);
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

/// Errors relative to the estimate, over rows of one machine, each with its weight: machines count the same.
fn errors(class: &CpuClass, threads: u32, phantom_cpus: f64, rows: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (second, curve) = (Duration::from_secs(1), Curve::of(class));
    let error = |(ms, measured): &(f64, f64)| {
        let busy = (ms / 1000.0 - phantom_cpus).clamp(0.0, f64::from(threads));
        let power = curve.power(busy_share(threads, Duration::from_secs_f64(busy), second));
        let estimate = window_energy(power, threads, second).joules();
        ((measured / estimate - 1.0).abs(), 1.0 / rows.len() as f64)
    };
    rows.iter().map(error).collect()
}

/// What 68 % of the errors stay below.
fn one_sigma(mut errors: Vec<(f64, f64)>) -> f64 {
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = errors.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let reached = errors.iter().find(|(_, weight)| {
        sum += weight;
        sum >= 0.6827 * total
    });
    reached.unwrap().0
}

#[test]
fn the_stated_error_covers_measured_machines() {
    let Some(models) = measured_data() else { return };
    // The exporter that recorded the EC2 rows counted about one CPU that was not there.
    let ec2 = rows(&models.join("ec2/ec2_rows.csv"), "instance", "bpf_cpu_time_ms");
    let nx12 = rows(&models.join("nx12/preprocess_abs_default_rapl_BPFOnly.csv"), "node_type", "bpf_cpu_time_us");
    let machines = [
        ("m5.metal", "Cascade Lake", Some(2.5), 96, 1.0),
        ("c5.metal", "Cascade Lake", Some(3.0), 96, 1.0),
        ("r5.metal", "Cascade Lake", Some(2.5), 96, 1.0),
        ("m5zn.metal", "Cascade Lake", Some(3.8), 48, 1.0),
        ("i3.metal", "Broadwell", Some(2.3), 72, 1.0),
        ("m7i.metal-24xl", "Sapphire Rapids", None, 96, 1.0),
        ("1", "Haswell", None, 32, 0.0),
    ];
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (machine, name, ghz, threads, phantom) in machines {
        let class = CpuClass::named(name).unwrap();
        let class = ghz.map_or(class.clone(), |ghz| class.at(ghz));
        let rows = ec2.get(machine).or_else(|| nx12.get(machine)).unwrap();
        let own = errors(&class, threads, phantom, rows);
        let generic = errors(&CpuClass::generic(), threads, phantom, rows);
        let (own_sigma, generic_sigma) = (one_sigma(own.clone()), one_sigma(generic.clone()));
        println!("{machine}: {name} ±{:.0} %, generic ±{:.0} %", 100.0 * own_sigma, 100.0 * generic_sigma);
        known.extend(own);
        unknown.extend(generic);
    }
    let (known, unknown) = (one_sigma(known), one_sigma(unknown));
    println!("all machines alike: known class ±{:.0} %, generic ±{:.0} %", 100.0 * known, 100.0 * unknown);
    let stated = CpuClass::named("Haswell").unwrap().error_ratio;
    // The default model was trained with these rows; what it does without them is stated, and proven by kepler-train.
    let least = if cfg!(feature = "models") { 0.5 } else { 0.8 };
    assert!(known <= stated && known > least * stated, "{known} against the stated {stated}");
    assert!(unknown <= CpuClass::generic().error_ratio, "{unknown} for the generic class");
}

#[cfg(feature = "models")]
#[test]
fn the_default_model_reads_and_rises_with_the_busy_share() {
    let model = default_model().unwrap();
    let card = model.card().unwrap();
    assert!(card.rows > 3000 && card.scores.iter().any(|score| score.validation.starts_with("leave one machine out")));
    assert!(include_bytes!("../../../data/default_model.json").len() <= 200 * 1024);
    for class in [CpuClass::generic(), CpuClass::named("EPYC 3rd Gen").unwrap(), CpuClass::named("Haswell").unwrap()] {
        let curve = Curve::of(&class);
        assert!(matches!(curve, Curve::Trained(_)));
        let watts: Vec<f64> = (0..=20).map(|step| curve.power(f64::from(step) / 20.0).watts()).collect();
        assert!(watts[0] > 0.05 * class.full.watts() && watts[20] < 1.5 * class.full.watts(), "{watts:?}");
        assert!(watts.is_sorted_by(|a, b| a < b), "{watts:?}");
    }
}

#[cfg(feature = "models")]
#[test]
fn an_unmeasured_class_is_counted_and_widens_the_interval() {
    let tree = Tree::new(MILAN);
    tree.stat(2, 0, 0, 0);
    let mut meter = Estimate::open(&tree.host());
    let error_bounds = meter.quality().error_bounds.unwrap();
    let known = Curve::of(&CpuClass::named("Cascade Lake").unwrap()).error_bounds(0.0).unwrap().0;
    assert!(
        error_bounds.below <= 1.0 && error_bounds.below > known.below && error_bounds.above > known.above,
        "{error_bounds:?} {known:?}"
    );
    let at = start();
    read(&mut meter, at).unwrap();
    assert_eq!(meter.quality().warnings, EstimateWarnings::default());
    tree.stat(2, 100, 100, 0);
    read(&mut meter, at.advanced(Duration::from_secs(1))).unwrap();
    assert_eq!(meter.quality().warnings, EstimateWarnings { outside_range: 1, ..EstimateWarnings::default() });
}

#[test]
fn a_calibrated_estimate_has_the_power_that_was_measured_here() {
    use crate::calibration::LoadPoint;
    let tree = Tree::new(MILAN);
    tree.stat(2, 0, 0, 0);
    let point = |busy_share, watts| LoadPoint { busy_share, watts, seconds: 30.0 };
    let load = vec![point(0.0, 40.0), point(0.5, 70.0)];
    let calibration = Calibration { source: "powercap".to_owned(), load, ..Calibration::of(&tree.host()) };
    let mut meter = Estimate::open(&tree.host()).calibrated(&calibration);
    assert_eq!(meter.zones()[0].idle_power.map(|power| power.watts().round()), Some(40.0));
    assert!(meter.zones()[0].path.contains("calibrated by powercap"), "{}", meter.zones()[0].path);
    assert_eq!(meter.method(), Method::Estimated { error_ratio: ERROR_CALIBRATED });
    let at = start();
    read(&mut meter, at).unwrap();
    tree.stat(2, 100, 100, 0);
    let energy = read(&mut meter, at.advanced(Duration::from_secs(1))).unwrap();
    assert!((energy.joules() - 70.0).abs() < 1e-3, "{energy}");
    assert_eq!(meter.quality().warnings, EstimateWarnings::default());
    // More load than was seen: counted, and less certain.
    tree.stat(2, 300, 100, 0);
    read(&mut meter, at.advanced(Duration::from_secs(2))).unwrap();
    assert_eq!(meter.quality().warnings.outside_range, 1);
    assert_eq!(meter.method(), Method::Estimated { error_ratio: ERROR_CALIBRATED * WIDENING_UNSEEN });
    // Without a measured package it stays what it was.
    let nothing = Calibration { load: Vec::new(), ..calibration };
    assert_eq!(Estimate::open(&tree.host()).calibrated(&nothing).power(0.3), Estimate::open(&tree.host()).power(0.3));
}

#[test]
fn an_instance_type_makes_a_virtual_cpu_a_core_or_a_part_of_a_thread() {
    let tree = Tree::new(MILAN);
    tree.stat(2, 0, 0, 0);
    let estimate = |cloud, name: &str| Estimate::open_as(&tree.host(), InstanceType::new(cloud, name).as_ref());
    let plain = Estimate::open(&tree.host());
    let (idle, full) = (plain.power(0.0).watts(), plain.power(1.0).watts());
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    // A thread of its host, as without a type.
    let thread = estimate(Cloud::Aws, "m6a.large");
    assert_eq!((thread.power(0.0), thread.power(1.0)), (plain.power(0.0), plain.power(1.0)));
    assert!(
        thread.zones()[0].path.ends_with("(EPYC 3rd Gen; aws m6a.large: 2 of 192 or more threads)"),
        "{:?}",
        thread.zones()
    );
    assert_eq!(thread.quality(), plain.quality());
    // A core with both its threads.
    let core = estimate(Cloud::Gcp, "t2d-standard-2");
    assert!(
        close(core.power(0.0).watts(), 2.0 * idle) && close(core.power(0.4).watts(), 2.0 * plain.power(0.4).watts())
    );
    // An eighth of a thread at rest; work costs what it costs.
    let part = estimate(Cloud::Gcp, "e2-micro");
    assert!(close(part.power(0.0).watts(), idle / 8.0) && close(part.power(1.0).watts(), full - idle * 7.0 / 8.0));
    assert_eq!(part.zones()[0].idle_power, Some(part.power(0.0) * 2.0));
    // Nothing like that was measured.
    for special in [&core, &part] {
        assert!(
            matches!(special.method(), Method::Estimated { error_ratio } if error_ratio >= CpuClass::generic().error_ratio)
        );
    }
    // Processors that do not tell are those of the family; a type that is not known changes nothing.
    let silent = Tree::new("processor\t: 0\nvendor_id\t: GenuineIntel\n");
    silent.stat(2, 0, 0, 0);
    let known = Estimate::open_as(&silent.host(), InstanceType::new(Cloud::Aws, "m7i.large").as_ref());
    assert_eq!(known.class().name, "Sapphire Rapids");
    let unknown = estimate(Cloud::Azure, "Standard_X9");
    assert_eq!(unknown.power(0.7), plain.power(0.7));
}
