//! Meters of the whole machine in the ring: which were ever seen, and what each showed between two snapshots.

use super::super::{PlatformEnergy, PlatformIdentity};
use crate::differ::{Order, platform_used};
use crate::units::Energy;
use kepler_core::snapshot::{PlatformRow, Snapshot};
use std::time::Duration;

/// What a meter showed between two snapshots.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlatformDrawn {
    /// Its place among all that were ever seen.
    meter: usize,
    energy: Energy,
    covered: Duration,
}

/// All meters that were ever seen, in the order in which they came, as their newest rows showed them.
#[derive(Debug, Default)]
pub(super) struct Platforms {
    known: Vec<PlatformRow>,
    /// Where those of the newest snapshot stand.
    places: Vec<usize>,
}

impl Platforms {
    /// What each meter showed since the snapshot before.
    pub(super) fn advance(&mut self, snapshot: &Snapshot, order: Order) -> Vec<PlatformDrawn> {
        self.places.clear();
        let mut drawn = Vec::new();
        for row in &snapshot.platform {
            let place = self.known.iter().position(|known| known.meter.is_same(&row.meter));
            let before = place.and_then(|place| self.known.get(place));
            let (energy, covered) = platform_used(before, row, order);
            let meter = place.unwrap_or(self.known.len());
            match self.known.get_mut(meter) {
                Some(known) => known.clone_from(row),
                None => self.known.push(row.clone()),
            }
            self.places.push(meter);
            if !covered.is_zero() {
                drawn.push(PlatformDrawn { meter, energy, covered });
            }
        }
        drawn
    }

    /// What each showed, of what was shown in some samples.
    pub(super) fn drawn<'a>(&self, drawn: impl Iterator<Item = &'a PlatformDrawn>) -> Vec<PlatformEnergy> {
        let mut sums = vec![(Energy::ZERO, Duration::ZERO); self.known.len()];
        for drawn in drawn {
            if let Some((energy, covered)) = sums.get_mut(drawn.meter) {
                *energy += drawn.energy;
                *covered += drawn.covered;
            }
        }
        let known = self.known.iter().zip(sums).enumerate();
        let shown = known.filter_map(|(place, (row, (energy, covered)))| {
            let is_present = self.places.contains(&place);
            (is_present || !covered.is_zero()).then(|| {
                let mut platform = PlatformEnergy::new(PlatformIdentity::from(&*row.meter));
                platform.scope = Some(row.meter.scope);
                platform.contains_gpus = Some(row.meter.contains_gpus);
                (platform.energy, platform.covered) = (energy, Some(covered));
                platform.power = row.power.filter(|_| is_present);
                platform.age = row.age.filter(|_| is_present);
                platform.method = row.meter.method;
                platform.fault = if is_present { row.fault } else { Some("vanished") }.map(Into::into);
                platform
            })
        });
        shown.collect()
    }
}

/// Adds what one meter after the other showed in the sample that follows.
pub(super) fn extend(drawn: &mut Vec<PlatformDrawn>, later: Vec<PlatformDrawn>) {
    for later in later {
        match drawn.iter_mut().find(|drawn| drawn.meter == later.meter) {
            Some(drawn) => {
                drawn.energy += later.energy;
                drawn.covered += later.covered;
            }
            None => drawn.push(later),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Power;
    use kepler_core::host::Timestamp;
    use kepler_core::platform::PlatformMeter;

    fn snapshot(rows: &[(&str, f64, u64)]) -> Snapshot {
        let mut snapshot = Snapshot::empty(Timestamp::now());
        snapshot.platform.extend(rows.iter().map(|(chassis, joules, seconds)| {
            let mut row = PlatformRow::new(PlatformMeter::new("redfish", "bmc", *chassis));
            (row.energy, row.covered) = (Energy::from_joules(*joules), Duration::from_secs(*seconds));
            row.power = Some(Power::from_watts(100.0));
            row.age = Some(Duration::from_secs(3));
            row
        }));
        snapshot
    }

    #[test]
    fn each_meter_is_summed_up_over_the_time_that_its_own_readings_cover_also_after_a_restart() {
        let mut platforms = Platforms::default();
        let mut drawn = platforms.advance(&snapshot(&[("1", 900.0, 9)]), Order::First);
        assert!(drawn.is_empty(), "what was counted before is of no range");
        for (rows, order) in [
            (vec![("1", 1900.0, 19), ("2", 50.0, 1)], Order::Next),
            // No reading came.
            (vec![("1", 1900.0, 19), ("2", 50.0, 1)], Order::Next),
            (vec![("1", 200.0, 2)], Order::Restarted),
        ] {
            extend(&mut drawn, platforms.advance(&snapshot(&rows), order));
        }
        let shown = platforms.drawn(drawn.iter());
        let figures = shown.iter().map(|one| (one.energy.joules(), one.covered.unwrap().as_secs()));
        assert_eq!(figures.collect::<Vec<_>>(), [(1200.0, 12), (50.0, 1)]);
        assert_eq!((shown[0].age, shown[0].fault.as_deref()), (Some(Duration::from_secs(3)), None));
        assert_eq!((shown[1].power, shown[1].fault.as_deref()), (None, Some("vanished")));
    }
}
