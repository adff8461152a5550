//! Processes that are not listed, summed by command name and container or unit: those that came and went between two
//! ticks, and those that were seen but ended with too little energy to stay listed.
//!
//! Their number is bounded: what finds no room is charged to its container or unit without a name.

use super::groups::{GroupIndex, GroupInfo, Groups};
use super::processes::Unlisted;
use super::rest::Round;
use crate::attribution::ledger::Account;
use crate::host::Timestamp;
use crate::units::PerZone;
use crate::usage::{CgroupId, Comm, ShortLivedWork};
use crate::workload::{CommandInfo, Identity, ProcessInfo, Workload};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

/// Sums kept at most.
const MOST: usize = 1000;

/// Processes of one name in one container or unit.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) info: Arc<CommandInfo>,
    pub(super) account: Account,
    pub(super) cpu_time_ns: u64,
    last_active: Timestamp,
}

/// Work of one interval that is to be charged, in one CPU domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShortLived {
    /// The position of its sum in the table; `None` if there was no room.
    command: Option<u32>,
    /// The container or unit it was done in.
    pub(super) group: Option<GroupIndex>,
    /// What was done, and where.
    pub(super) work: ShortLivedWork,
}

/// All sums.
#[derive(Debug, Default)]
pub(super) struct Commands {
    table: Vec<Command>,
    /// Positions in the table by what the usage source reports: several may lead to the same.
    by_key: HashMap<(Comm, CgroupId), u32>,
    /// Positions in the table by the hash of name, container and unit; of two of the same hash the first.
    by_hash: HashMap<u64, u32>,
    short_lived: Vec<ShortLived>,
}

impl Commands {
    /// All sums.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Command> {
        self.table.iter()
    }

    /// The work of the current interval.
    pub(super) fn short_lived(&self) -> &[ShortLived] {
        &self.short_lived
    }

    /// The account that some of the interval's work is charged to, if it has one by name.
    pub(super) fn account(&mut self, position: usize) -> Option<&mut Account> {
        let command = self.short_lived.get(position)?.command?;
        self.table.get_mut(command as usize).map(|command| &mut command.account)
    }

    /// CPU time of the current interval, in nanoseconds.
    pub(super) fn used_ns(&self) -> u64 {
        self.short_lived.iter().map(|entry| entry.work.work.time_ns).sum()
    }

    /// Begins an interval with the work that was done in it. Sums that have not grown for `keep` are dropped.
    pub(super) fn update(
        &mut self,
        short_lived: &[ShortLivedWork],
        at: Timestamp,
        keep: Duration,
        groups: &mut Groups,
    ) {
        for command in &mut self.table {
            command.account.begin();
        }
        self.expire(at, keep);
        self.short_lived.clear();
        for &work in short_lived {
            let group = groups.numbered(work.cgroup);
            if let Some(group) = group {
                groups.used(group, work.work.time_ns);
            }
            let command = self.find(&work, group, at, groups);
            if let Some(command) = command.and_then(|command| self.table.get_mut(command as usize)) {
                command.cpu_time_ns += work.work.time_ns;
                command.last_active = at;
            }
            self.short_lived.push(ShortLived { command, group, work });
        }
    }

    /// Adds processes that ended after they were listed for a while. What they did was published as theirs until now: it
    /// counts for the sum, not for its power.
    pub(super) fn take_over(&mut self, ended: impl Iterator<Item = Unlisted>, at: Timestamp) {
        for Unlisted { info, account, used_ns } in ended {
            let info = command_of(&info);
            let found = self.position(info.identity()).or_else(|| self.add(info, at));
            if let Some(command) = found.and_then(|index| self.table.get_mut(index)) {
                command.account.take_over(&account);
                command.cpu_time_ns += used_ns;
                command.last_active = at;
            }
        }
    }

    /// Charges a part of the rest of the machine, each by itself: those that ended count for their groups as well.
    pub(super) fn charge_platform(&mut self, round: &Round<'_>) {
        for command in &mut self.table {
            let weight = command.account.platform_weight(round.parts);
            command.account.charge_platform(round.share_apart(weight));
        }
    }

    /// See [`Account::begin_platform`].
    pub(super) fn begin_platform(&mut self, parts: &PerZone<bool>) {
        self.table.iter_mut().for_each(|command| command.account.begin_platform(parts));
    }

    /// Some groups have got names: the commands in them take these over.
    pub(super) fn describe_again(&mut self, groups: &Groups) {
        for command in &mut self.table {
            let Some(own) = &command.info.container else { continue };
            if let Some(container) = groups.described(own).filter(|container| !Arc::ptr_eq(container, own)) {
                // What tells it from others is the container's identifier, which stays.
                let container = Some(Arc::clone(container));
                command.info = Arc::new(CommandInfo { container, ..CommandInfo::clone(&command.info) });
            }
        }
    }

    /// The index of the sum of a name in a container, job or unit.
    fn position(&self, identity: Identity<'_>) -> Option<usize> {
        let is_own = |sum: &Command| sum.info.identity() == identity;
        let index = *self.by_hash.get(&self.hash(identity))? as usize;
        if self.table.get(index).is_some_and(is_own) {
            return Some(index);
        }
        self.table.iter().position(is_own)
    }

    fn hash(&self, identity: Identity<'_>) -> u64 {
        self.by_hash.hasher().hash_one(identity)
    }

    /// A new sum, if there is room for one.
    fn add(&mut self, info: CommandInfo, at: Timestamp) -> Option<usize> {
        if self.table.len() >= MOST {
            return None;
        }
        let info = Arc::new(info);
        self.table.push(Command { info, account: Account::default(), cpu_time_ns: 0, last_active: at });
        self.index(self.table.len() - 1);
        Some(self.table.len() - 1)
    }

    /// Makes a sum found by what it is of.
    fn index(&mut self, position: usize) {
        let (Some(command), Ok(number)) = (self.table.get(position), u32::try_from(position)) else { return };
        let hash = self.hash(command.info.identity());
        self.by_hash.entry(hash).or_insert(number);
    }

    fn find(
        &mut self,
        work: &ShortLivedWork,
        group: Option<GroupIndex>,
        at: Timestamp,
        groups: &Groups,
    ) -> Option<u32> {
        let key = (work.comm, work.cgroup);
        if let Some(&known) = self.by_key.get(&key) {
            return Some(known);
        }
        let info = info(&work.comm, group, groups);
        // May be another cgroup of the same container, job or unit.
        let position = self.position(info.identity()).or_else(|| self.add(info, at));
        let position = u32::try_from(position?).ok()?;
        self.by_key.insert(key, position);
        Some(position)
    }

    fn expire(&mut self, at: Timestamp, keep: Duration) {
        let before = self.table.len();
        // A full table makes room by letting go earlier of those that have not come again.
        let keep = if before < MOST { keep } else { keep / 10 };
        self.table.retain(|command| at.boottime_since(&command.last_active) <= keep);
        if self.table.len() != before {
            // Positions have moved; keys are learned again.
            self.by_key.clear();
            self.by_hash.clear();
            (0..self.table.len()).for_each(|position| self.index(position));
        } else if self.by_key.len() > 8 * MOST {
            self.by_key.clear();
        }
    }
}

/// The command that a process was, where it ran.
fn command_of(process: &ProcessInfo) -> CommandInfo {
    let mut info = CommandInfo::new(process.comm.clone());
    (info.container, info.unit, info.job) = (process.container.clone(), process.unit.clone(), process.job.clone());
    info
}

fn info(comm: &Comm, group: Option<GroupIndex>, groups: &Groups) -> CommandInfo {
    let name = comm.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut info = CommandInfo::new(String::from_utf8_lossy(name));
    match group.and_then(|group| groups.info(group)) {
        Some(GroupInfo::Container(container)) => {
            info.job.clone_from(&container.job);
            info.container = Some(Arc::clone(container));
        }
        Some(GroupInfo::Unit(unit)) => info.unit = Some(Arc::clone(unit)),
        Some(GroupInfo::Job(job)) => {
            info.container.clone_from(&job.container);
            info.job = Some(Arc::clone(job));
        }
        Some(GroupInfo::Pod(_) | GroupInfo::Vm(_)) | None => {}
    }
    info
}
