//! Parts of a device that work by themselves (MIG), and how the users' shares of a device were found.

use std::fmt;
use std::sync::Arc;

/// A part of a device with processors and memory of its own: a GPU instance of NVIDIA's MIG.
///
/// Its energy is not measured: a device has one counter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeviceInstance {
    /// Its number in the device: `GPU_I_ID` of DCGM, `gi1` of GKE.
    pub id: u32,
    /// `MIG-…`; several where it is divided further into compute instances.
    pub uuids: Vec<Arc<str>>,
    /// `1g.10gb`, as `nvidia-smi` calls it; empty where that is not known.
    pub profile: Arc<str>,
    /// How many of the device's slices of processors it has.
    pub slices: u32,
    /// The number of its profile, and the first slice of memory that it has: what claims of Kubernetes name it by. Drivers tell it
    /// to the administrator alone.
    pub placement: Option<(u32, u32)>,
}

impl DeviceInstance {
    /// An instance of this many slices.
    #[must_use]
    pub fn new(id: u32, slices: u32) -> Self {
        DeviceInstance { id, uuids: Vec::new(), profile: Arc::from(""), slices, placement: None }
    }

    /// This instance with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// How it was found what each user had of a device, the best way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SharesBy {
    /// The driver says how long each process kept the device busy.
    Utilisation,
    /// The activity of each instance (MIG) by its slices; the processes of one instance share alike.
    InstanceActivity,
    /// The slices of each instance (MIG) that has processes, since their activity is not known; the processes of one instance share
    /// alike.
    InstanceSlices,
    /// The driver hides the processes: all of it went to the one container that Kubernetes gave the device, or the instance, to.
    Allocation,
}

impl SharesBy {
    /// `utilisation`, `instance_activity`, `instance_slices` or `allocation`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SharesBy::Utilisation => "utilisation",
            SharesBy::InstanceActivity => "instance_activity",
            SharesBy::InstanceSlices => "instance_slices",
            SharesBy::Allocation => "allocation",
        }
    }

    /// The weaker of two, which is that of a sum.
    #[must_use]
    pub fn weaker(self, other: Self) -> Self {
        self.max(other)
    }
}

impl fmt::Display for SharesBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
