//! The settings of platform power.

use super::super::apply::platform as apply;
use super::super::raw_setting::Form;
use super::Effect::{Nothing, Set};
use super::{Setting, key};

pub(super) const REDFISH: Setting = key("experimental.platform.redfish.enabled", Form::Switch, Set(apply::redfish))
    .flag(
        "experimental.platform.redfish.enabled",
        "BOOL",
        "Read what the whole machine draws from its service processor (BMC), over Redfish [default: false]",
    );

pub(super) const NODE_NAME: Setting = key("experimental.platform.redfish.nodeName", Form::Text, Set(apply::node_name))
    .flag(
        "experimental.platform.redfish.node-name",
        "NAME",
        "This node's name in the file of BMCs [default: as --kube.node-name, else the host's]",
    );

pub(super) const BMC_FILE: Setting = key("experimental.platform.redfish.configFile", Form::Text, Set(apply::bmc_file))
    .flag(
        "experimental.platform.redfish.config-file",
        "FILE",
        "The file of BMCs, as Kepler has it: `nodes:` and `bmcs:`",
    );

/// The same under the name that Kepler gave it before v0.11.
pub(super) const NODE_ID: Setting = key("experimental.platform.redfish.nodeID", Form::Text, Set(apply::node_name));

pub(super) const STALENESS: Setting = key(
    "experimental.platform.redfish.staleness",
    Form::Duration,
    Nothing("a scrape never asks a BMC here, so no answer has to be kept for the next scrape"),
);

pub(super) const TIMEOUT: Setting =
    key("experimental.platform.redfish.httpTimeout", Form::Duration, Set(apply::timeout));

pub(super) const IPMI: Setting = key("experimental.platform.ipmi.enabled", Form::Switch, Set(apply::ipmi)).flag(
    "experimental.platform.ipmi.enabled",
    "BOOL",
    "The same over the machine's own interface to its BMC: the DCMI power reading of /dev/ipmi0 [default: false]",
);

pub(super) const IPMI_DEVICE: Setting = key("experimental.platform.ipmi.device", Form::Text, Set(apply::ipmi_device))
    .flag("experimental.platform.ipmi.device", "DEVICE", "The device of that interface [default: /dev/ipmi0]");

pub(super) const IPMI_GPUS: Setting =
    key("experimental.platform.ipmi.containsGpus", Form::Switch, Set(apply::ipmi_gpus));

pub(super) const HWMON: Setting = key("experimental.platform.hwmon.enabled", Form::Switch, Set(apply::hwmon)).flag(
    "experimental.platform.hwmon.enabled",
    "BOOL",
    "The same from the ACPI power meter, else from the input power of all power supplies [default: false]",
);

pub(super) const HWMON_GPUS: Setting =
    key("experimental.platform.hwmon.containsGpus", Form::Switch, Set(apply::hwmon_gpus));

pub(super) const METERS: Setting = key("experimental.platform.external.configFile", Form::Text, Set(apply::meters))
    .flag(
        "experimental.platform.external.config-file",
        "FILE",
        "The same from meters outside of the machine (`meters:`): a query of Prometheus, or a number in a JSON answer",
    );

pub(super) const ATTRIBUTE: Setting = key("experimental.platform.attribute", Form::Text, Set(apply::attribute)).flag(
    "experimental.platform.attribute",
    "POLICY",
    "Whether workloads are charged what the whole machine draws beside processors, memory and accelerators: none, proportional \
     [default: none]",
);
