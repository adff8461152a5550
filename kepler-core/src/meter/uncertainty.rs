//! How far an estimate is to be trusted in each window: [`ErrorBounds`] and [`EstimateWarnings`].

/// How far below and above an estimate the truth lies with 90 % probability, as shares of the estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ErrorBounds {
    /// 0.4: down to 60 % of the estimate. At most 1, since power is never negative.
    pub below: f64,
    /// 1.5: up to two and a half times the estimate.
    pub above: f64,
}

impl ErrorBounds {
    /// Half the width of a 90 % interval in standard deviations of a normal error.
    pub const DEVIATIONS: f64 = 1.645;

    /// Bounds below and above the estimate, as shares of it.
    #[must_use]
    pub const fn new(below: f64, above: f64) -> Self {
        ErrorBounds { below, above }
    }

    /// Those of an error that is the same on both sides, by its standard deviation.
    #[must_use]
    pub fn of_error(error_ratio: f64) -> Self {
        ErrorBounds { below: error_ratio * Self::DEVIATIONS, above: error_ratio * Self::DEVIATIONS }.wider(1.0)
    }

    /// As many times as wide.
    #[must_use]
    pub fn wider(self, factor: f64) -> Self {
        ErrorBounds { below: (self.below * factor).min(1.0), above: self.above * factor }
    }
}

/// How many windows of an estimate deserve a warning so far, and why. One window may count in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EstimateWarnings {
    /// What the model was given lay outside the range it was trained with.
    pub outside_range: u64,
    /// More than half of the last 64 windows did.
    pub drift: u64,
    /// What the model said was absurd, and was clipped.
    pub clipped: u64,
}

impl EstimateWarnings {
    /// Each reason, a short fixed word for labels, with its count.
    #[must_use]
    pub const fn by_reason(self) -> [(&'static str, u64); 3] {
        [("outside_range", self.outside_range), ("drift", self.drift), ("clipped", self.clipped)]
    }
}

/// Counts warnings, and notices drift: that most windows lately were outside the range trained with.
#[cfg(feature = "models")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DriftDetector {
    /// A bit for each of the last 64 windows, set for those outside.
    recent: u64,
    counted: EstimateWarnings,
}

#[cfg(feature = "models")]
impl DriftDetector {
    /// What drift does to an interval: judgement, not measurement.
    const WIDENING: f64 = 1.5;

    /// Notes a window; as how many times wider its interval is to be taken for drift.
    pub(super) fn record(&mut self, is_outside: bool, is_clipped: bool) -> f64 {
        self.recent = self.recent << 1 | u64::from(is_outside);
        let drifts = self.recent.count_ones() > 32;
        self.counted.outside_range += u64::from(is_outside);
        self.counted.drift += u64::from(drifts);
        self.counted.clipped += u64::from(is_clipped);
        if drifts { Self::WIDENING } else { 1.0 }
    }

    pub(super) const fn counted(&self) -> EstimateWarnings {
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "models")]
    #[test]
    fn drift_is_that_most_of_the_last_windows_were_outside() {
        let mut detector = DriftDetector::default();
        let widened: Vec<f64> = (0..40).map(|_| detector.record(true, false)).collect();
        assert_eq!((widened[31], widened[32]), (1.0, 1.5));
        assert_eq!(detector.counted(), EstimateWarnings { outside_range: 40, drift: 8, clipped: 0 });
        // Back in range it is forgotten in as many windows.
        let widened: Vec<f64> = (0..64).map(|_| detector.record(false, true)).collect();
        assert_eq!((widened[0], widened[63]), (1.5, 1.0));
        assert_eq!(detector.counted().clipped, 64);
    }

    #[test]
    fn bounds_never_go_below_no_power_at_all() {
        assert_eq!(ErrorBounds::of_error(0.65).below, 1.0);
        let error_bounds = ErrorBounds::of_error(0.2).wider(2.0);
        assert!((error_bounds.below - 0.658).abs() < 1e-12 && (error_bounds.above - 0.658).abs() < 1e-12);
    }
}
