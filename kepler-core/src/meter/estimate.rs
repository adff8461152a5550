//! Energy from processor time alone: the [`Estimate`] meter, the last resort where nothing can be measured.
//!
//! Virtual machines, most cloud instances and many Arm servers show no sensor. An estimate that says
//! so and says how far off it may be is better than nothing and better than zero watts.
//!
//! **Model.** For a window of Δt in which n virtual CPUs were online and busy for B seconds together,
//! `E = n · min · Δt + (max − min) · B`, the linear model of Cloud Carbon Footprint, with `min` and
//! `max` the watts of one virtual CPU idle and at full load, by processor generation
//! ([`CpuClass`]). Utilisation is the meter's own, from `/proc/stat`, over exactly the window whose
//! energy it reports; time stolen by the hypervisor is not ours and does not count. The counter starts
//! at zero with the first reading, in whole microjoules, rounded once a window.
//!
//! **Zone.** One `package` zone for all sockets. Its idle power is known: `n · min`.
//!
//! **Error.** See [`CpuClass::error_ratio`]. Power scales with the virtual machine's own CPUs, never
//! with the machine it happens to run on.
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
//! assert!(matches!(meter.method(), Method::Estimated { error_ratio } if error_ratio >= 0.5));
//!
//! let mut readings = Vec::new();
//! meter.read(Timestamp::now(), &mut readings);
//! assert!(matches!(readings.as_slice(), [Ok(Reading::Counter(_))]));
//! ```

mod class;

pub use class::CpuClass;

use super::{EnergyMeter, Method, ReadError, Reading, Zone};
use crate::host::{BusyTime, CpuTimesError, CpuTimesReader, Host, Timestamp, Topology};
use crate::units::{Energy, Power, ZoneKind};
use std::io;
use std::time::Duration;

/// The zone may grow this many times by CPUs being added before its plausible maximum is wrong.
const ROOM_FOR_HOTPLUG: f64 = 4.0;

/// Estimates the processors' energy from their utilisation. See the [module](self) for the model and its error.
#[derive(Debug)]
pub struct Estimate {
    host: Host,
    class: CpuClass,
    zones: [Zone; 1],
    reader: Option<CpuTimesReader>,
    busy: BusyTime,
    total: Energy,
}

impl Estimate {
    /// Recognises the processor and prepares to read its utilisation. Always succeeds.
    #[must_use]
    pub fn open(host: &Host) -> Self {
        let topology = Topology::read(host);
        let class = CpuClass::of(host, &topology);
        let mut reader = CpuTimesReader::open(host).ok();
        let processors = reader
            .as_mut()
            .and_then(|reader| reader.read().ok())
            .map_or_else(|| topology.processors.len().max(1), |times| times.processors as usize);

        let path = format!("{} ({})", host.procfs().join("stat").display(), class.name);
        let mut zone = Zone::new(ZoneKind::Package, path);
        zone.idle_power = Some(class.idle * processors as f64);
        let most = class.full.watts() * processors as f64 * ROOM_FOR_HOTPLUG;
        zone.max_power = Power::from_watts(zone.max_power.watts().max(most));
        Estimate { host: host.clone(), class, zones: [zone], reader, busy: BusyTime::default(), total: Energy::ZERO }
    }

    /// The class whose figures are used.
    #[must_use]
    pub fn class(&self) -> &CpuClass {
        &self.class
    }

    /// Adds the energy of the window that ends `at`.
    fn advance(&mut self, at: Timestamp) -> Result<Energy, CpuTimesError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(CpuTimesReader::open(&self.host)?),
        };
        let times = reader.read()?;
        if let Some(window) = self.busy.advance(times, at) {
            self.total += window_energy(&self.class, times.processors, window.busy, window.elapsed);
        }
        // CPUs that come or go take their idle power with them.
        let [zone] = &mut self.zones;
        zone.idle_power = Some(self.class.idle * f64::from(times.processors));
        Ok(self.total)
    }
}

/// `n · min · Δt + (max − min) · B`.
fn window_energy(class: &CpuClass, processors: u32, busy: Duration, elapsed: Duration) -> Energy {
    let idle_joules = class.idle.watts() * f64::from(processors) * elapsed.as_secs_f64();
    let busy_joules = (class.full - class.idle).watts() * busy.as_secs_f64();
    Energy::from_joules(idle_joules + busy_joules)
}

impl EnergyMeter for Estimate {
    fn source(&self) -> &'static str {
        "model"
    }

    fn method(&self) -> Method {
        Method::Estimated { error_ratio: self.class.error_ratio }
    }

    fn zones(&self) -> &[Zone] {
        &self.zones
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        readings.push(self.advance(at).map(Reading::Counter).map_err(read_error));
    }
}

fn read_error(error: CpuTimesError) -> ReadError {
    match error {
        CpuTimesError::Read { path, source } => ReadError { path: path.display().to_string(), source },
        CpuTimesError::Malformed { ref path } => ReadError {
            path: path.display().to_string(),
            source: io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests;
