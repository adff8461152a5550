//! `kepler train`: from measured rows to a model, with its card, report and plots.

mod groups;
mod rows;

use super::exit::Failure;
use super::progress::{Stage, during};
use clap::Args;
use groups::Groups;
use kepler_core::model::format::Document;
use kepler_core::model::{Model, Semantics, component_name};
use kepler_core::units::ZoneKind;
use kepler_train::compare::{self, Folder};
use kepler_train::validate::{Fold, HeldOut, Validation, blocks, cross_validate, evaluate, score};
use kepler_train::{Algorithm, Dataset, Recipe, TrainError, interval, published_weights, report};
pub(super) use rows::Target;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Blocks that the score on the card is made with.
const FOLDS: usize = 10;

/// What to train with.
#[derive(Debug, Args)]
#[command(
    after_help = "Rows are CSV (or what `kepler record` writes) with one column a feature and one a target, in watts. A line \
    `# semantics: NAME` before the header says what the features mean. Beside the model stand its report and plots."
)]
pub(super) struct Train {
    /// Files of rows, with the same columns
    #[arg(required_unless_present = "compare")]
    rows: Vec<PathBuf>,
    /// What to predict: a component (package, core, uncore, dram, platform), `=COLUMN` if its column is not COMPONENT_power
    /// [default: each of which the rows have the power]
    #[arg(long, value_name = "COMPONENT[=COLUMN]", value_delimiter = ',')]
    target: Vec<Target>,
    /// Columns to predict from [default: those that `kepler record` writes]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    features: Vec<String>,
    /// ensemble, stack, lines, trees, ols, nnls, ridge, logarithmic, logistic, exponential or knn
    #[arg(long, default_value = "ensemble")]
    algorithm: Algorithm,
    /// Features with which power never falls (ensemble and trees)
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    rising: Vec<String>,
    /// Learn power per unit of this column, such as threads
    #[arg(long, value_name = "COLUMN")]
    per: Option<String>,
    /// Hold out one value of this column at a time [default: workload if the rows have it, else parts between which
    /// recording stopped, else kinds of work told apart by what was counted]
    #[arg(long, value_name = "COLUMN")]
    leave_out: Option<String>,
    /// Give a column another name
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',')]
    rename: Vec<String>,
    /// What the features mean: as-named, exporter-0.7.11, specpower [default: what the file declares, else as-named]
    #[arg(long, value_name = "NAME")]
    semantics: Option<Semantics>,
    /// Share of cases that the interval is to cover
    #[arg(long, default_value_t = interval::CONFIDENCE)]
    confidence: f64,
    /// Seed of the random number generator
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The machine the rows are from, for the card
    #[arg(long, default_value = "")]
    machine: String,
    /// Its kernel, for the card
    #[arg(long, default_value = "")]
    kernel: String,
    /// Where to write the model
    #[arg(short, long, default_value = "model.json")]
    output: PathBuf,
    /// Write it in the published weight format as well, under the name that format asks for, beside the model
    #[arg(long)]
    weights: bool,
    /// Train nothing; compare our models with the reference's on the measured rows in KEPLER_SHARED_DATA (../shared/data)
    #[arg(long)]
    compare: bool,
}

/// Trains, judges and writes.
///
/// # Errors
/// Rows that cannot be read or learned from; a file that cannot be written.
pub(super) fn run(asked: &Train) -> Result<ExitCode, Failure> {
    if asked.compare {
        return compare_all();
    }
    let answer = during("training", |stage| make(asked, stage))?;
    io::stdout().write_all(answer.as_bytes()).map_err(Failure::to("write the answer"))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the model and its report; gives what to print.
fn make(asked: &Train, stage: &Stage) -> Result<String, Failure> {
    let (mut table, source) = rows::read(&asked.rows).map_err(bad)?;
    for pair in &asked.rename {
        let (old, new) = pair.split_once('=').ok_or_else(|| Failure::Data(format!("--rename {pair}: give OLD=NEW")))?;
        table.rename(old, new).map_err(bad)?;
    }
    if let Some(semantics) = asked.semantics {
        table.declare(semantics);
    }
    let targets = rows::targets(&asked.target, ZoneKind::METERED, &table);
    if targets.is_empty() {
        return Err(Failure::Data(
            "the rows have no column <component>_power; give --target COMPONENT=COLUMN".to_owned(),
        ));
    }
    let features = rows::features(&asked.features, &table);
    if features.is_empty() {
        let names: Vec<&str> = table.names().collect();
        return Err(Failure::Data(format!(
            "the rows have none of the columns that `kepler record` writes; give --features, of {}",
            names.join(", ")
        )));
    }
    let data = Dataset::of(&table, &features, &targets).map_err(bad)?;
    let recipe = asked.algorithm.recipe().with(|recipe| {
        (recipe.rising, recipe.per, recipe.seed) = (asked.rising.clone(), asked.per.clone(), asked.seed);
    });
    let groups = Groups::of(asked.leave_out.as_deref(), &table, &data).map_err(bad)?;
    let (document, judged) = train(asked, &recipe, &data, &groups, source, stage).map_err(bad)?;
    write(asked, &document)?;
    let mut page = format!("# {}\n\n", asked.output.display());
    if let Some(card) = &document.card {
        page += &format!("```\n{card}```\n");
    }
    let mut pictures = Vec::new();
    for (zone, held) in &judged {
        let name = component_name(*zone);
        stage.set(format!("({name}: learning curve)"));
        let curve = report::learning_curve(&recipe, &data, *zone, Validation::default()).map_err(bad)?;
        pictures.push((format!("{name}.predicted"), report::predicted_plot(name, held)));
        pictures.push((format!("{name}.residuals"), report::residual_plot(name, held)));
        pictures.push((format!("{name}.learning"), report::learning_plot(name, &curve)));
    }
    let written = rows::write_report(&asked.output, &page, &pictures).map_err(Failure::to("write the report"))?;
    let card = document.card.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(format!("{card}model     {}\nreport    {}\n", asked.output.display(), written.display()))
}

type Judged = Vec<(ZoneKind, Vec<HeldOut>)>;

fn train(
    asked: &Train,
    recipe: &Recipe,
    data: &Dataset,
    groups: &Groups,
    source: String,
    stage: &Stage,
) -> Result<(Document, Judged), TrainError> {
    let mut scores = Vec::new();
    let mut judged = Vec::new();
    for (zone, _) in data.targets() {
        let name = component_name(*zone);
        let mut held_out = |folds: &[Fold], validation: &str| {
            let show = |done, of| stage.set(format!("({name}, {validation}: {done} of {of})"));
            let how = Validation::default()
                .with(|how| (how.intervals, how.groups, how.progress) = (true, groups.given(), &show));
            let held = cross_validate(recipe, data, *zone, folds, how)?;
            scores.push(score(name, validation, &held));
            Ok::<_, TrainError>(held)
        };
        let folds = groups.folds();
        let outside = (folds.len() > 1).then(|| held_out(&folds, &groups.validation())).transpose()?;
        let inside = held_out(&blocks(data.len(), FOLDS), &format!("blocked {FOLDS}-fold"))?;
        judged.push((*zone, outside.unwrap_or(inside)));
    }
    stage.set("(the model)".to_owned());
    let (mut document, _) = interval::fit_with(recipe, data, asked.confidence, groups.rows())?;
    if let Some(card) = &mut document.card {
        card.scores = scores;
        card.source = source;
        card.machine.clone_from(&asked.machine);
        card.kernel.clone_from(&asked.kernel);
    }
    Ok((document, judged))
}

fn write(asked: &Train, document: &Document) -> Result<(), Failure> {
    let json = serde_json::to_vec(document).map_err(|error| Failure::Data(error.to_string()))?;
    fs::write(&asked.output, json).map_err(Failure::to("write the model"))?;
    if asked.weights {
        let (name, weights) = published_weights(document, 0).map_err(bad)?;
        let path = asked.output.with_file_name(format!("{name}.json"));
        fs::write(path, weights.to_string()).map_err(Failure::to("write the weights"))?;
    }
    Ok(())
}

fn compare_all() -> Result<ExitCode, Failure> {
    let data = std::env::var_os("KEPLER_SHARED_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let folder = Folder::below(&data).ok_or_else(|| {
        Failure::Data(format!(
            "no measured rows in {}; set KEPLER_SHARED_DATA to the folder that has models/nx12",
            data.display()
        ))
    })?;
    let compared = during("comparing", |stage| {
        let show = |done, of| stage.set(format!("({done} of {of})"));
        compare::run(&folder, Validation::default().with(|how| how.progress = &show), |_| {})
    });
    let lines = compared.map_err(bad)?;
    io::stdout().write_all(compare::table(&lines).as_bytes()).map_err(Failure::to("write the answer"))?;
    let missed = lines.iter().any(|line| line.met() == Some(false));
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `kepler eval`: how well a model does on measured rows.
#[derive(Debug, Args)]
pub(super) struct Eval {
    /// The model: a file of ours or a published one, or a directory with a component map
    model: PathBuf,
    /// Files of rows that the model was not trained with
    #[arg(required = true)]
    rows: Vec<PathBuf>,
    /// What was measured: a component, `=COLUMN` if its column is not COMPONENT_power [default: all the model has and the rows too]
    #[arg(long, value_name = "COMPONENT[=COLUMN]", value_delimiter = ',')]
    target: Vec<Target>,
    /// Give a column another name
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',')]
    rename: Vec<String>,
    /// Say also how it does on each value of this column [default: workload if the rows have it, else parts between which
    /// recording stopped, else kinds of work told apart by what was counted]
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// Where to write report and plots: names begin with this
    #[arg(short, long, default_value = "eval")]
    output: PathBuf,
}

/// Judges a model.
///
/// # Errors
/// The model or the rows cannot be used, or do not fit each other.
pub(super) fn eval(asked: &Eval) -> Result<ExitCode, Failure> {
    let answer = during("evaluating", |stage| judge(asked, stage))?;
    io::stdout().write_all(answer.as_bytes()).map_err(Failure::to("write the answer"))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the report; gives what to print.
fn judge(asked: &Eval, stage: &Stage) -> Result<String, Failure> {
    let model = Model::load(&asked.model).map_err(|error| Failure::Data(error.to_string()))?;
    let (mut table, _) = rows::read(&asked.rows).map_err(bad)?;
    for pair in &asked.rename {
        let (old, new) = pair.split_once('=').ok_or_else(|| Failure::Data(format!("--rename {pair}: give OLD=NEW")))?;
        table.rename(old, new).map_err(bad)?;
    }
    // The same name may mean something else: plausible, wrong watts.
    if let Some(semantics) = table.semantics().filter(|semantics| *semantics != model.semantics()) {
        return Err(Failure::Data(format!(
            "the rows' features are {semantics}, the model's are {}; they mean different things",
            model.semantics()
        )));
    }
    let known = model.components().iter().map(|component| component.zone());
    let targets = rows::targets(&asked.target, known, &table);
    if targets.is_empty() {
        return Err(Failure::Data(
            "the rows have no column <component>_power of the model's; give --target".to_owned(),
        ));
    }
    let data = Dataset::of(&table, model.features(), &targets).map_err(bad)?;
    let groups = Groups::of(asked.group.as_deref(), &table, &data).map_err(bad)?;
    let mut page = format!("# {} on {} rows\n\n", asked.model.display(), data.len());
    let mut pictures = Vec::new();
    for (zone, _) in data.targets() {
        let name = component_name(*zone);
        stage.set(format!("({name})"));
        let held = evaluate(&model, &data, *zone).map_err(bad)?;
        let outside = data.rows().chunks_exact(data.width()).filter(|row| model.outside(row) > 0).count();
        page += &format!("{name}: {}\n", score(name, "these rows", &held));
        page += &format!("{name}: {outside} rows outside the range trained with\n");
        page += &groups.report(name, &held);
        pictures.push((format!("{name}.predicted"), report::predicted_plot(name, &held)));
        pictures.push((format!("{name}.residuals"), report::residual_plot(name, &held)));
    }
    let written = rows::write_report(&asked.output, &page, &pictures).map_err(Failure::to("write the report"))?;
    Ok(format!("{page}report: {}\n", written.display()))
}

fn bad(error: TrainError) -> Failure {
    Failure::Data(error.to_string())
}

/// The file beside `model` that its parts are named after.
fn beside(model: &Path, suffix: &str) -> PathBuf {
    let stem = model.file_stem().unwrap_or_default().to_string_lossy();
    model.with_file_name(format!("{stem}.{suffix}"))
}
