//! Meters of the whole machine, as exporters showed them over time.

use super::track::{Poll, Reading, Track};
use crate::energy::{MOST_PLATFORMS as MOST, Platforms, Shown};
use jiff::Timestamp;
use kepler_compliance::view::{PlatformEnergy, PlatformIdentity, TimeRange};
use std::collections::BTreeMap;

/// What was read of a node's meters.
#[derive(Debug, Default)]
pub(super) struct PlatformTracks(BTreeMap<PlatformIdentity, Tracked>);

#[derive(Debug, Default)]
struct Tracked {
    newest: Shown,
    last: Option<Timestamp>,
    joules: Track,
    covered: Option<Track>,
}

impl PlatformTracks {
    pub(super) fn take(&mut self, shown: Platforms, poll: Poll) {
        for (identity, shown) in shown.0 {
            let is_new = !self.0.contains_key(&identity);
            if is_new && self.0.len() >= MOST {
                continue;
            }
            let tracked = self.0.entry(identity).or_default();
            let poll = poll.of(is_new);
            let reading = |value: f64| Reading { running: Some(value), terminated: None };
            if let Some(joules) = shown.joules {
                tracked.joules.take(poll, reading(joules));
            }
            if let Some(covered) = shown.covered_seconds {
                let poll = poll.of(tracked.covered.is_none());
                tracked.covered.get_or_insert_default().take(poll, reading(covered));
            }
            (tracked.newest, tracked.last) = (shown, Some(poll.at));
        }
    }

    pub(super) fn forget_before(&mut self, limit: Timestamp) {
        self.0.retain(|_, tracked| tracked.last > Some(limit));
        self.tracks().for_each(|track| track.forget_before(limit));
    }

    pub(super) fn tracks(&mut self) -> impl Iterator<Item = &mut Track> {
        self.0.values_mut().flat_map(|tracked| [Some(&mut tracked.joules), tracked.covered.as_mut()]).flatten()
    }

    /// What each showed in `range`. Power is told where `has_power`, of those that the `newest` reading of the node shows.
    pub(super) fn between(&self, range: TimeRange, has_power: bool, newest: Option<Timestamp>) -> Vec<PlatformEnergy> {
        let row = |(identity, tracked): (&PlatformIdentity, &Tracked)| {
            let joules = tracked.joules.between(range.start, range.end);
            let covered = tracked.covered.as_ref().map(|track| track.between(range.start, range.end));
            let mut platform = tracked.newest.energy(identity, joules, covered, tracked.last == newest);
            platform.power = platform.power.filter(|_| has_power);
            platform
        };
        self.0.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_compliance::units::Energy;
    use kepler_core::metric_names;
    use kepler_core::platform::PlatformScope;
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn shown(joules: f64, covered: f64, watts: Option<f64>) -> Platforms {
        let label = |name: &str| match name {
            "source" => Some("redfish"),
            "bmc_id" => Some("frame"),
            "scope" => Some("shared"),
            "contains_gpus" => Some("false"),
            "method" => Some("measured"),
            _ => None,
        };
        let mut platforms = Platforms::default();
        let mut take = |metric, value| platforms.take(metric, label, value);
        take(metric_names::PLATFORM_INFO, 1.0);
        take(metric_names::PLATFORM_JOULES_TOTAL, joules);
        take(metric_names::PLATFORM_COVERED_SECONDS_TOTAL, covered);
        watts.into_iter().for_each(|watts| take(metric_names::PLATFORM_WATTS, watts));
        platforms
    }

    #[test]
    fn energy_counts_from_the_first_reading_across_a_restart_and_power_is_that_of_the_newest() {
        let mut tracks = PlatformTracks::default();
        let readings = [(5000.0, 20.0, Some(250.0)), (7500.0, 30.0, Some(250.0)), (1000.0, 5.0, None)];
        let mut since = None;
        for (n, (joules, covered, watts)) in (1..).zip(readings) {
            tracks.take(shown(joules, covered, watts), Poll { since, at: at(10 * n), takeover: None });
            since = Some(at(10 * n));
        }
        let range = TimeRange { start: at(0), end: at(30) };
        let rows = tracks.between(range, true, since);
        let row = &rows[0];
        assert_eq!((row.energy, row.covered), (Energy::from_joules(3500.0), Some(Duration::from_secs(15))));
        assert_eq!((row.power, row.fault.as_deref()), (None, None), "it shows no power now");
        assert_eq!((row.scope, row.contains_gpus), (Some(PlatformScope::Shared), Some(false)));
        let gone = &tracks.between(range, true, Some(at(40)))[0];
        assert_eq!((gone.fault.as_deref(), gone.energy), (Some("vanished"), row.energy));
        tracks.forget_before(at(30));
        assert!(tracks.between(range, true, since).is_empty());
    }

    #[test]
    fn an_exporter_shows_so_many_meters_and_no_more() {
        let mut platforms = Platforms::default();
        for n in 0..=MOST {
            let id = n.to_string();
            let label = |name: &str| (name == "chassis_id").then_some(id.as_str());
            platforms.take(metric_names::PLATFORM_WATTS, label, 1.0);
        }
        assert_eq!(platforms.0.len(), MOST);
    }
}
