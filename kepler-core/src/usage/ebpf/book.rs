//! From pieces of work to what changed about which process. Pure: it knows nothing of the kernel.
//!
//! Three kinds of pieces come in at each collection: of those that live, of those that ended, and the
//! slices that are still running. The last are counted in advance; when they are over, they come in
//! whole as one of the former, and what was counted in advance is taken off.

use super::record::{EXECUTED, RawWork};
use crate::usage::{CgroupId, Comm, PassedWork, PlacedWork, TaskUsage, Told, Usage};
use std::collections::HashMap;

/// What a piece of work is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Of a process that has ended, by its last switch.
    Ended,
    /// Of one that lives.
    Alive,
    /// A slice that still runs.
    Open,
    /// A slice that still ran at the collection before, and was counted then.
    Counted,
}

/// Some work of one process on one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) pid: u32,
    pub(super) kind: Kind,
    /// Birth on the boot clock; 0 where not known, in [`Kind::Open`] and [`Kind::Counted`].
    pub(super) start: u64,
    pub(super) place: u16,
    pub(super) work: RawWork,
    pub(super) cgroup: u64,
    pub(super) comm: Comm,
    pub(super) flags: u64,
}

impl Piece {
    /// A slice that still runs.
    pub(super) fn open(pid: u32, place: u16, work: RawWork) -> Self {
        Piece { pid, kind: Kind::Open, start: 0, place, work, cgroup: 0, comm: Comm::default(), flags: 0 }
    }
}

/// What is remembered of a process.
#[derive(Clone, Copy, Debug)]
struct Known {
    tag: u64,
    /// 0: it was there before us and has not worked since.
    start: u64,
    /// CPU time that has been told.
    total_ns: u64,
    /// 0: not known yet.
    cgroup: u64,
}

/// All processes that have been told of.
#[derive(Debug, Default)]
pub(super) struct Book {
    known: HashMap<u32, Known>,
    tags: u64,
    /// Slices that still ran at the last collection.
    counted: Vec<Piece>,
    /// Work by place, of one process.
    sums: Vec<(u16, RawWork)>,
    /// What is to be told, before it is sorted.
    told: Vec<(TaskUsage, Told)>,
}

/// How to read the pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Which events were counted, a bit each.
    pub(super) counted: u32,
    /// Whether a process that is known only because it runs now may be told of: its end will be told.
    pub(super) runners_are_told: bool,
}

impl Book {
    /// An empty book with room for so many processes more than there are at the beginning.
    pub(super) fn with_room(room: usize) -> Self {
        Book { known: HashMap::with_capacity(room), told: Vec::with_capacity(room), ..Book::default() }
    }

    /// Begins with all processes alive. Their work so far is in their totals, up to the slices that run now.
    pub(super) fn begin(&mut self, listed: &mut [TaskUsage], pieces: &mut Vec<Piece>) {
        self.known.clear();
        for task in listed {
            self.tags += 1;
            task.tag = self.tags;
            let known = Known { tag: task.tag, start: 0, total_ns: task.cpu_time_ns, cgroup: 0 };
            self.known.insert(task.pid, known);
        }
        self.keep_open(pieces);
        pieces.clear();
    }

    /// Works out what changed from the pieces, and empties them. `listed`, if given, has all processes alive
    /// by rising number: those that ended or began untold are found by it.
    pub(super) fn close(
        &mut self,
        pieces: &mut Vec<Piece>,
        listed: Option<&[TaskUsage]>,
        terms: Terms,
        usage: &mut Usage,
    ) {
        let earlier = std::mem::take(&mut self.counted);
        pieces.extend_from_slice(&earlier);
        self.counted = earlier;
        self.keep_open(pieces);
        pieces.sort_unstable_by_key(|piece| (piece.pid, piece.kind, piece.start, piece.place));
        self.told.clear();
        for run in pieces.chunk_by(|a, b| a.pid == b.pid) {
            self.read(run, terms, usage);
        }
        pieces.clear();
        if let Some(listed) = listed {
            self.compare(listed);
        }
        // An ended process before one that has taken over its number.
        self.told.sort_unstable_by_key(|(task, told)| (task.pid, !told.has_ended));
        usage.changes_only = true;
        for &(task, told) in &self.told {
            usage.tasks.push(task);
            usage.told.push(told);
        }
    }

    /// Remembers the slices that still run, to take them off next time.
    fn keep_open(&mut self, pieces: &[Piece]) {
        self.counted.clear();
        let open = pieces.iter().filter(|piece| piece.kind == Kind::Open);
        self.counted.extend(open.map(|piece| Piece { kind: Kind::Counted, ..*piece }));
    }

    /// Reads all pieces with one process number.
    fn read(&mut self, run: &[Piece], terms: Terms, usage: &mut Usage) {
        let ends = || run.iter().filter(|piece| piece.kind == Kind::Ended);
        let has_ended = |start: u64| ends().any(|end| end.start == start);
        let is_live = |piece: &Piece| match piece.kind {
            Kind::Alive => !has_ended(piece.start),
            // What runs and has just ended is on its very last steps.
            Kind::Open => ends().next().is_none(),
            Kind::Ended | Kind::Counted => false,
        };
        let live = run.iter().find(|piece| is_live(piece));
        let mut counted_is_open = true;
        let mut last_start = None;
        for end in ends() {
            if last_start.replace(end.start) == Some(end.start) {
                continue; // Another place of the same process.
            }
            // A thread may have been switched to once more on its way out.
            self.sum(run, |piece| piece.start == end.start && matches!(piece.kind, Kind::Ended | Kind::Alive));
            let known = self.known.get(&end.pid).filter(|known| known.start == 0 || known.start == end.start).copied();
            if let Some(known) = known {
                self.known.remove(&end.pid);
                if std::mem::take(&mut counted_is_open) {
                    self.take_off_counted(run);
                }
                let mut used_ns = self.used_ns();
                if live.is_some() {
                    // Its number belongs to another one already: work by number would be taken for that one's.
                    self.pass(end, 0, terms, usage);
                    used_ns = 0;
                } else {
                    self.place(end.pid, terms, usage);
                }
                let cpu_time_ns = known.total_ns + used_ns;
                let task = TaskUsage { pid: end.pid, tag: known.tag, cpu_time_ns };
                let cgroup = CgroupId(end.cgroup);
                self.told.push((task, Told { used_ns, comm: end.comm, cgroup, has_changed: false, has_ended: true }));
            } else {
                self.pass(end, 1, terms, usage);
            }
        }
        let Some(first) = live else { return };
        self.sum(run, is_live);
        let before = self.known.get(&first.pid).copied();
        let before = before.filter(|known| known.start == 0 || first.start == 0 || known.start == first.start);
        if before.is_none() && first.kind == Kind::Open && !terms.runners_are_told {
            // It will be told of once it has been switched from; nothing may be taken off then.
            self.counted.retain(|piece| piece.pid != first.pid);
            return;
        }
        if before.is_some() && counted_is_open {
            self.take_off_counted(run);
        }
        let used_ns = self.used_ns();
        let known = before.unwrap_or_else(|| {
            self.tags += 1;
            Known { tag: self.tags, start: 0, total_ns: 0, cgroup: 0 }
        });
        let has_moved = known.cgroup != 0 && first.cgroup != 0 && known.cgroup != first.cgroup;
        let has_executed = run.iter().any(|piece| is_live(piece) && piece.flags & EXECUTED != 0);
        let next = Known {
            tag: known.tag,
            start: if first.start == 0 { known.start } else { first.start },
            total_ns: known.total_ns + used_ns,
            cgroup: if first.cgroup == 0 { known.cgroup } else { first.cgroup },
        };
        self.known.insert(first.pid, next);
        self.place(first.pid, terms, usage);
        let told = Told {
            used_ns,
            comm: first.comm,
            cgroup: CgroupId(next.cgroup),
            has_changed: has_moved || has_executed,
            has_ended: false,
        };
        self.told.push((TaskUsage { pid: first.pid, tag: next.tag, cpu_time_ns: next.total_ns }, told));
    }

    /// Compares with a list of all processes alive.
    fn compare(&mut self, listed: &[TaskUsage]) {
        let is_listed = |pid: u32| listed.binary_search_by_key(&pid, |task| task.pid).is_ok();
        let nothing = Told {
            used_ns: 0,
            comm: Comm::default(),
            cgroup: CgroupId::default(),
            has_changed: false,
            has_ended: false,
        };
        let told = &mut self.told;
        self.known.retain(|&pid, known| {
            let stays = is_listed(pid);
            if !stays {
                // What it did until now is told already, or among what this collection tells.
                told.retain(|(task, told)| task.pid != pid || told.has_ended);
                let task = TaskUsage { pid, tag: known.tag, cpu_time_ns: known.total_ns };
                told.push((task, Told { has_ended: true, ..nothing }));
            }
            stays
        });
        for task in listed {
            self.known.entry(task.pid).or_insert_with(|| {
                self.tags += 1;
                self.told.push((TaskUsage { tag: self.tags, ..*task }, nothing));
                Known { tag: self.tags, start: 0, total_ns: task.cpu_time_ns, cgroup: 0 }
            });
        }
    }

    /// Sums some of the pieces by place.
    fn sum(&mut self, run: &[Piece], is_part: impl Fn(&Piece) -> bool) {
        self.sums.clear();
        for piece in run.iter().filter(|piece| is_part(piece)) {
            match self.sums.iter_mut().find(|(place, _)| *place == piece.place) {
                Some((_, sum)) => *sum = sum.plus(piece.work),
                None => self.sums.push((piece.place, piece.work)),
            }
        }
        self.sums.sort_unstable_by_key(|(place, _)| *place);
    }

    /// Takes off what was counted in advance.
    fn take_off_counted(&mut self, run: &[Piece]) {
        for piece in run.iter().filter(|piece| piece.kind == Kind::Counted) {
            if let Some((_, sum)) = self.sums.iter_mut().find(|(place, _)| *place == piece.place) {
                *sum = sum.minus(piece.work);
            }
        }
    }

    fn used_ns(&self) -> u64 {
        self.sums.iter().map(|(_, work)| work.time_ns).sum()
    }

    /// Tells the sums as work by number.
    fn place(&self, pid: u32, terms: Terms, usage: &mut Usage) {
        let placed = self.sums.iter().filter(|(_, work)| *work != RawWork::default());
        usage.placed.extend(placed.map(|&(place, work)| PlacedWork { pid, place, work: work.counted(terms.counted) }));
    }

    /// Tells the sums as work by name.
    fn pass(&self, end: &Piece, mut processes: u64, terms: Terms, usage: &mut Usage) {
        for &(place, work) in &self.sums {
            let work = work.counted(terms.counted);
            usage.passed.push(PassedWork { comm: end.comm, cgroup: CgroupId(end.cgroup), place, processes, work });
            processes = 0;
        }
    }
}

#[cfg(test)]
mod tests;
