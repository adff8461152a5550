//! Sources whose readings succeed and are not to be believed.

use super::ChainOptions;
use crate::availability::Unavailable;
use crate::host::{Host, Timestamp};
use crate::meter::Distrust;
use crate::meter::Reading;
use crate::units::ZoneKind;
use std::time::Duration;

/// A source whose readings were not believed.
pub(super) struct GivenUp {
    pub(super) rank: usize,
    pub(super) distrust: Distrust,
    pub(super) unavailable: Unavailable,
    /// What its zones said: one that stood still is tried again once they say something else.
    pub(super) readings: Vec<Option<Reading>>,
    pub(super) until: Duration,
}

impl GivenUp {
    /// Whether the source may be tried again: a counter that stood still has moved, or time has passed.
    pub(super) fn is_over(&self, host: &Host, options: &ChainOptions, at: &Timestamp) -> bool {
        if at.monotonic >= self.until {
            return true;
        }
        if self.distrust != Distrust::Stuck {
            return false;
        }
        let Some(Ok(mut meter)) = options.sources.get(self.rank).map(|source| source.open(host, options, *at)) else {
            return false;
        };
        let mut readings = Vec::new();
        meter.read(*at, &mut readings);
        let kinds = meter.inventory().zones.iter().map(|zone| zone.kind);
        readings.iter().zip(&self.readings).zip(kinds).any(|((now, before), kind)| {
            kind == ZoneKind::Package && now.as_ref().ok() != before.as_ref() && now.is_ok()
        })
    }
}
