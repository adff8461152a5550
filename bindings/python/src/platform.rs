//! Meters of the whole machine: what a program names, asked on threads of their own for as long as they are held.

use crate::errors::{ConfigurationError, MeterError, message_and_remedy};
use crate::host::Host;
use crate::remedies;
use kepler_connect::external::{ExternalMeter, ExternalPlace, ExternalSource};
use kepler_connect::http::{Auth, HttpError, Secret};
use kepler_connect::redfish::{Bmc, BmcAccount, BmcLogin, HostIdentity, RedfishError, RedfishPoller, probe};
use kepler_core::host::{Host as CoreHost, Timestamp};
use kepler_core::platform::{Ipmi, PlatformBoard, PlatformHwmon, PlatformPoller, PlatformScope, PlatformSource};
use kepler_core::snapshot::{PlatformResidual, PlatformRow};
use kepler_core::units::{Energy, Power};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

/// How often the machine's own meters are read.
const INTERVAL: Duration = Duration::from_secs(5);

/// A meter as a program names it: a word, or an object of `kepler_power.platform`.
#[derive(Clone, FromPyObject)]
pub(crate) enum Given {
    Own(String),
    Bmc(GivenBmc),
    External(GivenMeter),
}

/// A `kepler_power.Bmc`.
#[derive(Clone, FromPyObject)]
pub(crate) struct GivenBmc {
    endpoint: String,
    username: Option<String>,
    password: Option<String>,
    login: String,
    insecure: bool,
    ca_file: Option<PathBuf>,
    chassis: Option<String>,
    interval: f64,
    contains_gpus: bool,
    max_watts: f64,
}

/// A `kepler_power.ExternalMeter`.
#[derive(Clone, FromPyObject)]
pub(crate) struct GivenMeter {
    name: String,
    url: Option<String>,
    field: Option<String>,
    time_field: Option<String>,
    prometheus: Option<String>,
    query: Option<String>,
    unit_watts: f64,
    interval: f64,
    timeout: f64,
    max_age: f64,
    max_watts: f64,
    scope: String,
    contains_gpus: bool,
    error_ratio: Option<f64>,
    username: Option<String>,
    password: Option<String>,
    login: String,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// What can be asked.
enum Opened {
    Bmc(Box<Bmc>),
    Source { source: Box<dyn PlatformSource>, name: String, interval: Duration },
}

impl Given {
    fn open(&self, host: &CoreHost) -> PyResult<Opened> {
        let own = |source: Box<dyn PlatformSource>, name: &str| Opened::Source {
            source,
            name: name.to_owned(),
            interval: INTERVAL,
        };
        match self {
            Given::Own(word) if word == "ipmi" => Ok(own(Box::new(Ipmi::new(Ipmi::DEVICE, true)), word)),
            Given::Own(word) if word == "hwmon" => Ok(own(Box::new(PlatformHwmon::new(host, true)), word)),
            Given::Own(word) => Err(wrong(
                format!("there is no meter of the whole machine called `{word}`"),
                "name hwmon or ipmi, or give a Bmc or an ExternalMeter",
            )),
            Given::Bmc(bmc) => Ok(Opened::Bmc(Box::new(bmc.open(host)?))),
            Given::External(meter) => {
                let source = ExternalSource::new(meter.open()?).map_err(|error| unusable(&error))?;
                let interval = seconds(meter.interval, "interval", 1.0, 600.0)?;
                Ok(Opened::Source { source: Box::new(source), name: meter.name.clone(), interval })
            }
        }
    }
}

impl GivenBmc {
    fn open(&self, host: &CoreHost) -> PyResult<Bmc> {
        let login = match self.login.as_str() {
            "auto" => BmcLogin::Auto,
            "session" => BmcLogin::Session,
            "basic" => BmcLogin::Basic,
            other => return Err(wrong(format!("login={other:?} is unknown"), "give auto, session or basic")),
        };
        let account = match (&self.username, &self.password) {
            (Some(user), Some(password)) => {
                let mut account = BmcAccount::new(user, Secret::new(password));
                account.login = login;
                Some(account)
            }
            (None, None) => None,
            _ => return Err(wrong("a BMC has a username or a password alone".to_owned(), "give both, or neither")),
        };
        let name = std::fs::read_to_string(host.procfs().join("sys/kernel/hostname")).unwrap_or_default();
        let (interval, max_power) = (seconds(self.interval, "interval", 1.0, 600.0)?, watts(self.max_watts)?);
        Ok(Bmc::new("bmc", &self.endpoint).with(|bmc| {
            bmc.origin = "kepler_power".to_owned();
            bmc.account = account;
            bmc.insecure = self.insecure;
            bmc.ca_file.clone_from(&self.ca_file);
            bmc.chassis.clone_from(&self.chassis);
            bmc.interval = interval;
            bmc.host = HostIdentity::read(host, name.trim());
            bmc.contains_gpus = self.contains_gpus;
            bmc.max_power = max_power;
        }))
    }
}

impl GivenMeter {
    fn open(&self) -> PyResult<ExternalMeter> {
        let place = match (&self.url, &self.field, &self.prometheus, &self.query) {
            (Some(url), Some(field), None, None) if field.starts_with('/') => {
                ExternalPlace::Json { url: url.clone(), field: field.clone(), time_field: self.time_field.clone() }
            }
            (Some(_), Some(_), None, None) => {
                return Err(wrong(
                    format!("`field` of the meter `{}` is no JSON pointer", self.name),
                    "begin it with a slash, as in \"/apower\"",
                ));
            }
            (None, None, Some(url), Some(query)) => ExternalPlace::prometheus(url, query),
            _ => {
                return Err(wrong(
                    format!("it is not said where the meter `{}` is read", self.name),
                    "give url= and field=, or prometheus= and query=",
                ));
            }
        };
        let scope = PlatformScope::named(&self.scope)
            .ok_or_else(|| wrong(format!("scope={:?} is unknown", self.scope), "give node, part or shared"))?;
        if self.error_ratio.is_some_and(|ratio| !(ratio > 0.0 && ratio <= 1.0)) {
            return Err(wrong("error_ratio is none".to_owned(), "give one above 0 and at most 1"));
        }
        let mut meter = ExternalMeter::new(&self.name, place);
        meter.auth = self.auth()?;
        meter.unit_watts = watts(self.unit_watts)?.watts();
        meter.timeout = seconds(self.timeout, "timeout", 1.0, 60.0)?;
        meter.max_age = seconds(self.max_age, "max_age", 1.0, 3600.0)?;
        meter.max_power = watts(self.max_watts)?;
        meter.scope = scope;
        meter.contains_gpus = self.contains_gpus;
        meter.error_ratio = self.error_ratio;
        meter.ca_file.clone_from(&self.ca_file);
        Ok(meter)
    }

    fn auth(&self) -> PyResult<Auth> {
        match (&self.username, &self.password, &self.token_file) {
            (None, None, None) => Ok(Auth::None),
            (None, None, Some(path)) => Ok(Auth::BearerFile(path.clone())),
            (Some(user), Some(password), None) => {
                let (user, password) = (user.clone(), Secret::new(password));
                match self.login.as_str() {
                    "basic" => Ok(Auth::Basic { user, password }),
                    "digest" if self.url.is_some() => Ok(Auth::Digest { user, password }),
                    other => Err(wrong(
                        format!("the meter `{}` cannot be asked with login={other:?}", self.name),
                        "give basic, or digest for one with url=",
                    )),
                }
            }
            _ => Err(wrong(
                format!("who asks the meter `{}` is not clear", self.name),
                "give username= and password=, or token_file=",
            )),
        }
    }
}

fn wrong(message: String, remedy: &'static str) -> PyErr {
    ConfigurationError::new_err((message, remedy))
}

fn unusable(error: &HttpError) -> PyErr {
    ConfigurationError::new_err(message_and_remedy(error))
}

fn seconds(given: f64, what: &str, least: f64, most: f64) -> PyResult<Duration> {
    if (least..=most).contains(&given) {
        return Ok(Duration::from_secs_f64(given));
    }
    let remedy = format!("give {least} to {most} seconds");
    Err(ConfigurationError::new_err((format!("{what}={given} is not possible"), remedy)))
}

fn watts(given: f64) -> PyResult<Power> {
    if given.is_finite() && given > 0.0 {
        return Ok(Power::from_watts(given));
    }
    Err(wrong(format!("{given} watts are not possible"), "give a number above 0"))
}

/// Meters that are asked as long as this lives.
pub(crate) struct Platform {
    pub(crate) board: PlatformBoard,
    /// The process whose threads ask.
    process: u32,
    pollers: Option<(Vec<RedfishPoller>, Vec<PlatformPoller>)>,
}

impl Platform {
    /// Begins to ask; `None` where nothing is named.
    pub(crate) fn start(host: &CoreHost, given: &[Given]) -> PyResult<Option<Self>> {
        if given.is_empty() {
            return Ok(None);
        }
        let opened = given.iter().map(|given| given.open(host)).collect::<PyResult<Vec<_>>>()?;
        let (board, mut bmcs, mut others) = (PlatformBoard::default(), Vec::new(), Vec::new());
        for opened in opened {
            match opened {
                Opened::Bmc(bmc) => bmcs.push(RedfishPoller::start(*bmc, board.clone())),
                Opened::Source { source, name, interval } => {
                    others.push(PlatformPoller::start(source, name, interval, board.clone()));
                }
            }
        }
        Ok(Some(Platform { board, process: std::process::id(), pollers: Some((bmcs, others)) }))
    }

    /// Whether its threads are those of another process, which this one was forked from.
    fn is_foreign(&self) -> bool {
        self.process != std::process::id()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if self.is_foreign() {
            // Threads that are not here would be waited for.
            std::mem::forget(self.pollers.take());
        }
    }
}

/// The meters of a stopwatch, and what they showed at a moment.
pub(crate) struct Asked {
    host: CoreHost,
    given: Vec<Given>,
    platform: Option<Platform>,
}

/// What meters showed, and the process that they were asked in.
#[derive(Default)]
pub(crate) struct Shown {
    process: u32,
    rows: Vec<PlatformRow>,
}

impl Asked {
    pub(crate) fn start(host: &CoreHost, given: Vec<Given>) -> PyResult<Self> {
        let platform = Platform::start(host, &given)?;
        Ok(Asked { host: host.clone(), given, platform })
    }

    /// What is shown now. A forked child asks by itself: its energies begin with its own first reading.
    pub(crate) fn now(&mut self) -> Shown {
        if self.platform.as_ref().is_some_and(Platform::is_foreign) {
            // Its threads are not here, and one of them may have held the board.
            self.platform = Platform::start(&self.host, &self.given).ok().flatten();
        }
        let rows = self.platform.as_ref().map(|platform| platform.board.rows(&Timestamp::now())).unwrap_or_default();
        Shown { process: std::process::id(), rows }
    }

    /// Asks no more, and ends sessions.
    pub(crate) fn take(&mut self) -> Option<Platform> {
        self.given.clear();
        self.platform.take()
    }
}

impl Shown {
    /// What was shown since an earlier moment.
    pub(crate) fn since(&self, before: &Shown) -> Vec<PlatformRow> {
        // Of meters that another process asked nothing is subtracted from what this one's have shown.
        let before = if before.process == self.process { before.rows.as_slice() } else { &[] };
        self.rows.iter().map(|row| row.since(before)).collect()
    }
}

/// Source, BMC or meter, chassis, kind of figure, which one, its name for people; scope, whether accelerators are contained, method,
/// relative error of an estimate; energy in µJ, the seconds that it is of, watts, age in seconds, fault.
pub(crate) type MeterRow = (
    (&'static str, String, String, String, String, String),
    (&'static str, bool, &'static str, Option<f64>),
    (Option<u64>, f64, Option<f64>, Option<f64>, Option<&'static str>),
);

pub(crate) fn row(row: &PlatformRow) -> MeterRow {
    let meter = &row.meter;
    (
        (
            meter.source,
            meter.bmc_id.to_string(),
            meter.chassis_id.to_string(),
            meter.source_type.to_string(),
            meter.source_id.to_string(),
            meter.source_name.to_string(),
        ),
        (meter.scope.name(), meter.contains_gpus, meter.method.name(), meter.method.error_ratio()),
        (
            known(row.energy, row.covered),
            row.covered.as_secs_f64(),
            row.power.map(|power| power.watts()),
            row.age.map(|age| age.as_secs_f64()),
            row.fault,
        ),
    )
}

/// Source, BMC or meter, chassis; whether accelerators are contained, method, relative error; energy and deficit in µJ, the seconds that these
/// are of, watts, fault.
pub(crate) type ResidualRow = (
    (&'static str, String, String),
    (bool, &'static str, Option<f64>),
    (Option<u64>, u64, f64, Option<f64>, Option<&'static str>),
);

pub(crate) fn residual(rest: &PlatformResidual) -> ResidualRow {
    let meter = &rest.meter;
    (
        (meter.source, meter.bmc_id.to_string(), meter.chassis_id.to_string()),
        (meter.contains_gpus, rest.method.name(), rest.method.error_ratio()),
        (
            known(rest.energy, rest.covered),
            rest.deficit.microjoules(),
            rest.covered.as_secs_f64(),
            rest.watts,
            rest.fault,
        ),
    )
}

/// Energy of no time is not known: it takes two readings.
fn known(energy: Energy, covered: Duration) -> Option<u64> {
    (!covered.is_zero()).then(|| energy.microjoules())
}

/// Asks each meter once, to say at once what is wrong with one.
#[pyfunction]
#[pyo3(signature = (host, meters))]
fn check_platform(py: Python<'_>, host: Option<Host>, meters: Vec<Given>) -> PyResult<()> {
    let host = host.as_ref().map(Host::core).unwrap_or_default();
    for given in &meters {
        let opened = given.open(&host)?;
        py.detach(|| match opened {
            Opened::Bmc(bmc) => probe(&bmc).map(drop).map_err(|error| refused(&error)),
            Opened::Source { mut source, .. } => {
                source.read().map(drop).map_err(|error| MeterError::new_err(remedies::error(&error.unavailable)))
            }
        })?;
    }
    Ok(())
}

fn refused(error: &RedfishError) -> PyErr {
    match error {
        RedfishError::Http(error @ (HttpError::Address { .. } | HttpError::CaBundle { .. })) => unusable(error),
        error => MeterError::new_err(message_and_remedy(error)),
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(check_platform, module)?)
}
