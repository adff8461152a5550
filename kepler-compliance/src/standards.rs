//! Standards: rules as data, the one in force on a date, and whether it is met.
//!
//! Rules are data files of five kinds ([`RuleKind`]). Those that ship with the library are embedded;
//! a directory of the user's adds to them or overrides them by code. Each says what it rests on
//! ([`Force`], source, year), because a private yardstick is not a law. A rule may have versions
//! with dates of validity; [`Standards::assess`] picks the one in force.
//!
//! ```
//! use jiff::civil::date;
//! use kepler_compliance::standards::{Basis, DEFAULT_STANDARD, MetricValue, VerdictInputs, Metric, Standards, Status, RuleSubject};
//!
//! let standards = Standards::embedded()?;
//! let mut inputs = VerdictInputs::new(RuleSubject::Workload, date(2026, 11, 21));
//! inputs.set(Metric::CarbonIntensity, MetricValue::new(510.1, Basis::Measured, "grid 424 g/kWh, PUE 1.203"));
//! let verdict = standards.assess(DEFAULT_STANDARD, &inputs)?;
//! assert_eq!(verdict.status, Status::NonCompliant);
//! assert!((verdict.gap_percent.unwrap() - 20.3).abs() < 0.01);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod evaluate;
mod facts;
mod format;
mod load;
mod message;
mod metric;
mod rule;
mod verdict;

pub use evaluate::evaluate;
pub use facts::{Condition, InvalidFact, SiteFacts};
pub(crate) use facts::{OPERATION_START, name_of, stated_by};
pub use format::json_schema;
pub use load::LoadError;
pub use message::{FigureSource, ScopeMessage, VerdictMessage};
pub use metric::Metric;
pub use rule::{
    Applies, Basis, Check, Force, Limit, MetricBound, OperationStart, Requirement, Rule, RuleKind, RuleStatus,
    RuleSubject, Threshold,
};
pub use verdict::{MetricValue, Status, Verdict, VerdictInputs, overall, overall_status};

use jiff::civil::Date;
use std::collections::BTreeMap;
use std::path::Path;

/// The standard assessed when none is named.
pub const DEFAULT_STANDARD: &str = "KR_CARBON_2050";

const EMBEDDED: [(&str, &str); 4] = [
    ("data/standards/intensity_limit.json", include_str!("../data/standards/intensity_limit.json")),
    ("data/standards/pue_limit.json", include_str!("../data/standards/pue_limit.json")),
    ("data/standards/energy_duty.json", include_str!("../data/standards/energy_duty.json")),
    ("data/standards/metric_report.json", include_str!("../data/standards/metric_report.json")),
];

/// A code that no rule has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown standard `{code}`; valid: {}", valid.join(", "))]
#[non_exhaustive]
pub struct UnknownStandard {
    /// The code asked for.
    pub code: String,
    /// All valid codes.
    pub valid: Vec<String>,
}

/// All known rules, by code. To reload, build a new one and replace the old.
#[derive(Clone, Debug, PartialEq)]
pub struct Standards {
    /// Code -> its versions, oldest first; never empty, validity never overlapping.
    rules: BTreeMap<String, Vec<Rule>>,
}

impl Standards {
    /// The rules that ship with the library.
    ///
    /// # Errors
    /// The embedded data do not fit their schema; a test sees to it that they do.
    pub fn embedded() -> Result<Self, LoadError> {
        let mut standards = Standards { rules: BTreeMap::new() };
        for (path, text) in EMBEDDED {
            standards.add(Path::new(path), text)?;
        }
        Ok(standards)
    }

    /// Adds the `*.json` files of a directory, in order of their names. A code that is known already
    /// is replaced with all its versions.
    ///
    /// # Errors
    /// The directory or a file cannot be read, or a rule is not valid; the error names file, line
    /// and field. `self` is consumed, so a half-read directory is never in use.
    pub fn with_directory(mut self, directory: &Path) -> Result<Self, LoadError> {
        for path in load::json_files(directory)? {
            let text = load::read(&path)?;
            self.add(&path, &text)?;
        }
        Ok(self)
    }

    /// Adds the rules of one file's text; `path` only names it. Codes known already are replaced.
    ///
    /// # Errors
    /// A rule is not valid; the error names file, line and field.
    pub fn add(&mut self, path: &Path, text: &str) -> Result<(), LoadError> {
        self.rules.extend(load::rules(path, text)?);
        Ok(())
    }

    /// All rules with all their versions, by code.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values().flatten()
    }

    /// All codes.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// All versions of a rule, oldest first. `kr-carbon-2050` finds `KR_CARBON_2050`.
    ///
    /// # Errors
    /// No rule has the code; the error lists the valid ones.
    pub fn versions(&self, code: &str) -> Result<&[Rule], UnknownStandard> {
        let wanted = code.trim().to_uppercase().replace('-', "_");
        let unknown = || UnknownStandard { code: code.into(), valid: self.codes().map(str::to_owned).collect() };
        self.rules.get(&wanted).map(Vec::as_slice).ok_or_else(unknown)
    }

    /// The version of a rule for a date: the one in force, or, before the first and between two, the
    /// next to come, or else the last.
    ///
    /// # Errors
    /// No rule has the code; the error lists the valid ones.
    pub fn version_for(&self, code: &str, date: Date) -> Result<&Rule, UnknownStandard> {
        let versions = self.versions(code)?;
        let in_force = versions.iter().find(|rule| rule.in_force(date));
        let to_come = || versions.iter().find(|rule| rule.valid_from.is_some_and(|from| from > date));
        let chosen = in_force.or_else(to_come).or(versions.last());
        chosen.ok_or_else(|| UnknownStandard { code: code.into(), valid: Vec::new() })
    }

    /// Judges by the version of a rule for the date of the inputs.
    ///
    /// # Errors
    /// No rule has the code; the error lists the valid ones. Missing data are no error: they give
    /// [`Status::InsufficientData`].
    pub fn assess(&self, code: &str, inputs: &VerdictInputs) -> Result<Verdict, UnknownStandard> {
        Ok(evaluate(self.version_for(code, inputs.date)?, inputs))
    }
}

#[cfg(test)]
mod tests;
