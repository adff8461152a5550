//! Who was given a device by Kubernetes: whose its idle energy is, and that of processes which the driver hides.

use super::super::groups::{GroupIndex, Groups};
use crate::attribution::share::Divider;
use crate::device::{Device, DeviceAllocation, DeviceId, DevicePart};
use crate::units::Energy;

/// What a share of a whole device weighs.
const WHOLE: u64 = 1_000_000;

/// The running containers that have a device, or a part of it.
#[derive(Debug, Default)]
pub(super) struct Holders(Vec<Holder>);

#[derive(Clone, Copy, Debug)]
struct Holder {
    group: GroupIndex,
    part: DevicePart,
}

impl Holders {
    /// Looks for them among the running containers: the kubelet may list devices of pods that have ended, too.
    pub(super) fn find(&mut self, device: &Device, allocations: &[DeviceAllocation], groups: &Groups) {
        self.0.clear();
        for allocation in allocations {
            let Some(part) = DeviceId::of(&allocation.id).names(device) else { continue };
            if let Some(group) = groups.container_of(allocation) {
                self.0.push(Holder { group, part });
            }
        }
    }

    /// The one container that can be using a device, or an instance of it. `None` where there are several or none.
    pub(super) fn only(&self, instance: Option<u32>) -> Option<GroupIndex> {
        let can = |holder: &&Holder| {
            holder.part == DevicePart::Whole || instance.map(DevicePart::Instance) == Some(holder.part)
        };
        let mut found = self.0.iter().filter(can).map(|holder| holder.group);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }

    /// Divides idle energy: of a device among those that have it, in equal parts where it is given out several times;
    /// of a divided one by slices. The rest, of slices that are not allocated, is charged to none.
    pub(super) fn divide_idle(&self, device: &Device, idle: Energy, mut give: impl FnMut(GroupIndex, Energy)) {
        let slices = |part: DevicePart| match part {
            DevicePart::Whole => 1,
            DevicePart::Instance(id) => device
                .instances
                .iter()
                .find(|instance| instance.id == id)
                .map_or(0, |instance| u64::from(instance.slices)),
        };
        let is_divided = self.0.iter().any(|holder| holder.part != DevicePart::Whole);
        let all = if is_divided { u64::from(device.slices.max(1)) } else { 1 };
        let mut divider = Divider::new(idle, all * WHOLE);
        for holder in self.0.iter().filter(|holder| !is_divided || holder.part != DevicePart::Whole) {
            let sharers = self.0.iter().filter(|other| other.part == holder.part).count().max(1) as u64;
            let energy = divider.share(slices(holder.part) * WHOLE / sharers);
            if energy > Energy::ZERO {
                give(holder.group, energy);
            }
        }
    }
}
