//! A model's card: what it was trained with, and how well it did on rows it had not seen.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a model was trained with and how well it did. Travels in the model's file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Card {
    /// Algorithm and its settings, in words.
    pub trainer: String,
    /// Version of the program that trained it.
    pub version: String,
    /// Seed of the random number generator in it.
    pub seed: u64,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 of the rows as they were used: features and targets, little-endian 64-bit floats, row by row.
    pub rows_sha256: String,
    /// Where the rows came from, as stated to the trainer.
    pub source: String,
    /// Processors of the machines, as stated to the trainer.
    pub machine: String,
    /// Kernel, as stated to the trainer.
    pub kernel: String,
    /// Whatever else a user of the model must know.
    pub notes: Vec<String>,
    /// How well it did, by component and by the way rows were held out.
    pub scores: Vec<Score>,
}

/// How well a way of training did on rows it had not seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Score {
    /// Component.
    pub component: String,
    /// How rows were held out: `blocked 10-fold`, `leave one workload out`, `leave one machine out`, …
    pub validation: String,
    /// Rows predicted.
    pub rows: u64,
    /// Mean absolute error, W; the mean over the folds.
    pub mae: f64,
    /// Mean absolute percentage error, %, of rows above 0.
    pub mape: f64,
    /// Coefficient of determination over all rows.
    pub r2: f64,
    /// Mean of predicted minus measured, W.
    pub bias: f64,
    /// Share of rows inside the prediction interval, 0 … 1, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Mean width of the prediction interval, W, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "trainer   {} (version {}, seed {})", self.trainer, self.version, self.seed)?;
        writeln!(f, "rows      {} (sha256 {})", self.rows, self.rows_sha256)?;
        for (name, text) in [("source", &self.source), ("machine", &self.machine), ("kernel", &self.kernel)] {
            if !text.is_empty() {
                writeln!(f, "{name:<9} {text}")?;
            }
        }
        for note in &self.notes {
            writeln!(f, "note      {note}")?;
        }
        for score in &self.scores {
            writeln!(f, "{:<9} {score}", score.component)?;
        }
        Ok(())
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: MAE {:.2} W, MAPE {:.1} %, R² {:.3}, bias {:+.2} W",
            self.validation, self.mae, self.mape, self.r2, self.bias
        )?;
        if let (Some(coverage), Some(width)) = (self.coverage, self.width) {
            write!(f, ", interval covers {:.1} %, {width:.1} W wide", coverage * 100.0)?;
        }
        Ok(())
    }
}
