//! Makes the model that `kepler-core` embeds, and prints its card:
//! `cargo run -p kepler-train --example default_model -- kepler-core/data/default_model.json`.
//! It needs the measured rows (`KEPLER_SHARED_DATA`, by default `../shared/data`).
#![allow(clippy::print_stdout, reason = "the card is the result")]

use kepler_train::compare::Folder;
use kepler_train::default_model;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = std::env::var_os("KEPLER_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let folder = Folder::below(&data)
        .ok_or_else(|| format!("no measured rows in {}; set KEPLER_SHARED_DATA", data.display()))?;
    let made = default_model::train(&folder)?;
    if let Some(card) = &made.document.card {
        print!("{card}");
    }
    println!("one standard deviation {:.3} (generic class {:.3})", made.error_ratio, made.generic_error_ratio);
    let (below, above) = made.calibrated_margins;
    println!(
        "calibrated at idle and full load: one standard deviation {:.3}, 90 % within -{below:.3} and +{above:.3}",
        made.calibrated_error_ratio
    );
    if let Some(path) = std::env::args_os().nth(1) {
        std::fs::write(path, default_model::text(&made.document)?)?;
    }
    Ok(())
}
