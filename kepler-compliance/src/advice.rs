//! What could be done to emit less: each with its saving, its uncertainty, and what both rest on.
//!
//! A piece of advice is a factor on what it acts on: a workload's energy, the grid's intensity, the
//! facility's PUE. Factors lie between 0 and 1, so no saving is ever above what is emitted, and several
//! compose by multiplication. No figure is a constant posing as an estimate: where the data that advice
//! would rest on are not there, there is no advice, and the reason is told.

mod region;
mod rightsizing;
mod temporal;

pub(crate) use region::{Candidate, Compared, candidates, neighbours, regional_migration};
pub(crate) use rightsizing::resource_rightsizing;
pub(crate) use temporal::temporal_shift;

use crate::standards::Basis;
use crate::text::Text;
use crate::tools::{Complexity, Facility, OptimizationKind};
use crate::units::{CarbonIntensity, Pue};

/// How far ahead a shift of work is looked for.
pub const SHIFT_HORIZON: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// How much lower a region must be before it is worth a migration, in per cent of the current one.
pub const MIGRATION_MARGIN_PERCENT: f64 = 10.0;

/// What advice would change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Advice {
    pub(crate) kind: OptimizationKind,
    pub(crate) change: Change,
    /// The expected factor on emissions, 0 to 1.
    pub(crate) factor: f64,
    /// The factors at its best and at its worst.
    pub(crate) range: (f64, f64),
    pub(crate) complexity: Complexity,
    pub(crate) description: Text,
    pub(crate) basis: Text,
}

/// What advice acts on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The workload's energy, by a factor.
    Energy(f64),
    /// The time it runs: intensity by a factor.
    Time(f64),
    /// The place it runs: another intensity and PUE.
    Place { region: String, grid: CarbonIntensity, source: String, pue: Pue, pue_basis: Basis },
    /// The facility: another PUE.
    Pue(Pue),
}

impl Advice {
    /// Share of the energy bill that it saves; `None` where the price elsewhere is not known.
    pub(crate) fn cost_saved(&self) -> Option<f64> {
        match self.change {
            Change::Energy(_) | Change::Pue(_) => Some(1.0 - self.factor),
            // The price holds whenever it runs.
            Change::Time(_) => Some(0.0),
            Change::Place { .. } => None,
        }
    }
}

/// Advice, or why there is none.
pub(crate) type Outcome = Result<Advice, Text>;

/// A facility that needs less beside its IT: down to `target`, where it needs more than that.
pub(crate) fn pue_improvement(facility: &Facility, target: Option<(Pue, &str)>) -> Outcome {
    let Some(current) = facility.ratio() else {
        return Err(Text::new("The PUE is not known.", "PUE를 알 수 없습니다."));
    };
    let Some((target, whose)) = target else {
        return Err(Text::new("No PUE is aimed at.", "목표 PUE가 없습니다."));
    };
    if current <= target {
        return Err(Text::new(
            format!("PUE {current} is at or below {target} ({whose}) already."),
            format!("PUE {current}는 이미 {target} ({whose}) 이하입니다."),
        ));
    }
    let factor = target.ratio() / current.ratio();
    Ok(Advice {
        kind: OptimizationKind::PueImprovement,
        change: Change::Pue(target),
        factor,
        range: (factor, 1.0),
        complexity: Complexity::High,
        description: Text::new(
            format!("Lower the facility's PUE from {current} to {target} (cooling, air flow, power supply)."),
            format!("시설 PUE를 {current}에서 {target}(으)로 낮춥니다 (냉각, 기류, 전력 공급 개선)."),
        ),
        basis: Text::new(
            format!("PUE {current} now against {target} ({whose}); emissions are proportional to PUE."),
            format!("현재 PUE {current}, 목표 {target} ({whose}). 배출량은 PUE에 비례합니다."),
        ),
    })
}

/// A factor that can be one: 0 to 1, and 1 where it is undefined.
pub(crate) fn bounded(factor: f64) -> f64 {
    if factor.is_finite() { factor.clamp(0.0, 1.0) } else { 1.0 }
}
