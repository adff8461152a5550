//! What a model says of one moment.

use crate::units::{PerZone, Power, ZoneKind};

/// The power of each component the model describes, made plausible.
///
/// - Below zero and above the component's [ceiling](super::Model::ceiling) a value is clipped, and counted.
/// - What is no number (a curve outside its domain) is absent, and counted. Absent is not zero.
/// - Where core is zero and package is known, core is package − uncore: RAPL domains that the training machine
///   did not have are published as models of constant zero. Package is then at least core + uncore.
#[derive(Clone, Copy, Debug)]
pub struct Prediction {
    /// NaN where absent.
    watts: PerZone<f64>,
    clipped: u8,
}

impl Prediction {
    /// No component known yet.
    pub(super) fn nothing() -> Self {
        Prediction { watts: PerZone::from_fn(|_| f64::NAN), clipped: 0 }
    }

    /// The power of a component, or `None` where the model does not describe it or gives no number.
    /// `platform` is [`ZoneKind::Psys`].
    #[must_use]
    pub fn power(&self, zone: ZoneKind) -> Option<Power> {
        let watts = self.watts[zone];
        (!watts.is_nan()).then(|| Power::from_watts(watts))
    }

    /// How many components were absurd: clipped, or absent for being no number. 0 for a sound prediction.
    #[must_use]
    pub fn clipped(&self) -> u32 {
        u32::from(self.clipped)
    }

    /// Takes what a component's formula gave.
    pub(super) fn set(&mut self, zone: ZoneKind, raw: f64, ceiling: f64) {
        // max and min would turn NaN into a number.
        let watts = if raw.is_nan() { raw } else { raw.clamp(0.0, ceiling) };
        self.clipped += u8::from(watts != raw);
        self.watts[zone] = watts;
    }

    /// Makes package, core and uncore agree.
    pub(super) fn reconcile(&mut self) {
        let (package, core) = (self.watts[ZoneKind::Package], self.watts[ZoneKind::Core]);
        if package.is_nan() || core.is_nan() {
            return;
        }
        let uncore = self.watts[ZoneKind::Uncore];
        let uncore = if uncore.is_nan() { 0.0 } else { uncore };
        let core = if core == 0.0 { (package - uncore).max(0.0) } else { core };
        self.watts[ZoneKind::Core] = core;
        self.watts[ZoneKind::Package] = package.max(core + uncore);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(package: f64, core: f64, uncore: f64) -> Prediction {
        let mut prediction = Prediction::nothing();
        for (zone, raw) in [(ZoneKind::Package, package), (ZoneKind::Core, core), (ZoneKind::Uncore, uncore)] {
            prediction.set(zone, raw, 1000.0);
        }
        prediction.reconcile();
        prediction
    }

    fn watts(prediction: &Prediction, zone: ZoneKind) -> f64 {
        prediction.power(zone).unwrap().watts()
    }

    #[test]
    fn a_core_of_zero_is_what_uncore_leaves_of_the_package() {
        let prediction = prediction(100.0, 0.0, 30.0);
        assert_eq!(watts(&prediction, ZoneKind::Core), 70.0);
        assert_eq!(watts(&prediction, ZoneKind::Package), 100.0);
        assert_eq!(prediction.clipped(), 0);
    }

    #[test]
    fn a_package_contains_its_parts() {
        assert_eq!(watts(&prediction(100.0, 80.0, 30.0), ZoneKind::Package), 110.0);
        assert_eq!(watts(&prediction(10.0, 0.0, 30.0), ZoneKind::Package), 30.0);
    }

    #[test]
    fn absurd_watts_are_clipped_and_counted() {
        let prediction = prediction(1e9, -5.0, f64::NAN);
        assert_eq!(watts(&prediction, ZoneKind::Package), 1000.0);
        assert_eq!(prediction.power(ZoneKind::Uncore), None);
        assert_eq!(prediction.clipped(), 3);
    }

    #[test]
    fn what_was_not_predicted_is_absent_not_zero() {
        assert_eq!(prediction(1.0, 1.0, 0.0).power(ZoneKind::Dram), None);
        assert_eq!(Prediction::nothing().power(ZoneKind::Package), None);
    }
}
