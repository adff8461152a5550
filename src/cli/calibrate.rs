//! `kepler calibrate`: learns what this machine draws, idle and under load, while a meter can be read.

pub(super) mod file;
mod load;
mod reference;
mod transfer;

use super::config::Config;
use super::exit::Failure;
use super::progress::{Progress, say};
use super::remedies;
use super::sampling::{self, Known};
use clap::Args;
use kepler_core::calibration::{Calibration, LoadPoint};
use kepler_core::meter::Method;
use kepler_core::sampler::Sampler;
use kepler_core::snapshot::Snapshot;
use kepler_core::units::ZoneKind;
use load::Load;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A machine busier than this is not at rest.
const MOST_AT_REST: f64 = 0.5;
/// What a load that changes takes to show in power.
const SETTLE: Duration = Duration::from_secs(1);
/// Readings of each load, at least.
const READINGS: u32 = 10;
/// Number of classes into which observed loads are sorted.
const CLASSES: usize = 10;

/// How to calibrate.
#[derive(Debug, Args)]
pub(super) struct Calibrate {
    /// How long to measure the machine at rest, and again with all CPUs busy
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = super::config::duration)]
    duration: Duration,
    /// Generate no load; observe this machine's own load for this long
    #[arg(long, value_name = "DURATION", value_parser = super::config::duration, conflicts_with = "duration")]
    observe: Option<Duration>,
    /// Measure nothing; write what was learned to a file for machines of the same make, model and processor
    #[arg(long, value_name = "FILE", conflicts_with_all = ["duration", "observe"])]
    export: Option<PathBuf>,
    /// Measure nothing; take over what was learned on a machine of the same make, model and processor
    #[arg(long, value_name = "FILE", conflicts_with_all = ["duration", "observe", "export"])]
    import: Option<PathBuf>,
    /// Learn what the whole machine draws by what its parts do, from the meter of it that is configured. It takes 32 times
    /// `--duration`: 16 minutes
    #[arg(long, value_name = "METER", value_enum)]
    reference: Option<Reference>,
}

/// What is learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Reference {
    /// The machine's meters of processors and memory, which is the default.
    Parts,
    /// A meter of the whole machine: its BMC, its firmware, one outside.
    Platform,
}

/// Measures and writes the file.
///
/// # Errors
/// Nothing is measured here, the machine is not at rest, or the file cannot be written.
pub(super) fn run(config: &Config, asked: &Calibrate) -> Result<ExitCode, Failure> {
    if let Some(path) = &asked.export {
        return transfer::export(config, path);
    }
    if let Some(path) = &asked.import {
        return transfer::import(config, path);
    }
    if asked.reference == Some(Reference::Platform) {
        return by_platform(config, asked);
    }
    let outside = Known::start_zones(config);
    let mut sampler = sampling::open_uncalibrated(config, &outside)?;
    let sources = measured(&sampler);
    if sources.is_empty() {
        return Err(nothing_measured(&sampler));
    }
    // Before minutes are spent.
    let path = file::path(config);
    file::prepare(&path)?;
    let points = match asked.observe {
        Some(duration) => observe(&mut sampler, config, duration),
        None => rest_and_work(&mut sampler, config, asked.duration)?,
    };
    let mut idle = sampler.idle_powers();
    let is_measured = |zone| sources.iter().any(|(kind, _)| *kind == zone);
    idle.retain(|idle| is_measured(idle.zone));
    let load = if is_measured(ZoneKind::Package) { points } else { Vec::new() };
    let mut names: Vec<&str> = sources.iter().map(|(_, source)| *source).collect();
    names.dedup();
    let made = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut calibration = Calibration::of(&config.host());
    (calibration.made, calibration.source) = (made, names.join("+"));
    (calibration.idle, calibration.load) = (idle, load);
    // What was learned of the whole machine stays.
    calibration.platform = known(config, &path).and_then(|before| before.platform);
    file::write(&path, &calibration)?;
    let text = summary(&calibration) + &format!("calibration {}\n", path.display());
    io::stdout().write_all(text.as_bytes()).map_err(Failure::to("write the answer"))?;
    Ok(ExitCode::SUCCESS)
}

/// The same for the whole machine, beside what the file says already.
fn by_platform(config: &Config, asked: &Calibrate) -> Result<ExitCode, Failure> {
    let path = file::path(config);
    file::prepare(&path)?;
    let model = reference::learn(config, asked.duration, asked.observe)?;
    let mut calibration = known(config, &path).unwrap_or_else(|| Calibration::of(&config.host()));
    calibration.made = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let text = format!("platform    {}\ncalibration {}\n", reference::line(&model), path.display());
    calibration.platform = Some(model);
    file::write(&path, &calibration)?;
    io::stdout().write_all(text.as_bytes()).map_err(Failure::to("write the answer"))?;
    Ok(ExitCode::SUCCESS)
}

/// What the file says already, where it is of this machine.
fn known(config: &Config, path: &std::path::Path) -> Option<Calibration> {
    kepler_core::calibration::file::read(path, &config.host()).ok()
}

/// The zones that a sensor measures, and which.
fn measured(sampler: &Sampler) -> Vec<(ZoneKind, &'static str)> {
    let real = |source: &str| !matches!(source, "fake" | "replay");
    let zones = sampler.zones().filter(|active| active.method == Method::Measured && real(active.source));
    let mut zones: Vec<_> = zones.map(|active| (active.zone.kind, active.source)).collect();
    zones.sort_unstable_by_key(|(kind, _)| *kind as usize);
    zones.dedup();
    zones
}

fn nothing_measured(sampler: &Sampler) -> Failure {
    let first = sampler.unavailable().first();
    let remedy = first.map_or_else(|| "run `kepler doctor`".to_owned(), |first| remedies::text(&first.remedy));
    let reason = match first {
        Some(first) => format!("no meter can be read here ({}: {})", first.source_name, first.reason),
        None => "no meter can be read here".to_owned(),
    };
    let remedy = format!("{remedy}; access to a meter once, for a few minutes, is enough");
    Failure::NothingMeasured { reason: format!("cannot calibrate: {reason}"), remedy }
}

/// The machine at rest, then with all CPUs busy.
fn rest_and_work(sampler: &mut Sampler, config: &Config, duration: Duration) -> Result<Vec<LoadPoint>, Failure> {
    let rest = mean(&watch(sampler, config, duration, "at rest"));
    if let Some(point) = rest.filter(|point| point.busy_share > MOST_AT_REST) {
        let busy = format!(
            "this machine is not at rest: its CPUs are {:.0} % busy; stop what runs on it, or watch it with --observe=10m",
            100.0 * point.busy_share
        );
        return Err(Failure::Io { what: "calibrate", source: io::Error::other(busy) });
    }
    let load = Load::start().map_err(Failure::to("make a load"))?;
    let work = mean(&watch(sampler, config, duration, "with all CPUs busy"));
    drop(load);
    Ok(rest.into_iter().chain(work).collect())
}

/// Whatever the machine does, in classes of load.
fn observe(sampler: &mut Sampler, config: &Config, duration: Duration) -> Vec<LoadPoint> {
    let mut classes: [Vec<LoadPoint>; CLASSES] = Default::default();
    for point in watch(sampler, config, duration, "as it is") {
        let class = ((point.busy_share * CLASSES as f64) as usize).min(CLASSES - 1);
        if let Some(class) = classes.get_mut(class) {
            class.push(point);
        }
    }
    classes.iter().filter_map(|points| mean(points)).collect()
}

/// Reads for so long, and gives what the package drew in each interval in which that is known.
fn watch(sampler: &mut Sampler, config: &Config, duration: Duration, what: &str) -> Vec<LoadPoint> {
    let interval = config.interval.min(duration / READINGS).max(Duration::from_millis(200));
    let mut progress = Progress::start();
    if !progress.is_shown() {
        say(&format!("measuring this machine {what} for {} s\n", duration.as_secs_f64()));
    }
    sleep(SETTLE.min(duration / READINGS));
    sampler.tick();
    let (start, mut points) = (Instant::now(), Vec::new());
    while start.elapsed() < duration {
        sleep(interval);
        points.extend(point(&sampler.tick()));
        let (elapsed, total) = (start.elapsed().as_secs(), duration.as_secs());
        progress.show(|| format!("measuring this machine {what}: {elapsed} of {total} s"));
    }
    points
}

fn point(snapshot: &Snapshot) -> Option<LoadPoint> {
    let zone = snapshot.node.zones[ZoneKind::Package].as_ref().filter(|zone| zone.method == Method::Measured)?;
    let watts = zone.power?.total.watts();
    // Milliseconds a second of all CPUs; not known where `/proc/stat` could not be read this time.
    let busy_share = snapshot.node.activity.cpu_time? / 1000.0 / f64::from(snapshot.node.processors.max(1));
    Some(LoadPoint::new(busy_share.clamp(0.0, 1.0), watts, snapshot.interval.as_secs_f64()))
}

/// The mean over time; `None` of nothing.
fn mean(points: &[LoadPoint]) -> Option<LoadPoint> {
    let seconds: f64 = points.iter().map(|point| point.seconds).sum();
    let mean = |of: fn(&LoadPoint) -> f64| points.iter().map(|point| of(point) * point.seconds).sum::<f64>() / seconds;
    (seconds > 0.0).then(|| LoadPoint::new(mean(|p| p.busy_share), mean(|p| p.watts), seconds))
}

fn summary(calibration: &Calibration) -> String {
    let mut text = String::new();
    let mut line = |name: &str, rest: &str| text.push_str(&format!("{name:<11} {rest}\n"));
    line("machine", &format!("{} logical CPUs of {}", calibration.threads, calibration.processor));
    if !calibration.model.is_empty() {
        line("model", &calibration.model);
    }
    if let Some(name) = &calibration.measured_on {
        line("measured on", name);
    }
    line("meter", &calibration.source);
    for idle in &calibration.idle {
        let socket = idle.package.map(|number| format!(" of socket {number}")).unwrap_or_default();
        line("idle", &format!("{}{socket}: {:.2} W", idle.zone, idle.watts));
    }
    if calibration.idle.is_empty() {
        line("idle", "not learned: the load was too even");
    }
    for point in &calibration.load {
        let (busy, watts, seconds) = (100.0 * point.busy_share, point.watts, point.seconds);
        line("load", &format!("{watts:.2} W at {busy:.1} % busy ({seconds:.0} s)"));
    }
    if let Some(model) = &calibration.platform {
        line("platform", &reference::line(model));
    }
    text
}
