//! Which container Kubernetes gave which device: [`DeviceAllocation`], and how the devices are named there: [`DeviceId`].
//!
//! Plugins of Kubernetes name devices each in its own way. Seen (2026):
//!
//! | identifier | what it names | by |
//! |---|---|---|
//! | `GPU-4f1c…` | a device | NVIDIA's device plugin |
//! | `GPU-4f1c…::3` | a replica of it (time-slicing, MPS) | the same |
//! | `MIG-9e1f…`, `MIG-GPU-4f1c…/1/0` | an instance; of drivers before R470 | the same |
//! | `nvidia0`, `nvidia0/vgpu1` | the device `/dev/nvidia0`; a share of it | GKE's plugin |
//! | `nvidia0/gi1`, `nvidia0/gi1/vgpu0` | an instance; a share of it | the same |
//! | `gpu-0` | the device `/dev/nvidia0` | NVIDIA's driver of resource claims (DRA) |
//! | `gpu-0-mig-3g20gb-9-4` | an instance of it, by its profile, the profile's number and its first slice of memory | the same |
//! | `gpu-0-mig-9-4-4` | the same, without the profile's name and with the number of slices | earlier versions of it |
//! | `card0-1` | a share of the device `/dev/dri/card0` | Intel's plugin |
//! | `gpu-1-129` | the device `/dev/dri/card1`, `/dev/dri/renderD129` | AMD's driver of resource claims |
//! | `0000:41:00.0`, `0000-41-00-0-0x56c0` | a PCI device | AMD's plugin; Intel's driver of resource claims |
//!
//! Intel's `all`, which gives a monitor every device to look at, names nothing.

use super::{Device, DeviceInstance};
use std::sync::Arc;

/// A device, or a part of one, that a container may use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeviceAllocation {
    /// The identifier as Kubernetes has it.
    pub id: Arc<str>,
    /// The namespace of the pod.
    pub namespace: Arc<str>,
    /// The name of the pod.
    pub pod: Arc<str>,
    /// The name of the container in the pod.
    pub container: Arc<str>,
}

impl DeviceAllocation {
    /// A device by its identifier, and the container that has it.
    #[must_use]
    pub fn new(
        id: impl Into<Arc<str>>,
        namespace: impl Into<Arc<str>>,
        pod: impl Into<Arc<str>>,
        container: impl Into<Arc<str>>,
    ) -> Self {
        DeviceAllocation { id: id.into(), namespace: namespace.into(), pod: pod.into(), container: container.into() }
    }
}

/// What an identifier names.
///
/// ```
/// use kepler_core::device::{Device, DeviceId};
///
/// let device = Device::new("GPU-4f1c", "nvidia", "H200").with(|device| device.minor = Some(3));
/// let replica = DeviceId::of("GPU-4f1c::2");
/// assert!(replica.is_shared && replica.names(&device).is_some());
/// assert!(DeviceId::of("nvidia3/vgpu1").names(&device).is_some());
/// assert!(DeviceId::of("nvidia4").names(&device).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceId<'a> {
    /// The device.
    name: Name<'a>,
    /// The instance, where the identifier has one.
    instance: Option<InstanceName<'a>>,
    /// Whether it may be given to several containers at a time.
    pub is_shared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name<'a> {
    /// Of a device or of an instance.
    Uuid(&'a str),
    /// The number of its device file.
    Minor(u32),
    /// The maker, and the number of its device file.
    Card(&'static str, u32),
    /// Domain, bus, device and function.
    Pci(u32, u32, u32, u32),
}

/// What an identifier says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InstanceName<'a> {
    Number(u32),
    /// Where it lies in the device.
    Placed {
        /// The profile's name without its dot; empty where it is not told.
        profile: &'a str,
        profile_id: u32,
        start: u32,
    },
}

/// The part of a device that an identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DevicePart {
    /// All of it.
    Whole,
    /// The instance of this number.
    Instance(u32),
}

impl<'a> DeviceId<'a> {
    /// Reads an identifier. Any text is one.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        if let Some(found) = Self::of_gke(text) {
            return found;
        }
        let plain = |name| DeviceId { name, instance: None, is_shared: false };
        if let Some(found) = text.strip_prefix("gpu-").and_then(Self::of_claim) {
            return found;
        }
        if let Some((card, _)) = text.strip_prefix("card").and_then(two_numbers) {
            return DeviceId { is_shared: true, ..plain(Name::Card("intel", card)) };
        }
        if let Some((domain, bus, device, function)) = pci(text) {
            return plain(Name::Pci(domain, bus, device, function));
        }
        let (uuid, is_shared) = match text.split_once("::") {
            Some((uuid, _)) => (uuid, true),
            None => (text, false),
        };
        // Drivers before R470: the device, the instance, the compute instance.
        let old = uuid.strip_prefix("MIG-GPU-").and_then(|_| uuid.get(4..)?.split_once('/'));
        if let Some((device, rest)) = old {
            let instance = rest.split('/').next().and_then(digits).map(InstanceName::Number);
            return DeviceId { name: Name::Uuid(device), instance, is_shared };
        }
        DeviceId { name: Name::Uuid(uuid), instance: None, is_shared }
    }

    /// After `gpu-`: `0`, `0-mig-3g20gb-9-4`, `0-mig-9-4-4` of NVIDIA; `1-129` of AMD.
    fn of_claim(text: &'a str) -> Option<Self> {
        let of = |name, instance| DeviceId { name, instance, is_shared: false };
        let Some((minor, placed)) = text.split_once("-mig-") else {
            let amd = || two_numbers(text).map(|(card, _render)| Name::Card("amd", card));
            return Some(of(digits(text).map(Name::Minor).or_else(amd)?, None));
        };
        let (rest, last) = placed.rsplit_once('-')?;
        let (rest, middle) = rest.rsplit_once('-')?;
        let (middle, last) = (digits(middle)?, digits(last)?);
        let (profile, profile_id, start) = match digits(rest) {
            Some(profile_id) => ("", profile_id, middle),
            None => (rest, middle, last),
        };
        Some(of(Name::Minor(digits(minor)?), Some(InstanceName::Placed { profile, profile_id, start })))
    }

    /// `nvidia0`, `nvidia0/gi1`, `nvidia0/vgpu2`, `nvidia0/gi1/vgpu2`.
    fn of_gke(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("nvidia")?.split('/');
        let minor = digits(parts.next()?)?;
        let mut found = DeviceId { name: Name::Minor(minor), instance: None, is_shared: false };
        for part in parts {
            if let Some(instance) = part.strip_prefix("gi").and_then(digits) {
                found.instance = Some(InstanceName::Number(instance));
            } else {
                part.strip_prefix("vgpu").and_then(digits)?;
                found.is_shared = true;
            }
        }
        Some(found)
    }

    /// The part of a device that it names, if it names one of this device's.
    #[must_use]
    pub fn names(&self, device: &Device) -> Option<DevicePart> {
        if let Name::Uuid(uuid) = self.name
            && let Some(instance) =
                device.instances.iter().find(|instance| instance.uuids.iter().any(|own| **own == *uuid))
        {
            return Some(DevicePart::Instance(instance.id));
        }
        let is_it = match self.name {
            Name::Uuid(uuid) => *device.uuid == *uuid,
            Name::Minor(minor) => device.vendor == "nvidia" && device.minor == Some(minor),
            Name::Card(maker, card) => device.vendor == maker && device.minor == Some(card),
            Name::Pci(domain, bus, number, function) => {
                device.pci_address.as_deref().and_then(pci) == Some((domain, bus, number, function))
            }
        };
        match self.instance {
            _ if !is_it => None,
            None => Some(DevicePart::Whole),
            Some(InstanceName::Number(number)) => Some(DevicePart::Instance(number)),
            Some(InstanceName::Placed { profile, profile_id, start }) => {
                placed(&device.instances, profile, profile_id, start).map(DevicePart::Instance)
            }
        }
    }
}

/// The number of the instance that lies there. Where the driver does not tell where instances lie, the only one of that profile.
fn placed(instances: &[DeviceInstance], profile: &str, profile_id: u32, start: u32) -> Option<u32> {
    if let Some(found) = instances.iter().find(|one| one.placement == Some((profile_id, start))) {
        return Some(found.id);
    }
    let is_of_it = |one: &&DeviceInstance| one.placement.is_none() && is_profile(&one.profile, profile);
    let mut candidates = instances.iter().filter(is_of_it);
    let first = candidates.next()?;
    candidates.next().is_none().then_some(first.id)
}

/// Whether a name in a claim, such as `1g10gb-me`, is that of a profile such as `1g.10gb+me`.
fn is_profile(profile: &str, name: &str) -> bool {
    let spelt = profile.chars().filter(|letter| *letter != '.');
    let spelt = spelt.map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    !name.is_empty() && spelt.eq(name.chars())
}

/// `1-129`.
fn two_numbers(text: &str) -> Option<(u32, u32)> {
    let (first, second) = text.split_once('-')?;
    Some((digits(first)?, digits(second)?))
}

fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// `0000:41:00.0`, and `0000-41-00-0-0x56c0`, in which the number of the product follows.
fn pci(text: &str) -> Option<(u32, u32, u32, u32)> {
    let mut parts = text.split([':', '.', '-']);
    let mut next = |length: usize| {
        let part = parts.next().filter(|part| part.len() == length)?;
        u32::from_str_radix(part, 16).ok()
    };
    let address = (next(4)?, next(2)?, next(2)?, next(1)?);
    match parts.next() {
        None => Some(address),
        Some(product) if product.starts_with("0x") && text.contains('-') => Some(address),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn divided() -> Device {
        Device::new("GPU-4f1c", "nvidia", "A100").with(|device| {
            device.minor = Some(0);
            device.pci_address = Some("0000:41:00.0".into());
            device.instances = vec![
                DeviceInstance::new(1, 3).with(|one| {
                    (one.uuids, one.profile) = (vec!["MIG-9e1f".into()], "3g.20gb".into());
                    one.placement = Some((9, 4));
                }),
                DeviceInstance::new(7, 1).with(|one| {
                    (one.profile, one.placement) = ("1g.5gb+me".into(), Some((20, 0)));
                }),
            ];
        })
    }

    #[test]
    fn every_form_of_identifier_names_its_device_or_instance() {
        use DevicePart::{Instance, Whole};
        for (id, part, is_shared) in [
            ("GPU-4f1c", Whole, false),
            ("GPU-4f1c::0", Whole, true),
            ("MIG-9e1f", Instance(1), false),
            ("MIG-9e1f::4", Instance(1), true),
            ("MIG-GPU-4f1c/1/0", Instance(1), false),
            ("nvidia0", Whole, false),
            ("nvidia0/vgpu1", Whole, true),
            ("nvidia0/gi1", Instance(1), false),
            ("nvidia0/gi1/vgpu0", Instance(1), true),
            ("gpu-0", Whole, false),
            ("gpu-0-mig-3g20gb-9-4", Instance(1), false),
            ("gpu-0-mig-9-4-4", Instance(1), false),
            ("gpu-0-mig-1g5gb-me-20-0", Instance(7), false),
            ("gpu-0-mig-20-0-1", Instance(7), false),
            ("0000:41:00.0", Whole, false),
            ("0000-41-00-0-0x56c0", Whole, false),
        ] {
            let found = DeviceId::of(id);
            assert_eq!((found.names(&divided()), found.is_shared), (Some(part), is_shared), "{id}");
        }
    }

    #[test]
    fn cards_are_known_by_the_number_of_their_device_file() {
        let card = |vendor| Device::new("0000:03:00.0", vendor, "x").with(|device| device.minor = Some(1));
        let (intel, amd) = (card("intel"), card("amd"));
        for (id, of_intel, is_shared) in [("card1-0", true, true), ("card1-3", true, true), ("gpu-1-129", false, false)]
        {
            let found = DeviceId::of(id);
            let names = [found.names(&intel), found.names(&amd)].map(|part| part == Some(DevicePart::Whole));
            assert_eq!((names, found.is_shared), ([of_intel, !of_intel], is_shared), "{id}");
        }
        for id in ["card0-0", "card1", "card1-", "card1-DP-1", "card-0", "gpu-2-129", "gpu-1-", "all", "all-i915"] {
            assert_eq!([&intel, &amd].map(|device| DeviceId::of(id).names(device)), [None, None], "{id}");
        }
    }

    #[test]
    fn where_it_is_not_told_where_instances_lie_a_profile_names_only_one() {
        let with = |profiles: &[&str]| {
            Device::new("GPU-4f1c", "nvidia", "A100").with(|device| {
                device.minor = Some(0);
                let named = |(id, profile): (u32, &&str)| {
                    DeviceInstance::new(id, 1).with(|one| one.profile = (*profile).into())
                };
                device.instances = (1..).zip(profiles).map(named).collect();
            })
        };
        let id = DeviceId::of("gpu-0-mig-1g5gb-19-6");
        assert_eq!(id.names(&with(&["3g.20gb", "1g.5gb"])), Some(DevicePart::Instance(2)));
        assert_eq!(id.names(&with(&["1g.5gb", "1g.5gb"])), None, "either may be it");
        assert_eq!(id.names(&with(&["1g.5gb+me"])), None);
        assert_eq!(DeviceId::of("gpu-0-mig-19-6-1").names(&with(&["1g.5gb"])), None, "it has no name to go by");
    }

    #[test]
    fn identifiers_of_others_name_nothing_here() {
        for id in [
            "",
            "GPU-4f1",
            "GPU-4f1c0",
            "::",
            "MIG-",
            "MIG-GPU-/1",
            "nvidia",
            "nvidia1",
            "nvidia0/",
            "nvidia0/x1",
            "nvidia+0",
            "gpu-1",
            "gpu-1-mig-9-4-4",
            "gpu-0-mig-9-0-4",
            "gpu-0-mig-9-4",
            "gpu-0-mig-3g20gb-9-0",
            "gpu-0-mig-",
            "gpu-0-mig-3g20gb",
            "gpu-vfio-0",
            "0000:42:00.0",
            "0000:41:00",
            "card0-0",
        ] {
            assert_eq!(DeviceId::of(id).names(&divided()), None, "{id}");
        }
        let radeon = Device::new("0000:03:00.0", "amd", "MI300X").with(|device| device.minor = Some(0));
        assert_eq!(DeviceId::of("nvidia0").names(&radeon), None, "a number is one of NVIDIA's");
    }

    proptest! {
        #[test]
        fn no_identifier_panics(text in "(GPU-|MIG-|nvidia|gpu-|0000:)?.{0,20}") {
            let _ = DeviceId::of(&text).names(&divided());
        }
    }
}
