//! An intensity with its provenance.

use crate::text::Text;
use crate::units::CarbonIntensity;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// What a figure counts per kilowatt-hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "direct or with the life cycle")]
pub enum AccountingMethod {
    /// Emissions of operation, at the stack.
    Direct,
    /// With building, fuel supply and disposal of the plants.
    Lifecycle,
}

impl AccountingMethod {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            AccountingMethod::Direct => AccountingMethod::Lifecycle,
            AccountingMethod::Lifecycle => AccountingMethod::Direct,
        }
    }

    /// Its name in a sentence.
    #[must_use]
    pub fn name(self) -> Text {
        match self {
            AccountingMethod::Direct => Text::new("direct", "직접 배출"),
            AccountingMethod::Lifecycle => Text::new("lifecycle", "전 과정"),
        }
    }
}

/// Where the kilowatt-hour is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Boundary {
    /// As generated in the zone.
    Generation,
    /// As consumed in it: with grid losses or imports, by the publisher's definition.
    Consumption,
    /// The publisher does not say.
    Unstated,
}

/// Which kilowatt-hour is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IntensityKind {
    /// The mean of all.
    Average,
    /// The next one demanded.
    Marginal,
}

/// The time a figure speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Period {
    /// One calendar year.
    Year(i16),
    /// A mean of several years, both included.
    Years {
        /// First year.
        from: i16,
        /// Last year.
        to: i16,
    },
    /// A range of time.
    Interval {
        /// Its start.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
    },
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Period::Year(year) => write!(f, "{year}"),
            Period::Years { from, to } => write!(f, "{from}-{to}"),
            // A figure that holds for a moment, such as one that is stated in the settings.
            Period::Interval { start, end } if start == end => write!(f, "{start:.0}"),
            Period::Interval { start, end } => write!(f, "{start:.0}/{end:.0}"),
        }
    }
}

/// Method and publisher of an intensity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Provenance {
    /// The grid zone, an id of [`crate::zones::Zones`].
    pub zone: String,
    /// Direct or lifecycle.
    pub method: AccountingMethod,
    /// The method is not stated: it is taken to be this one, and answers say so.
    #[serde(default)]
    pub is_method_assumed: bool,
    /// Generation or consumption.
    pub boundary: Boundary,
    /// Average or marginal.
    pub kind: IntensityKind,
    /// Who published it: a URL or a name.
    pub source: String,
}

impl Provenance {
    /// Method and publisher of the intensities of a grid zone.
    pub fn new(
        zone: impl Into<String>,
        method: AccountingMethod,
        boundary: Boundary,
        kind: IntensityKind,
        source: impl Into<String>,
    ) -> Self {
        Provenance { zone: zone.into(), method, is_method_assumed: false, boundary, kind, source: source.into() }
    }

    /// The same where the method is not stated.
    #[must_use]
    pub fn with_assumed_method(mut self) -> Self {
        self.is_method_assumed = true;
        self
    }

    /// The method, where it is stated.
    #[must_use]
    pub fn stated_method(&self) -> Option<AccountingMethod> {
        (!self.is_method_assumed).then_some(self.method)
    }
}

/// A grid intensity that says where it comes from.
///
/// It has no order of its own: [`compare`](Self::compare) refuses figures that do not mean the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IntensityFigure {
    /// The figure, gCO2e/kWh.
    #[serde(rename = "g_per_kwh")]
    pub value: CarbonIntensity,
    /// The time it speaks for.
    pub period: Period,
    /// Its method and publisher.
    #[serde(flatten)]
    pub provenance: Provenance,
}

impl IntensityFigure {
    /// A figure for a period.
    #[must_use]
    pub const fn new(value: CarbonIntensity, period: Period, provenance: Provenance) -> Self {
        IntensityFigure { value, period, provenance }
    }
}

/// Two figures that do not mean the same thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is {:?}/{:?} and {} is {:?}/{:?}: figures of different method or kind do not compare; use figures of one series, or convert one explicitly",
    left.zone, left.method, left.kind, right.zone, right.method, right.kind
)]
#[non_exhaustive]
pub struct NotComparable {
    /// Provenance of the left figure.
    pub left: Box<Provenance>,
    /// Provenance of the right one.
    pub right: Box<Provenance>,
}

/// The outcome of comparing two figures.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The left figure against the right.
    pub ordering: Ordering,
    /// How much lower the right figure is, in per cent of the left; none when the left is zero.
    pub reduction_percent: Option<f64>,
    /// What weakens the comparison.
    pub caveats: Vec<Text>,
}

impl IntensityFigure {
    /// Compares with a figure of the same method and kind. Another boundary, period or source
    /// stays comparable but leaves a caveat.
    ///
    /// # Errors
    /// AccountingMethod or kind differ.
    pub fn compare(&self, other: &IntensityFigure) -> Result<Comparison, NotComparable> {
        let (left, right) = (&self.provenance, &other.provenance);
        if left.method != right.method || left.kind != right.kind {
            return Err(NotComparable { left: Box::new(left.clone()), right: Box::new(right.clone()) });
        }
        Ok(self.compare_across_methods(other))
    }

    /// Compares whatever the methods are; every difference in meaning is a caveat.
    #[must_use]
    pub fn compare_across_methods(&self, other: &IntensityFigure) -> Comparison {
        let (a, b) = (self.value.grams_per_kilowatt_hour(), other.value.grams_per_kilowatt_hour());
        Comparison {
            ordering: a.total_cmp(&b),
            reduction_percent: (a > 0.0).then(|| (a - b) / a * 100.0),
            caveats: self.differences(other),
        }
    }

    /// The same figure on another method's or kind's footing, by a factor the caller answers for.
    ///
    /// The conversion is written into the source: the result is not a published figure.
    #[must_use]
    pub fn converted(
        &self,
        factor: f64,
        method: AccountingMethod,
        kind: IntensityKind,
        reason: &str,
    ) -> IntensityFigure {
        let mut figure = self.clone();
        figure.value = CarbonIntensity::from_grams_per_kilowatt_hour(self.value.grams_per_kilowatt_hour() * factor);
        figure.provenance.method = method;
        figure.provenance.is_method_assumed = false;
        figure.provenance.kind = kind;
        figure.provenance.source = format!("{} (x {factor}: {reason})", self.provenance.source);
        figure
    }

    /// In what the two differ in meaning, as caveats.
    fn differences(&self, other: &IntensityFigure) -> Vec<Text> {
        let (a, b) = (&self.provenance, &other.provenance);
        let mut caveats = Vec::new();
        let mut note = |differ: bool, en: &str, ko: &str, x: String, y: String| {
            if differ {
                caveats.push(Text::new(
                    format!("The figures differ in {en}: {} {x}, {} {y}.", a.zone, b.zone),
                    format!("두 수치의 {ko} 다릅니다: {} {x}, {} {y}.", a.zone, b.zone),
                ));
            }
        };
        let text = |value: &dyn fmt::Debug| format!("{value:?}").to_lowercase();
        note(a.method != b.method, "method", "산정 방법이", text(&a.method), text(&b.method));
        note(a.kind != b.kind, "kind", "종류(평균/한계)가", text(&a.kind), text(&b.kind));
        note(a.boundary != b.boundary, "boundary", "경계가", text(&a.boundary), text(&b.boundary));
        // What is stated for a moment has no period to differ in; its source says that it is stated.
        let has_period = |figure: &Self| !matches!(figure.period, Period::Interval { start, end } if start == end);
        let periods_differ = self.period != other.period && has_period(self) && has_period(other);
        note(periods_differ, "period", "기간이", self.period.to_string(), other.period.to_string());
        note(a.source != b.source, "source", "출처가", a.source.clone(), b.source.clone());
        caveats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn figure(zone: &str, grams: f64, method: AccountingMethod) -> IntensityFigure {
        IntensityFigure {
            value: CarbonIntensity::from_grams_per_kilowatt_hour(grams),
            period: Period::Year(2023),
            provenance: Provenance::new(zone, method, Boundary::Generation, IntensityKind::Average, "test"),
        }
    }

    #[test]
    fn migrating_from_424_to_50_emits_88_2_per_cent_less() {
        let (from, to) = (figure("KR", 424.0, AccountingMethod::Direct), figure("XX", 50.0, AccountingMethod::Direct));
        let comparison = from.compare(&to).unwrap();
        assert!((comparison.reduction_percent.unwrap() - 88.2).abs() < 0.01);
        assert_eq!((comparison.ordering, comparison.caveats.len()), (Ordering::Greater, 0));
    }

    #[test]
    fn lifecycle_against_direct_is_refused_unless_asked_for_by_name() {
        let (direct, life) =
            (figure("KR", 417.3, AccountingMethod::Direct), figure("FR", 56.0, AccountingMethod::Lifecycle));
        assert!(direct.compare(&life).unwrap_err().to_string().contains("do not compare"));
        let forced = direct.compare_across_methods(&life);
        assert!(forced.caveats.iter().any(|c| c.en.contains("method") && c.ko.contains("산정 방법")));
        let converted = life.converted(0.9, AccountingMethod::Direct, IntensityKind::Average, "own estimate");
        assert!(direct.compare(&converted).is_ok());
        assert!(converted.provenance.source.contains("own estimate"));
    }

    #[test]
    fn a_zero_grid_gives_no_percentage() {
        let none = figure("A", 0.0, AccountingMethod::Direct);
        assert_eq!(none.compare(&figure("B", 10.0, AccountingMethod::Direct)).unwrap().reduction_percent, None);
    }

    #[test]
    fn provenance_is_flat_in_json_and_reads_back() {
        let json = serde_json::to_value(figure("KR", 417.3, AccountingMethod::Direct)).unwrap();
        assert_eq!((&json["g_per_kwh"], &json["method"]), (&417.3.into(), &"direct".into()));
        assert_eq!(
            serde_json::from_value::<IntensityFigure>(json).unwrap(),
            figure("KR", 417.3, AccountingMethod::Direct)
        );
    }

    proptest! {
        #[test]
        fn comparing_is_antisymmetric(a in 0.0..2000.0f64, b in 0.0..2000.0f64) {
            let (a, b) = (figure("A", a, AccountingMethod::Direct), figure("B", b, AccountingMethod::Direct));
            prop_assert_eq!(a.compare(&b).unwrap().ordering, b.compare(&a).unwrap().ordering.reverse());
        }
    }
}
