//! CPU time from the scheduler itself: every switch is noted in the kernel by a small BPF program.
//!
//! **What it gives.** Each process's time on a processor, to the nanosecond, by place (package and core
//! type); of processes that came and went between two collections as well, by command name and cgroup;
//! and where the processor has counters, cycles, instructions and misses of the last-level cache.
//! Only processes that ran since the last collection are told of: the others cost nothing.
//!
//! **Time** is the kernel's `sum_exec_runtime`, which CPU clocks, `getrusage(2)` and cgroup accounting are made
//! of. Slices that still run are counted by what the kernel has accounted of them, that is, up to its last
//! timer tick (4 ms at 250 Hz).
//!
//! **Requirements.** Linux 5.8 with type information (`CONFIG_DEBUG_INFO_BTF`); `CAP_BPF` and `CAP_PERFMON`, or
//! `CAP_SYS_ADMIN`; before Linux 5.11 also `CAP_SYS_RESOURCE` or a limit on locked memory of 16 MiB. A
//! procfs of the host's first PID namespace. The program's source is `bpf/kepler.bpf.c`.
//!
//! **Memory** of the kernel: bounded by the sizes of [`EbpfOptions`], about 9 MiB by default; nothing
//! grows. What finds no room by number is noted by command name, and what finds none there is counted in
//! [`Usage::lost`].
//!
//! **Cost**: one table look-up a switch; see `docs/performance.md`.

mod book;
mod counters;
mod load;
mod record;
mod runners;
mod table;

pub use counters::Counting;

use super::{CgroupId, PassedWork, Usage, UsageSource, clock, files};
use crate::availability::{Remedy, Root, Unavailable};
use crate::host::{Host, Places, Timestamp};
use book::{Book, Kind, Piece, Terms};
use counters::Counters;
use load::Program;
use record::{Control, Cpu, MOST_PLACES, RawWork};
use runners::Runners;
use std::io;
use std::time::Duration;

/// The `source` label of this source.
const SOURCE: &str = "ebpf";

/// Sizes of the kernel's tables, and what to count. The default suits any host.
#[derive(Clone, Debug)]
pub struct EbpfOptions {
    /// Processes that may work between two collections (times the places they work on) and still be told by
    /// number; two tables of this size. Default 16,384.
    pub processes: u32,
    /// Known processes that may end between two collections and still be told by number. Default 8,192.
    pub ended: u32,
    /// Pairs of command name and cgroup that may come and go between two collections. Default 8,192.
    pub commands: u32,
    /// Which events to count.
    pub counting: Counting,
    /// The place of each processor, by its number; those beyond the list are on place 0. `None`: by package
    /// and core type, [`Places`].
    pub places: Option<Vec<u16>>,
}

impl Default for EbpfOptions {
    fn default() -> Self {
        EbpfOptions { processes: 16_384, ended: 8_192, commands: 8_192, counting: Counting::Hardware, places: None }
    }
}

/// A process may be told of before it has been switched from only while the kernel is sure to tell of its end: if it
/// was born before this much after the beginning of the epoch.
const GRACE: Duration = Duration::from_millis(10);

/// All processes are listed again after so many collections, in case an end went by untold.
const COLLECTIONS_BETWEEN_LISTS: u32 = 200;

/// Room for so many changes is made at the start, so that an ordinary collection allocates nothing.
const ROOM: usize = 1024;

/// An interval in which no processor has switched at all, ours included, is none: the program is gone.
const LONGEST_STANDSTILL: Duration = Duration::from_secs(1);

/// Reads what the BPF program noted.
pub struct Ebpf {
    program: Program,
    counters: Counters,
    runners: Runners,
    /// Lists all processes, with their CPU time until now.
    listing: Box<dyn UsageSource>,
    listed: Usage,
    book: Book,
    pieces: Vec<Piece>,
    /// The processors as they were when the current epoch began.
    cpus: Vec<Cpu>,
    /// The same at the collection before: what they lost until then is told.
    before: Vec<Cpu>,
    epoch: u64,
    last: Option<Timestamp>,
    until_list: u32,
}

impl std::fmt::Debug for Ebpf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ebpf").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Ebpf {
    /// Loads the program and lists the processes of this host.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub fn open(host: &Host, options: &EbpfOptions) -> Result<Self, Unavailable> {
        load::check_procfs(host)?;
        let (places, count) = places(host, options);
        // Which events are counted is fixed when the program is loaded.
        let counters = Counters::open(host, options.counting);
        let mut program = Program::load(host, options, count, counters.mask())?;
        let start = |program: &mut Program, counters: &Counters| {
            program.cpus.write(|number, cpu| cpu.place = places.get(number).copied().map_or(0, u64::from))?;
            counters.install(&program.events)
        };
        start(&mut program, &counters).map_err(|error| load::unavailable(host, &error))?;
        program.attach().map_err(|error| load::unavailable(host, error.as_ref()))?;
        let no_list = |error: io::Error| {
            Unavailable::new(
                SOURCE,
                format!("processes cannot be listed: {error}"),
                Remedy::MountRoot { root: Root::Procfs },
            )
        };
        let listing: Box<dyn UsageSource> = match clock::CpuClocks::open(host) {
            Ok(clocks) => Box::new(clocks),
            Err(_) => Box::new(files::StatFiles::open(host).map_err(no_list)?),
        };
        runners::switch_every_processor(host);
        Ok(Ebpf {
            program,
            counters,
            runners: Runners::open(host).map_err(no_list)?,
            listing,
            listed: Usage { tasks: Vec::with_capacity(ROOM), ..Usage::default() },
            book: Book::with_room(ROOM),
            pieces: Vec::with_capacity(ROOM),
            cpus: Vec::new(),
            before: Vec::new(),
            epoch: 0,
            last: None,
            until_list: 0,
        })
    }

    /// Begins a new epoch, and waits until no processor writes to the tables of the one before any more.
    fn turn(&mut self, known_before: u64) -> io::Result<()> {
        self.epoch += 1;
        self.program.control.write(0, &Control { epoch: self.epoch, known_before })?;
        self.cpus.clear();
        // A switch is noted within a microsecond, unless a hypervisor takes the processor away meanwhile: then what
        // that switch notes is found next time, or at worst lost.
        for attempt in 0..200 {
            let read = self.program.cpus.read()?;
            if self.cpus.is_empty() {
                self.cpus.extend_from_slice(read);
            }
            let mut is_settled = true;
            for (cpu, now) in self.cpus.iter_mut().zip(read) {
                if !cpu.is_settled() {
                    *cpu = *now;
                    is_settled &= cpu.is_settled();
                }
            }
            if is_settled {
                break;
            }
            if attempt > 20 {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        Ok(())
    }

    /// Takes everything out of the tables of the epoch that has passed.
    fn drain(&mut self, counted: u32, usage: &mut Usage) -> io::Result<()> {
        let Ebpf { program, pieces, epoch, .. } = self;
        let [even, odd] = &mut program.sets;
        let set = if epoch.is_multiple_of(2) { odd } else { even };
        set.tasks.drain(|key, task| pieces.push(piece(key.pid, key.place, Kind::Alive, task)))?;
        set.ended.drain(|key, task| pieces.push(piece(key.pid, key.place, Kind::Ended, task)))?;
        set.groups.drain(|key, group| {
            usage.passed.push(PassedWork {
                comm: key.comm,
                cgroup: CgroupId(key.cgroup),
                place: u16::try_from(key.place).unwrap_or(0),
                processes: group.processes,
                work: group.work.counted(counted),
            });
        })
    }

    /// Counts what the slices that still run have done so far.
    fn count_open(&mut self) {
        for (number, cpu) in self.cpus.iter().enumerate() {
            let Some((pid, thread)) = cpu.running().filter(|_| cpu.is_settled()) else { continue };
            let Some(sum) = self.runners.cpu_time_ns(pid, thread) else { continue };
            let work = RawWork { time_ns: sum.saturating_sub(cpu.sum), events: self.counters.advance(number, cpu) };
            self.pieces.push(Piece::open(pid, u16::try_from(cpu.place).unwrap_or(0), work));
        }
    }

    /// What the processors had no room for, or could not read, since the collection before.
    fn losses(&mut self) -> Losses {
        let mut losses = Losses::default();
        for (number, now) in self.cpus.iter().enumerate() {
            let before = self.before.get(number).copied().unwrap_or_default();
            losses.lost += now.lost - before.lost;
            losses.lost_ns += now.lost_ns - before.lost_ns;
            losses.crowded += now.crowded - before.crowded;
            losses.has_untold |= now.untold > before.untold;
            losses.has_switched |= now.noted > before.noted;
            if now.unread > before.unread {
                losses.has_unread = true;
                // It was offline, and its counters went with it.
                self.counters.reopen(number, &self.program.events);
            }
        }
        self.before.clone_from(&self.cpus);
        losses
    }
}

/// What went wrong since the collection before.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    lost: u64,
    lost_ns: u64,
    crowded: u64,
    has_untold: bool,
    has_unread: bool,
    has_switched: bool,
}

impl UsageSource for Ebpf {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn collect(&mut self, at: Timestamp, usage: &mut Usage) -> io::Result<()> {
        usage.clear();
        usage.tasks.reserve(ROOM);
        usage.told.reserve(ROOM);
        usage.placed.reserve(ROOM);
        usage.passed.reserve(ROOM);
        let is_first = self.last.is_none();
        let mut lists = self.until_list == 0;
        let known_before = nanoseconds(Timestamp::now().boottime + GRACE);
        // While all processes are listed, none may end untold.
        self.turn(if lists { u64::MAX } else { known_before })?;
        let losses = self.losses();
        if is_standstill(self.last.replace(at), at, losses.has_switched) {
            return Err(io::Error::other("the BPF program is no longer told of switches"));
        }
        // Counters that were missing for a while have counted nobody's work right.
        let counted = if losses.has_unread { 0 } else { self.counters.mask() };
        self.drain(counted, usage)?;
        self.count_open();
        lists |= losses.has_untold;
        if lists {
            if losses.has_untold {
                self.program.control.write(0, &Control { epoch: self.epoch, known_before: u64::MAX })?;
            }
            self.listing.collect(at, &mut self.listed)?;
            let known_before = nanoseconds(Timestamp::now().boottime + GRACE);
            self.program.control.write(0, &Control { epoch: self.epoch, known_before })?;
            self.until_list = COLLECTIONS_BETWEEN_LISTS;
        }
        self.until_list -= 1;
        if is_first {
            usage.passed.clear();
            self.book.begin(&mut self.listed.tasks, &mut self.pieces);
            usage.tasks.extend_from_slice(&self.listed.tasks);
            usage.unreadable = self.listed.unreadable;
            return Ok(());
        }
        let runners_are_told = nanoseconds(Timestamp::now().boottime) < known_before;
        let listed = lists.then_some(self.listed.tasks.as_slice());
        self.book.close(&mut self.pieces, listed, Terms { counted, runners_are_told }, usage);
        usage.placed.sort_by_key(|placed| placed.pid);
        (usage.lost, usage.lost_ns, usage.crowded) = (losses.lost, losses.lost_ns, losses.crowded);
        Ok(())
    }
}

fn piece(pid: u32, place: u32, kind: Kind, task: &record::Task) -> Piece {
    let &record::Task { work, start, cgroup, comm, flags } = task;
    Piece { pid, kind, start, place: u16::try_from(place).unwrap_or(0), work, cgroup, comm, flags }
}

fn is_standstill(last: Option<Timestamp>, at: Timestamp, has_switched: bool) -> bool {
    !has_switched && last.is_some_and(|last| at.since(&last) > LONGEST_STANDSTILL)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The place of each processor, and how many places there are.
fn places(host: &Host, options: &EbpfOptions) -> (Vec<u16>, u32) {
    let most = MOST_PLACES as u16;
    let given = options.places.clone().unwrap_or_else(|| {
        let places = Places::read(host);
        let highest = places.iter().flat_map(|place| &place.processors).max().copied().unwrap_or(0);
        (0..=highest).map(|processor| places.of(processor).unwrap_or(0)).collect()
    });
    // More kinds of processors than the program can tell apart are told apart up to there.
    let places: Vec<u16> = given.into_iter().map(|place| if place < most { place } else { 0 }).collect();
    let count = places.iter().max().map_or(1, |&highest| u32::from(highest) + 1);
    (places, count)
}
