//! The window search over one year of 5-minute intensities. Targets: 5 ms contiguous, 50 ms
//! interruptible.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot start should stop")]

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use kepler_compliance::schedule::{Job, PlanRequest, plan};
use kepler_compliance::series::Series;
use kepler_compliance::units::{CarbonIntensity, Power};
use std::hint::black_box;
use std::time::Duration;

fn schedule(criterion: &mut Criterion) {
    // A daily and a yearly wave with noise of a fixed generator: no two steps alike, so that sorts
    // and searches have real work.
    let mut noise = 1u32;
    let values = (0..105_120u32).map(|step| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (day, year) = (f64::from(step) / 288.0, f64::from(step) / 105_120.0);
        let waves = 80.0 * (day * std::f64::consts::TAU).sin() + 60.0 * (year * std::f64::consts::TAU).cos();
        CarbonIntensity::from_grams_per_kilowatt_hour(400.0 + waves + f64::from(noise >> 24) / 8.0)
    });
    let start = Timestamp::UNIX_EPOCH;
    let grid = Series::regular(start, Duration::from_secs(300), values).expect("regular steps");
    let end = grid.end().expect("not empty");
    let job = Job::constant(Duration::from_secs(4 * 3600), Power::from_watts(500.0)).expect("possible");
    let pausing = job.clone().interruptible().expect("one phase");
    criterion.bench_function("schedule/contiguous 4 h in a year of 5 min", |bench| {
        bench.iter(|| plan(black_box(&PlanRequest::new(&job, start, end, &grid))));
    });
    criterion.bench_function("schedule/interruptible 4 h in a year of 5 min", |bench| {
        bench.iter(|| plan(black_box(&PlanRequest::new(&pausing, start, end, &grid))));
    });
}

criterion_group!(benches, schedule);
criterion_main!(benches);
