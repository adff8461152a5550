//! Settings of platform power: what the whole machine draws.

use super::Value;
use kepler_core::platform::PlatformAttribution;
use std::path::PathBuf;
use std::time::Duration;

/// Where the power of the whole machine is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlatformSettings {
    /// This node's service processor over the network.
    pub(crate) redfish: RedfishSettings,
    /// The same over the machine's own interface to it.
    pub(crate) ipmi: LocalSettings,
    /// The device of that interface, if not the first.
    pub(crate) ipmi_device: Option<PathBuf>,
    /// The ACPI power meter or the power supplies.
    pub(crate) hwmon: LocalSettings,
    /// The file of meters outside of the machine.
    pub(crate) meters: Option<Value>,
    /// Whether what the whole machine draws beside its parts is charged to workloads.
    pub(crate) attribute: PlatformAttribution,
}

/// A meter of the machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LocalSettings {
    /// Whether it is read.
    pub(crate) enabled: bool,
    /// Whether its figure lacks what accelerators draw.
    pub(crate) without_gpus: bool,
}

/// Platform power over Redfish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RedfishSettings {
    /// Whether it is read.
    pub(crate) enabled: bool,
    /// This node's name in the file of BMCs, if not the usual one.
    pub(crate) node_name: Option<String>,
    /// The file of BMCs.
    pub(crate) file: Option<Value>,
    /// How long a request may take; as long as the BMC needs, within limits, if not given.
    pub(crate) timeout: Option<Duration>,
}

impl PlatformSettings {
    /// Whether any meter is read.
    pub(crate) const fn is_any(&self) -> bool {
        self.redfish.enabled || self.ipmi.enabled || self.hwmon.enabled || self.meters.is_some()
    }
    /// How workloads are charged what the machine draws beside its parts, in a sentence, where they are.
    pub(crate) fn charges(&self) -> Option<&'static str> {
        let proportional = "proportional: what the machine draws beside processors, memory and accelerators is charged to \
                            those who use these, as the zone `platform`";
        let is_charged = self.attribute != PlatformAttribution::None;
        self.attribution_without_meter().or(is_charged.then_some(proportional))
    }

    /// What to say where the rest of the machine is to be charged, and nothing shows it.
    pub(crate) fn attribution_without_meter(&self) -> Option<&'static str> {
        let is_without = self.attribute != PlatformAttribution::None && !self.is_any();
        is_without.then_some(
            "no meter of the whole machine is configured, so that nothing of it is charged to workloads; enable one \
             (`experimental.platform.redfish`, `.ipmi`, `.hwmon` or `.external`), or leave \
             `experimental.platform.attribute` at `none`",
        )
    }
}
