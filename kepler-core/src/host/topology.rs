//! The node's processors: model, packages, cores.

use super::Host;
use super::file::{self, FileLimits};
use procfs_core::{CpuInfo, FromBufRead};
use std::fs;

/// A kilobyte or two a processor.
const LONGEST: FileLimits = FileLimits::bytes(64 << 20);

/// One logical processor, as `/proc/cpuinfo` describes it. Unknown fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Processor {
    /// Logical number, as in `cpu0`.
    pub number: u32,
    /// Maker: `GenuineIntel`, `AuthenticAMD`; on Arm the implementer code.
    pub vendor_id: String,
    /// CPU family in the maker's numbering, where given.
    pub family: Option<u32>,
    /// Model within the family, where given.
    pub model: Option<u32>,
    /// Marketing name; on POWER its `cpu` (`POWER9, altivec supported`).
    pub model_name: String,
    /// Package (socket) number.
    pub physical_id: u32,
    /// Core number within the package.
    pub core_id: u32,
}

/// All processors of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Topology {
    /// Every online logical processor, by number.
    pub processors: Vec<Processor>,
    /// Whether the kernel says that it runs under a hypervisor (`hypervisor` CPU flag).
    pub virtualised: bool,
}

impl Topology {
    /// Reads `/proc/cpuinfo`, and where that says nothing of packages (Arm), sysfs. A host that
    /// shows neither has an empty topology: nothing here is an error.
    #[must_use]
    pub fn read(host: &Host) -> Self {
        let text = file::read(&host.procfs().join("cpuinfo"), LONGEST).unwrap_or_default();
        let mut topology = parse(&text);
        for processor in &mut topology.processors {
            let place = host.sysfs().join(format!("devices/system/cpu/cpu{}/topology", processor.number));
            let number = |file: &str| -> Option<u32> { fs::read_to_string(place.join(file)).ok()?.trim().parse().ok() };
            if let Some(package) = number("physical_package_id") {
                processor.physical_id = package;
            }
            if let Some(core) = number("core_id") {
                processor.core_id = core;
            }
        }
        topology
    }

    /// The packages, each with the lowest-numbered processor on it, by package number.
    #[must_use]
    pub fn packages(&self) -> Vec<(u32, u32)> {
        let mut packages: Vec<(u32, u32)> =
            self.processors.iter().map(|processor| (processor.physical_id, processor.number)).collect();
        packages.sort_unstable();
        packages.dedup_by_key(|(package, _)| *package);
        packages
    }
}

fn parse(text: &[u8]) -> Topology {
    // An empty file is one without processors to us, and a fault to the parser.
    let Ok(info) = CpuInfo::from_buf_read(text) else { return Topology::default() };
    let mut topology = Topology::default();
    for index in 0..info.num_cores() {
        let field = |name: &str| info.get_field(index, name);
        let number = |name: &str| field(name)?.parse().ok();
        let Some(processor) = number("processor") else { continue };
        topology.processors.push(Processor {
            number: processor,
            vendor_id: field("vendor_id").or_else(|| field("CPU implementer")).unwrap_or_default().to_owned(),
            family: number("cpu family"),
            model: number("model"),
            model_name: field("model name").or_else(|| field("cpu")).unwrap_or_default().to_owned(),
            physical_id: number("physical id").unwrap_or_default(),
            core_id: number("core id").unwrap_or_default(),
        });
        let flags = field("flags").unwrap_or_default();
        topology.virtualised |= flags.split_whitespace().any(|flag| flag == "hypervisor");
    }
    topology
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_SOCKETS: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu vme\n\nprocessor\t: 1\nphysical id\t: 1\ncore id\t\t: 0\n\nprocessor\t: 2\nphysical id\t: 0\ncore id\t\t: 1\n";

    #[test]
    fn each_package_is_represented_by_its_first_processor() {
        let topology = parse(TWO_SOCKETS.as_bytes());
        assert_eq!(topology.packages(), [(0, 0), (1, 1)]);
        assert_eq!(topology.processors[0].family, Some(6));
        assert_eq!(topology.processors[0].model, Some(143));
        assert!(!topology.virtualised);
    }

    #[test]
    fn a_file_that_is_no_cpuinfo_has_no_processors() {
        for text in
            ["", "\n", "\n\n\n", "processor", "processor\t:", "processor\t: x\n", ":::\n", "Hardware\t: BCM2835\n"]
        {
            assert_eq!(parse(text.as_bytes()), Topology::default(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>, lines in "(processor|flags|physical id|\\n|:|\t| |[0-9]{1,12}){0,40}") {
            let _ = parse(&text);
            let _ = parse(lines.as_bytes());
        }
    }

    #[test]
    fn this_machine_has_a_processor() {
        let topology = Topology::read(&Host::default());
        assert!(!topology.processors.is_empty());
    }

    #[test]
    fn a_host_that_shows_nothing_has_an_empty_topology() {
        let host = Host::default().with_procfs("/nonexistent").with_sysfs("/nonexistent");
        assert_eq!(Topology::read(&host), Topology::default());
    }
}
