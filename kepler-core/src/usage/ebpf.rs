//! CPU time from the scheduler itself: a small BPF program records every context switch in the kernel.
//!
//! **What it gives.** Each process's time on a processor, to the nanosecond, by CPU domain (package and core
//! type); of processes that started and exited between two collections as well, by command name and cgroup;
//! and where the processor has counters, cycles, instructions and misses of the last-level cache.
//! Only processes that ran since the last collection are reported: the others cost nothing.
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
//! grows. Work that does not fit into the table of processes is recorded by command name, and what does not
//! fit there either is counted in [`Usage::lost`].
//!
//! **Cost**: one table look-up a switch; see `docs/performance.md`.
//!
//! ```
//! use kepler_core::host::{Host, Timestamp};
//! use kepler_core::usage::ebpf::{Ebpf, EbpfOptions};
//! use kepler_core::usage::{Usage, UsageSource};
//!
//! match Ebpf::open(&Host::default(), &EbpfOptions::default()) {
//!     Ok(mut source) => {
//!         let mut usage = Usage::default();
//!         source.collect(Timestamp::now(), &mut usage)?;
//!         println!("{} processes ran", usage.tasks.len());
//!     }
//!     Err(unavailable) => println!("{unavailable}; {:?}", unavailable.remedy),
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

mod counters;
mod load;
mod reconciler;
mod record;
mod runners;
mod table;

pub use counters::Counting;

use super::{CgroupId, ShortLivedWork, Usage, UsageSource, clock, files};
use crate::availability::{Remedy, Root, Unavailable};
use crate::host::{CpuDomains, Host, Timestamp};
use counters::Counters;
use load::Program;
use reconciler::{Kind, Slice, SliceContext, SliceReconciler};
use record::{Control, Cpu, MOST_DOMAINS, RawWork};
use runners::Runners;
use std::io;
use std::time::Duration;

/// The `source` label of this source.
const SOURCE: &str = "ebpf";

/// Sizes of the kernel's tables, and what to count. The default suits any host.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EbpfOptions {
    /// Processes that may work between two collections (times the domains they work on) and still be reported by
    /// number; two tables of this size. Default 16,384.
    pub processes: u32,
    /// Known processes that may end between two collections and still be reported by number. Default 8,192.
    pub ended: u32,
    /// Pairs of command name and cgroup that may come and go between two collections. Default 8,192.
    pub commands: u32,
    /// Which events to count.
    pub counting: Counting,
    /// The domain of each processor, by its number; those beyond the list are in domain 0. `None`: by package
    /// and core type, [`CpuDomains`].
    pub domains: Option<Vec<u16>>,
}

impl EbpfOptions {
    /// These options with a change, as in `EbpfOptions::default().with(|options| options.counting = Counting::Nothing)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for EbpfOptions {
    fn default() -> Self {
        EbpfOptions { processes: 16_384, ended: 8_192, commands: 8_192, counting: Counting::Hardware, domains: None }
    }
}

/// A process that has not been switched from yet may be reported only while the kernel is sure to report its exit: if it
/// was born before this much after the beginning of the epoch.
const GRACE: Duration = Duration::from_millis(10);

/// Collections after which all processes are listed again, in case an exit was not reported.
const COLLECTIONS_BETWEEN_LISTS: u32 = 200;

/// Changes that room is reserved for at the start, so that an ordinary collection allocates nothing.
const ROOM: usize = 1024;

/// An interval in which no processor has switched at all, ours included, is none: the program is gone.
const LONGEST_STANDSTILL: Duration = Duration::from_secs(1);

/// Reads what the BPF program recorded.
pub struct Ebpf {
    program: Program,
    counters: Counters,
    runners: Runners,
    /// Lists all processes, with their CPU time until now.
    listing: Box<dyn UsageSource>,
    listed: Usage,
    reconciler: SliceReconciler,
    slices: Vec<Slice>,
    /// The processors as they were when the current epoch began.
    cpus: Vec<Cpu>,
    /// The same at the collection before: what they lost until then has been reported.
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
        let (domains, count) = domains(host, options);
        // Which events are counted is fixed when the program is loaded.
        let counters = Counters::open(host, options.counting);
        let mut program = Program::load(host, options, count, counters.mask())?;
        let start = |program: &mut Program, counters: &Counters| {
            program.cpus.write(|number, cpu| cpu.domain = domains.get(number).copied().map_or(0, u64::from))?;
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
            reconciler: SliceReconciler::with_room(ROOM),
            slices: Vec::with_capacity(ROOM),
            cpus: Vec::new(),
            before: Vec::new(),
            epoch: 0,
            last: None,
            until_list: 0,
        })
    }

    /// The processes whose exit has begun and is not reported yet, by number. Where nothing exits there are none.
    ///
    /// # Errors
    /// When the kernel's table cannot be read.
    pub fn exiting(&self) -> io::Result<Vec<u32>> {
        self.program.dying.keys()
    }

    /// Begins a new epoch, and waits until no processor writes to the tables of the one before any more.
    fn turn(&mut self, known_before: u64) -> io::Result<()> {
        self.epoch += 1;
        self.program.control.write(0, &Control { epoch: self.epoch, known_before })?;
        self.cpus.clear();
        // A switch is recorded within a microsecond, unless a hypervisor takes the processor away meanwhile: then what
        // that switch records is found next time, or at worst lost.
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
        let Ebpf { program, slices, epoch, .. } = self;
        let [even, odd] = &mut program.sets;
        let set = if epoch.is_multiple_of(2) { odd } else { even };
        set.tasks.drain(|key, task| slices.push(slice(key.pid, key.domain, Kind::Alive, task)))?;
        set.ended.drain(|key, task| slices.push(slice(key.pid, key.domain, Kind::Ended, task)))?;
        set.groups.drain(|key, group| {
            usage.short_lived.push(ShortLivedWork {
                comm: key.comm,
                cgroup: CgroupId(key.cgroup),
                domain: u16::try_from(key.domain).unwrap_or(0),
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
            self.slices.push(Slice::open(pid, u16::try_from(cpu.domain).unwrap_or(0), work));
        }
    }

    /// What the processors had no room for, or could not read, since the collection before.
    fn losses(&mut self) -> Losses {
        let mut losses = Losses::default();
        for (number, now) in self.cpus.iter().enumerate() {
            let before = self.before.get(number).copied().unwrap_or_default();
            losses.lost += now.lost - before.lost;
            losses.lost_ns += now.lost_ns - before.lost_ns;
            losses.overflowed += now.overflowed - before.overflowed;
            losses.has_unreported |= now.unreported > before.unreported;
            losses.has_switched |= now.recorded > before.recorded;
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
    overflowed: u64,
    has_unreported: bool,
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
        usage.reports.reserve(ROOM);
        usage.by_domain.reserve(ROOM);
        usage.short_lived.reserve(ROOM);
        let is_first = self.last.is_none();
        let mut lists = self.until_list == 0;
        let known_before = nanoseconds(Timestamp::now().boottime + GRACE);
        // While all processes are listed, none may exit unreported.
        self.turn(if lists { u64::MAX } else { known_before })?;
        let losses = self.losses();
        if is_standstill(self.last.replace(at), at, losses.has_switched) {
            return Err(io::Error::other("the BPF program no longer sees context switches"));
        }
        // Counters that were missing for a while have missed work.
        let counted = if losses.has_unread { 0 } else { self.counters.mask() };
        self.drain(counted, usage)?;
        self.count_open();
        lists |= losses.has_unreported;
        if lists {
            if losses.has_unreported {
                self.program.control.write(0, &Control { epoch: self.epoch, known_before: u64::MAX })?;
            }
            self.listing.collect(at, &mut self.listed)?;
            let known_before = nanoseconds(Timestamp::now().boottime + GRACE);
            self.program.control.write(0, &Control { epoch: self.epoch, known_before })?;
            self.until_list = COLLECTIONS_BETWEEN_LISTS;
        }
        self.until_list -= 1;
        if is_first {
            usage.short_lived.clear();
            self.reconciler.begin(&mut self.listed.tasks, &mut self.slices);
            usage.tasks.extend_from_slice(&self.listed.tasks);
            usage.unreadable = self.listed.unreadable;
            return Ok(());
        }
        let exits_are_reported = nanoseconds(Timestamp::now().boottime) < known_before;
        let listed = lists.then_some(self.listed.tasks.as_slice());
        self.reconciler.close(&mut self.slices, listed, SliceContext { counted, exits_are_reported }, usage);
        usage.by_domain.sort_by_key(|work| work.pid);
        (usage.lost, usage.lost_ns, usage.overflowed) = (losses.lost, losses.lost_ns, losses.overflowed);
        Ok(())
    }
}

fn slice(pid: u32, domain: u32, kind: Kind, task: &record::Task) -> Slice {
    let &record::Task { work, start, cgroup, comm, flags } = task;
    Slice { pid, kind, start, domain: u16::try_from(domain).unwrap_or(0), work, cgroup, comm, flags }
}

fn is_standstill(last: Option<Timestamp>, at: Timestamp, has_switched: bool) -> bool {
    !has_switched && last.is_some_and(|last| at.since(&last) > LONGEST_STANDSTILL)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The domain of each processor, and how many domains there are.
fn domains(host: &Host, options: &EbpfOptions) -> (Vec<u16>, u32) {
    let most = MOST_DOMAINS as u16;
    let given = options.domains.clone().unwrap_or_else(|| {
        let domains = CpuDomains::read(host);
        let highest = domains.iter().flat_map(|domain| &domain.processors).max().copied().unwrap_or(0);
        (0..=highest).map(|processor| domains.of(processor).unwrap_or(0)).collect()
    });
    // Domains beyond the program's maximum are not distinguished.
    let domains: Vec<u16> = given.into_iter().map(|domain| if domain < most { domain } else { 0 }).collect();
    let count = domains.iter().max().map_or(1, |&highest| u32::from(highest) + 1);
    (domains, count)
}
