//! Comparison with the reference's models, on the same measured rows and splits.
//!
//! The rows are not part of this project; [`Folder`] is their directory. Every figure is of held-out rows.
//!
//! ```
//! use kepler_train::compare::{Folder, run, table};
//! use kepler_train::validate::Validation;
//!
//! if let Some(folder) = Folder::below("/srv/kepler-data".as_ref()) {
//!     println!("{}", table(&run(&folder, Validation::default(), |_| {})?));
//! }
//! # Ok::<(), kepler_train::TrainError>(())
//! ```

mod machines;
mod published_dataset;
mod published_models;

use crate::TrainError;
use crate::validate::Validation;
use kepler_core::model::Score;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder `models` of the shared data.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder below `data`; `None` if it has no measured rows.
    #[must_use]
    pub fn below(data: &Path) -> Option<Self> {
        let folder = data.join("models");
        folder.join("nx12").is_dir().then_some(Folder(folder))
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn text(&self, file: &str) -> Result<String, TrainError> {
        let path = self.path(file);
        fs::read_to_string(&path).map_err(|source| TrainError::Read { path, source })
    }

    fn json(&self, file: &str) -> Result<serde_json::Value, TrainError> {
        let wrong =
            |error: serde_json::Error| TrainError::Declaration { name: file.to_owned(), what: error.to_string() };
        serde_json::from_str(&self.text(file)?).map_err(wrong)
    }
}

/// One line of the comparison.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ComparisonRow {
    /// What was asked.
    pub task: String,
    /// How ours was made.
    pub recipe: String,
    /// The reference's best, W, and by which trainer, as its results file says.
    pub reference: Option<(f64, String)>,
    /// What ours must not exceed, W.
    pub bar: Option<f64>,
    /// Ours.
    pub score: Score,
}

impl ComparisonRow {
    /// Whether ours meets the bar, where there is one.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        self.bar.map(|bar| self.score.mae <= bar)
    }
}

/// Runs all comparisons, telling each line as it is known.
///
/// # Errors
/// A file is missing or is not what it should be.
pub fn run(
    folder: &Folder,
    how: Validation<'_>,
    mut tell: impl FnMut(&ComparisonRow),
) -> Result<Vec<ComparisonRow>, TrainError> {
    let mut lines = Vec::new();
    let mut push = |line: ComparisonRow| {
        tell(&line);
        lines.push(line);
    };
    published_dataset::run(folder, how, &mut push)?;
    machines::run(folder, how, &mut push)?;
    published_models::run(folder, &mut push)?;
    Ok(lines)
}

/// The lines as a table in Markdown.
#[must_use]
pub fn table(lines: &[ComparisonRow]) -> String {
    let mut text = String::from(
        "| task | reference MAE | ours must be | ours MAE | MAPE | R² | bias | 90 % interval | recipe |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let reference =
            line.reference.as_ref().map_or("–".to_owned(), |(watts, trainer)| format!("{watts:.2} W ({trainer})"));
        let bar = line.bar.map_or("–".to_owned(), |bar| format!("≤ {bar} W"));
        let met = match line.met() {
            Some(true) => "",
            Some(false) => " **not met**",
            None => "",
        };
        let interval = match (line.score.coverage, line.score.width) {
            (Some(coverage), Some(width)) => format!("covers {:.1} %, {width:.1} W wide", coverage * 100.0),
            _ => "–".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {reference} | {bar} | {:.2} W{met} | {:.1} % | {:.3} | {:+.2} W | {interval} | {} |",
            line.task, line.score.mae, line.score.mape, line.score.r2, line.score.bias, line.recipe
        );
    }
    text
}
