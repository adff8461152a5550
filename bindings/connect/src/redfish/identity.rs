//! Which of a BMC's systems this machine is.

use super::resource::System;
use kepler_core::host::Host;

/// Who this node is, as its firmware and its administrator call it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostIdentity {
    /// The node's name.
    pub name: String,
    /// The UUID that SMBIOS shows; it takes the right to read it (root).
    pub uuid: Option<String>,
    /// The serial number that SMBIOS shows; likewise.
    pub serial: Option<String>,
}

impl HostIdentity {
    /// Reads what the firmware says of a host.
    #[must_use]
    pub fn read(host: &Host, name: impl Into<String>) -> Self {
        HostIdentity { name: name.into(), uuid: host.firmware("product_uuid"), serial: host.firmware("product_serial") }
    }

    /// Whether a system that a BMC describes is this one.
    pub(super) fn is(&self, system: &System) -> bool {
        let same = |ours: &Option<String>, theirs: &Option<String>, alike: fn(&str, &str) -> bool| {
            ours.as_ref().zip(theirs.as_ref()).is_some_and(|(ours, theirs)| alike(ours, theirs))
        };
        same(&self.uuid, &system.uuid, same_uuid)
            || same(&self.serial, &system.serial, |ours, theirs| is_serial(ours) && ours.eq_ignore_ascii_case(theirs))
            || system.host_name.as_ref().is_some_and(|name| same_host(&self.name, name))
    }
}

/// What boards report that were never given a number.
fn is_serial(text: &str) -> bool {
    const NONE: [&str; 6] = ["none", "n/a", "not specified", "to be filled by o.e.m.", "default string", "0123456789"];
    text.len() > 3 && !NONE.iter().any(|none| text.eq_ignore_ascii_case(none))
}

/// SMBIOS before 2.6 and some BMCs write the first three groups in the other byte order.
fn same_uuid(ours: &str, theirs: &str) -> bool {
    let digits =
        |text: &str| text.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect::<String>();
    let (ours, theirs) = (digits(ours), digits(theirs));
    ours.len() == 32 && ours.chars().any(|c| c != '0' && c != 'f') && (ours == theirs || swapped(&ours) == theirs)
}

fn swapped(digits: &str) -> String {
    let reversed = |range: std::ops::Range<usize>| {
        let group = digits.get(range).unwrap_or_default();
        (0..group.len() / 2).rev().filter_map(|byte| group.get(byte * 2..byte * 2 + 2)).collect::<String>()
    };
    reversed(0..8) + &reversed(8..12) + &reversed(12..16) + digits.get(16..).unwrap_or_default()
}

fn same_host(ours: &str, theirs: &str) -> bool {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    !theirs.is_empty() && !theirs.eq_ignore_ascii_case("localhost") && short(ours) == short(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_known_by_uuid_in_either_byte_order_by_serial_or_by_name() {
        let host = HostIdentity {
            name: "node-1.example.org".into(),
            uuid: Some("4c4c4544-0043-4410-8052-b4c04f564433".into()),
            serial: Some("SVC0001".into()),
        };
        let system = |uuid: &str, serial: &str, name: &str| {
            let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            System { uuid: text(uuid), serial: text(serial), host_name: text(name) }
        };
        for (uuid, serial, name) in [
            ("4C4C4544-0043-4410-8052-B4C04F564433", "", ""),
            ("44454c4c-4300-1044-8052-b4c04f564433", "", ""),
            ("", "svc0001", ""),
            ("", "", "NODE-1"),
        ] {
            assert!(host.is(&system(uuid, serial, name)), "{uuid} {serial} {name}");
        }
        assert!(!host.is(&system("4c4c4544-0043-4410-8052-b4c04f564434", "SVC0002", "node-2")));
        let nameless = HostIdentity { serial: Some("To be filled by O.E.M.".into()), ..HostIdentity::default() };
        assert!(!nameless.is(&system("", "To be filled by O.E.M.", "")));
        let zeros = HostIdentity { uuid: Some("00000000-0000-0000-0000-000000000000".into()), ..nameless };
        assert!(!zeros.is(&system("00000000-0000-0000-0000-000000000000", "", "")));
    }
}
