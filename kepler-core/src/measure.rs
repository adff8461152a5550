//! The energy of a piece of a program, in one call: [`measure`].

use crate::availability::Unavailable;
use crate::host::Host;
use crate::meter::Method;
use crate::meter::chain::ChainOptions;
use crate::stopwatch::{Spent, Stopwatch};
use crate::units::{Energy, Power};
use std::fmt;
use std::time::Duration;

/// What was drawn while some work was done, and what the work returned.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Measured<T> {
    /// What the work returned.
    pub value: T,
    /// How long it took, without suspend.
    pub elapsed: Duration,
    /// What the whole machine drew meanwhile: package and memory, or the platform where there is neither. `None`
    /// where no meter gives any of them.
    pub energy: Option<Energy>,
    /// This process's share of it, children included that have ended and were waited for.
    pub process_energy: Option<Energy>,
    /// The meter that most of the energy comes from: `powercap`, `model`, …
    pub source: Option<&'static str>,
    /// How good the figures are: the weakest method of the zones that were added.
    pub method: Option<Method>,
    /// All figures, zone by zone.
    pub spent: Spent,
}

impl<T> Measured<T> {
    /// The machine's mean power.
    #[must_use]
    pub fn power(&self) -> Option<Power> {
        Some(self.energy?.over(self.elapsed))
    }

    /// This process's mean power.
    #[must_use]
    pub fn process_power(&self) -> Option<Power> {
        Some(self.process_energy?.over(self.elapsed))
    }

    /// Expected relative error of the energy, one standard deviation; `None` if it was measured, or is not known.
    #[must_use]
    pub fn error_ratio(&self) -> Option<f64> {
        self.method?.error_ratio()
    }
}

/// Does some work and says what the machine drew meanwhile, and how much of that was this process's.
///
/// The meters are opened for each call, which takes some milliseconds; keep a [`Stopwatch`] for repeated measurements.
///
/// ```
/// let measured = kepler_core::measure(|| (0..1_000_000u64).map(|n| n ^ 0x55).sum::<u64>())?;
/// println!("{measured:.2}"); // 0.29 J of the machine in 0.02 s, 0.11 J of this process, estimated by model
/// assert!(measured.process_energy <= measured.energy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the meters cannot be opened. The work has not been begun then.
pub fn measure<T>(work: impl FnOnce() -> T) -> Result<Measured<T>, Unavailable> {
    Ok(Stopwatch::open(&Host::default(), ChainOptions::default())?.measure(work))
}

impl Stopwatch {
    /// Does some work and says what the machine drew meanwhile, and how much of that was this process's.
    ///
    /// ```
    /// use kepler_core::{host::Host, meter::chain::ChainOptions, stopwatch::Stopwatch};
    ///
    /// let mut stopwatch = Stopwatch::open(&Host::default(), ChainOptions::default())?;
    /// let (first, second) = (stopwatch.measure(|| 1), stopwatch.measure(|| 2));
    /// assert_eq!((first.value, second.value), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn measure<T>(&mut self, work: impl FnOnce() -> T) -> Measured<T> {
        let start = self.mark();
        let value = work();
        let spent = start.until(&self.mark());
        let source = spent.machine_source();
        Measured {
            value,
            elapsed: spent.elapsed,
            energy: spent.machine().map(|machine| machine.energy),
            process_energy: spent.part_of_machine(spent.tree_cpu),
            source: source.map(|(source, _)| source),
            method: source.map(|(_, method)| method),
            spent,
        }
    }
}

/// One sentence. The precision is that of joules and seconds.
impl<T> fmt::Display for Measured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(3);
        let (Some(energy), Some(own), Some(source), Some(method)) =
            (self.energy, self.process_energy, self.source, self.method)
        else {
            return write!(f, "no energy is known, in {:.precision$} s", self.elapsed.as_secs_f64());
        };
        write!(
            f,
            "{energy:.precision$} of the machine in {:.precision$} s, {own:.precision$} of this process, {} by {source}",
            self.elapsed.as_secs_f64(),
            method.name(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_no_better_than_its_worst_part() {
        let estimated = |error_ratio| Method::Estimated { error_ratio };
        assert_eq!(Method::weaker(Method::Measured, estimated(0.1)), estimated(0.1));
        assert_eq!(Method::weaker(estimated(0.3), estimated(0.1)), estimated(0.3));
        assert_eq!(Method::weaker(Method::Measured, Method::Measured), Method::Measured);
    }

    #[test]
    fn a_sum_errs_by_what_each_part_adds_to_it() {
        let estimated = |error_ratio| Method::Estimated { error_ratio };
        let sum = |parts: &[(f64, Method)]| Method::of_sum(parts.iter().copied());
        // An accelerator of 300 W that is measured, beside processors of some 100 W.
        assert_eq!(sum(&[(300.0, Method::Measured), (100.0, estimated(0.6))]), Some(estimated(0.15)));
        assert_eq!(sum(&[(3.0, estimated(0.1)), (7.0, estimated(0.1))]), Some(estimated(0.1)));
        // What adds nothing does not err, and nothing at all errs as the worst.
        assert_eq!(sum(&[(300.0, Method::Measured), (0.0, estimated(0.6))]), Some(Method::Measured));
        assert_eq!(sum(&[(0.0, Method::Measured), (0.0, estimated(0.6))]), Some(estimated(0.6)));
        assert_eq!(sum(&[]), None);
    }

    #[test]
    fn the_share_of_this_process_is_a_part_of_what_the_machine_drew() {
        let measured = measure(|| (0..5_000_000u64).fold(0, |sum, n| std::hint::black_box(sum ^ n))).unwrap();
        let (energy, own) = (measured.energy.unwrap(), measured.process_energy.unwrap());
        assert!(own <= energy && energy > Energy::ZERO, "{measured:?}");
        assert!(measured.source.is_some() && measured.method.is_some());
        let text = format!("{measured:.1}");
        assert!(text.contains(&format!("{energy:.1} of the machine")) && text.contains(" by "), "{text}");
    }
}
