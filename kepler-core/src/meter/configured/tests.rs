use super::*;
use crate::meter::EstimateWarnings;
use crate::model::Semantics;
use std::fs;
use std::path::Path;

const PUBLISHED: &str = r#"{"package": {"All_Weights": {"Bias_Weight": 144.0, "Categorical_Variables": {},
    "Numerical_Variables": {"bpf_cpu_time_ms": {"scale": 96000.0, "weight": 288.0},
    "bpf_page_cache_hit": {"scale": 1.0, "weight": 0.0}}}}}"#;

fn configured(json: &str, semantics: Semantics, host_threads: Option<u32>) -> ConfiguredModel {
    let model = Model::from_json("SGDRegressorTrainer_0", json.as_bytes()).unwrap().with_semantics(semantics);
    ConfiguredModel { name: "a model".to_owned(), model: Ok(Arc::new(model)), host_threads, distance: None }
}

/// A node of two CPUs that have been busy and idle so long, in ticks of 10 ms.
fn stat(procfs: &Path, busy: u64, idle: u64) {
    let line = |name: &str, share: u64| format!("{name} {} 0 0 {} 0 0 0 0 0 0\n", busy / share, idle / share);
    let text = format!("{}{}{}softirq 10 0 0 1 2 3 0 0 0 0 4\n", line("cpu ", 1), line("cpu0", 2), line("cpu1", 2));
    fs::write(procfs.join("stat"), text).unwrap();
}

fn at(seconds: u64) -> Timestamp {
    let start = Timestamp { monotonic: Duration::ZERO, boottime: Duration::ZERO, wall: std::time::UNIX_EPOCH };
    start.advanced(Duration::from_secs(seconds))
}

fn joules(meter: &mut Configured, at: Timestamp) -> f64 {
    let mut readings = Vec::new();
    meter.read(at, &mut readings);
    match readings.as_slice() {
        [Ok(Reading::Counter(energy))] => energy.joules(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn idle_and_dynamic_power_scale_with_the_share_of_the_host() {
    let procfs = tempfile::tempdir().unwrap();
    stat(procfs.path(), 0, 0);
    let host = Host::default().with_procfs(procfs.path());
    let mut meter = Configured::open(&host, &configured(PUBLISHED, Semantics::Exporter0711, Some(96))).unwrap();
    // The published model's idle machine of 96 CPUs, with the CPU that it counts as busy: 147 W.
    let idle = meter.zones()[0].idle_power.unwrap().watts();
    assert!((idle - 147.0 * 2.0 / 96.0).abs() < 1e-9, "{idle}");
    assert_eq!(joules(&mut meter, at(0)), 0.0);
    stat(procfs.path(), 0, 2000);
    let after_idle = joules(&mut meter, at(10));
    assert!((after_idle - 10.0 * idle).abs() < 1e-3, "{after_idle}");
    // Both CPUs busy for 10 s: as the whole host at full load, and there the phantom vanishes.
    stat(procfs.path(), 2000, 2000);
    let full = joules(&mut meter, at(20)) - after_idle;
    assert!((full - 10.0 * (144.0 + 288.0) * 2.0 / 96.0).abs() < 1e-3, "{full}");
}

#[test]
fn other_quantities_under_the_same_names_are_refused_with_the_reason() {
    let counters = PUBLISHED.replace("bpf_cpu_time_ms", "cache_miss").replace("bpf_page_cache_hit", "cpu_cycles");
    let open = |configured| Configured::open(&Host::default(), &configured).unwrap_err();
    let unavailable = open(configured(&counters, Semantics::Exporter0711, Some(96)));
    assert!(unavailable.reason.contains("dTLB read accesses"), "{unavailable}");
    let unavailable = open(configured(PUBLISHED, Semantics::Undeclared, Some(96)));
    assert!(unavailable.remedy == Remedy::CorrectSetting { setting: Setting::ModelSemantics }, "{unavailable}");
    let unavailable = open(configured(PUBLISHED, Semantics::Exporter0711, None));
    assert!(unavailable.remedy == Remedy::CorrectSetting { setting: Setting::ModelHostThreads }, "{unavailable}");
    let none =
        ConfiguredModel { model: Err("no such file".to_owned()), ..configured(PUBLISHED, Semantics::AsNamed, None) };
    assert!(open(none).reason.contains("no such file"));
}

#[test]
fn a_machine_unlike_the_models_widens_the_error() {
    let near = configured(PUBLISHED, Semantics::SpecPower, Some(4));
    let far = ConfiguredModel { distance: Some(1.0), ..near.clone() };
    let error = |configured| match Configured::open(&Host::default(), configured).unwrap().method() {
        Method::Estimated { error_ratio } => error_ratio,
        method => panic!("{method:?}"),
    };
    assert_eq!((error(&near), error(&far)), (0.5, 0.75));
}

#[test]
fn a_host_that_stops_telling_is_an_error_of_each_zone_and_the_gap_is_covered_later() {
    let procfs = tempfile::tempdir().unwrap();
    stat(procfs.path(), 0, 0);
    let host = Host::default().with_procfs(procfs.path());
    let mut meter = Configured::open(&host, &configured(PUBLISHED, Semantics::SpecPower, Some(2))).unwrap();
    joules(&mut meter, at(0));
    fs::write(procfs.path().join("stat"), "nonsense").unwrap();
    let mut readings = Vec::new();
    meter.read(at(5), &mut readings);
    assert!(matches!(readings.as_slice(), [Err(_)]));
    stat(procfs.path(), 0, 2000);
    assert!((joules(&mut meter, at(10)) - 1440.0).abs() < 1e-3);
}

/// A model of ours with an interval, trained between 0 and 1,000 ms/s of CPU time.
fn ours() -> ConfiguredModel {
    use crate::model::format::{Component, Document, Feature, IntervalKnots, Linear, Support, Term};
    let linear = Linear { bias: 10.0, coefficients: vec![0.01] };
    let component = Component {
        terms: vec![Term::linear(1.0, linear)],
        interval: Some(IntervalKnots { confidence: 0.9, knots: vec![[0.0, 1.0, 2.0]], far: 0.0 }),
        ..Component::default()
    };
    let document = Document {
        features: vec![Feature { name: "bpf_cpu_time_ms".into(), lower: 0.0, upper: 1000.0 }],
        components: [("package".to_owned(), component)].into(),
        support: Some(Support {
            scales: vec![500.0],
            floors: Vec::new(),
            rows: vec![0.0, 500.0, 1000.0],
            reach: 1.0,
            growth: 0.5,
        }),
        ..Document::default()
    };
    let model = Ok(Arc::new(Model::from_document(&document).unwrap()));
    ConfiguredModel { name: "ours".to_owned(), model, host_threads: Some(2), distance: None }
}

#[test]
fn inputs_beyond_the_training_widen_the_interval_and_are_counted_and_so_does_drift() {
    let procfs = tempfile::tempdir().unwrap();
    stat(procfs.path(), 0, 0);
    let host = Host::default().with_procfs(procfs.path());
    let mut meter = Configured::open(&host, &ours()).unwrap();
    joules(&mut meter, at(0));
    // A second of half a CPU: 15 W, less 1, plus 2.
    stat(procfs.path(), 50, 150);
    joules(&mut meter, at(1));
    let near = meter.quality().error_bounds.unwrap();
    assert!((near.below - 1.0 / 15.0).abs() < 1e-9 && (near.above - 2.0 / 15.0).abs() < 1e-9, "{near:?}");
    assert_eq!(meter.quality().warnings, EstimateWarnings::default());
    // Then both CPUs, twice the most that was trained with, for a minute.
    let mut wide = Vec::new();
    for second in 1..=60 {
        stat(procfs.path(), 50 + 200 * second, 150);
        joules(&mut meter, at(1 + second));
        wide.push(meter.quality().error_bounds.unwrap().above * 30.0);
    }
    assert!((wide[0] - 2.0 * 1.5).abs() < 1e-6 && (wide[59] - 2.0 * 1.5 * 1.5).abs() < 1e-6, "{wide:?}");
    assert_eq!(meter.quality().warnings, EstimateWarnings { outside_range: 60, drift: 28, clipped: 0 });
    let ratio = |method: Method| method.error_ratio().unwrap();
    assert!((ratio(meter.method()) - 3.0 * 2.25 / 2.0 / 30.0 / 1.645).abs() < 1e-6, "{:?}", meter.method());
}

#[test]
fn an_absurd_prediction_is_clipped_and_counted() {
    let procfs = tempfile::tempdir().unwrap();
    stat(procfs.path(), 0, 0);
    let host = Host::default().with_procfs(procfs.path());
    let negative = PUBLISHED.replace("144.0", "-10.0");
    let mut meter = Configured::open(&host, &configured(&negative, Semantics::SpecPower, Some(2))).unwrap();
    joules(&mut meter, at(0));
    stat(procfs.path(), 0, 200);
    assert_eq!(joules(&mut meter, at(1)), 0.0);
    assert_eq!(meter.quality().warnings, EstimateWarnings { clipped: 1, ..EstimateWarnings::default() });
}

#[test]
fn a_calibrated_model_has_the_power_that_was_measured_here() {
    use crate::calibration::LoadPoint;
    let procfs = tempfile::tempdir().unwrap();
    stat(procfs.path(), 0, 0);
    let host = Host::default().with_procfs(procfs.path());
    // It says 3.06 W at rest and 9 W when both are busy.
    let model = ConfiguredModel { distance: Some(2.0), ..configured(PUBLISHED, Semantics::Exporter0711, Some(96)) };
    let load = vec![LoadPoint::new(0.0, 40.0, 30.0), LoadPoint::new(0.5, 70.0, 30.0)];
    let calibration = Calibration { source: "powercap".to_owned(), threads: 2, load, ..Calibration::of(&host) };
    let error = |meter: &Configured| meter.method().error_ratio().unwrap();
    let uncalibrated = Configured::open(&host, &model).unwrap();
    let own = Configured::open(&host, &model).unwrap().calibrated(&calibration);
    assert!(own.zones()[0].path.contains("calibrated by powercap"), "{}", own.zones()[0].path);
    let mut meter = own;
    assert_eq!(joules(&mut meter, at(0)), 0.0);
    // Half busy, as measured.
    stat(procfs.path(), 1000, 1000);
    let half = joules(&mut meter, at(10));
    assert!((half - 700.0).abs() < 0.5, "{half}");
    assert!((error(&uncalibrated), error(&meter)) == (1.0, 0.24), "{} {}", error(&uncalibrated), error(&meter));
    assert!((meter.zones()[0].idle_power.unwrap().watts() - 40.0).abs() < 0.1, "{:?}", meter.zones()[0].idle_power);
    // More load than was seen: counted, and less certain.
    stat(procfs.path(), 3000, 1000);
    joules(&mut meter, at(20));
    assert!(error(&meter) > 0.24);
    assert_eq!(meter.quality().warnings.outside_range, 1);
    // Of another machine alike it is less certain; without a measured package nothing changes.
    let alike = Configured::open(&host, &model).unwrap().calibrated(&calibration.clone().of_another("rack7"));
    assert!(alike.zones()[0].path.contains("rack7"), "{}", alike.zones()[0].path);
    let nothing = Calibration { load: Vec::new(), ..calibration };
    let same = Configured::open(&host, &model).unwrap().calibrated(&nothing);
    assert_eq!(error(&same), error(&uncalibrated));
}
