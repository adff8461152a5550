//! Parts that the answers of several tools share.

use super::Length;
use super::price::MonthPrice;
use crate::advice::{Complexity, OptimizationKind};
use crate::carbon::{emissions, rate};
use crate::context::Context;
use crate::facility::{Facility, Settings};
use crate::messages::{EnergyMessage, Message, render_all};
use crate::standards::{Basis, Force, Limit, RuleSubject, Status, Verdict};
use crate::text::Lang;
use crate::units::{CarbonMass, Energy, Power};
use crate::view::{Inventory, PowerSplit, Skipped, ViewError};
use kepler_core::meter::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::SystemTime;

/// The outcome by all rules and by each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Statuses {
    /// By all rules: NON_COMPLIANT if any that applies fails, COMPLIANT if all that apply pass.
    pub status: Status,
    /// By the carbon standard.
    pub carbon_status: Status,
    /// By the PUE standard; it judges the facility.
    pub pue_status: Status,
}

/// One rule's judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Judged {
    /// The rule's code.
    pub code: String,
    /// The outcome.
    pub status: Status,
    /// The reason, in a sentence.
    pub reason: String,
    /// The value that decided.
    pub value: Option<f64>,
    /// The bound it was held against.
    pub limit: Option<Limit>,
    /// Unit of value and limit; empty for a pure ratio.
    pub unit: String,
    /// (value − limit) / limit · 100.
    pub gap_percent: Option<f64>,
    /// How the value came about.
    pub basis: Option<Basis>,
    /// The binding force of the rule.
    pub force: Force,
    /// The subject of the rule.
    pub subject: RuleSubject,
}

impl Judged {
    pub(super) fn new(verdict: &Verdict, lang: Lang) -> Self {
        Judged {
            code: verdict.code.clone(),
            status: verdict.status,
            reason: Message::from(verdict.reason.clone()).render(lang),
            value: verdict.value,
            limit: verdict.limit,
            unit: verdict.unit.clone(),
            gap_percent: verdict.gap_percent,
            basis: verdict.basis,
            force: verdict.force,
            subject: verdict.subject,
        }
    }
}

/// Power in watts: the mean over the window of what still runs. `null` is unknown, not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PowerWatts {
    /// Processors: the package, or its parts.
    pub cpu: Option<f64>,
    /// Memory.
    pub memory: Option<f64>,
    /// Graphics processors.
    pub gpu: Option<f64>,
    /// All of it.
    pub total: Option<f64>,
}

impl From<PowerSplit> for PowerWatts {
    fn from(power: PowerSplit) -> Self {
        let watts = |power: Option<Power>| power.map(Power::watts);
        PowerWatts {
            cpu: watts(power.cpu()),
            memory: watts(power.memory()),
            gpu: watts(power.gpu()),
            total: watts(power.total()),
        }
    }
}

/// A month of 730 hours at the mean power of the window: a projection, not a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ProjectedMonthly {
    /// IT energy, kWh.
    pub energy_kwh: f64,
    /// Emissions of the facility for it, kgCO2e; `null` where intensity or PUE is not known.
    pub emissions_kg: Option<f64>,
    /// What the facility pays for it; `null` where price or PUE is not known.
    pub cost: Option<f64>,
    /// Currency of `cost`, ISO 4217.
    pub currency: Option<String>,
    /// The window it is projected from, in seconds.
    pub window_seconds: f64,
}

/// What a month's IT energy means at a facility.
#[derive(Clone, Copy, Debug)]
pub(super) struct Month {
    pub(super) energy: Energy,
    pub(super) emissions: Option<CarbonMass>,
    pub(super) cost: Option<f64>,
}

impl Month {
    pub(super) fn new(energy: Energy, facility: &Facility, price: &MonthPrice) -> Self {
        let (grid, pue) = (facility.intensity(), facility.ratio());
        let price = price.per_kwh.zip(pue);
        Month {
            energy,
            emissions: grid.zip(pue).map(|(grid, pue)| emissions(energy, pue, grid)),
            cost: price.map(|(price, pue)| ((energy * pue) * price).amount()),
        }
    }

    pub(super) fn show(&self, settings: &Settings, window: std::time::Duration) -> ProjectedMonthly {
        ProjectedMonthly {
            energy_kwh: self.energy.kilowatt_hours(),
            emissions_kg: self.emissions.map(CarbonMass::kilograms),
            cost: self.cost,
            currency: settings.currency().filter(|_| self.cost.is_some()).map(str::to_owned),
            window_seconds: window.as_secs_f64(),
        }
    }
}

/// Emissions per hour at a power, where everything is known; gCO2e/h.
pub(super) fn grams_per_hour(power: Option<Power>, facility: &Facility) -> Option<f64> {
    Some(rate(power?, facility.ratio()?, facility.intensity()?).grams_per_hour())
}

/// Savings of a month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MonthlySavings {
    /// Emissions avoided, kgCO2e a month; never more than are emitted. `null` where they are not known.
    #[serde(rename = "kgCO2eq")]
    pub kg_co2eq: Option<f64>,
    /// Money saved a month; `null` where it is not known.
    pub cost: Option<f64>,
}

/// A measure that would reduce emissions, with the basis of its estimate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Optimization {
    /// The kind of optimization.
    #[serde(rename = "type")]
    pub kind: OptimizationKind,
    /// What to do, in a sentence.
    pub description: String,
    /// Expected reduction of the workload's emissions, 0 to 100 %.
    pub estimated_reduction_percent: f64,
    /// Least and most it may be: the estimate's uncertainty, in per cent.
    pub reduction_range_percent: [f64; 2],
    /// The same as savings per month.
    pub estimated_savings: MonthlySavings,
    /// The effort that it takes.
    pub implementation_complexity: Complexity,
    /// The figures that the estimate rests on.
    pub basis: String,
}

/// The figures that an answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Evidence {
    /// Share of window and nodes that the figures cover, 0 to 1; `null` where there are none.
    pub coverage: Option<f64>,
    /// The window asked for.
    pub window: Length,
    /// The state that was seen: equal texts of one source rest on the same readings.
    pub moment: Option<String>,
    /// What weakens the answer.
    pub caveats: Vec<String>,
}

impl Evidence {
    /// No figures.
    pub(super) fn none(window: Length, caveats: &[Message], lang: Lang) -> Self {
        Evidence { coverage: None, window, moment: None, caveats: render_all(caveats, lang) }
    }

    /// What was used in the window; where nothing is known the first caveat says so.
    pub(super) fn inventory(&mut self, context: &Context<'_>, lang: Lang) -> Result<Option<Arc<Inventory>>, ViewError> {
        match context.view.inventory(context.window(self.window.duration())) {
            Ok(inventory) => Ok(Some(inventory)),
            Err(error @ ViewError::NoData { .. }) => {
                self.caveats.insert(0, Message::from(&error).render(lang));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn of(inventory: &Inventory, window: Length, caveats: &[Message], lang: Lang) -> Self {
        Evidence {
            coverage: Some(inventory.coverage),
            window,
            moment: Some(inventory.moment.clone()),
            caveats: render_all(caveats, lang),
        }
    }
}

/// Something that an answer leaves out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Skip {
    /// The node, endpoint, region or workload that was left out.
    pub what: String,
    /// The reason, and what would help.
    pub reason: String,
}

impl From<&Skipped> for Skip {
    fn from(skipped: &Skipped) -> Self {
        Skip { what: skipped.what.clone(), reason: skipped.reason.clone() }
    }
}

/// How energy figures came about, for an answer's inputs.
pub(super) const fn basis_of(method: Method) -> Basis {
    match method {
        Method::Measured => Basis::Measured,
        Method::Partial { .. } => Basis::Partial,
        _ => Basis::Estimated,
    }
}

/// What a reader should know of energy figures.
pub(super) fn energy_caveats(context: &Context<'_>, inventory: &Inventory, method: Option<Method>) -> Vec<Message> {
    let mut caveats: Vec<Message> = Vec::new();
    caveats.extend(context.stale.map(|age| EnergyMessage::Stale { age }.into()));
    caveats.extend(method.and_then(method_caveat));
    let corrections = inventory.nodes.iter().filter_map(|node| node.correction.as_ref());
    caveats.extend(corrections.take(LEFT_OUT_NAMED).map(|by| {
        let age = SystemTime::from(context.now).duration_since(by.newest).unwrap_or_default();
        EnergyMessage::Corrected { source: (*by.source).to_owned(), factor: by.scale.factor, age }.into()
    }));
    if inventory.coverage < FULL_COVERAGE {
        let (ratio, covered) = (inventory.coverage, inventory.covered.length());
        caveats.push(EnergyMessage::Coverage { ratio, covered }.into());
    }
    let left_out = |skipped: &Skipped| {
        let Skipped { what, reason } = skipped.clone();
        EnergyMessage::LeftOut { what, reason }.into()
    };
    caveats.extend(inventory.skipped.iter().take(LEFT_OUT_NAMED).map(left_out));
    // A cluster can lack hundreds of nodes: `skipped` has all of them.
    let others = inventory.skipped.len().saturating_sub(LEFT_OUT_NAMED);
    caveats.extend((others > 0).then(|| EnergyMessage::OthersLeftOut { count: others }.into()));
    caveats
}

/// How many that are left out get a sentence of their own.
const LEFT_OUT_NAMED: usize = 3;

/// What weakens figures that are not measured throughout.
pub(super) fn method_caveat(method: Method) -> Option<Message> {
    match method {
        Method::Measured => None,
        Method::Partial { error_ratio } => Some(EnergyMessage::Partial { error_ratio }.into()),
        _ => method.error_ratio().map(|error_ratio| EnergyMessage::Estimated { error_ratio }.into()),
    }
}

/// Readings never meet a window's edges exactly; less than this is worth saying.
pub(super) const FULL_COVERAGE: f64 = 0.95;
