//! From rows to the files of a pipeline, laid out as Kepler's model database.

use super::prometheus::{energy_query, feature_query};
use super::request::{Isolator, Plan};
use super::rows::{Recorded, rows};
use crate::choice::is_sound_at_rest;
use kepler_core::model::format::{Document, Shape};
use kepler_core::model::{FeatureGroup, Model, OutputType, Score, Semantics, Trainer, component_name};
use kepler_core::units::ZoneKind;
use kepler_train::idle::{Idle, idle_power};
use kepler_train::validate::{blocks, evaluate, score};
use kepler_train::{Algorithm, Dataset, Learner, Recipe, TrainError, published_weights};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Blocks of rows that are held out, one after the other.
const FOLDS: usize = 5;
/// The most rows that a curve of three or four parameters is fitted to, spread over all: fitting it takes a thousand passes.
const ROWS_OF_CURVE: usize = 1000;

/// A pipeline.
#[derive(Debug)]
pub(super) struct Trained {
    /// Its files by path.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// How many models.
    pub(super) models: usize,
    /// Rows of the group that has most.
    pub(super) rows: usize,
    /// What there is no model of, and why.
    pub(super) left_out: Vec<String>,
}

/// Trains all that a plan asks for.
///
/// # Errors
/// A text for the caller: nothing could be trained.
pub(super) fn train(plan: &Plan) -> Result<Trained, String> {
    let mut trained = Trained { files: BTreeMap::new(), models: 0, rows: 0, left_out: plan.left_out.clone() };
    let mut tables: BTreeMap<&str, String> = BTreeMap::new();
    let mut groups = Vec::new();
    for group in FeatureGroup::ALL {
        let has = |feature: &&str| plan.queries.0.get(&feature_query(feature)).is_some_and(|all| !all.is_empty());
        if !group.features().iter().all(has) {
            continue;
        }
        let recorded = rows(&plan.queries, group, plan.source, plan.semantics)?;
        let without_idle = dynamic(plan, group, &recorded.data)?;
        trained.rows = trained.rows.max(recorded.data.len());
        groups
            .push(json!({"name": group.name(), "rows": recorded.data.len(), "intervals_left_out": recorded.left_out}));
        for &(output, trainer) in &plan.trainers {
            let data = match output {
                OutputType::AbsPower => &recorded.data,
                OutputType::DynPower => &without_idle,
            };
            let made = match make(data, output, trainer) {
                Ok(made) => made,
                Err(reason) => {
                    trained.left_out.push(format!("{} {} {}: {reason}", output.name(), group.name(), trainer.name()));
                    continue;
                }
            };
            let name = format!("{}_{}", trainer.name(), plan.node_type);
            made.describe(tables.entry(output.name()).or_insert_with(|| HEADS.to_owned()), &name, group, output);
            let path = format!("{}/{}/{}/{name}.json", plan.source.name(), output.name(), group.name());
            trained.files.insert(path, Value::Object(made.weights).to_string().into_bytes());
            trained.models += 1;
        }
    }
    if groups.is_empty() {
        return Err(no_group(plan));
    }
    if trained.models == 0 {
        return Err(format!("nothing could be learned: {}", trained.left_out.join("; ")));
    }
    for (output, table) in tables {
        let path = format!("{}_{output}_model_metadata.csv", plan.source.name());
        trained.files.insert(path, table.into_bytes());
    }
    trained.files.insert("metadata.json".to_owned(), metadata(plan, &groups, &trained.left_out));
    if let Some(machine) = &plan.machine {
        let index = json!({plan.node_type.to_string(): {"attrs": machine.attributes(), "members": [plan.name]}});
        trained.files.insert("node_type_index.json".to_owned(), index.to_string().into_bytes());
    }
    Ok(trained)
}

fn no_group(plan: &Plan) -> String {
    let least = FeatureGroup::BpfOnly.features().iter().map(|feature| feature_query(feature)).collect::<Vec<_>>();
    format!(
        "prom_response: {} queries of use, and no feature group complete; besides {} it takes such as {}",
        plan.queries.0.len(),
        energy_query("package"),
        least.join(" and ")
    )
}

fn metadata(plan: &Plan, groups: &[Value], left_out: &[String]) -> Vec<u8> {
    let of = |wanted: OutputType| {
        let names = plan.trainers.iter().filter(|(output, _)| *output == wanted).map(|(_, trainer)| trainer.name());
        names.collect::<Vec<_>>()
    };
    let mut document = json!({
        "name": plan.name,
        "trained_by": crate::store::TRAINED_BY,
        "version": env!("CARGO_PKG_VERSION"),
        "isolator": match plan.isolator { Isolator::Least => "min", Isolator::Nothing => "none", Isolator::Profile(_) => "profile" },
        "extractor": "default",
        "abs_trainers": of(OutputType::AbsPower),
        "dyn_trainers": of(OutputType::DynPower),
        "metric_type": "bm_metrics",
        "validation": format!("blocked {FOLDS}-fold"),
        "feature_groups": groups,
        "left_out": left_out,
    });
    // What is undeclared has no entry: the name of the pipeline may tell.
    if let (Some(document), true) = (document.as_object_mut(), plan.semantics != Semantics::Undeclared) {
        document.insert("semantics".to_owned(), json!(plan.semantics.name()));
    }
    document.to_string().into_bytes()
}

/// The rows without idle power.
fn dynamic(plan: &Plan, group: FeatureGroup, data: &Dataset) -> Result<Dataset, String> {
    let text = |error: TrainError| format!("{}: {error}", group.name());
    let profile = match &plan.isolator {
        Isolator::Profile(queries) => Some(
            rows(queries, group, plan.source, plan.semantics)
                .map_err(|error| format!("trainer.idle_prom_response: {error}"))?,
        ),
        Isolator::Least | Isolator::Nothing => None,
    };
    let idle_of = |zone: ZoneKind| match (&plan.isolator, &profile) {
        (Isolator::Nothing, _) => Ok(0.0),
        (_, Some(profile)) => median(profile, zone),
        _ => idle_power(data, zone, Idle::Minimum).map_err(text),
    };
    let without = data.targets().iter().map(|(zone, watts)| {
        let idle = idle_of(*zone)?;
        Ok((*zone, watts.iter().map(|watts| (watts - idle).max(0.0)).collect()))
    });
    let targets = without.collect::<Result<_, String>>()?;
    Dataset::new(data.features().to_vec(), data.rows().to_vec(), targets, data.semantics()).map_err(text)
}

fn median(profile: &Recorded, zone: ZoneKind) -> Result<f64, String> {
    let found = profile.data.targets().iter().find(|(other, _)| *other == zone);
    let mut watts = found
        .map(|(_, watts)| watts.clone())
        .ok_or_else(|| format!("trainer.idle_prom_response: {} is missing or 0", energy_query(component_name(zone))))?;
    watts.sort_by(f64::total_cmp);
    Ok(watts.get(watts.len() / 2).copied().unwrap_or_default())
}

/// A model and what is known of it.
struct Made {
    weights: Map<String, Value>,
    scores: Vec<Score>,
    features: Vec<String>,
}

fn make(data: &Dataset, output: OutputType, trainer: Trainer) -> Result<Made, String> {
    let mut made = Made { weights: Map::new(), scores: Vec::new(), features: data.features().to_vec() };
    let mut failed = Vec::new();
    for (zone, _) in data.targets() {
        let name = component_name(*zone);
        match one(&data.clone().only(*zone), *zone, output, trainer) {
            Ok((weights, score)) => {
                made.weights.insert(name.to_owned(), weights);
                made.scores.push(score);
            }
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    // Readers that subtract or add components must find all of them.
    if !failed.is_empty() {
        return Err(failed.join(", "));
    }
    let name = format!("{}_0", trainer.name());
    let json = Value::Object(made.weights.clone()).to_string();
    let model = Model::from_json(&name, json.as_bytes()).map_err(|error| error.to_string())?;
    is_sound_at_rest(&model)?;
    Ok(made)
}

fn one(data: &Dataset, zone: ZoneKind, output: OutputType, trainer: Trainer) -> Result<(Value, Score), TrainError> {
    let recipe = recipe(zone, trainer, data);
    // Exporters ask a model of dynamic power once for every process, and would add its bias as often.
    let through_origin = output == OutputType::DynPower && matches!(trainer, Trainer::Sgd | Trainer::Linear);
    let is_curve = recipe.learners.iter().any(|learner| matches!(learner, Learner::Curve { .. }));
    let fit = |rows: &Dataset| -> Result<Document, TrainError> {
        match (through_origin, is_curve) {
            (true, _) => recipe.fit(&mirrored(rows)?),
            (_, true) => recipe.fit(&spread(rows)),
            _ => recipe.fit(rows),
        }
    };
    let mut all = Vec::new();
    for (number, fold) in blocks(data.len(), FOLDS).iter().enumerate() {
        let rest: Vec<usize> = (0..data.len()).filter(|row| fold.binary_search(row).is_err()).collect();
        let model = Model::from_document(&fit(&data.subset(&rest))?)?;
        let mut judged = evaluate(&model, &data.subset(fold), zone)?;
        for held in &mut judged {
            held.fold = number;
        }
        all.append(&mut judged);
    }
    let (_, mut weights) = published_weights(&fit(data)?, 0)?;
    let component = weights.get_mut(component_name(zone)).map(Value::take).unwrap_or_default();
    Ok((component, score(component_name(zone), "blocked", &all)))
}

/// Enough rows to fit a curve, evenly spread over the recording.
fn spread(data: &Dataset) -> Dataset {
    let count = data.len().min(ROWS_OF_CURVE);
    let rows: Vec<usize> = (0..count).map(|place| place * data.len() / count.max(1)).collect();
    data.subset(&rows)
}

/// Every row with its opposite right behind it, so that their sums cancel: the best line goes through the origin.
fn mirrored(data: &Dataset) -> Result<Dataset, TrainError> {
    let both = |row: &[f64]| row.iter().copied().chain(row.iter().map(|value| -value)).collect::<Vec<_>>();
    let rows = data.rows().chunks_exact(data.width().max(1)).flat_map(both).collect();
    let targets = data.targets().iter().map(|(zone, watts)| (*zone, watts.chunks(1).flat_map(both).collect()));
    Dataset::new(data.features().to_vec(), rows, targets.collect(), data.semantics())
}

/// `SGDRegressorTrainer` is what the format calls linear weights. No activity may lower power: they are not negative.
fn recipe(zone: ZoneKind, trainer: Trainer, data: &Dataset) -> Recipe {
    let shape = match trainer {
        Trainer::Logarithmic => Shape::Logarithmic,
        Trainer::Logistic => Shape::Logistic,
        Trainer::Exponential => Shape::Exponential,
        Trainer::Linear => return Algorithm::Ols.recipe(),
        Trainer::Sgd | Trainer::Xgboost | Trainer::Own => return Algorithm::Nnls.recipe(),
    };
    // The feature that readers of the format take a curve to be of.
    let candidates = match zone {
        ZoneKind::Dram => ["cache_miss", "bpf_page_cache_hit"],
        _ => ["cpu_instructions", "bpf_cpu_time_ms"],
    };
    let has = |name: &&str| data.features().iter().any(|feature| feature == name);
    let feature = candidates.into_iter().find(has).map(str::to_owned);
    Recipe::of(trainer.name(), Learner::Curve { shape, feature })
}

const HEADS: &str = "model_name,features,output_type,mae,mape,r2,trainer,feature_group\n";

impl Made {
    /// A line of the pipeline's table; its figures are those of the component that is worst.
    fn describe(&self, table: &mut String, name: &str, group: FeatureGroup, output: OutputType) {
        let worst = |of: fn(&Score) -> f64| self.scores.iter().map(of).fold(0.0, f64::max);
        let features = self.features.iter().map(|feature| format!("'{feature}'")).collect::<Vec<_>>().join(", ");
        let (mae, mape) = (worst(|score| score.mae), worst(|score| score.mape));
        let r2 = self.scores.iter().map(|score| score.r2).fold(1.0, f64::min);
        let trainer = name.rsplit_once('_').map_or(name, |(trainer, _)| trainer);
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "{name},\"[{features}]\",{},{mae:.3},{mape:.3},{r2:.4},{trainer},{}",
            output.name(),
            group.name()
        );
    }
}
