//! Settings of the host's figures inside its guests.

use super::Value;
use kepler_core::guests::GuestIdle;
use kepler_core::meter::host::HostRoute;
use std::path::PathBuf;

/// What is passed on to virtual machines, and what comes from their host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PassthroughSettings {
    /// Below this directory each machine has a tree of its own.
    pub(crate) directory: Option<PathBuf>,
    /// The sockets of the machines' virtio-serial channels: a path with `{id}` or `{name}`.
    pub(crate) channels: Option<Value>,
    /// The port of vsock at which machines may ask.
    pub(crate) vsock: Option<u32>,
    /// The sockets to which machines' monitors bring what comes by a vsock of their own: a path with `{id}` or `{name}`.
    pub(crate) listen: Option<Value>,
    /// What of the idle energy is a machine's.
    pub(crate) idle: GuestIdle,
    /// Inside a machine: whether its cloud's metadata service is asked for the instance type.
    pub(crate) metadata: bool,
    /// Inside a machine: where the host's figures are.
    pub(crate) source: Option<HostRoute>,
}

impl PassthroughSettings {
    /// Whether anything is passed on.
    pub(crate) const fn is_any(&self) -> bool {
        self.directory.is_some() || self.channels.is_some() || self.vsock.is_some() || self.listen.is_some()
    }
}
