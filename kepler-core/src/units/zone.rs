//! Power zones: the parts of a machine whose energy is read separately.

use super::Power;
use std::fmt;
use std::ops::{Add, Index, IndexMut};
use std::str::FromStr;

/// A power zone, in RAPL's own terms (Linux `Documentation/power/powercap`, Intel SDM vol. 3B 15.10).
///
/// `core` and `uncore` are parts of `package`; `dram` is beside it; `psys` is the whole platform
/// and contains all others, so it is never added to them: see [`ZoneKind::addable`]. `gpu` is no zone of RAPL: it is
/// the sum of all [accelerators](crate::device), which stand beside processors and memory. `platform` is none either: what
/// a meter of the [whole machine](crate::platform) shows beyond all of these, where that is to be charged.
///
/// A new kind is added here, at the end of the enum and of [`ZoneKind::ALL`], with its name and, in `addable`, what
/// contains it; everything else goes by [`ZoneKind::ALL`] and [`PerZone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
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
    /// All accelerators of the machine: GPUs and NPUs that have a meter of their own. An integrated GPU is a part of
    /// its package.
    Gpu,
    /// What the whole machine draws beside its parts: fans, disks, network, losses of power supplies. It is there only where it
    /// is to be [charged](crate::platform::PlatformAttribution) to workloads.
    Platform,
}

/// How many kinds there are.
const KINDS: usize = ZoneKind::ALL.len();

impl ZoneKind {
    /// All kinds, in the order in which they are exported.
    pub const ALL: [ZoneKind; 7] = [
        ZoneKind::Package,
        ZoneKind::Core,
        ZoneKind::Uncore,
        ZoneKind::Dram,
        ZoneKind::Psys,
        ZoneKind::Gpu,
        ZoneKind::Platform,
    ];

    /// The kinds that an [`EnergyMeter`](crate::meter::EnergyMeter) reads: all but accelerators and the rest of the machine,
    /// which have meters of their own ([`DeviceMeter`](crate::device::DeviceMeter), [`platform`](crate::platform)).
    pub const METERED: [ZoneKind; 5] =
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
            ZoneKind::Gpu => "gpu",
            ZoneKind::Platform => "platform",
        }
    }

    /// The most that one zone of this kind can plausibly draw: no processor of today reaches it, and no desktop computer
    /// as a whole. More was not drawn but misread.
    #[must_use]
    pub fn plausible_maximum(self) -> Power {
        Power::from_watts(match self {
            ZoneKind::Package | ZoneKind::Core => 1500.0,
            ZoneKind::Uncore | ZoneKind::Dram => 600.0,
            ZoneKind::Psys => 10_000.0,
            ZoneKind::Gpu => crate::device::Device::PLAUSIBLE_MAXIMUM.watts(),
            ZoneKind::Platform => crate::platform::PlatformMeter::PLAUSIBLE_MAXIMUM.watts(),
        })
    }

    /// Of the zones that there are, those whose sum is the machine: none of them contains another.
    ///
    /// `package` (where it is missing `core` and `uncore`), `dram` and `gpu`; `psys` where there is neither of the first
    /// two, and then alone: most platform sensors contain the accelerators, and what may be contained is not added. `platform`
    /// is what is left beside them, so it is added, and `psys`, which contains it in part, is not.
    ///
    /// ```
    /// use kepler_core::units::ZoneKind::{self, Core, Dram, Package, Psys};
    ///
    /// let machine = ZoneKind::addable(|zone| [Package, Core, Dram, Psys].contains(&zone));
    /// let added: Vec<_> = machine.iter().filter(|(_, is_added)| **is_added).map(|(zone, _)| zone).collect();
    /// assert_eq!(added, [Package, Dram]);
    /// ```
    #[must_use]
    pub fn addable(is_there: impl Fn(ZoneKind) -> bool) -> PerZone<bool> {
        ZoneKind::addable_unless_estimated(is_there, |_| false)
    }

    /// The same where it is known which zones are but estimated: `psys` alone where it is measured and the processors
    /// are not. It contains them, so that a measurement of the whole is better than an estimate of a part.
    #[must_use]
    pub fn addable_unless_estimated(
        is_there: impl Fn(ZoneKind) -> bool,
        is_estimated: impl Fn(ZoneKind) -> bool,
    ) -> PerZone<bool> {
        let processors = [ZoneKind::Package, ZoneKind::Core, ZoneKind::Uncore];
        let has_processors = processors.into_iter().any(&is_there);
        let all_estimated = processors.into_iter().filter(|zone| is_there(*zone)).all(&is_estimated);
        let has_rest = is_there(ZoneKind::Platform);
        if is_there(ZoneKind::Psys) && !has_rest && !is_estimated(ZoneKind::Psys) && has_processors && all_estimated {
            return PerZone::from_fn(|zone| zone == ZoneKind::Psys);
        }
        let has_package = is_there(ZoneKind::Package);
        let mut zones = PerZone::from_fn(|zone| {
            is_there(zone)
                && match zone {
                    ZoneKind::Package | ZoneKind::Dram => true,
                    ZoneKind::Core | ZoneKind::Uncore => !has_package,
                    ZoneKind::Platform => true,
                    ZoneKind::Psys | ZoneKind::Gpu => false,
                }
        });
        let has_parts = zones.iter().any(|(_, is_added)| *is_added);
        zones[ZoneKind::Psys] = !has_parts && is_there(ZoneKind::Psys);
        zones[ZoneKind::Gpu] = !zones[ZoneKind::Psys] && is_there(ZoneKind::Gpu);
        zones
    }
}

impl fmt::Display for ZoneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No zone has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no zone `{0}`; there are package, core, uncore, dram, psys, gpu and platform")]
#[non_exhaustive]
pub struct UnknownZoneKind(pub String);

impl FromStr for ZoneKind {
    type Err = UnknownZoneKind;

    /// Reads a zone's name, upper or lower case.
    fn from_str(name: &str) -> Result<Self, UnknownZoneKind> {
        let found = ZoneKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownZoneKind(name.to_owned()))
    }
}

/// One value for each [`ZoneKind`], indexed by it. A fixed array: reading and adding never allocate.
///
/// Serialised as a map by zone name. Zones that are missing when it is read have the default, and names that are
/// not known are passed over: what one version wrote another one reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerZone<T>([T; KINDS]);

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

impl<T: Copy + Add<Output = T>> PerZone<Option<T>> {
    /// The sum of the known values that [may be added](ZoneKind::addable); `None` if there is none.
    #[must_use]
    pub fn total(&self) -> Option<T> {
        let zones = ZoneKind::addable(|zone| self[zone].is_some());
        let added = self.iter().filter(|(zone, _)| zones[*zone]).filter_map(|(_, value)| *value);
        added.reduce(|sum, value| sum + value)
    }
}

#[allow(clippy::indexing_slicing, reason = "as many places as kinds: the index cannot be out of range")]
impl<T> Index<ZoneKind> for PerZone<T> {
    type Output = T;
    fn index(&self, kind: ZoneKind) -> &T {
        &self.0[kind as usize]
    }
}

#[allow(clippy::indexing_slicing, reason = "as many places as kinds: the index cannot be out of range")]
impl<T> IndexMut<ZoneKind> for PerZone<T> {
    fn index_mut(&mut self, kind: ZoneKind) -> &mut T {
        &mut self.0[kind as usize]
    }
}

#[cfg(feature = "serde")]
impl<T: serde::Serialize> serde::Serialize for PerZone<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de, T: serde::Deserialize<'de> + Default> serde::Deserialize<'de> for PerZone<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName<T>(std::marker::PhantomData<T>);

        impl<'de, T: serde::Deserialize<'de> + Default> serde::de::Visitor<'de> for ByName<T> {
            type Value = PerZone<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map by zone name")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<PerZone<T>, A::Error> {
                let mut zones = PerZone::from_fn(|_| T::default());
                while let Some(name) = map.next_key::<String>()? {
                    match name.parse::<ZoneKind>() {
                        Ok(zone) => zones[zone] = map.next_value()?,
                        Err(_) => drop(map.next_value::<serde::de::IgnoredAny>()?),
                    }
                }
                Ok(zones)
            }
        }

        deserializer.deserialize_map(ByName(std::marker::PhantomData))
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
        let error = "npu".parse::<ZoneKind>().unwrap_err().to_string();
        assert!(error.contains("`npu`") && ZoneKind::ALL.iter().all(|kind| error.contains(kind.name())), "{error}");
        assert_eq!(format!("{:>6}|{:<5.2}|", ZoneKind::Dram, ZoneKind::Psys), "  dram|ps   |");
    }

    #[test]
    fn values_are_found_under_their_kind() {
        let mut names = PerZone::from_fn(ZoneKind::name);
        names[ZoneKind::Dram] = "memory";
        assert_eq!(names[ZoneKind::Dram], "memory");
        assert_eq!(names[ZoneKind::Psys], "psys");
        assert!(names.iter().all(|(kind, name)| *name == kind.name() || kind == ZoneKind::Dram));
    }

    #[test]
    fn what_contains_another_is_not_added_to_it() {
        use ZoneKind::{Core, Dram, Gpu, Package, Platform, Psys, Uncore};
        for (there, sum) in [
            (&[(Package, 90), (Core, 60), (Uncore, 5), (Dram, 45), (Psys, 200)][..], Some(135)),
            (&[(Core, 60), (Uncore, 5)], Some(65)),
            (&[(Psys, 200)], Some(200)),
            (&[(Psys, 200), (Dram, 45)], Some(45)),
            (&[(Package, 90), (Dram, 45), (Psys, 500), (Gpu, 300)], Some(435)),
            (&[(Psys, 500), (Gpu, 300)], Some(500)),
            (&[(Gpu, 300)], Some(300)),
            (&[(Package, 90), (Dram, 45), (Psys, 500), (Gpu, 300), (Platform, 150)], Some(585)),
            (&[(Psys, 200), (Gpu, 300), (Platform, 450)], Some(750)),
            (&[], None),
        ] {
            let mut zones = PerZone::<Option<u64>>::default();
            there.iter().for_each(|&(zone, value)| zones[zone] = Some(value));
            assert_eq!(zones.total(), sum, "{there:?}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn zones_are_written_by_name_and_those_of_other_versions_do_no_harm() {
        let zones = PerZone::from_fn(|zone| zone as u64);
        let text = serde_json::to_string(&zones).unwrap();
        assert_eq!(text, r#"{"package":0,"core":1,"uncore":2,"dram":3,"psys":4,"gpu":5,"platform":6}"#);
        assert_eq!(serde_json::from_str::<PerZone<u64>>(&text).unwrap(), zones);
        let newer = serde_json::from_str::<PerZone<u64>>(r#"{"npu":{"0":9},"dram":3}"#).unwrap();
        assert_eq!((newer[ZoneKind::Dram], newer[ZoneKind::Package]), (3, 0));
    }
}
