//! Something that runs already: a process with its descendants, a container, a systemd unit.

use super::accelerators::Users;
use super::meter::{Drawn, INTERVAL, Meter};
use super::relay::{Event, Relay};
use crate::cli::config::Config;
use crate::cli::exit::Failure;
use crate::cli::progress::Progress;
use crate::cli::sampling;
use kepler_core::host::Host;
use kepler_core::stopwatch::tree_cpu_time;
use kepler_core::usage::UsageChoice;
use kepler_core::usage::cgroup::CgroupCpu;
use kepler_core::workload::{Value, WorkloadKind};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// A short identifier of a container is not shorter.
const SHORTEST_ID: usize = 4;

/// A workload, and where its CPU time is read.
pub(super) struct Workload {
    pub(super) kind: &'static str,
    pub(super) name: String,
    clock: Clock,
}

enum Clock {
    /// A process, with a descriptor that tells when it ends.
    Process { pid: u32, host: Host, end: OwnedFd },
    /// Its cgroup, and where that is.
    Cgroup(CgroupCpu, String),
}

impl Workload {
    /// A process and all that descends from it.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn process(config: &Config, pid: u32) -> Result<Self, Failure> {
        let missing = || Failure::Missing(format!("there is no process {pid}"));
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(missing)?;
        let end = pidfd_open(raw, PidfdFlags::empty()).map_err(|_| missing())?;
        let host = config.host();
        let name = fs::read_to_string(host.procfs().join(format!("{pid}/comm"))).unwrap_or_default();
        let name = format!("{} (PID {pid})", name.trim_end());
        Ok(Workload { kind: "process", name, clock: Clock::Process { pid, host, end } })
    }

    /// A container by name or identifier, or a unit by name.
    ///
    /// # Errors
    /// There is none, or several; its CPU time is not accounted for.
    pub(super) fn group(config: &Config, kind: WorkloadKind, wanted: &str) -> Result<Self, Failure> {
        let config = Config { usage: UsageChoice::Clock, ..config.clone() };
        let snapshot = sampling::open(&config)?.tick();
        let mut found: Vec<(String, String)> = Vec::new();
        let mut names = Vec::new();
        for row in snapshot.rows(kind) {
            let attribute = |name: &str| match row.attributes().find(|(own, _)| own.name == name) {
                Some((_, Value::Text(text))) => text.to_owned(),
                _ => String::new(),
            };
            let id = if kind == WorkloadKind::Container { attribute("id") } else { String::new() };
            let name = if row.name().is_empty() { id.clone() } else { row.name().to_owned() };
            let is_it = name == wanted
                || name.strip_suffix(".service") == Some(wanted)
                || (wanted.len() >= SHORTEST_ID && id.starts_with(wanted));
            if is_it {
                found.push((name.clone(), attribute("cgroup")));
            }
            names.push(name);
        }
        let (name, cgroup) = match found.as_slice() {
            [one] => one.clone(),
            [] => {
                names.sort_by(|a, b| strsim::jaro_winkler(wanted, b).total_cmp(&strsim::jaro_winkler(wanted, a)));
                names.truncate(5);
                let near = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
                let kind = kind.name();
                return Err(Failure::Missing(format!("there is no {kind} `{wanted}`; nearest: {near}")));
            }
            several => {
                let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                return Err(Failure::Missing(format!("`{wanted}` is several: {}", names.join(", "))));
            }
        };
        let cpu = CgroupCpu::open(config.host().cgroup(), &cgroup).map_err(Failure::to("read its CPU time"))?;
        Ok(Workload { kind: kind.name(), name, clock: Clock::Cgroup(cpu, cgroup) })
    }

    /// How its CPU time is known.
    pub(super) const fn followed_by(&self) -> &'static str {
        match self.clock {
            Clock::Process { .. } => "process_clocks",
            Clock::Cgroup(..) => "cgroup",
        }
    }

    /// Whose use of accelerators is its.
    pub(super) fn users(&self) -> Users {
        match &self.clock {
            Clock::Process { pid, .. } => Users::Process(*pid),
            Clock::Cgroup(_, path) => Users::Cgroup(path.clone()),
        }
    }

    /// Watches it for so long, until it ends, or until a signal asks to.
    ///
    /// # Errors
    /// It has ended already.
    pub(super) fn watch(
        &mut self,
        duration: Option<Duration>,
        meter: &mut Meter,
        relay: &Relay,
    ) -> Result<Drawn, Failure> {
        let mut progress = Progress::start();
        let mut account = meter.begin();
        let gone = || Failure::Missing("it has ended already".to_owned());
        let before = self.clock.cpu_time().ok_or_else(gone)?;
        let end = duration.map(|duration| Instant::now() + duration);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let watched = match &self.clock {
                Clock::Process { end, .. } => Some(end.as_fd()),
                Clock::Cgroup(..) => None,
            };
            let event = relay.wait(left.unwrap_or(INTERVAL).min(INTERVAL), watched).map_err(Failure::to("wait"))?;
            let mut is_gone = event == Event::Ended;
            account.advance(meter, &mut |_| {
                let now = self.clock.cpu_time();
                is_gone |= now.is_none();
                now.map(|now| now.saturating_sub(before))
            });
            let is_asked = matches!(event, Event::Signal(received) if received.asks_to_end());
            if is_gone || is_asked || left.is_some_and(|left| left.is_zero()) {
                progress.clear();
                return Ok(account.end(meter));
            }
            progress.show(|| {
                let of = duration.map(|duration| format!(" of {} s", duration.as_secs())).unwrap_or_default();
                format!("{}: {} s{of}", self.name, account.elapsed().as_secs())
            });
        }
    }
}

impl Clock {
    /// CPU time so far; none once it has ended.
    fn cpu_time(&mut self) -> Option<Duration> {
        match self {
            Clock::Process { pid, host, .. } => tree_cpu_time(host, *pid),
            Clock::Cgroup(cpu, _) => match cpu.read() {
                Ok(nanoseconds) => Some(Duration::from_nanos(nanoseconds)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => {
                    tracing::debug!(%error, "the cgroup's CPU time could not be read");
                    None
                }
            },
        }
    }
}
