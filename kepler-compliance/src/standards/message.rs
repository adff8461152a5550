//! The messages of verdicts and the sources of their figures: typed, rendered by [`messages`](crate::messages).

use super::Metric;
use super::facts::Condition;
use super::rule::{Basis, Limit, Requirement, RuleSubject};
use crate::choices::ChoiceOrigin;
use crate::text::Text;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FigureSource {
    /// A publisher or a program, by its name.
    Named(String),
    /// The operator's own settings.
    Stated,
    /// The facts that are stated of the site.
    SiteFacts,
    /// The region that a workload would move to.
    Region(String),
    /// It is a target.
    Target,
    /// Grid intensity times PUE.
    GridAndPue {
        /// Grid intensity, gCO2e/kWh.
        grid: f64,
        /// Its source.
        grid_source: Box<FigureSource>,
        /// How it came about.
        grid_basis: Basis,
        /// PUE.
        pue: f64,
        /// Its source.
        pue_source: Box<FigureSource>,
        /// How it came about.
        pue_basis: Basis,
    },
    /// Mean power over a window.
    MeanPower,
    /// Energy over a window, projected.
    ProjectedEnergy,
    /// The workload's pods or their namespace choose it.
    Chosen {
        /// By what.
        origin: ChoiceOrigin,
        /// On whom it is written.
        place: String,
    },
}

impl From<&str> for FigureSource {
    fn from(name: &str) -> Self {
        FigureSource::Named(name.to_owned())
    }
}

impl From<String> for FigureSource {
    fn from(name: String) -> Self {
        FigureSource::Named(name)
    }
}

/// Whether a rule applies.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ScopeMessage {
    /// The rule is a country's target.
    CountryTarget {
        /// The rule's code.
        code: String,
    },
    /// The rule is a draft.
    Draft {
        /// The rule's code.
        code: String,
    },
    /// The rule was adopted and no day is set from which it holds.
    NotYetInForce {
        /// The rule's code.
        code: String,
    },
    /// What a site must be for the rule to apply.
    AppliesIf {
        /// All of it.
        requirements: Vec<Requirement>,
    },
    /// Whether the rule applies depends on what is not stated of the site.
    FactsMissing {
        /// The rule's code.
        code: String,
        /// What it depends on.
        missing: Vec<Requirement>,
    },
    /// The rule does not apply, as the opposite of its condition is stated.
    ConditionFails {
        /// The rule's code.
        code: String,
        /// What is stated, or not to be so.
        condition: Condition,
        /// Whether it is stated to be so.
        holds: bool,
    },
    /// It is stated that the rule's condition in words does not hold.
    DeclaredNotApplicable {
        /// The rule's code.
        code: String,
    },
    /// The rule does not hold on that day.
    NotInForce {
        /// The rule's code.
        code: String,
        /// The day judged for.
        date: Date,
        /// First day in force.
        from: Option<Date>,
        /// Last day in force.
        to: Option<Date>,
    },
    /// The rule holds elsewhere.
    OtherCountry {
        /// The rule's code.
        code: String,
        /// Where it holds.
        jurisdiction: String,
        /// Where the site is.
        country: String,
    },
    /// The rule is about another kind of subject.
    OtherSubject {
        /// The rule's code.
        code: String,
        /// Its subject.
        speaks_of: RuleSubject,
        /// The subject of the assessment.
        asked: RuleSubject,
    },
    /// The rule leaves out sites that began on that day.
    StartOutside {
        /// The rule's code.
        code: String,
        /// The site's first day.
        start: Date,
    },
    /// The rule need not be met yet.
    NotDue {
        /// The rule's code.
        code: String,
        /// From when on.
        due: Date,
    },
    /// The rule does not apply at that size.
    TooSmall {
        /// The rule's code.
        code: String,
        /// Which size.
        metric: Metric,
        /// Its value.
        value: f64,
    },
}

/// Why a verdict is as it is, and what weakens it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum VerdictMessage {
    /// The rule does not apply, or that is not known.
    Scope(ScopeMessage),
    /// A value against its bound.
    Bound {
        /// Which figure.
        metric: Metric,
        /// Its value.
        value: f64,
        /// Its bound.
        limit: Limit,
        /// Whether it is kept.
        is_met: bool,
    },
    /// A duty's fulfilment is declared.
    Declared,
    /// What is so of the site is stated, not measured.
    StatedFacts {
        /// First day of operation, where the rule asks for it.
        start: Option<Date>,
        /// Conditions, and whether they hold.
        conditions: Vec<(Condition, bool)>,
    },
    /// A duty applies and is declared fulfilled.
    DutyFulfilled {
        /// What must be done.
        duty: Text,
    },
    /// A duty applies, and whether it is fulfilled is not declared.
    DutyOpen {
        /// What must be done.
        duty: Text,
    },
    /// The amount is below that of a duty.
    BelowDuty {
        /// Which amount.
        metric: Metric,
        /// From where on there is a duty.
        at_least: f64,
    },
    /// A figure is missing.
    Unknown {
        /// Which.
        metric: Metric,
    },
    /// All figures of a report are there and within their bounds.
    AllReported {
        /// They.
        metrics: Vec<Metric>,
    },
    /// A figure is no measurement.
    NotMeasured {
        /// Which.
        metric: Metric,
        /// What it is.
        basis: Basis,
        /// From where.
        source: FigureSource,
    },
    /// A figure that cannot be.
    Impossible {
        /// Which.
        metric: Metric,
        /// Its value.
        value: f64,
    },
    /// The workload has no energy figures.
    NoEnergy,
    /// What the rule's author notes about it.
    Note(Text),
}
