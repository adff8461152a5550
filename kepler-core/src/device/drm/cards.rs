//! Which devices the kernel's DRM and accelerator classes show.

use super::sensor::text;
use crate::host::Host;
use std::fs;
use std::path::{Path, PathBuf};

/// A device that has a node, of whatever driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    /// `card0`, `accel0`.
    pub(super) node: String,
    /// The directory of the device below.
    pub(super) directory: PathBuf,
    pub(super) driver: String,
    /// `0000:03:00.0`.
    pub(super) address: Option<String>,
    pub(super) vendor: Option<u32>,
    pub(super) product: Option<u32>,
}

impl Card {
    /// The devices of a host, in the order of their addresses. Several nodes of one device are one.
    pub(super) fn all(host: &Host) -> Vec<Card> {
        let classes = [("class/drm", "card"), ("class/accel", "accel")];
        let mut cards: Vec<Card> = Vec::new();
        for (class, prefix) in classes {
            for entry in fs::read_dir(host.sysfs().join(class)).into_iter().flatten().flatten() {
                let Ok(node) = entry.file_name().into_string() else { continue };
                // Connectors are called card0-DP-1.
                let is_node = node.strip_prefix(prefix).is_some_and(|number| number.parse::<u32>().is_ok());
                cards.extend(is_node.then(|| Card::read(node, &entry.path().join("device"))).flatten());
            }
        }
        cards.sort_by(|a, b| (&a.address, a.node.len(), &a.node).cmp(&(&b.address, b.node.len(), &b.node)));
        cards.dedup_by(|later, earlier| later.address.is_some() && later.address == earlier.address);
        cards
    }

    fn read(node: String, directory: &Path) -> Option<Card> {
        let uevent = text(&directory.join("uevent"))?;
        let value =
            |key: &str| uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned));
        let id = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok();
        let of_event = value("PCI_ID").unwrap_or_default();
        let (vendor, product) = of_event.split_once(':').map_or((None, None), |(a, b)| (id(a), id(b)));
        let attribute = |name: &str| text(&directory.join(name)).and_then(|text| id(&text));
        Some(Card {
            node,
            directory: directory.to_owned(),
            driver: value("DRIVER")?,
            address: value("PCI_SLOT_NAME"),
            vendor: vendor.or_else(|| attribute("vendor")),
            product: product.or_else(|| attribute("device")),
        })
    }

    /// What clients name the device by.
    pub(super) fn key(&self) -> &str {
        self.address.as_deref().unwrap_or(&self.driver)
    }

    /// 0 of `card0`. NVIDIA's own device files have numbers of their own.
    pub(super) fn number(&self) -> Option<u32> {
        self.node.strip_prefix("card").filter(|_| self.maker() != "nvidia")?.parse().ok()
    }

    /// Whether the kernel has suspended it because it is unused. Reading its sensors may wake it.
    pub(super) fn is_suspended(&self) -> bool {
        text(&self.directory.join("power/runtime_status")).is_some_and(|status| status.starts_with("suspend"))
    }

    /// The maker, by its number.
    pub(super) const fn maker(&self) -> &'static str {
        match self.vendor {
            Some(0x1002 | 0x1022) => "amd",
            Some(0x8086 | 0x1da3) => "intel",
            Some(0x10de) => "nvidia",
            Some(0x1e52) => "tenstorrent",
            Some(0x1eff) => "rebellions",
            Some(0x1ed2) => "furiosa",
            Some(0x17cb) => "qualcomm",
            _ => "other",
        }
    }

    /// The product's name where the driver knows it, else its numbers.
    pub(super) fn name(&self) -> String {
        let of_driver = text(&self.directory.join("product_name")).filter(|name| !name.is_empty());
        of_driver.unwrap_or_else(|| match (self.vendor, self.product) {
            (Some(vendor), Some(product)) => format!("{} {vendor:04x}:{product:04x}", self.driver),
            _ => self.driver.clone(),
        })
    }

    /// Whether it is one of the two dies of an MI250 or MI250X, of which the first shows the power of both.
    pub(super) fn is_one_of_two_dies(&self) -> bool {
        self.driver == "amdgpu" && matches!(self.product, Some(0x7408 | 0x740c))
    }

    /// Whether it is an MI300A, whose table does not tell that processors are part of it.
    pub(super) fn is_mi300a(&self) -> bool {
        self.driver == "amdgpu" && self.product == Some(0x74a0)
    }
}
