//! One tick: read the meters, see who used the processors, attribute, and show the result.
//!
//! This is the only place that knows all parts. [`Sampler::tick`] does it once, on the calling
//! thread, whenever the caller wants; [`Monitor`](crate::monitor::Monitor) calls it on a schedule.
//! After the first ticks nothing is allocated: tables and snapshots are used again.
//!
//! ```
//! use kepler_core::host::Host;
//! use kepler_core::sampler::{Sampler, SamplerOptions};
//! use std::time::Duration;
//!
//! let mut sampler = Sampler::new(&Host::default(), SamplerOptions::default())?;
//! sampler.tick();
//! std::thread::sleep(Duration::from_millis(100));
//! // Energy is what was used between two ticks.
//! let snapshot = sampler.tick();
//! for (zone, figures) in snapshot.node.zones.iter() {
//!     if let Some(figures) = figures {
//!         println!("{zone}: {:.1} by {} ({})", figures.energy, figures.source, figures.method.name());
//!     }
//! }
//! # Ok::<(), kepler_core::sampler::SamplerError>(())
//! ```

mod activity;
mod apportioner;
mod attribute;
mod busy;
mod commands;
mod counters;
mod devices;
mod faults;
mod groups;
mod platform;
mod processes;
mod publish;
mod rest;
mod retired;
mod zones;

pub use retired::Retention;

use crate::attribution::{IdlePolicy, Weights};
use crate::availability::{Remedy, Root, Unavailable};
use crate::calibration::{IdlePower, KeptCorrection};
use crate::counter::longest_gap;
use crate::device::{Device, DeviceMeter, DeviceMeters, DeviceOptions};
use crate::directory::Directory;
use crate::host::{
    BusyTime, CpuDomains, CpuTimes, CpuTimesError, CpuTimesReader, Host, SharedReading, SoftInterrupts, Timestamp,
};
use crate::meter::chain::{ActiveZone, Chain, ChainOptions};
use crate::meter::{EnergyMeter, reason};
use crate::platform::{PlatformAttribution, PlatformBoard};
use crate::snapshot::{SamplingCost, Snapshot};
use crate::units::{Energy, PerZone, ZoneKind};
use crate::usage::{self, Usage, UsageChoice, UsageError, UsageSource};
use activity::Rates;
use apportioner::Apportioner;
use attribute::Claim;
use busy::DomainTimes;
use commands::Commands;
use counters::Counters;
use devices::{Devices, Users};
pub(crate) use devices::{Drawing, Tracked};
use faults::Faults;
use groups::Groups;
use platform::{Platform, Workloads};
use processes::Processes;
use publish::{Publisher, Shown};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use zones::Zones;

/// How to measure and attribute. The default suits any host.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SamplerOptions {
    /// Which meters to use.
    pub chain: ChainOptions,
    /// How idle energy is separated from active energy.
    pub policy: IdlePolicy,
    /// By what active energy is divided, zone by zone; the best that is counted where nothing is said.
    pub weights: Weights,
    /// Which terminated workloads stay listed.
    pub retention: Retention,
    /// Where processes' CPU time is read.
    pub usage: UsageChoice,
    /// Whether the path of an executable that was replaced or removed keeps the kernel's mark ` (deleted)`. Without it
    /// a program keeps its name through updates.
    pub deleted_mark: bool,
    /// Which accelerators are read.
    pub devices: DeviceOptions,
    /// Where pods' names are found, if Kubernetes is asked for them.
    pub directory: Option<Directory>,
    /// Where meters of the whole machine report, if there are any.
    pub platform: Option<PlatformBoard>,
    /// What an earlier run has learned of the estimate from them: [`Snapshot::kept_correction`].
    pub kept_correction: Option<KeptCorrection>,
    /// Whether what they show beyond the machine's parts is charged to workloads.
    pub platform_attribution: PlatformAttribution,
}

impl SamplerOptions {
    /// These options with a change, as in `SamplerOptions::default().with(|options| options.policy = IdlePolicy::Ratio)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Sampling cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamplerError {
    /// No meter of those asked for can be used.
    #[error(transparent)]
    Meter(#[from] Unavailable),
    /// The source of CPU time that was asked for cannot be used.
    #[error("cannot follow processes with {unavailable}")]
    Usage {
        /// Why not.
        unavailable: Unavailable,
    },
    /// The node's CPU times cannot be read.
    #[error(transparent)]
    CpuTimes(#[from] CpuTimesError),
    /// Processes cannot be listed.
    #[error("cannot list processes in {}: {source}; mount procfs there", path.display())]
    Processes {
        /// The procfs.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl SamplerError {
    /// What would change that.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            SamplerError::Meter(unavailable) | SamplerError::Usage { unavailable } => unavailable.remedy.clone(),
            SamplerError::CpuTimes(_) | SamplerError::Processes { .. } => Remedy::MountRoot { root: Root::Procfs },
        }
    }
}

/// Measures and attributes, one tick at a time.
pub struct Sampler {
    chain: Chain,
    host: Host,
    usage_source: Box<dyn UsageSource>,
    usage_unavailable: Option<Unavailable>,
    cpu_decreases: u64,
    zones: Zones,
    devices: Devices,
    devices_unavailable: Vec<Unavailable>,
    platform: Option<Platform>,
    processes: Processes,
    commands: Commands,
    keep_commands: Duration,
    groups: Groups,
    faults: Faults,
    publisher: Publisher,
    usage: Usage,
    busy: BusyTime,
    domains: DomainTimes,
    apportioner: Apportioner,
    claims: Vec<Claim>,
    rates: Rates,
    counters: Counters,
    processors: u32,
    last: Option<Timestamp>,
    sequence: u64,
    cost: SamplingCost,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sampler").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Sampler {
    /// A sampler of this host with the best meters it has.
    ///
    /// # Errors
    /// When a forced meter cannot be used, or the procfs is none.
    pub fn new(host: &Host, options: SamplerOptions) -> Result<Self, SamplerError> {
        let chain = Chain::open(host, options.chain.clone())?;
        Self::with_chain(host, chain, &options)
    }

    /// A sampler with a meter of your own.
    ///
    /// # Errors
    /// When the procfs is none.
    pub fn with_meter(
        host: &Host,
        meter: Box<dyn EnergyMeter>,
        options: &SamplerOptions,
    ) -> Result<Self, SamplerError> {
        Self::with_chain(host, Chain::of(meter), options)
    }

    /// The same sampler with a usage source of your own instead of the one it chose.
    #[must_use]
    pub fn with_usage_source(mut self, source: Box<dyn UsageSource>) -> Self {
        self.usage_source = source;
        self
    }

    /// The same sampler with more meters of accelerators.
    #[must_use]
    pub fn with_devices(mut self, meters: Vec<Box<dyn DeviceMeter>>) -> Self {
        self.devices.add(meters);
        self
    }

    fn with_chain(host: &Host, chain: Chain, options: &SamplerOptions) -> Result<Self, SamplerError> {
        let processes = |source| SamplerError::Processes { path: host.procfs().to_owned(), source };
        let domains = DomainTimes::new(CpuDomains::read(host));
        let chosen = usage::choose(host, options.usage).map_err(|error| match error {
            UsageError::Refused(unavailable) => SamplerError::Usage { unavailable },
            UsageError::Processes(source) => processes(source),
        })?;
        let counters = Counters::open(host, domains.domains());
        #[cfg_attr(not(feature = "perf"), allow(unused_mut, reason = "this build has no counters"))]
        let mut groups = Groups::open(host, options.retention, options.directory.clone()).map_err(processes)?;
        // A source that sees every switch knows all this of each process.
        #[cfg(feature = "perf")]
        if chosen.source.name() != "ebpf" && (counters.is_counting() || domains.domains().len() > 1) {
            groups.count_at(domains.domains());
        }
        let found = DeviceMeters::open(host, &options.devices);
        let learned = options.chain.calibration.as_ref().and_then(|calibration| calibration.platform.clone());
        let mut devices = Devices::new(options.policy, &options.devices);
        devices.add(found.meters);
        Ok(Sampler {
            chain,
            cpu_decreases: host.cpu_times_now()?.reader().map_or(0, CpuTimesReader::decreases),
            zones: Zones::new(options.policy, options.chain.calibration.clone()),
            devices,
            devices_unavailable: found.unavailable,
            platform: Platform::open(
                options.platform.clone(),
                options.platform_attribution,
                learned,
                (host, options.kept_correction.clone()),
            ),
            processes: Processes::open(host, options.retention, options.deleted_mark).map_err(processes)?,
            groups,
            commands: Commands::default(),
            keep_commands: options.retention.keep,
            host: host.clone(),
            usage_source: chosen.source,
            usage_unavailable: chosen.unavailable,
            faults: Faults::default(),
            publisher: Publisher::default(),
            usage: Usage::default(),
            busy: BusyTime::default(),
            apportioner: Apportioner::new(options.weights, &domains),
            claims: Vec::new(),
            rates: Rates::default(),
            counters,
            domains,
            processors: 1,
            last: None,
            sequence: 0,
            cost: SamplingCost::default(),
        })
    }

    /// The zones in use.
    pub fn zones(&self) -> impl Iterator<Item = ActiveZone<'_>> {
        self.chain.zones()
    }

    /// What is known of the zones' idle power by now: learned, given by the meter, or from a
    /// [calibration](crate::calibration).
    #[must_use]
    pub fn idle_powers(&self) -> Vec<IdlePower> {
        self.zones.idle_powers()
    }

    /// Why better meters are not in use.
    #[must_use]
    pub fn unavailable(&self) -> &[Unavailable] {
        self.chain.unavailable()
    }

    /// The name of the source of processes' CPU time: `ebpf`, `clock` or `procfs`.
    #[must_use]
    pub fn usage_source(&self) -> &'static str {
        self.usage_source.name()
    }

    /// Why a better source of CPU time is not in use.
    #[must_use]
    pub fn usage_unavailable(&self) -> Option<&Unavailable> {
        self.usage_unavailable.as_ref()
    }

    /// Why cycles, instructions and cache misses of the node are not counted, if they are not.
    #[must_use]
    pub fn counters_unavailable(&self) -> Option<&Unavailable> {
        self.counters.unavailable()
    }

    /// The accelerators that meters find now, each with the name of its meter. What two meters find is read by the first.
    pub fn devices(&self) -> impl Iterator<Item = (&'static str, &Device)> {
        self.devices.found()
    }

    /// Why accelerators, or some of them, are not read.
    #[must_use]
    pub fn devices_unavailable(&self) -> &[Unavailable] {
        &self.devices_unavailable
    }

    /// Does one tick now. The first one only lays the ground: energy counts from it on.
    ///
    /// Never fails: what cannot be read is counted in [`Snapshot::faults`], and the rest goes on.
    pub fn tick(&mut self) -> Arc<Snapshot> {
        self.tick_at(Timestamp::now())
    }

    /// Does one tick at a moment of your own, for simulated clocks. Moments must not go back.
    pub fn tick_at(&mut self, at: Timestamp) -> Arc<Snapshot> {
        let started = thread_cpu_time();
        let interval = self.last.map_or(Duration::ZERO, |last| at.since(&last));
        self.zones.read(&mut self.chain, at, interval, &mut self.faults);
        let (cpu, interrupts) = self.read_cpu(at, interval);
        let busy = cpu.and_then(|cpu| {
            self.processors = cpu.processors;
            self.busy.advance(cpu, at)
        });
        self.counters.read();
        let activity = self.rates.advance(busy, interrupts, self.counters.counted(), interval, at);
        self.update_processes(at);
        let utilisation = self.attribute(at, interval, busy);
        let mut users = Users { processes: &mut self.processes, groups: &mut self.groups };
        self.devices.tick(at, &mut users, &mut self.faults);
        self.finalize_exited(at);
        self.commands.take_over(self.processes.unlisted(), at);
        if self.groups.resolve(at) {
            self.processes.describe_again(&self.groups);
            self.commands.describe_again(&self.groups);
        }
        self.groups.retire(at);
        self.sequence += 1;
        self.last = Some(at);

        self.publisher.publish(|snapshot| {
            let before = snapshot.sequence;
            snapshot.sequence = self.sequence;
            snapshot.at = at;
            snapshot.interval = interval;
            snapshot.node.usage_ratio = utilisation;
            snapshot.node.processors = self.processors;
            snapshot.node.activity = activity;
            snapshot.node.weights = *self.apportioner.weights();
            snapshot.node.learned_costs = PerZone::from_fn(|kind| self.apportioner.learned(kind));
            self.zones.publish(&mut snapshot.node.zones);
            self.devices.publish(snapshot, at);
            let mut charge = 0;
            if let Some(platform) = &mut self.platform {
                let (processes, groups, commands) = (&mut self.processes, &mut self.groups, &mut self.commands);
                platform.tick(at, snapshot, &mut Workloads { processes, groups, commands }, &mut self.faults);
                platform.publish(snapshot, &at);
                platform.correct(&at, &mut self.chain, snapshot);
                charge = platform.number();
            }
            let shown = Shown { interval, readings: self.devices.numbers(), platform: charge };
            publish::publish_processes(snapshot, &self.processes, before, shown);
            publish::publish_groups(snapshot, &self.groups, shown);
            publish::publish_commands(&mut snapshot.commands, &self.commands, shown);
            self.faults.publish(snapshot);
            self.cost.last_tick = thread_cpu_time().saturating_sub(started);
            self.cost.ticks_total += self.cost.last_tick;
            snapshot.cost = self.cost;
        })
    }

    /// Reads the meters between two ticks, so that none of their counters goes round unseen in an
    /// interval longer than [`Sampler::longest_gap`]. What they show is part of the next tick.
    pub fn keep_up(&mut self) {
        self.keep_up_at(Timestamp::now());
    }

    /// The same at a moment of your own, for simulated clocks.
    pub fn keep_up_at(&mut self, at: Timestamp) {
        self.zones.keep_up(&mut self.chain, at, &mut self.faults);
    }

    /// How long the meters may go unread before a counter could go round more than once: the least
    /// [modulus](crate::meter::Zone::modulus) by [maximum power](crate::meter::Zone::max_power) of the
    /// zones in use, less some tolerance. 20 s to minutes for RAPL; `None` if no counter goes round.
    #[must_use]
    pub fn longest_gap(&self) -> Option<Duration> {
        let rounds = self.chain.zones().filter_map(|active| longest_gap(active.zone.modulus?, active.zone.max_power));
        rounds.min()
    }

    /// What the processors did by `at`, which the meters may have read for this moment.
    fn read_cpu(&mut self, at: Timestamp, interval: Duration) -> (Option<CpuTimes>, Option<SoftInterrupts>) {
        let reading = self.host.cpu_times(at);
        let reader = reading.as_ref().ok().and_then(SharedReading::reader);
        self.domains.advance(reader, at, interval);
        match &reading {
            Ok(reading) => {
                self.faults.succeeded("cpu", at);
                let decreases = reader.map_or(self.cpu_decreases, CpuTimesReader::decreases);
                let fallen = decreases - std::mem::replace(&mut self.cpu_decreases, decreases);
                self.faults.failed_times("cpu", "counter_decreased", fallen);
                (Some(reading.times), reader.and_then(CpuTimesReader::soft_interrupts))
            }
            Err(error) => {
                tracing::debug!(%error, "the node's CPU times could not be read");
                let reason = match &error {
                    CpuTimesError::Read { source, .. } => reason(source),
                    CpuTimesError::Malformed { .. } => "invalid_data",
                };
                self.faults.failed("cpu", reason);
                (None, None)
            }
        }
    }

    fn update_processes(&mut self, at: Timestamp) {
        self.groups.begin();
        self.processes.begin_tick(self.sequence + 1);
        if !self.collect(at) {
            self.commands.update(&[], at, self.keep_commands, &mut self.groups);
            return;
        }
        let source = self.usage_source.name();
        self.faults.succeeded(source, at);
        self.faults.failed_times(source, "unreadable_process", self.usage.unreadable);
        self.faults.failed_times(source, "map_full", self.usage.lost);
        self.faults.failed_times(source, "table_full", self.usage.overflowed);
        let drop_energy = drop_energy(&mut self.zones, &mut self.devices, self.platform.as_mut());
        self.processes.update(&mut self.usage, at, &mut self.groups, &mut self.faults, drop_energy);
        self.commands.update(&self.usage.short_lived, at, self.keep_commands, &mut self.groups);
    }

    /// Has the source tell what was used. One that no longer can gives way to one that works anywhere.
    fn collect(&mut self, at: Timestamp) -> bool {
        loop {
            let source = self.usage_source.name();
            let Err(error) = self.usage_source.collect(at, &mut self.usage) else { return true };
            self.faults.failed(source, reason(&error));
            let next = if matches!(source, "clock" | "procfs") { None } else { usage::open(&self.host).ok() };
            let Some(next) = next else {
                tracing::debug!(source, %error, "processes could not be listed");
                return false;
            };
            tracing::warn!(source, %error, instead = next.name(), "another source of CPU time takes over");
            self.usage_unavailable = Some(Unavailable::new(source, format!("it failed: {error}"), Remedy::Restart));
            self.usage_source = next;
        }
    }

    /// Removes the processes that ended in this interval, now that it has been charged to them.
    fn finalize_exited(&mut self, at: Timestamp) {
        let drop_energy = drop_energy(&mut self.zones, &mut self.devices, self.platform.as_mut());
        self.processes.finalize_exited(at, &mut self.groups, drop_energy);
    }
}

/// Takes the energy of workloads that are no longer listed into the node's account.
fn drop_energy(
    zones: &mut Zones,
    devices: &mut Devices,
    mut platform: Option<&mut Platform>,
) -> impl FnMut(PerZone<Energy>) {
    move |energy| {
        if let Some(platform) = &mut platform {
            platform.drop_energy(energy[ZoneKind::Platform]);
        }
        devices.drop_energy(energy[ZoneKind::Gpu]);
        for (zone, &energy) in energy.iter() {
            zones.charge(zone, |account| account.unlisted += energy);
        }
    }
}

/// CPU time that the calling thread has used.
fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}
