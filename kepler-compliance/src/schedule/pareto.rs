//! Placements of which none is better in both carbon and cost.

use super::contiguous::{Candidate, runs, slot};
use super::{Placement, PlanRequest, interruptible};
use crate::series::Series;
use crate::tariff::EnergyPrice;
use crate::units::CarbonIntensity;

/// Steps between "carbon only" and "cost only" for an interruptible job.
const WEIGHTS: u32 = 10;

/// The front, cleanest first. Hours without a price are left out.
pub(super) fn front(
    request: &PlanRequest<'_>,
    grid: &Series<CarbonIntensity>,
    prices: &Series<EnergyPrice>,
) -> Vec<Placement> {
    let both = grid.zip(prices).map(|(grid, price)| [grid.grams_per_kilowatt_hour(), price.value()]);
    let job = request.job;
    let place = |slots| job.place(slots, request.intensity, request.prices);
    if !job.is_interruptible() {
        let weights = job.weights();
        let candidates = runs(&both, |values| *values).iter().flat_map(|run| run.candidates(&weights)).collect();
        let front = undominated(candidates, |candidate: &Candidate<2>| candidate.score);
        // Scores and what a placement comes to are added up in different orders: the last digit may differ.
        let placed = front.iter().filter_map(|best| place(vec![slot(job, &both, best.start)?]));
        return undominated(placed.collect(), carbon_and_cost);
    }
    // Carbon and cost have no common unit: each is weighed in means of its own series.
    let means = means(&both);
    let placed = (0..=WEIGHTS).filter_map(|step| {
        let cost = f64::from(step) / f64::from(WEIGHTS);
        let mix = |values: &[f64; 2]| {
            let [carbon_value, price] = values;
            let [carbon_mean, price_mean] = means;
            carbon_value / carbon_mean * (1.0 - cost) + price / price_mean * cost
        };
        place(interruptible::cheapest(job, &both, mix).ok()?)
    });
    undominated(placed.collect(), carbon_and_cost)
}

fn carbon_and_cost(placed: &Placement) -> [f64; 2] {
    [placed.carbon.grams(), placed.cost.map_or(f64::INFINITY, |cost| cost.amount())]
}

/// Mean of each quantity over time; 1 where it would be zero, for it is divided by.
fn means(both: &Series<[f64; 2]>) -> [f64; 2] {
    let (mut sums, mut hours) = ([0.0; 2], 0.0);
    for step in both.steps() {
        let length = step.length().as_secs_f64();
        hours += length;
        for (sum, value) in sums.iter_mut().zip(step.value) {
            *sum += value.abs() * length;
        }
    }
    sums.map(|sum| if sum > 0.0 { sum / hours } else { 1.0 })
}

/// What no other beats in both quantities, by the first ascending. Differences below a part in 10^9
/// are rounding, not advantages.
fn undominated<T>(mut all: Vec<T>, score: impl Fn(&T) -> [f64; 2]) -> Vec<T> {
    all.sort_by(|a, b| {
        let ([a0, a1], [b0, b1]) = (score(a), score(b));
        a0.total_cmp(&b0).then(a1.total_cmp(&b1))
    });
    let mut least = f64::INFINITY;
    all.retain(|one| {
        let [_, second] = score(one);
        let better = second < least - least.abs().min(f64::MAX) * 1e-9;
        if better {
            least = second;
        }
        better
    });
    all
}
