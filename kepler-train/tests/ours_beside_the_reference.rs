//! Our models beside the reference's on measured rows. Takes minutes:
//! `cargo test -p kepler-train --test ours_beside_the_reference -- --ignored --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot read its rows fails; its table is the result"
)]

use kepler_train::compare::{Folder, run, table};
use kepler_train::validate::Validation;
use std::path::{Path, PathBuf};

#[test]
#[ignore = "takes minutes"]
fn ours_are_at_least_as_good_and_intervals_cover_what_they_say() {
    let data = std::env::var_os("KEPLER_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let Some(folder) = Folder::below(&data) else {
        println!("SKIPPED: no measured rows in {}; set KEPLER_SHARED_DATA", data.display());
        return;
    };
    let lines = run(&folder, Validation::default(), |line| {
        println!("{}: {:.3} W, {:?}, {:?}", line.task, line.score.mae, line.score.coverage, line.score.width);
    })
    .unwrap();
    println!("{}", table(&lines));
    for line in &lines {
        assert_ne!(line.met(), Some(false), "{}", line.task);
        let coverage = line.score.coverage.unwrap_or(0.9);
        let least = if line.task.contains("blocked") { 0.88 } else { 0.85 };
        assert!(coverage >= least, "{}: {coverage}", line.task);
        assert!(coverage <= 0.92 || !line.task.contains("blocked"), "{}: {coverage}", line.task);
    }
}
