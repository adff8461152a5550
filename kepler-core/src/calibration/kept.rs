//! What was learned of an estimate while serving, as it outlives the program: [`KeptCorrection`].

use super::{Calibration, LiveCorrection};
use crate::host::Host;
use std::time::{Duration, SystemTime};

/// What `format` says in every file.
const FORMAT: &str = "kepler-correction";
/// The version this reads and writes.
const VERSION: u32 = 1;
/// Older ones are not used.
const MAX_AGE: Duration = Duration::from_secs(7 * 86_400);
/// A clock that was set back by more makes ages mean nothing.
const CLOCK_ERROR: Duration = Duration::from_secs(3600);

/// A correction of an estimate, by which meter, of which estimate and of which machine.
///
/// ```
/// use kepler_core::calibration::{KeptCorrection, LiveCorrection};
/// use kepler_core::host::Host;
/// use std::time::SystemTime;
///
/// let host = Host::default();
/// let kept = KeptCorrection::of(&host, "redfish", "bmc 1", "model", SystemTime::now(), LiveCorrection::default());
/// assert!(kept.restored(&host, SystemTime::now()).is_ok());
/// let later = SystemTime::now() + std::time::Duration::from_secs(8 * 86_400);
/// assert_eq!(kept.restored(&host, later).unwrap_err(), "it is older than a week");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct KeptCorrection {
    format: String,
    version: u32,
    /// The machine's processor, as the kernel names it.
    processor: String,
    /// Its logical CPUs.
    threads: u32,
    /// Its maker and model.
    model: String,
    /// By what the meter is asked.
    pub source: String,
    /// Which meter it is.
    pub meter: String,
    /// What is corrected: source and path of the estimated zones.
    pub estimate: String,
    /// When the newest reading was taken, in seconds since 1970.
    pub newest: u64,
    /// What was learned.
    pub live: LiveCorrection,
}

impl KeptCorrection {
    /// What was learned on this host.
    #[must_use]
    pub fn of(
        host: &Host,
        source: &str,
        meter: &str,
        estimate: &str,
        newest: SystemTime,
        live: LiveCorrection,
    ) -> Self {
        let Calibration { processor, threads, model, .. } = Calibration::of(host);
        KeptCorrection {
            format: FORMAT.to_owned(),
            version: VERSION,
            processor,
            threads,
            model,
            source: source.to_owned(),
            meter: meter.to_owned(),
            estimate: estimate.to_owned(),
            newest: since_1970(newest),
            live,
        }
    }

    /// The same with more learned.
    #[must_use]
    pub(crate) fn renewed(&self, newest: SystemTime, live: LiveCorrection) -> Self {
        KeptCorrection { newest: since_1970(newest), live, ..self.clone() }
    }

    /// When the newest reading was taken.
    #[must_use]
    pub fn newest(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.newest)).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// What is left of it on this host by now: readings count the less, the older they are.
    ///
    /// # Errors
    /// Why nothing is.
    pub fn restored(&self, host: &Host, now: SystemTime) -> Result<LiveCorrection, &'static str> {
        let Calibration { processor, threads, model, .. } = Calibration::of(host);
        if self.format != FORMAT || self.version != VERSION {
            return Err("it is of another version");
        }
        if (&self.processor, self.threads, &self.model) != (&processor, threads, &model) {
            return Err("it was learned on another machine");
        }
        if self.newest() > now + CLOCK_ERROR {
            return Err("it is of the future");
        }
        let age = now.duration_since(self.newest()).unwrap_or_default();
        if is_old(age) {
            return Err("it is older than a week");
        }
        if !self.live.is_sound() {
            return Err("its figures are impossible");
        }
        Ok(self.live.faded(age))
    }
}

/// Whole seconds; none of earlier times.
fn since_1970(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whether a correction whose newest reading is as old as this says nothing any more.
pub(crate) fn is_old(age: Duration) -> bool {
    age > MAX_AGE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned() -> LiveCorrection {
        let mut live = LiveCorrection::default();
        for minute in 0..360 {
            let estimate = 20.0 + f64::from(minute % 5) * 10.0;
            live.observe(estimate, 90.0 + 2.6 * estimate, Duration::from_secs(60));
        }
        live
    }

    #[test]
    fn a_day_later_it_still_holds_and_counts_less_than_new_readings() {
        let (host, now) = (Host::default(), SystemTime::now());
        let kept = KeptCorrection::of(&host, "redfish", "bmc", "model", now, learned());
        let day = now + Duration::from_secs(86_400);
        let mut restored = kept.restored(&host, day).unwrap();
        let factor = restored.scale().unwrap().factor;
        assert!((factor - 2.0).abs() < 0.01, "{factor}");
        // The processor was exchanged meanwhile: half a day of readings says so.
        for minute in 0..720 {
            let estimate = 20.0 + f64::from(minute % 5) * 10.0;
            restored.observe(estimate, 90.0 + 1.3 * estimate, Duration::from_secs(60));
        }
        let factor = restored.scale().unwrap().factor;
        assert!((factor - 1.0).abs() < 0.15, "{factor}");
    }

    #[test]
    fn another_machine_a_clock_set_back_and_impossible_figures_are_refused() {
        let (host, now) = (Host::default(), SystemTime::now());
        let kept = KeptCorrection::of(&host, "redfish", "bmc", "model", now, learned());
        let other = KeptCorrection { threads: kept.threads + 1, ..kept.clone() };
        assert_eq!(other.restored(&host, now), Err("it was learned on another machine"));
        let newer = KeptCorrection { version: 2, ..kept.clone() };
        assert_eq!(newer.restored(&host, now), Err("it is of another version"));
        assert_eq!(kept.restored(&host, now - Duration::from_secs(86_400)), Err("it is of the future"));
        let never = KeptCorrection { newest: u64::MAX, ..kept.clone() };
        assert!(never.restored(&host, now).is_err());
        let mut broken = LiveCorrection::default();
        broken.observe(f64::MAX, f64::MAX, Duration::from_secs(60));
        broken.observe(1.0, 1.0, Duration::from_secs(60));
        let broken = KeptCorrection { live: broken, ..kept };
        assert_eq!(broken.restored(&host, now), Err("its figures are impossible"));
    }
}
