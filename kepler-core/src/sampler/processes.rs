//! The table of live processes.
//!
//! Usage comes as a list by rising PID, of all processes or of those that changed, and the table is kept
//! in the same order, so the two are merged in one pass without a look-up. A process's identity is read
//! when it is new; again when its tag says that the PID may have been reused, or the source says that it
//! has changed; and now and then while it works, since only a process that runs can change its name or
//! its executable.

mod identify;
mod recall;
mod rest;

use super::faults::Faults;
use super::groups::{GroupIndex, Groups};
use super::retired::{Retention, RetiredTable};
use crate::attribution::ledger::Account;
use crate::host::{Host, Timestamp};
use crate::units::{Energy, PerZone};
use crate::usage::{DomainWork, ShortLivedWork, TaskReport, TaskUsage, Usage};
use crate::workload::{JobInfo, ProcessInfo};
use identify::{Identifier, describe, info, is_text};
use recall::Recall;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Identities read again at most in one tick.
const CHECKS_A_TICK: usize = 64;
/// Ticks after which a working process's identity is read again; a new one's at the next tick,
/// since it may just be about to execute something else.
const TICKS_BETWEEN_CHECKS: u64 = 20;
/// Number of these checks at which a process's open files are searched for `/dev/kvm`, which costs a system
/// call for each of them. A monitor opens it when it starts.
const OPEN_FILE_CHECKS: u8 = 2;

/// One live process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) info: Arc<ProcessInfo>,
    pub(super) account: Account,
    pub(super) cpu_time_ns: u64,
    /// CPU time before it was first seen, which is not part of its account.
    earlier_ns: u64,
    /// CPU time in the current interval.
    pub(super) used_ns: u64,
    pub(super) group: Option<GroupIndex>,
    pub(super) vm: Option<GroupIndex>,
    tag: u64,
    check_at: u64,
    /// The last tick in which it was noted as active.
    active_at: u64,
    /// How often its open files are still to be looked at.
    open_file_checks_left: u8,
}

/// What a process did that has ended and is not listed any more.
#[derive(Debug)]
pub(super) struct Unlisted {
    pub(super) info: Arc<ProcessInfo>,
    pub(super) account: Account,
    /// CPU time since it was first seen.
    pub(super) used_ns: u64,
}

/// All live processes, and those that ended.
pub(super) struct Processes {
    /// PID and slot, by rising PID.
    order: Vec<(u32, u32)>,
    next_order: Vec<(u32, u32)>,
    slots: Vec<Option<Process>>,
    free: Vec<u32>,
    /// Slots of those that used CPU time or an accelerator in the current interval.
    active: Vec<u32>,
    /// Those that did in the ticks before.
    earlier: Recall,
    /// Slots of those that ended in the current interval, and are still to be charged for it.
    ended: Vec<u32>,
    /// Those that ended and are not listed for it: their command's sum takes them over.
    unlisted: Vec<Unlisted>,
    pub(super) retired: RetiredTable<Arc<ProcessInfo>>,
    reader: Identifier,
    ticks: u64,
    /// The last tick in which one came or went.
    moved: u64,
    last_tick: Option<Timestamp>,
    /// Length of a clock tick.
    nanoseconds_per_tick: u64,
}

impl Processes {
    /// An empty table of the host's processes.
    pub(super) fn open(host: &Host, retention: Retention, deleted_mark: bool) -> io::Result<Self> {
        Ok(Processes {
            order: Vec::new(),
            next_order: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            active: Vec::new(),
            earlier: Recall::default(),
            ended: Vec::new(),
            unlisted: Vec::new(),
            retired: RetiredTable::new(retention),
            reader: Identifier::open(host, deleted_mark)?,
            ticks: 0,
            moved: 0,
            last_tick: None,
            nanoseconds_per_tick: 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1),
        })
    }

    /// Live processes by rising PID.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.order.iter().filter_map(|&(_, slot)| self.slots.get(slot as usize)?.as_ref())
    }

    /// How many processes used CPU time in this interval, or have power in an accelerator.
    pub(super) fn active(&self) -> usize {
        self.active.len()
    }

    /// One of these processes.
    pub(super) fn active_at(&mut self, position: usize) -> Option<&mut Process> {
        let slot = *self.active.get(position)?;
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// The same to read.
    pub(super) fn active_row(&self, position: usize) -> Option<&Process> {
        self.slots.get(*self.active.get(position)? as usize)?.as_ref()
    }

    /// CPU time of all processes in this interval, in nanoseconds.
    pub(super) fn used_ns(&self) -> u64 {
        self.active.iter().filter_map(|&slot| self.slots.get(slot as usize)?.as_ref()).map(|p| p.used_ns).sum()
    }

    /// How many live processes there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The live processes whose figures may have changed since tick `then` was shown, with their positions in
    /// [`Processes::iter`]; some of them twice. `None` if any may have changed its position, or that is too long ago.
    pub(super) fn changed_since(&self, then: u64) -> Option<impl Iterator<Item = (usize, &Process)>> {
        if then < self.moved {
            return None;
        }
        // Who worked then is shown with its power then.
        let earlier = self.earlier.last(self.ticks.saturating_sub(then))?;
        let slots = |slot: &u32| self.slots.get(*slot as usize)?.as_ref();
        let now = self.active.iter().filter_map(slots).map(|process| process.info.pid);
        Some(earlier.chain(now).filter_map(move |pid| {
            let position = self.order.binary_search_by_key(&pid, |&(pid, _)| pid).ok()?;
            Some((position, slots(&self.order.get(position)?.1)?))
        }))
    }

    /// Begins tick number `tick`, the one after the tick before, in which nothing is known of any process yet.
    pub(super) fn begin_tick(&mut self, tick: u64) {
        // All may have been active.
        let worked = self.earlier.begin(self.order.len());
        for &slot in &self.active {
            if let Some(Some(process)) = self.slots.get_mut(slot as usize) {
                process.account.begin();
                process.used_ns = 0;
                worked.push(process.info.pid);
            }
        }
        self.active.clear();
        self.ticks = tick;
    }

    /// Takes over what the usage source saw. `drop_energy` is handed the energy of ended processes that
    /// are not listed any more.
    pub(super) fn update(
        &mut self,
        usage: &mut Usage,
        at: Timestamp,
        groups: &mut Groups,
        faults: &mut Faults,
        drop_energy: impl FnMut(PerZone<Energy>),
    ) {
        let order = std::mem::take(&mut self.order);
        let mut next_order = std::mem::take(&mut self.next_order);
        next_order.clear();
        next_order.reserve(usage.tasks.len());
        // All may become active at once; then is no time to make room.
        self.active.reserve(usage.tasks.len());
        let mut known = order.iter().copied().peekable();
        // Of a list of changes, those are missing who live on as they were; of a list of all, those who ended.
        let lives_on = usage.changes_only;
        for (position, &task) in usage.tasks.iter().enumerate() {
            let report = usage.reports.get(position).copied();
            while let Some(other) = known.next_if(|&(pid, _)| pid < task.pid) {
                if lives_on {
                    next_order.push(other);
                } else {
                    self.ended.push(other.1);
                }
            }
            let mut slot = known.next_if(|&(pid, _)| pid == task.pid).map(|(_, slot)| slot);
            if let Some(old) = slot.filter(|&slot| self.has_passed_on(slot, task, faults)) {
                self.ended.push(old);
                slot = None;
            }
            let has_ended = report.is_some_and(|report| report.has_ended);
            let slot = match slot {
                Some(slot) => {
                    self.go_on(slot, task, report, groups);
                    Some(slot)
                }
                None if has_ended => None,
                None => self.begin(task, report, groups, faults),
            };
            match (slot, report) {
                (Some(slot), _) if has_ended => self.ended.push(slot),
                (Some(slot), _) => next_order.push((task.pid, slot)),
                // It ended before it could be identified.
                (None, Some(report)) => add_short_lived(task.pid, report, &usage.by_domain, &mut usage.short_lived),
                (None, None) => {}
            }
        }
        for other in known {
            if lives_on {
                next_order.push(other);
            } else {
                self.ended.push(other.1);
            }
        }
        self.next_order = order;
        self.order = next_order;
        self.check_identities(groups, faults);
        self.retired.expire(at, drop_energy);
        self.last_tick = Some(at);
    }

    /// Removes those that ended in this interval, which has been charged to them.
    pub(super) fn finalize_exited(
        &mut self,
        at: Timestamp,
        groups: &mut Groups,
        mut drop_energy: impl FnMut(PerZone<Energy>),
    ) {
        let mut ended = std::mem::take(&mut self.ended);
        for slot in ended.drain(..) {
            self.end(slot, at, groups, &mut drop_energy);
        }
        self.ended = ended;
    }

    /// Some groups have got names: those in them take these over.
    pub(super) fn describe_again(&mut self, groups: &Groups) {
        let renamed = |info: &ProcessInfo| {
            let own = info.container.as_ref()?;
            let container = groups.described(own).filter(|container| !Arc::ptr_eq(container, own))?;
            let job = info.job.as_ref().map(|job| match &job.container {
                Some(around) if around.id == container.id => {
                    let container = Some(Arc::clone(container));
                    Arc::new(JobInfo { container, ..JobInfo::clone(job) })
                }
                _ => Arc::clone(job),
            });
            let container = Some(Arc::clone(container));
            Some(Arc::new(ProcessInfo { container, job, ..info.clone() }))
        };
        for process in self.slots.iter_mut().flatten() {
            if let Some(info) = renamed(&process.info) {
                process.info = info;
                // All rows are written again.
                self.moved = self.ticks;
            }
        }
        for retired in self.retired.iter_mut() {
            if let Some(info) = renamed(&retired.info) {
                retired.info = info;
            }
        }
    }

    /// The slot of the process that had this number at a moment of this interval; `None` if that is not certain.
    pub(super) fn user(&self, pid: u32, then: &Timestamp) -> Option<u32> {
        let process = |slot: u32| self.slots.get(slot as usize)?.as_ref();
        let live = self.order.binary_search_by_key(&pid, |&(pid, _)| pid).ok();
        let live = live.and_then(|position| self.order.get(position)).map(|&(_, slot)| slot);
        // One that began after that moment cannot be the one.
        let latest = ticks_at(then, self.nanoseconds_per_tick).saturating_add(1);
        let live = live.filter(|&slot| process(slot).is_some_and(|process| process.info.start_ticks <= latest));
        let ended = self.ended.iter().copied().find(|&slot| process(slot).is_some_and(|one| one.info.pid == pid));
        // The number may have passed on meanwhile: then it is not known which of the two it was.
        if live.is_some() && ended.is_some() { None } else { live.or(ended) }
    }

    /// The process in a slot, to be charged for its use of an accelerator: it is shown again.
    pub(super) fn note_active(&mut self, slot: u32) -> Option<&mut Process> {
        let process = self.slots.get_mut(slot as usize)?.as_mut()?;
        if std::mem::replace(&mut process.active_at, self.ticks) != self.ticks {
            self.active.push(slot);
        }
        Some(process)
    }

    /// Those that have ended with too little energy to be listed for it, since this was asked last.
    pub(super) fn unlisted(&mut self) -> impl Iterator<Item = Unlisted> {
        self.unlisted.drain(..)
    }

    /// Whether the process's number now belongs to another one.
    fn has_passed_on(&mut self, slot: u32, task: TaskUsage, faults: &mut Faults) -> bool {
        let Some(Some(process)) = self.slots.get_mut(slot as usize) else { return true };
        if process.tag == task.tag {
            return false;
        }
        process.tag = task.tag;
        let known_start = process.info.start_ticks;
        self.reader.start_ticks(task.pid, faults).is_some_and(|start| start != known_start)
    }

    /// Adds what a known process used.
    fn go_on(&mut self, slot: u32, task: TaskUsage, report: Option<TaskReport>, groups: &mut Groups) {
        let Some(Some(process)) = self.slots.get_mut(slot as usize) else { return };
        if report.is_some_and(|report| report.has_changed) {
            process.check_at = self.ticks;
        }
        process.used_ns = task.cpu_time_ns.saturating_sub(process.cpu_time_ns);
        process.cpu_time_ns = process.cpu_time_ns.max(task.cpu_time_ns);
        if process.used_ns > 0 {
            process.active_at = self.ticks;
            self.active.push(slot);
            for group in [process.group, process.vm].into_iter().flatten() {
                groups.used(group, process.used_ns);
            }
        }
    }

    /// Adds a new process.
    fn begin(
        &mut self,
        task: TaskUsage,
        report: Option<TaskReport>,
        groups: &mut Groups,
        faults: &mut Faults,
    ) -> Option<u32> {
        let read = self.reader.read_identity(task.pid, faults)?;
        if read.exe_hidden {
            faults.failed("procfs", "permission_denied");
        }
        // What it used before we looked for the first time is not part of this interval. One that is
        // older than the last tick and was not seen then had been hidden from us.
        let is_born_now =
            self.last_tick.is_some_and(|last| started_after(read.start_ticks, &last, self.nanoseconds_per_tick));
        let used_ns = match report {
            Some(report) => report.used_ns,
            None if is_born_now => task.cpu_time_ns,
            None => 0,
        };
        let group = groups.place(read.cgroup, task.pid, is_born_now);
        let mut info = info(task.pid, &read);
        let vm = self.reader.virtual_machine(&info, groups, false);
        describe(&mut info, group, vm, groups);
        let process = Process {
            info: Arc::new(info),
            account: Account::default(),
            cpu_time_ns: task.cpu_time_ns,
            earlier_ns: task.cpu_time_ns.saturating_sub(used_ns),
            used_ns,
            group,
            vm,
            tag: task.tag,
            check_at: self.ticks + 1,
            active_at: if used_ns > 0 { self.ticks } else { 0 },
            open_file_checks_left: OPEN_FILE_CHECKS,
        };
        for group in [group, vm].into_iter().flatten() {
            groups.join(group);
            groups.used(group, used_ns);
        }
        self.moved = self.ticks;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        *self.slots.get_mut(slot as usize)? = Some(process);
        if used_ns > 0 {
            self.active.push(slot);
        }
        Some(slot)
    }

    /// Removes a process that has ended.
    fn end(&mut self, slot: u32, at: Timestamp, groups: &mut Groups, drop_energy: &mut impl FnMut(PerZone<Energy>)) {
        let Some(process) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        self.moved = self.ticks;
        self.free.push(slot);
        for group in [process.group, process.vm].into_iter().flatten() {
            groups.leave(group);
        }
        if self.retired.is_too_little(&process.account) {
            self.unlisted.push(Unlisted {
                info: Arc::clone(&process.info),
                account: process.account.clone(),
                used_ns: process.cpu_time_ns.saturating_sub(process.earlier_ns),
            });
        }
        let cpu_time = Duration::from_nanos(process.cpu_time_ns);
        drop_energy(self.retired.add(process.info, process.account, cpu_time, at));
    }

    /// Reads again who some of the processes are: of those that worked, those whose turn it is.
    fn check_identities(&mut self, groups: &mut Groups, faults: &mut Faults) {
        let count = self.active.len();
        let mut left = CHECKS_A_TICK;
        for step in 0..count {
            // Not always from the first one on, or the last ones would never have their turn.
            let start = self.ticks as usize * CHECKS_A_TICK;
            let Some(&slot) = self.active.get((start + step) % count) else { continue };
            let Some(Some(process)) = self.slots.get_mut(slot as usize) else { continue };
            if self.ticks < process.check_at {
                continue;
            }
            if left == 0 {
                break;
            }
            left -= 1;
            process.check_at = self.ticks + TICKS_BETWEEN_CHECKS;
            let pid = process.info.pid;
            let Some(read) = self.reader.read_identity(pid, faults) else { continue };
            if read.start_ticks != process.info.start_ticks {
                continue; // The number has passed on since it was listed; the next tick will see.
            }
            let group = groups.place(read.cgroup, pid, false);
            if !is_text(read.exe, &process.info.exe) {
                process.open_file_checks_left = OPEN_FILE_CHECKS;
            }
            let is_same = group == process.group
                && is_text(read.exe, &process.info.exe)
                && is_text(read.comm, &process.info.comm);
            let reads_open_files = process.vm.is_none() && process.open_file_checks_left > 0 && !read.exe.is_empty();
            let changed = (!is_same).then(|| info(pid, &read));
            let opens_kvm = reads_open_files && self.reader.opens_kvm(pid);
            let is_named_now = match process.vm {
                Some(vm) if process.open_file_checks_left > 0 => {
                    process.open_file_checks_left -= 1;
                    self.reader.name_later(vm, groups)
                }
                _ => false,
            };
            process.open_file_checks_left -= u8::from(reads_open_files);
            if is_same && !opens_kvm && !is_named_now {
                continue; // As nearly always: then nothing is allocated.
            }
            let mut info = changed.unwrap_or_else(|| ProcessInfo::clone(&process.info));
            let vm = match process.vm {
                Some(vm) => Some(vm),
                None => self.reader.virtual_machine(&info, groups, opens_kvm),
            };
            describe(&mut info, group, vm, groups);
            move_to(&mut process.group, group, groups);
            move_to(&mut process.vm, vm, groups);
            if *process.info != info {
                process.info = Arc::new(info);
            }
        }
    }
}

/// Counts the work of a process that is not in the table under its command name.
fn add_short_lived(pid: u32, report: TaskReport, by_domain: &[DomainWork], short_lived: &mut Vec<ShortLivedWork>) {
    let mut processes = u64::from(report.has_ended);
    let first = by_domain.partition_point(|work| work.pid < pid);
    for &DomainWork { domain, work, .. } in by_domain.iter().skip(first).take_while(|work| work.pid == pid) {
        short_lived.push(ShortLivedWork { comm: report.comm, cgroup: report.cgroup, domain, processes, work });
        processes = 0;
    }
}

/// Moves a process from one group to another.
fn move_to(current: &mut Option<GroupIndex>, next: Option<GroupIndex>, groups: &mut Groups) {
    if *current == next {
        return;
    }
    if let Some(next) = next {
        groups.join(next);
    }
    if let Some(old) = current.take() {
        groups.leave(old);
    }
    *current = next;
}

/// Whether a process started after `moment`, as far as clock ticks can tell.
fn started_after(start_ticks: u64, moment: &Timestamp, nanoseconds_per_tick: u64) -> bool {
    start_ticks.saturating_add(1) >= ticks_at(moment, nanoseconds_per_tick)
}

/// A moment in clock ticks since boot.
fn ticks_at(moment: &Timestamp, nanoseconds_per_tick: u64) -> u64 {
    u64::try_from(moment.boottime.as_nanos()).unwrap_or(u64::MAX) / nanoseconds_per_tick
}
