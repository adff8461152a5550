//! The line through points of utilisation and power, and how far off it may be where it meets zero.

use super::{BINS, IdleEstimate, IdleKnowledge, POINTS};
use crate::units::Power;

/// Points needed in all, and their spread in utilisation, before the lower edge is trusted.
const MIN_POINTS: usize = 6;
const MIN_SPREAD: f64 = 0.15;
/// The further the points are from zero, the further apart they must be for the lower edge to say something about zero.
const MIN_SPREAD_TO_DISTANCE: f64 = 0.5;
/// A point this close to zero utilisation shows the idle power directly.
const NEARLY_IDLE: f64 = 0.03;
/// Weight of points above the line against points below it: the line follows the lower edge.
const UPPER_WEIGHT: f64 = 0.15;
/// Points of a machine that is never near rest, and their spread, before a line is tried at all.
const MIN_POINTS_FAR: usize = 8;
const MIN_SPREAD_FAR: f64 = 0.05;
/// Such a line is trusted when its slope is this many standard errors from zero, and its meeting with zero is known
/// to this share of the power seen.
const MIN_SLOPE_TO_ERROR: f64 = 4.0;
const MAX_ERROR: f64 = 0.10;
/// Power of real machines rises more steeply near idle than near full load. By how much such a line may be off for that, one
/// standard deviation, as a share of what it falls between the points and zero.
const CURVATURE: f64 = 0.2;
/// A point that lies further off than this many standard deviations counts the less for it: energy that was read late is
/// missing in one interval and too much in the next.
const FAR_OFF: f64 = 3.0;

/// Processors of which a line far from rest says that more than this share of full power is idle are not believed to be straight up there: of the
/// seven measured machines that the [estimate](crate::meter::estimate) was learned on, lines through what they drew above 60 % of load
/// say 68 to 98 %, where they draw 13 to 26 % at rest. Hardware threads that share a core, falling frequency and power limits bend them.
const MAX_FLAT: f64 = 0.6;
/// What those machines draw at rest, as a share of what they draw at full load. What a line says beyond is in doubt by half, if
/// the machine was never seen to be less busy than `FAR_FROM_REST`, and by less of that if it was.
const SHARE_AT_REST: f64 = 0.18;
const FAR_FROM_REST: f64 = 0.3;
/// Dynamic power of a busy processor rises with this power of its frequency, since voltage rises with it; and how far off that may be.
const FREQUENCY_EXPONENT: f64 = 2.2;
const EXPONENT_ERROR: f64 = 0.5;

/// How the power of processors bends where their points spread over middle loads: `ln(BEND · u + 1)`. Of the measured machines, seen from 10 to
/// 100 % busy, a straight edge puts idle power so high that work is charged a third too little; this one is off by 7 % in the mean, and by 7 to 20 % over
/// other parts of the range.
const BEND: f64 = 10.0;
/// A zone is straight where points lie a little closer to a line than to that curve. Of the measured machines few do.
const STRAIGHT: f64 = 0.95;
/// Fewer levels of load, tenths with two points or more, do not tell a curve from a line.
const MIN_LEVELS: usize = 4;

/// Rounds of reweighting the points, and how many of them do so by the distance from the line only, not yet by the side: the edge is
/// looked for among points that belong together.
const ROUNDS: usize = 12;
const ROUNDS_EVEN: usize = 4;

/// A point: utilisation, watts, the weight that its bin gives it, and the frequency of busy processors (zero if it is not known).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) utilisation: f64,
    pub(super) watts: f64,
    pub(super) share: f64,
    pub(super) ghz: f64,
}

/// Where a line stands: how busy the processors are (by time, or by time and frequency), watts, and the weight of the bin.
type Point = (f64, f64, f64);

/// What points tell of idle power.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Finding {
    Known(IdleEstimate, IdleKnowledge),
    Unknown(IdleKnowledge),
}

/// Idle power by points; `least` is what the machine was seen to draw at least.
pub(super) fn idle(points: impl Iterator<Item = Sample>, least: f64, are_processors: bool) -> Finding {
    let mut samples = [Sample::default(); BINS * POINTS];
    let (mut count, mut low, mut high) = (0usize, f64::MAX, 0.0f64);
    for (slot, sample) in samples.iter_mut().zip(points) {
        *slot = sample;
        count += 1;
        (low, high) = (low.min(sample.utilisation), high.max(sample.utilisation));
    }
    let samples = samples.get(..count).unwrap_or_default();
    let least = least.max(0.0);
    if count < MIN_POINTS {
        return Finding::Unknown(IdleKnowledge::Few);
    }
    if high < NEARLY_IDLE || (low <= NEARLY_IDLE && high - low < NEARLY_IDLE) {
        let error = samples.iter().map(|sample| (sample.watts - least).powi(2)).sum::<f64>() / count as f64;
        return Finding::Known(estimate(least, error.sqrt()), IdleKnowledge::AtRest);
    }
    let is_near = low <= NEARLY_IDLE || high - low >= MIN_SPREAD.max(low * MIN_SPREAD_TO_DISTANCE);
    if !is_near && (count < MIN_POINTS_FAR || high - low < MIN_SPREAD_FAR) {
        return Finding::Unknown(IdleKnowledge::Steady);
    }
    let through = |exponent: f64| {
        let mut points = [(0.0, 0.0, 0.0); BINS * POINTS];
        let points = by_frequency(samples, exponent, &mut points);
        match is_near {
            // Power rises more steeply near idle than near full load, so points far from zero say less about it.
            true => Line::through(points, |x| 1.0 / (0.1 + x), UPPER_WEIGHT),
            // Never near rest: how power follows utilisation up there is all there is. No edge is looked for, which noise would move.
            false => Line::through(points, |_| 1.0, 1.0),
        }
    };
    let Some(line) = through(FREQUENCY_EXPONENT) else { return Finding::Unknown(IdleKnowledge::Steady) };
    let may_bend = is_near && are_processors && low > NEARLY_IDLE && levels(samples) >= MIN_LEVELS;
    let bent = if may_bend { bent(samples) } else { None };
    // Either shape may be the truth: half of what lies between them is in doubt.
    let by_shape = bent.map_or(0.0, |bent| (line.intercept.max(0.0) - bent.intercept.max(0.0)).abs() / 2.0);
    let line = bent.unwrap_or(line);
    if !is_near {
        let mean = line.intercept + line.slope * line.centre;
        let is_steep = line.slope > MIN_SLOPE_TO_ERROR * line.slope_error && line.error <= MAX_ERROR * mean;
        if !is_steep || line.intercept < -line.error {
            return Finding::Unknown(IdleKnowledge::Steady);
        }
    }
    let by_curvature = CURVATURE * line.slope.max(0.0) * low;
    if low <= NEARLY_IDLE {
        return Finding::Known(
            estimate(line.intercept.clamp(0.0, least), line.error + by_curvature),
            IdleKnowledge::AtRest,
        );
    }
    let full = line.intercept + line.slope;
    if are_processors && low > FAR_FROM_REST && line.intercept > MAX_FLAT * full {
        return Finding::Unknown(IdleKnowledge::Flat);
    }
    let doubt = if are_processors { 0.5 * (low / FAR_FROM_REST).min(1.0) } else { 0.0 };
    let by_likeness = doubt * (line.intercept - SHARE_AT_REST * full).max(0.0);
    let other = |exponent| through(exponent).map_or(line.intercept, |other| other.intercept);
    let by_exponent = if samples.iter().any(|sample| sample.ghz > 0.0) {
        (other(FREQUENCY_EXPONENT + EXPONENT_ERROR) - other(FREQUENCY_EXPONENT - EXPONENT_ERROR)).abs() / 2.0
    } else {
        0.0
    };
    let by_curvature = if bent.is_some() { by_shape } else { by_curvature };
    let error = line.error.hypot(by_curvature.max(by_likeness)).hypot(by_exponent);
    Finding::Known(estimate(line.intercept.clamp(0.0, least), error), IdleKnowledge::Extrapolated)
}

/// How many tenths of utilisation were seen, not in passing only.
fn levels(samples: &[Sample]) -> usize {
    let tenth = |sample: &Sample| (sample.utilisation * 10.0) as usize;
    (0..=10).filter(|level| samples.iter().filter(|sample| tenth(sample) == *level).count() >= 2).count()
}

/// The edge as a curve that rises steeply near rest; `None` where the points are straight. It is given by how far along its rise the processors are.
fn bent(samples: &[Sample]) -> Option<Line> {
    let mut straight = [(0.0, 0.0, 0.0); BINS * POINTS];
    let straight = by_frequency(samples, FREQUENCY_EXPONENT, &mut straight);
    let mut curve = [(0.0, 0.0, 0.0); BINS * POINTS];
    for (point, &(x, watts, share)) in curve.iter_mut().zip(straight) {
        *point = ((BEND * x).ln_1p() / BEND.ln_1p(), watts, share);
    }
    let curve = curve.get(..straight.len())?;
    let even = |points: &[Point]| Line::through(points, |_| 1.0, 1.0).map(|line| line.spread);
    if even(straight)? < STRAIGHT * even(curve)? {
        return None;
    }
    // How much a point says of rest goes by how busy the processors were.
    let busy = |x: f64| (x * BEND.ln_1p()).exp_m1() / BEND;
    Line::through(curve, |x| 1.0 / (0.1 + busy(x)), UPPER_WEIGHT)
}

/// The points by how busy processors were, each weighted by the frequency at which they were, relative to the mean of all.
fn by_frequency<'a>(samples: &[Sample], exponent: f64, points: &'a mut [Point]) -> &'a [Point] {
    let known = samples.iter().filter(|sample| sample.ghz > 0.0);
    let (count, sum) = known.fold((0.0, 0.0), |(count, sum), sample| (count + 1.0, sum + sample.ghz));
    for (point, sample) in points.iter_mut().zip(samples) {
        let factor = if sample.ghz > 0.0 { (sample.ghz * count / sum).powf(exponent) } else { 1.0 };
        *point = (sample.utilisation * factor, sample.watts, sample.share);
    }
    points.get(..samples.len()).unwrap_or_default()
}

fn estimate(watts: f64, error: f64) -> IdleEstimate {
    IdleEstimate { power: Power::from_watts(watts), error: Power::from_watts(error) }
}

/// `watts = intercept + slope · utilisation`.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    intercept: f64,
    slope: f64,
    /// Mean utilisation of the points.
    centre: f64,
    /// Standard deviation of the points about it.
    spread: f64,
    /// One standard error of the intercept and of the slope.
    error: f64,
    slope_error: f64,
}

impl Line {
    /// Asymmetric least squares: fit, then weigh points above the line by `upper`, until it rests where they balance.
    fn through(points: &[Point], importance: impl Fn(f64) -> f64, upper: f64) -> Option<Line> {
        let mut line = Line::default();
        let mut typical = f64::INFINITY;
        for round in 0..ROUNDS {
            let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for &(x, y, share) in points {
                let off = y - line.intercept - line.slope * x;
                let side = if round >= ROUNDS_EVEN && off > 0.0 { upper } else { 1.0 };
                let limit = FAR_OFF * typical;
                let weight = share * importance(x) * side * if off.abs() > limit { (limit / off).powi(2) } else { 1.0 };
                w += weight;
                wx += weight * x;
                wy += weight * y;
                wxx += weight * x * x;
                wxy += weight * x * y;
            }
            let determinant = w * wxx - wx * wx;
            if determinant <= f64::EPSILON * w * wxx {
                return None;
            }
            line.slope = ((w * wxy - wx * wy) / determinant).max(0.0);
            line.centre = wx / w;
            line.intercept = wy / w - line.slope * line.centre;
            typical = spread_about(points, line).max(1e-3 * (wy / w).abs());
            let limit = FAR_OFF * typical;
            let (mut squares, mut shares, mut spread, mut count) = (0.0, 0.0, 0.0, 0.0);
            for &(x, y, share) in points {
                let off = (y - line.intercept - line.slope * x).abs().min(limit);
                squares += share * off * off;
                spread += share * (x - line.centre).powi(2);
                shares += share;
                count += 1.0;
            }
            let variance = squares / shares * count / (count - 2.0f64).max(1.0);
            let spread = (spread / shares).max(f64::MIN_POSITIVE);
            line.spread = variance.sqrt();
            line.slope_error = (variance / (count * spread)).sqrt();
            line.error = (variance / count * (1.0 + line.centre * line.centre / spread)).sqrt();
        }
        Some(line)
    }
}

/// How far points lie from a line, as a standard deviation, by the middle one: half of them may be anywhere.
fn spread_about(points: &[Point], line: Line) -> f64 {
    let mut offs = [0.0; BINS * POINTS];
    let mut count = 0;
    for (slot, &(x, y, _)) in offs.iter_mut().zip(points) {
        *slot = (y - line.intercept - line.slope * x).abs();
        count += 1;
    }
    let Some(offs) = offs.get_mut(..count).filter(|offs| !offs.is_empty()) else { return 0.0 };
    let (_, middle, _) = offs.select_nth_unstable_by(count / 2, f64::total_cmp);
    // Of a normal distribution the middle deviation is 0.67 of the standard deviation.
    1.48 * *middle
}
