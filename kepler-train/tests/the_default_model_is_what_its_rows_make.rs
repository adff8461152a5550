//! The model that `kepler-core` embeds is the one that the measured rows make, and what the core states of it is true.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot read its rows fails; skipping is said"
)]

use kepler_core::calibration::{Calibration, LoadPoint};
use kepler_core::host::Host;
use kepler_core::meter::estimate::{CpuClass, Estimate};
use kepler_core::meter::{EnergyMeter, Method};
use kepler_train::compare::Folder;
use kepler_train::default_model;
use std::path::{Path, PathBuf};

#[test]
fn the_embedded_model_is_the_one_that_is_made_and_its_stated_error_that_of_machines_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("KEPLER_SHARED_DATA").map_or_else(|| root.join("../../shared/data"), PathBuf::from);
    let Some(folder) = Folder::below(&data) else {
        println!("SKIPPED: no measured rows in {}; set KEPLER_SHARED_DATA", data.display());
        return;
    };
    let made = default_model::train(&folder).unwrap();
    let embedded = std::fs::read_to_string(root.join("../kepler-core/data/default_model.json")).unwrap();
    let remedy = "cargo run -p kepler-train --example default_model -- kepler-core/data/default_model.json";
    assert_eq!(default_model::text(&made.document).unwrap(), embedded, "make it again: {remedy}");

    let stated = CpuClass::named("Haswell").unwrap().error_ratio;
    assert!(made.error_ratio <= stated && made.error_ratio > 0.95 * stated, "{} for {stated}", made.error_ratio);
    let generic = CpuClass::generic().error_ratio;
    assert!(made.generic_error_ratio <= generic, "{} for {generic}", made.generic_error_ratio);

    let host = Host::default();
    let load = [(0.0, 20.0), (1.0, 50.0)].map(|(busy_share, watts)| LoadPoint::new(busy_share, watts, 1.0));
    let mut calibration = Calibration::of(&host);
    calibration.load = load.to_vec();
    let calibrated = Estimate::open(&host).calibrated(&calibration);
    let Method::Estimated { error_ratio } = calibrated.method() else { panic!("an estimate is not measured") };
    let (found, (below, above)) = (made.calibrated_error_ratio, made.calibrated_margins);
    assert!(found <= error_ratio && found > 0.95 * error_ratio, "{found} for {error_ratio}");
    let stated = calibrated.quality().error_bounds.unwrap();
    assert!(below <= stated.below && below > 0.95 * stated.below, "{below} for {stated:?}");
    assert!(above <= stated.above && above > 0.95 * stated.above, "{above} for {stated:?}");

    let mean = &made.document.card.unwrap().scores[0];
    assert!(mean.coverage.unwrap() > 0.85 && mean.mape < 22.0, "{mean}");
}
