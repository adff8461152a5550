//! What a workload may emit, as an annotation states it.

use crate::standards::{Applies, Check, Force, Limit, Metric, Rule, RuleStatus, RuleSubject};
use crate::text::Text;

/// The code of the rule that is made of a budget.
const CODE: &str = "WORKLOAD_BUDGET";

/// A bound on a workload's emissions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::tools) struct Budget {
    /// Grams per hour, or kilograms per month.
    metric: Metric,
    at_most: f64,
}

impl Budget {
    /// From `20`, `20 g/h`, `0.5kg/h`, `5 kg/month` or `1 t/month`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits)?;
        let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)?;
        let (metric, factor) = match unit.trim().to_ascii_lowercase().replace("co2eq", "").replace("co2e", "").as_str()
        {
            "" | "g/h" => (Metric::EmissionsPerHour, 1.0),
            "kg/h" => (Metric::EmissionsPerHour, 1e3),
            "g/month" => (Metric::EmissionsPerMonth, 1e-3),
            "kg/month" => (Metric::EmissionsPerMonth, 1.0),
            "t/month" => (Metric::EmissionsPerMonth, 1e3),
            _ => return None,
        };
        Some(Budget { metric, at_most: number * factor })
    }

    /// The rule that holds a workload to it; `source` says where it is written.
    pub(in crate::tools) fn rule(self, source: String) -> Rule {
        let (at_most, unit) = (self.at_most, self.metric.unit());
        Rule {
            code: CODE.to_owned(),
            name: "Budget of the workload".to_owned(),
            name_local: Some("워크로드 예산".to_owned()),
            text: Text::new(
                format!("The workload emits at most {at_most} {unit}."),
                format!("워크로드의 배출량은 {at_most} {unit} 이하여야 합니다."),
            ),
            jurisdiction: "user".to_owned(),
            countries: Vec::new(),
            force: Force::Internal,
            subject: RuleSubject::Workload,
            status: RuleStatus::InForce,
            valid_from: None,
            valid_to: None,
            applies: Applies::default(),
            check: Check::EmissionBudget { metric: self.metric, limit: Limit::AtMost(self.at_most) },
            source,
            year: None,
            verified: None,
            note: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_and_a_unit() {
        let hour = |grams| Some(Budget { metric: Metric::EmissionsPerHour, at_most: grams });
        let month = |kilograms| Some(Budget { metric: Metric::EmissionsPerMonth, at_most: kilograms });
        for (text, budget) in [
            ("20", hour(20.0)),
            (" 20 g/h ", hour(20.0)),
            ("0.5kgCO2e/h", hour(500.0)),
            ("5 kg/month", month(5.0)),
            ("2 t/month", month(2000.0)),
            ("500 gCO2eq/month", month(0.5)),
            ("", None),
            ("-1 g/h", None),
            ("0", None),
            ("20 W", None),
            ("1.2.3 g/h", None),
            ("ten", None),
        ] {
            assert_eq!(Budget::read(text), budget, "{text}");
        }
    }
}
