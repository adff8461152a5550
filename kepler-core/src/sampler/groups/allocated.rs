//! The group of a container that Kubernetes gave a device to.

use super::{GroupIndex, GroupInfo, Groups};
use crate::device::DeviceAllocation;

impl Groups {
    /// The running container of an allocation, where Kubernetes has named it.
    pub(in crate::sampler) fn container_of(&self, allocation: &DeviceAllocation) -> Option<GroupIndex> {
        let is_it = |info: &GroupInfo| match info {
            GroupInfo::Container(container) => {
                let is_in_pod = container
                    .pod
                    .as_ref()
                    .is_some_and(|pod| pod.name == *allocation.pod && pod.namespace == *allocation.namespace);
                is_in_pod && container.name == *allocation.container
            }
            _ => false,
        };
        let mut numbered = self.slots.iter().zip(0u32..).filter_map(|(slot, number)| Some((slot.as_ref()?, number)));
        // One that is about to be retired has no process any more.
        let found = numbered.find(|(group, _)| group.members > 0 && group.is_shown() && is_it(&group.info));
        found.map(|(_, number)| GroupIndex(number))
    }
}
