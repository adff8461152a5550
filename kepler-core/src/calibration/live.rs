//! Correcting an estimate while it is used, by a meter of the whole machine that shows something now and then: [`LiveCorrection`].

use super::ERROR_CALIBRATED;
use std::time::Duration;

/// Readings count half as much after this time of later ones.
const HALF_LIFE: f64 = 6.0 * 3600.0;
/// Nothing is corrected by less, s, nor by fewer readings.
const LEAST_SECONDS: f64 = 600.0;
const LEAST_READINGS: u32 = 8;
/// How much the estimate must vary: its standard deviation over its mean.
const LEAST_SPREAD: f64 = 0.05;
/// How much of the variance of one the other explains: the square of their correlation.
const LEAST_AGREEMENT: f64 = 0.8;
/// How well the slope must be known, relative to itself.
const MOST_SLOPE_ERROR: f64 = 0.2;
/// Estimates are not off by more: then it is another machine that the meter shows.
const MOST_FACTOR: f64 = 5.0;
/// How far off [`LiveCorrection::WALL_PER_WATT`] is from machine to machine, relative to it: judgement, for one was measured.
const WALL_ERROR: f64 = 0.12;

/// By what an estimate is multiplied, and how far off it is then.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Scale {
    /// Above zero.
    pub factor: f64,
    /// Expected relative error of the corrected estimate, one standard deviation.
    pub error_ratio: f64,
}

/// Learns from pairs of what an estimate said, uncorrected, and what a meter of the whole machine showed.
///
/// What a service processor or a meter at the socket shows contains more than the processors: fans, disks, losses of the power supply. Where it
/// begins says nothing of them, but how much it rises when the estimate does: a watt of the processors is about
/// [1.3 W at the socket](LiveCorrection::WALL_PER_WATT). So the whole estimate is multiplied by what makes it rise so. Old readings are forgotten
/// by half in six hours of readings, and nothing is corrected before ten minutes of them, with a load that varies.
///
/// ```
/// use kepler_core::calibration::LiveCorrection;
/// use std::time::Duration;
///
/// let mut live = LiveCorrection::default();
/// for minute in 0..30 {
///     // The processors draw twice what the estimate says.
///     let estimate = 20.0 + f64::from(minute % 5) * 10.0;
///     live.observe(estimate, 90.0 + 1.3 * 2.0 * estimate, Duration::from_secs(60));
/// }
/// let scale = live.scale().expect("half an hour, and the load varies");
/// assert!((scale.factor - 2.0).abs() < 0.01);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LiveCorrection {
    weight: f64,
    /// Weighted means and central moments.
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
    /// Seconds and readings, as far as they are not forgotten.
    seconds: f64,
    count: f64,
    readings: u32,
}

impl LiveCorrection {
    /// What a further watt of the processors is at the socket, memory, fans and losses included: 1.33 on the one machine of which both are
    /// known (rows of the model database's nx12, correlation 0.98).
    pub const WALL_PER_WATT: f64 = 1.3;

    /// Takes what the uncorrected estimate and the meter said of the same time, in watts.
    pub fn observe(&mut self, estimate: f64, whole: f64, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        if !(estimate.is_finite() && whole.is_finite() && estimate > 0.0 && whole > 0.0 && seconds > 0.0) {
            return;
        }
        *self = self.faded(elapsed);
        self.seconds += seconds;
        self.count += 1.0;
        self.readings = self.readings.saturating_add(1);
        let before = self.weight;
        self.weight += seconds;
        let (dx, dy) = (estimate - self.x, whole - self.y);
        self.x += dx * seconds / self.weight;
        self.y += dy * seconds / self.weight;
        let part = seconds * before / self.weight;
        self.xx += part * dx * dx;
        self.xy += part * dx * dy;
        self.yy += part * dy * dy;
    }

    /// The same when so much time has passed: what was seen counts the less.
    #[must_use]
    pub(crate) fn faded(mut self, elapsed: Duration) -> Self {
        let keep = (-std::f64::consts::LN_2 * elapsed.as_secs_f64() / HALF_LIFE).exp();
        for moment in [&mut self.weight, &mut self.xx, &mut self.xy, &mut self.yy, &mut self.seconds, &mut self.count] {
            *moment *= keep;
        }
        self
    }

    /// Whether its figures are possible at all.
    pub(crate) fn is_sound(&self) -> bool {
        let not_below_zero = [self.weight, self.x, self.y, self.xx, self.yy, self.seconds, self.count];
        not_below_zero.iter().all(|moment| moment.is_finite() && *moment >= 0.0) && self.xy.is_finite()
    }

    /// By what to multiply the estimate; `None` as long as too little was seen, or the meter does not follow it.
    #[must_use]
    pub fn scale(&self) -> Option<Scale> {
        if self.seconds < LEAST_SECONDS || self.readings < LEAST_READINGS {
            return None;
        }
        let spread = (self.xx / self.weight).sqrt() / self.x;
        // Meters that show a moment a minute, or a mean of their own, do not show the same time: that flattens the slope one way and steepens
        // it the other. The truth lies in between, and where both are far apart nothing is known.
        let agreement = self.xy * self.xy / (self.xx * self.yy);
        let slope = (self.yy / self.xx).sqrt();
        if spread.is_nan()
            || spread < LEAST_SPREAD
            || self.xy <= 0.0
            || agreement.is_nan()
            || agreement < LEAST_AGREEMENT
        {
            return None;
        }
        let count = self.count.max(3.0);
        let about = self.yy * (1.0 - agreement).max(0.0) / self.weight * count / (count - 2.0);
        let slope_error = (about / count).sqrt() / (self.xx / self.weight).sqrt() / slope;
        let factor = slope / Self::WALL_PER_WATT;
        let slope_error = slope_error.hypot(-0.5 * agreement.min(1.0).ln());
        let is_sound = slope_error <= MOST_SLOPE_ERROR && (1.0 / MOST_FACTOR..=MOST_FACTOR).contains(&factor);
        let error_ratio = ERROR_CALIBRATED.hypot(WALL_ERROR).hypot(slope_error);
        is_sound.then_some(Scale { factor, error_ratio })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A value from −1 to 1 that cannot be predicted from the step, the same every time.
    fn random(step: u32) -> f64 {
        let mixed = u64::from(step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
    }

    /// Minutes of an estimate of 30 to 90 W that is off by a factor, on a machine that draws 120 W beside.
    fn see(live: &mut LiveCorrection, minutes: u32, factor: f64, wall: f64, noise: f64) {
        for minute in 0..minutes {
            let estimate = 60.0 + 30.0 * random(minute);
            let whole = 120.0 + wall * factor * estimate + noise * random(minute + 9999);
            live.observe(estimate, whole, MINUTE);
        }
    }

    #[test]
    fn the_factor_is_found_within_the_stated_error_on_machines_unlike_the_measured_one() {
        for (factor, wall, noise) in [(0.5, 1.3, 5.0), (1.0, 1.15, 10.0), (2.0, 1.45, 10.0), (3.0, 1.3, 0.0)] {
            let mut live = LiveCorrection::default();
            see(&mut live, 60, factor, wall, noise);
            let scale = live.scale().unwrap();
            let off = (scale.factor / factor - 1.0).abs();
            assert!(off < 0.2 && off < scale.error_ratio, "{factor} {wall}: {scale:?}");
            assert!((ERROR_CALIBRATED..0.4).contains(&scale.error_ratio), "{scale:?}");
        }
    }

    #[test]
    fn nothing_is_corrected_by_few_readings_an_even_load_or_a_meter_that_shows_something_else() {
        let mut live = LiveCorrection::default();
        see(&mut live, 7, 2.0, 1.3, 0.0);
        assert_eq!(live.scale(), None);
        let mut even = LiveCorrection::default();
        for minute in 0..600 {
            even.observe(60.0, 200.0 + 10.0 * random(minute), MINUTE);
        }
        assert_eq!(even.scale(), None);
        let mut other = LiveCorrection::default();
        for minute in 0..600 {
            other.observe(60.0 + 30.0 * random(minute), 300.0 + 100.0 * random(minute + 777), MINUTE);
        }
        assert_eq!(other.scale(), None);
        for (estimate, whole) in [(f64::NAN, 100.0), (0.0, 100.0), (50.0, f64::INFINITY), (50.0, -1.0)] {
            live.observe(estimate, whole, MINUTE);
        }
        assert_eq!(live.readings, 7);
    }

    #[test]
    fn a_machine_that_changes_is_followed() {
        let mut live = LiveCorrection::default();
        see(&mut live, 24 * 60, 1.0, 1.3, 5.0);
        assert!((live.scale().unwrap().factor - 1.0).abs() < 0.05);
        // A processor twice as hungry, for two days.
        see(&mut live, 48 * 60, 2.0, 1.3, 5.0);
        let factor = live.scale().unwrap().factor;
        assert!((factor - 2.0).abs() < 0.1, "{factor}");
    }
}
