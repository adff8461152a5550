//! What libvirt's and OpenStack's files say of a virtual machine, beside what its command line does.
//!
//! Libvirt keeps a document for each running domain, `/run/libvirt/qemu/NAME.xml`: `domstatus`, and in it the `domain` as users know it
//! (`qemuDomainSaveStatus`; libvirt's `tests/qemustatusxml2xmldata`). OpenStack's Nova writes name, flavor and project into its
//! `metadata` (`nova/virt/libvirt/config.py`, `NOVA_NS`).
//!
//! A document is that of a machine if it has the UUID of the machine's own command line: it adds to an identity, and never makes one. What
//! cannot be read, is not whole, or is another's adds nothing.

use crate::host::{Host, HostRoot};
use crate::printable;
use crate::workload::VmInfo;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

/// A domain with hundreds of disks has some hundred kilobytes.
const LONGEST: u64 = 4 << 20;
/// No value that is kept is longer, in characters.
const MOST: usize = 255;
/// Nova's, followed by a version: `1.0`, since 2021 `1.1`.
const NOVA: &str = "http://openstack.org/xmlns/libvirt/nova/";

/// Reads what libvirt has written of a machine.
#[derive(Debug)]
pub(crate) struct MachineFiles {
    roots: Vec<HostRoot>,
}

impl MachineFiles {
    pub(crate) fn open(host: &Host) -> Self {
        MachineFiles { roots: HostRoot::of(host) }
    }

    /// Adds what libvirt knows of a machine. Whether that was anything.
    pub(crate) fn complete(&self, vm: &mut VmInfo) -> bool {
        // The name of a domain is the name of its file; libvirt refuses a slash in it (virDomainDefPostParse).
        let name = vm.domain.as_str();
        if vm.hypervisor != "kvm" || name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return false;
        }
        let path = format!("run/libvirt/qemu/{name}.xml");
        let Some(document) = self.roots.iter().find_map(|root| root.read(&path, LONGEST)) else { return false };
        let Some(domain) = std::str::from_utf8(&document).ok().and_then(Domain::parse) else { return false };
        if !domain.uuid.eq_ignore_ascii_case(&vm.id) {
            return false;
        }
        vm.manager = if domain.is_nova { "openstack" } else { "libvirt" };
        if !domain.title.is_empty() {
            vm.name = domain.title;
        }
        (vm.project, vm.flavor) = (domain.project, domain.flavor);
        true
    }
}

/// What a document says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Domain {
    uuid: String,
    is_nova: bool,
    /// Nova's name; libvirt's own is on the command line.
    title: String,
    flavor: String,
    project: String,
}

impl Domain {
    /// `None` of what is no status of a domain, or not a whole one.
    fn parse(document: &str) -> Option<Self> {
        let mut reader = NsReader::from_str(document);
        let (mut domain, mut path, mut project_id) = (Domain::default(), Vec::new(), String::new());
        loop {
            let (namespace, event) = reader.read_resolved_event().ok()?;
            let is_nova = matches!(namespace, ResolveResult::Bound(Namespace(name)) if name.starts_with(NOVA));
            match event {
                Event::Start(tag) => {
                    path.push(step(&tag, is_nova));
                    domain.enter(&path, &tag, &mut project_id);
                }
                Event::Empty(tag) => {
                    path.push(step(&tag, is_nova));
                    domain.enter(&path, &tag, &mut project_id);
                    path.pop();
                }
                Event::End(_) => {
                    path.pop()?;
                    if path.is_empty() {
                        break;
                    }
                }
                Event::Text(text) => domain.add(&path, &text),
                Event::CData(text) => domain.add(&path, &text),
                Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                    Ok(Some(character)) => domain.add(&path, character.encode_utf8(&mut [0; 4])),
                    _ => domain.add(&path, resolve_xml_entity(&reference)?),
                },
                // What the end is missing of is still being written.
                Event::Eof => return None,
                _ => {}
            }
        }
        if domain.project.trim().is_empty() {
            domain.project = project_id;
        }
        for text in [&mut domain.uuid, &mut domain.title, &mut domain.flavor, &mut domain.project] {
            *text = presentable(text);
        }
        (!domain.uuid.is_empty()).then_some(domain)
    }

    fn enter(&mut self, path: &[Step], tag: &BytesStart<'_>, project_id: &mut String) {
        let attribute = |name: &str| {
            let found = tag.attributes().flatten().find(|attribute| attribute.key.as_ref() == name)?;
            found.normalized_value(XmlVersion::Explicit1_0).ok().map(|value| value.into_owned())
        };
        match place(path) {
            Some(Place::Instance) => self.is_nova = true,
            Some(Place::Flavor) => self.flavor = attribute("name").unwrap_or_default(),
            Some(Place::Project) => *project_id = attribute("uuid").unwrap_or_default(),
            _ => {}
        }
    }

    fn add(&mut self, path: &[Step], text: &str) {
        let value = match place(path) {
            Some(Place::Uuid) => &mut self.uuid,
            Some(Place::Title) => &mut self.title,
            Some(Place::Project) => &mut self.project,
            _ => return,
        };
        // A character has four bytes at most; nothing after that can be shown.
        if value.len() <= 4 * MOST {
            value.push_str(text);
        }
    }
}

/// An element on the way: its name, and whether it is Nova's.
type Step = (String, bool);

fn step(tag: &BytesStart<'_>, is_nova: bool) -> Step {
    (tag.local_name().as_ref().to_owned(), is_nova)
}

enum Place {
    Uuid,
    Instance,
    Title,
    Flavor,
    Project,
}

/// Which of the elements that count the last one of a path is.
fn place(path: &[Step]) -> Option<Place> {
    let [(status, _), (domain, _), rest @ ..] = path else { return None };
    if status != "domstatus" || domain != "domain" {
        return None;
    }
    if let [(uuid, false)] = rest {
        return (uuid == "uuid").then_some(Place::Uuid);
    }
    let [(metadata, false), nova @ ..] = rest else { return None };
    if metadata != "metadata" || !nova.iter().all(|(_, is_nova)| *is_nova) {
        return None;
    }
    let names: Vec<&str> = nova.iter().map(|(name, _)| name.as_str()).collect();
    match names.as_slice() {
        ["instance"] => Some(Place::Instance),
        ["instance", "name"] => Some(Place::Title),
        ["instance", "flavor"] => Some(Place::Flavor),
        ["instance", "owner", "project"] => Some(Place::Project),
        _ => None,
    }
}

/// A text that can be shown on one line.
fn presentable(text: &str) -> String {
    printable::line(text.trim()).chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const UUID: &str = "30ad89ac-5906-49ca-8d52-3c6343c598f6";

    /// As libvirt writes it (11.0, 2025), with what stands before and within the domain, and Nova's metadata.
    fn status(metadata: &str) -> String {
        format!(
            "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n  virsh edit instance-00000042\n-->\n\n\
             <domstatus state='running' reason='booted' pid='195139'>\n  <taint flag='high-privileges'/>\n  \
             <monitor path='/var/lib/libvirt/qemu/domain-1/monitor.sock' type='unix'/>\n  <vcpus>\n    <vcpu id='0' pid='195156'/>\n  \
             </vcpus>\n  <qemuCaps>\n    <flag name='kvm'/>\n  </qemuCaps>\n  <domain type='kvm' id='11'>\n    <name>instance-00000042</name>\n    \
             <uuid>{UUID}</uuid>\n    <metadata>{metadata}</metadata>\n    <devices>\n      <disk type='file'>\n        \
             <privateData><nodenames><nodename type='storage' name='s'/></nodenames></privateData>\n      </disk>\n    </devices>\n  \
             </domain>\n</domstatus>\n"
        )
    }

    fn nova(version: &str, inner: &str) -> String {
        format!(
            "<nova:instance xmlns:nova=\"http://openstack.org/xmlns/libvirt/nova/{version}\">{inner}</nova:instance>"
        )
    }

    const OWNED: &str = "<nova:package version=\"16.0.2-9.el7ost\"/>\n<nova:name>vm_normal</nova:name>\n\
        <nova:flavor name=\"m1.normal\"><nova:memory>1024</nova:memory><nova:vcpus>1</nova:vcpus></nova:flavor>\n<nova:owner>\n\
        <nova:user uuid=\"5a86b1db\">test</nova:user>\n<nova:project uuid=\"995b4947\">demo</nova:project>\n</nova:owner>";

    fn parsed(document: &str) -> Option<[String; 4]> {
        Domain::parse(document).map(|domain| [domain.uuid, domain.title, domain.flavor, domain.project])
    }

    fn known(values: [&str; 4]) -> Option<[String; 4]> {
        Some(values.map(str::to_owned))
    }

    #[test]
    fn a_domains_status_has_its_uuid_and_what_nova_says_of_it() {
        assert_eq!(parsed(&status("")), known([UUID, "", "", ""]));
        for version in ["1.0", "1.1"] {
            assert_eq!(parsed(&status(&nova(version, OWNED))), known([UUID, "vm_normal", "m1.normal", "demo"]));
        }
        // Names in other scripts, written as references in attributes; references in texts; a project without a name.
        let other = "<nova:name>侯超 &amp; &#x4E3B;&lt;b&gt;</nova:name><nova:flavor name=\"&#x4E3B;&#x7AD9;&quot;\"/>\
                     <nova:owner><nova:project uuid=\"a385d310\"/></nova:owner>";
        assert_eq!(parsed(&status(&nova("1.1", other))), known([UUID, "侯超 & 主<b>", "主站\"", "a385d310"]));
        // Its prefix is only a prefix; another's elements of the same names are not Nova's.
        let own = OWNED.replace("nova:", "n:");
        let instance =
            format!("<n:instance xmlns:n=\"http://openstack.org/xmlns/libvirt/nova/1.1\">{own}</n:instance>");
        assert_eq!(parsed(&status(&instance)), known([UUID, "vm_normal", "m1.normal", "demo"]));
        let foreign = "<o:instance xmlns:o=\"http://ovirt.org/vm/tune/1.0\"><o:name>x</o:name></o:instance><instance><name>y</name></instance>";
        assert_eq!(parsed(&status(foreign)), known([UUID, "", "", ""]));
    }

    #[test]
    fn what_is_half_written_or_something_else_says_nothing_and_names_are_made_presentable() {
        let whole = status(&nova("1.1", OWNED));
        let end = whole.trim_end().len();
        for length in (0..end).filter(|length| whole.is_char_boundary(*length)) {
            assert_eq!(parsed(&whole[..length]), None, "{length}");
        }
        let elsewhere = format!("<domain><uuid>{UUID}</uuid></domain>");
        for text in ["", "<a", "</a>", "<domstatus></domain>", "<domstatus>&bomb;</domstatus>", &elsewhere] {
            assert_eq!(parsed(text), None, "{text}");
        }
        let bomb = "<nova:name>&lol;</nova:name>";
        assert_eq!(parsed(&status(&nova("1.1", bomb))), None, "references of a document's own are not resolved");
        let long = format!("<nova:name>a&#10;b{}</nova:name>", "x".repeat(10_000));
        let [_, title, ..] = parsed(&status(&nova("1.1", &long))).unwrap();
        assert!(title.chars().count() == MOST && !title.contains('\n'), "{title}");
    }

    #[test]
    fn a_machine_is_completed_by_the_document_that_has_its_name_and_uuid() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("run/libvirt/qemu");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("instance-00000042.xml"), status(&nova("1.1", OWNED))).unwrap();
        fs::write(root.path().join("run/secret.xml"), status("")).unwrap();
        let files = MachineFiles::open(&Host::default().with_root(root.path()));
        let machine = |id: &str, domain: &str| {
            let mut vm = VmInfo::new(id, domain, "kvm");
            vm.domain = domain.to_owned();
            files
                .complete(&mut vm)
                .then(|| [vm.manager, &vm.name, &vm.domain, &vm.project, &vm.flavor].map(str::to_owned))
        };
        let found = machine(UUID, "instance-00000042");
        assert_eq!(
            found,
            Some(["openstack", "vm_normal", "instance-00000042", "demo", "m1.normal"].map(str::to_owned))
        );
        assert_eq!(machine(&UUID.to_uppercase(), "instance-00000042"), found);
        // Of another machine of that name, of none, and out of the directory.
        assert_eq!(machine("1b5c3b3e-7a3a-4f0e-9d51-8a0f6d9a1c11", "instance-00000042"), None);
        for domain in ["", "other", "../../secret", "..", "a\0b", &"x".repeat(5000)] {
            assert_eq!(machine(UUID, domain), None, "{domain}");
        }
        fs::write(directory.join("plain.xml"), status("")).unwrap();
        assert_eq!(machine(UUID, "plain"), Some(["libvirt", "plain", "plain", "", ""].map(str::to_owned)));
    }

    proptest::proptest! {
        #[test]
        fn no_document_panics(text in "[<>/a-z:='\"& #;]{0,60}") {
            let _ = Domain::parse(&text);
            let _ = Domain::parse(&status(&nova("1.1", &text)));
        }
    }
}
