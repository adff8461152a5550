//! Parts that the answers of several tools share.

use super::facility::Facility;
use super::{Length, Settings};
use crate::carbon::{emissions, rate};
use crate::standards::{Basis, Force, Limit, Status, Subject, Verdict};
use crate::text::{Lang, Text};
use crate::units::{CarbonMass, Energy, Power};
use crate::view::{Inventory, PowerSplit, Skipped};
use kepler_core::meter::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One rule's judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// The rule's code.
    pub code: String,
    /// The outcome.
    pub status: Status,
    /// Why, in a sentence.
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
    /// What makes somebody follow the rule.
    pub force: Force,
    /// Whom the rule speaks of.
    pub subject: Subject,
}

impl Judged {
    pub(super) fn new(verdict: &Verdict, lang: Lang) -> Self {
        Judged {
            code: verdict.code.clone(),
            status: verdict.status,
            reason: verdict.reason.lang(lang).to_owned(),
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
            gpu: watts(power.gpu),
            total: watts(power.total()),
        }
    }
}

/// A month of 730 hours at the mean power of the window: a projection, not a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub(super) fn new(energy: Energy, facility: &Facility, settings: &Settings) -> Self {
        let (grid, pue) = (facility.intensity(), facility.ratio());
        let price = settings.price.as_ref().zip(pue);
        Month {
            energy,
            emissions: grid.zip(pue).map(|(grid, pue)| emissions(energy, pue, grid)),
            cost: price.map(|(price, pue)| ((energy * pue) * price.per_kwh).amount()),
        }
    }

    pub(super) fn show(&self, settings: &Settings, window: std::time::Duration) -> ProjectedMonthly {
        ProjectedMonthly {
            energy_kwh: self.energy.kilowatt_hours(),
            emissions_kg: self.emissions.map(CarbonMass::kilograms),
            cost: self.cost,
            currency: settings.price.as_ref().map(|price| price.currency.clone()),
            window_seconds: window.as_secs_f64(),
        }
    }
}

/// Emissions per hour at a power, where everything is known; gCO2e/h.
pub(super) fn grams_per_hour(power: Option<Power>, facility: &Facility) -> Option<f64> {
    Some(rate(power?, facility.ratio()?, facility.intensity()?).grams_per_hour())
}

/// What could be done to emit less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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

/// What it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Complexity {
    /// A setting.
    Low,
    /// A change of how it is run.
    Medium,
    /// A project.
    High,
}

/// Savings of a month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MonthlySavings {
    /// Emissions avoided, kgCO2e a month; never more than are emitted. `null` where they are not known.
    #[serde(rename = "kgCO2eq")]
    pub kg_co2eq: Option<f64>,
    /// Money saved a month; `null` where it is not known.
    pub cost: Option<f64>,
}

/// Something that would reduce emissions, with what that rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Optimization {
    /// What.
    #[serde(rename = "type")]
    pub kind: OptimizationKind,
    /// What to do, in a sentence.
    pub description: String,
    /// Expected reduction of the workload's emissions, 0 to 100 %.
    pub estimated_reduction_percent: f64,
    /// Least and most it may be: the estimate's uncertainty, in per cent.
    pub reduction_range_percent: [f64; 2],
    /// What that is in a month.
    pub estimated_savings: MonthlySavings,
    /// What it takes.
    pub implementation_complexity: Complexity,
    /// The figures that the estimate rests on.
    pub basis: String,
}

/// The figures that an answer saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// Share of window and nodes that the figures cover, 0 to 1; `null` where there are none.
    pub coverage: Option<f64>,
    /// The window asked for.
    pub window: Length,
    /// The state that was seen: equal texts of one source rest on the same readings.
    pub moment: Option<String>,
    /// What weakens the answer.
    pub caveats: Vec<String>,
}

impl Seen {
    /// Nothing yet.
    pub(super) const fn nothing(window: Length) -> Self {
        Seen { coverage: None, window, moment: None, caveats: Vec::new() }
    }

    pub(super) fn of(inventory: &Inventory, window: Length, caveats: Vec<String>) -> Self {
        Seen { coverage: Some(inventory.coverage), window, moment: Some(inventory.moment.clone()), caveats }
    }
}

/// Something that an answer leaves out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skip {
    /// What.
    pub what: String,
    /// Why, and what would help.
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
        Method::Estimated { .. } => Basis::Estimated,
    }
}

/// What a reader should know of energy figures.
pub(super) fn energy_caveats(inventory: &Inventory, method: Option<Method>) -> Vec<Text> {
    let mut caveats = Vec::new();
    if let Some(Method::Estimated { error_ratio }) = method {
        let percent = error_ratio * 100.0;
        caveats.push(Text::new(
            format!("Energy is estimated by a model, not measured; expected error ±{percent:.0} % (one sigma)."),
            format!("에너지는 실측이 아닌 모델 추정값이며, 예상 오차는 ±{percent:.0} %(1σ)입니다."),
        ));
    }
    if inventory.coverage < FULL_COVERAGE {
        let (percent, seconds) = (inventory.coverage * 100.0, inventory.covered.length().as_secs_f64());
        caveats.push(Text::new(
            format!("The figures cover {percent:.0} % of the window and the nodes ({seconds:.0} s of readings)."),
            format!("수치는 요청한 기간과 노드의 {percent:.0} %만 포함합니다 (측정 시간 {seconds:.0}초)."),
        ));
    }
    for skipped in &inventory.skipped {
        caveats.push(Text::new(
            format!("{} is left out: {}", skipped.what, skipped.reason),
            format!("{} 제외됨: {}", skipped.what, skipped.reason),
        ));
    }
    caveats
}

/// Readings never meet a window's edges exactly; less than this is worth telling.
const FULL_COVERAGE: f64 = 0.95;

/// Sentences in one language.
pub(super) fn say(texts: &[Text], lang: Lang) -> Vec<String> {
    let mut said: Vec<String> = Vec::with_capacity(texts.len());
    for text in texts {
        let sentence = text.lang(lang);
        if !said.iter().any(|known| known == sentence) {
            said.push(sentence.to_owned());
        }
    }
    said
}
