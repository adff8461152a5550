//! The filter on published errors: `mae:10;mape:5;features:bpf_cpu_time_ms`.

use std::collections::BTreeMap;

/// Figures of which more is better. Of all others less is.
const MORE_IS_BETTER: [&str; 2] = ["abs_max_corr", "r2"];

/// A caller's conditions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    limits: Vec<(String, f64)>,
    features: Vec<String>,
}

impl Filter {
    /// Reads `name:value` parts between semicolons. An empty text asks for nothing.
    ///
    /// # Errors
    /// A part that is none: where the reference skips it, the caller would get what it did not ask for.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Filter::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((name, value)) = part.split_once(':').map(|(name, value)| (name.trim(), value.trim())) else {
                return Err(format!("filter: `{part}` is not `name:value`; write such as `mae:10;mape:5`"));
            };
            if name == "features" {
                filter.features.extend(value.split(',').map(|feature| feature.trim().to_owned()));
                continue;
            }
            match value.parse::<f64>() {
                Ok(limit) if limit.is_finite() => filter.limits.push((name.to_owned(), limit)),
                _ => return Err(format!("filter: `{value}` of `{name}` is not a number")),
            }
        }
        Ok(filter)
    }

    /// Why a model does not pass, by its published figures and its features; `None` if it does.
    pub(crate) fn refuse(&self, figures: &BTreeMap<String, f64>, features: &[String]) -> Option<String> {
        for (name, limit) in &self.limits {
            let Some(figure) = figures.get(name) else { return Some(format!("its metadata has no `{name}`")) };
            let passes = if MORE_IS_BETTER.contains(&name.as_str()) { figure >= limit } else { figure <= limit };
            if !passes {
                return Some(format!("its {name} is {figure}, the filter's limit {limit}"));
            }
        }
        let lacking = self.features.iter().find(|feature| !features.contains(feature));
        lacking.map(|feature| format!("it does not use `{feature}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> BTreeMap<String, f64> {
        [("mae".to_owned(), 7.5), ("abs_max_corr".to_owned(), 0.9)].into()
    }

    fn refused(text: &str) -> Option<String> {
        Filter::parse(text).unwrap().refuse(&figures(), &["bpf_cpu_time_ms".to_owned()])
    }

    #[test]
    fn a_filter_lets_through_what_keeps_it_and_nothing_else() {
        for passes in ["", ";", "mae:10", "mae:7.5;", " mae : 8 ; abs_max_corr:0.9", "features:bpf_cpu_time_ms"] {
            assert_eq!(refused(passes), None, "{passes}");
        }
        for fails in ["mae:7", "mae:10;abs_max_corr:0.95", "mape:5", "features:bpf_cpu_time_ms,cpu_cycles"] {
            assert!(refused(fails).is_some(), "{fails}");
        }
    }

    #[test]
    fn what_is_no_condition_is_an_error_not_a_condition_less() {
        for text in ["mae", "mae=5", "mae:low", "mae:inf", "mae:1:2"] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
