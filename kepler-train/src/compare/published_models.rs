//! Published models of the database, read by our loader, on the same measured rows.

use super::{ComparisonRow, Folder};
use crate::validate::{HeldOut, score};
use crate::{Table, TrainError};
use kepler_core::model::{Conversion, Model, Quantity};
use kepler_core::units::ZoneKind;

const DATABASE: &str = "kepler-model-db";
const TRAINERS: [&str; 3] = ["LogarithmicRegressionTrainer", "SGDRegressorTrainer", "ExponentialRegressionTrainer"];
/// The node type that the exporter takes where it knows no other.
const DEFAULT_NODE_TYPE: usize = 0;
/// Logical CPUs of the server that the rows of `nx12` are of.
const NX12_THREADS: u32 = 32;

pub(super) fn run(folder: &Folder, push: &mut dyn FnMut(ComparisonRow)) -> Result<(), TrainError> {
    let ec2 = Table::open(folder.path("ec2/ec2_rows.csv"))?;
    let (machines, names) = ec2.groups("node_type")?;
    let watts = ec2.cells("package_power")?;
    for trainer in TRAINERS {
        let mut held = Vec::new();
        for (machine, name) in names.iter().enumerate() {
            let file = format!("{DATABASE}/ec2-0.7.11/rapl-sysfs/AbsPower/Basic/{trainer}_{name}.json");
            let Some(model) = load(folder, &file)? else { continue };
            let columns = columns(&ec2, &model)?;
            let rows = (0..ec2.rows())
                .filter(|&row| machines.get(row) == Some(&machine) && watts.get(row).is_some_and(|watts| *watts > 1.0));
            for row in rows {
                let features: Vec<f64> = columns.iter().filter_map(|column| column.get(row).copied()).collect();
                held.extend(predicted(&model, &features, ZoneKind::Package, (row, machine), watts)?);
            }
        }
        push(line(
            format!("ec2 package, Basic: published `ec2` {trainer} of each machine, on rows like its own"),
            &held,
        ));
    }
    let nx12 = Table::open(folder.path("nx12/preprocess_abs_default_rapl_BPFOnly.csv"))?;
    let default = format!("LogarithmicRegressionTrainer_{DEFAULT_NODE_TYPE}");
    let file = format!("{DATABASE}/ec2-0.7.11/rapl-sysfs/AbsPower/BPFOnly/{default}.json");
    let held = by_cpu_time(folder, &nx12, &file, ZoneKind::Package, "package_power")?;
    push(line("nx12 package, BPFOnly: published `ec2` default of the exporter".to_owned(), &held));
    let file = format!("{DATABASE}/specpower-0.7.11/acpi/AbsPower/BPFOnly/{default}.json");
    let nx12 = Table::open(folder.path("nx12/preprocess_abs_default_acpi_BPFOnly.csv"))?;
    let held = by_cpu_time(folder, &nx12, &file, ZoneKind::Psys, "platform_power")?;
    push(line("nx12 platform, BPFOnly: published `specpower` default of the exporter".to_owned(), &held));
    Ok(())
}

/// `None` if there is no such file.
fn load(folder: &Folder, file: &str) -> Result<Option<Model>, TrainError> {
    let path = folder.path(file);
    if !path.exists() {
        return Ok(None);
    }
    let bad = |error: kepler_core::model::ModelError| TrainError::Declaration {
        name: file.to_owned(),
        what: error.to_string(),
    };
    Model::load(&path).map(Some).map_err(bad)
}

fn columns<'a>(table: &'a Table, model: &Model) -> Result<Vec<&'a [f64]>, TrainError> {
    model.features().iter().map(|feature| table.numbers(feature)).collect()
}

/// All rows by CPU time alone, converted to what the model takes for it.
fn by_cpu_time(
    folder: &Folder,
    rows: &Table,
    file: &str,
    zone: ZoneKind,
    target: &str,
) -> Result<Vec<HeldOut>, TrainError> {
    let Some(model) = load(folder, file)? else { return Ok(Vec::new()) };
    let bad = |error: kepler_core::model::BindError| TrainError::Declaration {
        name: file.to_owned(),
        what: error.to_string(),
    };
    let binding = model.bind(&[Quantity::CpuTime], Conversion::Allow { threads: NX12_THREADS }).map_err(bad)?;
    // Milliseconds, whatever it is called.
    let (time, watts) = (rows.numbers("bpf_cpu_time_us")?, rows.numbers(target)?);
    let (mut held, mut features) = (Vec::new(), Vec::new());
    for (row, &time) in time.iter().enumerate() {
        binding.apply(&[time], &mut features);
        held.extend(predicted(&model, &features, zone, (row, 0), watts)?);
    }
    Ok(held)
}

fn predicted(
    model: &Model,
    features: &[f64],
    zone: ZoneKind,
    (row, fold): (usize, usize),
    watts: &[f64],
) -> Result<Option<HeldOut>, TrainError> {
    let power = model.predict(features)?.power(zone);
    let known = power.zip(watts.get(row));
    Ok(known.map(|(power, &measured)| HeldOut { row, fold, measured, predicted: power.watts(), interval: None }))
}

fn line(task: String, held: &[HeldOut]) -> ComparisonRow {
    let recipe = "published".to_owned();
    ComparisonRow { task, recipe, reference: None, bar: None, score: score("", "as published", held) }
}
