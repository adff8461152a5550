//! The source of energy figures for compliance commands.

use super::config::defaults::PORT;
use super::config::{Config, ViewSource};
use super::exit::Failure;
use super::kubernetes::Pods;
use super::sampling;
use jiff::Timestamp;
use kepler_compliance::text::Text;
use kepler_compliance::tools::Length;
use kepler_compliance::view::{EnergyView, HistoryRing, NoView, RingOptions};
use kepler_connect::http::{HttpError, HttpOptions};
use kepler_connect::kepler::{KeplerOptions, KeplerView, PollingThread};
use kepler_connect::prometheus::{PrometheusOptions, PrometheusView};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Time between two measurements here, so that workloads that come and go are seen.
const TICK: Duration = Duration::from_secs(1);

/// Time between two polls of other exporters, at least: about as often as they measure.
const POLL: Duration = Duration::from_secs(3);

/// A view, and what is to be known about it.
pub(super) struct Energy {
    view: Box<dyn EnergyView>,
    caveat: Option<Text>,
}

impl Energy {
    /// For commands that need no energy.
    pub(super) fn none() -> Self {
        Energy { view: Box::new(NoView), caveat: None }
    }

    pub(super) fn view(&self) -> &dyn EnergyView {
        &*self.view
    }

    pub(super) const fn caveat(&self) -> Option<&Text> {
        self.caveat.as_ref()
    }
}

impl ViewSource {
    /// The window where none is asked for: what has to be waited for is short.
    pub(super) fn usual_window(&self) -> Length {
        let seconds = match self {
            ViewSource::Local | ViewSource::Kepler(_) => 6,
            ViewSource::Prometheus(_) => 300,
        };
        // A length of more than zero seconds is one.
        Length::try_from(Duration::from_secs(seconds)).unwrap_or(Length::minutes(5))
    }

    /// Opens the view; where that takes observing, observes for `window`.
    ///
    /// # Errors
    /// An address cannot be used, or nothing can be measured here.
    pub(super) fn open(&self, config: &Config, window: Length) -> Result<Energy, Failure> {
        match self {
            ViewSource::Local if serves_here() => poll(config, &[format!("http://127.0.0.1:{PORT}")], window),
            ViewSource::Local => measure(config, window),
            ViewSource::Kepler(urls) => poll(config, urls, window),
            ViewSource::Prometheus(url) => Ok(Energy { view: Box::new(prometheus(config, url)?), caveat: None }),
        }
    }

    /// Opens the view of a program that goes on running, and observes from now on; `None` for this host.
    ///
    /// The HTTP client within must not be dropped on a thread that runs a Tokio runtime: keep what this gives
    /// until that has ended.
    ///
    /// # Errors
    /// An address or the CA bundle cannot be used.
    pub(super) fn follow(config: &Config) -> Result<Option<Followed>, Failure> {
        match &config.source {
            ViewSource::Local => Ok(None),
            ViewSource::Kepler(urls) => {
                let view = Arc::new(kepler(config, urls)?);
                let watch = view.watch(config.interval.max(POLL)).map_err(Failure::to("start polling"))?;
                Ok(Some(Followed { view, _watch: Some(watch) }))
            }
            ViewSource::Prometheus(url) => {
                Ok(Some(Followed { view: Arc::new(prometheus(config, url)?), _watch: None }))
            }
        }
    }
}

/// A view of other machines, kept up to date.
pub(super) struct Followed {
    pub(super) view: Arc<dyn EnergyView>,
    /// Held until the end: dropping it stops the polls.
    _watch: Option<PollingThread>,
}

fn http(config: &Config) -> HttpOptions {
    let mut options = HttpOptions::default();
    options.ca_bundle.clone_from(&config.source_ca_file);
    options
}

fn kepler(config: &Config, urls: &[String]) -> Result<KeplerView, Failure> {
    let mut options = KeplerOptions::default();
    options.http = http(config);
    KeplerView::new(urls, options).map_err(unusable)
}

fn prometheus(config: &Config, url: &str) -> Result<PrometheusView, Failure> {
    let mut options = PrometheusOptions::default();
    options.http = http(config);
    PrometheusView::new(url, options).map_err(unusable)
}

fn unusable(error: HttpError) -> Failure {
    Failure::Source(error.to_string())
}

/// Whether anybody listens where `kepler serve` does; whether it is Kepler shows when it is asked.
fn serves_here() -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// Counters at two moments, `window` apart.
fn poll(config: &Config, urls: &[String], window: Length) -> Result<Energy, Failure> {
    let view = kepler(config, urls)?;
    view.poll(Timestamp::now());
    thread::sleep(window.duration());
    view.poll(Timestamp::now());
    let caveat = Text::new(
        format!("Rests on {window} of readings from now; a longer --window, or --source=prometheus, says more."),
        format!("지금부터 {window} 동안의 측정에 근거합니다. 더 긴 --window 또는 --source=prometheus가 더 정확합니다."),
    );
    Ok(Energy { view: Box::new(view), caveat: Some(caveat) })
}

/// A measurement of our own.
fn measure(config: &Config, window: Length) -> Result<Energy, Failure> {
    let pods = Pods::start(config);
    let mut sampler = sampling::open_named(config, pods.as_ref().map(|pods| pods.directory.clone()))?;
    let node = config.node_name();
    let options = RingOptions::default().with(|options| options.max_age = window.duration() * 2);
    let ring = HistoryRing::new("local", node, options);
    ring.record(&sampler.tick());
    let end = Instant::now() + window.duration();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        thread::sleep(left.min(TICK));
        ring.record(&sampler.tick());
    }
    let caveat = Text::new(
        format!("Measured on this host for {window}; a longer --window, or a running `kepler serve`, says more."),
        format!(
            "이 호스트에서 {window} 동안 측정했습니다. 더 긴 --window 또는 실행 중인 `kepler serve`가 더 정확합니다."
        ),
    );
    Ok(Energy { view: Box::new(ring), caveat: Some(caveat) })
}
