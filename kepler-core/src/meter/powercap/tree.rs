//! The zones of a powercap tree: which directories there are and what their names mean.

use crate::units::ZoneKind;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Control type, package, subzone: the kernel nests no deeper, and a loop of links must end.
const MAX_DEPTH: u32 = 3;

/// One zone directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The kernel's name for it: `intel-rapl:0:1`.
    pub(super) id: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

impl Entry {
    /// Whether memory-mapped registers drive it: the same counters as those of the MSR-driven tree.
    pub(super) fn is_memory_mapped(&self) -> bool {
        self.id.starts_with("intel-rapl-mmio:")
    }

    /// The zone above a subzone: `intel-rapl:0` of `intel-rapl:0:1`.
    pub(super) fn parent(&self) -> Option<&str> {
        let (parent, _) = self.id.rsplit_once(':')?;
        parent.contains(':').then_some(parent)
    }
}

/// Every RAPL zone under `class` (`<sysfs>/class/powercap`): the MSR-driven ones first, each group by
/// its kernel name.
///
/// The class directory of a running kernel is flat, one link a zone. A copied or partly mounted
/// tree may hold the nested directories only. Both are walked, and a zone found twice counts once.
pub(super) fn entries(class: &Path) -> io::Result<Vec<Entry>> {
    let mut found = BTreeMap::new();
    let mut pending = VecDeque::from([(class.to_path_buf(), 0)]);
    while let Some((directory, depth)) = pending.pop_front() {
        let listing = match fs::read_dir(&directory) {
            Ok(listing) => listing,
            // Only the class directory itself has to be there: below it, what is not there is no zone.
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
        };
        for entry in listing.flatten() {
            let Ok(id) = entry.file_name().into_string() else { continue };
            if !id.starts_with("intel-rapl") || !entry.path().is_dir() {
                continue;
            }
            if depth < MAX_DEPTH {
                pending.push_back((entry.path(), depth + 1));
            }
            // Without a colon it is a control type, which has no counter.
            if id.contains(':') {
                found.entry(id).or_insert_with(|| entry.path());
            }
        }
    }
    let mut entries: Vec<Entry> = found.into_iter().map(|(id, path)| Entry { id, path }).collect();
    entries.sort_by_key(Entry::is_memory_mapped);
    Ok(entries)
}

/// What a zone's `name` file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ZoneName {
    pub(super) kind: ZoneKind,
    pub(super) package: Option<u32>,
    pub(super) die: Option<u32>,
}

impl ZoneName {
    /// Reads `package-0`, `package-0-die-1`, `core`, `uncore`, `dram`, `psys`, `psys-1`: all that
    /// `intel_rapl_common.c` gives. `None` for anything else.
    pub(super) fn parse(name: &str) -> Option<Self> {
        if let Some(package) = name.strip_prefix("package-") {
            let (package, die) = match package.split_once("-die-") {
                Some((package, die)) => (package, Some(die.parse().ok()?)),
                None => (package, None),
            };
            return Some(ZoneName { kind: ZoneKind::Package, package: Some(package.parse().ok()?), die });
        }
        if let Some(package) = name.strip_prefix("psys-") {
            return Some(ZoneName { kind: ZoneKind::Psys, package: Some(package.parse().ok()?), die: None });
        }
        match name {
            "core" => Some(ZoneKind::Core),
            "uncore" => Some(ZoneKind::Uncore),
            "dram" => Some(ZoneKind::Dram),
            "psys" => Some(ZoneKind::Psys),
            _ => None,
        }
        .map(|kind| ZoneName { kind, package: None, die: None })
    }

    /// Whether both are of the same kind and package, whatever the die.
    pub(super) fn counts_same(self, other: ZoneName) -> bool {
        self.kind == other.kind && self.package == other.package
    }

    /// The same zone, on the package and die of its parent.
    pub(super) fn within(self, parent: ZoneName) -> Self {
        ZoneName { package: self.package.or(parent.package), die: self.die.or(parent.die), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_the_kernel_gives_is_understood() {
        let parsed = |name| ZoneName::parse(name).map(|zone| (zone.kind, zone.package, zone.die));
        assert_eq!(parsed("package-1"), Some((ZoneKind::Package, Some(1), None)));
        assert_eq!(parsed("package-0-die-1"), Some((ZoneKind::Package, Some(0), Some(1))));
        assert_eq!(parsed("core"), Some((ZoneKind::Core, None, None)));
        assert_eq!(parsed("uncore"), Some((ZoneKind::Uncore, None, None)));
        assert_eq!(parsed("dram"), Some((ZoneKind::Dram, None, None)));
        assert_eq!(parsed("psys"), Some((ZoneKind::Psys, None, None)));
        assert_eq!(parsed("psys-1"), Some((ZoneKind::Psys, Some(1), None)));
    }

    #[test]
    fn other_names_are_no_zones() {
        for name in ["", "package", "package-", "package-x", "package-0-die-", "gpu", "Core", "dram-0"] {
            assert_eq!(ZoneName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_subzone_has_a_parent_and_a_package_has_none() {
        let entry = |id: &str| Entry { id: id.into(), path: PathBuf::new() };
        assert_eq!(entry("intel-rapl:0:1").parent(), Some("intel-rapl:0"));
        assert_eq!(entry("intel-rapl:0").parent(), None);
    }
}
