//! Which cloud's instance type this machine is, and which share of its host that is.
//!
//! The table `data/cloud_families.csv` has one row a family; `data/README.md` says where it comes from. A virtual CPU is a thread of a
//! processor on most, and a core with both its threads on some; small ones have only a part of it to themselves.

use super::CpuClass;
use crate::host::Host;
use std::fmt;

const TABLE: &str = include_str!("../../../data/cloud_families.csv");

/// Small types, and how much of each virtual CPU is theirs at all times: AWS EC2 User Guide, "Key concepts for burstable performance
/// instances", baseline utilisation per vCPU (2024); Google Cloud, "Shared-core machine types" (2024).
const PARTS: [(&str, f64); 26] = [
    ("t2.nano", 0.05),
    ("t2.micro", 0.1),
    ("t2.small", 0.2),
    ("t2.medium", 0.2),
    ("t2.large", 0.3),
    ("t2.xlarge", 0.225),
    ("t2.2xlarge", 0.17),
    ("t3.nano", 0.05),
    ("t3.micro", 0.1),
    ("t3.small", 0.2),
    ("t3.medium", 0.2),
    ("t3.large", 0.3),
    ("t3.xlarge", 0.4),
    ("t3.2xlarge", 0.4),
    ("t4g.nano", 0.05),
    ("t4g.micro", 0.1),
    ("t4g.small", 0.2),
    ("t4g.medium", 0.2),
    ("t4g.large", 0.3),
    ("t4g.xlarge", 0.4),
    ("t4g.2xlarge", 0.4),
    ("e2-micro", 0.125),
    ("e2-small", 0.25),
    ("e2-medium", 0.5),
    ("f1-micro", 0.2),
    ("g1-small", 0.5),
];

/// A cloud whose instance types are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cloud {
    /// Amazon EC2.
    Aws,
    /// Google Compute Engine.
    Gcp,
    /// Microsoft Azure.
    Azure,
}

impl Cloud {
    /// The cloud whose firmware this is, where it says so.
    #[must_use]
    pub fn of(host: &Host) -> Option<Self> {
        let vendor = host.firmware("sys_vendor")?;
        match vendor.as_str() {
            "Amazon EC2" => Some(Cloud::Aws),
            // Older instances run under Xen.
            "Xen" => host.firmware("bios_version").filter(|version| version.ends_with(".amazon")).map(|_| Cloud::Aws),
            "Google" => {
                host.firmware("product_name").filter(|name| name == "Google Compute Engine").map(|_| Cloud::Gcp)
            }
            // Every Hyper-V's vendor and product are these; the tag is Azure's alone.
            "Microsoft Corporation" => {
                let tag = host.firmware("chassis_asset_tag");
                tag.filter(|tag| tag == "7783-7084-3265-9085-8269-3286-77").map(|_| Cloud::Azure)
            }
            _ => None,
        }
    }

    /// `aws`, `gcp` or `azure`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cloud::Aws => "aws",
            Cloud::Gcp => "gcp",
            Cloud::Azure => "azure",
        }
    }
}

/// The instance type of a machine in a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceType {
    /// Whose.
    pub cloud: Cloud,
    /// As the cloud writes it: `m5.xlarge`, `e2-medium`, `Standard_D4s_v3`.
    pub name: String,
}

impl fmt::Display for InstanceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cloud.name(), self.name)
    }
}

impl InstanceType {
    /// A type by the name that its cloud gives it; `None` of what is no such name.
    #[must_use]
    pub fn new(cloud: Cloud, name: &str) -> Option<Self> {
        // Google's has its project before it: `projects/123/machineTypes/e2-medium`.
        let name = name.trim().rsplit('/').next().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_name = (1..=64).contains(&name.len()) && name.chars().all(is_plain);
        is_name.then(|| InstanceType { cloud, name: name.to_owned() })
    }

    /// What the firmware says: the type only in AWS, and there not under Xen.
    #[must_use]
    pub fn of(host: &Host) -> Option<Self> {
        let cloud = Cloud::of(host).filter(|cloud| *cloud == Cloud::Aws)?;
        let name = host.firmware("product_name").filter(|name| name.contains('.'))?;
        InstanceType::new(cloud, &name)
    }

    /// `m5` of `m5.xlarge`, `e2` of `e2-medium`, `Ds_v3` of `Standard_D4s_v3` and of `Standard_D4-2s_v3`.
    fn family(&self) -> Option<String> {
        match self.cloud {
            Cloud::Aws => self.name.split_once('.').map(|(family, _)| family.to_owned()),
            Cloud::Gcp => self.name.split_once('-').map(|(family, _)| family.to_owned()),
            Cloud::Azure => {
                let rest = self.name.strip_prefix("Standard_")?;
                let digits = rest.find(|c: char| c.is_ascii_digit())?;
                let (letters, rest) = rest.split_at(digits);
                let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
                Some(format!("{letters}{}", rest.get(end..)?))
            }
        }
    }

    /// What of its host it is, as far as that is known.
    pub(super) fn share(&self) -> Share {
        let part = PARTS.iter().find(|(name, _)| *name == self.same_parts());
        let part = part.map_or(1.0, |(_, part)| *part);
        let family = self.family().unwrap_or_default();
        let row =
            TABLE.lines().skip(1).map(|line| line.split(',')).find_map(|mut row| {
                (row.next() == Some(self.cloud.name()) && row.next() == Some(&*family)).then_some(row)
            });
        let Some(mut row) = row else { return Share { part, ..Share::default() } };
        let class = row.next().and_then(CpuClass::named);
        let largest = row.next().and_then(|number| number.parse().ok());
        let threads = row.next().and_then(|number| number.parse().ok()).unwrap_or(1);
        Share { class, largest, threads, part }
    }

    /// The type whose parts it has: those of `t3a` are `t3`'s.
    fn same_parts(&self) -> String {
        self.name.strip_prefix("t3a.").map_or_else(|| self.name.clone(), |size| format!("t3.{size}"))
    }
}

/// What of its host an instance is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    /// The generation of its processors, where all of the family have one.
    pub(super) class: Option<CpuClass>,
    /// Virtual CPUs of the family's largest type: its host has as many, or more.
    pub(super) largest: Option<u32>,
    /// Threads of the host that a virtual CPU is.
    pub(super) threads: u32,
    /// How much of each is its own at all times.
    pub(super) part: f64,
}

impl Default for Share {
    fn default() -> Self {
        Share { class: None, largest: None, threads: 1, part: 1.0 }
    }
}

impl Share {
    /// Whether a virtual CPU is anything but one thread.
    pub(super) fn is_special(&self) -> bool {
        self.threads != 1 || self.part < 1.0
    }

    /// For people: `4 of 96 threads`.
    pub(super) fn describe(&self, processors: usize) -> String {
        let threads = u64::from(self.threads);
        let own = processors as u64 * threads;
        let of = self.largest.map(|largest| format!(" of {} or more", (u64::from(largest) * threads).max(own)));
        let part = (self.part < 1.0).then(|| format!(", {} % of each at all times", self.part * 100.0));
        format!("{own}{} threads{}", of.unwrap_or_default(), part.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("class/dmi/id");
        fs::create_dir_all(&directory).unwrap();
        for (name, text) in files {
            fs::write(directory.join(name), format!("{text}\n")).unwrap();
        }
        let host = Host::default().with_sysfs(root.path());
        (root, host)
    }

    fn aws(name: &str) -> InstanceType {
        InstanceType::new(Cloud::Aws, name).unwrap()
    }

    #[test]
    fn the_firmware_tells_the_cloud_and_in_aws_the_type() {
        type Files<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(Files<'_>, Option<Cloud>, Option<&str>)] = &[
            (&[("sys_vendor", "Amazon EC2"), ("product_name", "m5.xlarge")], Some(Cloud::Aws), Some("m5.xlarge")),
            (&[("sys_vendor", "Amazon EC2"), ("product_name", "c6g.metal")], Some(Cloud::Aws), Some("c6g.metal")),
            (
                &[("sys_vendor", "Xen"), ("product_name", "HVM domU"), ("bios_version", "4.11.amazon")],
                Some(Cloud::Aws),
                None,
            ),
            (&[("sys_vendor", "Xen"), ("product_name", "HVM domU"), ("bios_version", "4.11.4")], None, None),
            (&[("sys_vendor", "Google"), ("product_name", "Google Compute Engine")], Some(Cloud::Gcp), None),
            (&[("sys_vendor", "Google"), ("product_name", "Pixelbook")], None, None),
            (
                &[("sys_vendor", "Microsoft Corporation"), ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77")],
                Some(Cloud::Azure),
                None,
            ),
            (&[("sys_vendor", "Microsoft Corporation"), ("product_name", "Virtual Machine")], None, None),
            (&[("sys_vendor", "QEMU")], None, None),
            (&[], None, None),
        ];
        for (files, cloud, name) in cases {
            let (_root, host) = host(files);
            assert_eq!(Cloud::of(&host), *cloud, "{files:?}");
            assert_eq!(InstanceType::of(&host).map(|own| own.name).as_deref(), *name, "{files:?}");
        }
    }

    #[test]
    fn names_are_those_of_clouds_and_nothing_else() {
        let gcp = |name: &str| InstanceType::new(Cloud::Gcp, name).map(|own| own.name);
        assert_eq!(gcp("projects/123456/machineTypes/e2-medium").as_deref(), Some("e2-medium"));
        assert_eq!((gcp(""), gcp("<html>"), gcp(&"x".repeat(65)), gcp("a\nb")), (None, None, None, None));
    }

    #[test]
    fn a_type_is_a_share_of_its_host() {
        let class = |share: Share| share.class.map(|class| class.name);
        let share = aws("m5.xlarge").share();
        assert_eq!(share.describe(4), "4 of 96 or more threads");
        assert_eq!((share.is_special(), class(share).as_deref()), (false, Some("Skylake")));
        // Cores with both their threads; AMD's of that generation have no simultaneous threads there.
        let share = aws("m7a.large").share();
        assert_eq!((share.threads, share.describe(2).as_str()), (2, "4 of 384 or more threads"));
        let share = aws("t3a.nano").share();
        assert_eq!((share.part, share.describe(2).as_str()), (0.05, "2 threads, 5 % of each at all times"));
        let of = |cloud, name| InstanceType::new(cloud, name).unwrap().share();
        assert_eq!(of(Cloud::Gcp, "e2-micro").part, 0.125);
        assert_eq!(of(Cloud::Gcp, "n2-custom-4-8192").largest, Some(128));
        assert_eq!(of(Cloud::Azure, "Standard_D4s_v3").largest, Some(64));
        assert_eq!(of(Cloud::Azure, "Standard_E64-16s_v3").largest, Some(64));
        // New families, and names that say nothing.
        for (cloud, name) in
            [(Cloud::Aws, "z9.large"), (Cloud::Aws, "m5"), (Cloud::Azure, "Basic_A0"), (Cloud::Gcp, "m5.large")]
        {
            assert_eq!(of(cloud, name), Share::default(), "{name}");
        }
    }

    #[test]
    fn every_row_of_the_table_is_whole() {
        let mut seen = std::collections::BTreeSet::new();
        for line in TABLE.lines().skip(1) {
            let row: Vec<&str> = line.split(',').collect();
            let [cloud, family, class, largest, threads] = row[..] else { panic!("{line}") };
            assert!(
                ["aws", "gcp", "azure"].contains(&cloud) && !family.is_empty() && seen.insert((cloud, family)),
                "{line}"
            );
            assert!(class.is_empty() || CpuClass::named(class).is_some(), "{line}");
            assert!(largest.is_empty() || (1..=2000).contains(&largest.parse::<u32>().unwrap()), "{line}");
            assert!(["1", "2"].contains(&threads), "{line}");
        }
        assert!(PARTS.iter().all(|(_, part)| *part > 0.0 && *part <= 1.0));
    }
}
