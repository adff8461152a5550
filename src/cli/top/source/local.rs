//! Figures measured here.

use super::super::super::config::Config;
use super::super::super::exit::Failure;
use super::super::super::live;
use super::super::super::sampling::{self, Known};
use super::super::event::Event;
use super::super::model::frame::Frame;
use super::super::model::item::Names;
use super::super::model::rates::Rates;
use jiff::Timestamp;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::site;
use kepler_compliance::view::NoView;
use kepler_core::monitor::Monitor;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

/// Time between two looks whether there is a newer snapshot: one atomic load.
const LOOK: Duration = Duration::from_millis(100);

/// A measurement.
pub(crate) struct Local {
    monitor: Monitor,
    node_name: String,
    names: Names,
    /// Held until the end: dropping it stops the refreshing.
    _known: Known,
}

impl Local {
    /// Begins to measure.
    ///
    /// # Errors
    /// The meter asked for cannot be used, or the host cannot be read.
    pub(crate) fn start(config: &Config, interval: Duration) -> Result<Self, Failure> {
        let known = Known::start(config);
        let sampler = sampling::open_named(config, &known)?;
        let monitor = Monitor::start(sampler, interval).map_err(Failure::to("start measuring"))?;
        Ok(Local { monitor, node_name: config.node_name(), names: Names::default(), _known: known })
    }

    /// The newest moment after `seen`.
    pub(crate) fn newer(&mut self, seen: u64) -> Option<Frame> {
        let snapshot = self.monitor.feed().latest().filter(|snapshot| snapshot.sequence > seen)?;
        Some(Frame::of(&snapshot, &self.node_name, &mut self.names))
    }

    /// The first moment with power, and the one before.
    pub(crate) fn first(&mut self) -> (Frame, Frame) {
        let mut before = self.next(0);
        loop {
            let frame = self.next(before.node.sequence);
            if !frame.node.interval.is_zero() {
                return (before, frame);
            }
            before = frame;
        }
    }

    fn next(&mut self, seen: u64) -> Frame {
        loop {
            match self.newer(seen) {
                Some(frame) => return frame,
                None => thread::sleep(LOOK),
            }
        }
    }

    /// Tells of each moment as long as there is a listener.
    pub(crate) fn follow(mut self, events: &Sender<Event>) {
        let mut seen = 0;
        loop {
            let frame = self.next(seen);
            seen = frame.node.sequence;
            if events.send(Event::Frame(Box::new(frame))).is_err() {
                return;
            }
        }
    }
}

/// What energy costs and emits as it is configured.
///
/// # Errors
/// A table or a file of data cannot be used.
pub(crate) fn rates(config: &Config, lang: Lang) -> Result<Rates, Failure> {
    let toolbox = live::toolbox(config, Arc::new(NoView))?;
    let context = toolbox.context(Timestamp::now());
    let site = site(&context, None, lang).map_err(|error| Failure::Data(error.to_string()))?;
    let (pue, grid) = (site.ratio().map(|pue| pue.ratio()), site.grid());
    let settings = &config.facility;
    let price = settings.price.as_ref().filter(|_| settings.tariff.is_none());
    Ok(Rates {
        grams_per_kwh: grid.zip(pue).map(|(grid, pue)| grid.grams_per_kilowatt_hour() * pue),
        cost_per_kwh: price.zip(pue).map(|(price, pue)| price.per_kwh.value() * pue),
        currency: price.map(|price| price.currency.clone()),
        place: site.zone_name,
        pue,
    })
}
