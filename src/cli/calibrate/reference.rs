//! `kepler calibrate --reference=platform`: what the whole machine draws, by what its parts draw.

use super::super::config::Config;
use super::super::exit::Failure;
use super::super::platform::Platform;
use super::super::progress::{Progress, say};
use super::super::sampling::{self, Known};
use super::load::Load;
use kepler_core::calibration::wall::{PartsSample, WallError, WallModel, WallReading};
use kepler_core::host::Timestamp;
use kepler_core::platform::{PlatformMeter, PlatformScope};
use kepler_core::sampler::Sampler;
use kepler_core::snapshot::{PlatformRow, Snapshot};
use kepler_core::units::{Power, ZoneKind};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long each load lasts, in tenths of the duration that is asked for, and what share of the CPUs works. The lengths differ, so
/// that a meter's delay shows.
const STEPS: [(u32, f64); 12] = [
    (32, 0.0),
    (23, 1.0),
    (37, 0.5),
    (20, 0.0),
    (28, 0.5),
    (25, 1.0),
    (30, 0.0),
    (22, 0.5),
    (27, 1.0),
    (33, 0.0),
    (23, 0.5),
    (20, 1.0),
];
/// How often the parts are read.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a meter may take to show something for the first time: some service processors need a minute for an answer.
const FIRST: Duration = Duration::from_secs(150);

/// What was seen of the whole and of its parts.
struct Watching<'a> {
    sampler: &'a mut Sampler,
    started: Instant,
    /// The moment that all times count from.
    begun: Timestamp,
    parts: Vec<PartsSample>,
    readings: Vec<WallReading>,
    meter: Option<Arc<PlatformMeter>>,
    fault: Option<&'static str>,
    /// How busy other work kept the CPUs while they should have been at rest: a sum, and of how many ticks.
    rest: (f64, u32),
}

/// Measures and learns.
///
/// # Errors
/// No meter of the whole machine is configured or answers, or what it shows says too little.
pub(super) fn learn(config: &Config, duration: Duration, observe: Option<Duration>) -> Result<WallModel, Failure> {
    if !config.platform.is_any() {
        let what = "no meter of the whole machine is configured; enable one (`experimental.platform.redfish`, `.ipmi`, `.hwmon` or \
                    `.external`), see `kepler doctor`";
        return Err(Failure::Data(format!("cannot calibrate: {what}")));
    }
    let known = Known::of_platform(Platform::start(config));
    let mut sampler = sampling::open_uncalibrated(config, &known)?;
    if super::measured(&sampler).iter().all(|(kind, _)| !matches!(kind, ZoneKind::Package | ZoneKind::Core)) {
        return Err(super::nothing_measured(&sampler));
    }
    let mut watching = Watching {
        sampler: &mut sampler,
        started: Instant::now(),
        begun: Timestamp::now(),
        parts: Vec::new(),
        readings: Vec::new(),
        meter: None,
        fault: None,
        rest: (0.0, 0),
    };
    watching.await_first()?;
    match observe {
        Some(length) => watching.watch(length, "as it is", false),
        None => {
            for (tenths, share) in STEPS {
                let load = (share > 0.0).then(|| Load::on(share)).transpose().map_err(Failure::to("make a load"))?;
                let what = format!("with {:.0} % of its CPUs busy", share * 100.0);
                watching.watch(duration * tenths / 10, &what, share == 0.0);
                drop(load);
            }
        }
    }
    watching.learned()
}

impl Watching<'_> {
    /// Waits for a meter's first figure.
    fn await_first(&mut self) -> Result<(), Failure> {
        say("waiting for the meter of the whole machine\n");
        while self.meter.is_none() {
            if self.started.elapsed() > FIRST {
                let why = self.fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
                let what = format!("no meter of the whole machine shows anything{why}; run `kepler doctor`");
                return Err(Failure::Data(format!("cannot calibrate: {what}")));
            }
            self.tick();
            sleep(INTERVAL);
        }
        Ok(())
    }

    fn watch(&mut self, length: Duration, what: &str, is_rest: bool) {
        let mut progress = Progress::start();
        if !progress.is_shown() {
            say(&format!("measuring this machine {what} for {} s\n", length.as_secs()));
        }
        let start = Instant::now();
        while start.elapsed() < length {
            sleep(INTERVAL.min(length));
            let busy = self.tick();
            if is_rest {
                self.rest = (self.rest.0 + busy, self.rest.1 + 1);
            }
            let (elapsed, total) = (start.elapsed().as_secs(), length.as_secs());
            progress.show(|| format!("measuring this machine {what}: {elapsed} of {total} s"));
        }
    }

    /// Reads everything once; how busy the machine was.
    fn tick(&mut self) -> f64 {
        let snapshot = self.sampler.tick();
        self.take(&snapshot);
        snapshot.node.usage_ratio
    }

    fn take(&mut self, snapshot: &Snapshot) {
        // When the meters were read, and not when that was done: a tick may take long on a busy machine, and ages are those of its start.
        let now = snapshot.at.since(&self.begun).as_secs_f64();
        self.parts.extend(parts(snapshot, now));
        let Some(row) = row(snapshot, self.meter.as_deref()) else {
            self.fault = snapshot.platform.iter().find_map(|row| row.fault).or(self.fault);
            return;
        };
        let (Some(power), Some(age)) = (row.power, row.age) else {
            self.fault = row.fault;
            return;
        };
        self.meter = Some(Arc::clone(&row.meter));
        let at = now - age.as_secs_f64();
        // The same reading again has the same time.
        if self.readings.last().is_none_or(|last| at > last.at + 0.05) {
            self.readings.push(WallReading::new(at, power.watts()));
        }
    }

    fn learned(self) -> Result<WallModel, Failure> {
        let busy = self.rest.0 / f64::from(self.rest.1.max(1));
        let Watching { parts, readings, meter, .. } = self;
        let meter = meter.ok_or_else(|| Failure::Data("cannot calibrate: no meter shows anything".to_owned()))?;
        let without = |part: PartsSample| PartsSample::new(part.at, part.seconds, part.package, part.dram, None);
        let parts: Vec<PartsSample> =
            if meter.contains_gpus { parts } else { parts.into_iter().map(without).collect() };
        let mut model = WallModel::fit(&readings, &parts).map_err(|error| {
            Failure::Data(format!("cannot calibrate by {}: {error}{}", name(&meter), of_others(&error, busy)))
        })?;
        model.source = name(&meter);
        Ok(model)
    }
}

/// What to do where other work left no room for a load of our own.
fn of_others(error: &WallError, busy: f64) -> String {
    match error {
        WallError::TooEven { .. } | WallError::TooFew { .. } if busy > super::MOST_AT_REST => format!(
            " (other work kept the CPUs {:.0} % busy when they should have been at rest: stop that, or learn from it over a longer time \
             with --observe=2h)",
            busy * 100.0
        ),
        _ => String::new(),
    }
}

/// The meter's name for people.
fn name(meter: &PlatformMeter) -> String {
    let words = [meter.source, &meter.bmc_id, &meter.chassis_id, &meter.source_type];
    words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

/// The row of the meter that is learned from: the one before, else that of which the rest is, else the first of this node.
fn row<'a>(snapshot: &'a Snapshot, before: Option<&PlatformMeter>) -> Option<&'a PlatformRow> {
    let residual = || snapshot.platform_residual.as_ref().map(|residual| &*residual.meter);
    let wanted = before.or_else(residual);
    let is_of_node = |row: &&PlatformRow| row.meter.scope == PlatformScope::Node;
    match wanted {
        Some(meter) => snapshot.platform.iter().find(|row| row.meter.is_same(meter)),
        None => snapshot.platform.iter().find(is_of_node),
    }
}

/// What the parts drew in the last interval, where all of them are known.
fn parts(snapshot: &Snapshot, now: f64) -> Option<PartsSample> {
    let watts = |kind: ZoneKind| snapshot.node.power(kind).map(Power::watts);
    let package = snapshot.node.processors_power()?.watts();
    let seconds = snapshot.interval.as_secs_f64();
    Some(PartsSample::new(now, seconds, package, watts(ZoneKind::Dram), watts(ZoneKind::Gpu)))
}

/// What was learned, in a line.
pub(super) fn line(model: &WallModel) -> String {
    let term =
        |weight: Option<f64>, name: &str| weight.map(|weight| format!(" + {weight:.3} × {name}")).unwrap_or_default();
    format!(
        "{:.1} W{}{}{}, ±{:.1} W by {} readings of {} ({:.0} s late, a mean of {:.0} s)",
        model.constant,
        term(Some(model.package), "package"),
        term(model.dram, "dram"),
        term(model.gpus, "gpu"),
        model.error_watts,
        model.readings,
        model.source,
        model.delay,
        model.mean_of,
    )
}
