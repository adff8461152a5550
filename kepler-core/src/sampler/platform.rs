//! The whole machine: takes over what its meters have shown, and works out what is left beside the machine's parts.
//!
//! A meter's readings are not of the moments of ticks. So the parts' energy at each tick is remembered for some minutes, and
//! what they drew between two readings is read off in between.

mod charges;
mod correction;
mod estimate;

use super::faults::Faults;
use crate::calibration::KeptCorrection;
use crate::calibration::wall::WallModel;
use crate::host::{Host, Timestamp};
use crate::meter::Method;
use crate::platform::{BoardRow, PlatformAttribution, PlatformBoard, PlatformMeter, PlatformScope, Segment};
use crate::snapshot::{NodeZone, PlatformResidual, Snapshot};
use crate::units::{Energy, PerZone, ZoneKind};
use charges::Charges;
pub(super) use charges::Workloads;
use correction::Learning;
use estimate::Estimate;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long the parts' energy is remembered: as long as a reading may be old, and the gap before it.
const REMEMBERED: Duration = Duration::from_secs(900);
/// Moments remembered at most, and how far apart they are at least.
const MOST: usize = 2048;
const LEAST_APART: Duration = Duration::from_millis(450);
/// The load is smoothed over this time: BMCs show means.
const SMOOTHED: f64 = 60.0;
/// Parts that say more than this share beyond the whole are no error of measurement.
const TOLERATED: f64 = 1.05;
/// The largest relative error that is told: of a rest of nearly nothing it has no bounds.
const MOST_ERROR: f64 = 100.0;

/// All meters of the whole machine.
#[derive(Default)]
pub(super) struct Platform {
    board: PlatformBoard,
    rows: Vec<BoardRow>,
    segments: Vec<Segment>,
    /// What sources failed and succeeded; empty between ticks.
    failed: Vec<(&'static str, &'static str, u64)>,
    delivered: Vec<(&'static str, Timestamp)>,
    load: Option<f64>,
    /// Which zones are parts, and what they had drawn.
    zones: PerZone<bool>,
    parts: VecDeque<Parts>,
    residual: Option<Residual>,
    learning: Learning,
    /// The newest reading of the meter of the whole.
    newest: Option<Timestamp>,
    /// Where the rest is charged to workloads.
    charges: Option<Charges>,
    /// Where it was learned what the whole draws by what its parts do.
    estimate: Option<Estimate>,
}

/// What the parts had drawn by a moment.
#[derive(Clone, Copy)]
struct Parts {
    at: Duration,
    zones: Energy,
    gpus: Energy,
}

/// What is left of the whole.
struct Residual {
    meter: Arc<PlatformMeter>,
    method: Method,
    /// Whole less parts, microjoules; and the most that it has been.
    balance: i128,
    highest: i128,
    covered: Duration,
    /// The end of what was counted, on the monotonic clock.
    until: Duration,
    watts: Option<f64>,
    fault: Option<&'static str>,
    /// The relative errors of the whole and of its parts.
    errors: (f64, f64),
}

impl Platform {
    /// What reports to a board, and what was learned of the whole; `None` where there is neither.
    pub(super) fn open(
        board: Option<PlatformBoard>,
        attribution: PlatformAttribution,
        learned: Option<WallModel>,
        (host, kept): (&Host, Option<KeptCorrection>),
    ) -> Option<Self> {
        if board.is_none() && learned.is_none() {
            return None;
        }
        let charges = (attribution == PlatformAttribution::Proportional).then(Charges::new);
        let (board, estimate) = (board.unwrap_or_default(), learned.map(Estimate::new));
        let learning = Learning::resumed(host, kept, Timestamp::now());
        // A tick asks for no memory: all the room that there will be.
        let parts = VecDeque::with_capacity(MOST + 1);
        Some(Platform { board, charges, estimate, learning, parts, ..Platform::default() })
    }

    /// The number of the newest charge to workloads.
    pub(super) fn number(&self) -> u64 {
        self.charges.as_ref().map_or(0, Charges::number)
    }

    /// Takes the energy of workloads that are no longer listed into the zone's account.
    pub(super) fn drop_energy(&mut self, energy: Energy) {
        if let Some(charges) = &mut self.charges {
            charges.drop_energy(energy);
        }
    }

    /// Takes over what was reported. `snapshot` already shows this tick's zones and devices.
    pub(super) fn tick(
        &mut self,
        at: Timestamp,
        snapshot: &Snapshot,
        workloads: &mut Workloads<'_>,
        faults: &mut Faults,
    ) {
        let load = snapshot.node.usage_ratio;
        let weight = 1.0 - (-snapshot.interval.as_secs_f64() / SMOOTHED).exp();
        let load = self.load.map_or(load, |before| before + (load - before) * weight);
        self.load = Some(load);
        self.remember(at, snapshot);
        if let Some(estimate) = &mut self.estimate {
            estimate.report(&self.board, at, snapshot);
        }
        let (rows, segments) = (&mut self.rows, &mut self.segments);
        rows.clear();
        segments.clear();
        let (mut failed, mut delivered) = (std::mem::take(&mut self.failed), std::mem::take(&mut self.delivered));
        let before = self.residual.as_ref().map(|residual| Arc::clone(&residual.meter));
        let mut of_node: Option<(u8, Arc<PlatformMeter>, Option<Timestamp>)> = None;
        self.board.take(
            load,
            |row, new| {
                // What is estimated by the parts leaves nothing beside them that was measured.
                let is_measured = row.meter.source != estimate::SOURCE;
                let is_node = row.meter.scope == PlatformScope::Node && row.fault != Some("replaced") && is_measured;
                let rank = rank(&row, at, before.as_deref());
                if is_node && of_node.as_ref().is_none_or(|(best, ..)| rank < *best) {
                    of_node = Some((rank, Arc::clone(&row.meter), row.newest.map(|(newest, _)| newest)));
                    segments.clear();
                    segments.extend_from_slice(new);
                }
                rows.push(row);
            },
            |source, reason, count| failed.push((source, reason, count)),
            |source, at| delivered.push((source, at)),
        );
        failed.drain(..).for_each(|(source, reason, count)| faults.failed_times(source, reason, count));
        delivered.drain(..).for_each(|(source, at)| faults.succeeded(source, at));
        (self.failed, self.delivered) = (failed, delivered);
        if let Some((_, meter, newest)) = of_node {
            self.subtract(&meter, snapshot);
            let is_new = std::mem::replace(&mut self.newest, newest) != newest;
            self.charge(at, is_new, snapshot, workloads);
        }
    }

    /// Charges what is new of the rest to workloads, where that is wanted.
    fn charge(&mut self, at: Timestamp, is_new: bool, snapshot: &Snapshot, workloads: &mut Workloads<'_>) {
        let (Some(charges), Some(residual)) = (&mut self.charges, &self.residual) else { return };
        let mut parts = self.zones;
        parts[ZoneKind::Gpu] = residual.meter.contains_gpus && snapshot.node.zones[ZoneKind::Gpu].is_some();
        let rest = (microjoules(residual.highest), residual.covered);
        charges.update(rest, &parts, is_new, snapshot, workloads);
        let is_shown = self.rows.iter().any(|row| row.meter == residual.meter && row.shown(&at).power.is_some());
        charges.show(is_shown && residual.watts.is_some(), workloads.processes);
    }

    fn remember(&mut self, at: Timestamp, snapshot: &Snapshot) {
        let now = at.monotonic;
        let energy = |zone: ZoneKind| snapshot.node.zones[zone].as_ref().map_or(Energy::ZERO, |zone| zone.energy);
        let parts = ZoneKind::addable(|zone| {
            // A platform zone is the whole by another meter.
            !matches!(zone, ZoneKind::Gpu | ZoneKind::Psys | ZoneKind::Platform) && snapshot.node.zones[zone].is_some()
        });
        let zones = parts.iter().filter(|(_, is_part)| **is_part).map(|(zone, _)| energy(zone)).sum();
        if self.zones != parts {
            // Sums of other zones than before have nothing to do with each other.
            self.parts.clear();
            self.zones = parts;
        }
        if !parts.iter().any(|(_, is_part)| *is_part) && snapshot.devices.is_empty() {
            return;
        }
        let entry = Parts { at: now, zones, gpus: energy(ZoneKind::Gpu) };
        // At a quick pace the newest stands in for the one before, until that is far enough from its own.
        let before_last = self.parts.len().checked_sub(2).and_then(|index| self.parts.get(index));
        if before_last.is_some_and(|before| now.saturating_sub(before.at) < LEAST_APART) {
            self.parts.pop_back();
        }
        self.parts.push_back(entry);
        let is_old = |parts: &Parts| now.saturating_sub(parts.at) > REMEMBERED;
        while self.parts.len() > MOST || self.parts.front().is_some_and(is_old) {
            self.parts.pop_front();
        }
    }

    /// What the parts had drawn by a moment, microjoules; `None` before the first tick.
    fn parts_at(&self, moment: Duration, with_gpus: bool) -> Option<f64> {
        let sum = |parts: &Parts| {
            let gpus = if with_gpus { parts.gpus } else { Energy::ZERO };
            (parts.zones + gpus).microjoules() as f64
        };
        let after = self.parts.partition_point(|parts| parts.at < moment);
        let later = self.parts.get(after)?;
        if later.at == moment {
            return Some(sum(later));
        }
        let earlier = self.parts.get(after.checked_sub(1)?)?;
        let share = moment.saturating_sub(earlier.at).as_secs_f64() / later.at.saturating_sub(earlier.at).as_secs_f64();
        Some(sum(earlier) + (sum(later) - sum(earlier)) * share)
    }

    fn subtract(&mut self, meter: &Arc<PlatformMeter>, snapshot: &Snapshot) {
        let mut segments = std::mem::take(&mut self.segments);
        let mut residual = match self.residual.take() {
            Some(residual) => residual,
            None => Residual::new(meter),
        };
        if !residual.meter.is_same(meter) {
            self.learning.begin_again();
        }
        self.learning.meet(meter);
        residual.meter = Arc::clone(meter);
        // What another meter has shown already counts once.
        let until = residual.until;
        segments.retain(|segment| segment.from >= until);
        let parts_method = self.parts_method(meter.contains_gpus, snapshot);
        residual.take_methods(meter.method, parts_method);
        // A meter of the whole tells nothing new of what is measured, nor does an estimate of the whole.
        let zones = snapshot.machine_zones();
        let mut zones = snapshot.node.zones().filter(|(zone, _)| zones[*zone] && *zone != ZoneKind::Gpu).peekable();
        let is_estimated = meter.method == Method::Measured
            && zones.peek().is_some()
            && zones.all(|(_, zone)| matches!(zone.method, Method::Estimated { .. }));
        let mut is_news = false;
        for segment in &segments {
            residual.until = residual.until.max(segment.to);
            let known =
                self.parts_at(segment.from, meter.contains_gpus).zip(self.parts_at(segment.to, meter.contains_gpus));
            match known {
                Some((from, to)) => {
                    residual.add(segment, to - from);
                    if is_estimated && let Some(zones) = self.zones_between(segment) {
                        let gpus = to - from - zones;
                        let elapsed = segment.to.saturating_sub(segment.from);
                        let watts = |microjoules: f64| microjoules / 1e6 / elapsed.as_secs_f64();
                        let whole = segment.energy.microjoules() as f64 - gpus;
                        self.learning.observe(watts(zones), watts(whole), elapsed);
                        is_news = true;
                    }
                }
                None => residual.watts = None,
            }
        }
        (self.residual, self.segments) = (Some(residual), segments);
        if is_news {
            self.learning.renew(meter, snapshot);
        }
    }

    /// How what the parts together are said to draw came to be.
    fn parts_method(&self, with_gpus: bool, snapshot: &Snapshot) -> Method {
        let is_part = |zone: ZoneKind| if zone == ZoneKind::Gpu { with_gpus } else { self.zones[zone] };
        let parts = || snapshot.node.zones().filter(|(zone, _)| is_part(*zone)).map(|(_, zone)| zone);
        let has_power = parts().all(|zone| zone.power.is_some());
        let power = |zone: &NodeZone| zone.power.filter(|_| has_power).map(|power| power.total.watts());
        let sizes = parts().map(|zone| (power(zone).unwrap_or_else(|| zone.energy.joules()), zone.method));
        Method::of_sum(sizes).unwrap_or(Method::Measured)
    }

    /// What the zones alone drew meanwhile, microjoules.
    fn zones_between(&self, segment: &Segment) -> Option<f64> {
        Some(self.parts_at(segment.to, false)? - self.parts_at(segment.from, false)?)
    }

    /// Shows the meters and the rest.
    pub(super) fn publish(&self, snapshot: &mut Snapshot, at: &Timestamp) {
        snapshot.platform.clear();
        snapshot.platform.extend(self.rows.iter().map(|row| row.shown(at)));
        snapshot.platform_residual = self.residual.as_ref().map(|residual| {
            let is_shown = snapshot.platform.iter().any(|row| row.meter == residual.meter && row.power.is_some());
            PlatformResidual {
                meter: Arc::clone(&residual.meter),
                energy: microjoules(residual.highest),
                deficit: microjoules(residual.highest - residual.balance),
                covered: residual.covered,
                watts: residual.watts.filter(|_| is_shown),
                method: residual.method,
                fault: residual.fault.filter(|_| is_shown),
            }
        });
        if let Some(charges) = &self.charges {
            let residual = self.residual.as_ref();
            let row = residual.and_then(|residual| snapshot.platform.iter().find(|row| row.meter == residual.meter));
            // Before the second reading there is nothing to tell, and before the first not even whether there will be one.
            let missing = row.map_or(Some("not_read"), |row| row.fault);
            let fault = missing.or_else(|| residual.and_then(|residual| residual.fault));
            snapshot.node.zones[ZoneKind::Platform] = Some(charges.zone(residual, fault));
        }
    }
}

impl Residual {
    fn new(meter: &Arc<PlatformMeter>) -> Self {
        Residual {
            meter: Arc::clone(meter),
            method: meter.method,
            balance: 0,
            highest: 0,
            covered: Duration::ZERO,
            until: Duration::ZERO,
            watts: None,
            fault: None,
            errors: (0.0, 0.0),
        }
    }

    /// How the whole and its parts came to be: the rest as the weaker of both. Until both are known over a time, its error is at
    /// least the larger one.
    fn take_methods(&mut self, whole: Method, parts: Method) {
        let before = self.method.error_ratio();
        let error = |method: Method| method.error_ratio().unwrap_or(0.0);
        self.errors = (error(whole), error(parts));
        self.method = whole.weaker(parts);
        self.method = self.method.with_error(before.unwrap_or(0.0).max(error(self.method)));
    }

    /// The error of a difference: those of both terms, which have nothing to do with each other, beside what is left. A small rest of
    /// two large figures is known badly.
    fn propagate(&mut self, whole: f64, parts: f64) {
        let error = (whole * self.errors.0).hypot(parts * self.errors.1);
        let rest = (whole - parts).abs().max(error / MOST_ERROR);
        self.method = self.method.with_error(if rest > 0.0 { error / rest } else { 0.0 });
    }

    /// Takes what the whole drew in a time, and what its parts did, in microjoules.
    fn add(&mut self, segment: &Segment, parts: f64) {
        let (whole, elapsed) = (segment.energy.microjoules() as f64, segment.to.saturating_sub(segment.from));
        self.balance += i128::from(segment.energy.microjoules()) - parts.round() as i128;
        self.highest = self.highest.max(self.balance);
        self.covered += elapsed;
        self.watts = (!elapsed.is_zero()).then(|| (whole - parts) / 1e6 / elapsed.as_secs_f64());
        self.fault = (parts > whole * TOLERATED).then_some("below_parts");
        self.propagate(whole, parts);
    }
}

/// Which of several meters of the node the rest is that of; the least. One that shows something now stands before those that do
/// not; the one so far before others of its kind; then one that an operator has put at the socket, then the BMC's.
fn rank(row: &BoardRow, at: Timestamp, before: Option<&PlatformMeter>) -> u8 {
    let is_old = row.newest.is_none_or(|(newest, _)| at.since(&newest) > row.meter.max_age);
    let source = match row.meter.source {
        "http" | "prometheus" => 0,
        "redfish" => 1,
        "ipmi" => 2,
        "acpi" => 3,
        _ => 4,
    };
    let is_other = !before.is_some_and(|before| before.is_same(&row.meter));
    u8::from(is_old) * 32 + source * 2 + u8::from(is_other)
}

fn microjoules(amount: i128) -> Energy {
    Energy::from_microjoules(u64::try_from(amount.max(0)).unwrap_or(u64::MAX))
}
