//! Meters of the whole machine, as exporters show them.

use kepler_compliance::units::{Energy, Power};
use kepler_compliance::view::{PlatformEnergy, PlatformIdentity};
use kepler_core::meter::Method;
use kepler_core::metric_names;
use kepler_core::platform::PlatformScope;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One exporter shows no more meters: it has as many itself.
pub(crate) const MOST_PLATFORMS: usize = 256;

/// The metrics of such meters. Go Kepler has the first only.
pub(crate) const PLATFORM_METRICS: [&str; 7] = [
    metric_names::PLATFORM_WATTS,
    metric_names::PLATFORM_JOULES_TOTAL,
    metric_names::PLATFORM_COVERED_SECONDS_TOTAL,
    metric_names::PLATFORM_READING_AGE_SECONDS,
    metric_names::PLATFORM_INFO,
    metric_names::PLATFORM_ERROR_RATIO,
    metric_names::PLATFORM_FAULT,
];

/// What is shown of the meters of a node.
#[derive(Debug, Default)]
pub(crate) struct Platforms(pub(crate) BTreeMap<PlatformIdentity, Shown>);

/// What is shown of one meter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) watts: Option<f64>,
    pub(crate) joules: Option<f64>,
    pub(crate) covered_seconds: Option<f64>,
    pub(crate) age_seconds: Option<f64>,
    scope: Option<PlatformScope>,
    contains_gpus: Option<bool>,
    is_estimated: bool,
    error_ratio: Option<f64>,
    fault: Option<Arc<str>>,
}

impl Platforms {
    /// Whether this is one of the metrics of such meters.
    #[cfg(feature = "kepler")]
    pub(crate) fn knows(metric: &str) -> bool {
        PLATFORM_METRICS.contains(&metric)
    }

    /// Takes a sample.
    pub(crate) fn take<'a>(&mut self, metric: &str, label: impl Fn(&str) -> Option<&'a str>, value: f64) {
        let identity = PlatformIdentity::of_labels(&label);
        if self.0.len() >= MOST_PLATFORMS && !self.0.contains_key(&identity) {
            return;
        }
        let shown = self.0.entry(identity).or_default();
        match metric {
            metric_names::PLATFORM_WATTS => shown.watts = Some(value),
            metric_names::PLATFORM_JOULES_TOTAL => shown.joules = Some(value),
            metric_names::PLATFORM_COVERED_SECONDS_TOTAL => shown.covered_seconds = Some(value),
            metric_names::PLATFORM_READING_AGE_SECONDS => shown.age_seconds = Some(value),
            metric_names::PLATFORM_ERROR_RATIO => shown.error_ratio = Some(value),
            metric_names::PLATFORM_FAULT => shown.fault = label("reason").map(Into::into),
            _ => {
                shown.scope = label("scope").and_then(PlatformScope::named);
                shown.contains_gpus = label("contains_gpus").map(|text| text == "true");
                shown.is_estimated = label("method") == Some("estimated");
            }
        }
    }
}

impl Shown {
    /// Whether something is known of it now.
    #[cfg(feature = "prometheus")]
    pub(crate) const fn is_now(&self) -> bool {
        self.watts.is_some() || self.age_seconds.is_some() || self.fault.is_some()
    }

    /// The meter with what it showed over a time. What it shows now counts where it `is_present`.
    pub(crate) fn energy(
        &self,
        meter: &PlatformIdentity,
        joules: f64,
        covered_seconds: Option<f64>,
        is_present: bool,
    ) -> PlatformEnergy {
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
        let mut platform = PlatformEnergy::new(meter.clone());
        platform.energy = Energy::from_joules(joules);
        platform.covered = covered_seconds.and_then(seconds);
        platform.power = self.watts.filter(|_| is_present).map(Power::from_watts);
        platform.age = self.age_seconds.filter(|_| is_present).and_then(seconds);
        (platform.scope, platform.contains_gpus) = (self.scope, self.contains_gpus);
        if self.is_estimated {
            // One that does not tell its error may be wrong by all of it.
            platform.method = Method::Estimated { error_ratio: self.error_ratio.unwrap_or(1.0) };
        }
        platform.fault = if is_present { self.fault.clone() } else { Some("vanished".into()) };
        platform
    }
}
