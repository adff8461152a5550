//! Builds snapshots in the memory of earlier ones.

use super::commands::Commands;
use super::groups::{GroupInfo, Groups};
use super::processes::{Process, Processes};
use crate::attribution::ledger::{Account, DeviceShare};
use crate::host::Timestamp;
use crate::snapshot::{DeviceUse, Row, Snapshot, State};
use crate::units::{PerZone, Power, ZoneKind};
use crate::workload::CommandInfo;
use std::sync::Arc;
use std::time::Duration;

/// As many snapshots are kept as are needed for one to be free: the newest, one that a reader holds,
/// and one to write. More readers of old snapshots make it allocate, nothing worse.
const KEPT: usize = 3;

/// Keeps snapshots that it handed out, to write over them once they have no reader any more.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    kept: Vec<Arc<Snapshot>>,
}

impl Publisher {
    /// Writes a snapshot and hands it out.
    pub(super) fn publish(&mut self, write: impl FnOnce(&mut Snapshot)) -> Arc<Snapshot> {
        let free = self.kept.iter_mut().position(|snapshot| Arc::get_mut(snapshot).is_some());
        let mut snapshot = match free {
            Some(position) => self.kept.swap_remove(position),
            None => Arc::new(Snapshot::empty(Timestamp::now())),
        };
        if let Some(snapshot) = Arc::get_mut(&mut snapshot) {
            write(snapshot);
        }
        if self.kept.len() < KEPT {
            self.kept.push(Arc::clone(&snapshot));
        }
        snapshot
    }
}

/// The interval that is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) interval: Duration,
    /// Numbers of the accelerators' newest readings.
    pub(super) readings: &'a [u64],
    /// The number of the newest charge of the rest of the machine.
    pub(super) platform: u64,
}

impl Shown<'_> {
    /// The mean power of an account. An accelerator's is that between its own readings, and so is that of the whole machine.
    fn power(&self, account: &Account) -> PerZone<Power> {
        let is_quiet = account.interval == PerZone::default();
        let mut power = match is_quiet {
            true => PerZone::default(),
            false => PerZone::from_fn(|zone| account.interval[zone].over(self.interval)),
        };
        power[ZoneKind::Gpu] = account.device_power(self.readings);
        power[ZoneKind::Platform] = account.platform_power(self.platform);
        power
    }

    /// An account's shares of the accelerators.
    fn devices(&self, account: &Account) -> impl Iterator<Item = DeviceUse> {
        let share = |share: &DeviceShare| {
            DeviceUse::new(share.device, share.total, share.power_at(self.readings))
                .with(|used| (used.idle_energy, used.shares_by) = (share.idle, share.shares_by))
        };
        account.devices.iter().map(share)
    }
}

/// Publishes live processes, then terminated ones. Into a snapshot with the same live processes, as the number says that it
/// had `before`, only those that have worked since are written: a machine has many that sleep.
pub(super) fn publish_processes(snapshot: &mut Snapshot, processes: &Processes, before: u64, shown: Shown<'_>) {
    let is_whole = snapshot.processes.len() >= processes.len();
    let changed = processes.changed_since(before).filter(|_| is_whole);
    let mut rows = Rows::new(&mut snapshot.processes);
    let cpu_time = |process: &Process| Duration::from_nanos(process.cpu_time_ns);
    if let Some(changed) = changed {
        for (position, process) in changed {
            rows.written = position;
            rows.add(&process.info, State::Running, cpu_time(process), &process.account, shown);
        }
        rows.written = processes.len();
        debug_assert!(
            processes.iter().zip(&*rows.rows).all(|(process, row)| Arc::ptr_eq(&process.info, &row.info)
                && (row.cpu_time, row.energy) == (cpu_time(process), process.account.total)
                && row.power == shown.power(&process.account)),
            "a row has changed unseen"
        );
    } else {
        for process in processes.iter() {
            rows.add(&process.info, State::Running, cpu_time(process), &process.account, shown);
        }
    }
    for retired in processes.retired.iter() {
        rows.add(&retired.info, State::Terminated, retired.cpu_time, &retired.account, shown);
    }
    rows.end();
}

/// Publishes processes that came and went, by name.
pub(super) fn publish_commands(rows: &mut Vec<Row<CommandInfo>>, commands: &Commands, shown: Shown<'_>) {
    let mut rows = Rows::new(rows);
    for command in commands.iter() {
        let cpu_time = Duration::from_nanos(command.cpu_time_ns);
        rows.add(&command.info, State::Running, cpu_time, &command.account, shown);
    }
    rows.end();
}

/// Publishes running and terminated groups of every kind.
pub(super) fn publish_groups(snapshot: &mut Snapshot, groups: &Groups, shown: Shown<'_>) {
    let mut containers = Rows::new(&mut snapshot.containers);
    let mut pods = Rows::new(&mut snapshot.pods);
    let mut units = Rows::new(&mut snapshot.units);
    let mut jobs = Rows::new(&mut snapshot.jobs);
    let mut vms = Rows::new(&mut snapshot.vms);
    let running = groups.running().map(|(info, account, cpu_time)| (info, State::Running, cpu_time, account));
    let retired = groups.retired.iter().map(|row| (&row.info, State::Terminated, row.cpu_time, &row.account));
    for (info, state, cpu_time, account) in running.chain(retired) {
        match info {
            GroupInfo::Container(info) => containers.add(info, state, cpu_time, account, shown),
            GroupInfo::Pod(info) => pods.add(info, state, cpu_time, account, shown),
            GroupInfo::Unit(info) => units.add(info, state, cpu_time, account, shown),
            GroupInfo::Job(info) => jobs.add(info, state, cpu_time, account, shown),
            GroupInfo::Vm(info) => vms.add(info, state, cpu_time, account, shown),
        }
    }
    containers.end();
    pods.end();
    units.end();
    jobs.end();
    vms.end();
}

/// Writes rows over those of an earlier snapshot.
struct Rows<'a, Info> {
    rows: &'a mut Vec<Row<Info>>,
    written: usize,
}

impl<'a, Info> Rows<'a, Info> {
    fn new(rows: &'a mut Vec<Row<Info>>) -> Self {
        Rows { rows, written: 0 }
    }

    fn add(&mut self, info: &Arc<Info>, state: State, cpu_time: Duration, account: &Account, shown: Shown<'_>) {
        let (energy, power) = (account.total, shown.power(account));
        match self.rows.get_mut(self.written) {
            Some(row) => {
                // Most rows stand where they stood: then the shared identity is left alone.
                if !Arc::ptr_eq(&row.info, info) {
                    row.info = Arc::clone(info);
                }
                row.state = state;
                row.cpu_time = cpu_time;
                row.energy = energy;
                row.power = power;
                row.devices.clear();
                row.devices.extend(shown.devices(account));
            }
            None => {
                let mut row = Row::new(Arc::clone(info), state);
                (row.cpu_time, row.energy, row.power) = (cpu_time, energy, power);
                row.devices.extend(shown.devices(account));
                self.rows.push(row);
            }
        }
        self.written += 1;
    }

    fn end(self) {
        self.rows.truncate(self.written);
    }
}
