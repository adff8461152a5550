//! The stopwatch behind `measure`: marks, and what lies between two of them.

mod counter_thread;

use crate::errors::MeterError;
use crate::fork;
use crate::host::{Host, chain};
use crate::remedies;
use counter_thread::CounterThread;
use kepler_core::stopwatch as core;
use kepler_core::units::ZoneKind;
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

/// Reads the meters of one machine; made once and shared by all measurements of it.
#[pyclass(frozen, module = "kepler_power._native")]
struct Stopwatch {
    meters: Arc<Mutex<core::Stopwatch>>,
    counter_thread: CounterThread,
}

#[pymethods]
impl Stopwatch {
    #[new]
    #[pyo3(signature = (host=None, sources=None))]
    fn new(py: Python<'_>, host: Option<Host>, sources: Option<Vec<String>>) -> PyResult<Self> {
        let host = host.as_ref().map(Host::core).unwrap_or_default();
        let options = chain(py, &host, sources)?;
        let opened = py.detach(|| core::Stopwatch::open(&host, options));
        let stopwatch = opened.map_err(|unavailable| MeterError::new_err(remedies::error(&unavailable)))?;
        let counter_thread = CounterThread::new(stopwatch.longest_gap());
        Ok(Stopwatch { meters: Arc::new(Mutex::new(stopwatch)), counter_thread })
    }

    /// Reads everything now.
    fn mark(&self, py: Python<'_>) -> Mark {
        let mark = py.detach(|| {
            let _reading = fork::reading();
            self.meters.lock().unwrap_or_else(PoisonError::into_inner).mark()
        });
        Mark { mark, _held: self.counter_thread.hold(&self.meters) }
    }

    /// Source, reason and remedy of each better meter that is not in use.
    fn unavailable(&self, py: Python<'_>) -> Vec<(&'static str, String, String)> {
        py.detach(|| {
            let _reading = fork::reading();
            remedies::rows(self.meters.lock().unwrap_or_else(PoisonError::into_inner).unavailable())
        })
    }

    /// Whether a thread reads the counters from time to time, for measurements that outlast a round of them.
    #[getter]
    fn keeps_up(&self) -> bool {
        self.counter_thread.is_running()
    }
}

/// A moment. While it exists, counters are read often enough to miss no round.
#[pyclass(frozen, module = "kepler_power._native")]
struct Mark {
    mark: core::Mark,
    _held: Arc<()>,
}

#[pymethods]
impl Mark {
    /// Seconds since 1970, for display.
    #[getter]
    fn timestamp(&self) -> f64 {
        self.mark.at().wall.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    /// What was spent from this mark to a later one.
    fn until(&self, later: &Mark) -> Spent {
        Spent { spent: self.mark.until(&later.mark) }
    }
}

/// What lies between two marks.
#[pyclass(frozen, module = "kepler_power._native")]
struct Spent {
    spent: core::Spent,
}

/// Name, energy in µJ, source, method, relative error of an estimate, idle energy in µJ, whether uncertain, whether part of
/// the machine's sum.
type ZoneRow = (&'static str, u64, &'static str, &'static str, Option<f64>, Option<u64>, bool, bool);

#[pymethods]
impl Spent {
    /// Seconds between the marks.
    #[getter]
    fn seconds(&self) -> f64 {
        self.spent.elapsed.as_secs_f64()
    }

    /// CPU seconds of this process.
    #[getter]
    fn own_cpu_seconds(&self) -> f64 {
        self.spent.own_cpu.as_secs_f64()
    }

    /// CPU seconds of this process and its descendants.
    #[getter]
    fn tree_cpu_seconds(&self) -> f64 {
        self.spent.tree_cpu.as_secs_f64()
    }

    /// Logical processors online.
    #[getter]
    fn processors(&self) -> u32 {
        self.spent.processors
    }

    /// The machine's energy in µJ; none without a zone that counts.
    #[getter]
    fn microjoules(&self) -> Option<u64> {
        self.spent.machine().map(|machine| machine.energy.microjoules())
    }

    /// The part of it that is this process's, in µJ.
    #[getter]
    fn own_microjoules(&self) -> Option<u64> {
        self.spent.part_of_machine(self.spent.own_cpu).map(|energy| energy.microjoules())
    }

    /// The part of it that is this process's and its descendants', in µJ.
    #[getter]
    fn tree_microjoules(&self) -> Option<u64> {
        self.spent.part_of_machine(self.spent.tree_cpu).map(|energy| energy.microjoules())
    }

    fn zones(&self) -> Vec<ZoneRow> {
        let machine = self.spent.machine();
        let row = |kind: ZoneKind| {
            let zone = self.spent.zones[kind].as_ref()?;
            let error = zone.method.error_ratio();
            Some((
                kind.name(),
                zone.energy.microjoules(),
                zone.source,
                zone.method.name(),
                error,
                zone.idle.map(|idle| idle.microjoules()),
                zone.is_uncertain,
                machine.as_ref().is_some_and(|machine| machine.zones[kind]),
            ))
        };
        ZoneKind::ALL.into_iter().filter_map(row).collect()
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Host>()?;
    module.add_class::<Stopwatch>()?;
    module.add_class::<Mark>()?;
    module.add_class::<Spent>()
}
