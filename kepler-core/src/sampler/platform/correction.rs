//! Correcting the machine's estimate by what a meter of the whole shows, and keeping what was learned.

use super::Platform;
use crate::calibration::{KeptCorrection, LiveCorrection, is_old};
use crate::host::{Host, Timestamp};
use crate::meter::Method;
use crate::meter::chain::Chain;
use crate::platform::PlatformMeter;
use crate::snapshot::{EstimateCorrection, Snapshot};
use crate::units::ZoneKind;
use std::sync::Arc;

/// What was learned of the estimate so far.
#[derive(Default)]
pub(super) struct Learning {
    host: Host,
    live: LiveCorrection,
    correction: Option<EstimateCorrection>,
    /// By what estimates are multiplied now.
    in_effect: Option<f64>,
    /// What outlives the program; renewed with each reading.
    kept: Option<Arc<KeptCorrection>>,
    /// Whether that is of an earlier run, and neither its meter nor its estimate was seen in this one.
    is_estimate_unseen: bool,
    is_meter_unseen: bool,
}

impl Learning {
    /// Begins with what an earlier run has learned, as far as it holds.
    pub(super) fn resumed(host: &Host, kept: Option<KeptCorrection>, at: Timestamp) -> Self {
        let host = host.clone();
        let Some(kept) = kept else { return Learning { host, ..Learning::default() } };
        match kept.restored(&host, at.wall) {
            Ok(live) => {
                let newest = kept.newest();
                let correction = live.scale().map(|scale| EstimateCorrection::new(kept.source.as_str(), scale, newest));
                let kept = Some(Arc::new(kept));
                Learning {
                    host,
                    live,
                    correction,
                    kept,
                    is_estimate_unseen: true,
                    is_meter_unseen: true,
                    in_effect: None,
                }
            }
            Err(reason) => {
                tracing::info!("what was learned of the estimate by {} is not used: {reason}", kept.source);
                Learning { host, ..Learning::default() }
            }
        }
    }

    /// Another meter begins elsewhere.
    pub(super) fn begin_again(&mut self) {
        (self.live, self.kept) = (LiveCorrection::default(), None);
    }

    /// Takes what the zones, as they are corrected, and the whole less its accelerators drew in a time, in watts.
    pub(super) fn observe(&mut self, zones: f64, whole: f64, elapsed: std::time::Duration) {
        self.live.observe(zones / self.in_effect.unwrap_or(1.0), whole, elapsed);
    }

    /// Before the readings of a meter are taken: what was kept may be of another one.
    pub(super) fn meet(&mut self, meter: &PlatformMeter) {
        if std::mem::take(&mut self.is_meter_unseen)
            && self.kept.as_ref().is_some_and(|kept| kept.source != meter.source || kept.meter != identity(meter))
        {
            self.begin_again();
        }
    }

    /// After new readings.
    pub(super) fn renew(&mut self, meter: &PlatformMeter, snapshot: &Snapshot) {
        let newest = snapshot.at.wall;
        if let Some(scale) = self.live.scale() {
            self.correction = Some(EstimateCorrection::new(meter.source, scale, newest));
        }
        let kept = match &self.kept {
            Some(kept) => kept.renewed(newest, self.live),
            None => {
                let estimate = estimate(snapshot);
                KeptCorrection::of(&self.host, meter.source, &identity(meter), &estimate, newest, self.live)
            }
        };
        self.kept = Some(Arc::new(kept));
    }

    /// What was kept may be of another estimate: another model, another version of it.
    fn meet_estimate(&mut self, snapshot: &Snapshot) {
        if !self.is_estimate_unseen || !snapshot.node.zones().any(|(_, zone)| is_estimated(zone.method)) {
            return;
        }
        self.is_estimate_unseen = false;
        if self.kept.as_ref().is_some_and(|kept| kept.estimate != estimate(snapshot)) {
            tracing::info!("what was learned of another estimate is not used");
            self.begin_again();
            self.correction = None;
        }
    }
}

impl Platform {
    /// Corrects the chain's estimate from now on, and shows by what.
    pub(in crate::sampler) fn correct(&mut self, at: &Timestamp, chain: &mut Chain, snapshot: &mut Snapshot) {
        let learning = &mut self.learning;
        learning.meet_estimate(snapshot);
        let correction = learning.correction.as_ref().filter(|correction| !is_old(correction.age(at)));
        let is_used = chain.rescale(correction.map(|correction| correction.scale));
        let correction = correction.filter(|_| is_used);
        learning.in_effect = correction.map(|correction| correction.scale.factor);
        if let Some(correction) = correction {
            snapshot.correct_estimates(correction);
        }
        snapshot.kept_correction.clone_from(&learning.kept);
    }
}

fn is_estimated(method: Method) -> bool {
    matches!(method, Method::Estimated { .. })
}

/// Which meter it is, in words.
fn identity(meter: &PlatformMeter) -> String {
    [&meter.bmc_id, &meter.chassis_id, &meter.source_type, &meter.source_id].map(|word| &**word).join(" ")
}

/// What is corrected, in words. In which folder its files are says nothing of it.
fn estimate(snapshot: &Snapshot) -> String {
    let zones = snapshot.node.zones().filter(|(kind, zone)| is_estimated(zone.method) && *kind != ZoneKind::Gpu);
    let words = zones
        .map(|(kind, zone)| format!("{kind} {} {}", zone.source, zone.path.rsplit('/').next().unwrap_or_default()));
    words.chain([env!("CARGO_PKG_VERSION").to_owned()]).collect::<Vec<_>>().join(", ")
}
