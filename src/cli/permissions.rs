//! Capabilities of this process, and what is unavailable without them.

use kepler_core::host::Host;
use serde::Serialize;

/// A Linux capability that matters here (capabilities(7)).
struct Capability {
    /// Its name, for setcap, systemd and Kubernetes (there without `CAP_`).
    name: &'static str,
    /// Its bit in `/proc/self/status`, `CapEff` (`include/uapi/linux/capability.h`).
    bit: u32,
    /// What is lost without it.
    lost: &'static str,
    /// Whether user 0 gets the same as the owner of the files in question.
    root_suffices: bool,
}

const CAPABILITIES: [Capability; 5] = [
    Capability {
        name: "CAP_DAC_READ_SEARCH",
        bit: 2,
        // energy_uj is readable by root only since Linux 5.10 (CVE-2020-8694, "PLATYPUS").
        lost: "energy counters of the powercap tree, which are readable by root only",
        root_suffices: true,
    },
    Capability {
        name: "CAP_SYS_RAWIO",
        bit: 17,
        lost: "energy counters read from model-specific registers",
        root_suffices: false,
    },
    Capability {
        name: SEES_PROCESSES,
        bit: 19,
        lost: "other users' processes' executables (label exe), and virtual machines recognised by their open /dev/kvm",
        root_suffices: false,
    },
    Capability {
        name: "CAP_PERFMON",
        bit: 38,
        lost: "eBPF as a source of CPU time, hardware counters, and energy counters of the perf power PMU while \
               kernel.perf_event_paranoid is above 0",
        root_suffices: false,
    },
    Capability {
        name: "CAP_BPF",
        bit: 39,
        lost: "eBPF as a source of CPU time: processes that come and go between two measurements are then known by \
               their container or unit only",
        root_suffices: false,
    },
];

/// The capability that all else but energy needs.
pub(super) const SEES_PROCESSES: &str = "CAP_SYS_PTRACE";

/// `CAP_SYS_ADMIN` stands in for `CAP_PERFMON` and `CAP_BPF`, which were split from it in Linux 5.8.
const SYS_ADMIN: u32 = 21;

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Permission {
    /// The capability.
    pub(super) capability: &'static str,
    /// Whether it is had, or something that stands in for it; `None` if that is not known.
    pub(super) held: Option<bool>,
    /// What is lost without it.
    pub(super) lost: &'static str,
}

/// The permissions of this process, from `<procfs>/self/status`.
pub(super) fn read(host: &Host) -> Vec<Permission> {
    let status = std::fs::read_to_string(host.procfs().join("self/status")).unwrap_or_default();
    parse(&status)
}

fn parse(status: &str) -> Vec<Permission> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let effective = field("CapEff").and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    // Real, effective, saved and file-system user.
    let user = field("Uid").and_then(|text| text.split_whitespace().nth(1)?.parse::<u32>().ok());
    let permission = |capability: &Capability| {
        let has = |bit: u32| effective.map(|mask| mask & (1 << bit) != 0);
        let admin = capability.bit >= 38 && has(SYS_ADMIN) == Some(true);
        let root = capability.root_suffices && user == Some(0);
        let held = if admin || root { Some(true) } else { has(capability.bit) };
        Permission { capability: capability.name, held, lost: capability.lost }
    };
    CAPABILITIES.iter().map(permission).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(status: &str) -> Vec<Option<bool>> {
        parse(status).into_iter().map(|permission| permission.held).collect()
    }

    #[test]
    fn bits_of_the_effective_set_are_distinguished() {
        let status = "Name:\tkepler\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t0000004000020000\n";
        assert_eq!(held(status), [Some(false), Some(true), Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn root_without_capabilities_still_owns_the_powercap_files() {
        let status = "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000000000\n";
        assert_eq!(held(status), [Some(true), Some(false), Some(false), Some(false), Some(false)]);
    }

    #[test]
    fn the_administrators_capability_stands_in_for_those_split_from_it() {
        let status = "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000200000\n";
        assert_eq!(held(status), [Some(false), Some(false), Some(false), Some(true), Some(true)]);
    }

    #[test]
    fn without_a_status_nothing_is_claimed() {
        assert_eq!(held(""), [None; 5]);
    }
}
