//! The figures of one measurement, as JSON has them: the unit is in the name, what is not known is `null`.

use super::accelerators::AcceleratorFigures;
use super::command::{End, Ended};
use super::meter::Drawn;
use super::platform::PlatformDrawn;
use jiff::{SignedDuration, Timestamp};
use kepler_compliance::carbon::{emissions, facility_energy};
use kepler_compliance::series::Step;
use kepler_compliance::tools::{Settings, Site};
use kepler_core::meter::{ErrorBounds, Method};
use kepler_core::units::{Energy, ZoneKind};
use serde::Serialize;

/// What is known of the energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// All of it.
    Known,
    /// A counter was reset, or could not be read in time: more or less may have been drawn.
    Uncertain,
    /// It was over before the counters moved.
    Unresolved,
    /// Nothing is measured here.
    Unknown,
}

impl State {
    /// As it stands in JSON and CSV.
    pub(super) const fn name(self) -> &'static str {
        match self {
            State::Known => "known",
            State::Uncertain => "uncertain",
            State::Unresolved => "unresolved",
            State::Unknown => "unknown",
        }
    }
}

/// Where the truth lies with 90 % probability.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Interval {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// One run, or one stretch of something that runs.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) started_at: Option<Timestamp>,
    /// Its exit status; `null` where a signal ended it, and of what was only watched.
    pub(super) exit_status: Option<i32>,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
    pub(super) state: State,
    /// Whether a counter of a zone was reset, or could not be read in time.
    #[serde(skip)]
    pub(super) has_lost_readings: bool,
    pub(super) method: Option<&'static str>,
    /// The meter that most of the energy comes from.
    pub(super) source: Option<&'static str>,
    /// Of an estimate: its standard deviation, as a share.
    pub(super) error_ratio: Option<f64>,
    /// The time that the counters stand still between two values, as a share of the duration.
    pub(super) resolution_ratio: f64,
    pub(super) duration_seconds: f64,
    pub(super) cpu_seconds: f64,
    /// Its part of the machine's energy, by CPU time.
    pub(super) energy_joules: Option<f64>,
    pub(super) energy_interval_joules: Option<Interval>,
    /// Its part of what the machine drew beyond the baseline.
    pub(super) above_baseline_joules: Option<f64>,
    pub(super) power_watts: Option<f64>,
    /// Its part of the machine's energy, 0 to 1.
    pub(super) share: Option<f64>,
    #[serde(rename = "emissions_gCO2eq")]
    pub(super) emissions: Option<f64>,
    pub(super) cost: Option<f64>,
    pub(super) machine: Machine,
    pub(super) zones: Vec<Zone>,
    /// GPUs and other accelerators, where there are some: the zone `gpu` by device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) accelerators: Vec<AcceleratorFigures>,
    /// Meters of the whole machine, where they are configured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) platform: Vec<PlatformDrawn>,
    /// Processes that it started and that outlived it.
    pub(super) left_running: usize,
}

/// The whole machine meanwhile.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) energy_joules: Option<f64>,
    /// What it drew beyond the baseline; below zero where it drew less.
    pub(super) above_baseline_joules: Option<f64>,
    pub(super) power_watts: Option<f64>,
    #[serde(rename = "emissions_gCO2eq")]
    pub(super) emissions: Option<f64>,
    pub(super) cost: Option<f64>,
}

/// One kind of zone.
#[derive(Debug, Serialize)]
pub(super) struct Zone {
    pub(super) zone: &'static str,
    pub(super) method: &'static str,
    pub(super) source: &'static str,
    pub(super) machine_joules: f64,
    /// The part of it that was measured for.
    pub(super) energy_joules: f64,
    /// Whether it counts in the machine's energy. Zones overlap.
    pub(super) is_counted: bool,
    /// Whether the idle part is known and left out of `energy_joules`.
    pub(super) is_idle_excluded: bool,
}

/// Where this is, and what electricity emits and costs there.
pub(super) struct Place {
    pub(super) site: Site,
    pub(super) settings: Settings,
}

impl Place {
    fn emissions(&self, energy: Option<Energy>) -> Option<f64> {
        Some(emissions(energy?, self.site.ratio()?, self.site.grid()?).grams())
    }

    /// At the mean price of the time, if every part of it has one.
    fn cost(&self, energy: Option<Energy>, from: Timestamp, length: SignedDuration) -> Option<f64> {
        // A series has no steps of no length.
        let to = from.checked_add(length.max(SignedDuration::from_millis(1))).ok()?;
        let prices = self.settings.prices(from, to)?.clip(from, to);
        let seconds = |step: &Step<_>| step.length().as_secs_f64();
        let covered: f64 = prices.steps().iter().map(seconds).sum();
        let facility = facility_energy(energy?, self.site.ratio()?);
        let cost: f64 = prices.steps().iter().map(|step| (facility * step.value).amount() * seconds(step)).sum();
        prices.covers(from, to).then_some(cost / covered)
    }
}

impl Run {
    /// Of a command that has ended.
    pub(super) fn of(ended: &Ended, place: &Place) -> Self {
        let mut run = Run::watched(&ended.drawn, place);
        match ended.end {
            End::Status(status) => run.exit_status = Some(status),
            End::Signal(signal) => run.signal = Some(signal),
        }
        run.left_running = ended.left;
        run
    }

    /// Of something that ran already.
    pub(super) fn watched(drawn: &Drawn, place: &Place) -> Self {
        let spent = &drawn.spent;
        let machine = spent.machine();
        let source = drawn.source();
        let is_uncertain = machine.is_some_and(|machine| {
            let counted = spent.zones.iter().filter(|(zone, _)| machine.zones[*zone]);
            counted.filter_map(|(_, zone)| zone.as_ref()).any(|zone| zone.is_uncertain)
        });
        let is_device_uncertain = drawn.counts_accelerators()
            && drawn.accelerators.iter().any(|device| device.is_uncertain || device.tree.is_none());
        let has_lost_readings = is_uncertain;
        let is_uncertain = is_uncertain || is_device_uncertain;
        let state = match (machine, drawn.is_resolved) {
            (None, _) => State::Unknown,
            (Some(_), false) => State::Unresolved,
            (Some(_), true) if is_uncertain => State::Uncertain,
            (Some(_), true) => State::Known,
        };
        let is_known = state <= State::Uncertain;
        let own = drawn.own.filter(|_| is_known);
        let whole = drawn.machine().filter(|_| is_known);
        let elapsed = spent.elapsed;
        let from = Timestamp::try_from(drawn.started).ok();
        let length = SignedDuration::try_from(elapsed).unwrap_or_default();
        let cost = |energy| place.cost(energy, from?, length);
        let watts = |energy: Option<Energy>| energy.map(|energy| energy.over(elapsed).watts());
        let error_ratio = source.and_then(|(_, method)| method.error_ratio());
        Run {
            started_at: from,
            exit_status: None,
            signal: None,
            state,
            has_lost_readings,
            method: source.map(|(_, method)| method.name()),
            source: source.map(|(source, _)| source),
            error_ratio,
            resolution_ratio: drawn.resolution,
            duration_seconds: elapsed.as_secs_f64(),
            cpu_seconds: drawn.cpu.as_secs_f64(),
            energy_joules: own.map(Energy::joules),
            energy_interval_joules: own.zip(error_ratio).map(|(energy, error)| around(energy.joules(), error)),
            above_baseline_joules: drawn.own_above_rest.filter(|_| is_known).map(Energy::joules),
            power_watts: watts(own),
            share: own.zip(whole).map(|(own, whole)| own.joules() / whole.joules()),
            emissions: place.emissions(own),
            cost: cost(own),
            platform: drawn.platform.clone(),
            machine: Machine {
                energy_joules: whole.map(Energy::joules),
                above_baseline_joules: drawn.above_rest.filter(|_| is_known),
                power_watts: watts(whole),
                emissions: place.emissions(whole),
                cost: cost(whole),
            },
            zones: if is_known { zones(drawn) } else { Vec::new() },
            accelerators: drawn.accelerators.iter().map(AcceleratorFigures::of).collect(),
            left_running: 0,
        }
    }
}

fn around(joules: f64, error_ratio: f64) -> Interval {
    let bounds = ErrorBounds::of_error(error_ratio);
    Interval { lower: joules * (1.0 - bounds.below), upper: joules * (1.0 + bounds.above) }
}

fn zones(drawn: &Drawn) -> Vec<Zone> {
    let machine = drawn.spent.machine();
    let zone = |kind: ZoneKind| {
        let zone = drawn.spent.zones[kind].as_ref()?;
        Some(Zone {
            zone: kind.name(),
            method: Method::name(zone.method),
            source: zone.source,
            machine_joules: zone.energy.joules(),
            energy_joules: drawn.zones[kind].joules(),
            is_counted: machine.is_some_and(|machine| machine.zones[kind]),
            is_idle_excluded: zone.idle.is_some() && drawn.spent.busy.is_some(),
        })
    };
    ZoneKind::ALL.into_iter().filter_map(zone).chain(gpu(drawn)).collect()
}

/// All accelerators as one zone, where anything is known of them.
fn gpu(drawn: &Drawn) -> Option<Zone> {
    let known = || drawn.accelerators.iter().filter_map(|device| Some((device, device.energy?)));
    let method = known().map(|(device, _)| device.method).reduce(Method::weaker)?;
    let (first, _) = known().next()?;
    Some(Zone {
        zone: ZoneKind::Gpu.name(),
        method: method.name(),
        source: first.source,
        machine_joules: known().map(|(_, energy)| energy).sum::<Energy>().joules(),
        energy_joules: known().filter_map(|(device, _)| device.tree).sum::<Energy>().joules(),
        is_counted: drawn.counts_accelerators(),
        // Their idle part is told apart, by what is learned of it or by how busy they were.
        is_idle_excluded: true,
    })
}
