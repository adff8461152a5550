//! The settings of the host's figures inside its guests.

use super::super::apply::passthrough as apply;
use super::super::raw_setting::Form;
use super::Effect::Set;
use super::{Setting, key};

pub(super) const DIRECTORY: Setting = key("passthrough.directory", Form::Text, Set(apply::directory)).flag(
    "passthrough.directory",
    "DIR",
    "Show each virtual machine on this host its own energy: a tree of files like powercap's below DIR, one a machine, to be shared with it read-only",
);

pub(super) const CHANNELS: Setting = key("passthrough.channels", Form::Text, Set(apply::channels)).flag(
    "passthrough.channels",
    "PATH",
    "The same through a virtio-serial channel of each machine: the path of its socket on this host, with {id} or {name} in it",
);

pub(super) const VSOCK: Setting = key("passthrough.vsock", Form::Integer, Set(apply::vsock)).flag(
    "passthrough.vsock",
    "PORT",
    "The same by vsock: machines ask at this port of the host, and are known by their address (CID)",
);

pub(super) const LISTEN: Setting = key("passthrough.listen", Form::Text, Set(apply::listen)).flag(
    "passthrough.listen",
    "PATH",
    "The same by the vsock of Firecracker and Cloud Hypervisor: a socket of each machine at which to listen, with {id} or {name} in it, ending in _PORT",
);

pub(super) const IDLE: Setting = key("passthrough.idle", Form::Text, Set(apply::idle)).flag(
    "passthrough.idle",
    "POLICY",
    "What of this host's idle energy is a machine's: none, proportional (to active energy) [default: none]",
);

pub(super) const SOURCE: Setting = key("passthrough.source", Form::Text, Set(apply::source)).flag(
    "passthrough.source",
    "PATH",
    "Inside a virtual machine: where its host's figures are (a virtio port, a socket, a file `record`, vsock:PORT), before all other meters; without it /dev/virtio-ports/org.kepler.energy.0, where there is one",
);

pub(super) const METADATA: Setting = key("passthrough.cloudMetadata", Form::Switch, Set(apply::metadata)).flag(
    "passthrough.cloud-metadata",
    "BOOL",
    "Inside a virtual machine of Google Cloud, Azure or an older one of AWS: ask its metadata service (169.254.169.254) once for the instance type, which makes the estimate that of this instance",
);
