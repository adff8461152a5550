//! Trees of files, one a machine: the record, and beside it zones as `/sys/class/powercap` has them.
//!
//! The record is replaced as a whole. A counter is written in one piece where it stands, since readers of RAPL keep its file
//! open; it goes on where an earlier program left it, so that it never falls.

use super::Guest;
use kepler_core::guests::{GuestRecord, GuestZone};
use kepler_core::units::ZoneKind;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const RECORD: &str = "record";
/// The counters of 64 bits come back to zero after centuries.
const RANGE: u64 = 1 << 62;

/// The trees of all machines.
pub(super) struct Trees {
    root: PathBuf,
    open: BTreeMap<String, Tree>,
}

/// The tree of one machine.
struct Tree {
    directory: PathBuf,
    epoch: u64,
    counters: Vec<Counter>,
    fault: Option<String>,
}

/// A zone's file of energy.
struct Counter {
    kind: ZoneKind,
    file: File,
    /// What it showed before this epoch.
    base: u64,
    shown: u64,
}

impl Trees {
    /// # Errors
    /// The directory cannot be made.
    pub(super) fn open(root: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&root)?;
        tracing::info!("virtual machines are shown their energy below {}", root.display());
        Ok(Trees { root, open: BTreeMap::new() })
    }

    /// Shows each machine its record, and removes the trees of those that have ended.
    pub(super) fn show(&mut self, guests: &[Guest<'_>]) {
        self.open.retain(|id, tree| {
            let is_there = guests.iter().any(|guest| guest.id == id);
            if !is_there && let Err(error) = fs::remove_dir_all(&tree.directory) {
                tracing::warn!("{} of a machine that has ended cannot be removed: {error}", tree.directory.display());
            }
            is_there
        });
        for guest in guests {
            let tree = self.open.entry(guest.id.to_owned()).or_insert_with(|| Tree {
                directory: self.root.join(guest.id),
                epoch: 0,
                counters: Vec::new(),
                fault: None,
            });
            let fault = tree.show(guest.record).err().map(|error| error.to_string());
            if let Some(fault) = fault.as_ref().filter(|fault| tree.fault.as_ref() != Some(fault)) {
                tracing::warn!(
                    "virtual machine `{}` is shown nothing in {}: {fault}",
                    guest.id,
                    tree.directory.display()
                );
            }
            tree.fault = fault;
        }
    }
}

impl Tree {
    fn show(&mut self, record: &GuestRecord) -> io::Result<()> {
        let class = self.directory.join("class/powercap");
        for zone in &record.zones {
            let Some((path, name)) = place(zone.kind) else { continue };
            let counter = match self.counters.iter_mut().find(|counter| counter.kind == zone.kind) {
                Some(counter) => counter,
                None => {
                    self.counters.push(Counter::open(zone.kind, &class.join(path), name)?);
                    let Some(counter) = self.counters.last_mut() else { continue };
                    counter
                }
            };
            if self.epoch != record.epoch {
                counter.base = counter.shown;
            }
            counter.show(zone)?;
        }
        self.epoch = record.epoch;
        fs::create_dir_all(&self.directory)?;
        replace(&self.directory, RECORD, &record.render())
    }
}

impl Counter {
    /// Finds or makes a zone's files.
    fn open(kind: ZoneKind, place: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(place)?;
        replace(place, "name", &format!("{name}\n"))?;
        replace(place, "enabled", "1\n")?;
        replace(place, "max_energy_range_uj", &format!("{RANGE}\n"))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o644);
        // No link leads out of the tree.
        let file = options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(place.join("energy_uj"))?;
        let mut before = [0; 24];
        let length = file.read_at(&mut before, 0)?;
        let before = std::str::from_utf8(before.get(..length).unwrap_or_default()).ok();
        let shown = before.and_then(|text| text.trim().parse().ok()).filter(|shown| *shown < RANGE).unwrap_or(0);
        Ok(Counter { kind, file, base: shown, shown })
    }

    fn show(&mut self, zone: &GuestZone) -> io::Result<()> {
        let energy = self.base.saturating_add(zone.energy.microjoules()).min(RANGE - 1).max(self.shown);
        self.shown = energy;
        // It never gets shorter, so nothing of the number before stays behind.
        self.file.write_all_at(format!("{energy}\n").as_bytes(), 0)
    }
}

/// Where powercap has a zone, and by which name.
fn place(kind: ZoneKind) -> Option<(&'static str, &'static str)> {
    match kind {
        ZoneKind::Package => Some(("intel-rapl:0", "package-0")),
        ZoneKind::Core => Some(("intel-rapl:0:0", "core")),
        ZoneKind::Uncore => Some(("intel-rapl:0:1", "uncore")),
        ZoneKind::Dram => Some(("intel-rapl:0:2", "dram")),
        // A machine's share of the platform is charged from the platform as a whole, but no RAPL of a guest has accelerators.
        ZoneKind::Psys => Some(("intel-rapl:1", "psys")),
        _ => None,
    }
}

/// Puts a file in the place of another at once.
fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let draft = directory.join(format!(".{name}.new"));
    fs::write(&draft, text)?;
    fs::rename(draft, directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_core::host::{Host, Timestamp};
    use kepler_core::meter::powercap::Powercap;
    use kepler_core::meter::{EnergyMeter as _, Method, Reading};
    use kepler_core::units::Energy;

    fn record(epoch: u64, sequence: u64, millijoules: u64) -> GuestRecord {
        let mut record = GuestRecord::new("vm-1", epoch);
        record.sequence = sequence;
        let zone = |kind, energy| GuestZone::new(kind, Energy::from_microjoules(energy * 1000), Method::Measured);
        record.zones = vec![zone(ZoneKind::Package, millijoules), zone(ZoneKind::Dram, millijoules / 10)];
        record
    }

    fn show(trees: &mut Trees, record: &GuestRecord) {
        trees.show(&[Guest { id: "vm-1", name: "web", cid: None, record }]);
    }

    #[test]
    fn a_reader_of_rapl_and_of_the_record_see_the_same_and_no_counter_falls_when_the_host_begins_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut trees = Trees::open(directory.path().to_owned()).unwrap();
        show(&mut trees, &record(1, 1, 5000));
        let own = directory.path().join("vm-1");
        let mut meter = Powercap::open(&Host::default().with_sysfs(&own)).unwrap();
        let kinds: Vec<ZoneKind> = meter.zones().iter().map(|zone| zone.kind).collect();
        assert_eq!(kinds, [ZoneKind::Package, ZoneKind::Dram]);
        let mut package = || {
            let mut readings = Vec::new();
            meter.read(Timestamp::now(), &mut readings);
            match &readings[0] {
                Ok(Reading::Counter(energy)) => energy.microjoules() / 1000,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(package(), 5000);
        show(&mut trees, &record(1, 2, 12_000));
        assert_eq!(package(), 12_000, "its file is still open");
        let text = fs::read_to_string(own.join(RECORD)).unwrap();
        assert_eq!(GuestRecord::parse(&text), Ok(record(1, 2, 12_000)));
        drop(trees);
        let mut trees = Trees::open(directory.path().to_owned()).unwrap();
        show(&mut trees, &record(2, 1, 0));
        assert_eq!(package(), 12_000);
        show(&mut trees, &record(2, 2, 70));
        assert_eq!(package(), 12_070);
        trees.show(&[]);
        assert!(!own.exists());
    }

    #[test]
    fn a_link_in_the_place_of_a_counter_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        let place = directory.path().join("guests/vm-1/class/powercap/intel-rapl:0");
        fs::create_dir_all(&place).unwrap();
        std::os::unix::fs::symlink(&victim, place.join("energy_uj")).unwrap();
        let mut trees = Trees::open(directory.path().join("guests")).unwrap();
        show(&mut trees, &record(1, 1, 5000));
        assert_eq!(fs::read_to_string(victim).unwrap(), "mine");
    }
}
