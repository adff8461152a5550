//! Settings of platform power: what the whole machine draws.

use super::Value;
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
}
