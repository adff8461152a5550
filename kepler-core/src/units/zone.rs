//! Power zones: the parts of a machine whose energy is told apart.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

/// A power zone, in RAPL's own terms (Linux `Documentation/power/powercap`, Intel SDM vol. 3B 15.10).
///
/// `core` and `uncore` are parts of `package`; `dram` is beside it; `psys` is the whole platform
/// and contains all others, so it is never added to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum ZoneKind {
    /// A processor package: cores, caches, memory controller, and where present the integrated GPU.
    Package,
    /// The cores of a package (power plane 0).
    Core,
    /// What a package holds besides the cores, on clients the integrated GPU (power plane 1).
    Uncore,
    /// The memory attached to a package.
    Dram,
    /// The whole platform (SoC), where the firmware reports it.
    Psys,
}

impl ZoneKind {
    /// All kinds, in the order in which they are exported.
    pub const ALL: [ZoneKind; 5] =
        [ZoneKind::Package, ZoneKind::Core, ZoneKind::Uncore, ZoneKind::Dram, ZoneKind::Psys];

    /// The name used as the `zone` label: lower case, without an index.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ZoneKind::Package => "package",
            ZoneKind::Core => "core",
            ZoneKind::Uncore => "uncore",
            ZoneKind::Dram => "dram",
            ZoneKind::Psys => "psys",
        }
    }
}

impl fmt::Display for ZoneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ZoneKind {
    type Err = ();

    /// Reads a zone's name, upper or lower case.
    fn from_str(name: &str) -> Result<Self, ()> {
        ZoneKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name)).ok_or(())
    }
}

/// One value for each [`ZoneKind`], indexed by it. A fixed array: reading and adding never allocate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct PerZone<T>([T; 5]);

impl<T> PerZone<T> {
    /// Makes each value from its kind.
    pub fn from_fn(mut make: impl FnMut(ZoneKind) -> T) -> Self {
        PerZone(ZoneKind::ALL.map(&mut make))
    }

    /// Each kind with its value, in the order of [`ZoneKind::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (ZoneKind, &T)> {
        ZoneKind::ALL.into_iter().zip(&self.0)
    }

    /// Each kind with its value, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ZoneKind, &mut T)> {
        ZoneKind::ALL.into_iter().zip(&mut self.0)
    }
}

#[allow(clippy::indexing_slicing, reason = "five kinds, five places: the index cannot be out of range")]
impl<T> Index<ZoneKind> for PerZone<T> {
    type Output = T;
    fn index(&self, kind: ZoneKind) -> &T {
        &self.0[kind as usize]
    }
}

#[allow(clippy::indexing_slicing, reason = "five kinds, five places: the index cannot be out of range")]
impl<T> IndexMut<ZoneKind> for PerZone<T> {
    fn index_mut(&mut self, kind: ZoneKind) -> &mut T {
        &mut self.0[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_in_any_case() {
        for kind in ZoneKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(kind.name().to_uppercase().parse(), Ok(kind));
        }
        assert_eq!("gpu".parse::<ZoneKind>(), Err(()));
    }

    #[test]
    fn values_are_found_under_their_kind() {
        let mut names = PerZone::from_fn(ZoneKind::name);
        names[ZoneKind::Dram] = "memory";
        assert_eq!(names[ZoneKind::Dram], "memory");
        assert_eq!(names[ZoneKind::Psys], "psys");
        assert!(names.iter().all(|(kind, name)| *name == kind.name() || kind == ZoneKind::Dram));
    }
}
