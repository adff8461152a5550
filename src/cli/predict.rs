//! `kepler predict`: watts for rows of features.

mod rows;

use super::exit::Failure;
use clap::Args;
use kepler_core::host::file::{self, FileLimits};
use kepler_core::model::{Conversion, Model, PredictError, Prediction, Semantics, component_name};
use kepler_core::units::ZoneKind;
use rows::Rows;
use std::io::{self, BufWriter, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rows that are read, predicted and written at a time: memory does not grow with the file.
const BLOCK: usize = 16 * 1024;

/// What to predict with, and for which rows.
#[derive(Debug, Args)]
#[command(
    after_help = "Writes CSV: one column a component (watts), one line a row. Empty is a component that the model gives no \
    number for. The rows' features are taken to have the model's semantics, unless --semantics or a line \
    `# semantics: NAME` before the header declares others; then they must be the same, or convertible (--cpus). NAME is \
    as-named, exporter-0.7.11 or specpower."
)]
pub(super) struct Predict {
    /// The model: a file of ours or a published one, a directory with a component map, or a zip of either
    model: PathBuf,
    /// The rows: CSV whose header names the model's features, in any order; `-` for standard input
    rows: PathBuf,
    /// What the rows' features mean
    #[arg(long, value_name = "NAME")]
    semantics: Option<Semantics>,
    /// What the model's features mean, where the directory of its file does not say
    #[arg(long, value_name = "NAME")]
    model_semantics: Option<Semantics>,
    /// Logical CPUs of the rows' machine: lets true CPU time be converted into what published models were trained with
    #[arg(long, value_name = "N")]
    cpus: Option<u32>,
}

/// Predicts, and writes the watts on standard output.
///
/// # Errors
/// The model or a row cannot be used: file, line and column are named.
pub(super) fn run(asked: &Predict) -> Result<ExitCode, Failure> {
    let mut model = Model::load(&asked.model).map_err(|error| Failure::Data(error.to_string()))?;
    if let Some(semantics) = asked.model_semantics {
        model = model.with_semantics(semantics);
    }
    let (name, input): (String, Box<dyn Read>) = if asked.rows == Path::new("-") {
        ("standard input".to_owned(), Box::new(io::stdin().lock()))
    } else {
        let name = asked.rows.display().to_string();
        // Rows are read one block after the other, however many there are.
        let file = file::open(&asked.rows, FileLimits::bytes(u64::MAX));
        let file = file.map_err(|error| Failure::Data(error.to_string()))?;
        (name, Box::new(file))
    };
    let conversion = asked.cpus.map_or(Conversion::Refuse, |threads| Conversion::Allow { threads });
    let mut rows = Rows::open(&name, input, &model, asked.semantics, conversion).map_err(Failure::Data)?;
    let outcome = write_all(&model, &mut rows, BufWriter::new(io::stdout().lock()));
    match outcome {
        Ok(clipped) => {
            if clipped > 0 {
                let text = format!("kepler: {clipped} predictions were absurd, and clipped or left empty\n");
                // If standard error is closed, no one reads it.
                let _closed = io::stderr().lock().write_all(text.as_bytes());
            }
            Ok(ExitCode::SUCCESS)
        }
        // Who reads no more, such as `head`, has what it wants.
        Err(Failure::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(failure) => Err(failure),
    }
}

/// Writes all predictions; how many components of rows were clipped.
fn write_all(model: &Model, rows: &mut Rows<'_>, mut out: impl Write) -> Result<u64, Failure> {
    let failed = Failure::to("write the predictions");
    let columns = Columns::of(model);
    writeln!(out, "{}", columns.header()).map_err(&failed)?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let (mut features, mut predictions, mut clipped) = (Vec::new(), Vec::new(), 0);
    loop {
        let first = rows.read(BLOCK, &mut features).map_err(Failure::Data)?;
        if features.is_empty() {
            break;
        }
        model.predict_batch(&features, threads, &mut predictions).map_err(|error| {
            Failure::Data(match error {
                PredictError::NotFinite { row, feature } => rows.missing(first + row, feature),
                other => format!("{}: {other}", rows.name()),
            })
        })?;
        let width = model.features().len().max(1);
        for (prediction, features) in predictions.iter().zip(features.chunks_exact(width)) {
            clipped += u64::from(prediction.clipped());
            columns.write(&mut out, model, features, prediction).map_err(&failed)?;
        }
    }
    out.flush().map_err(&failed)?;
    Ok(clipped)
}

/// The columns to write: components, and whether the model knows how far off each may be.
struct Columns(Vec<(ZoneKind, bool)>);

impl Columns {
    fn of(model: &Model) -> Self {
        let known = |zone| model.knows_interval(zone);
        Columns(model.components().iter().map(|component| (component.zone(), known(component.zone()))).collect())
    }

    fn header(&self) -> String {
        let mut names = Vec::new();
        for &(zone, known) in &self.0 {
            let name = component_name(zone);
            names.push(name.to_owned());
            if known {
                names.extend([format!("{name}_lower"), format!("{name}_upper")]);
            }
        }
        names.join(",")
    }

    fn write(&self, out: &mut impl Write, model: &Model, features: &[f64], prediction: &Prediction) -> io::Result<()> {
        let mut separator = "";
        for &(zone, known) in &self.0 {
            out.write_all(separator.as_bytes())?;
            separator = ",";
            if let Some(power) = prediction.power(zone) {
                write!(out, "{}", power.watts())?;
            }
            if known {
                match model.interval(features, prediction, zone) {
                    Some(interval) => write!(out, ",{},{}", interval.lower.watts(), interval.upper.watts())?,
                    None => out.write_all(b",,")?,
                }
            }
        }
        out.write_all(b"\n")
    }
}
