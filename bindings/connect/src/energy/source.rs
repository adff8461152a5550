//! Where the figures of a node's zones come from.

use kepler_compliance::units::{Energy, PerZone, ZoneKind};
use kepler_compliance::view::{EnergySplit, StepUsage};
use kepler_core::meter::Method;
use kepler_core::metric_names;
use std::sync::Arc;

/// Where a zone's figures come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) method: Method,
}

/// Origins of a node's zones, from `kepler_power_source_info` and `kepler_power_source_error_ratio`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sources(PerZone<Option<Source>>);

pub(crate) const SOURCE_INFO: &str = metric_names::POWER_SOURCE_INFO;
pub(crate) const SOURCE_ERROR: &str = metric_names::POWER_SOURCE_ERROR_RATIO;

impl Sources {
    /// Takes a series of either metric, in any order.
    pub(crate) fn take<'a>(&mut self, metric: &str, label: impl Fn(&str) -> Option<&'a str>, value: f64) {
        let Some(zone) = label("zone").and_then(|zone| zone.parse::<ZoneKind>().ok()) else { return };
        let name: Arc<str> = label("source").unwrap_or_default().into();
        let known = self.0[zone].as_ref().filter(|source| source.name == name).map(|source| source.method);
        let method = match (metric, known) {
            (SOURCE_ERROR, Some(Method::Partial { .. })) => Method::Partial { error_ratio: value },
            (SOURCE_ERROR, _) => Method::Estimated { error_ratio: value },
            // The error may have come before; until it comes it is not known.
            (_, known) => {
                let error_ratio = known.and_then(Method::error_ratio).unwrap_or(f64::NAN);
                match label("method") {
                    Some("partial") => Method::Partial { error_ratio },
                    Some("estimated") => Method::Estimated { error_ratio },
                    _ => known.unwrap_or(Method::Measured),
                }
            }
        };
        self.0[zone] = Some(Source { name, method });
    }

    pub(super) fn of(&self, zone: ZoneKind) -> Source {
        let known = self.0[zone].clone();
        // Go Kepler does not say, and measures.
        known.map_or_else(|| Source { name: Arc::default(), method: Method::Measured }, settled)
    }

    /// How this energy came to be, by what it has in the zones whose sum is the machine.
    pub(crate) fn method_of(&self, energy: &EnergySplit) -> Method {
        let counted = self.counted();
        let zones = self.0.iter().filter(|(zone, _)| counted[*zone]);
        let size = |zone| energy.zones[zone].map_or(0.0, Energy::joules);
        let parts = zones.filter_map(|(zone, source)| Some((size(zone), settled(source.clone()?).method)));
        Method::of_sum(parts).unwrap_or(Method::Measured)
    }

    /// The same figures with the total that their methods suggest: of a platform that is measured, where the processors
    /// are but estimated.
    pub(crate) fn total(&self, usage: StepUsage) -> StepUsage {
        let counted = self.counted();
        // Go Kepler does not say where its figures come from.
        if counted.iter().all(|(zone, counts)| !counts || usage.energy.zones[zone].is_none()) {
            return usage;
        }
        StepUsage::new(usage.energy.counting(&counted), usage.cpu_time)
            .with_parts(usage.idle.counting(&counted), usage.unattributed.counting(&counted))
    }

    /// Whether the platform stands for processors and memory.
    #[cfg(feature = "prometheus")]
    pub(crate) fn prefers_platform(&self) -> bool {
        self.counted()[ZoneKind::Psys]
    }

    /// The zones whose sum is the machine.
    fn counted(&self) -> PerZone<bool> {
        let is_estimated = |zone: ZoneKind| {
            self.0[zone].as_ref().is_some_and(|source| matches!(source.method, Method::Estimated { .. }))
        };
        ZoneKind::addable_unless_estimated(|zone| self.0[zone].is_some(), is_estimated)
    }
}

/// An estimate whose error is not stated may be wrong by all of it.
fn settled(source: Source) -> Source {
    let method = match source.method {
        Method::Partial { error_ratio } if !error_ratio.is_finite() => Method::Partial { error_ratio: 1.0 },
        Method::Estimated { error_ratio } if !error_ratio.is_finite() => Method::Estimated { error_ratio: 1.0 },
        method => method,
    };
    Source { method, ..source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes series of `package` in the order given: metric, source, method, value.
    fn method(series: &[(&str, &str, &str, f64)]) -> Method {
        let mut sources = Sources::default();
        for &(metric, source, method, value) in series {
            let label = |name: &str| match name {
                "zone" => Some("package"),
                "source" => Some(source),
                "method" => Some(method).filter(|method| !method.is_empty()),
                _ => None,
            };
            sources.take(metric, label, value);
        }
        sources.method_of(&EnergySplit::default())
    }

    #[test]
    fn the_error_of_an_estimate_is_found_in_either_order() {
        let (info, error) = ((SOURCE_INFO, "model", "estimated", 1.0), (SOURCE_ERROR, "model", "", 0.3));
        let estimated = Method::Estimated { error_ratio: 0.3 };
        assert_eq!((method(&[info, error]), method(&[error, info])), (estimated, estimated));
    }

    #[test]
    fn a_partial_sum_is_neither_measured_nor_estimated_in_either_order() {
        let (info, error) = ((SOURCE_INFO, "powercap", "partial", 1.0), (SOURCE_ERROR, "powercap", "", 0.1));
        let partial = Method::Partial { error_ratio: 0.1 };
        assert_eq!((method(&[info, error]), method(&[error, info])), (partial, partial));
    }

    #[test]
    fn an_estimate_without_a_stated_error_may_be_wrong_by_all_of_it() {
        assert_eq!(method(&[(SOURCE_INFO, "model", "estimated", 1.0)]), Method::Estimated { error_ratio: 1.0 });
    }

    #[test]
    fn who_does_not_say_measures() {
        assert_eq!(method(&[]), Method::Measured);
        assert_eq!(method(&[(SOURCE_INFO, "powercap", "measured", 1.0)]), Method::Measured);
    }
}
