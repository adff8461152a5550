//! A powercap tree, still or driven by the machine's real CPU use.

use crate::host::{BusyTime, Host, Timestamp};
use crate::units::{Energy, Power};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a counter can hold before it returns to zero: 2^32 units of 61.035 µJ, as Intel's packages.
const MAX_RANGE: u64 = 262_143_328_850;

/// A directory that looks like `/sys` of a machine with RAPL.
#[derive(Debug)]
pub struct PowercapTree {
    sysfs: PathBuf,
    zones: BTreeMap<String, Counter>,
}

#[derive(Debug)]
struct Counter {
    directory: PathBuf,
    file: File,
    /// Everything drawn; the file holds this modulo the range.
    total: u64,
    modulus: u64,
}

impl PowercapTree {
    /// An empty tree under `root`, which is created.
    ///
    /// # Errors
    /// When the directories cannot be made.
    pub fn create(root: impl AsRef<Path>) -> io::Result<Self> {
        let sysfs = root.as_ref().join("sys");
        fs::create_dir_all(sysfs.join("class/powercap"))?;
        fs::create_dir_all(sysfs.join("devices/virtual/powercap/intel-rapl"))?;
        Ok(PowercapTree { sysfs, zones: BTreeMap::new() })
    }

    /// The simulated sysfs.
    #[must_use]
    pub fn sysfs(&self) -> &Path {
        &self.sysfs
    }

    /// This machine with the simulated sysfs: real processes, real cgroups, simulated meters.
    #[must_use]
    pub fn host(&self) -> Host {
        let real = Host::default();
        let cgroup = real.cgroup().to_owned();
        real.with_sysfs(&self.sysfs).with_cgroup(cgroup)
    }

    /// Adds a zone called `name` (`package-0`, `dram`, …) as `entry` (`intel-rapl:0`, `intel-rapl:0:1`), its
    /// counter at `start` of at most 262,143 J.
    ///
    /// # Errors
    /// When its files cannot be made.
    pub fn add_zone(&mut self, entry: &str, name: &str, start: Energy) -> io::Result<()> {
        let control_type = self.sysfs.join("devices/virtual/powercap/intel-rapl");
        // A subzone's directory lies in its parent's, as in a real tree.
        let directory = match entry.match_indices(':').nth(1) {
            Some((end, _)) => control_type.join(entry.get(..end).unwrap_or_default()).join(entry),
            None => control_type.join(entry),
        };
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("name"), format!("{name}\n"))?;
        fs::write(directory.join("enabled"), "1\n")?;
        fs::write(directory.join("max_energy_range_uj"), format!("{MAX_RANGE}\n"))?;
        fs::write(directory.join("energy_uj"), format!("{}\n", start.microjoules()))?;
        // As the kernel has it: from the link's own folder, wherever the tree is seen from.
        let device = directory.strip_prefix(&self.sysfs).unwrap_or(&directory);
        symlink(Path::new("../..").join(device), self.sysfs.join("class/powercap").join(entry))?;
        let file = File::options().write(true).open(directory.join("energy_uj"))?;
        let modulus = MAX_RANGE + 61;
        self.zones.insert(entry.to_owned(), Counter { directory, file, total: start.microjoules(), modulus });
        Ok(())
    }

    /// The directory of a zone.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] for an entry that was not added.
    pub fn zone(&self, entry: &str) -> io::Result<&Path> {
        self.zones.get(entry).map(|zone| zone.directory.as_path()).ok_or_else(|| no_such_zone(entry))
    }

    /// The zone draws energy: its counter rises, and wraps at its end.
    ///
    /// # Errors
    /// For an entry that was not added, or when its file cannot be written.
    pub fn draw(&mut self, entry: &str, energy: Energy) -> io::Result<()> {
        let zone = self.zones.get_mut(entry).ok_or_else(|| no_such_zone(entry))?;
        zone.total += energy.microjoules();
        zone.show(zone.total % zone.modulus)
    }

    /// The zone's counter loses its state and stands at `value`.
    ///
    /// # Errors
    /// For an entry that was not added, or when its file cannot be written.
    pub fn reset(&mut self, entry: &str, value: Energy) -> io::Result<()> {
        let zone = self.zones.get_mut(entry).ok_or_else(|| no_such_zone(entry))?;
        zone.total = value.microjoules();
        zone.show(zone.total)
    }

    /// From now on the counters follow the machine's real CPU use, each by its model, every `step`, until
    /// the driver is dropped.
    ///
    /// # Errors
    /// For an entry that was not added, when the real `/proc/stat` cannot be read, or no thread started.
    pub fn drive(self, models: &[(&str, PowerModel)], step: Duration) -> io::Result<Driver> {
        let followed = self.follow(models)?;
        let host = followed.host();
        let (stop, followed) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(followed)));
        let thread = std::thread::Builder::new().name("simulated-host".into()).spawn({
            let (stop, followed) = (Arc::clone(&stop), Arc::clone(&followed));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(step);
                    // What cannot be read now is read with the next step.
                    let _ = lock(&followed).advance(Timestamp::now());
                }
            }
        })?;
        Ok(Driver { host, followed, stop, thread: Some(thread) })
    }

    /// The counters follow the machine's real CPU use, each by its model, up to each moment that they are
    /// [told](FollowedTree::advance). Who measures at that same moment, on [that host](FollowedTree::host), sees the very
    /// CPU use from which the counters were made, whatever the machine does meanwhile.
    ///
    /// # Errors
    /// For an entry that was not added, or when the real `/proc/stat` cannot be read.
    pub fn follow(self, models: &[(&str, PowerModel)]) -> io::Result<FollowedTree> {
        for (entry, _) in models {
            self.zone(entry)?;
        }
        let models = models.iter().map(|(entry, model)| ((*entry).to_owned(), *model, Energy::ZERO)).collect();
        let (host, start) = (self.host(), Timestamp::now());
        let mut busy_time = BusyTime::default();
        busy_time.advance(host.cpu_times(start).map_err(io::Error::other)?.times, start);
        Ok(FollowedTree { host, start, last: start, busy_time, busy: Duration::ZERO, models, tree: self })
    }
}

/// A simulated tree whose counters follow the machine's real CPU use.
#[derive(Debug)]
pub struct FollowedTree {
    host: Host,
    start: Timestamp,
    last: Timestamp,
    busy_time: BusyTime,
    busy: Duration,
    /// Entry, model, and what was drawn.
    models: Vec<(String, PowerModel, Energy)>,
    tree: PowercapTree,
}

impl FollowedTree {
    /// This machine with the simulated meters.
    #[must_use]
    pub fn host(&self) -> Host {
        self.host.clone()
    }

    /// The counters show what was drawn until `at`. Moments must not go back.
    ///
    /// # Errors
    /// When the real `/proc/stat` cannot be read, or a counter not be written; the next call makes up for it.
    pub fn advance(&mut self, at: Timestamp) -> io::Result<()> {
        let times = self.host.cpu_times(at).map_err(io::Error::other)?.times;
        self.busy += self.busy_time.advance(times, at).map_or(Duration::ZERO, |window| window.busy);
        self.last = at;
        let elapsed = at.since(&self.start);
        for (entry, model, drawn) in &mut self.models {
            let due = model.energy(elapsed, self.busy);
            self.tree.draw(entry, due - *drawn)?;
            *drawn = due.max(*drawn);
        }
        Ok(())
    }

    /// Interferes with the tree.
    pub fn tree(&mut self) -> &mut PowercapTree {
        &mut self.tree
    }

    /// Time since the start and the node's busy CPU time in it, as the counters show them.
    #[must_use]
    pub fn truth(&self) -> (Duration, Duration) {
        (self.last.since(&self.start), self.busy)
    }
}

/// A panic elsewhere leaves counters that the next step puts right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counter {
    /// Writes in place, as the kernel's file would change under an open descriptor. A longer number's
    /// tail may stay behind the line's end, where no reader looks.
    fn show(&self, value: u64) -> io::Result<()> {
        self.file.write_all_at(format!("{value}\n").as_bytes(), 0)
    }
}

fn no_such_zone(entry: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("the simulated tree has no zone {entry}"))
}

/// Power as a function of use: `idle + per_cpu · busy CPUs`.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a line has two parameters")]
pub struct PowerModel {
    /// Drawn always.
    pub idle: Power,
    /// Drawn by each busy CPU on top.
    pub per_cpu: Power,
}

impl PowerModel {
    /// The energy of `elapsed` with `busy` CPU time in it.
    #[must_use]
    pub fn energy(&self, elapsed: Duration, busy: Duration) -> Energy {
        self.idle * elapsed + self.per_cpu * busy
    }
}

/// Keeps a simulated tree going. Dropping it stops the counters where they are.
#[derive(Debug)]
pub struct Driver {
    host: Host,
    followed: Arc<Mutex<FollowedTree>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    /// This machine with the simulated meters.
    #[must_use]
    pub fn host(&self) -> Host {
        self.host.clone()
    }

    /// Time since the start, and the node's busy CPU time up to the last step.
    #[must_use]
    pub fn truth(&self) -> (Duration, Duration) {
        let followed = lock(&self.followed);
        (Timestamp::now().since(&followed.start), followed.busy)
    }

    /// Interferes with the tree.
    pub fn with_tree<T>(&self, change: impl FnOnce(&mut PowercapTree) -> T) -> T {
        change(&mut lock(&self.followed).tree)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
