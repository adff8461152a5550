//! `kepler record`: records activity and power of the machine, for training power models.

mod trace;

use super::config::Config;
use super::exit::Failure;
use super::progress::{Progress, say};
use super::remedies;
use super::sampling::{self, Known};
use super::signals;
use clap::Args;
use kepler_core::meter::Method;
use kepler_core::sampler::Sampler;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::SignalKind;
use tokio::time::{Instant, MissedTickBehavior};
use trace::Trace;

/// Where to record to, and for how long.
#[derive(Debug, Args)]
pub(super) struct Record {
    /// The file to write, .csv or .parquet; it must not exist yet
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// For how long, such as 2m [default: until Ctrl-C]
    #[arg(long, value_name = "DURATION", value_parser = super::config::duration)]
    pub(super) duration: Option<Duration>,
    /// Record features alone where nothing is measured
    #[arg(long)]
    pub(super) features_only: bool,
}

/// Records until the time is over or a signal comes.
///
/// # Errors
/// Nothing is measured here; the file exists or cannot be written.
pub(super) fn run(config: &Config, asked: &Record) -> Result<(), Failure> {
    let known = Known::start_zones(config);
    let mut sampler = sampling::open_named(config, &known)?;
    let zones = measured(&sampler);
    if zones.is_empty() && !asked.features_only {
        return Err(nothing_measured(&sampler));
    }
    let mut trace = Trace::create(&asked.output, config.interval, &config.host(), zones).map_err(Failure::Data)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::to("start recording"))?;
    let outcome = runtime.block_on(record(&mut sampler, &mut trace, config.interval, asked.duration));
    // What was recorded is kept, whatever ended it.
    let rows = trace.finish().map_err(Failure::Data)?;
    outcome?;
    say(&format!("kepler: {rows} rows in {}\n", asked.output.display()));
    Ok(())
}

/// The zones that a sensor measures. Estimates are not recorded: a model trained with them would learn a model.
fn measured(sampler: &Sampler) -> Vec<(kepler_core::units::ZoneKind, &'static str)> {
    let mut zones = Vec::new();
    for active in sampler.zones().filter(|active| active.method == Method::Measured) {
        if !zones.iter().any(|(kind, _)| *kind == active.zone.kind) {
            zones.push((active.zone.kind, active.source));
        }
    }
    zones.sort_unstable_by_key(|(kind, _)| *kind as usize);
    zones
}

fn nothing_measured(sampler: &Sampler) -> Failure {
    let first = sampler.unavailable().first();
    let remedy = first.map_or_else(|| "run `kepler doctor`".to_owned(), |first| remedies::text(&first.remedy));
    let reason =
        "cannot record: no power is measured here, only estimated, and a model must not be trained with estimates";
    let remedy = format!("{remedy}; or record features alone with --features-only");
    Failure::NothingMeasured { reason: reason.to_owned(), remedy }
}

async fn record(
    sampler: &mut Sampler,
    trace: &mut Trace,
    interval: Duration,
    duration: Option<Duration>,
) -> Result<(), Failure> {
    let _held = (signals::hold()?, signals::of(SignalKind::hangup())?);
    let (mut interrupt, mut terminate) = (signals::of(SignalKind::interrupt())?, signals::of(SignalKind::terminate())?);
    // Counters that go round faster than the interval are read in between.
    let gap = sampler.longest_gap().map_or(interval, |gap| (gap / 2).max(Duration::from_millis(1)));
    sampler.tick();
    let start = Instant::now();
    let mut due = start + interval;
    let mut wake = tokio::time::interval_at(start + interval.min(gap), interval.min(gap));
    wake.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut progress = Progress::start();
    loop {
        tokio::select! {
            _ = wake.tick() => {}
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
        // A timer may fire a little early by another clock; half a gap decides.
        if Instant::now() + interval.min(gap) / 2 < due {
            sampler.keep_up();
            continue;
        }
        due += interval;
        let rows = trace.write(&sampler.tick()).map_err(Failure::Data)?;
        let elapsed = start.elapsed();
        progress.show(|| {
            let total = duration.map(|duration| format!(" of {} s", duration.as_secs())).unwrap_or_default();
            format!("{} s{total}, {rows} rows", elapsed.as_secs())
        });
        if duration.is_some_and(|duration| elapsed + interval / 2 >= duration) {
            break;
        }
    }
    Ok(())
}
