//! The source of energy figures for compliance commands.

use super::config::defaults::PORT;
use super::config::{Config, Service, ViewSource};
use super::exit::Failure;
use super::kubernetes;
use super::sampling::{self, Known};
use jiff::Timestamp;
use kepler_compliance::choices::{ChoiceSource, NoChoices};
use kepler_compliance::text::{Lang, Text};
use kepler_compliance::tools::Length;
use kepler_compliance::view::{EnergyView, HistoryRing, NoView, RingOptions};
use kepler_connect::http::{Auth, ClientOptions, HttpError};
use kepler_connect::kepler::{KeplerOptions, KeplerView, NamedExportersFollower, PollingThread};
use kepler_connect::kubernetes::{
    Exporters, ExportersFollower, NodesFollower, OwnersFollower, follow_nodes, follow_owners,
};
use kepler_connect::prometheus::{PrometheusOptions, PrometheusView};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Time between two measurements here, so that workloads that come and go are seen.
const TICK: Duration = Duration::from_secs(1);

/// Time between two polls of other exporters, at least: about as often as they measure.
const POLL: Duration = Duration::from_secs(3);

/// The same of a fleet: as often as Prometheus scrapes (its default is a minute, that of its operator 30 s).
const POLL_FLEET: Duration = Duration::from_secs(15);

/// Of a fleet: what one exporter may send, and how long it may take.
const FLEET_BYTES: u64 = 16 << 20;
const FLEET_TIMEOUT: Duration = Duration::from_secs(8);
/// Exporters of a fleet that are read at a time.
const FLEET_AT_ONCE: usize = 16;
/// Workloads of a fleet, and points of their counters: 250 nodes with 30 pods have some 30,000 with containers and units.
const FLEET_WORKLOADS: usize = 60_000;
const FLEET_POINTS: usize = 1_000_000;

/// How long a command waits until it is known which exporters there are.
const PATIENCE: Duration = Duration::from_secs(10);

/// A view, and what is to be known about it.
pub(super) struct Energy {
    view: Arc<dyn EnergyView>,
    choices: Arc<dyn ChoiceSource>,
    caveat: Option<Text>,
}

impl Energy {
    /// Of a view whose workloads choose nothing.
    fn of(view: Arc<dyn EnergyView>, caveat: Option<Text>) -> Self {
        Energy { view, choices: Arc::new(NoChoices), caveat }
    }

    /// For commands that need no energy.
    pub(super) fn none() -> Self {
        Energy::of(Arc::new(NoView), None)
    }

    pub(super) fn view(&self) -> &dyn EnergyView {
        &*self.view
    }

    /// What pods and nodes choose, as exporters show it.
    pub(super) fn choices(&self) -> &dyn ChoiceSource {
        &*self.choices
    }

    pub(super) const fn caveat(&self) -> Option<&Text> {
        self.caveat.as_ref()
    }
}

impl ViewSource {
    /// The window where none is asked for: what has to be waited for is short.
    pub(super) fn usual_window(&self) -> Length {
        let seconds = match self {
            ViewSource::Local | ViewSource::Kepler(_) | ViewSource::Endpoints(_) | ViewSource::Dns { .. } => 6,
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
            ViewSource::Local if serves_here() => {
                let view = kepler(config, &[format!("http://127.0.0.1:{PORT}")])?;
                Ok(poll(Arc::new(view), window))
            }
            ViewSource::Local => measure(config, window),
            ViewSource::Kepler(urls) => Ok(poll(Arc::new(kepler(config, urls)?), window)),
            ViewSource::Endpoints(_) | ViewSource::Dns { .. } => {
                let (view, _finder) = fleet(config)?;
                let begun = Instant::now();
                while view.fleet().nodes.is_empty() && view.fleet().unlisted.is_none() && begun.elapsed() < PATIENCE {
                    thread::sleep(Duration::from_millis(50));
                }
                Ok(poll(view, window))
            }
            ViewSource::Prometheus(url) => {
                let view = Arc::new(prometheus(config, url)?);
                Ok(Energy { choices: Arc::clone(&view) as Arc<dyn ChoiceSource>, view, caveat: None })
            }
        }
    }

    /// Opens the view of a source that remembers: Prometheus.
    ///
    /// # Errors
    /// The address cannot be used, or the source knows the present only.
    pub(super) fn past(&self, config: &Config) -> Result<Box<dyn EnergyView>, Failure> {
        match self {
            ViewSource::Prometheus(url) => Ok(Box::new(prometheus(config, url)?)),
            _ => Err(Failure::Source("it knows the present only: give prometheus=URL".to_owned())),
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
        let (fleet, finder, usual) = match &config.source {
            ViewSource::Local => return Ok(None),
            ViewSource::Prometheus(url) => {
                let view = Arc::new(prometheus(config, url)?);
                return Ok(Some(Followed {
                    choices: Arc::clone(&view) as Arc<dyn ChoiceSource>,
                    view,
                    fleet: None,
                    interval: config.interval,
                    _watch: None,
                    _finder: None,
                }));
            }
            ViewSource::Kepler(urls) => (Arc::new(kepler(config, urls)?), None, config.interval.max(POLL)),
            ViewSource::Endpoints(_) | ViewSource::Dns { .. } => {
                let (view, finder) = fleet(config)?;
                (view, Some(finder), POLL_FLEET)
            }
        };
        let interval = config.source_interval.unwrap_or(usual);
        let watch = fleet.watch(interval).map_err(Failure::to("start polling"))?;
        let view: Arc<dyn EnergyView> = Arc::clone(&fleet) as Arc<dyn EnergyView>;
        let choices: Arc<dyn ChoiceSource> = Arc::clone(&fleet) as Arc<dyn ChoiceSource>;
        Ok(Some(Followed { view, choices, fleet: Some(fleet), interval, _watch: Some(watch), _finder: finder }))
    }
}

/// A view of other machines, kept up to date.
pub(super) struct Followed {
    pub(super) view: Arc<dyn EnergyView>,
    /// What pods choose, as exporters show it.
    pub(super) choices: Arc<dyn ChoiceSource>,
    /// The exporters that are polled; none where a Prometheus is asked.
    pub(super) fleet: Option<Arc<KeplerView>>,
    /// The time between two polls.
    pub(super) interval: Duration,
    /// Held until the end: dropping it stops the polls.
    _watch: Option<PollingThread>,
    _finder: Option<Finder>,
}

/// What finds exporters, as long as it lives.
enum Finder {
    Endpoints { _follower: ExportersFollower, _nodes: NodesFollower, _owners: OwnersFollower },
    Names { _follower: NamedExportersFollower },
}

/// All exporters behind a Service or a name. What finds them has begun.
fn fleet(config: &Config) -> Result<(Arc<KeplerView>, Finder), Failure> {
    let mut options = options(config);
    // One that hangs holds up the next poll of all others for no longer than they wait anyway.
    let timeout = config.source_interval.unwrap_or(FLEET_TIMEOUT).min(FLEET_TIMEOUT);
    (options.http.max_body_bytes, options.http.timeout) = (FLEET_BYTES, timeout);
    (options.processes, options.at_once) = (false, FLEET_AT_ONCE);
    (options.max_workloads, options.max_points) = (FLEET_WORKLOADS, FLEET_POINTS);
    match &config.source {
        ViewSource::Dns { text, exporters } => {
            let view = Arc::new(KeplerView::of_fleet(format!("kepler {text}"), false, options).map_err(unusable)?);
            let follower = exporters.clone().follow(Arc::clone(&view)).map_err(Failure::to("look up exporters"))?;
            Ok((view, Finder::Names { _follower: follower }))
        }
        ViewSource::Endpoints(Service { namespace, name, port }) => {
            let access = kubernetes::access(config).map_err(|error| Failure::Source(error.to_string()))?;
            let namespace = namespace.clone().unwrap_or_else(kubernetes::own_namespace);
            // The system's certificates are not looked for: those of exporters are the cluster's or of `--source.ca-file`.
            let view = KeplerView::of_fleet(format!("kepler {namespace}/{name}"), false, options).map_err(unusable)?;
            let view = Arc::new(view);
            let nodes = follow_nodes(access.clone(), Arc::clone(&view)).map_err(Failure::to("list nodes"))?;
            let owners =
                follow_owners(access.clone(), Arc::clone(&view)).map_err(Failure::to("look up controllers"))?;
            let mut exporters = Exporters::new(access, namespace, name);
            exporters.port.clone_from(port);
            let follower = exporters.follow(Arc::clone(&view)).map_err(Failure::to("follow exporters"))?;
            Ok((view, Finder::Endpoints { _follower: follower, _nodes: nodes, _owners: owners }))
        }
        ViewSource::Local | ViewSource::Kepler(_) | ViewSource::Prometheus(_) => {
            Err(Failure::Source("it is no fleet".to_owned()))
        }
    }
}

fn options(config: &Config) -> KeplerOptions {
    let mut options = KeplerOptions::default();
    options.http = http(config);
    if let Some(file) = &config.source_token_file {
        options.auth = Auth::BearerFile(file.clone());
    }
    options
}

fn http(config: &Config) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.ca_bundle.clone_from(&config.source_ca_file);
    options
}

fn kepler(config: &Config, urls: &[String]) -> Result<KeplerView, Failure> {
    KeplerView::new(urls, options(config)).map_err(unusable)
}

fn prometheus(config: &Config, url: &str) -> Result<PrometheusView, Failure> {
    let mut options = PrometheusOptions::default();
    options.http = http(config);
    PrometheusView::new(url, options).map_err(unusable)
}

fn unusable(error: HttpError) -> Failure {
    Failure::Source(error.to_string())
}

/// Whether a server listens where `kepler serve` does; whether it is Kepler shows when it is asked.
fn serves_here() -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// Counters at two moments, `window` apart.
fn poll(view: Arc<KeplerView>, window: Length) -> Energy {
    view.poll(Timestamp::now());
    thread::sleep(window.duration());
    view.poll(Timestamp::now());
    let korean = window.in_words(Lang::Ko);
    let caveat = Text::new(
        format!("Rests on {window} of readings from now; a longer --window, or --source=prometheus, says more."),
        format!("지금부터 {korean} 동안의 측정에 근거합니다. 더 긴 --window 또는 --source=prometheus가 더 정확합니다."),
    );
    Energy { choices: Arc::clone(&view) as Arc<dyn ChoiceSource>, view, caveat: Some(caveat) }
}

/// A measurement of our own.
fn measure(config: &Config, window: Length) -> Result<Energy, Failure> {
    let known = Known::start(config);
    let mut sampler = sampling::open_named(config, &known)?;
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
    let korean = window.in_words(Lang::Ko);
    let caveat = Text::new(
        format!("Measured on this host for {window}; a longer --window, or a running `kepler serve`, says more."),
        format!(
            "이 호스트에서 {korean} 동안 측정했습니다. 더 긴 --window 또는 실행 중인 `kepler serve`가 더 정확합니다."
        ),
    );
    Ok(Energy::of(Arc::new(ring), Some(caveat)))
}
