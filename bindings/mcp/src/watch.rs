//! A context with progress and cancellation: each query of a tool is a step.

use jiff::Timestamp;
use kepler_compliance::intensity::{CurrentIntensity, IntensityError, IntensitySeries, IntensitySource};
use kepler_compliance::tools::{Context, Toolbox};
use kepler_compliance::view::{EnergySeries, EnergyView, Inventory, NewestReading, Subject, TimeRange, ViewError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

/// Passes on what the tools ask of a toolbox, tells about it, and refuses once cancelled.
///
/// Tools block and know nothing of clients, so this is where a cancelled scan ends: its next question
/// is answered by an error.
pub(crate) struct ObservedToolbox<'a> {
    toolbox: &'a Toolbox,
    cancelled: CancellationToken,
    steps: Option<UnboundedSender<String>>,
}

const CANCELLED: &str = "the request was cancelled";

impl<'a> ObservedToolbox<'a> {
    pub(crate) fn new(
        toolbox: &'a Toolbox,
        cancelled: CancellationToken,
        steps: Option<UnboundedSender<String>>,
    ) -> Self {
        ObservedToolbox { toolbox, cancelled, steps }
    }

    /// What a tool needs to answer now.
    pub(crate) fn context(&self) -> Context<'_> {
        self.toolbox.context(Timestamp::now()).through(self, self)
    }

    fn tell(&self, step: impl FnOnce() -> String) {
        if let Some(steps) = &self.steps {
            // The receiver is gone once the answer was sent.
            let _ = steps.send(step());
        }
    }

    fn view(&self, step: impl FnOnce() -> String) -> Result<&dyn EnergyView, ViewError> {
        let view = &*self.toolbox.view;
        if self.cancelled.is_cancelled() {
            return Err(ViewError::Unavailable { origin: view.name().to_owned(), reason: CANCELLED.to_owned() });
        }
        self.tell(step);
        Ok(view)
    }

    fn intensity(&self, zone: &str) -> Result<&dyn IntensitySource, IntensityError> {
        let source = &*self.toolbox.intensity;
        if self.cancelled.is_cancelled() {
            let origin = source.name().to_owned();
            return Err(IntensityError::Unavailable { origin, reason: CANCELLED.to_owned(), retry_after: None });
        }
        self.tell(|| format!("asking {} for the grid intensity of {zone}", source.name()));
        Ok(source)
    }
}

impl EnergyView for ObservedToolbox<'_> {
    fn name(&self) -> &str {
        self.toolbox.view.name()
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        self.view(|| format!("reading the energy of all workloads, {range}"))?.inventory(range)
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        self.view(|| format!("reading energy over time, {range}"))?.series(subject, range, step)
    }

    fn newest(&self) -> Option<NewestReading> {
        self.toolbox.view.newest()
    }
}

impl IntensitySource for ObservedToolbox<'_> {
    fn name(&self) -> &str {
        self.toolbox.intensity.name()
    }

    fn is_builtin(&self) -> bool {
        self.toolbox.intensity.is_builtin()
    }

    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError> {
        self.intensity(zone)?.current(zone, now)
    }

    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.intensity(zone)?.history(zone, from, to)
    }

    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.intensity(zone)?.forecast(zone, from, to)
    }
}
