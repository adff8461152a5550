//! The machine's meters, and what was drawn between two moments for whom.

use super::above;
use super::accelerators::{Accelerators, Users};
use super::platform::PlatformDrawn;
use super::relay::{Event, Relay};
use crate::cli::config::Config;
use crate::cli::exit::Failure;
use crate::cli::platform::Platform;
use crate::cli::progress::Progress;
use crate::cli::sampling;
use kepler_core::host::Timestamp;
use kepler_core::meter::Method;
use kepler_core::snapshot::PlatformRow;
use kepler_core::stopwatch::{DeviceMark, DeviceSpent, Mark, Spent, Stopwatch};
use kepler_core::units::{Energy, PerZone, ZoneKind};
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Time between two readings while something runs: energy and CPU time are divided in such pieces, so that a part of a run
/// in which the machine draws more weighs more.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

/// How long the counters' refresh is watched at the start.
const WATCHED: Duration = Duration::from_millis(120);

/// The kernel counts the use that estimates rest on in such ticks (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Reads the meters.
pub(super) struct Meter {
    stopwatch: Stopwatch,
    accelerators: Accelerators,
    /// Meters of the whole machine, where they are configured.
    platform: Option<Platform>,
    /// How long the counters stand still between two values.
    pub(super) refresh: Duration,
    /// What the machine drew before, where that was asked for.
    pub(super) rest: Option<Rest>,
}

/// The machine at rest.
pub(super) struct Rest {
    pub(super) machine: Spent,
    /// Its accelerators.
    accelerators: Vec<DeviceSpent>,
}

impl Rest {
    /// What it drew, with its accelerators.
    pub(super) fn watts(&self) -> Option<f64> {
        let of_devices = of_accelerators(&self.machine, &self.accelerators, |device| device.energy);
        Some(self.machine.power()?.watts() + of_devices.over(self.machine.elapsed).watts())
    }
}

/// Where the CPU time of those who are measured stands, given what was spent since the start; none when they have gone.
pub(super) type CpuTime<'a> = dyn FnMut(&Spent) -> Option<Duration> + 'a;

impl Meter {
    /// Opens the meters that are configured.
    ///
    /// # Errors
    /// The meter asked for cannot be used.
    pub(super) fn open(config: &Config, users: Users) -> Result<Self, Failure> {
        let platform = config.platform.is_any().then(|| Platform::start(config));
        let chain = sampling::chain(config, platform.as_ref());
        let stopwatch = Stopwatch::open(&config.host(), chain).map_err(Failure::Meter)?;
        let accelerators = Accelerators::open(config, users);
        let mut meter = Meter { stopwatch, accelerators, platform, refresh: Duration::ZERO, rest: None };
        meter.refresh = meter.watch_refresh();
        Ok(meter)
    }

    /// The shortest time between two changes. A busy machine sees some late, none early.
    fn watch_refresh(&mut self) -> Duration {
        let start = self.stopwatch.mark();
        let (begun, mut last, mut shortest, mut method) = (Instant::now(), None, None, None);
        let mut before = Energy::ZERO;
        while begun.elapsed() < WATCHED {
            sleep(Duration::from_millis(1));
            let spent = start.until(&self.stopwatch.mark());
            let Some(machine) = spent.machine() else { break };
            method = spent.machine_source().map(|(_, method)| method);
            if machine.energy == before {
                continue;
            }
            before = machine.energy;
            let apart = last.replace(spent.elapsed).map(|last| spent.elapsed.saturating_sub(last));
            shortest = match (shortest, apart) {
                (Some(shortest), Some(apart)) => Some(apart.min(shortest)),
                (shortest, apart) => apart.or(shortest),
            };
            if matches!(method, Some(Method::Estimated { .. })) || shortest.is_some_and(|time| time < TICK / 2) {
                break;
            }
        }
        match method {
            Some(Method::Estimated { .. }) => TICK,
            Some(_) => shortest.unwrap_or(WATCHED),
            None => Duration::ZERO,
        }
    }

    /// Watches the machine as it is, to know what it draws without the work.
    ///
    /// # Errors
    /// A signal asked to end.
    pub(super) fn watch_rest(
        &mut self,
        duration: Duration,
        relay: &Relay,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        self.stopwatch.count_busy_time();
        let devices = self.accelerators.mark();
        let start = self.stopwatch.mark();
        let end = Instant::now() + duration;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            progress.show(|| format!("baseline: the machine at rest, {} s left", left.as_secs() + 1));
            let event = relay.wait(left.min(INTERVAL), None).map_err(Failure::to("wait"))?;
            if matches!(event, Event::Signal(received) if received.asks_to_end()) {
                progress.clear();
                let source = io::Error::from(io::ErrorKind::Interrupted);
                return Err(Failure::Io { what: "measure the machine at rest", source });
            }
            self.stopwatch.keep_up();
            self.accelerators.keep_up();
        }
        progress.clear();
        let machine = start.until(&self.stopwatch.mark());
        let devices = devices.as_ref().zip(self.accelerators.mark());
        let accelerators = devices.map(|(from, to)| from.until(&to)).unwrap_or_default();
        self.rest = Some(Rest { machine, accelerators });
        Ok(())
    }

    fn platform(&self) -> Vec<PlatformRow> {
        self.platform.as_ref().map(|platform| platform.board.rows(&Timestamp::now())).unwrap_or_default()
    }

    /// Begins to account.
    pub(super) fn begin(&mut self) -> Account {
        let platform = self.platform();
        let accelerators = self.accelerators.mark();
        let mark = self.stopwatch.mark();
        Account {
            accelerators,
            platform,
            started: SystemTime::now(),
            start: mark,
            last: mark,
            cpu: Some(Duration::ZERO),
            own: PerZone::default(),
        }
    }
}

/// What was drawn since a moment, and the part of it that is the workload's.
pub(super) struct Account {
    started: SystemTime,
    start: Mark,
    last: Mark,
    cpu: Option<Duration>,
    own: PerZone<Energy>,
    /// Of meters of the whole machine at the start.
    platform: Vec<PlatformRow>,
    /// Of accelerators at the start.
    accelerators: Option<DeviceMark>,
}

impl Account {
    /// Reads the meters, then `cpu_time`, which never falls: what is read late is counted later.
    pub(super) fn advance(&mut self, meter: &mut Meter, cpu_time: &mut CpuTime<'_>) {
        meter.accelerators.keep_up();
        let now = meter.stopwatch.mark();
        let piece = self.last.until(&now);
        self.last = now;
        let Some(cpu) = cpu_time(&self.start.until(&now)) else { return };
        let before = self.cpu.unwrap_or_default();
        let added = cpu.saturating_sub(before);
        self.cpu = Some(cpu.max(before));
        for zone in ZoneKind::ALL {
            self.own[zone] += piece.part(zone, added).unwrap_or_default();
        }
    }

    /// How long it has lasted.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.until(&self.last).elapsed
    }

    /// The sum.
    pub(super) fn end(self, meter: &mut Meter) -> Drawn {
        let spent = self.start.until(&self.last);
        let machine = spent.machine();
        let marks = self.accelerators.as_ref().zip(meter.accelerators.mark());
        let accelerators = marks.map(|(from, to)| from.until(&to)).unwrap_or_default();
        let own = machine.map(|machine| {
            let counted = ZoneKind::ALL.into_iter().filter(|zone| machine.zones[*zone]);
            let own: Energy = counted.map(|zone| self.own[zone]).sum();
            own + of_accelerators(&spent, &accelerators, |device| device.tree)
        });
        let cpu = self.cpu.unwrap_or_default();
        let above = meter.rest.as_ref().map(|rest| above_rest(&spent, &accelerators, rest, cpu));
        let (above_rest, own_above_rest) = above.unwrap_or_default();
        Drawn {
            started: self.started,
            above_rest,
            own_above_rest,
            // Shorter than the counters stand still, or they did not move at all: nothing was seen, which is not nothing.
            is_resolved: spent.elapsed >= meter.refresh && machine.is_some_and(|machine| machine.energy > Energy::ZERO),
            resolution: meter.refresh.as_secs_f64() / spent.elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
            own,
            zones: self.own,
            cpu,
            spent,
            accelerators,
            platform: PlatformDrawn::between(&self.platform, &meter.platform()),
        }
    }
}

/// What the machine drew beyond rest, joules, and the part of that of those who used `cpu` time, accelerators included.
fn above_rest(spent: &Spent, devices: &[DeviceSpent], rest: &Rest, cpu: Duration) -> (Option<f64>, Option<Energy>) {
    let is_platform = spent.machine().is_some_and(|machine| machine.zones[ZoneKind::Psys]);
    let times = spent.elapsed.as_secs_f64() / rest.machine.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let of_devices = match is_platform {
        true => Some(above::Above::default()),
        false => above::of_accelerators(devices, &rest.accelerators, times),
    };
    let machine = spent.above_rest(&rest.machine).zip(of_devices).map(|(own, devices)| own + devices.machine);
    let own = spent.part_above_rest(&rest.machine, cpu).zip(of_devices);
    (machine, own.map(|(own, devices)| own + Energy::from_joules(devices.own)))
}

/// What accelerators add to the machine's energy, or to a part of it: nothing where a platform stands for all of it.
fn of_accelerators(spent: &Spent, devices: &[DeviceSpent], part: fn(&DeviceSpent) -> Option<Energy>) -> Energy {
    let is_platform = spent.machine().is_some_and(|machine| machine.zones[ZoneKind::Psys]);
    if is_platform { Energy::ZERO } else { devices.iter().filter_map(part).sum() }
}

impl Drawn {
    /// The machine's energy, with that of its accelerators.
    pub(super) fn machine(&self) -> Option<Energy> {
        Some(self.spent.machine()?.energy + of_accelerators(&self.spent, &self.accelerators, |device| device.energy))
    }

    /// How the workload's energy came about, and the meter that most of the machine's comes from. What is estimated of the zones weighs
    /// as much as they do beside accelerators.
    pub(super) fn source(&self) -> Option<(&'static str, Method)> {
        let (source, method) = self.spent.machine_source()?;
        let counted = self.accelerators.iter().filter(|device| device.energy.is_some() && self.counts_accelerators());
        let of_devices = counted.clone().map(|device| device.method).reduce(Method::weaker);
        let (Some(of_devices), Some(own)) = (of_devices, self.own) else { return Some((source, method)) };
        let whole = of_accelerators(&self.spent, &self.accelerators, |device| device.energy);
        let part = of_accelerators(&self.spent, &self.accelerators, |device| device.tree);
        let most = counted.max_by_key(|device| device.energy).map_or(source, |device| device.source);
        let source =
            if whole > self.spent.machine().map_or(Energy::ZERO, |machine| machine.energy) { most } else { source };
        let share = |energy: Energy| if own > Energy::ZERO { energy.joules() / own.joules() } else { 1.0 };
        let error = |method: Method, share: f64| method.error_ratio().unwrap_or_default() * share;
        let error_ratio = error(method, share(own.saturating_sub(part))).hypot(error(of_devices, share(part)));
        Some((
            source,
            match (method, of_devices) {
                (Method::Measured, Method::Measured) => Method::Measured,
                (Method::Estimated { .. }, Method::Estimated { .. }) => Method::Estimated { error_ratio },
                _ => Method::Partial { error_ratio },
            },
        ))
    }

    /// Whether accelerators are part of the machine's energy.
    pub(super) fn counts_accelerators(&self) -> bool {
        self.spent.machine().is_none_or(|machine| !machine.zones[ZoneKind::Psys])
    }
}

/// What was drawn in a time, and the part of it that is the workload's.
pub(super) struct Drawn {
    pub(super) started: SystemTime,
    /// The machine.
    pub(super) spent: Spent,
    /// CPU time of those who are measured.
    pub(super) cpu: Duration,
    /// What accelerators drew, and their part of that.
    pub(super) accelerators: Vec<DeviceSpent>,
    /// What meters of the whole machine showed.
    pub(super) platform: Vec<PlatformDrawn>,
    /// Their part of the machine's energy.
    pub(super) own: Option<Energy>,
    /// Their part by zone.
    pub(super) zones: PerZone<Energy>,
    /// The machine's energy beyond rest, joules.
    pub(super) above_rest: Option<f64>,
    /// Their part of that.
    pub(super) own_above_rest: Option<Energy>,
    /// Whether it lasted long enough for the counters.
    pub(super) is_resolved: bool,
    /// How far off the time that the counters stand for may be, as a share.
    pub(super) resolution: f64,
}
