//! Options to emit less: each with its saving, its uncertainty, and the evidence for both.
//!
//! A piece of advice is a factor on what it acts on: a workload's energy, the grid's intensity, the
//! facility's PUE. Factors lie between 0 and 1, so no saving is ever above what is emitted, and several
//! compose by multiplication. No figure is a constant posing as an estimate: where the data that advice
//! would rest on are not there, there is no advice, and the reason is given.
//!
//! ```
//! use kepler_compliance::advice::{Complexity, OptimizationKind};
//!
//! // Answers of the tools carry it as `optimizations`; these are its kinds.
//! assert_eq!(OptimizationKind::TemporalShift.name(), "temporal_shift");
//! assert_ne!(Complexity::Low, Complexity::High);
//! ```

mod region;
mod rightsizing;
mod temporal;

pub(crate) use region::{Candidate, Compared, candidates, comparable, neighbours, regional_migration};
pub(crate) use rightsizing::resource_rightsizing;
pub(crate) use temporal::temporal_shift;

use crate::facility::Facility;
use crate::messages::{Message, PueMessage, TargetPue};
use crate::standards::{Basis, FigureSource};
use crate::units::{CarbonIntensity, Pue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far ahead a shift of work is looked for.
pub const SHIFT_HORIZON: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// How much lower a region must be before it is worth a migration, in per cent of the current one.
pub const MIGRATION_MARGIN_PERCENT: f64 = 10.0;

/// What could be done to emit less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OptimizationKind {
    /// Requests that fit what is used, so that fewer machines idle.
    ResourceRightsizing,
    /// Running in a region with a lower intensity times PUE.
    RegionalMigration,
    /// Running when the grid is cleaner.
    TemporalShift,
    /// A facility that needs less energy beside its IT.
    PueImprovement,
}

impl OptimizationKind {
    /// All of them, in the order in which they are applied: what is used, where, when, and how well the building is
    /// run.
    pub const ALL: [OptimizationKind; 4] = [
        OptimizationKind::ResourceRightsizing,
        OptimizationKind::RegionalMigration,
        OptimizationKind::TemporalShift,
        OptimizationKind::PueImprovement,
    ];

    /// Its name in arguments and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OptimizationKind::ResourceRightsizing => "resource_rightsizing",
            OptimizationKind::RegionalMigration => "regional_migration",
            OptimizationKind::TemporalShift => "temporal_shift",
            OptimizationKind::PueImprovement => "pue_improvement",
        }
    }
}

/// What it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Complexity {
    /// A setting.
    Low,
    /// A change of how it is run.
    Medium,
    /// A project.
    High,
}

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
    pub(crate) description: Message,
    pub(crate) basis: Message,
}

/// What advice acts on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The workload's energy, by a factor.
    Energy(f64),
    /// The time it runs: intensity by a factor.
    Time(f64),
    /// The place it runs: another intensity and PUE.
    Region { region: String, grid: CarbonIntensity, source: FigureSource, pue: Pue, pue_basis: Basis },
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
            Change::Region { .. } => None,
        }
    }
}

/// Advice, or why there is none.
pub(crate) type Outcome = Result<Advice, Message>;

/// A facility that needs less beside its IT: down to `target`, where it needs more than that.
pub(crate) fn pue_improvement(facility: &Facility, target: Option<&(Pue, TargetPue)>) -> Outcome {
    let current = facility.ratio().ok_or(PueMessage::Unknown)?;
    let (target, whose) = target.ok_or(PueMessage::NoTarget)?;
    let (factor, whose) = (target.ratio() / current.ratio(), whose.clone());
    let (from, to) = (current.ratio(), target.ratio());
    if current <= *target {
        return Err(PueMessage::Reached { current: from, target: to, whose }.into());
    }
    Ok(Advice {
        kind: OptimizationKind::PueImprovement,
        change: Change::Pue(*target),
        factor,
        range: (factor, 1.0),
        complexity: Complexity::High,
        description: PueMessage::Lower { current: from, target: to }.into(),
        basis: PueMessage::LowerBasis { current: from, target: to, whose }.into(),
    })
}

/// A factor that can be one: 0 to 1, and 1 where it is undefined.
pub(crate) fn bounded(factor: f64) -> f64 {
    if factor.is_finite() { factor.clamp(0.0, 1.0) } else { 1.0 }
}
