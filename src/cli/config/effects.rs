//! What the settings do to the configuration.

use super::address::ListenAddress;
use super::given::{Given, Problem, Value};
use super::{Config, LogFormat, Meter, chip_rules};
use kepler_compliance::standards::Basis;
use kepler_compliance::tariff::EnergyPrice;
use kepler_compliance::tools::{Price, StatedPue};
use kepler_core::attribution::{IdlePolicy, Weight, Weights};
use kepler_core::units::{CarbonIntensity, Energy, Pue, ZoneKind};
use kepler_core::usage::UsageChoice;
use kepler_http::{Compat, Levels};
use std::path::PathBuf;
use std::time::Duration;

type Outcome = Result<(), Problem>;

pub(super) fn log_level(config: &mut Config, given: &Given) -> Outcome {
    use tracing::Level;
    config.log_level = given.text()?.choice(&[
        ("debug", Level::DEBUG),
        ("info", Level::INFO),
        ("warn", Level::WARN),
        ("error", Level::ERROR),
        ("trace", Level::TRACE),
    ])?;
    Ok(())
}

pub(super) fn log_format(config: &mut Config, given: &Given) -> Outcome {
    config.log_format = given.text()?.choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)])?;
    Ok(())
}

pub(super) fn sysfs(config: &mut Config, given: &Given) -> Outcome {
    config.sysfs = given.directory()?;
    Ok(())
}

pub(super) fn procfs(config: &mut Config, given: &Given) -> Outcome {
    config.procfs = given.directory()?;
    Ok(())
}

pub(super) fn meter(config: &mut Config, given: &Given) -> Outcome {
    config.meter = Some(one_meter(given.text()?)?);
    Ok(())
}

pub(super) fn usage(config: &mut Config, given: &Given) -> Outcome {
    config.usage = given.text()?.choice(&[
        ("auto", UsageChoice::Auto),
        ("ebpf", UsageChoice::Ebpf),
        ("clock", UsageChoice::Clock),
        ("procfs", UsageChoice::Procfs),
    ])?;
    Ok(())
}

pub(super) fn preferred_meters(config: &mut Config, given: &Given) -> Outcome {
    config.preferred_meters = given.list()?.iter().map(one_meter).collect::<Result<_, _>>()?;
    Ok(())
}

pub(super) fn force_hwmon(config: &mut Config, given: &Given) -> Outcome {
    config.force_hwmon = given.switch()?;
    Ok(())
}

pub(super) fn fake_meter(config: &mut Config, given: &Given) -> Outcome {
    config.fake_meter = given.switch()?;
    Ok(())
}

pub(super) fn fake_zones(config: &mut Config, given: &Given) -> Outcome {
    let kinds = ZoneKind::ALL.map(|kind| (kind.name(), kind));
    let values = given.list()?;
    if !values.is_empty() {
        config.fake_zones.clear();
    }
    for value in values {
        // Kepler's fake zones may have an index, `package-0`; ours are one of each kind.
        let text = value.text.trim_end_matches(|c: char| c.is_ascii_digit());
        let kind = Value { text: text.trim_end_matches('-').to_owned(), ..value.clone() }.choice(&kinds)?;
        if !config.fake_zones.contains(&kind) {
            config.fake_zones.push(kind);
        }
    }
    Ok(())
}

pub(super) fn region(config: &mut Config, given: &Given) -> Outcome {
    let text = &given.text()?.text;
    config.facility.region = (!text.is_empty()).then(|| text.clone());
    Ok(())
}

pub(super) fn pue(config: &mut Config, given: &Given) -> Outcome {
    let value = Pue::new(given.number()?).map_err(|error| Problem(format!("{}: {error}", given.origin())))?;
    let basis = config.facility.pue.map_or(config.pue_basis, |stated| stated.basis);
    config.facility.pue = Some(StatedPue { value, basis });
    Ok(())
}

pub(super) fn pue_basis(config: &mut Config, given: &Given) -> Outcome {
    let choices = [
        ("measured", Basis::Measured),
        ("published", Basis::Published),
        ("estimated", Basis::Estimated),
        ("assumed", Basis::Assumed),
    ];
    config.pue_basis = given.text()?.choice(&choices)?;
    if let Some(stated) = &mut config.facility.pue {
        stated.basis = config.pue_basis;
    }
    Ok(())
}

pub(super) fn grid_intensity(config: &mut Config, given: &Given) -> Outcome {
    config.facility.grid_intensity = Some(CarbonIntensity::from_grams_per_kilowatt_hour(given.number()?));
    Ok(())
}

pub(super) fn price(config: &mut Config, given: &Given) -> Outcome {
    let per_kwh = EnergyPrice::per_kilowatt_hour(given.number()?);
    config.facility.price = Some(Price { per_kwh, currency: config.currency.clone() });
    Ok(())
}

pub(super) fn currency(config: &mut Config, given: &Given) -> Outcome {
    let value = given.text()?;
    if value.text.len() != 3 || !value.text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(value.problem(format_args!("`{}` is not a currency such as KRW or EUR", value.text)));
    }
    config.currency = value.text.to_uppercase();
    if let Some(price) = &mut config.facility.price {
        price.currency.clone_from(&config.currency);
    }
    Ok(())
}

pub(super) fn policy(config: &mut Config, given: &Given) -> Outcome {
    config.policy = given.text()?.choice(&[("baseline", IdlePolicy::Baseline), ("ratio", IdlePolicy::Ratio)])?;
    Ok(())
}

pub(super) fn calibration_path(config: &mut Config, given: &Given) -> Outcome {
    config.calibration = Some(PathBuf::from(&given.text()?.text)).filter(|path| !path.as_os_str().is_empty());
    Ok(())
}

#[cfg(feature = "models")]
pub(super) fn model_path(config: &mut Config, given: &Given) -> Outcome {
    config.model.path = Some(PathBuf::from(&given.text()?.text)).filter(|path| !path.as_os_str().is_empty());
    Ok(())
}

#[cfg(feature = "models")]
pub(super) fn model_url(config: &mut Config, given: &Given) -> Outcome {
    config.model.url = Some(given.text()?.text.clone()).filter(|url| !url.is_empty());
    Ok(())
}

#[cfg(feature = "models")]
pub(super) fn model_sha256(config: &mut Config, given: &Given) -> Outcome {
    let value = given.text()?;
    if value.text.len() != 64 || !value.text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(value.problem(format_args!("`{}` is no SHA-256: give 64 hexadecimal digits", value.text)));
    }
    config.model.sha256 = Some(value.text.clone());
    Ok(())
}

#[cfg(feature = "models")]
pub(super) fn model_cache(config: &mut Config, given: &Given) -> Outcome {
    config.model.cache = Some(PathBuf::from(&given.text()?.text)).filter(|path| !path.as_os_str().is_empty());
    Ok(())
}

#[cfg(feature = "models")]
pub(super) fn model_semantics(config: &mut Config, given: &Given) -> Outcome {
    use kepler_core::model::Semantics;
    let choices = Semantics::ALL.map(|semantics| (semantics.name(), semantics));
    config.model.semantics = Some(given.text()?.choice(&choices)?);
    Ok(())
}

#[cfg(feature = "models")]
pub(super) fn model_host_threads(config: &mut Config, given: &Given) -> Outcome {
    let number = given.integer()?;
    let count = u32::try_from(number).ok().filter(|&count| count > 0);
    let problem = || Problem(format!("{}: {number} is no number of CPUs", given.origin()));
    config.model.host_threads = Some(count.ok_or_else(problem)?);
    Ok(())
}

pub(super) fn weights(config: &mut Config, given: &Given) -> Outcome {
    config.weights = Weights::default();
    for value in given.list()? {
        let Some((zone, weight)) = value.text.split_once('=') else {
            return Err(value.problem(format_args!("`{}` is not ZONE=WEIGHT, such as `package=cycles`", value.text)));
        };
        let zones = ZoneKind::ALL.map(|kind| (kind.name(), kind));
        let weights = Weight::ALL.map(|weight| (weight.name(), weight));
        let part = |text| Value::new(text, value.origin.as_str());
        config.weights[part(zone).choice(&zones)?] = Some(part(weight).choice(&weights)?);
    }
    Ok(())
}

pub(super) fn zones(config: &mut Config, given: &Given) -> Outcome {
    config.zones = zone_kinds(given)?;
    Ok(())
}

pub(super) fn max_terminated(config: &mut Config, given: &Given) -> Outcome {
    let number = given.integer()?;
    config.max_terminated = if number < 0 { None } else { usize::try_from(number).ok() };
    Ok(())
}

pub(super) fn min_terminated_energy(config: &mut Config, given: &Given) -> Outcome {
    config.min_terminated_energy = Energy::from_joules(given.number()?);
    Ok(())
}

pub(super) fn keep_terminated(config: &mut Config, given: &Given) -> Outcome {
    config.keep_terminated = given.duration()?;
    Ok(())
}

pub(super) fn prometheus(config: &mut Config, given: &Given) -> Outcome {
    config.prometheus = given.switch()?;
    Ok(())
}

pub(super) fn stdout(config: &mut Config, given: &Given) -> Outcome {
    config.stdout = given.switch()?;
    Ok(())
}

pub(super) fn levels(config: &mut Config, given: &Given) -> Outcome {
    let values = given.list()?;
    // An empty list asks for no less than all, as in Kepler.
    config.levels = if values.is_empty() {
        Levels::ALL
    } else {
        values.iter().map(|value| value.choice(&LEVELS)).collect::<Result<_, _>>()?
    };
    Ok(())
}

pub(super) fn compat(config: &mut Config, given: &Given) -> Outcome {
    config.compat = given.text()?.choice(&[("", None), ("kepler-0.7", Some(Compat::Kepler07))])?;
    Ok(())
}

pub(super) fn hwmon_zones(config: &mut Config, given: &Given) -> Outcome {
    config.hwmon_zones = given.list()?.iter().map(|value| value.text.clone()).collect();
    Ok(())
}

pub(super) fn hwmon_chip_rules(config: &mut Config, given: &Given) -> Outcome {
    config.hwmon_chip_rules = chip_rules::read(given)?;
    Ok(())
}

pub(super) fn listen(config: &mut Config, given: &Given) -> Outcome {
    let addresses = given.list()?;
    if addresses.is_empty() {
        return Err(Problem(format!("{}: at least one address is needed, such as `:28282`", given.origin())));
    }
    config.listen = addresses.iter().map(ListenAddress::parse).collect::<Result<_, _>>()?;
    Ok(())
}

pub(super) fn web_config(config: &mut Config, given: &Given) -> Outcome {
    config.web_config = Some(given.text()?.clone()).filter(|file| !file.text.is_empty());
    Ok(())
}

pub(super) fn web_hosts(config: &mut Config, given: &Given) -> Outcome {
    config.web.hosts = given.list()?.iter().map(|value| value.text.clone()).collect();
    Ok(())
}

pub(super) fn web_origins(config: &mut Config, given: &Given) -> Outcome {
    config.web.origins = given.list()?.iter().map(origin).collect::<Result<_, _>>()?;
    Ok(())
}

pub(super) fn web_token_file(config: &mut Config, given: &Given) -> Outcome {
    config.web.token_file = file(given)?;
    Ok(())
}

pub(super) fn source(config: &mut Config, given: &Given) -> Outcome {
    let value = given.text()?;
    // The text may hold a password, so it is not repeated.
    config.source = value.text.parse().map_err(|what: String| value.problem(what))?;
    Ok(())
}

pub(super) fn source_ca_file(config: &mut Config, given: &Given) -> Outcome {
    config.source_ca_file = file(given)?;
    Ok(())
}

pub(super) fn history_path(config: &mut Config, given: &Given) -> Outcome {
    config.history.path = file(given)?;
    Ok(())
}

pub(super) fn history_retention(config: &mut Config, given: &Given) -> Outcome {
    let retention = given.duration()?;
    // The youngest hour always stays.
    if retention < Duration::from_secs(3600) {
        return Err(given.text()?.problem("what is remembered for less than `1h` is in memory anyway; give more"));
    }
    config.history.retention = retention;
    Ok(())
}

pub(super) fn history_max_size(config: &mut Config, given: &Given) -> Outcome {
    let mebibytes = u64::try_from(given.integer()?).ok().filter(|size| *size > 0);
    let problem = || given.text().and_then(|value| Err(value.problem("must be 1 or more")));
    match mebibytes.and_then(|size| size.checked_mul(1 << 20)) {
        Some(bytes) => config.history.max_bytes = bytes,
        None => return problem(),
    }
    Ok(())
}

/// The path of a file; none if it is empty.
fn file(given: &Given) -> Result<Option<PathBuf>, Problem> {
    Ok(Some(PathBuf::from(&given.text()?.text)).filter(|file| !file.as_os_str().is_empty()))
}

fn origin(value: &Value) -> Result<String, Problem> {
    match value.text.split_once("://") {
        Some((_, host)) if !host.is_empty() && !host.contains('/') => Ok(value.text.clone()),
        _ => Err(value.problem(format_args!("`{}` is no origin; write it as https://ops.example", value.text))),
    }
}

#[cfg(feature = "mcp")]
pub(super) fn mcp(config: &mut Config, given: &Given) -> Outcome {
    config.mcp.enabled = given.switch()?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(super) fn mcp_hosts(config: &mut Config, given: &Given) -> Outcome {
    config.mcp.hosts = given.list()?.iter().map(|value| value.text.clone()).collect();
    Ok(())
}

#[cfg(feature = "mcp")]
pub(super) fn mcp_origins(config: &mut Config, given: &Given) -> Outcome {
    config.mcp.origins = given.list()?.iter().map(origin).collect::<Result<_, _>>()?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(super) fn mcp_token_file(config: &mut Config, given: &Given) -> Outcome {
    config.mcp.token_file = file(given)?;
    Ok(())
}

#[cfg(feature = "mcp")]
pub(super) fn mcp_legacy_sse(config: &mut Config, given: &Given) -> Outcome {
    config.mcp.legacy_sse = given.switch()?;
    Ok(())
}

pub(super) fn node_name(config: &mut Config, given: &Given) -> Outcome {
    config.node_name = Some(given.text()?.text.clone()).filter(|name| !name.is_empty());
    Ok(())
}

const LEVELS: [(&str, Levels); 6] = [
    ("node", Levels::NODE),
    ("process", Levels::PROCESS),
    ("container", Levels::CONTAINER),
    ("vm", Levels::VM),
    ("pod", Levels::POD),
    ("unit", Levels::UNIT),
];

/// A tenth of it is about how often processors update their energy counters (1 ms; Intel SDM vol. 3B
/// 15.10.3), so a shorter interval would show steps of the counter, not power.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

pub(super) fn interval(config: &mut Config, given: &Given) -> Outcome {
    let interval = given.duration()?;
    if interval.is_zero() {
        return Err(given.text()?.problem(
            "`0` would stop measuring: Kepler then measures when it is scraped, this program never does; \
             give an interval such as `3s`",
        ));
    }
    if interval < MIN_INTERVAL {
        return Err(given.text()?.problem(format_args!(
            "`{}` is too short: processors update their energy counters about every millisecond; give at least `10ms`",
            given.text()?.text
        )));
    }
    config.interval = interval;
    Ok(())
}

fn zone_kinds(given: &Given) -> Result<Vec<ZoneKind>, Problem> {
    let kinds = ZoneKind::ALL.map(|kind| (kind.name(), kind));
    given.list()?.iter().map(|value| value.choice(&kinds)).collect()
}

/// One of our meters, or Kepler's `rapl`.
fn one_meter(value: &Value) -> Result<Meter, Problem> {
    if let Some(file) = value.text.strip_prefix("replay=").filter(|file| !file.is_empty()) {
        return Ok(Meter::Replay(PathBuf::from(file)));
    }
    Ok(match value.text.to_ascii_lowercase().as_str() {
        "auto" => Meter::Auto,
        "rapl" => Meter::Rapl,
        "powercap" => Meter::Powercap,
        "msr" => Meter::Msr,
        "perf" => Meter::Perf,
        "hwmon" => Meter::Hwmon,
        "model" => Meter::Model,
        "fake" => Meter::Fake,
        _ => {
            return Err(value.problem(format_args!(
                "`{}` is not one of `auto`, `powercap`, `msr`, `perf`, `hwmon`, `model`, `fake`, `replay=FILE`",
                value.text
            )));
        }
    })
}
