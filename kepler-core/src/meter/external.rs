//! A zone that meters outside of the machine stand for: a metered socket, an outlet of a rack, a query of Prometheus.
//!
//! | requires | meters that report to a [`PlatformBoard`], each read on a schedule of its own |
//! |---|---|
//! | units | watts of the newest reading, until a newer one comes |
//! | limits | a reading that is stale, absurd or frozen is none; of several meters one that fails fails the zone: a part is not the whole |
//! | cost | no system call: what was reported is looked up |
//!
//! ```
//! use kepler_core::host::Timestamp;
//! use kepler_core::meter::EnergyMeter;
//! use kepler_core::meter::external::{External, ExternalZone};
//! use kepler_core::platform::{PlatformBoard, PlatformMeter, PlatformReading};
//! use kepler_core::units::{Power, ZoneKind};
//!
//! let (board, plug) = (PlatformBoard::default(), PlatformMeter::new("http", "plug", ""));
//! let zone = ExternalZone::new(board.clone(), ZoneKind::Psys, vec![plug.clone()]);
//! assert!(External::open(&zone, Timestamp::now()).is_err(), "it has shown nothing yet");
//! board.report(&plug, PlatformReading::new(Power::from_watts(87.3), Timestamp::now()));
//! assert_eq!(External::open(&zone, Timestamp::now())?.zones()[0].kind, ZoneKind::Psys);
//! # Ok::<(), kepler_core::Unavailable>(())
//! ```

use super::{EnergyMeter, MeterInventory, Method, Quality, ReadError, ReadFault, Reading, Zone};
use crate::availability::{Remedy, Unavailable};
use crate::host::Timestamp;
use crate::platform::{PlatformBoard, PlatformMeter};
use crate::units::{Power, ZoneKind};
use std::sync::Arc;

const SOURCE: &str = "external";

/// Which meters stand for a zone: together, where there are several (the two outlets of a machine with two power supplies).
#[derive(Clone, Debug)]
pub struct ExternalZone {
    board: PlatformBoard,
    kind: ZoneKind,
    meters: Arc<[PlatformMeter]>,
}

impl ExternalZone {
    /// The zone that these meters of a board stand for. The sampler must be given the same board, so that figures which stand still
    /// are found out.
    #[must_use]
    pub fn new(board: PlatformBoard, kind: ZoneKind, meters: Vec<PlatformMeter>) -> Self {
        ExternalZone { board, kind, meters: meters.into() }
    }

    /// The kind of zone.
    #[must_use]
    pub const fn kind(&self) -> ZoneKind {
        self.kind
    }

    /// What all meters show, and how that came to be; else which of them does not, and why.
    fn power(&self, at: &Timestamp) -> Result<(Power, Method), (&PlatformMeter, &'static str)> {
        let (mut sum, mut method, mut error) = (Power::ZERO, Method::Measured, 0.0);
        for meter in &*self.meters {
            let power = self.board.power(meter, at).map_err(|fault| (meter, fault))?;
            sum += power;
            method = method.weaker(meter.method);
            error += power.watts() * meter.method.error_ratio().unwrap_or(0.0);
        }
        let method = match method {
            Method::Measured => method,
            _ => Method::Estimated { error_ratio: error / sum.watts() },
        };
        Ok((sum, method))
    }
}

impl PartialEq for ExternalZone {
    fn eq(&self, other: &Self) -> bool {
        self.board.is_same(&other.board) && self.kind == other.kind && self.meters == other.meters
    }
}

impl Eq for ExternalZone {}

/// Reads such a zone. See the [module](self).
#[derive(Debug)]
pub struct External {
    of: ExternalZone,
    zone: [Zone; 1],
    method: Method,
}

impl External {
    /// Looks whether the meters show something at a moment. It waits for none.
    ///
    /// # Errors
    /// When one of them does not.
    pub fn open(of: &ExternalZone, at: Timestamp) -> Result<Self, Unavailable> {
        let (_, method) = of.power(&at).map_err(|(meter, fault)| {
            let name = shown(meter);
            Unavailable::new(SOURCE, format!("{name} ({}) shows no power: {fault}", of.kind), Remedy::Wait)
        })?;
        let path = of.meters.iter().map(shown).collect::<Vec<_>>().join(" + ");
        let mut zone = Zone::new(of.kind, path);
        zone.max_power = of.meters.iter().map(|meter| meter.max_power).fold(Power::ZERO, |sum, power| sum + power);
        Ok(External { of: of.clone(), zone: [zone], method })
    }
}

/// A meter's name for people, and where it is read.
fn shown(meter: &PlatformMeter) -> String {
    let PlatformMeter { bmc_id, path, .. } = meter;
    match (bmc_id.is_empty(), path.is_empty()) {
        (false, false) => format!("{bmc_id} ({path})"),
        (false, true) => bmc_id.to_string(),
        (true, _) => format!("{} {path}", meter.source),
    }
}

impl EnergyMeter for External {
    fn source(&self) -> &'static str {
        SOURCE
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zone)
    }

    fn quality(&self) -> Quality {
        Quality::of(self.method)
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        let [zone] = &self.zone;
        readings.push(match self.of.power(&at) {
            Ok((power, method)) => {
                self.method = method;
                Ok(Reading::Power(power))
            }
            Err((_, fault)) => Err(ReadError::new(Arc::clone(&zone.path), ReadFault::NotShown(fault))),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::PlatformReading;
    use std::time::Duration;

    fn read(meter: &mut External, at: Timestamp) -> Result<f64, &'static str> {
        let mut readings = Vec::new();
        meter.read(at, &mut readings);
        match readings.remove(0) {
            Ok(Reading::Power(power)) => Ok(power.watts()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.reason()),
        }
    }

    #[test]
    fn two_outlets_are_one_zone_and_without_one_of_them_there_is_none() {
        let (board, start) = (PlatformBoard::default(), Timestamp::now());
        let outlet = |name: &str, error_ratio: Option<f64>| {
            PlatformMeter::new("http", name, "").with(|meter| {
                meter.method = error_ratio.map_or(Method::Measured, |error_ratio| Method::Estimated { error_ratio });
                meter.path = format!("http://{name}").into();
            })
        };
        let (a, b) = (outlet("a", None), outlet("b", Some(0.1)));
        let zone = ExternalZone::new(board.clone(), ZoneKind::Psys, vec![a.clone(), b.clone()]);
        let show = |meter: &PlatformMeter, watts: f64, seconds: u64| {
            let at = start.advanced(Duration::from_secs(seconds));
            board.report(meter, PlatformReading::new(Power::from_watts(watts), at));
        };
        show(&a, 60.0, 0);
        let refused = External::open(&zone, start).unwrap_err().to_string();
        assert!(refused.contains("b (http://b) (psys) shows no power: not_read"), "{refused}");
        show(&b, 20.0, 0);
        let mut meter = External::open(&zone, start).unwrap();
        assert_eq!(&*meter.zones()[0].path, "a (http://a) + b (http://b)");
        assert_eq!(read(&mut meter, start), Ok(80.0));
        assert_eq!(meter.method(), Method::Estimated { error_ratio: 0.025 });
        // One that fails once shows its last figure, as long as that is not old.
        board.fail(&b, "timeout");
        assert_eq!(read(&mut meter, start.advanced(Duration::from_secs(60))), Ok(80.0));
        show(&a, 70.0, 130);
        let later = start.advanced(Duration::from_secs(130));
        assert_eq!(read(&mut meter, later), Err("timeout"), "the fault says why it is old");
        show(&b, 40_000.0, 130);
        assert_eq!(read(&mut meter, later), Err("implausible"));
        show(&b, 30.0, 131);
        assert_eq!(read(&mut meter, later), Ok(100.0));
        assert_eq!(read(&mut meter, start.advanced(Duration::from_secs(300))), Err("stale"));
    }
}
