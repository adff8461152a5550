//! CPU time by the kernel's accounting of cgroups, and what a group's processes do not explain of it.

use super::{Group, GroupIndex, Groups};
use crate::host::Host;
use crate::usage::cgroup::CgroupCpu;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

/// What a group may owe beyond a quarter of what it used: processes are read a little before or after
/// their cgroup, in ticks of 10 ms each where process clocks cannot be used.
const SMALL_DEBT_NS: u64 = 100_000_000;

/// CPU time of the current interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interval {
    /// By the cgroup's accounting, which includes the groups within; `None` if it has not said.
    pub(super) cgroup_ns: Option<u64>,
    pub(super) members_ns: u64,
    pub(super) within_ns: u64,
    pub(super) unexplained_ns: u64,
    /// First seen in this interval: all of its CPU time counts, but not more than is unexplained.
    pub(super) is_new: bool,
}

impl Groups {
    /// Reads every cgroup's CPU accounting, and finds out what the members do not explain. `spare_ns`
    /// is busy time that no process explains. Returns the sum of all unexplained time.
    pub(in crate::sampler) fn read(&mut self, spare_ns: u64) -> u64 {
        if std::mem::take(&mut self.changed) {
            self.nest();
        }
        #[cfg(feature = "perf")]
        self.read_counters();
        for index in 0..self.slots.len() {
            let Some(Some(group)) = self.slots.get_mut(index) else { continue };
            let had_accounting = group.accounting.is_some();
            group.interval.cgroup_ns = group.read_accounting(&self.host);
            self.changed |= had_accounting && group.accounting.is_none();
            // What this group accounts for is explained for the one around it.
            let explained_ns = group.interval.cgroup_ns.unwrap_or(group.interval.members_ns);
            if let Some(outer) = group.accounted_in.and_then(|outer| self.get_mut(outer)) {
                outer.interval.within_ns += explained_ns;
            }
        }
        let mut spare_for_new = spare_ns;
        let mut sum = 0;
        for index in 0..self.slots.len() {
            let Some(Some(group)) = self.slots.get_mut(index) else { continue };
            let Interval { members_ns, within_ns, cgroup_ns, is_new, .. } = group.interval;
            let mut unexplained = 0;
            if let Some(cgroup_ns) = cgroup_ns {
                let shown = members_ns.saturating_add(within_ns).saturating_add(group.owed_ns);
                unexplained = cgroup_ns.saturating_sub(shown);
                group.owed_ns = shown.saturating_sub(cgroup_ns).min(SMALL_DEBT_NS.saturating_add(cgroup_ns / 4));
            }
            if is_new {
                // Its CPU time may be older than it seems; time that was not used at all it did not use either.
                unexplained = unexplained.min(spare_for_new);
                spare_for_new -= unexplained;
            }
            group.interval.unexplained_ns = unexplained;
            sum += unexplained;
            // Time and energy of a group are those of the same work.
            let used = Duration::from_nanos(members_ns.saturating_add(unexplained));
            group.cpu_time += used;
            if let Some(parent) = group.parent.and_then(|parent| self.get_mut(parent)) {
                parent.cpu_time += used;
            }
        }
        sum
    }

    /// Finds the group around each group, by their cgroups.
    fn nest(&mut self) {
        let mut accounted = HashMap::new();
        for (index, slot) in self.slots.iter().enumerate() {
            if let (Some(group), Ok(index)) = (slot, u32::try_from(index))
                && group.accounting.is_some()
            {
                accounted.insert(Path::new(group.info.cgroup()), GroupIndex(index));
            }
        }
        let around = |group: &Group| {
            let above = Path::new(group.info.cgroup()).ancestors().skip(1);
            above.filter_map(|path| accounted.get(path)).next().copied()
        };
        let found: Vec<_> = self.slots.iter().map(|slot| slot.as_ref().and_then(around)).collect();
        for (slot, around) in self.slots.iter_mut().zip(found) {
            if let Some(group) = slot {
                group.accounted_in = around;
            }
        }
    }

    /// One past the largest position of [`Groups::unexplained`].
    pub(in crate::sampler) fn positions(&self) -> usize {
        self.slots.len()
    }

    /// The group at a position, with its unexplained CPU time in this interval; `None` if there is none.
    pub(in crate::sampler) fn unexplained(&self, position: usize) -> Option<(GroupIndex, u64)> {
        let nanoseconds = self.slots.get(position)?.as_ref()?.interval.unexplained_ns;
        (nanoseconds > 0).then_some((GroupIndex(u32::try_from(position).ok()?), nanoseconds))
    }
}

impl Group {
    /// The cgroup's CPU time since the last reading, if that is known.
    fn read_accounting(&mut self, host: &Host) -> Option<u64> {
        let accounting = self.accounting.as_mut()?;
        match accounting.read() {
            Ok(now_ns) => self.usage_ns.replace(now_ns).map(|before_ns| now_ns.saturating_sub(before_ns)),
            Err(error) => {
                // A container that was started again has a new cgroup under the old path.
                self.accounting = CgroupCpu::open(host.cgroup(), self.info.cgroup()).ok();
                let now_ns = self.accounting.as_mut().and_then(|accounting| accounting.read().ok());
                self.usage_ns = now_ns;
                // Gone for good, what the new one shows was used since; else it is not known when.
                now_ns.filter(|_| error.kind() == io::ErrorKind::NotFound)
            }
        }
    }

    /// Whether no process is left, and the cgroup is gone (or never had CPU accounting).
    pub(super) fn is_over(&mut self) -> bool {
        self.members == 0 && self.accounting.as_mut().is_none_or(|accounting| accounting.read().is_err())
    }
}
