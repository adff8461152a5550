//! Calibration of one machine while it could be measured: [`Calibration`].
//!
//! A meter that can be read for minutes (as root once, say) tells two things that outlive it: what the machine draws when it does
//! nothing, so that idle energy is separated from active from the first interval on; and what it draws under
//! load, so that the [estimate](crate::meter::estimate), should the meter go away, is put right for this very machine. A calibration run makes
//! the file, which the module `file` (feature `calibration`) finds;
//! [`ChainOptions::calibration`](crate::meter::chain::ChainOptions::calibration) takes what it says.

#[cfg(feature = "calibration")]
pub mod file;
mod kept;
mod live;
pub mod wall;

pub use kept::KeptCorrection;
pub(crate) use kept::is_old;
pub use live::{LiveCorrection, Scale};

use crate::attribution::idle::IdleEstimate;
use crate::host::{Host, Topology};
use crate::units::{Power, ZoneKind};

/// What `format` says in every file.
pub const FORMAT: &str = "kepler-calibration";
/// The version this reads and writes.
pub const VERSION: u32 = 1;
/// The most that any machine draws, W. More is a broken file.
const MOST_WATTS: f64 = 100_000.0;
/// How far machines of one make and model are apart, one standard deviation: judgement, not measurement.
const ERROR_ALIKE: f64 = 0.1;
/// What 68 % of the errors stay below, relative to the estimate, after it was put right at idle and at full load.
/// `kepler_train::default_model` finds it again.
pub(crate) const ERROR_CALIBRATED: f64 = 0.24;
/// How many times wider an error becomes at a load unlike those that were measured: judgement, not measurement.
pub(crate) const WIDENING_UNSEEN: f64 = 1.5;
/// How far apart the busy shares of two points must be to say more than one.
const MIN_SPREAD: f64 = 0.2;

/// What was learned of one machine.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Calibration {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// When it was made, RFC 3339.
    pub made: String,
    /// The meter that measured it.
    pub source: String,
    /// The machine's processor, as the kernel names it.
    pub processor: String,
    /// Its logical CPUs.
    pub threads: u32,
    /// Its maker and model as its firmware says (DMI), such as `Dell Inc. PowerEdge R640`. Empty where it does not say.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "String::is_empty"))]
    pub model: String,
    /// The name of the machine that was measured, if that is another one of the same make, model and processor.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub measured_on: Option<String>,
    /// What each zone draws when the machine does nothing.
    pub idle: Vec<IdlePower>,
    /// What the package drew, by how busy the machine was. Empty where no package was measured.
    pub load: Vec<LoadPoint>,
    /// What the whole machine draws by what its parts draw, where that was learned.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub platform: Option<wall::WallModel>,
}

/// The idle power of a zone, of one socket or of all together.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IdlePower {
    /// The zone.
    pub zone: ZoneKind,
    /// The socket; none for all together.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub package: Option<u32>,
    /// W.
    pub watts: f64,
}

impl IdlePower {
    /// The idle power of a zone, of one socket or (`None`) of all together, in watts.
    #[must_use]
    pub const fn new(zone: ZoneKind, package: Option<u32>, watts: f64) -> Self {
        IdlePower { zone, package, watts }
    }
}

/// What the package drew for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LoadPoint {
    /// Mean busy share of all logical CPUs, 0 … 1.
    pub busy_share: f64,
    /// Mean power of all sockets together, W.
    pub watts: f64,
    /// For how long, s.
    pub seconds: f64,
}

impl LoadPoint {
    /// Mean power in watts at a mean busy share, over some seconds.
    #[must_use]
    pub const fn new(busy_share: f64, watts: f64, seconds: f64) -> Self {
        LoadPoint { busy_share, watts, seconds }
    }
}

/// Why a calibration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// Another format, or a newer version of it.
    #[error("it is `{found}`, not {FORMAT} {VERSION}; calibrate this machine again")]
    Version {
        /// What the file says.
        found: String,
    },
    /// It is of another machine.
    #[error("it was made on another machine ({theirs}; this one is {ours}); calibrate this machine again")]
    Machine {
        /// The file's machine.
        theirs: String,
        /// This one.
        ours: String,
    },
    /// A figure that no machine can have.
    #[error("{what} is {value}; calibrate this machine again")]
    Figure {
        /// Which figure.
        what: &'static str,
        /// What it says.
        value: String,
    },
}

impl Calibration {
    /// An empty one of this host.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let (processor, threads) = machine(host);
        let (format, model) = (FORMAT.to_owned(), model(host));
        Calibration { format, version: VERSION, processor, threads, model, ..Calibration::default() }
    }

    /// Whether it can be used on this host.
    ///
    /// # Errors
    /// It is of another format, version or machine, or has figures that no machine can have.
    pub fn check(&self, host: &Host) -> Result<(), CalibrationError> {
        if self.format != FORMAT || self.version != VERSION {
            let found = format!("{} {}", self.format.chars().take(80).collect::<String>(), self.version);
            return Err(CalibrationError::Version { found });
        }
        let (processor, threads) = machine(host);
        if (self.processor.as_str(), self.threads) != (processor.as_str(), threads) {
            let name = |processor: &str, threads: u32| {
                format!("{} logical CPUs of {}", threads, processor.chars().take(80).collect::<String>())
            };
            let (theirs, ours) = (name(&self.processor, self.threads), name(&processor, threads));
            return Err(CalibrationError::Machine { theirs, ours });
        }
        let ours = model(host);
        // Files of before do not say; neither do machines without this table, nor containers that hide it.
        if !self.model.is_empty() && !ours.is_empty() && self.model != ours {
            let theirs = self.model.chars().take(80).collect();
            return Err(CalibrationError::Machine { theirs, ours });
        }
        let figure = |what, value: f64, most: f64| match (0.0..=most).contains(&value) {
            true => Ok(()),
            false => Err(CalibrationError::Figure { what, value: value.to_string() }),
        };
        self.idle.iter().try_for_each(|idle| figure("an idle power", idle.watts, MOST_WATTS))?;
        if self.platform.as_ref().is_some_and(|model| !model.is_sound()) {
            let value = "out of what any machine has".to_owned();
            return Err(CalibrationError::Figure { what: "the model of the whole machine", value });
        }
        self.load.iter().try_for_each(|point| {
            figure("a power under load", point.watts, MOST_WATTS)?;
            figure("a busy share", point.busy_share, 1.0)?;
            figure("a duration", point.seconds, f64::MAX)
        })
    }

    /// What the package draws by how busy the machine is: as measured, and idle, where that is known. A machine at rest is seldom
    /// quite idle, and a curve that is steep there would say too little of it.
    #[must_use]
    pub fn points(&self) -> Vec<LoadPoint> {
        let longest = self.load.iter().map(|point| point.seconds).fold(0.0, f64::max);
        let idle = self.idle_power(ZoneKind::Package, None).filter(|_| !self.load.is_empty());
        let idle = idle.map(|power| LoadPoint { busy_share: 0.0, watts: power.watts(), seconds: longest });
        idle.into_iter().chain(self.load.iter().copied()).collect()
    }

    /// This calibration for other machines of the same make, model and processor: it says on which it was made.
    #[must_use]
    pub fn of_another(mut self, name: &str) -> Self {
        self.measured_on.get_or_insert_with(|| name.to_owned());
        self
    }

    /// How far machines of one make and model are apart, one standard deviation: none for one's own.
    #[must_use]
    pub const fn transfer_error(&self) -> f64 {
        if self.measured_on.is_some() { ERROR_ALIKE } else { 0.0 }
    }

    /// What it says of itself, for people: `calibrated by powercap at 2026-…`, and on which other machine.
    #[must_use]
    pub fn describe(&self) -> String {
        let brief = |text: &str| text.chars().filter(|c| !c.is_control()).take(40).collect::<String>();
        let on = self.measured_on.as_deref().map(|name| format!(" on {}, a machine alike", brief(name)));
        format!("calibrated by {} at {}{}", brief(&self.source), brief(&self.made), on.unwrap_or_default())
    }

    /// The idle power of a zone: of one socket, or of all together.
    #[must_use]
    pub fn idle_power(&self, zone: ZoneKind, package: Option<u32>) -> Option<Power> {
        let found = self.idle.iter().find(|idle| idle.zone == zone && idle.package == package);
        found.map(|idle| Power::from_watts(idle.watts))
    }

    /// The same with its error: none where this machine was measured, else how far machines alike are apart.
    #[must_use]
    pub fn idle_estimate(&self, zone: ZoneKind, package: Option<u32>) -> Option<IdleEstimate> {
        let power = self.idle_power(zone, package)?;
        Some(IdleEstimate::new(power, power * self.transfer_error()))
    }
}

/// Maker and model, as the firmware says.
fn model(host: &Host) -> String {
    let read = |name: &str| {
        let text = host.firmware(name).unwrap_or_default();
        text.chars().filter(|c| !c.is_control()).take(80).collect::<String>().trim().to_owned()
    };
    let words = [read("sys_vendor"), read("product_name")];
    words.join(" ").trim().to_owned()
}

/// What is compared: the processor's name and the number of logical CPUs.
fn machine(host: &Host) -> (String, u32) {
    let topology = Topology::read(host);
    let name = topology.processors.first().map(|processor| processor.model_name.clone()).unwrap_or_default();
    (name, u32::try_from(topology.processors.len()).unwrap_or(u32::MAX))
}

/// How an estimate is put right: `offset + factor · estimate`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Correction {
    /// W.
    pub offset: f64,
    /// Above zero.
    pub factor: f64,
    /// The least and the greatest busy share that was measured.
    pub seen: (f64, f64),
}

impl Correction {
    /// What brings an estimate of the whole machine, by busy share in watts, to the points: the least squares of relative
    /// errors, each point by its duration. Points too close to each other give a factor alone. `None` if
    /// the points or the estimate make no sense.
    ///
    /// ```
    /// use kepler_core::calibration::{Correction, LoadPoint};
    ///
    /// let point = |busy_share, watts| LoadPoint::new(busy_share, watts, 60.0);
    /// let estimate = |share: f64| 10.0 + 20.0 * share;
    /// let correction = Correction::of(&[point(0.0, 40.0), point(1.0, 80.0)], estimate).unwrap();
    /// assert!((correction.apply(estimate(0.5)) - 60.0).abs() < 1e-9);
    /// ```
    #[must_use]
    pub fn of(points: &[LoadPoint], mut estimate: impl FnMut(f64) -> f64) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for point in points.iter().filter(|point| point.watts > 0.0 && point.seconds > 0.0) {
            (low, high) = (low.min(point.busy_share), high.max(point.busy_share));
            let (x, y) = (estimate(point.busy_share), point.watts);
            let weight = point.seconds / (y * y);
            w += weight;
            wx += weight * x;
            wy += weight * y;
            wxx += weight * x * x;
            wxy += weight * x * y;
        }
        let factor = wxy / wxx;
        let alone = Correction { offset: 0.0, factor, seen: (low, high) };
        let alone = (factor.is_finite() && factor > 0.0).then_some(alone)?;
        let determinant = w * wxx - wx * wx;
        if high - low < MIN_SPREAD || determinant <= f64::EPSILON * w * wxx {
            return Some(alone);
        }
        let factor = (w * wxy - wx * wy) / determinant;
        let offset = (wy - factor * wx) / w;
        // A machine that draws less when it does more, or nothing when idle, was not seen right.
        let is_sound = factor.is_finite() && factor > 0.0 && offset + factor * estimate(0.0) > 0.0;
        Some(if is_sound { Correction { offset, factor, ..alone } } else { alone })
    }

    /// The estimate put right, W.
    #[must_use]
    pub fn apply(&self, watts: f64) -> f64 {
        self.offset + self.factor * watts
    }

    /// Whether a busy share lies within what was measured, or close to it.
    #[must_use]
    pub fn has_seen(&self, busy_share: f64) -> bool {
        let (low, high) = self.seen;
        (low - MIN_SPREAD / 2.0..=high + MIN_SPREAD / 2.0).contains(&busy_share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(busy_share: f64, watts: f64) -> LoadPoint {
        LoadPoint { busy_share, watts, seconds: 30.0 }
    }

    fn curve(share: f64) -> f64 {
        5.0 + 10.0 * share.sqrt()
    }

    #[test]
    fn one_load_alone_corrects_the_bias() {
        let correction = Correction::of(&[point(0.25, 20.0)], curve).unwrap();
        assert_eq!((correction.offset, correction.factor), (0.0, 2.0));
        let close = Correction::of(&[point(0.25, 20.0), point(0.3, 10.0)], curve).unwrap();
        assert_eq!(close.offset, 0.0);
    }

    #[test]
    fn two_loads_correct_idle_and_dynamic_power() {
        let correction = Correction::of(&[point(0.01, 33.0), point(1.0, 60.0)], curve).unwrap();
        assert!((correction.apply(curve(0.01)) - 33.0).abs() < 1e-9);
        assert!((correction.apply(curve(1.0)) - 60.0).abs() < 1e-9);
        assert!(correction.has_seen(0.5));
    }

    #[test]
    fn idle_power_is_a_point_where_a_load_was_measured_too() {
        let idle = vec![IdlePower { zone: ZoneKind::Package, package: None, watts: 40.0 }];
        let none = Calibration { idle, ..Calibration::default() };
        assert_eq!(none.points(), []);
        let one = Calibration { load: vec![point(1.0, 80.0)], ..none };
        assert_eq!(one.points(), [point(0.0, 40.0), point(1.0, 80.0)]);
    }

    #[test]
    fn nonsense_is_not_believed() {
        assert_eq!(Correction::of(&[], curve), None);
        assert_eq!(Correction::of(&[point(0.5, 0.0)], curve), None);
        assert_eq!(Correction::of(&[point(0.5, 10.0)], |_| 0.0), None);
        // Less power under load.
        let falling = Correction::of(&[point(0.0, 60.0), point(1.0, 30.0)], curve).unwrap();
        assert!(falling.offset == 0.0 && falling.factor > 0.0, "{falling:?}");
        let seen = Correction::of(&[point(0.1, 30.0), point(0.4, 40.0)], curve).unwrap();
        assert!(seen.has_seen(0.45) && !seen.has_seen(0.9));
    }

    #[test]
    fn a_machine_of_the_same_make_and_model_may_use_it_and_another_may_not() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let host = |root: &std::path::Path, product: &str| {
            let folder = root.join("class/dmi/id");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("sys_vendor"), "Dell Inc.\n").unwrap();
            std::fs::write(folder.join("product_name"), format!("{product}\n")).unwrap();
            Host::default().with_sysfs(root)
        };
        let (one, unlike) = (host(root.path(), "PowerEdge R640"), host(other.path(), "PowerEdge R740"));
        let own = Calibration { made: "2026-11-30".into(), source: "msr".into(), ..Calibration::of(&one) };
        assert_eq!((own.model.as_str(), own.transfer_error()), ("Dell Inc. PowerEdge R640", 0.0));
        let given = own.clone().of_another("rack7");
        assert_eq!(given.check(&one), Ok(()));
        assert_eq!(given.describe(), "calibrated by msr at 2026-11-30 on rack7, a machine alike");
        assert!(given.transfer_error() > 0.0);
        // It goes on as what it is.
        assert_eq!(given.clone().of_another("rack8").measured_on.as_deref(), Some("rack7"));
        assert!(given.check(&unlike).unwrap_err().to_string().contains("R640"));
        // One of before, which does not say.
        assert_eq!(Calibration { model: String::new(), ..own }.check(&unlike), Ok(()));
    }

    #[test]
    fn another_machine_version_or_an_impossible_figure_is_refused() {
        let host = Host::default();
        let own = Calibration::of(&host);
        assert_eq!(own.check(&host), Ok(()));
        let other = Calibration { threads: own.threads + 1, ..own.clone() };
        assert!(other.check(&host).unwrap_err().to_string().contains("another machine"));
        let newer = Calibration { version: 2, ..own.clone() };
        assert!(matches!(newer.check(&host), Err(CalibrationError::Version { .. })));
        for watts in [f64::NAN, -1.0, 1e9] {
            let idle = vec![IdlePower { zone: ZoneKind::Package, package: None, watts }];
            assert!(matches!(
                Calibration { idle, ..own.clone() }.check(&host),
                Err(CalibrationError::Figure { what: "an idle power", .. })
            ));
        }
        let load = vec![LoadPoint { busy_share: 1.5, ..point(0.0, 10.0) }];
        assert!(Calibration { load, ..own }.check(&host).is_err());
    }
}
