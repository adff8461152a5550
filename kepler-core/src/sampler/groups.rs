//! Containers, pods, systemd units, batch jobs and virtual machines: their members and accounts.
//!
//! A group keeps its own account; it is not the sum of the processes that still run. Where the kernel
//! accounts a cgroup's CPU time, what its processes do not explain is work of processes that came
//! and went between two ticks, and is charged to the group all the same.

mod accounting;
mod allocated;
mod counting;
mod info;
mod naming;
mod rest;

use super::retired::{Retention, RetiredTable};
use crate::attribution::ledger::{Account, DeviceCharge};
use crate::directory::Directory;
use crate::host::{Host, Timestamp};
use crate::units::{Energy, ZoneKind};
use crate::usage::CgroupId;
use crate::usage::cgroup::{CgroupCpu, CgroupNamespace, CgroupTree, whole_hierarchy};
use crate::workload::cgroup::{CgroupMembership, classify};
use crate::workload::names::ContainerNames;
use crate::workload::process::ProcessReader;
use crate::workload::{ContainerInfo, JobInfo, PodInfo, VmInfo};
use accounting::Interval;
use counting::Counted;
#[cfg(feature = "perf")]
use counting::Counting;
pub(super) use info::GroupInfo;
use info::Key;
use naming::{Names, Naming};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The place of a group in the table. Valid as long as a process is in the group, or another group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupIndex(u32);

#[derive(Debug)]
struct Group {
    info: GroupInfo,
    /// The pod or job that a container's energy counts for as well, or the container or pod that a job's does.
    parent: Option<GroupIndex>,
    /// The pod, job or container around this one, which does not end before it.
    within: Option<GroupIndex>,
    /// The group whose CPU accounting includes this one's: the nearest above it in the cgroup
    /// hierarchy. Not only containers nest; a service's cgroup may hold containers, too.
    accounted_in: Option<GroupIndex>,
    accounting: Option<CgroupCpu>,
    /// The cgroup's CPU time at the last reading; `None` if that failed.
    usage_ns: Option<u64>,
    cpu_time: Duration,
    /// Processes in the group and in those within it, and those groups themselves: while they are
    /// there, their references to this one are valid.
    members: u32,
    account: Account,
    interval: Interval,
    /// CPU time that members have shown and the cgroup not yet: the two are not read at once. It
    /// is set against later differences, so that noise does not add up. Noise is all that it is for:
    /// it is limited to a part of what the group used, or a process that was moved away would hide
    /// others' work for long.
    owed_ns: u64,
    counted: Counted,
    naming: Naming,
    /// When its name was first looked for.
    since: Option<Timestamp>,
    /// A container that runs within another one of the same pod.
    is_nested: bool,
}

/// All groups.
pub(super) struct Groups {
    host: Host,
    #[cfg(feature = "perf")]
    counting: Option<Counting>,
    reader: ProcessReader,
    names: ContainerNames,
    naming: Names,
    slots: Vec<Option<Group>>,
    by_key: HashMap<Key, GroupIndex>,
    by_text: HashMap<Box<[u8]>, Option<GroupIndex>>,
    by_number: HashMap<CgroupId, Option<GroupIndex>>,
    namespace: CgroupNamespace,
    tree: Option<CgroupTree>,
    /// Whether the tree has been read in this interval: it is not read for each of many unknown numbers.
    tree_is_fresh: bool,
    /// Whether groups came or went since [`Group::accounted_in`] was worked out.
    changed: bool,
    pub(super) retired: RetiredTable<GroupInfo>,
}

/// Distinct cgroup texts kept; when there are more, all are dropped and classified again.
const MAX_TEXTS: usize = 8192;

impl Groups {
    pub(super) fn open(host: &Host, retention: Retention, directory: Option<Directory>) -> io::Result<Self> {
        let host = match whole_hierarchy(host) {
            Some(whole) => host.clone().with_cgroup(whole),
            None => host.clone(),
        };
        Ok(Groups {
            #[cfg(feature = "perf")]
            counting: None,
            reader: ProcessReader::open(host.procfs())?,
            names: ContainerNames::open(&host),
            naming: Names::new(directory),
            slots: Vec::new(),
            by_key: HashMap::new(),
            by_text: HashMap::new(),
            by_number: HashMap::new(),
            namespace: CgroupNamespace::find(&host),
            tree: CgroupTree::find(host.cgroup()),
            tree_is_fresh: false,
            changed: false,
            retired: RetiredTable::new(retention),
            host,
        })
    }

    /// The container, job or unit of a process, from the text of its `/proc/PID/cgroup`. `pid` is used to
    /// find a new container's name; `from_start` says that what a new group used so far was used in
    /// the current interval.
    pub(super) fn place(&mut self, text: &[u8], pid: u32, from_start: bool) -> Option<GroupIndex> {
        if let Some(&known) = self.by_text.get(text) {
            return known;
        }
        let group = self.placed(classify(&self.namespace.absolute(text)), pid, from_start);
        if self.by_text.len() >= MAX_TEXTS {
            self.by_text.clear();
        }
        self.by_text.insert(text.into(), group);
        group
    }

    /// The group of a placement, and those around it. A job may be within a container (a scheduler's daemon in a pod), or
    /// containers within a job.
    fn placed(&mut self, placement: CgroupMembership, pid: u32, from_start: bool) -> Option<GroupIndex> {
        let is_inside = placement.job_is_inside();
        let CgroupMembership { container, outer, pod, job, unit, .. } = placement;
        let job = job.map(Arc::new);
        let (job_around, job_within) = if is_inside { (None, job) } else { (job, None) };
        let mut within = job_around.clone().map(|job| self.job(job, None, from_start));
        let has_job = job_around.is_some() || job_within.is_some();
        for mut info in outer {
            info.job.clone_from(&job_around);
            // A process of a container in it has that one's environment.
            within = Some(self.container(info, within, None, from_start));
        }
        let group = match (container, pod, unit) {
            (Some(mut info), ..) => {
                info.job = job_around;
                Some(self.container(info, within, Some(pid), from_start))
            }
            (None, Some(pod), _) => Some(self.pod(pod.into(), within, from_start)),
            (None, None, Some(unit)) if !has_job => {
                Some(self.find_or_add(GroupInfo::Unit(Arc::new(unit)), within, None, from_start))
            }
            (None, None, _) => within,
        };
        match job_within {
            Some(job) => {
                let mut job = Arc::unwrap_or_clone(job);
                match group.and_then(|group| self.info(group)) {
                    Some(GroupInfo::Container(container)) => job.container = Some(Arc::clone(container)),
                    Some(GroupInfo::Pod(pod)) => job.pod = Some(Arc::clone(pod)),
                    _ => {}
                }
                Some(self.job(job.into(), group, from_start))
            }
            None => group,
        }
    }

    /// The container, job or unit of a cgroup known by its number. `None` where it is in none, or was removed
    /// before it could be read.
    pub(super) fn numbered(&mut self, cgroup: CgroupId) -> Option<GroupIndex> {
        if let Some(&known) = self.by_number.get(&cgroup) {
            return known;
        }
        let tree = self.tree.as_mut()?;
        if !std::mem::replace(&mut self.tree_is_fresh, true) {
            tree.read();
        }
        let line = tree.line(cgroup);
        // No process is at hand to read a container's name from, only its engine's files. The path is the host's.
        let group = line.and_then(|line| self.placed(classify(line.as_bytes()), 0, false));
        if self.by_number.len() >= MAX_TEXTS {
            self.by_number.clear();
        }
        self.by_number.insert(cgroup, group);
        group
    }

    fn container(
        &mut self,
        mut info: ContainerInfo,
        within: Option<GroupIndex>,
        pid: Option<u32>,
        from_start: bool,
    ) -> GroupIndex {
        let is_nested = info.pod.as_ref().is_some_and(|pod| !self.is_directly_in_pod(within, pod));
        let pod = info.pod.clone().map(|pod| self.pod(pod, within, from_start));
        if let Some(&index) = self.by_key.get(&Key::container(&info)) {
            return index;
        }
        let environment = pid.and_then(|pid| self.reader.environ(pid).ok()).unwrap_or_default();
        info.name = self.names.name(&info, environment);
        let job = info.job.as_ref().and(within);
        let index = self.find_or_add(GroupInfo::Container(Arc::new(info)), pod.or(within), pod.or(job), from_start);
        if let Some(group) = self.get_mut(index) {
            group.is_nested = is_nested;
        }
        index
    }

    fn pod(&mut self, info: Arc<PodInfo>, within: Option<GroupIndex>, from_start: bool) -> GroupIndex {
        self.find_or_add(GroupInfo::Pod(info), within, None, from_start)
    }

    fn job(&mut self, info: Arc<JobInfo>, within: Option<GroupIndex>, from_start: bool) -> GroupIndex {
        self.find_or_add(GroupInfo::Job(info), within, within, from_start)
    }

    /// The virtual machine with this identity.
    pub(super) fn vm(&mut self, info: VmInfo) -> GroupIndex {
        let cid = info.cid;
        let index = self.find_or_add(GroupInfo::Vm(Arc::new(info)), None, None, false);
        // One that is started again may get another address, and its old one be another's.
        if let Some(Group { info: GroupInfo::Vm(known), .. }) = self.get_mut(index)
            && known.cid != cid
        {
            Arc::make_mut(known).cid = cid;
        }
        index
    }

    /// Adds what has become known of a virtual machine whose manager is not known yet. Whether anything has.
    pub(super) fn complete_vm(&mut self, index: GroupIndex, complete: impl FnOnce(&mut VmInfo) -> bool) -> bool {
        let Some(group) = self.get_mut(index) else { return false };
        let GroupInfo::Vm(info) = &mut group.info else { return false };
        if !info.manager.is_empty() {
            return false;
        }
        let mut more = VmInfo::clone(info);
        let is_more = complete(&mut more);
        if is_more {
            *info = Arc::new(more);
        }
        is_more
    }

    fn find_or_add(
        &mut self,
        mut info: GroupInfo,
        within: Option<GroupIndex>,
        parent: Option<GroupIndex>,
        from_start: bool,
    ) -> GroupIndex {
        let key = info.key();
        if let Some(&index) = self.by_key.get(&key) {
            return index;
        }
        let mut accounting = CgroupCpu::open(self.host.cgroup(), info.cgroup()).ok();
        let now_ns = accounting.as_mut().and_then(|accounting| accounting.read().ok());
        let is_new = from_start && now_ns.is_some();
        let (mut account, mut cpu_time) = Default::default();
        if let Some(earlier) = self.retired.revive(&info) {
            (account, cpu_time) = (earlier.account, earlier.cpu_time);
            info.keep_names(&earlier.info);
        }
        let naming = self.naming_of(&info);
        self.await_name(naming);
        let container = matches!(info, GroupInfo::Container(_)).then(|| info.cgroup());
        let counted = self.counted(container);
        let group = Group {
            info,
            parent,
            within,
            accounted_in: None,
            accounting,
            usage_ns: if is_new { Some(0) } else { now_ns },
            cpu_time,
            members: 0,
            account,
            interval: Interval { is_new, ..Interval::default() },
            owed_ns: 0,
            counted,
            naming,
            since: None,
            is_nested: false,
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
        self.changed = true;
        if let Some(outer) = within {
            self.join(outer);
        }
        index
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
    pub(super) fn info(&self, index: GroupIndex) -> Option<&GroupInfo> {
        self.get(index).map(|group| &group.info)
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
        self.tree_is_fresh = false;
        for group in self.groups_mut() {
            group.account.begin();
            group.interval = Interval::default();
        }
    }

    /// Adds what a member used in this interval.
    pub(super) fn used(&mut self, index: GroupIndex, nanoseconds: u64) {
        if let Some(group) = self.get_mut(index) {
            group.interval.members_ns += nanoseconds;
        }
    }

    /// Charges the group, and the containers, pods and jobs that it belongs to.
    pub(super) fn charge(&mut self, index: GroupIndex, zone: ZoneKind, energy: Energy) {
        let mut next = Some(index);
        while let Some(group) = next.and_then(|index| self.get_mut(index)) {
            group.account.charge(zone, energy);
            next = group.parent;
        }
    }

    /// The same for energy of an accelerator, see [`Account::charge_device`].
    pub(super) fn charge_device(&mut self, index: GroupIndex, charge: DeviceCharge) {
        let mut next = Some(index);
        while let Some(group) = next.and_then(|index| self.get_mut(index)) {
            group.account.charge_device(charge);
            next = group.parent;
        }
    }

    /// The same for idle energy of an accelerator, see [`Account::note_idle`].
    pub(super) fn note_idle(&mut self, index: GroupIndex, device: u32, idle: Energy) {
        let mut next = Some(index);
        while let Some(group) = next.and_then(|index| self.get_mut(index)) {
            group.account.note_idle(device, idle);
            next = group.parent;
        }
    }

    /// Retires groups that have ended: no process is left, and the cgroup is gone (or never had
    /// CPU accounting).
    pub(super) fn retire(&mut self, now: Timestamp) {
        let mut ended = false;
        // The end of one may be the end of the one around it.
        while self.retire_once(now) {
            ended = true;
        }
        if ended {
            let slots = &self.slots;
            let is_there = |index: GroupIndex| slots.get(index.0 as usize).is_some_and(Option::is_some);
            self.by_text.retain(|_, group| group.is_none_or(is_there));
            self.by_number.retain(|_, group| group.is_none_or(is_there));
        }
        self.retired.expire(now, |_| {});
    }

    fn retire_once(&mut self, now: Timestamp) -> bool {
        let mut ended = false;
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            let Some(group) = slot.take_if(|group| group.is_over() && !group.awaits_name(now)) else { continue };
            ended = true;
            self.changed = true;
            let is_shown = group.is_shown();
            let Group { info, account, cpu_time, within, counted, .. } = group;
            self.close(&counted);
            self.by_key.remove(&info.key());
            if let Some(outer) = within {
                self.leave(outer);
            }
            // A group's energy is that of its processes and of its short-lived work, both of which the node's
            // account has already: nothing has to be handed back.
            if is_shown {
                self.retired.add(info, account, cpu_time, now);
            }
        }
        ended
    }

    /// Every running group that has a row of its own.
    pub(super) fn running(&self) -> impl Iterator<Item = (&GroupInfo, &Account, Duration)> {
        self.groups().filter(|group| group.is_shown()).map(|group| (&group.info, &group.account, group.cpu_time))
    }
}
