//! How long boosted trees take: 100 of depth 6 on 2,202 rows of 5 features. `benches/boosting.py` sets scikit-learn beside it.
//!
//! With a path as its argument it writes the rows there, so that others can be timed on the same.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use kepler_core::model::Semantics;
use kepler_core::units::ZoneKind;
use kepler_train::{Algorithm, Dataset};
use std::error::Error;
use std::fmt::Write;
use std::time::Instant;

const ROWS: u32 = 2202;
const RUNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    let mut watts = Vec::new();
    // A low-discrepancy sequence: every row differs, on every machine alike.
    let share = |row: u32, step: f64| (f64::from(row) * step).fract();
    for row in 0..ROWS {
        let busy = share(row, 0.754_877_666);
        let frequency = 2.0 + 1.4 * share(row, 0.569_840_291);
        let rate = 0.3 + 2.0 * share(row, 0.438_744_7);
        let cycles = busy * 32.0 * frequency * 1e9;
        rows.extend([busy * 32_000.0, share(row, 0.301_8) * 1e4, cycles * 0.001 * rate, cycles, cycles * rate]);
        watts.push(35.0 + 120.0 * busy.sqrt() + 8.0 * frequency * busy * rate + 4.0 * share(row, 0.618_034));
    }
    let features = ["bpf_cpu_time_ms", "bpf_page_cache_hit", "cache_miss", "cpu_cycles", "cpu_instructions"];
    if let Some(path) = std::env::args().nth(1) {
        let mut text = format!("{},package_power\n", features.join(","));
        for (row, watts) in rows.chunks_exact(features.len()).zip(&watts) {
            for value in row {
                write!(text, "{value},")?;
            }
            writeln!(text, "{watts}")?;
        }
        std::fs::write(path, text)?;
    }
    let features = features.map(str::to_owned).to_vec();
    let data = Dataset::new(features, rows, vec![(ZoneKind::Package, watts)], Semantics::AsNamed)?;
    let recipe = Algorithm::Trees.recipe();
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let document = recipe.fit(&data)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        assert_eq!(document.components.len(), 1);
    }
    times.sort_by(f64::total_cmp);
    println!("{}", times.get(RUNS / 2).copied().unwrap_or_default());
    Ok(())
}
