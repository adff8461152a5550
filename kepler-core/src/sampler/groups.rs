//! Containers, pods, systemd units and virtual machines: who is in them, and their accounts.
//!
//! A group keeps its own account; it is not the sum of whoever is still running. Where the kernel
//! accounts a cgroup's CPU time, what its processes do not explain is work of processes that came
//! and went between two ticks, and is charged to the group all the same.

use super::retired::{Retention, RetiredList};
use crate::attribution::ledger::Account;
use crate::host::{Host, Timestamp};
use crate::units::{Energy, ZoneKind};
use crate::usage::cgroup::CgroupCpu;
use crate::workload::cgroup::classify;
use crate::workload::process::ProcessReader;
use crate::workload::{ContainerInfo, PodInfo, UnitInfo, VmInfo, names};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The place of a group in the table. Valid as long as a process is in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupIndex(u32);

/// Who a group is.
#[derive(Debug)]
pub(super) enum Identity {
    Container(Arc<ContainerInfo>),
    Pod(Arc<PodInfo>),
    Unit(Arc<UnitInfo>),
    Vm(Arc<VmInfo>),
}

/// What makes two groups the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Container(String),
    Pod(String),
    /// By cgroup: different users' units have equal names.
    Unit(String),
    Vm(String),
}

#[derive(Debug)]
struct Group {
    key: Key,
    identity: Identity,
    /// The pod that a container's energy counts for as well.
    pod: Option<GroupIndex>,
    /// The group whose CPU accounting contains this one's.
    within: Option<GroupIndex>,
    accounting: Option<CgroupCpu>,
    /// The cgroup's CPU time at the last reading.
    usage_ns: u64,
    cpu_time: Duration,
    members: u32,
    account: Account,
    interval: Interval,
    /// CPU time that members have shown and the cgroup not yet: the two are not read at once. It
    /// is set against later differences, so that noise does not add up.
    owed_ns: u64,
}

/// CPU time of the current interval.
#[derive(Clone, Copy, Debug, Default)]
struct Interval {
    cgroup_ns: u64,
    members_ns: u64,
    within_ns: u64,
    unexplained_ns: u64,
    /// First seen in this interval: all of its CPU time counts, but not more than is unexplained.
    is_new: bool,
}

/// All groups.
pub(super) struct Groups {
    host: Host,
    reader: ProcessReader,
    slots: Vec<Option<Group>>,
    by_key: HashMap<Key, GroupIndex>,
    by_text: HashMap<Box<[u8]>, Option<GroupIndex>>,
    pub(super) containers: RetiredList<ContainerInfo>,
    pub(super) pods: RetiredList<PodInfo>,
    pub(super) units: RetiredList<UnitInfo>,
    pub(super) vms: RetiredList<VmInfo>,
}

/// Distinct cgroup texts remembered; when there are more, all are forgotten and learned again.
const MAX_TEXTS: usize = 8192;

impl Groups {
    pub(super) fn open(host: &Host, retention: Retention) -> io::Result<Self> {
        Ok(Groups {
            host: host.clone(),
            reader: ProcessReader::open(host.procfs())?,
            slots: Vec::new(),
            by_key: HashMap::new(),
            by_text: HashMap::new(),
            containers: RetiredList::new(retention),
            pods: RetiredList::new(retention),
            units: RetiredList::new(retention),
            vms: RetiredList::new(retention),
        })
    }

    /// The container or unit of a process, from the text of its `/proc/PID/cgroup`. `pid` is used to
    /// find a new container's name; `from_start` says that what a new group used so far was used in
    /// the current interval.
    pub(super) fn place(&mut self, text: &[u8], pid: u32, from_start: bool) -> Option<GroupIndex> {
        if let Some(&known) = self.by_text.get(text) {
            return known;
        }
        let placement = classify(text);
        let mut within = None;
        for outer in placement.outer {
            within = Some(self.container(outer, within, pid, from_start));
        }
        let group = match (placement.container, placement.pod, placement.unit) {
            (Some(container), ..) => Some(self.container(container, within, pid, from_start)),
            (None, Some(pod), _) => Some(self.pod(pod.into(), within, from_start)),
            (None, None, Some(unit)) => {
                let key = Key::Unit(unit.cgroup.clone());
                let cgroup = unit.cgroup.clone();
                Some(self.find_or_add(key, within, None, &cgroup, from_start, |_| Identity::Unit(Arc::new(unit))))
            }
            (None, None, None) => None,
        };
        if self.by_text.len() >= MAX_TEXTS {
            self.by_text.clear();
        }
        self.by_text.insert(text.into(), group);
        group
    }

    fn container(
        &mut self,
        mut info: ContainerInfo,
        within: Option<GroupIndex>,
        pid: u32,
        from_start: bool,
    ) -> GroupIndex {
        let pod = info.pod.clone().map(|pod| self.pod(pod, within, from_start));
        let cgroup = info.cgroup.clone();
        let key = Key::Container(info.id.clone());
        self.find_or_add(key, pod.or(within), pod, &cgroup, from_start, |groups| {
            let environment = groups.reader.environ(pid).unwrap_or_default();
            info.name = names::container_name(groups.host.root(), &info, environment);
            Identity::Container(Arc::new(info))
        })
    }

    fn pod(&mut self, info: Arc<PodInfo>, within: Option<GroupIndex>, from_start: bool) -> GroupIndex {
        let cgroup = info.cgroup.clone();
        let key = Key::Pod(info.id.clone());
        self.find_or_add(key, within, None, &cgroup, from_start, |_| Identity::Pod(info))
    }

    /// The virtual machine with this identity.
    pub(super) fn vm(&mut self, info: VmInfo) -> GroupIndex {
        self.find_or_add(Key::Vm(info.id.clone()), None, None, "", false, |_| Identity::Vm(Arc::new(info)))
    }

    fn find_or_add(
        &mut self,
        key: Key,
        within: Option<GroupIndex>,
        pod: Option<GroupIndex>,
        cgroup: &str,
        from_start: bool,
        identify: impl FnOnce(&mut Self) -> Identity,
    ) -> GroupIndex {
        if let Some(&index) = self.by_key.get(&key) {
            return index;
        }
        let identity = identify(self);
        let mut accounting = match identity {
            Identity::Vm(_) => None,
            _ => CgroupCpu::open(self.host.cgroup(), cgroup).ok(),
        };
        let now_ns = accounting.as_mut().and_then(|accounting| accounting.read().ok());
        let earlier = self.revive(&identity);
        let is_new = from_start && now_ns.is_some();
        let used_before = if is_new { 0 } else { now_ns.unwrap_or(0) };
        let (account, cpu_time) = earlier.unwrap_or((Account::default(), Duration::from_nanos(used_before)));
        let group = Group {
            key: key.clone(),
            identity,
            pod,
            within,
            accounting,
            usage_ns: used_before,
            cpu_time,
            members: 0,
            account,
            interval: Interval { is_new, ..Interval::default() },
            owed_ns: 0,
        };
        let index = match self.slots.iter().position(Option::is_none) {
            Some(free) => {
                if let Some(slot) = self.slots.get_mut(free) {
                    *slot = Some(group);
                }
                free
            }
            None => {
                self.slots.push(Some(group));
                self.slots.len() - 1
            }
        };
        let index = GroupIndex(u32::try_from(index).unwrap_or(u32::MAX));
        self.by_key.insert(key, index);
        index
    }

    fn revive(&mut self, identity: &Identity) -> Option<(Account, Duration)> {
        match identity {
            Identity::Container(info) => {
                self.containers.revive(|old| old.id == info.id).map(|r| (r.account, r.cpu_time))
            }
            Identity::Pod(info) => self.pods.revive(|old| old.id == info.id).map(|r| (r.account, r.cpu_time)),
            Identity::Unit(info) => self.units.revive(|old| old.cgroup == info.cgroup).map(|r| (r.account, r.cpu_time)),
            Identity::Vm(info) => self.vms.revive(|old| old.id == info.id).map(|r| (r.account, r.cpu_time)),
        }
    }

    fn get(&self, index: GroupIndex) -> Option<&Group> {
        self.slots.get(index.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, index: GroupIndex) -> Option<&mut Group> {
        self.slots.get_mut(index.0 as usize)?.as_mut()
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.slots.iter().flatten()
    }

    fn groups_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.slots.iter_mut().flatten()
    }

    /// Who the group is.
    pub(super) fn identity(&self, index: GroupIndex) -> Option<&Identity> {
        self.get(index).map(|group| &group.identity)
    }

    /// A process joins the group.
    pub(super) fn join(&mut self, index: GroupIndex) {
        self.count_members(index, |members| members.saturating_add(1));
    }

    /// A process leaves the group or ends.
    pub(super) fn leave(&mut self, index: GroupIndex) {
        self.count_members(index, |members| members.saturating_sub(1));
    }

    fn count_members(&mut self, index: GroupIndex, change: impl Fn(u32) -> u32) {
        let mut next = Some(index);
        while let Some(group) = next.and_then(|index| self.get_mut(index)) {
            group.members = change(group.members);
            next = group.within;
        }
    }

    /// Begins a new interval.
    pub(super) fn begin(&mut self) {
        for group in self.groups_mut() {
            group.account.begin();
            group.interval = Interval::default();
        }
    }

    /// Notes what a member used in this interval.
    pub(super) fn used(&mut self, index: GroupIndex, nanoseconds: u64) {
        if let Some(group) = self.get_mut(index) {
            group.interval.members_ns += nanoseconds;
        }
    }

    /// Reads every cgroup's CPU accounting, and finds out what the members do not explain. `spare_ns`
    /// is busy time that no process explains. Returns the sum of all unexplained time.
    pub(super) fn read(&mut self, spare_ns: u64) -> u64 {
        for index in 0..self.slots.len() {
            let Some(Some(group)) = self.slots.get_mut(index) else { continue };
            let cgroup_ns = match group.accounting.as_mut().map(CgroupCpu::read) {
                Some(Ok(usage_ns)) => {
                    let risen = usage_ns.saturating_sub(group.usage_ns);
                    group.usage_ns = usage_ns;
                    risen
                }
                _ => group.interval.members_ns,
            };
            group.interval.cgroup_ns = cgroup_ns;
            group.cpu_time += Duration::from_nanos(cgroup_ns);
            if let Some(outer) = group.within.and_then(|outer| self.get_mut(outer)) {
                outer.interval.within_ns += cgroup_ns;
            }
        }
        let mut spare_for_new = spare_ns;
        let mut sum = 0;
        for group in self.groups_mut().filter(|group| group.accounting.is_some()) {
            let shown = group.interval.members_ns + group.interval.within_ns + group.owed_ns;
            let mut unexplained = group.interval.cgroup_ns.saturating_sub(shown);
            group.owed_ns = shown.saturating_sub(group.interval.cgroup_ns);
            if group.interval.is_new {
                // Its CPU time may be older than we think; what nobody used, it did not use either.
                unexplained = unexplained.min(spare_for_new);
                spare_for_new -= unexplained;
            }
            group.interval.unexplained_ns = unexplained;
            sum += unexplained;
        }
        sum
    }

    /// One past the largest position of [`Groups::unexplained`].
    pub(super) fn positions(&self) -> usize {
        self.slots.len()
    }

    /// The group at a position, with its unexplained CPU time in this interval; `None` if there is none.
    pub(super) fn unexplained(&self, position: usize) -> Option<(GroupIndex, u64)> {
        let nanoseconds = self.slots.get(position)?.as_ref()?.interval.unexplained_ns;
        (nanoseconds > 0).then_some((GroupIndex(u32::try_from(position).ok()?), nanoseconds))
    }

    /// Charges the group, and the pod it belongs to.
    pub(super) fn charge(&mut self, index: GroupIndex, zone: ZoneKind, energy: Energy) {
        let Some(group) = self.get_mut(index) else { return };
        group.account.charge(zone, energy);
        if let Some(pod) = group.pod.and_then(|pod| self.get_mut(pod)) {
            pod.account.charge(zone, energy);
        }
    }

    /// Retires groups that have ended: no process is left, and the cgroup is gone (or never told its
    /// CPU time).
    pub(super) fn retire(&mut self, now: Timestamp) {
        let mut ended = false;
        for slot in &mut self.slots {
            let is_over = slot.as_mut().is_some_and(|group| {
                group.members == 0 && group.accounting.as_mut().is_none_or(|accounting| accounting.read().is_err())
            });
            if !is_over {
                continue;
            }
            let Some(group) = slot.take() else { continue };
            ended = true;
            self.by_key.remove(&group.key);
            let Group { account, cpu_time, identity, .. } = group;
            // A group's energy is that of its processes and of its short-lived work, both booked by
            // the node already: nothing has to be handed back.
            let _ = match identity {
                Identity::Container(info) => self.containers.add(info, account, cpu_time, now, |a, b| a.id == b.id),
                Identity::Pod(info) => self.pods.add(info, account, cpu_time, now, |a, b| a.id == b.id),
                Identity::Unit(info) => self.units.add(info, account, cpu_time, now, |a, b| a.cgroup == b.cgroup),
                Identity::Vm(info) => self.vms.add(info, account, cpu_time, now, |a, b| a.id == b.id),
            };
        }
        if ended {
            let slots = &self.slots;
            let is_there = |index: GroupIndex| slots.get(index.0 as usize).is_some_and(Option::is_some);
            self.by_text.retain(|_, group| group.is_none_or(is_there));
        }
        self.containers.expire(now, |_| {});
        self.pods.expire(now, |_| {});
        self.units.expire(now, |_| {});
        self.vms.expire(now, |_| {});
    }

    /// Every running group, to be shown.
    pub(super) fn running(&self) -> impl Iterator<Item = (&Identity, &Account, Duration)> {
        self.groups().map(|group| (&group.identity, &group.account, group.cpu_time))
    }
}
