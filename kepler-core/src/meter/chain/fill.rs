//! Parts of a kind of zone that cannot be read, estimated from those that can.
//!
//! Sockets of one machine are alike: a missing one draws what the present ones draw, scaled by how busy its
//! processors are against theirs. Of the power at full load a share is drawn at rest as well, so
//! `P = P_present · (a + (1 − a) · u) / (a + (1 − a) · u_present)`, with `u` the busy share of the processors and `a` = 0.35.
//! The error of that, one standard deviation, is 15 % of the part where both are equally busy, and up to 65 % where
//! one is idle and the other busy. Share and errors are judgement, not measurement.

use super::watch::BusyClock;
use crate::counter::EnergyDelta;
use crate::host::{BusyTime, CpuDomains, CpuTimes, Host, Timestamp};
use crate::meter::{Drawn, ReadError, ReadFault, Zone};
use crate::units::{Energy, PerZone, Power, ZoneKind};
use std::sync::Arc;
use std::time::Duration;

/// What a socket draws at rest, of what it draws at full load.
const IDLE_SHARE: f64 = 0.35;
/// Relative error of a part whose processors are as busy as those it is estimated from.
pub(super) const ERROR_ALIKE: f64 = 0.15;
/// What the difference of the busy shares adds to it.
const ERROR_UNLIKE: f64 = 0.5;

/// What one zone that is read drew: its kind, its package, and its mean power where that is known.
pub(super) type Present = (ZoneKind, Option<u32>, Option<Power>);

/// Nothing estimated yet.
const NOTHING: Drawn =
    Drawn { delta: EnergyDelta::First, window: Duration::ZERO, energy: Energy::ZERO, elapsed: Duration::ZERO };

/// The estimated parts.
#[derive(Debug)]
pub(super) struct Fill {
    parts: Vec<Part>,
    domains: CpuDomains,
    times: Vec<CpuTimes>,
    busy: Vec<BusyTime>,
    /// Busy share of each domain's processors in the last window.
    shares: Vec<Option<f64>>,
    last: Option<Timestamp>,
    /// Relative error of the whole of each kind.
    errors: PerZone<Option<f64>>,
}

#[derive(Debug)]
struct Part {
    source: &'static str,
    zone: Zone,
    /// What was estimated in the last window.
    last: Drawn,
    is_whole_package: bool,
}

impl Fill {
    /// Estimates these parts, each with the source that does not have it; `is_whole_package` says whether the package
    /// has no zone of that kind at all.
    pub(super) fn new(host: &Host, parts: impl Iterator<Item = (&'static str, ZoneKind, Option<u32>, bool)>) -> Self {
        let parts: Vec<Part> = parts
            .map(|(source, kind, package, is_whole_package)| {
                let socket = package.map(|number| format!(" of socket {number}")).unwrap_or_default();
                let mut zone = Zone::new(kind, format!("missing {kind}{socket}, estimated from the others"));
                zone.package = package;
                Part { source, zone, last: NOTHING, is_whole_package }
            })
            .collect();
        let domains = CpuDomains::read(host);
        let mut errors = PerZone::from_fn(|_| None);
        for part in &parts {
            errors[part.zone.kind] = Some(ERROR_ALIKE);
        }
        Fill {
            parts,
            times: Vec::with_capacity(domains.len()),
            busy: vec![BusyTime::default(); domains.len()],
            shares: vec![None; domains.len()],
            domains,
            last: None,
            errors,
        }
    }

    /// The estimated zones, each with the source that lacks it.
    pub(super) fn zones(&self) -> impl Iterator<Item = (&'static str, &Zone)> {
        self.parts.iter().map(|part| (part.source, &part.zone))
    }

    /// The relative error of a kind's sum; `None` if nothing of it is estimated.
    pub(super) fn error(&self, kind: ZoneKind) -> Option<f64> {
        self.errors[kind]
    }

    /// What was estimated in the last window, with the source, kind and package that it stands for.
    pub(super) fn estimated(&self) -> impl Iterator<Item = (&'static str, ZoneKind, Option<u32>, Drawn)> {
        self.parts.iter().map(|part| (part.source, part.zone.kind, part.zone.package, part.last))
    }

    /// Adds a reading for each part, from what the present zones drew.
    pub(super) fn advance(
        &mut self,
        at: Timestamp,
        drawn: &[Present],
        busy: &BusyClock,
        readings: &mut Vec<Result<Drawn, ReadError>>,
    ) {
        self.read_processors(at, busy);
        let elapsed = self.last.map_or(Duration::ZERO, |last| at.since(&last));
        let (mut whole, mut uncertain): (PerZone<f64>, PerZone<f64>) = Default::default();
        for (kind, _, power) in drawn {
            whole[*kind] += power.map_or(0.0, |power| power.watts());
        }
        let is_known = self.last.is_none() || drawn.iter().any(|(_, _, power)| power.is_some());
        if is_known {
            self.last = Some(at);
        }
        for index in 0..self.parts.len() {
            let Some(part) = self.parts.get(index) else { continue };
            let estimate = self.estimate(part, drawn);
            let Some(part) = self.parts.get_mut(index) else { continue };
            part.last = NOTHING;
            match estimate {
                Some((power, error)) => {
                    whole[part.zone.kind] += power.watts();
                    uncertain[part.zone.kind] += power.watts() * error;
                    if !elapsed.is_zero() {
                        part.last = Drawn::of(EnergyDelta::Exact(power * elapsed), elapsed);
                    }
                    readings.push(Ok(part.last));
                }
                // The first reading: nothing is known of the others yet.
                None if elapsed.is_zero() => readings.push(Ok(part.last)),
                None => {
                    let fault = ReadFault::Invalid("no present zone to estimate it from");
                    readings.push(Err(ReadError::new(Arc::clone(&part.zone.path), fault)));
                }
            }
        }
        for (kind, error) in self.errors.iter_mut() {
            if error.is_some() && whole[kind] > 0.0 {
                *error = Some(uncertain[kind] / whole[kind]);
            }
        }
    }

    /// The power of a part and its relative error.
    fn estimate(&self, part: &Part, drawn: &[Present]) -> Option<(Power, f64)> {
        let (mut watts, mut zones, mut packages, mut load, mut loads) = (0.0, 0u32, 0u32, 0.0, 0u32);
        let present = || drawn.iter().filter(|(kind, _, _)| *kind == part.zone.kind);
        for (index, (_, package, power)) in present().enumerate() {
            watts += (*power)?.watts();
            zones += 1;
            packages += u32::from(!present().take(index).any(|(_, earlier, _)| earlier == package));
            if let Some(share) = self.share(*package) {
                (load, loads) = (load + share, loads + 1);
            }
        }
        let count = f64::from(if part.is_whole_package { packages } else { zones });
        if count == 0.0 {
            return None;
        }
        let alike = watts / count;
        let shares = self.share(part.zone.package).zip((loads > 0).then(|| load / f64::from(loads.max(1))));
        let Some((own, others)) = shares else {
            return Some((Power::from_watts(alike), ERROR_ALIKE + ERROR_UNLIKE / 2.0));
        };
        let at = |share: f64| IDLE_SHARE + (1.0 - IDLE_SHARE) * share;
        Some((Power::from_watts(alike * at(own) / at(others)), ERROR_ALIKE + ERROR_UNLIKE * (own - others).abs()))
    }

    fn read_processors(&mut self, at: Timestamp, busy: &BusyClock) {
        self.shares.fill(None);
        let Some(reading) = busy.processors(at) else { return };
        let Some(reader) = reading.reader() else { return };
        reader.by_domain(&self.domains, &mut self.times);
        for ((times, busy), share) in self.times.iter().zip(&mut self.busy).zip(&mut self.shares) {
            let Some(window) = busy.advance(*times, at) else { continue };
            let capacity = window.elapsed.as_secs_f64() * f64::from(times.processors);
            *share = (capacity > 0.0).then(|| (window.busy.as_secs_f64() / capacity).clamp(0.0, 1.0));
        }
    }

    /// The busy share of a package's processors, or of all where it is not known which package is meant.
    fn share(&self, package: Option<u32>) -> Option<f64> {
        let (mut busy, mut processors) = (0.0, 0u32);
        for ((domain, share), times) in self.domains.iter().zip(&self.shares).zip(&self.times) {
            if package.is_none_or(|package| package == domain.package) {
                busy += (*share)? * f64::from(times.processors);
                processors += times.processors;
            }
        }
        (processors > 0).then(|| busy / f64::from(processors))
    }
}
