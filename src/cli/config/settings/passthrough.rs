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

pub(super) const IDLE: Setting = key("passthrough.idle", Form::Text, Set(apply::idle)).flag(
    "passthrough.idle",
    "POLICY",
    "What of this host's idle energy is a machine's: none, proportional (to active energy) [default: none]",
);

pub(super) const SOURCE: Setting = key("passthrough.source", Form::Text, Set(apply::source)).flag(
    "passthrough.source",
    "PATH",
    "Inside a virtual machine: where its host's figures are (a virtio port, a socket, a file `record`), before all other meters; without it /dev/virtio-ports/org.kepler.energy.0, where there is one",
);
