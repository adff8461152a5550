//! Where energy figures come from: this host, Kepler exporters, a Prometheus server.

use crate::errors::{ConfigurationError, message_and_remedy, unavailable};
use crate::host::{Host, chain};
use jiff::Timestamp;
use kepler_compliance::tools::Length;
use kepler_compliance::view::{EnergyView, HistoryRing, LiveView, RingOptions};
use kepler_connect::kepler::{KeplerOptions, KeplerView};
use kepler_connect::prometheus::{PrometheusOptions, PrometheusView};
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::snapshot::Feed;
use pyo3::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two measurements here, so that workloads that come and go are seen.
const TICK: Duration = Duration::from_secs(1);
/// How soon a pressed Ctrl-C is seen while waiting.
const SIGNAL_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// How long is observed where no window is asked for, seconds.
const OBSERVED_SECONDS: u64 = 6;

/// The machine and the names of its meters, where a measurement of our own is to use others than usual.
pub(super) type Meters = (Option<Host>, Option<Vec<String>>);

/// `source=` as text.
pub(super) enum Origin {
    /// This host.
    Local,
    /// Kepler exporters, one address a node.
    Kepler(Vec<String>),
    /// A Prometheus server.
    Prometheus(String),
}

impl Origin {
    pub(super) fn parse(text: &str) -> PyResult<Self> {
        match text.split_once('=') {
            None if text == "local" => Ok(Origin::Local),
            Some(("kepler", urls)) if !urls.is_empty() => {
                Ok(Origin::Kepler(urls.split(',').map(|url| url.trim().to_owned()).collect()))
            }
            Some(("prometheus", url)) if !url.is_empty() => Ok(Origin::Prometheus(url.to_owned())),
            _ => {
                let message = format!("there is no source `{text}`");
                Err(ConfigurationError::new_err((
                    message,
                    "give local, kepler=URL[,URL...], prometheus=URL, a Monitor or an Observation",
                )))
            }
        }
    }

    /// Opens the view; where that takes observing, observes for `window`, without the GIL.
    pub(super) fn observe(&self, py: Python<'_>, window: Option<Length>, meters: Meters) -> PyResult<Observation> {
        let length = window.map_or(Duration::from_secs(OBSERVED_SECONDS), Length::duration);
        let shown = Length::try_from(length).unwrap_or(Length::minutes(1));
        let caveat_of = |what: &str| Some(format!("{what} {shown} of readings; a longer window says more."));
        Ok(match self {
            Origin::Local => Observation {
                view: measure(py, length, meters)?,
                window: length,
                taken: Some(Timestamp::now()),
                caveat: caveat_of("Measured on this host: rests on"),
            },
            Origin::Kepler(urls) => Observation {
                view: poll(py, urls, length)?,
                window: length,
                taken: Some(Timestamp::now()),
                caveat: caveat_of("Read from exporters: rests on"),
            },
            Origin::Prometheus(url) => {
                let view = PrometheusView::new(url, PrometheusOptions::default());
                Observation {
                    view: Arc::new(view.map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))?),
                    window: window.map_or(Duration::from_secs(300), Length::duration),
                    taken: None,
                    caveat: None,
                }
            }
        })
    }
}

/// Energy figures that questions can be asked of, again and again.
///
/// Made by :func:`kepler_power.compliance.observe`; give it as ``source`` to the tools.
#[pyclass(frozen, module = "kepler_power")]
pub(crate) struct Observation {
    pub(super) view: Arc<dyn EnergyView>,
    pub(super) window: Duration,
    /// When it ended; none where it goes on.
    pub(super) taken: Option<Timestamp>,
    pub(super) caveat: Option<String>,
}

#[pymethods]
impl Observation {
    /// Where its figures come from.
    #[getter]
    fn source(&self) -> &str {
        self.view.name()
    }

    /// The time it covers, or that is asked for where a question names none; seconds.
    #[getter]
    fn window_seconds(&self) -> f64 {
        self.window.as_secs_f64()
    }

    fn __repr__(&self) -> String {
        format!("<Observation of {}, {} s>", self.view.name(), self.window.as_secs_f64())
    }
}

/// Waits without the GIL; a signal's exception ends it.
fn wait(py: Python<'_>, end: Instant) -> PyResult<()> {
    loop {
        py.check_signals()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        py.detach(|| std::thread::sleep(left.min(SIGNAL_CHECK_INTERVAL)));
    }
}

fn poll(py: Python<'_>, urls: &[String], window: Duration) -> PyResult<Arc<dyn EnergyView>> {
    let view = KeplerView::new(urls, KeplerOptions::default())
        .map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))?;
    py.detach(|| view.poll(Timestamp::now()));
    wait(py, Instant::now() + window)?;
    py.detach(|| view.poll(Timestamp::now()));
    Ok(Arc::new(view))
}

fn measure(py: Python<'_>, window: Duration, (host, names): Meters) -> PyResult<Arc<dyn EnergyView>> {
    let host = host.as_ref().map(Host::core).unwrap_or_default();
    let chain = chain(py, &host, names)?;
    let options = SamplerOptions::default().with(|options| options.chain = chain);
    let mut sampler = py.detach(|| Sampler::new(&host, options)).map_err(|error| unavailable(&error))?;
    let options = RingOptions::default().with(|options| options.max_age = window * 2);
    let ring = HistoryRing::new("local", node_name(), options);
    let end = Instant::now() + window;
    py.detach(|| ring.record(&sampler.tick()));
    while Instant::now() < end {
        wait(py, end.min(Instant::now() + TICK))?;
        py.detach(|| ring.record(&sampler.tick()));
    }
    Ok(Arc::new(ring))
}

/// The longest time that questions to a monitor look back where they do not say.
const LOOK_BACK: Duration = Duration::from_secs(300);

/// What a monitor of this process sees, now and later.
pub(crate) struct Live {
    view: Arc<LiveView>,
    since: Instant,
}

impl Live {
    /// From now on.
    pub(crate) fn new(feed: Feed) -> Self {
        Live { view: Arc::new(LiveView::new(feed, node_name(), RingOptions::default())), since: Instant::now() }
    }

    /// As a source of the tools.
    pub(crate) fn observation(&self) -> Observation {
        let window = self.since.elapsed().min(LOOK_BACK);
        Observation { view: self.view.clone(), window, taken: None, caveat: None }
    }
}

fn node_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// Observes a source for a while (seconds), without the GIL.
#[pyfunction]
fn observe(py: Python<'_>, source: &str, window: Option<&str>, meters: Meters) -> PyResult<Observation> {
    let window = window
        .map(|text| text.parse().map_err(|error| ConfigurationError::new_err(message_and_remedy(&error))))
        .transpose()?;
    Origin::parse(source)?.observe(py, window, meters)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Observation>()?;
    module.add_function(wrap_pyfunction!(observe, module)?)
}
