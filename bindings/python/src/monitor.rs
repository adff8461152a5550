//! Watching the machine: the monitor's thread, and its snapshots.

mod arrow;
mod columns;
mod table;

use crate::carbon::{Live, Observation};
use crate::errors::{MeterError, MonitorError, message_and_remedy};
use crate::host::{Host, chain};
use crate::platform::{Given, MeterRow, Platform, ResidualRow, residual, row};
use crate::remedies;
use kepler_core::attribution::IdlePolicy;
use kepler_core::monitor::Monitor as CoreMonitor;
use kepler_core::sampler::{Sampler, SamplerError, SamplerOptions};
use kepler_core::snapshot::{Feed, Snapshot as CoreSnapshot};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};
use table::Table;

/// How long to wait before Ctrl-C is looked for.
const SIGNAL_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A sampler at work on a thread of its own.
#[pyclass(frozen, module = "kepler_power._native")]
struct Monitor {
    running: Mutex<Option<CoreMonitor>>,
    /// Meters of the whole machine, which are asked on threads of their own.
    platform: Mutex<Option<Platform>>,
    feed: Feed,
    /// The view that the tools ask.
    live: Live,
    unavailable: Vec<(&'static str, String, String)>,
    /// The process whose thread it is.
    process: u32,
}

#[pymethods]
impl Monitor {
    #[new]
    #[pyo3(signature = (interval, host=None, sources=None, ratio=false, platform=Vec::new()))]
    fn new(
        py: Python<'_>,
        interval: Duration,
        host: Option<Host>,
        sources: Option<Vec<String>>,
        ratio: bool,
        platform: Vec<Given>,
    ) -> PyResult<Self> {
        let host = host.as_ref().map(Host::core).unwrap_or_default();
        let policy = if ratio { IdlePolicy::Ratio } else { IdlePolicy::Baseline };
        let chain = chain(py, &host, sources)?;
        let platform = Platform::start(&host, &platform)?;
        let options = SamplerOptions::default().with(|options| {
            (options.chain, options.policy) = (chain, policy);
            options.platform = platform.as_ref().map(|platform| platform.board.clone());
        });
        py.detach(|| {
            let sampler = Sampler::new(&host, options).map_err(|error| refused(&error))?;
            let unavailable = remedies::rows(sampler.unavailable());
            let running = CoreMonitor::start(sampler, interval).map_err(|error| {
                MonitorError::new_err((format!("no thread can be started: {error}"), "raise the limit of threads"))
            })?;
            let feed = running.feed();
            let live = Live::new(feed.clone());
            let (running, platform) = (Mutex::new(Some(running)), Mutex::new(platform));
            Ok(Monitor { running, platform, feed, live, unavailable, process: std::process::id() })
        })
    }

    /// The newest snapshot.
    fn latest(&self) -> PyResult<Option<Snapshot>> {
        self.check_process()?;
        Ok(self.feed.latest().map(|snapshot| Snapshot { snapshot }))
    }

    /// Waits for a snapshot with a number above `after`; none if the monitor is stopped or the time is over.
    fn wait(&self, py: Python<'_>, after: u64, timeout: Option<Duration>) -> PyResult<Option<Snapshot>> {
        self.check_process()?;
        let give_up = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let found = py.detach(|| {
                let pause = Instant::now() + SIGNAL_CHECK_INTERVAL;
                loop {
                    if let Some(newer) = self.feed.latest().filter(|snapshot| snapshot.sequence > after) {
                        return Some(Ok(newer));
                    }
                    let (now, interval) = (Instant::now(), self.interval());
                    let Some(interval) = interval.filter(|_| give_up.is_none_or(|end| now < end)) else {
                        return Some(Err(()));
                    };
                    if now >= pause {
                        return None;
                    }
                    let step = (interval / 20).clamp(Duration::from_millis(1), Duration::from_millis(20));
                    std::thread::sleep(give_up.map_or(step, |end| step.min(end.saturating_duration_since(now))));
                }
            });
            match found {
                Some(found) => return Ok(found.ok().map(|snapshot| Snapshot { snapshot })),
                None => py.check_signals()?,
            }
        }
    }

    /// As a source of the tools.
    fn observation(&self) -> PyResult<Observation> {
        self.check_process()?;
        Ok(self.live.observation())
    }

    /// Stops the thread and waits for the tick under way.
    fn stop(&self, py: Python<'_>) {
        let (running, platform) = (self.take(), self.platform.lock().unwrap_or_else(PoisonError::into_inner).take());
        py.detach(|| drop((running, platform)));
    }

    /// Source, reason and remedy of each better meter that was not to be had at the start.
    fn unavailable(&self) -> Vec<(&'static str, String, String)> {
        self.unavailable.clone()
    }
}

impl Monitor {
    fn check_process(&self) -> PyResult<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        let message = "this monitor belongs to the process that this one was forked from";
        Err(MonitorError::new_err((message, "start a Monitor in the child")))
    }

    fn interval(&self) -> Option<Duration> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(CoreMonitor::interval)
    }

    /// The thread to stop. In a forked child there is none, and waiting for it would never end.
    fn take(&self) -> Option<CoreMonitor> {
        if self.process != std::process::id() {
            return None;
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            return;
        }
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        std::mem::forget(running);
    }
}

fn refused(error: &SamplerError) -> PyErr {
    match error {
        SamplerError::Meter(unavailable) => MeterError::new_err(remedies::error(unavailable)),
        SamplerError::Usage { unavailable } => {
            let (message, remedy) = remedies::error(unavailable);
            MeterError::new_err((format!("cannot follow processes with {message}"), remedy))
        }
        // Their texts end in a remedy in the library's words.
        other => MeterError::new_err((message_and_remedy(other).0, remedies::text(&other.remedy()))),
    }
}

/// The state of the machine at one moment.
#[pyclass(frozen, module = "kepler_power._native")]
struct Snapshot {
    snapshot: Arc<CoreSnapshot>,
}

/// Name, path, source, method, relative error, then in µJ: energy, active, idle, unattributed; then in W: power, active.
type NodeZoneRow =
    (&'static str, String, &'static str, &'static str, Option<f64>, u64, u64, u64, u64, Option<f64>, Option<f64>);

#[pymethods]
impl Snapshot {
    #[getter]
    fn sequence(&self) -> u64 {
        self.snapshot.sequence
    }

    /// Seconds since 1970.
    #[getter]
    fn timestamp(&self) -> f64 {
        self.snapshot.at.wall.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    #[getter]
    fn interval_seconds(&self) -> f64 {
        self.snapshot.interval.as_secs_f64()
    }

    #[getter]
    fn usage_ratio(&self) -> f64 {
        self.snapshot.node.usage_ratio
    }

    #[getter]
    fn processors(&self) -> u32 {
        self.snapshot.node.processors
    }

    fn node_zones(&self) -> Vec<NodeZoneRow> {
        let row = |(kind, zone): (kepler_core::units::ZoneKind, &kepler_core::snapshot::NodeZone)| {
            let error = zone.method.error_ratio();
            (
                kind.name(),
                zone.path.to_string(),
                zone.source,
                zone.method.name(),
                error,
                zone.energy.microjoules(),
                zone.active_energy.microjoules(),
                zone.idle_energy.microjoules(),
                zone.unattributed_energy.microjoules(),
                zone.power.map(|power| power.total.watts()),
                zone.power.map(|power| power.active.watts()),
            )
        };
        self.snapshot.node.zones().map(row).collect()
    }

    /// Each meter of the whole machine.
    fn platform(&self) -> Vec<MeterRow> {
        self.snapshot.platform.iter().map(row).collect()
    }

    /// What the machine draws beside its parts, where a meter of it was read.
    fn residual(&self) -> Option<ResidualRow> {
        self.snapshot.platform_residual.as_ref().map(residual)
    }

    /// Source, reason and count of faults so far.
    fn faults(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.snapshot.faults.iter().map(|fault| (fault.source, fault.reason, fault.count)).collect()
    }

    /// The rows of a level: processes, containers, pods, vms, units, jobs or commands.
    fn table(&self, level: &str) -> PyResult<Table> {
        let kind = columns::level(level)
            .ok_or_else(|| crate::errors::ConfigurationError::new_err((format!("there is no level `{level}`"), "")))?;
        Ok(Table::new(Arc::clone(&self.snapshot), kind))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Monitor>()?;
    module.add_class::<Snapshot>()?;
    module.add_class::<Table>()
}
