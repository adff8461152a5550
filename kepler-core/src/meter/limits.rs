//! The most that a zone can plausibly draw, by kind of machine: more was not measured but misread.

use crate::host::Host;
use crate::units::{Power, ZoneKind};

/// Plausible maxima of this machine. Generous: they tell a misread register from a reading, not a good machine from a bad one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    machine: Machine,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Machine {
    /// Runs on a battery.
    Portable,
    /// One mains plug.
    #[default]
    Desktop,
    /// Several power supplies. A node of eight accelerators draws 10 to 15 kW (DGX B200: 14.3 kW, 2024), the next
    /// generation more.
    Server,
}

impl Limits {
    /// Those of the host, by the kind of its chassis (SMBIOS 3.7, 7.4.1). A host that does not say may be a server.
    pub(super) fn of(host: &Host) -> Self {
        let machine = match host.firmware("chassis_type").unwrap_or_default().parse::<u8>() {
            Ok(8..=11 | 14 | 30..=32) => Machine::Portable,
            Ok(3..=7 | 13 | 15 | 16 | 24 | 35 | 36) => Machine::Desktop,
            _ => Machine::Server,
        };
        Limits { machine }
    }

    /// The most a zone of this kind draws.
    pub(super) fn of_kind(self, kind: ZoneKind) -> Power {
        match (kind, self.machine) {
            (ZoneKind::Psys, Machine::Portable) => Power::from_watts(1000.0),
            (ZoneKind::Psys, Machine::Server) => Power::from_watts(40_000.0),
            _ => kind.plausible_maximum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_eight_accelerators_is_believed_and_a_notebook_of_as_much_is_not() {
        let tree = tempfile::tempdir().unwrap();
        let host = Host::default().with_sysfs(tree.path());
        let limit = |chassis: &str| {
            let directory = tree.path().join("class/dmi/id");
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("chassis_type"), chassis).unwrap();
            Limits::of(&host).of_kind(ZoneKind::Psys).watts()
        };
        assert!(limit("23\n") > 14_300.0 && limit("25\n") > 14_300.0, "rack mount, multi-system");
        assert!(limit("10\n") < 11_300.0 && limit("3\n") < 11_300.0, "notebook, desktop");
    }
}
