//! A package draws at least what its measured parts draw, also where it is estimated.

use crate::counter::EnergyDelta;
use crate::meter::{Drawn, ReadError};
use crate::units::{Power, ZoneKind};

/// What one reading says of the parts of packages and of packages that are estimated.
#[derive(Debug, Default)]
pub(super) struct Floor {
    /// Power of the cores, and of what a package holds besides, as far as it is measured.
    parts: f64,
    /// Power of the packages that are estimated.
    packages: f64,
    /// Where the first of them stands among the readings.
    first: Option<usize>,
    /// A package is measured, which contains the parts itself.
    is_measured: bool,
}

impl Floor {
    /// Takes in the zone that comes next among the readings, at `index`.
    pub(super) fn add(&mut self, kind: ZoneKind, is_sensor: bool, power: Option<Power>, index: usize) {
        let watts = power.map_or(0.0, |power| power.watts());
        match kind {
            ZoneKind::Core | ZoneKind::Uncore if is_sensor => self.parts += watts,
            ZoneKind::Package if is_sensor => self.is_measured = true,
            ZoneKind::Package if power.is_some() => {
                self.packages += watts;
                self.first.get_or_insert(index);
            }
            _ => {}
        }
    }

    /// Raises what packages are estimated to have drawn to what their parts have.
    pub(super) fn hold(&self, drawn: &mut [Result<Drawn, ReadError>]) {
        if self.is_measured || self.parts <= self.packages {
            return;
        }
        let Some(Ok(package)) = self.first.and_then(|index| drawn.get_mut(index)) else { return };
        if let EnergyDelta::Exact(energy) | EnergyDelta::Wrapped(energy) = package.delta {
            let lacking = Power::from_watts(self.parts - self.packages) * package.window;
            package.delta = EnergyDelta::Exact(energy + lacking);
            package.energy += lacking;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Energy;
    use std::time::Duration;

    fn drawn(watts: f64) -> Result<Drawn, ReadError> {
        Ok(Drawn::of(EnergyDelta::Exact(Energy::from_joules(watts * 2.0)), Duration::from_secs(2)))
    }

    /// The power of the package after zones of these kinds and powers were read, the last being the package.
    fn package(parts: &[(ZoneKind, f64)], watts: f64, is_sensor: bool) -> f64 {
        let (mut floor, mut all) = (Floor::default(), Vec::new());
        let zones = parts.iter().map(|(kind, watts)| (*kind, *watts, true));
        for (kind, watts, is_sensor) in zones.chain([(ZoneKind::Package, watts, is_sensor)]) {
            floor.add(kind, is_sensor, Some(Power::from_watts(watts)), all.len());
            all.push(drawn(watts));
        }
        floor.hold(&mut all);
        all.last().unwrap().as_ref().unwrap().power().unwrap().watts()
    }

    #[test]
    fn an_estimated_package_is_not_below_its_measured_parts() {
        assert_eq!(package(&[(ZoneKind::Core, 152.0)], 122.0, false), 152.0);
        assert_eq!(package(&[(ZoneKind::Core, 152.0), (ZoneKind::Uncore, 31.0)], 122.0, false), 183.0);
        assert_eq!(package(&[(ZoneKind::Core, 52.0)], 122.0, false), 122.0);
        assert_eq!(package(&[(ZoneKind::Dram, 152.0), (ZoneKind::Psys, 300.0)], 122.0, false), 122.0);
        assert_eq!(package(&[(ZoneKind::Core, 152.0)], 122.0, true), 122.0, "a counter says what it says");
    }
}
