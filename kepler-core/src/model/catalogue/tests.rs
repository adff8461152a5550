//! Which model a machine gets, on a small database.

use super::*;
use crate::model::{Conversion, Quantity};
use std::fs;

const GIVEN: [Quantity; 2] = [Quantity::CpuTime, Quantity::PageCacheHits];

fn database() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models")
}

fn m5() -> Machine {
    Machine {
        cores: Some(48),
        threads: Some(96),
        chips: Some(2),
        memory_gib: Some(377.0),
        frequency_mhz: Some(3500.0),
        ..Machine::with_processor("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz")
    }
}

fn request(machine: &Machine) -> ModelRequest<'_> {
    ModelRequest {
        source: EnergySource::RaplSysfs,
        output: OutputType::AbsPower,
        machine,
        given: &GIVEN,
        conversion: Conversion::Allow { threads: 96 },
    }
}

#[test]
fn a_pipeline_and_a_directory_of_pipelines_are_the_same() {
    let catalogue = Catalogue::open(database()).unwrap();
    assert_eq!(catalogue.entries(), Catalogue::open(database().join("rack-0.7.11")).unwrap().entries());
    assert_eq!(catalogue.entries().len(), 9);
    assert_eq!(catalogue.skipped(), []);
    assert!(catalogue.entries().iter().all(|entry| entry.load().is_ok()));
}

#[test]
fn the_same_machine_gets_its_own_model() {
    let selection = Catalogue::open(database()).unwrap().best_for(&request(&m5())).unwrap();
    assert_eq!((selection.entry.node_type, selection.distance), (0, 0.0));
    assert_eq!(selection.reason, "the same machine type");
    assert_eq!(selection.model.trainer(), Trainer::Xgboost);
    // Basic would be richer, but its counters are not measured here.
    assert_eq!(selection.passed_over.len(), 1);
    assert!(selection.passed_over[0].1.to_string().contains("cache_miss"));
    // Two sockets.
    assert_eq!(selection.model.ceiling(crate::units::ZoneKind::Package).watts(), 3000.0);
}

#[test]
fn a_similar_machine_is_found_with_its_distance_and_reason() {
    let machine = Machine { threads: Some(224), cores: Some(112), ..Machine::with_processor("AMD EPYC 7713P 64-Core") };
    let machine = Machine { memory_gib: Some(503.0), frequency_mhz: Some(3500.0), chips: Some(2), ..machine };
    let selection = Catalogue::open(database()).unwrap().best_for(&request(&machine)).unwrap();
    assert_eq!(selection.entry.node_type, 10);
    assert!(selection.distance > 0.25 && selection.distance < 0.5, "{}", selection.distance);
    assert_eq!(
        selection.reason,
        "processor of the same generation (amd_epyc_7763 for amd_epyc_7713p); 256 threads for 224"
    );
}

#[test]
fn beyond_the_limit_there_is_none_and_the_nearest_is_named() {
    let machine = Machine { threads: Some(2), cores: Some(2), ..m5() };
    let none = Catalogue::open(database()).unwrap().best_for(&request(&machine)).unwrap_err();
    let (path, difference) = none.nearest.as_ref().unwrap();
    assert!(path.to_string_lossy().contains("_0"));
    assert!(difference.distance > MAX_DISTANCE);
    assert!(none.to_string().contains("use the generic class"), "{none}");
}

#[test]
fn semantics_are_refused_unless_conversion_is_allowed() {
    let machine = m5();
    let request = ModelRequest { conversion: Conversion::Refuse, ..request(&machine) };
    let none = Catalogue::open(database()).unwrap().best_for(&request).unwrap_err();
    assert!(none.to_string().contains("one idle CPU counted as busy"), "{none}");
}

#[test]
fn a_model_that_cannot_be_read_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let group = folder.path().join("rack-0.7.11/rapl-sysfs/AbsPower/BPFOnly");
    fs::create_dir_all(group.join("XgboostFitTrainer_0")).unwrap();
    let original = database().join("rack-0.7.11");
    let copy = |name: &str| fs::copy(original.join(name), folder.path().join("rack-0.7.11").join(name)).unwrap();
    copy("node_type_index.json");
    copy("rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_0.json");
    for stray in
        ["GradientBoostingRegressorTrainer_0.zip", "XgboostFitTrainer_0.zip", "README", "SVRRegressorTrainer_0.json"]
    {
        fs::write(group.join(stray), "").unwrap();
    }
    fs::create_dir(folder.path().join("rack-0.7.11/rapl-sysfs/AbsPower/Unheard")).unwrap();
    let catalogue = Catalogue::open(folder.path()).unwrap();
    let archives = usize::from(cfg!(feature = "archives"));
    assert_eq!(catalogue.skipped().len(), 5 - archives, "{:?}", catalogue.skipped());
    let selection = catalogue.best_for(&request(&m5())).unwrap();
    assert_eq!(selection.model.trainer(), Trainer::Sgd);
    let passed_over: Vec<_> = selection.passed_over.iter().map(|(path, reason)| (path.file_stem(), reason)).collect();
    assert_eq!(passed_over.len(), 1 + archives);
    for (name, reason) in passed_over {
        assert_eq!(name, Some("XgboostFitTrainer_0".as_ref()));
        assert!(matches!(reason, PassedOver::Load(_)), "{reason}");
    }
}

#[test]
fn a_directory_without_models_is_empty_and_one_that_is_not_there_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Catalogue::open(folder.path()).unwrap().entries().is_empty());
    assert!(Catalogue::open(folder.path().join("nothing")).is_err());
}

#[test]
fn cores_of_a_kernel_are_threads_and_those_of_specpower_are_cores() {
    let catalogue = Catalogue::open(database()).unwrap();
    let machine = |node_type| {
        let entry = catalogue.entries().iter().find(|entry| entry.node_type == node_type).unwrap();
        entry.machine.clone().unwrap()
    };
    assert_eq!((machine(0).cores, machine(0).threads), (None, Some(96)));
    assert_eq!((machine(10).cores, machine(10).threads), (Some(128), Some(256)));
    let folder = tempfile::tempdir().unwrap();
    let group = folder.path().join("specpower-0.7.11/acpi/AbsPower/BPFOnly");
    fs::create_dir_all(&group).unwrap();
    let original = database().join("rack-0.7.11");
    fs::copy(original.join("node_type_index.json"), folder.path().join("specpower-0.7.11/node_type_index.json"))
        .unwrap();
    fs::write(group.join("SGDRegressorTrainer_0.json"), "{}").unwrap();
    let catalogue = Catalogue::open(folder.path()).unwrap();
    let machine = catalogue.entries()[0].machine.clone().unwrap();
    assert_eq!((machine.cores, machine.threads), (Some(96), None));
}
