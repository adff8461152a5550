//! Reconciles time slices into changes of processes. Pure: it knows nothing of the kernel.
//!
//! Three kinds of slices come in at each collection: of live processes, of exited ones, and the slices that
//! are still running. A running slice is counted in advance; once it is over, it comes in whole as one of the
//! former, and what was counted in advance is subtracted.

use super::record::{EXECUTED, RawWork};
use crate::usage::{CgroupId, Comm, DomainWork, ShortLivedWork, TaskReport, TaskUsage, Usage};
use std::collections::HashMap;

/// What a slice of work belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A process that has exited, by its last switch.
    Ended,
    /// A live process.
    Alive,
    /// A slice that still runs.
    Open,
    /// A slice that still ran at the collection before, and was counted then.
    Counted,
}

/// Some work of one process in one CPU domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    pub(super) pid: u32,
    pub(super) kind: Kind,
    /// Birth on the boot clock; 0 where not known, in [`Kind::Open`] and [`Kind::Counted`].
    pub(super) start: u64,
    pub(super) domain: u16,
    pub(super) work: RawWork,
    pub(super) cgroup: u64,
    pub(super) comm: Comm,
    pub(super) flags: u64,
}

impl Slice {
    /// A slice that still runs.
    pub(super) fn open(pid: u32, domain: u16, work: RawWork) -> Self {
        Slice { pid, kind: Kind::Open, start: 0, domain, work, cgroup: 0, comm: Comm::default(), flags: 0 }
    }
}

/// What is remembered of a process.
#[derive(Clone, Copy, Debug)]
struct Known {
    tag: u64,
    /// 0: it was there before us and has not worked since.
    start: u64,
    /// CPU time that has been reported.
    total_ns: u64,
    /// 0: not known yet.
    cgroup: u64,
}

/// Keeps what has been reported of each process, so that each slice is reported exactly once.
#[derive(Debug, Default)]
pub(super) struct SliceReconciler {
    known: HashMap<u32, Known>,
    tags: u64,
    /// Slices that still ran at the last collection.
    counted: Vec<Slice>,
    /// Work of one process by domain.
    sums: Vec<(u16, RawWork)>,
    /// What is to be reported, before it is sorted.
    reports: Vec<(TaskUsage, TaskReport)>,
}

/// How to read the slices.
#[derive(Clone, Copy, Debug)]
pub(super) struct SliceContext {
    /// Which events were counted, a bit each.
    pub(super) counted: u32,
    /// Whether a process that is known only because it runs now may be reported: the kernel is sure to
    /// report its exit.
    pub(super) exits_are_reported: bool,
}

/// A report of a process of which nothing is known but that it is there.
const NOTHING: TaskReport =
    TaskReport { used_ns: 0, comm: [0; 16], cgroup: CgroupId(0), has_changed: false, has_ended: false };

impl SliceReconciler {
    /// An empty one with room for this many processes more than there are at the beginning.
    pub(super) fn with_room(room: usize) -> Self {
        SliceReconciler {
            known: HashMap::with_capacity(room),
            reports: Vec::with_capacity(room),
            ..SliceReconciler::default()
        }
    }

    /// Begins with all live processes. Their work so far is in their totals, up to the slices that run now.
    pub(super) fn begin(&mut self, listed: &mut [TaskUsage], slices: &mut Vec<Slice>) {
        self.known.clear();
        for task in listed {
            self.tags += 1;
            task.tag = self.tags;
            let known = Known { tag: task.tag, start: 0, total_ns: task.cpu_time_ns, cgroup: 0 };
            self.known.insert(task.pid, known);
        }
        self.keep_open(slices);
        slices.clear();
    }

    /// Works out what changed from the slices, and empties them. `listed`, if given, has all live processes
    /// by rising number: processes that started or exited unreported are found by it.
    pub(super) fn close(
        &mut self,
        slices: &mut Vec<Slice>,
        listed: Option<&[TaskUsage]>,
        context: SliceContext,
        usage: &mut Usage,
    ) {
        let earlier = std::mem::take(&mut self.counted);
        slices.extend_from_slice(&earlier);
        self.counted = earlier;
        self.keep_open(slices);
        slices.sort_unstable_by_key(|slice| (slice.pid, slice.kind, slice.start, slice.domain));
        self.reports.clear();
        for run in slices.chunk_by(|a, b| a.pid == b.pid) {
            self.read(run, context, usage);
        }
        slices.clear();
        if let Some(listed) = listed {
            self.compare(listed);
        }
        // An exited process before one that has taken over its number.
        self.reports.sort_unstable_by_key(|(task, report)| (task.pid, !report.has_ended));
        usage.changes_only = true;
        for &(task, report) in &self.reports {
            usage.tasks.push(task);
            usage.reports.push(report);
        }
    }

    /// Remembers the slices that still run, to subtract them next time.
    fn keep_open(&mut self, slices: &[Slice]) {
        self.counted.clear();
        let open = slices.iter().filter(|slice| slice.kind == Kind::Open);
        self.counted.extend(open.map(|slice| Slice { kind: Kind::Counted, ..*slice }));
    }

    /// Reads all slices with one process number.
    fn read(&mut self, run: &[Slice], context: SliceContext, usage: &mut Usage) {
        let ends = || run.iter().filter(|slice| slice.kind == Kind::Ended);
        let has_ended = |start: u64| ends().any(|end| end.start == start);
        let is_live = |slice: &Slice| match slice.kind {
            Kind::Alive => !has_ended(slice.start),
            // What runs and has just exited is on its very last steps.
            Kind::Open => ends().next().is_none(),
            Kind::Ended | Kind::Counted => false,
        };
        let live = run.iter().find(|slice| is_live(slice));
        let mut counted_is_open = true;
        let mut last_start = None;
        for end in ends() {
            if last_start.replace(end.start) == Some(end.start) {
                continue; // Another domain of the same process.
            }
            // A thread may have been switched to once more on its way out.
            self.sum(run, |slice| slice.start == end.start && matches!(slice.kind, Kind::Ended | Kind::Alive));
            let known = self.known.get(&end.pid).filter(|known| known.start == 0 || known.start == end.start).copied();
            let Some(known) = known else {
                self.report_short_lived(end, 1, context, usage);
                continue;
            };
            self.known.remove(&end.pid);
            if std::mem::take(&mut counted_is_open) {
                self.subtract_counted(run);
            }
            self.report_exit(end, known, live.is_some(), context, usage);
        }
        if let Some(first) = live {
            self.sum(run, is_live);
            let has_executed = run.iter().any(|slice| is_live(slice) && slice.flags & EXECUTED != 0);
            self.report_live(run, first, has_executed, counted_is_open, context, usage);
        }
    }

    /// Reports the exit of a known process whose last work is in the sums.
    fn report_exit(
        &mut self,
        end: &Slice,
        known: Known,
        number_is_reused: bool,
        context: SliceContext,
        usage: &mut Usage,
    ) {
        let mut used_ns = self.used_ns();
        if number_is_reused {
            // Work by number would be taken for that of the process that has the number now.
            self.report_short_lived(end, 0, context, usage);
            used_ns = 0;
        } else {
            self.report_domains(end.pid, context, usage);
        }
        let task = TaskUsage { pid: end.pid, tag: known.tag, cpu_time_ns: known.total_ns + used_ns };
        let cgroup = CgroupId(end.cgroup);
        let report = TaskReport { used_ns, comm: end.comm, cgroup, has_changed: false, has_ended: true };
        self.reports.push((task, report));
    }

    /// Reports a live process whose work is in the sums. `first` is the first of its slices.
    fn report_live(
        &mut self,
        run: &[Slice],
        first: &Slice,
        has_executed: bool,
        counted_is_open: bool,
        context: SliceContext,
        usage: &mut Usage,
    ) {
        let before = self.known.get(&first.pid).copied();
        let before = before.filter(|known| known.start == 0 || first.start == 0 || known.start == first.start);
        if before.is_none() && first.kind == Kind::Open && !context.exits_are_reported {
            // It will be reported once it has been switched from; nothing may be subtracted then.
            self.counted.retain(|slice| slice.pid != first.pid);
            return;
        }
        if before.is_some() && counted_is_open {
            self.subtract_counted(run);
        }
        let used_ns = self.used_ns();
        let known = before.unwrap_or_else(|| {
            self.tags += 1;
            Known { tag: self.tags, start: 0, total_ns: 0, cgroup: 0 }
        });
        let has_moved = known.cgroup != 0 && first.cgroup != 0 && known.cgroup != first.cgroup;
        let next = Known {
            tag: known.tag,
            start: if first.start == 0 { known.start } else { first.start },
            total_ns: known.total_ns + used_ns,
            cgroup: if first.cgroup == 0 { known.cgroup } else { first.cgroup },
        };
        self.known.insert(first.pid, next);
        self.report_domains(first.pid, context, usage);
        let report = TaskReport {
            used_ns,
            comm: first.comm,
            cgroup: CgroupId(next.cgroup),
            has_changed: has_moved || has_executed,
            has_ended: false,
        };
        self.reports.push((TaskUsage { pid: first.pid, tag: next.tag, cpu_time_ns: next.total_ns }, report));
    }

    /// Compares with a list of all live processes.
    fn compare(&mut self, listed: &[TaskUsage]) {
        let is_listed = |pid: u32| listed.binary_search_by_key(&pid, |task| task.pid).is_ok();
        let reports = &mut self.reports;
        self.known.retain(|&pid, known| {
            let stays = is_listed(pid);
            if !stays {
                // What it did until now is reported already, or by this collection.
                reports.retain(|(task, report)| task.pid != pid || report.has_ended);
                let task = TaskUsage { pid, tag: known.tag, cpu_time_ns: known.total_ns };
                reports.push((task, TaskReport { has_ended: true, ..NOTHING }));
            }
            stays
        });
        for task in listed {
            self.known.entry(task.pid).or_insert_with(|| {
                self.tags += 1;
                self.reports.push((TaskUsage { tag: self.tags, ..*task }, NOTHING));
                Known { tag: self.tags, start: 0, total_ns: task.cpu_time_ns, cgroup: 0 }
            });
        }
    }

    /// Sums some of the slices by domain.
    fn sum(&mut self, run: &[Slice], is_part: impl Fn(&Slice) -> bool) {
        self.sums.clear();
        for slice in run.iter().filter(|slice| is_part(slice)) {
            match self.sums.iter_mut().find(|(domain, _)| *domain == slice.domain) {
                Some((_, sum)) => *sum = sum.plus(slice.work),
                None => self.sums.push((slice.domain, slice.work)),
            }
        }
        self.sums.sort_unstable_by_key(|(domain, _)| *domain);
    }

    /// Subtracts what was counted in advance.
    fn subtract_counted(&mut self, run: &[Slice]) {
        for slice in run.iter().filter(|slice| slice.kind == Kind::Counted) {
            if let Some((_, sum)) = self.sums.iter_mut().find(|(domain, _)| *domain == slice.domain) {
                *sum = sum.minus(slice.work);
            }
        }
    }

    fn used_ns(&self) -> u64 {
        self.sums.iter().map(|(_, work)| work.time_ns).sum()
    }

    /// Reports the sums as work of a process.
    fn report_domains(&self, pid: u32, context: SliceContext, usage: &mut Usage) {
        let sums = self.sums.iter().filter(|(_, work)| *work != RawWork::default());
        let works = sums.map(|&(domain, work)| DomainWork { pid, domain, work: work.counted(context.counted) });
        usage.by_domain.extend(works);
    }

    /// Reports the sums as work of processes that are known by command name only.
    fn report_short_lived(&self, end: &Slice, mut processes: u64, context: SliceContext, usage: &mut Usage) {
        let (comm, cgroup) = (end.comm, CgroupId(end.cgroup));
        for &(domain, work) in &self.sums {
            let work = work.counted(context.counted);
            usage.short_lived.push(ShortLivedWork { comm, cgroup, domain, processes, work });
            processes = 0;
        }
    }
}

#[cfg(test)]
mod tests;
