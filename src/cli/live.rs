//! What the tools work with in a program that goes on running: its measurements, the embedded data.

use super::config::Config;
use super::exit::Failure;
use kepler_compliance::intensity::Table;
use kepler_compliance::standards::Standards;
use kepler_compliance::tools::Toolbox;
use kepler_compliance::view::{EnergyView, LiveView, RingOptions};
use kepler_compliance::zones::Zones;
use kepler_core::monitor::Monitor;
use std::io;
use std::sync::Arc;

/// The tools over what `view` knows.
///
/// # Errors
/// When the embedded data cannot be read.
pub(super) fn toolbox(config: &Config, view: Arc<dyn EnergyView>) -> Result<Toolbox, Failure> {
    let zones = Zones::embedded().map_err(|error| Failure::to("read the zone table")(io::Error::other(error)))?;
    let standards =
        Standards::embedded().map_err(|error| Failure::to("read the standards")(io::Error::other(error)))?;
    Ok(Toolbox {
        view,
        standards,
        intensity: Arc::new(Table::from_zones(&zones)),
        zones,
        settings: config.facility.clone(),
    })
}

/// What `monitor` sees.
///
/// Spawns a task that looks at it once an interval, so that windows reach back to the start and not to
/// the last question only: call this within the runtime.
pub(super) fn view(config: &Config, monitor: &Monitor) -> Arc<LiveView> {
    let view = Arc::new(LiveView::new(monitor.feed(), config.node_name(), RingOptions::default()));
    let mut tick = tokio::time::interval(monitor.interval());
    let observed = Arc::downgrade(&view);
    tokio::spawn(async move {
        loop {
            tick.tick().await;
            match observed.upgrade() {
                Some(view) => view.observe(),
                None => return,
            }
        }
    });
    view
}
