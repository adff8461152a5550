//! Applies settings to the configuration.

pub(super) mod facility;
pub(super) mod gpu;
pub(super) mod intensity;
pub(super) mod kube;
pub(super) mod meters;
pub(super) mod passthrough;
pub(super) mod platform;
pub(super) mod web;

use super::raw_setting::{Problem, RawSetting, Value};
use super::{Config, LogFormat, Manner};
use kepler_core::units::Energy;
use kepler_http::{Compat, Levels};
use std::path::PathBuf;
use std::time::Duration;

type Outcome = Result<(), Problem>;

/// What a setting says beside having been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    /// Something else was done than was asked for.
    Warning(String),
    /// It has no effect, for a good reason.
    Note(String),
}

pub(super) fn log_level(config: &mut Config, raw: &RawSetting) -> Outcome {
    use tracing::Level;
    config.log_level = raw.text()?.choice(&[
        ("debug", Level::DEBUG),
        ("info", Level::INFO),
        ("warn", Level::WARN),
        ("error", Level::ERROR),
        ("trace", Level::TRACE),
    ])?;
    Ok(())
}

pub(super) fn log_format(config: &mut Config, raw: &RawSetting) -> Outcome {
    let formats = [LogFormat::Text, LogFormat::Json, LogFormat::Logfmt].map(|format| (format.name(), format));
    config.log_format = raw.text()?.choice(&formats)?;
    Ok(())
}

pub(super) fn sysfs(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.sysfs = PathBuf::from(&raw.text()?.text);
    Ok(())
}

pub(super) fn procfs(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.procfs = PathBuf::from(&raw.text()?.text);
    Ok(())
}

pub(super) fn root(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.root = PathBuf::from(&raw.text()?.text);
    Ok(())
}

/// Read before all other settings: see [`super::Layers`].
pub(super) fn manner(_: &mut Config, raw: &RawSetting) -> Outcome {
    Manner::read(raw).map(drop)
}

pub(super) fn max_terminated(config: &mut Config, raw: &RawSetting) -> Outcome {
    let number = raw.integer()?;
    config.max_terminated = if number < 0 { None } else { usize::try_from(number).ok() };
    Ok(())
}

pub(super) fn min_terminated_energy(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.min_terminated_energy = Energy::from_joules(raw.number()?);
    Ok(())
}

pub(super) fn keep_terminated(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.keep_terminated = raw.duration()?;
    Ok(())
}

pub(super) fn prometheus(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.prometheus = raw.switch()?;
    Ok(())
}

pub(super) fn stdout(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.stdout = raw.switch()?;
    Ok(())
}

pub(super) fn levels(config: &mut Config, raw: &RawSetting) -> Outcome {
    let values = raw.list()?;
    // An empty list asks for no less than all, as in Kepler.
    config.levels = if values.is_empty() { Levels::ALL } else { values.iter().map(level).collect::<Result<_, _>>()? };
    Ok(())
}

fn level(value: &Value) -> Result<Levels, Problem> {
    if value.text.eq_ignore_ascii_case("all") {
        return Err(value.problem("`all` is no level; without this setting all levels are exported: leave it out"));
    }
    value.choice(&Levels::NAMED)
}

pub(super) fn compat(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.compat = raw.text()?.choice(&[
        ("", None),
        ("kepler-0.7", Some(Compat::Kepler07)),
        ("rapl-names", Some(Compat::RaplNames)),
    ])?;
    Ok(())
}

pub(super) fn source(config: &mut Config, raw: &RawSetting) -> Outcome {
    let value = raw.text()?;
    // The text may hold a password, so it is not repeated.
    config.source = value.text.parse().map_err(|what: String| value.problem(what))?;
    Ok(())
}

pub(super) fn source_interval(config: &mut Config, raw: &RawSetting) -> Outcome {
    let interval = raw.duration()?;
    if interval < Duration::from_secs(1) {
        return Err(raw.text()?.problem("exporters measure every few seconds; give at least `1s`"));
    }
    config.source_interval = Some(interval);
    Ok(())
}

pub(super) fn source_ca_file(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.source_ca_file = file(raw)?;
    Ok(())
}

pub(super) fn source_token_file(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.source_token_file = file(raw)?;
    Ok(())
}

pub(super) fn history_path(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.history.path = file(raw)?;
    Ok(())
}

pub(super) fn history_retention(config: &mut Config, raw: &RawSetting) -> Outcome {
    let retention = raw.duration()?;
    // The youngest hour always stays.
    if retention < Duration::from_secs(3600) {
        return Err(raw.text()?.problem("what is remembered for less than `1h` is in memory anyway; give more"));
    }
    config.history.retention = retention;
    Ok(())
}

pub(super) fn history_max_size(config: &mut Config, raw: &RawSetting) -> Outcome {
    let mebibytes = u64::try_from(raw.integer()?).ok().filter(|size| *size > 0);
    let problem = || raw.text().and_then(|value| Err(value.problem("must be 1 or more")));
    match mebibytes.and_then(|size| size.checked_mul(1 << 20)) {
        Some(bytes) => config.history.max_bytes = bytes,
        None => return problem(),
    }
    Ok(())
}

/// The path of a file; none if it is empty.
fn file(raw: &RawSetting) -> Result<Option<PathBuf>, Problem> {
    Ok(Some(PathBuf::from(&raw.text()?.text)).filter(|file| !file.as_os_str().is_empty()))
}

pub(super) fn node_name(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.node_name = Some(raw.text()?.text.clone()).filter(|name| !name.is_empty());
    Ok(())
}

/// A tenth of it is about how often processors update their energy counters (1 ms; Intel SDM vol. 3B
/// 15.10.3), so a shorter interval would show steps of the counter, not power.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

pub(super) fn interval(config: &mut Config, raw: &RawSetting) -> Result<Option<Remark>, Problem> {
    let interval = raw.duration()?;
    if interval.is_zero() {
        // Go Kepler measures when it is scraped then.
        let warning = format!(
            "{}: `0` asks for a measurement at each scrape; here measurements follow their own schedule, every {} s \
             as by default",
            raw.origin(),
            config.interval.as_secs_f64()
        );
        return Ok(Some(Remark::Warning(warning)));
    }
    if interval < MIN_INTERVAL {
        return Err(raw.text()?.problem(format_args!(
            "`{}` is too short: processors update their energy counters about every millisecond; give at least `10ms`",
            raw.text()?.text
        )));
    }
    config.interval = interval;
    Ok(None)
}

/// The collectors of Go's Prometheus library, of which one has a sense in other languages.
pub(super) fn debug_collectors(_: &mut Config, raw: &RawSetting) -> Result<Option<Remark>, Problem> {
    let mut remark = None;
    for value in raw.list()? {
        if value.choice(&[("go", true), ("process", false)])? {
            remark = Some(Remark::Note(format!(
                "{}: `go` has no effect: this program is not written in Go; its own cost is always exported",
                value.origin
            )));
        }
    }
    Ok(remark)
}
