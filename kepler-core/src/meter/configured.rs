//! Energy from a configured power model: the [`Configured`] meter.
//!
//! **What it gives the model**: what `/proc/stat` reports of the node: CPU time, software interrupts of block devices and the network,
//! the number of CPUs. A model that wants more, or other quantities under these names, is refused with the reason. CPU
//! time is converted into what published models were trained with, see [`Conversion`].
//!
//! **Scale**: a model describes a machine of a known number of logical CPUs; this may be a virtual machine with a share of them.
//! Idle and dynamic power both scale with that share: `P = s · f(x / s)`, with `s` this node's CPUs over the model's, `x` its
//! rates and `f` the model. A model with the number of CPUs among its features is not scaled.
//!
//! **Error**: that of the model's own interval, where it knows one; otherwise 50 %, what the estimate by processor class
//! promises ([`CpuClass`](super::estimate::CpuClass)), since published errors are of other rows. A machine
//! unlike the model's widens it: by half of itself for each unit of [distance](crate::model::Difference::distance) (judgement, not measurement).
//! So do inputs beyond what the model was trained with, and drift: that most of the last 64 windows were so. These windows, and
//! those whose prediction was absurd and clipped, are counted ([`EstimateWarnings`](super::EstimateWarnings)).
//!
//! **Calibration**: what was measured on this machine for a while ([`Configured::calibrated`]) corrects the package that the model
//! predicts, by two loads or by its bias, as it does the estimate by class. The machine's distance widens nothing then, and the error of a model that does not know
//! its own is that of a corrected curve, 24 %.
//!
//! ```
//! use kepler_core::host::Host;
//! use kepler_core::meter::configured::{Configured, ConfiguredModel};
//!
//! let configured = ConfiguredModel::new("/etc/kepler/model.json", Err("there is no such file".to_owned()));
//! let unavailable = Configured::open(&Host::default(), &configured).unwrap_err();
//! assert!(unavailable.to_string().contains("there is no such file"), "{unavailable}");
//! ```

use super::uncertainty::DriftDetector;
use super::{EnergyMeter, ErrorBounds, MeterInventory, Method, Quality, ReadError, ReadFault, Reading, Zone};
use crate::availability::{Remedy, Root, Setting, Unavailable};
use crate::calibration::{Calibration, Correction, ERROR_CALIBRATED, Scale, WIDENING_UNSEEN};
use crate::host::{BusyTime, CpuTimesReader, Host, SharedReading, SoftInterrupts, Timestamp};
use crate::model::{BindError, Binding, Conversion, Model, Prediction, Quantity};
use crate::units::{Energy, Power, ZoneKind};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The name in labels and messages.
const NAME: &str = "model-file";
/// One standard deviation, for models that do not know.
const UNKNOWN_ERROR: f64 = 0.5;
/// What a unit of distance adds to the error, of the error itself.
const WIDENING: f64 = 0.5;
/// The quantities that this meter knows, in the order of its rows.
const GIVEN: [Quantity; 5] = [
    Quantity::Threads,
    Quantity::CpuTime,
    Quantity::BlockInterrupts,
    Quantity::NetworkReceiveInterrupts,
    Quantity::NetworkTransmitInterrupts,
];

/// A model to estimate with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConfiguredModel {
    /// Where it is from, for people: a path or a URL.
    pub name: String,
    /// The model, or why there is none.
    pub model: Result<Arc<Model>, String>,
    /// Logical CPUs of the machine that it describes. Not needed if the number of CPUs is among its features.
    pub host_threads: Option<u32>,
    /// How far that machine is from this one, where known.
    pub distance: Option<f64>,
}

impl ConfiguredModel {
    /// A model, or why there is none, of a machine that is not described.
    pub fn new(name: impl Into<String>, model: Result<Arc<Model>, String>) -> Self {
        ConfiguredModel { name: name.into(), model, host_threads: None, distance: None }
    }
}

/// One is another if it came from elsewhere.
impl PartialEq for ConfiguredModel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.host_threads == other.host_threads
    }
}

impl Eq for ConfiguredModel {}

/// Estimates energy with a configured model. See the [module](self).
#[derive(Debug)]
pub struct Configured {
    model: Arc<Model>,
    binding: Binding,
    zones: Vec<Zone>,
    totals: Vec<Energy>,
    /// How far off the last window may be, one standard deviation.
    error_ratio: f64,
    /// The same as an interval, where the model knows one.
    error_bounds: Option<ErrorBounds>,
    /// What the distance between the machines multiplies both by.
    widening: f64,
    /// How the package is put right for this machine, and how far off a model is then that does not know.
    correction: Option<Correction>,
    unknown_error: f64,
    /// By what all is multiplied without one, by what a meter of the whole machine shows.
    scale: Option<Scale>,
    detector: DriftDetector,
    /// The CPUs of the model's machine; `None` if they are among its features.
    host_threads: Option<u32>,
    host: Host,
    busy: BusyTime,
    interrupts: Option<SoftInterrupts>,
    row: Vec<f64>,
    features: Vec<f64>,
}

impl Configured {
    /// Binds the model to what this host tells.
    ///
    /// # Errors
    /// There is no model; it wants what is not measured, or other quantities under the same names; it is not known how
    /// large its machine is; the host tells no CPU times.
    pub fn open(host: &Host, configured: &ConfiguredModel) -> Result<Self, Unavailable> {
        let refuse =
            |reason: String, remedy: Remedy| Unavailable::new(NAME, format!("{}: {reason}", configured.name), remedy);
        let another = || Remedy::CorrectSetting { setting: Setting::Model };
        let model = match &configured.model {
            Ok(model) => Arc::clone(model),
            Err(reason) => return Err(Unavailable::new(NAME, reason.clone(), another())),
        };
        let unreadable =
            |error: crate::host::CpuTimesError| refuse(error.to_string(), Remedy::MountRoot { root: Root::Procfs });
        let reading = host.cpu_times_now().map_err(unreadable)?;
        let threads = reading.times.processors.max(1);
        let has_interrupts = interrupts(&reading).is_some();
        drop(reading);

        let is_reported = model.features().iter().any(|name| model.semantics().quantity(name) == Quantity::Threads);
        let host_threads = if is_reported { None } else { Some(configured.host_threads.filter(|&count| count > 0)) };
        let host_threads = match host_threads {
            Some(None) => {
                let remedy = Remedy::CorrectSetting { setting: Setting::ModelHostThreads };
                return Err(refuse("it is not known how many logical CPUs its machine has".to_owned(), remedy));
            }
            Some(known) => known,
            None => None,
        };
        // Interrupts cannot be bound where the kernel does not tell them.
        let given = if has_interrupts { &GIVEN[..] } else { GIVEN.split_at(2).0 };
        let conversion = Conversion::Allow { threads: host_threads.unwrap_or(threads) };
        let binding = model.bind(given, conversion).map_err(|error| {
            let remedy = match error {
                BindError::Undeclared { .. } => Remedy::CorrectSetting { setting: Setting::ModelSemantics },
                // One that was trained with what this host counts: CPU time, such as those of the group BPFOnly.
                BindError::Semantics { .. } | BindError::Missing { .. } => another(),
            };
            refuse(error.to_string(), remedy)
        })?;
        let mut meter = Configured {
            zones: Vec::new(),
            totals: Vec::new(),
            error_ratio: UNKNOWN_ERROR,
            error_bounds: None,
            widening: 1.0 + WIDENING * configured.distance.unwrap_or_default(),
            correction: None,
            unknown_error: UNKNOWN_ERROR,
            scale: None,
            detector: DriftDetector::default(),
            host_threads,
            host: host.clone(),
            busy: BusyTime::default(),
            interrupts: None,
            row: Vec::new(),
            features: Vec::new(),
            binding,
            model,
        };
        let idle = meter.predict(threads, 0.0, [0.0; 3]).map_err(|error| refuse(error, another()))?;
        let half = meter.predict(threads, 500.0 * f64::from(threads), [0.0; 3]);
        if let Ok(half) = half {
            meter.assess(&half, 1.0);
        }
        let scale = meter.share(threads);
        for component in meter.model.components() {
            let mut zone =
                Zone::new(component.zone(), format!("{} by {}", host.procfs().join("stat").display(), configured.name));
            zone.idle_power = idle.power(component.zone()).map(|power| power * scale);
            zone.max_power =
                Power::from_watts(zone.max_power.watts().max(meter.model.ceiling(component.zone()).watts()));
            meter.zones.push(zone);
        }
        meter.totals = vec![Energy::ZERO; meter.zones.len()];
        Ok(meter)
    }

    /// Puts the package right by what was measured on this machine. Without a measured package, or one that the model predicts,
    /// nothing changes.
    #[must_use]
    pub fn calibrated(mut self, calibration: &Calibration) -> Self {
        let threads = calibration.threads.max(1);
        let scale = self.share(threads);
        let correction = Correction::of(&calibration.points(), |share| {
            let prediction = self.predict(threads, share * 1000.0 * f64::from(threads), [0.0; 3]);
            prediction.ok().and_then(|of| of.power(ZoneKind::Package)).map_or(0.0, |power| power.watts() * scale)
        });
        let Some(correction) = correction else { return self };
        // The points are of the whole machine, as it was then: CPUs may come and go.
        self.correction = Some(Correction { offset: correction.offset / f64::from(threads), ..correction });
        self.unknown_error = ERROR_CALIBRATED.hypot(calibration.transfer_error());
        self.widening = 1.0;
        let corrected = |watts: f64| Power::from_watts(correction.apply(watts).max(0.0));
        for zone in self.zones.iter_mut().filter(|zone| zone.kind == ZoneKind::Package) {
            zone.idle_power = zone.idle_power.map(|power| corrected(power.watts()));
            zone.path = format!("{}, {}", zone.path, calibration.describe()).into();
        }
        if let Ok(half) = self.predict(threads, 500.0 * f64::from(threads), [0.0; 3]) {
            self.assess(&half, 1.0);
        }
        self
    }

    /// Works out how far off the prediction for the features at hand may be, `wider` by this than the model says.
    fn assess(&mut self, prediction: &Prediction, wider: f64) {
        let factor = self.widening * wider;
        self.error_bounds = self.own_bounds(prediction).map(|error_bounds| error_bounds.wider(factor));
        let width =
            |error_bounds: ErrorBounds| (error_bounds.below + error_bounds.above) / 2.0 / ErrorBounds::DEVIATIONS;
        self.error_ratio = self.error_bounds.map_or(self.unknown_error * factor, width);
        if let Some(scale) = self.scale {
            self.error_ratio = scale.error_ratio * wider;
            self.error_bounds = None;
        }
    }

    /// The model's own interval, of its largest component, as a share of the prediction.
    fn own_bounds(&self, prediction: &Prediction) -> Option<ErrorBounds> {
        let is_positive = |zone: &ZoneKind| prediction.power(*zone).is_some_and(|power| power > Power::ZERO);
        let zone = self.zones_by_size().find(is_positive)?;
        let interval = self.model.interval(&self.features, prediction, zone)?;
        let watts = prediction.power(zone)?.watts();
        let error_bounds =
            ErrorBounds { below: 1.0 - interval.lower.watts() / watts, above: interval.upper.watts() / watts - 1.0 };
        (error_bounds.below.is_finite() && error_bounds.above.is_finite()).then_some(error_bounds)
    }

    /// Whether the features at hand lie beyond what the model was trained with, as far as it tells.
    fn is_outside(&self, prediction: &Prediction) -> bool {
        let is_far = |zone| self.model.interval(&self.features, prediction, zone).is_some_and(|i| i.widening > 1.0);
        self.model.outside(&self.features) > 0 || self.zones_by_size().any(is_far)
    }

    fn zones_by_size(&self) -> impl Iterator<Item = ZoneKind> {
        [ZoneKind::Psys, ZoneKind::Package, ZoneKind::Core, ZoneKind::Dram, ZoneKind::Uncore].into_iter()
    }

    /// This node's CPUs over those of the model's machine.
    fn share(&self, threads: u32) -> f64 {
        self.host_threads.map_or(1.0, |host| f64::from(threads) / f64::from(host))
    }

    /// What the model says of its whole machine, if all of it did what this node does.
    fn predict(&mut self, threads: u32, cpu_time: f64, interrupts: [f64; 3]) -> Result<Prediction, String> {
        let share = self.share(threads);
        self.row.clear();
        self.row.push(f64::from(threads));
        self.row.extend([cpu_time].iter().chain(&interrupts).map(|rate| rate / share));
        self.binding.apply(&self.row, &mut self.features);
        self.model.predict(&self.features).map_err(|error| error.to_string())
    }

    /// Adds the energy of the window that ends `at`.
    fn advance(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) -> Result<(), io::Error> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let reading = self.host.cpu_times(at).map_err(|error| invalid(error.to_string()))?;
        let (times, now) = (reading.times, interrupts(&reading));
        drop(reading);
        let window = self.busy.advance(times, at);
        let before = std::mem::replace(&mut self.interrupts, now);
        let Some(window) = window.filter(|window| !window.elapsed.is_zero()) else {
            readings.extend(self.totals.iter().map(|&total| Ok(Reading::Counter(total))));
            return Ok(());
        };
        let seconds = window.elapsed.as_secs_f64();
        let rate = |field: fn(&SoftInterrupts) -> u64| match (&before, &now) {
            (Some(before), Some(now)) => field(now).saturating_sub(field(before)) as f64 / seconds,
            _ => 0.0,
        };
        let interrupts = [rate(|i| i.block), rate(|i| i.network_receive), rate(|i| i.network_transmit)];
        let threads = times.processors.max(1);
        let cpu_time = milliseconds(window.busy) / seconds;
        let prediction = self.predict(threads, cpu_time, interrupts).map_err(invalid)?;
        let busy_share = cpu_time / 1000.0 / f64::from(threads);
        let is_unseen = self.correction.is_some_and(|correction| !correction.has_seen(busy_share));
        let wider = self.detector.record(self.is_outside(&prediction) || is_unseen, prediction.clipped() > 0);
        self.assess(&prediction, if is_unseen { wider.max(WIDENING_UNSEEN) } else { wider });
        let scale = self.scale.map_or(1.0, |scale| scale.factor);
        let (share, correction) = (self.share(threads) * scale, self.correction);
        for (zone, total) in self.zones.iter().zip(&mut self.totals) {
            readings.push(match prediction.power(zone.kind) {
                Some(power) => {
                    let watts = (power * share).watts();
                    let watts = match correction.filter(|_| zone.kind == ZoneKind::Package) {
                        Some(Correction { offset, factor, .. }) => {
                            (offset * f64::from(threads) + factor * watts).max(0.0)
                        }
                        None => watts,
                    };
                    *total += Power::from_watts(watts) * window.elapsed;
                    Ok(Reading::Counter(*total))
                }
                None => Err(ReadError::new(
                    Arc::clone(&zone.path),
                    ReadFault::Invalid("the model gives no number for what the machine does now"),
                )),
            });
        }
        Ok(())
    }
}

fn interrupts(reading: &SharedReading<'_>) -> Option<SoftInterrupts> {
    reading.reader().and_then(CpuTimesReader::soft_interrupts)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl EnergyMeter for Configured {
    fn source(&self) -> &'static str {
        NAME
    }

    fn quality(&self) -> Quality {
        let method = Method::Estimated { error_ratio: self.error_ratio };
        Quality::of(method).with_error_bounds(self.error_bounds).with_warnings(self.detector.counted())
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zones)
    }

    fn rescale(&mut self, scale: Option<Scale>) -> bool {
        if self.correction.is_some() {
            return false;
        }
        let factor = |scale: Option<Scale>| scale.map_or(1.0, |scale| scale.factor);
        let before = factor(std::mem::replace(&mut self.scale, scale));
        for zone in &mut self.zones {
            zone.idle_power = zone.idle_power.map(|power| power * (factor(scale) / before));
        }
        true
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        if let Err(error) = self.advance(at, readings) {
            readings.clear();
            let (kind, text) = (error.kind(), error.to_string());
            let failed = |zone: &Zone| ReadError::new(Arc::clone(&zone.path), io::Error::new(kind, text.clone()));
            readings.extend(self.zones.iter().map(|zone| Err(failed(zone))));
        }
    }
}

#[cfg(test)]
mod tests;
