//! What an operator states of a site, which rules ask for.

use super::Metric;
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What may be so of a site and no figure tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// The climate is cool, in the words of the rule.
    CoolClimate,
    /// The area is under water stress.
    WaterStress,
    /// It is cooled with potable water.
    PotableWater,
    /// It is large or super-large, in the words of the rule.
    LargeDataCentre,
    /// It is a data centre for artificial intelligence, in the words of the rule.
    AiDataCentre,
}

impl Condition {
    /// All of them.
    pub const ALL: [Condition; 5] = [
        Condition::CoolClimate,
        Condition::WaterStress,
        Condition::PotableWater,
        Condition::LargeDataCentre,
        Condition::AiDataCentre,
    ];

    /// Its name in files and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Condition::CoolClimate => "cool_climate",
            Condition::WaterStress => "water_stress",
            Condition::PotableWater => "potable_water",
            Condition::LargeDataCentre => "large_data_centre",
            Condition::AiDataCentre => "ai_data_centre",
        }
    }
}

/// Figures that an operator may state. Intensity and PUE are the facility's, with an origin of their own; emissions are
/// measured.
const STATED: [Metric; 14] = [
    Metric::DesignPue25PercentLoad,
    Metric::AnnualEnergyToe,
    Metric::AnnualFuelToe,
    Metric::AnnualEnergyMwh,
    Metric::AnnualCrudeOilKl,
    Metric::AnnualTco2e,
    Metric::ContractPowerMw,
    Metric::ConnectionKw,
    Metric::InstalledItKw,
    Metric::WueLitresPerKwh,
    Metric::ErfPercent,
    Metric::RefPercent,
    Metric::RenewablePercent,
    Metric::CarbonFreePercent,
];

/// The name of the site's first day of operation.
pub(crate) const OPERATION_START: &str = "operation_start";

/// What an operator states of a site. What is not stated is not known: neither so nor otherwise.
///
/// ```
/// use kepler_compliance::standards::SiteFacts;
///
/// let mut facts = SiteFacts::default();
/// facts.state("connection_kw", "450")?;
/// facts.state("operation_start", "2026-09-01")?;
/// facts.state("cool_climate", "yes")?;
/// assert!(facts.state("connection_kw", "-1").is_err());
/// # Ok::<(), kepler_compliance::standards::InvalidFact>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct SiteFacts {
    /// First day of operation.
    pub(crate) operation_start: Option<Date>,
    /// What is stated to be so, or not.
    pub(crate) conditions: BTreeMap<Condition, bool>,
    /// Figures.
    pub(crate) values: BTreeMap<Metric, f64>,
    /// Codes of rules: whether their condition in words holds.
    pub(crate) applicable: BTreeMap<String, bool>,
    /// Codes of the duties that are fulfilled.
    pub(crate) fulfilled: BTreeSet<String>,
}

/// A fact that cannot be stated so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFact {
    /// Rules ask for no such fact.
    #[error("no rule asks for a fact `{name}` of a site; they ask for {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// All names.
        known: Vec<String>,
    },
    /// The value does not fit.
    #[error("{name} cannot be `{given}`: give {takes}")]
    Value {
        /// The fact.
        name: String,
        /// What was given.
        given: String,
        /// What it takes.
        takes: String,
    },
}

impl SiteFacts {
    /// States one fact by its name, as text: a number in the unit that its name says, `yes` or `no`, a day
    /// (`2026-07-01`), or the code of a rule (`applicable`, `not_applicable`, `fulfilled`).
    ///
    /// # Errors
    /// There is no such fact, or the value does not fit it.
    pub fn state(&mut self, name: &str, value: &str) -> Result<(), InvalidFact> {
        let (key, value) = (name.trim().to_lowercase().replace('-', "_"), value.trim());
        let wrong = |takes: &str| {
            let (given, takes) = (value.chars().take(LONGEST_SHOWN).collect(), takes.to_owned());
            InvalidFact::Value { name: key.clone(), given, takes }
        };
        if key == OPERATION_START {
            self.operation_start = Some(value.parse().map_err(|_| wrong("a day, as 2026-07-01"))?);
        } else if let Some(condition) = Condition::ALL.into_iter().find(|own| own.name() == key) {
            self.conditions.insert(condition, yes_or_no(value).ok_or_else(|| wrong("yes or no"))?);
        } else if let Some(metric) = STATED.into_iter().find(|metric| name_of(*metric) == key) {
            let figure = value.parse().ok().filter(|figure| metric.admits(*figure));
            let range = if metric.unit() == "%" { "a number from 0 to 100, in %" } else { "a number of 0 or more" };
            let range = if metric.is_pue() { "a number of 1 or more" } else { range };
            self.values.insert(metric, figure.ok_or_else(|| wrong(range))?);
        } else {
            let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let code = || match !value.is_empty() && value.len() <= LONGEST_SHOWN && value.chars().all(is_code) {
                true => Ok(value.to_uppercase().replace('-', "_")),
                false => Err(wrong("the code of a rule, as KR_ETS_SITE")),
            };
            match key.as_str() {
                "applicable" => _ = self.applicable.insert(code()?, true),
                "not_applicable" => _ = self.applicable.insert(code()?, false),
                "fulfilled" => _ = self.fulfilled.insert(code()?),
                _ => {
                    let name = name.chars().take(LONGEST_SHOWN).collect();
                    return Err(InvalidFact::Unknown { name, known: Self::names().collect() });
                }
            }
        }
        Ok(())
    }

    /// The names of all facts.
    pub fn names() -> impl Iterator<Item = String> {
        let conditions = Condition::ALL.into_iter().map(|condition| condition.name().to_owned());
        let codes = ["applicable", "not_applicable", "fulfilled"].map(str::to_owned);
        let start = std::iter::once(OPERATION_START.to_owned());
        start.chain(STATED.into_iter().map(name_of)).chain(conditions).chain(codes)
    }

    /// These facts, with those of `other` in place of or beside them.
    #[must_use]
    pub fn with(mut self, other: &SiteFacts) -> Self {
        self.operation_start = other.operation_start.or(self.operation_start);
        self.conditions.extend(&other.conditions);
        self.values.extend(&other.values);
        self.applicable.extend(other.applicable.iter().map(|(code, holds)| (code.clone(), *holds)));
        self.fulfilled.extend(other.fulfilled.iter().cloned());
        self
    }

    /// Whether nothing is stated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == SiteFacts::default()
    }
}

/// The longest value that a message repeats, and the longest code of a rule.
const LONGEST_SHOWN: usize = 64;

/// The name to state a metric by, in brackets, where it can be stated.
pub(crate) fn stated_by(metric: Metric) -> String {
    if STATED.contains(&metric) { format!(" ({})", name_of(metric)) } else { String::new() }
}

/// The name of a metric in files and arguments.
pub(crate) fn name_of(metric: Metric) -> String {
    match serde_json::to_value(metric) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "y" | "true" | "1" | "on" | "예" => Some(true),
        "no" | "n" | "false" | "0" | "off" | "아니요" => Some(false),
        _ => None,
    }
}

impl TryFrom<Map<String, Value>> for SiteFacts {
    type Error = InvalidFact;

    fn try_from(map: Map<String, Value>) -> Result<Self, InvalidFact> {
        let mut facts = SiteFacts::default();
        for (name, value) in map {
            let values = match value {
                // Not stated.
                Value::Null => Vec::new(),
                Value::Array(values) => values,
                value => vec![value],
            };
            for value in values {
                facts.state(&name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned))?;
            }
        }
        Ok(facts)
    }
}

impl From<SiteFacts> for Map<String, Value> {
    fn from(facts: SiteFacts) -> Self {
        let mut map = Map::new();
        map.extend(facts.operation_start.map(|day| (OPERATION_START.to_owned(), day.to_string().into())));
        map.extend(facts.values.into_iter().map(|(metric, value)| (name_of(metric), value.into())));
        map.extend(facts.conditions.into_iter().map(|(condition, holds)| (condition.name().to_owned(), holds.into())));
        let (yes, no): (Vec<_>, Vec<_>) = facts.applicable.into_iter().partition(|(_, holds)| *holds);
        let codes = |list: Vec<(String, bool)>| list.into_iter().map(|(code, _)| code).collect::<Vec<_>>();
        let lists = [("applicable", codes(yes)), ("not_applicable", codes(no))];
        let lists = lists.into_iter().chain([("fulfilled", facts.fulfilled.into_iter().collect())]);
        map.extend(lists.filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name.to_owned(), list.into())));
        map
    }
}

impl JsonSchema for SiteFacts {
    fn schema_name() -> Cow<'static, str> {
        "SiteFacts".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<SiteFacts, serde_json::Error> {
        serde_json::from_value(value)
    }

    #[test]
    fn facts_are_read_as_numbers_texts_switches_and_lists_and_written_again() {
        let stated = json!({
            "installed_it_kw": 400, "connection_kw": "450.5", "operation_start": "2026-09-01", "cool_climate": true,
            "water-stress": "no", "potable_water": null, "fulfilled": ["kr-ets-site"], "not_applicable": "TEAM_RULE",
        });
        let facts = read(stated).unwrap();
        assert_eq!(facts.values[&Metric::ConnectionKw], 450.5);
        assert_eq!(facts.conditions.get(&Condition::PotableWater), None, "null states nothing");
        assert!(!facts.conditions[&Condition::WaterStress]);
        assert!(facts.fulfilled.contains("KR_ETS_SITE"));
        assert_eq!(read(serde_json::to_value(&facts).unwrap()).unwrap(), facts);
        assert!(read(json!({})).unwrap().is_empty());
    }

    #[test]
    fn a_fact_that_cannot_be_names_itself_and_what_it_takes() {
        for (stated, named) in [
            (json!({"climate": "cool"}), "cool_climate"),
            (json!({"installed_it_kw": -3}), "installed_it_kw cannot be `-3`: give a number of 0 or more"),
            (json!({"installed_it_kw": "NaN"}), "installed_it_kw cannot be `NaN`"),
            (json!({"renewable_percent": 101}), "from 0 to 100"),
            (json!({"design_pue_25_percent_load": 0.9}), "1 or more"),
            (json!({"operation_start": "2026-13-01"}), "a day, as 2026-07-01"),
            (json!({"cool_climate": "perhaps"}), "yes or no"),
            (json!({"fulfilled": "a b"}), "code of a rule"),
            (json!({"pue": 1.2}), "no rule asks for a fact `pue`"),
            (json!({"cool_climate": {"a": 1}}), "yes or no"),
        ] {
            let error = read(stated).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let long = "x".repeat(10_000);
        assert!(SiteFacts::default().state(&long, &long).unwrap_err().to_string().len() < 700);
    }

    #[test]
    fn what_is_stated_later_takes_the_place_of_what_was_stated_first() {
        let first = read(json!({"connection_kw": 100, "cool_climate": true})).unwrap();
        let both = first.with(&read(json!({"connection_kw": 300, "water_stress": true})).unwrap());
        assert_eq!(both, read(json!({"connection_kw": 300, "cool_climate": true, "water_stress": true})).unwrap());
    }
}
