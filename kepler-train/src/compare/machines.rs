//! Six bare-metal machines of a cloud.

use super::{ComparisonRow, Folder};
use crate::validate::{Fold, HeldOut, Validation, behaviour, by_group, cross_validate, score};
use crate::{Algorithm, Dataset, Inputs, Learner, LinearMethod, Recipe, Table, TrainError, interval};
use kepler_core::model::{Model, Semantics};
use kepler_core::units::ZoneKind;

const ZONE: ZoneKind = ZoneKind::Package;
const RESULTS: &str = "ec2/reference_trainer_results.txt";
/// Indices of the machines of one processor, Xeon 8259CL, in the order of the file.
const SAME_CLASS: (usize, usize) = (0, 3);

pub(super) fn run(folder: &Folder, how: Validation<'_>, push: &mut dyn FnMut(ComparisonRow)) -> Result<(), TrainError> {
    let mut table = Table::open(folder.path("ec2/ec2_rows.csv"))?;
    table.rename("cores", "threads")?;
    table.declare(Semantics::Exporter0711);
    let (usable, groups) = usable(&table)?;
    let (_, names) = table.groups("instance")?;
    let table = table.subset(&usable);
    let results = folder.text(RESULTS)?;
    let dataset = |features: &[&str]| {
        let features: Vec<String> = features.iter().map(|&feature| feature.to_owned()).collect();
        Dataset::of(&table, &features, &[(ZONE, "package_power".to_owned())])
    };
    let basic = dataset(&["bpf_cpu_time_ms", "cache_miss", "cpu_cycles", "cpu_instructions"])?;

    let within = within(folder, &basic, &usable, &groups, how)?;
    push(ComparisonRow {
        task: "ec2 package, Basic, within machine, 10 random 10 % splits".to_owned(),
        recipe: Algorithm::Stack.to_string(),
        reference: reference(&results, &["EC2 within-machine random10 Basic package_power"]),
        bar: Some(7.4),
        score: within,
    });

    let wide = with_frequency(&dataset(&["bpf_cpu_time_ms", "cpu_cycles", "threads"])?, &groups, &names)?;
    let recipe = across_machines();
    let held = cross_validate(&recipe, &wide, ZONE, &by_group(&groups), Validation { intervals: false, ..how })?;
    push(ComparisonRow {
        task: "ec2 package, Basic, leave one machine out".to_owned(),
        recipe: recipe.name.clone(),
        reference: reference(&results, &["LOMO raw     CounterOnly", "LOMO raw     Basic"]),
        bar: Some(30.0),
        score: score("package", "leave one machine out", &held),
    });

    for recipe in [Algorithm::Ensemble, Algorithm::Lines, Algorithm::Nnls, Algorithm::Trees].map(Algorithm::recipe) {
        let mut all = Vec::new();
        for rows in by_group(&groups) {
            let own = basic.subset(&rows);
            let kinds = by_group(&behaviour(&own));
            let base = all.iter().map(|held: &HeldOut| held.fold + 1).max().unwrap_or_default();
            let mut held = cross_validate(&recipe, &own, ZONE, &kinds, Validation { intervals: true, ..how })?;
            held.iter_mut().for_each(|held| held.fold += base);
            all.extend(held);
        }
        push(ComparisonRow {
            task: "ec2 package, Basic, within machine, leave one kind of work out".to_owned(),
            recipe: recipe.name.clone(),
            reference: None,
            bar: None,
            score: score("package", "leave one kind of work out", &all),
        });
    }

    push(transfer(&basic, &groups, &results)?);
    Ok(())
}

/// Nominal frequencies that the processors' names state, GHz; of others that of the middle of servers.
const NOMINAL: [(&str, f64); 5] =
    [("m5.metal", 2.5), ("r5.metal", 2.5), ("c5.metal", 3.0), ("m5zn.metal", 3.8), ("i3.metal", 2.3)];
const NOMINAL_ELSE: f64 = 2.5;
/// What a mean frequency of busy time can be: from the lowest of servers to so many times the nominal one. CPU time that was counted too
/// high or too low says anything else.
const LEAST_GHZ: f64 = 0.8;
const MOST_TO_NOMINAL: f64 = 1.5;

/// The same with the mean frequency of busy time, GHz, as far as it can be. `groups` are machines, `names` those of the file.
fn with_frequency(data: &Dataset, groups: &[usize], names: &[String]) -> Result<Dataset, TrainError> {
    let mut rows = Vec::with_capacity(data.rows().len() * 2);
    for (row, machine) in data.rows().chunks(data.width()).zip(groups) {
        let name = names.get(*machine).map(String::as_str);
        let nominal = NOMINAL.iter().find(|(known, _)| Some(*known) == name).map_or(NOMINAL_ELSE, |(_, ghz)| *ghz);
        let (time, cycles) = (row.first().copied().unwrap_or(0.0), row.get(1).copied().unwrap_or(0.0));
        let ghz = if time > 0.0 { cycles / (time * 1e6) } else { 0.0 };
        rows.extend_from_slice(row);
        rows.push(ghz.clamp(LEAST_GHZ, MOST_TO_NOMINAL * nominal));
    }
    let features = data.features().iter().cloned().chain(["frequency_ghz".to_owned()]).collect();
    Dataset::new(features, rows, data.targets().to_vec(), data.semantics())
}

/// For machines that no row is of. With c cycles, a mean frequency f of busy time and a busy share u of the threads:
/// a constant, and c·f, c·f·u, c·f·u², c·f² by least squares. Energy a cycle grows with frequency, and the second thread
/// of a core costs less than the first. Indices are those of CPU time, cycles, threads and frequency.
fn across_machines() -> Recipe {
    let (time, cycles, threads, ghz) = (0, 1, 2, 3);
    let products = vec![
        vec![(cycles, 1), (ghz, 1)],
        vec![(cycles, 1), (ghz, 1), (time, 1), (threads, -1)],
        vec![(cycles, 1), (ghz, 1), (time, 2), (threads, -2)],
        vec![(cycles, 1), (ghz, 2)],
    ];
    Recipe::of("least squares on cycles × frequency", Learner::Linear(LinearMethod::Ordinary))
        .with_inputs(Inputs::Products(products))
}

/// Rows whose package and dram power were read, and the machine of each.
fn usable(table: &Table) -> Result<(Vec<usize>, Vec<usize>), TrainError> {
    let package = table.cells("package_power")?;
    let dram = table.cells("dram_power")?;
    let read = |row: &usize| {
        package.get(*row).is_some_and(|watts| *watts > 1.0) && dram.get(*row).is_some_and(|cell| !cell.is_nan())
    };
    let usable: Vec<usize> = (0..table.rows()).filter(read).collect();
    let (all, _) = table.groups("node_type")?;
    let groups = usable.iter().filter_map(|&row| all.get(row)).copied().collect();
    Ok((usable, groups))
}

/// Each machine alone, on the random splits that come with the rows; the mean over machines.
fn within(
    folder: &Folder,
    data: &Dataset,
    usable: &[usize],
    groups: &[usize],
    how: Validation<'_>,
) -> Result<kepler_core::model::Score, TrainError> {
    const FILE: &str = "ec2/splits_random10pct_seeds0-9.json";
    let json = folder.json(FILE)?;
    let mut all = Vec::new();
    let mut maes = Vec::new();
    for (machine, rows) in by_group(groups).into_iter().enumerate() {
        let own = data.subset(&rows);
        // The file counts rows of the whole table; folds count rows of this machine.
        let place_of = |number: usize| rows.iter().position(|&row| usable.get(row) == Some(&number));
        let splits =
            json.get("test_rows").and_then(|all| all.get(machine.to_string())).and_then(serde_json::Value::as_object);
        let what = format!("no test_rows of machine {machine}");
        let splits = splits.ok_or_else(|| TrainError::Declaration { name: FILE.to_owned(), what })?;
        let folds: Vec<Fold> = splits
            .values()
            .map(|numbers| {
                let numbers = numbers.as_array().map_or(&[][..], Vec::as_slice).iter();
                let mut fold: Fold = numbers.filter_map(|n| place_of(usize::try_from(n.as_u64()?).ok()?)).collect();
                fold.sort_unstable();
                fold
            })
            .collect();
        let held =
            cross_validate(&Algorithm::Stack.recipe(), &own, ZONE, &folds, Validation { intervals: false, ..how })?;
        maes.push(score("package", "", &held).mae);
        all.extend(held);
    }
    let mut total = score("package", "within machine, 10 random 10 % splits", &all);
    total.mae = maes.iter().sum::<f64>() / maes.len().max(1) as f64;
    Ok(total)
}

/// Trained on one machine, judged on another of the same processor.
fn transfer(data: &Dataset, groups: &[usize], results: &str) -> Result<ComparisonRow, TrainError> {
    let of =
        |machine: usize| -> Vec<usize> { (0..groups.len()).filter(|&row| groups.get(row) == Some(&machine)).collect() };
    let (from, to) = (data.subset(&of(SAME_CLASS.0)), data.subset(&of(SAME_CLASS.1)));
    let recipe = Algorithm::Ensemble.recipe();
    let (document, _) = interval::fit(&recipe, &from, interval::CONFIDENCE)?;
    let held = crate::validate::evaluate(&Model::from_document(&document)?, &to, ZONE)?;
    Ok(ComparisonRow {
        task: "ec2 package, Basic, trained on m5.metal, judged on r5.metal (same processor)".to_owned(),
        recipe: recipe.name,
        reference: reference(results, &["transfer nt0(m5.metal 8259CL)->nt3(r5.metal 8259CL) Basic"]),
        bar: Some(15.0),
        score: score("package", "another machine of the same class", &held),
    })
}

/// The least mean absolute error in lines that begin so, and the trainer it is of.
fn reference(results: &str, beginnings: &[&str]) -> Option<(f64, String)> {
    let best = results.lines().filter_map(|line| {
        let rest = beginnings.iter().find_map(|beginning| line.strip_prefix(beginning))?;
        let (trainer, rest) = rest.trim().split_once(' ')?;
        let (_, figure) = rest.split_once("MAE")?;
        let figure = figure.split_whitespace().find_map(|word| word.parse::<f64>().ok())?;
        Some((figure, trainer.to_owned()))
    });
    best.min_by(|a, b| a.0.total_cmp(&b.0))
}
