//! What energy costs and emits here, and what was used today.

use super::frame::Trust;
use jiff::Timestamp;

const JOULES_PER_KWH: f64 = 3.6e6;

/// What energy is multiplied with; `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// Emissions of a kilowatt-hour of IT energy: grid times PUE.
    pub(crate) grams_per_kwh: Option<f64>,
    /// Cost of a kilowatt-hour of IT energy: price times PUE.
    pub(crate) cost_per_kwh: Option<f64>,
    pub(crate) currency: Option<String>,
    /// The grid zone's name.
    pub(crate) place: String,
    pub(crate) pue: Option<f64>,
}

impl Rates {
    pub(crate) fn grams(&self, joules: f64) -> Option<f64> {
        self.grams_per_kwh.map(|grams| joules / JOULES_PER_KWH * grams)
    }

    pub(crate) fn cost(&self, joules: f64) -> Option<f64> {
        self.cost_per_kwh.map(|cost| joules / JOULES_PER_KWH * cost)
    }
}

/// What was used since midnight, as far as the source knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Today {
    pub(crate) from: Option<Timestamp>,
    pub(crate) joules: Option<f64>,
    pub(crate) grams: Option<f64>,
    pub(crate) cost: Option<f64>,
    /// Share of the day so far that is known.
    pub(crate) coverage: f64,
    pub(crate) trust: Trust,
}

/// A unit that figures are shown in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Watts and joules.
    #[default]
    Joules,
    /// Watts and watt-hours.
    WattHours,
    /// Grams of CO2e an hour, and grams.
    Carbon,
    /// Cost an hour, and cost.
    Cost,
}

impl Unit {
    pub(crate) const fn next(self) -> Self {
        match self {
            Unit::Joules => Unit::WattHours,
            Unit::WattHours => Unit::Carbon,
            Unit::Carbon => Unit::Cost,
            Unit::Cost => Unit::Joules,
        }
    }

    /// A power in this unit; `None` where that is not known.
    pub(crate) fn of_power(self, watts: f64, rates: &Rates) -> Option<f64> {
        match self {
            Unit::Joules | Unit::WattHours => Some(watts),
            Unit::Carbon => rates.grams(watts * 3600.0),
            Unit::Cost => rates.cost(watts * 3600.0),
        }
    }

    /// An energy in this unit.
    pub(crate) fn of_energy(self, joules: f64, rates: &Rates) -> Option<f64> {
        match self {
            Unit::Joules => Some(joules),
            Unit::WattHours => Some(joules / 3600.0),
            Unit::Carbon => rates.grams(joules),
            Unit::Cost => rates.cost(joules),
        }
    }

    /// The names of the two: of a power, of an energy.
    pub(crate) fn names(self, rates: &Rates) -> (String, String) {
        let currency = rates.currency.as_deref().unwrap_or("cost");
        match self {
            Unit::Joules => ("W".into(), "J".into()),
            Unit::WattHours => ("W".into(), "Wh".into()),
            Unit::Carbon => ("g/h".into(), "gCO2e".into()),
            Unit::Cost => (format!("{currency}/h"), currency.to_owned()),
        }
    }
}

/// A figure in at most six columns: three significant digits, and a letter for its size.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => String::new(),
        _ if size >= 999.5e9 => format!("{value:.1e}"),
        _ if size >= 999.5e6 => digits(value / 1e9) + "G",
        _ if size >= 999.5e3 => digits(value / 1e6) + "M",
        _ if size >= 9_999.5 => digits(value / 1e3) + "k",
        _ if size >= 999.5 => format!("{value:.0}"),
        _ => digits(value),
    }
}

fn digits(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 99.95 => format!("{value:.0}"),
        _ if size >= 9.995 => format!("{value:.1}"),
        _ if size >= 0.0995 || size == 0.0 => format!("{value:.2}"),
        _ if size >= 0.000_5 => format!("{value:.3}"),
        // There is some, and it is not worth a digit.
        _ => "<.001".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_takes_six_columns_at_most() {
        for (value, text) in [
            (0.0, "0.00"),
            (0.000_1, "<.001"),
            (0.0123, "0.012"),
            (1.0, "1.00"),
            (9.999, "10.0"),
            (99.96, "100"),
            (1234.4, "1234"),
            (12_345.0, "12.3k"),
            (999_600.0, "1.00M"),
            (3.6e9, "3.60G"),
        ] {
            assert_eq!(short(value), text);
        }
        for exponent in -8..15 {
            assert!(short(9.996 * 10f64.powi(exponent)).len() <= 6, "{exponent}");
        }
    }

    #[test]
    fn what_has_no_rate_is_unknown_and_not_zero() {
        assert_eq!(Unit::Cost.of_energy(3.6e6, &Rates::default()), None);
        let rates = Rates { grams_per_kwh: Some(500.0), ..Rates::default() };
        assert_eq!(Unit::Carbon.of_energy(3.6e6, &rates), Some(500.0));
        assert_eq!(Unit::Carbon.of_power(1000.0, &rates), Some(500.0));
        assert_eq!(Unit::WattHours.of_energy(7200.0, &rates), Some(2.0));
    }
}
