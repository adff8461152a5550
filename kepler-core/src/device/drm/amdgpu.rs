//! The energy of a card that `amdgpu` drives.
//!
//! Power is read from hwmon (`power1_average`, else `power1_input`, which MI300 has alone), else from `gpu_metrics`, and integrated. The
//! table's energy counter is better, if it counts: on some cards it stands at zero (RX 9000), on some it stands still until the machine
//! restarts (MI100, amdsmi issue 38), on some its unit is another. So it is compared with the integral for some seconds before it is
//! believed, and all the time afterwards.

use super::gpu_metrics::{self, GpuMetrics};
use super::sensor;
use crate::counter::{CounterTracker, EnergyDelta, Reading};
use crate::device::Device;
use crate::device::integral::PowerIntegral;
use crate::host::Timestamp;
use crate::meter::{ReadError, ReadFault};
use crate::units::{Energy, Power};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a counter is compared before each verdict.
const COMPARED: Duration = Duration::from_secs(5);

/// From how much energy on a comparison says something.
const LEAST: Energy = Energy::from_microjoules(20_000_000);

/// By which factor a counter that is believed may differ: sensors show averages of other windows, or the moment.
const CLOSE: f64 = 1.25;

#[derive(Debug)]
pub(super) struct Amdgpu {
    metrics: PathBuf,
    power: Option<PathBuf>,
    integral: PowerIntegral,
    counter: Option<Counter>,
}

/// The table's counter, beside the integral.
#[derive(Debug)]
struct Counter {
    tracker: CounterTracker,
    is_believed: bool,
    /// Since when the two are compared, and what each has counted.
    since: Timestamp,
    counted: Energy,
    integrated: Energy,
}

impl Amdgpu {
    pub(super) fn new(device: &Path) -> Self {
        let power = sensor::power(&sensor::chips(device, "amdgpu"));
        Amdgpu { metrics: device.join("gpu_metrics"), power, integral: PowerIntegral::default(), counter: None }
    }

    /// The card's table, if it has one that is known.
    pub(super) fn table(&self) -> Option<GpuMetrics> {
        sensor::bytes(&self.metrics).ok().and_then(|bytes| gpu_metrics::parse(&bytes))
    }

    /// The power that the card shows now.
    pub(super) fn power(&self, table: Option<&GpuMetrics>) -> Result<Power, ReadFault> {
        let of_table = table.and_then(|table| table.power);
        match (&self.power, of_table) {
            // A sensor that fails for a while must not stop what the table goes on to tell.
            (Some(path), of_table) => sensor::watts(path).or_else(|fault| of_table.ok_or(fault)),
            (None, Some(power)) => Ok(power),
            (None, None) => Err(ReadFault::Invalid("it shows no power")),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.power.as_deref().unwrap_or(&self.metrics)
    }

    pub(super) fn table_path(&self) -> &Path {
        &self.metrics
    }

    /// Whether the energy is that of the card's counter.
    pub(super) fn is_counted(&self) -> bool {
        self.counter.as_ref().is_some_and(|counter| counter.is_believed)
    }

    /// What the card drew since it was first read, and how busy it is.
    pub(super) fn read(&mut self, at: Timestamp) -> Result<(Energy, Option<f64>), ReadError> {
        let table = self.table();
        let power = self.power(table.as_ref()).map_err(|fault| sensor::error(self.path(), fault))?;
        let drawn = self.integral.add(power, at);
        if let Some((energy, modulus)) = table.and_then(|table| Some((table.energy?, table.modulus))) {
            let counter = self.counter.get_or_insert_with(|| Counter::new(modulus, at));
            if let Some(counted) = counter.add(energy, drawn, at) {
                self.integral.replace(drawn, counted);
            }
        }
        Ok((self.integral.total(), table.and_then(|table| table.activity)))
    }

    /// The card sleeps, and may lose its counter.
    pub(super) fn pause(&mut self) {
        self.integral.pause();
        self.counter = None;
    }
}

impl Counter {
    fn new(modulus: Option<Energy>, at: Timestamp) -> Self {
        Counter {
            tracker: CounterTracker::new(modulus, Device::PLAUSIBLE_MAXIMUM),
            is_believed: false,
            since: at,
            counted: Energy::ZERO,
            integrated: Energy::ZERO,
        }
    }

    /// Takes the counter's value, and what the integral says was drawn meanwhile. Returns what the counter says, if it is believed.
    fn add(&mut self, energy: Energy, drawn: Energy, at: Timestamp) -> Option<Energy> {
        // After a reset the integral knows more: it goes on, and the comparison restarts.
        let (EnergyDelta::Exact(counted) | EnergyDelta::Wrapped(counted)) =
            self.tracker.update(Reading::Counter(energy), at)
        else {
            self.begin(at);
            return None;
        };
        let was_believed = self.is_believed;
        self.counted += counted;
        self.integrated += drawn;
        if at.since(&self.since) >= COMPARED && self.integrated >= LEAST {
            let ratio = self.counted.joules() / self.integrated.joules();
            self.is_believed = (1.0 / CLOSE..=CLOSE).contains(&ratio);
            self.begin(at);
        }
        (was_believed && self.is_believed).then_some(counted)
    }

    fn begin(&mut self, at: Timestamp) {
        (self.since, self.counted, self.integrated) = (at, Energy::ZERO, Energy::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts for some seconds at 100 W by the integral, and at other watts by the counter.
    fn believed(counter: &mut Counter, at: &mut Timestamp, energy: &mut f64, seconds: u32, watts: f64) -> Energy {
        let mut counted = Energy::ZERO;
        for _ in 0..seconds {
            *at = at.advanced(Duration::from_secs(1));
            *energy += watts;
            let drawn = Energy::from_joules(100.0);
            counted += counter.add(Energy::from_joules(*energy), drawn, *at).unwrap_or(drawn);
        }
        counted
    }

    #[test]
    fn a_counter_is_believed_when_it_agrees_and_no_longer_when_it_stands_still() {
        let (mut at, mut energy) = (Timestamp::now(), 5000.0);
        let mut counter = Counter::new(None, at);
        counter.add(Energy::from_joules(energy), Energy::ZERO, at);
        assert_eq!(believed(&mut counter, &mut at, &mut energy, 4, 110.0), Energy::from_joules(400.0));
        assert!(!counter.is_believed, "not before some seconds have passed");
        believed(&mut counter, &mut at, &mut energy, 1, 110.0);
        assert!(counter.is_believed);
        assert_eq!(believed(&mut counter, &mut at, &mut energy, 4, 110.0), Energy::from_joules(440.0));
        believed(&mut counter, &mut at, &mut energy, 7, 0.0);
        assert!(!counter.is_believed);
        assert_eq!(believed(&mut counter, &mut at, &mut energy, 3, 0.0), Energy::from_joules(300.0));
    }

    #[test]
    fn a_counter_of_another_unit_or_at_zero_is_never_believed() {
        for watts in [0.0, 100.0 / 15.259, 1525.9] {
            let (mut at, mut energy) = (Timestamp::now(), 0.0);
            let mut counter = Counter::new(None, at);
            counter.add(Energy::ZERO, Energy::ZERO, at);
            let counted = believed(&mut counter, &mut at, &mut energy, 60, watts);
            assert_eq!((counted, counter.is_believed), (Energy::from_joules(6000.0), false), "{watts} W");
        }
    }

    #[test]
    fn a_reset_loses_nothing_since_the_integral_goes_on() {
        let (mut at, mut energy) = (Timestamp::now(), 5000.0);
        let mut counter = Counter::new(None, at);
        counter.add(Energy::from_joules(energy), Energy::ZERO, at);
        believed(&mut counter, &mut at, &mut energy, 6, 100.0);
        energy = 0.0;
        assert_eq!(believed(&mut counter, &mut at, &mut energy, 3, 100.0), Energy::from_joules(300.0));
    }
}
