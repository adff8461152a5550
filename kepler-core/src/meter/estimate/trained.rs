//! The model that this crate carries: watts of one logical CPU by its busy share and its class.
//!
//! `data/default_model.json` is made by `kepler-train` (`cargo run -p kepler-train --example default_model`), in our
//! [own format](crate::model::format), with its card.

use super::{CpuClass, ErrorBounds};
use crate::model::Model;
use crate::units::{Power, ZoneKind};
use std::sync::OnceLock;

const FILE: &[u8] = include_bytes!("../../../data/default_model.json");

/// The power model that estimates where nothing is measured and nothing is configured, with its card. Its features are the busy
/// share of the logical CPUs, the published full-load power of one of them, and the same at the middle frequency; it predicts watts of one.
#[must_use]
pub fn default_model() -> Option<&'static Model> {
    static MODEL: OnceLock<Option<Model>> = OnceLock::new();
    // A test proves that it reads.
    MODEL.get_or_init(|| Model::from_json("default_model", FILE).ok()).as_ref()
}

/// That model for one class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trained {
    model: &'static Model,
    full_watts: f64,
    rest_watts: f64,
}

impl Trained {
    pub(super) fn of(class: &CpuClass) -> Option<Self> {
        default_model().map(|model| Trained { model, full_watts: class.scale_watts(), rest_watts: class.rest_watts() })
    }

    /// Of one logical CPU that is busy for this share of the time.
    pub(super) fn power(&self, share: f64) -> Option<Power> {
        self.model.predict(&self.features(share)).ok()?.power(ZoneKind::Package)
    }

    /// Where the truth lies, and how many times wider that is for a class that no measured machine is of.
    pub(super) fn error_bounds(&self, share: f64) -> Option<(ErrorBounds, f64)> {
        let features = self.features(share);
        let prediction = self.model.predict(&features).ok()?;
        let interval = self.model.interval(&features, &prediction, ZoneKind::Package)?;
        let watts = prediction.power(ZoneKind::Package)?.watts();
        let error_bounds =
            ErrorBounds { below: 1.0 - interval.lower.watts() / watts, above: interval.upper.watts() / watts - 1.0 };
        (error_bounds.below.is_finite() && error_bounds.above.is_finite()).then_some((error_bounds, interval.widening))
    }

    /// Whether the class lies outside of those of the measured machines.
    pub(super) fn is_outside(&self, share: f64) -> bool {
        self.model.outside(&self.features(share)) > 0
    }

    fn features(&self, share: f64) -> [f64; 3] {
        [share.clamp(0.0, 1.0), self.full_watts, self.rest_watts]
    }
}
