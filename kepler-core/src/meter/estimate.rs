//! Energy from processor time alone: the [`Estimate`] meter, the last resort where nothing can be measured.
//!
//! Virtual machines, most cloud instances and many Arm servers show no sensor. An estimate that says
//! so and says how far off it may be is better than nothing and better than zero watts.
//!
//! **Model.** For a window of Δt in which n logical CPUs were online and busy for the share u of the time,
//! `E = n · W(u) · Δt`, with `W` the watts of one logical CPU of the processor's generation ([`CpuClass`]). With the feature
//! `models`, `W` is the [default model](default_model), learned on measured machines: power rises steeply from idle, then
//! flattens. Without, it is the straight line of Cloud Carbon Footprint between idle and full load. Utilisation is the meter's own,
//! from `/proc/stat`, over exactly the window whose energy it reports; time stolen by the hypervisor is not ours and does
//! not count. The counter starts at zero with the first reading, in whole microjoules, rounded once a window.
//!
//! **Instance.** In a cloud a logical CPU may be two threads of the host, or a part of one ([`InstanceType`]): both are known by the instance
//! type, which AWS's firmware tells. `W` is then that of both threads, and idle power the part that is the instance's own at all times.
//!
//! **Zone.** One `package` zone for all sockets. Its idle power is known: `n · W(0)`.
//!
//! **Error.** See [`CpuClass::error_ratio`], and [`Quality::error_bounds`](super::Quality::error_bounds) for the interval, which is wider for a class unlike those
//! that were measured; such windows are counted in [`Quality::warnings`](super::Quality::warnings). Power scales with the virtual machine's own CPUs,
//! never with the machine it happens to run on.
//!
//! **Calibration.** [`Estimate::calibrated`] puts the curve right by what was measured on this machine for a while: idle and dynamic
//! power by two loads, its bias by one. The error is then that of the curve's shape alone.
//!
//! **Never fails to open.** Without `/proc/cpuinfo` one virtual CPU of the generic class is assumed until `/proc/stat`
//! says how many there are; without `/proc/stat` each reading is an error and the file is tried again
//! next time. After an error, the next good reading covers the whole gap.
//!
//! ```
//! use kepler_core::host::{Host, Timestamp};
//! use kepler_core::meter::{EnergyMeter, Method, Reading, estimate::Estimate};
//!
//! let mut meter = Estimate::open(&Host::default());
//! assert!(matches!(meter.method(), Method::Estimated { error_ratio } if error_ratio >= 0.1));
//!
//! let mut readings = Vec::new();
//! meter.read(Timestamp::now(), &mut readings);
//! assert!(matches!(readings.as_slice(), [Ok(Reading::Counter(_))]));
//! ```

mod class;
mod instance;
#[cfg(feature = "models")]
mod trained;

pub use class::CpuClass;
pub use instance::{Cloud, InstanceType};
#[cfg(feature = "models")]
pub use trained::default_model;

use super::{
    EnergyMeter, ErrorBounds, EstimateWarnings, MeterInventory, Method, Quality, ReadError, ReadFault, Reading, Zone,
};
use instance::Share;

use crate::calibration::{Calibration, Correction, ERROR_CALIBRATED, Scale, WIDENING_UNSEEN};
use crate::host::{BusyTime, CpuTimesError, Host, Timestamp, Topology};
use crate::units::{Energy, Power, ZoneKind};
use std::time::Duration;

/// Where 90 % of the errors lie, relative to the estimate, after it was put right at idle and at full load.
const BOUNDS_CALIBRATED: ErrorBounds = ErrorBounds { below: 0.46, above: 1.41 };
/// The zone may grow this many times by CPUs being added before its plausible maximum is wrong.
const ROOM_FOR_HOTPLUG: f64 = 4.0;

/// Estimates the processors' energy from their utilisation. See the [module](self) for the model and its error.
#[derive(Debug)]
pub struct Estimate {
    host: Host,
    class: CpuClass,
    zones: [Zone; 1],
    busy: BusyTime,
    total: Energy,
    curve: Curve,
    share: Share,
    /// How it is put right for this machine, for one logical CPU.
    correction: Option<Correction>,
    /// By what it is multiplied without one, by what a meter of the whole machine shows.
    scale: Option<Scale>,
    /// How far off it is when calibrated.
    calibrated_error: f64,
    /// How far off the last window may be.
    error_ratio: f64,
    error_bounds: Option<ErrorBounds>,
    warnings: EstimateWarnings,
}

impl Estimate {
    /// Recognises the processor, and in AWS the instance type, and prepares to read its utilisation. Always succeeds.
    #[must_use]
    pub fn open(host: &Host) -> Self {
        Estimate::open_as(host, InstanceType::of(host).as_ref())
    }

    /// The same on a machine whose instance type is known from elsewhere.
    #[must_use]
    pub fn open_as(host: &Host, instance: Option<&InstanceType>) -> Self {
        let topology = Topology::read(host);
        let share = instance.map(InstanceType::share).unwrap_or_default();
        let class = class_of(host, &topology, &share);
        let processors = match host.cpu_times_now() {
            Ok(reading) => reading.times.processors as usize,
            Err(_) => topology.processors.len().max(1),
        };

        let on = instance.map(|instance| format!("; {instance}: {}", share.describe(processors))).unwrap_or_default();
        let path = format!("{} ({}{on})", host.procfs().join("stat").display(), class.name);
        let zone = Zone::new(ZoneKind::Package, path);
        let curve = Curve::of(&class);
        let mut meter = Estimate {
            host: host.clone(),
            error_ratio: class.error_ratio,
            class,
            zones: [zone],
            busy: BusyTime::default(),
            total: Energy::ZERO,
            curve,
            share,
            correction: None,
            scale: None,
            calibrated_error: ERROR_CALIBRATED,
            error_bounds: None,
            warnings: EstimateWarnings::default(),
        };
        meter.rate_idle(u32::try_from(processors).unwrap_or(u32::MAX));
        meter.assess(0.0);
        meter
    }

    /// The class whose figures are used.
    #[must_use]
    pub fn class(&self) -> &CpuClass {
        &self.class
    }

    /// Puts the estimate right by what was measured on this very machine. Without a measured package nothing changes.
    #[must_use]
    pub fn calibrated(mut self, calibration: &Calibration) -> Self {
        let threads = f64::from(calibration.threads.max(1));
        let correction = Correction::of(&calibration.points(), |share| self.uncorrected(share).watts() * threads);
        // The points are of the whole machine; CPUs may come and go.
        self.correction = correction.map(|whole| Correction { offset: whole.offset / threads, ..whole });
        if self.correction.is_some() {
            let [zone] = &mut self.zones;
            zone.path = format!("{}, {}", zone.path, calibration.describe()).into();
            self.calibrated_error = ERROR_CALIBRATED.hypot(calibration.transfer_error());
            self.rate_idle(calibration.threads);
            self.assess(0.0);
        }
        self
    }

    /// What one logical CPU draws that is busy for this share of the time, 0 … 1.
    #[must_use]
    pub fn power(&self, share: f64) -> Power {
        let power = self.uncorrected(share) * self.scale.map_or(1.0, |scale| scale.factor);
        self.correction.map_or(power, |correction| Power::from_watts(correction.apply(power.watts()).max(0.0)))
    }

    /// The same as the curve and the instance type have it: threads for a virtual CPU, and of their idle power the part that is its own.
    fn uncorrected(&self, share: f64) -> Power {
        let others = self.curve.power(0.0) * (1.0 - self.share.part);
        (self.curve.power(share) - others) * f64::from(self.share.threads)
    }

    /// CPUs that come or go take their idle power with them.
    fn rate_idle(&mut self, processors: u32) {
        let idle = self.power(0.0) * f64::from(processors);
        let most = self.power(1.0).watts() * f64::from(processors) * ROOM_FOR_HOTPLUG;
        let [zone] = &mut self.zones;
        zone.idle_power = Some(idle);
        zone.max_power = Power::from_watts(zone.max_power.watts().max(most));
    }

    /// Works out how far off the estimate may be at this busy share; whether the model has not seen the like.
    fn assess(&mut self, share: f64) -> bool {
        if let Some(correction) = self.correction {
            let is_outside = !correction.has_seen(share);
            let widening = if is_outside { WIDENING_UNSEEN } else { 1.0 };
            let wider = widening * self.calibrated_error / ERROR_CALIBRATED;
            (self.error_ratio, self.error_bounds) =
                (self.calibrated_error * widening, Some(BOUNDS_CALIBRATED.wider(wider)));
            return is_outside;
        }
        if let Some(scale) = self.scale {
            self.error_ratio = scale.error_ratio;
            self.error_bounds = Some(BOUNDS_CALIBRATED.wider(scale.error_ratio / ERROR_CALIBRATED));
            return false;
        }
        let known = self.class.error_ratio;
        (self.error_ratio, self.error_bounds) = match self.curve.error_bounds(share) {
            Some((error_bounds, widening)) => {
                // The class's own uncertainty widens both sides alike.
                let unknown = self.class.widening();
                (known * widening, Some(error_bounds.wider(unknown)))
            }
            None => (known, None),
        };
        self.curve.is_outside(share)
    }

    /// Adds the energy of the window that ends `at`.
    fn advance(&mut self, at: Timestamp) -> Result<Energy, CpuTimesError> {
        let times = self.host.cpu_times(at)?.times;
        if let Some(window) = self.busy.advance(times, at) {
            let share = busy_share(times.processors, window.busy, window.elapsed);
            self.total += window_energy(self.power(share), times.processors, window.elapsed);
            self.warnings.outside_range += u64::from(self.assess(share));
        }
        self.rate_idle(times.processors);
        Ok(self.total)
    }
}

/// The processors' class; by the instance type where they do not tell. A virtual CPU that is more or less than a thread was compared with
/// nothing measured.
fn class_of(host: &Host, topology: &Topology, share: &Share) -> CpuClass {
    let mut class = CpuClass::of(host, topology);
    if let Some(known) = share.class.as_ref().filter(|_| class.name == CpuClass::generic().name) {
        class = known.clone();
    }
    if share.is_special() {
        class.error_ratio = class.error_ratio.max(CpuClass::generic().error_ratio);
    }
    class
}

/// Watts of one logical CPU by its busy share.
#[derive(Clone, Copy, Debug)]
enum Curve {
    /// As learned on measured machines.
    #[cfg(feature = "models")]
    Trained(trained::Trained),
    /// Between idle and full load.
    Line { idle: Power, full: Power },
}

impl Curve {
    fn of(class: &CpuClass) -> Self {
        #[cfg(feature = "models")]
        if let Some(trained) = trained::Trained::of(class) {
            return Curve::Trained(trained);
        }
        Curve::Line { idle: class.idle, full: class.full }
    }

    fn power(&self, share: f64) -> Power {
        match self {
            #[cfg(feature = "models")]
            Curve::Trained(trained) => trained.power(share).unwrap_or_default(),
            Curve::Line { idle, full } => *idle + (*full - *idle) * share,
        }
    }

    fn error_bounds(&self, share: f64) -> Option<(ErrorBounds, f64)> {
        match self {
            #[cfg(feature = "models")]
            Curve::Trained(trained) => trained.error_bounds(share),
            Curve::Line { .. } => {
                let _ = share;
                None
            }
        }
    }

    fn is_outside(&self, share: f64) -> bool {
        match self {
            #[cfg(feature = "models")]
            Curve::Trained(trained) => trained.is_outside(share),
            Curve::Line { .. } => {
                let _ = share;
                false
            }
        }
    }
}

/// Which share of the time the processors were busy, 0 … 1.
fn busy_share(processors: u32, busy: Duration, elapsed: Duration) -> f64 {
    let capacity = f64::from(processors) * elapsed.as_secs_f64();
    if capacity > 0.0 { (busy.as_secs_f64() / capacity).clamp(0.0, 1.0) } else { 0.0 }
}

/// `n · W · Δt`.
fn window_energy(power: Power, processors: u32, elapsed: Duration) -> Energy {
    Energy::from_joules(power.watts() * f64::from(processors) * elapsed.as_secs_f64())
}

impl EnergyMeter for Estimate {
    fn source(&self) -> &'static str {
        "model"
    }

    fn quality(&self) -> Quality {
        let method = Method::Estimated { error_ratio: self.error_ratio };
        Quality::of(method).with_error_bounds(self.error_bounds).with_warnings(self.warnings)
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zones)
    }

    fn rescale(&mut self, scale: Option<Scale>) -> bool {
        let is_free = self.correction.is_none();
        self.scale = scale.filter(|_| is_free);
        is_free
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        readings.push(self.advance(at).map(Reading::Counter).map_err(read_error));
    }
}

fn read_error(error: CpuTimesError) -> ReadError {
    match error {
        CpuTimesError::Read { path, source } => ReadError::new(path.to_string_lossy(), source),
        CpuTimesError::Malformed { path } => {
            ReadError::new(path.to_string_lossy(), ReadFault::Invalid("no `cpu` line with at least four numbers"))
        }
    }
}

#[cfg(test)]
mod tests;
