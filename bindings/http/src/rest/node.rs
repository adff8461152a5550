//! `/api/v1/node`.

use super::accelerator::Accelerator;
use super::figures::{Interval, Moment, NodePower, method};
use super::platform::{Platform, Residual};
use super::problem::{Kind, Problem};
use super::{Asked, Shared, json, query, to_json};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use kepler_core::attribution::Weight;
use kepler_core::attribution::learned::Learned;
use kepler_core::snapshot::{NodeZone, PowerInterval, Snapshot, SocketZone, SourceHealth, ZonePower};
use kepler_core::units::{Energy, Power, ZoneKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// It takes no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoQuery {}

/// The node's energy and power.
#[derive(Serialize, JsonSchema)]
pub(super) struct Node<'a> {
    /// The moment the answer is of.
    snapshot: Moment,
    /// The node's name.
    node_name: &'a str,
    /// Busy share of all processors over the interval, 0 to 1.
    usage_ratio: f64,
    /// Online logical processors.
    processors: u32,
    /// Those zones together that may be added; `null` where there is none.
    total: Option<Total>,
    /// Each zone that this machine has. `core` and `uncore` are parts of `package`, `psys` contains everything, `platform` is beside them.
    zones: Vec<Zone<'a>>,
    /// GPUs and other accelerators; their sum is the zone `gpu`. One that is gone stays, with what it has drawn.
    devices: Vec<Accelerator<'a>>,
    /// Meters of the whole machine: its BMC, its firmware, a meter outside. They contain the zones and devices, and are never
    /// added to them.
    platform: Vec<Platform<'a>>,
    /// What the machine draws beside the parts that have meters of their own; `null` where no meter of the whole node is read.
    platform_residual: Option<Residual<'a>>,
    /// What could not be read so far.
    faults: Vec<Fault>,
    /// When each source last delivered.
    sources: Vec<Source>,
}

/// The zones that may be added, added.
#[derive(Serialize, JsonSchema)]
struct Total {
    /// Which zones these are.
    zones: Vec<&'static str>,
    /// `measured`, `partial` or `estimated`: the weakest of the zones.
    method: &'static str,
    /// Expected relative error of an estimate, one standard deviation: the largest of the zones; `null` if measured.
    error_ratio: Option<f64>,
    #[serde(flatten)]
    energy: ZoneEnergy,
    /// Mean power over the last interval, watts; `null` where that of a zone is not known.
    power_watts: Option<NodePower>,
    /// Where `power_watts.total` lies with 90 % probability at least if a zone is estimated; `null` if all are measured.
    interval_watts: Option<Interval>,
}

/// A zone: `energy = idle + active`, and `active` = what workloads used + unattributed.
#[derive(Serialize, JsonSchema)]
struct Zone<'a> {
    /// `package`, `core`, `uncore`, `dram`, `psys`, `gpu` for all accelerators, or `platform` for what the machine draws beside them, where it is charged.
    zone: &'static str,
    /// The zone's path in sysfs, or `aggregated-` and its name for several.
    path: &'a str,
    /// The meter: `powercap`, `msr`, `perf`, `hwmon`, `model`, `nvml`, …
    source: &'static str,
    /// `measured` or `estimated`.
    method: &'static str,
    /// Expected relative error of an estimate, one standard deviation; `null` if measured.
    error_ratio: Option<f64>,
    #[serde(flatten)]
    energy: ZoneEnergy,
    /// The part of the active energy of processes that came and went unseen, within that of their containers,
    /// pods and units.
    short_lived_energy_joules: f64,
    /// The part of the active energy of ended processes that are no longer listed.
    unlisted_energy_joules: f64,
    /// `baseline` (idle power is learned) or `ratio` (energy times utilisation).
    idle_policy: &'static str,
    /// How the idle power is known: `at_rest`, `extrapolated` (from how power follows utilisation), `calibrated`, `given` (by the meter or
    /// model); or why it is not: `few_readings`, `steady_load` (nothing varied, never near rest), `flat` (power hardly follows utilisation,
    /// never near rest).
    idle_knowledge: &'static str,
    /// By what its active energy was last divided among workloads: `time`, `cycles`, `instructions`, `cache_misses`, or `learned` (what each of
    /// these costs on this machine); `null` where nothing was divided yet.
    divided_by: Option<&'static str>,
    /// What work was found to cost here, and whether that predicts power better than a fixed weight; `null` where it is not known.
    work_costs: Option<WorkCosts>,
    /// By what the estimate is corrected while it is used; `null` if it is not.
    correction: Option<Correction<'a>>,
    /// The idle power that was learned by now, watts; `null` as long as it is not known (the policy is `ratio` then), and of an estimate.
    idle_watts: Option<f64>,
    /// One standard deviation of its error, watts: large where it was learned far from rest.
    idle_error_watts: Option<f64>,
    /// Mean power over the last interval, watts; `null` where it is not known.
    power_watts: Option<NodePower>,
    /// Where `power_watts.total` lies with 90 % probability if it is estimated; `null` if it is measured or not known.
    interval_watts: Option<Interval>,
    /// What each socket has of it; empty where there is one, or it is not known.
    sockets: Vec<Socket>,
    /// Why it, or a part of it, cannot be read now, in a fixed word: `timeout`, `stuck`, `stale`, `not_read`, …; `null` where it can.
    fault: Option<&'static str>,
    /// Whether nothing has given figures of it for longer than a moment: its energy stays what it was.
    is_lost: bool,
}

/// What work costs in a zone, learned from its power and the processors' counters.
#[derive(Serialize, JsonSchema)]
struct WorkCosts {
    /// A second of a busy processor, joules.
    second_joules: f64,
    /// 1e9 cycles, joules.
    gigacycle_joules: f64,
    /// 1e9 instructions, joules.
    gigainstruction_joules: f64,
    /// 1e6 misses of the last-level cache, joules.
    megamiss_joules: f64,
    /// How far off power is when predicted so from other stretches of time, root mean square, watts.
    error_watts: f64,
    /// The fixed weight that it is compared with: `time`, `cycles` or `cache_misses`.
    fixed: &'static str,
    /// How far off power is when predicted by that.
    fixed_error_watts: f64,
    /// Whether the costs predict better: then energy is divided by them.
    is_better: bool,
}

impl From<Learned> for WorkCosts {
    fn from(learned: Learned) -> Self {
        let costs = learned.costs;
        WorkCosts {
            second_joules: costs.second,
            gigacycle_joules: costs.cycle * 1e9,
            gigainstruction_joules: costs.instruction * 1e9,
            megamiss_joules: costs.cache_miss * 1e6,
            error_watts: learned.error.watts(),
            fixed: learned.fixed.name(),
            fixed_error_watts: learned.fixed_error.watts(),
            is_better: learned.is_better,
        }
    }
}

/// What corrects an estimate: a meter of the whole machine that shows something now and then.
#[derive(Serialize, JsonSchema)]
struct Correction<'a> {
    /// By what that meter is asked: `redfish`, `ipmi`, …
    source: &'a str,
    /// By what the estimate is multiplied.
    factor: f64,
    /// Expected relative error of the corrected estimate, one standard deviation.
    error_ratio: f64,
    /// How old the newest reading is that this was learned from, seconds; it may be from before the program started. Older ones count less, and after
    /// a week without new ones nothing is corrected.
    age_seconds: f64,
}

/// One socket's part of a zone.
#[derive(Serialize, JsonSchema)]
struct Socket {
    /// Its number.
    socket: u32,
    /// Energy since the program started, joules.
    energy_joules: f64,
    /// Mean power over the last interval, watts; `null` where it is not known.
    power_watts: Option<f64>,
}

impl Socket {
    fn of(part: &SocketZone) -> Self {
        let power_watts = part.power.map(Power::watts);
        Socket { socket: part.socket, energy_joules: part.energy.joules(), power_watts }
    }
}

/// `energy = idle + active`, and `active` = what workloads used + unattributed.
#[derive(Serialize, JsonSchema)]
struct ZoneEnergy {
    /// Energy since the program started, joules.
    energy_joules: f64,
    /// The part of it caused by work.
    active_energy_joules: f64,
    /// The part that an idle machine draws all the same.
    idle_energy_joules: f64,
    /// The part of `idle_energy_joules` of which it is not known whether it was idle or caused by work: of accelerators whose idle
    /// power was not known yet.
    unsplit_energy_joules: f64,
    /// The part of the active energy that no workload explains.
    unattributed_energy_joules: f64,
}

/// How often something could not be read.
#[derive(Serialize, JsonSchema)]
pub(super) struct Fault {
    /// The meter or usage source.
    source: &'static str,
    /// The kind of fault.
    reason: &'static str,
    /// How often so far.
    count: u64,
}

/// The last success of a source.
#[derive(Serialize, JsonSchema)]
pub(super) struct Source {
    /// The meter or usage source.
    source: &'static str,
    /// When it last delivered.
    last_success: Option<Timestamp>,
}

impl<'a> Node<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, node_name: &'a str) -> Self {
        Node {
            snapshot: Moment::of(snapshot),
            node_name,
            usage_ratio: snapshot.node.usage_ratio,
            processors: snapshot.node.processors,
            total: Total::of(snapshot),
            zones: snapshot.node.zones().map(|(kind, zone)| Zone::of(snapshot, kind, zone)).collect(),
            devices: snapshot.devices.iter().map(Accelerator::of).collect(),
            platform: snapshot.platform.iter().map(Platform::of).collect(),
            platform_residual: snapshot.platform_residual.as_ref().map(Residual::of),
            faults: Fault::all(snapshot),
            sources: Source::all(snapshot),
        }
    }
}

impl Fault {
    pub(super) fn all(snapshot: &Snapshot) -> Vec<Self> {
        let fault = |f: &kepler_core::snapshot::Fault| Fault { source: f.source, reason: f.reason, count: f.count };
        snapshot.faults.iter().map(fault).collect()
    }
}

impl Source {
    pub(super) fn all(snapshot: &Snapshot) -> Vec<Self> {
        let source = |health: &SourceHealth| Source {
            source: health.source,
            last_success: Timestamp::try_from(health.last_success.wall).ok(),
        };
        snapshot.sources.iter().map(source).collect()
    }
}

impl Total {
    fn of(snapshot: &Snapshot) -> Option<Self> {
        let addable = snapshot.machine_zones();
        let zones: Vec<(ZoneKind, &NodeZone)> = snapshot.node.zones().filter(|(kind, _)| addable[*kind]).collect();
        let (name, error_ratio) = method(NodeZone::method_of_sum(zones.iter().map(|(_, zone)| *zone))?);
        let powers: Option<Vec<ZonePower>> = zones.iter().map(|(_, zone)| zone.power).collect();
        let power = powers.and_then(|powers| powers.into_iter().reduce(add));
        // Ends of all intervals at once are an interval that is wide enough however the errors hang together.
        let bounds = zones.iter().map(|(_, zone)| {
            let power = zone.power?.total;
            Some(zone.interval.unwrap_or(PowerInterval::new(power, power)))
        });
        let bounds: Option<Vec<PowerInterval>> = bounds.collect();
        let interval = bounds.filter(|_| error_ratio.is_some()).and_then(|bounds| {
            bounds.into_iter().reduce(|a, b| PowerInterval::new(a.lower + b.lower, a.upper + b.upper))
        });
        Some(Total {
            zones: zones.iter().map(|(kind, _)| kind.name()).collect(),
            method: name,
            error_ratio,
            energy: ZoneEnergy::sum(zones.iter().map(|(_, zone)| *zone)),
            power_watts: power
                .map(|power| NodePower::of(power, zones.iter().map(|(_, zone)| zone.unsplit_power).sum())),
            interval_watts: interval.map(Interval::from),
        })
    }
}

impl ZoneEnergy {
    fn sum<'a>(zones: impl Iterator<Item = &'a NodeZone> + Clone) -> Self {
        let joules = |part: fn(&NodeZone) -> Energy| zones.clone().map(part).sum::<Energy>().joules();
        ZoneEnergy {
            energy_joules: joules(|zone| zone.energy),
            active_energy_joules: joules(|zone| zone.active_energy),
            idle_energy_joules: joules(|zone| zone.idle_energy),
            unsplit_energy_joules: joules(|zone| zone.unsplit_energy),
            unattributed_energy_joules: joules(|zone| zone.unattributed_energy),
        }
    }
}

fn add(a: ZonePower, b: ZonePower) -> ZonePower {
    ZonePower::new(a.total + b.total, a.active + b.active, a.idle + b.idle)
}

impl<'a> Zone<'a> {
    fn of(snapshot: &Snapshot, kind: ZoneKind, zone: &'a NodeZone) -> Self {
        let (method, error_ratio) = method(zone.method);
        Zone {
            zone: kind.name(),
            path: &zone.path,
            source: zone.source,
            method,
            error_ratio,
            energy: ZoneEnergy::sum([zone].into_iter()),
            short_lived_energy_joules: zone.short_lived_energy.joules(),
            unlisted_energy_joules: zone.unlisted_energy.joules(),
            idle_policy: zone.idle_policy.name(),
            idle_knowledge: zone.idle_knowledge.name(),
            divided_by: snapshot.node.weights[kind].map(Weight::name),
            work_costs: snapshot.node.learned_costs[kind].map(WorkCosts::from),
            correction: zone.correction.as_ref().map(|by| Correction {
                source: &by.source,
                factor: by.scale.factor,
                error_ratio: by.scale.error_ratio,
                age_seconds: by.age(&snapshot.at).as_secs_f64(),
            }),
            power_watts: zone.power.map(|power| NodePower::of(power, zone.unsplit_power)),
            idle_watts: zone.idle_estimate.map(|idle| idle.power.watts()),
            idle_error_watts: zone.idle_estimate.map(|idle| idle.error.watts()),
            interval_watts: zone.interval.map(Interval::from),
            sockets: zone.sockets.iter().map(Socket::of).collect(),
            fault: zone.fault,
            is_lost: zone.is_lost,
        }
    }
}

pub(super) async fn answer(State(shared): Asked, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let NoQuery {} = query::read(text.as_deref())?;
    let snapshot = latest(&shared)?;
    to_json(&Node::of(&snapshot, &shared.exporter.options().node_name)).map(json)
}

/// The newest snapshot.
pub(super) fn latest(shared: &Shared) -> Result<Arc<Snapshot>, Problem> {
    if shared.exporter.options().hub.is_some() {
        let reason = "this is a hub, which measures no node: /api/v1/nodes lists those it asks, /tools and /api/v1/history answer of them";
        return Err(Problem::new(Kind::NotFound, reason));
    }
    let none = || Problem::new(Kind::Unavailable, "no snapshot has been taken yet; ask again in a second");
    shared.exporter.feed().latest().ok_or_else(none)
}
