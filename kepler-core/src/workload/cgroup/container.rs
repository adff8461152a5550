//! The directory names that container runtimes and Kubernetes give to their cgroups.
//!
//! | who | names |
//! |---|---|
//! | Docker | `docker/<id>`, `docker-<id>.scope`; balenaEngine `balena/<id>`, `balena-<id>.scope` |
//! | containerd (CRI) | `cri-containerd-<id>.scope`, `<slice>:cri-containerd:<id>`, `containerd/<id>`, `k8s.io/<id>` |
//! | CRI-O | `crio-<id>.scope`, `crio-<id>`; its monitor `crio-conmon-<id>.scope` is outside the container |
//! | Podman | `libpod-<id>.scope`, `libpod_parent/libpod-<id>`, `libpod-payload-<id>`; not `libpod-conmon-<id>.scope` |
//! | nerdctl | `default/<id>` (a containerd namespace), `nerdctl/<id>`, `nerdctl-<id>.scope` |
//! | Amazon ECS | `ecs/<task>/<id>`, `ecs/<cluster>/<task>/<id>`, `ecstasks-<task>.slice/docker-<id>.scope` |
//! | iSulad | `isulad/<id>`, `isulad-<id>.scope`; with the LXC runtime `lxc/<id>` |
//! | Kata | `kata_<id>` in place of `<id>`, with the whole sandbox in it; what is outside of it in `kata_overhead/<id>` |
//! | Garden (Cloud Foundry) | `garden/<handle>`, `garden-<n>/<handle>`, `garden/good\|bad/<handle>` |
//! | Mesos | `mesos/<uuid>` |
//! | libvirt-lxc | `machine-lxc-<n>-<name>.scope` (escaped), `<name>.libvirt-lxc`, `libvirt/lxc/<name>` |
//! | LXC, Incus, LXD | `lxc/<name>`, `lxc.payload/<name>`, `lxc.payload.<name>`; not `lxc.monitor.<name>` |
//! | systemd-nspawn | `machine-<name>.scope/payload`, `systemd-nspawn@<name>.service` |
//! | Nomad | `<allocation>.<task>` or `<allocation>.<task>.scope` somewhere below `nomad` or `nomad.slice` |
//! | Kubernetes | pods: `pod<uid>`, `kubepods[-besteffort\|-burstable]-pod<uid>.slice`; containers in them: `<id>` |
//!
//! `<id>` is 64 hexadecimal digits. Nothing but a container runtime uses such a directory name, so
//! one below an unknown parent (`docker run --cgroup-parent`) is a container of runtime `unknown`.

use super::super::{ContainerInfo, PodInfo, unit};
use super::path::Path;
use std::sync::Arc;

/// The containers on one path.
#[derive(Default)]
pub(super) struct Layers {
    /// Outermost first.
    pub(super) containers: Vec<ContainerInfo>,
    /// The innermost pod.
    pub(super) pod: Option<Arc<PodInfo>>,
}

/// Finds the containers and the pod on `path`.
pub(super) fn layers(path: &Path<'_>) -> Layers {
    let mut layers = Layers::default();
    let mut place = Place::default();
    let mut directories = path.directories().peekable();
    while let Some((name, path)) = directories.next() {
        if let Some(uid) = pod_uid(name) {
            layers.pod = Some(Arc::new(PodInfo { cgroup: path.to_owned(), ..PodInfo::new(uid) }));
            place = Place { grandparent: "", parent: name, below: Manager::Kubernetes };
            continue;
        }
        // `<slice>:<prefix>:<id>` is the systemd notation taken literally by a runtime that makes
        // plain directories. There the pod has no directory of its own.
        let mut parts = name.splitn(3, ':');
        let (slice, prefix, id) = (parts.next(), parts.next(), parts.next());
        if let Some(uid) = slice.filter(|_| id.is_some()).and_then(pod_uid) {
            layers.pod = Some(Arc::new(PodInfo::new(uid)));
        }
        let next = directories.peek().map(|(next, _)| *next);
        let found = match (prefix, id) {
            (Some(prefix), Some(id)) if is_container_id(id) => {
                runtime_of_prefix(prefix).map(|runtime| (runtime, id.to_owned()))
            }
            _ => container(name, next, &place),
        };
        if let Some((runtime, id)) = found {
            let (pod, cgroup) = (layers.pod.clone(), path.to_owned());
            layers.containers.push(ContainerInfo { pod, cgroup, ..ContainerInfo::new(id, runtime) });
            place = Place { grandparent: "", parent: name, below: Manager::None };
        } else {
            place.enter(name);
        }
    }
    layers
}

/// What is known of the directories above, since the last container.
#[derive(Default)]
struct Place<'a> {
    grandparent: &'a str,
    parent: &'a str,
    below: Manager,
}

/// Managers that put containers some levels below their own directory.
#[derive(Default, PartialEq)]
enum Manager {
    #[default]
    None,
    Kubernetes,
    Ecs,
    Nomad,
}

impl<'a> Place<'a> {
    fn enter(&mut self, name: &'a str) {
        (self.grandparent, self.parent) = (self.parent, name);
        match name {
            "ecs" | "ecstasks.slice" => self.below = Manager::Ecs,
            "nomad" | "nomad.slice" => self.below = Manager::Nomad,
            _ => {}
        }
    }
}

/// The runtime and identifier if the directory `name` is a container's.
fn container(name: &str, next: Option<&str>, place: &Place<'_>) -> Option<(&'static str, String)> {
    if is_container_id(name) {
        let runtime = match (&place.below, place.parent) {
            (Manager::Kubernetes, _) => "kubernetes",
            (Manager::Ecs, _) => "ecs",
            (Manager::Nomad, _) => "nomad",
            (_, "docker") => "docker",
            (_, "containerd" | "k8s.io") => "containerd",
            (_, "default" | "nerdctl") => "nerdctl",
            (_, "balena") => "balena",
            (_, "isulad" | "lxc") => "isulad",
            (_, "kata_overhead") => "kata",
            // A pod of Podman's own; its containers are the directories below.
            (_, "libpod_parent") => return None,
            _ => "unknown",
        };
        return Some((runtime, name.to_owned()));
    }
    let stem = name.strip_suffix(".scope").unwrap_or(name);
    if let Some((prefix, id)) = stem.rsplit_once('-')
        && is_container_id(id)
        && let Some(runtime) = runtime_of_prefix(prefix)
    {
        return Some((if place.below == Manager::Ecs { "ecs" } else { runtime }, id.to_owned()));
    }
    // Outside of Kubernetes and engines a sandbox may be called anything.
    if let Some(sandbox) = stem.strip_prefix("kata_").filter(|id| !id.is_empty() && *id != "overhead") {
        return Some(("kata", sandbox.to_owned()));
    }
    if let Some(machine) = libvirt_lxc(name, place).filter(|_| next != Some("payload")) {
        return Some(("libvirt-lxc", machine));
    }
    if is_garden(place) && is_garden_handle(name) {
        return Some(("garden", name.to_owned()));
    }
    if place.parent == "mesos" && is_uuid(name) {
        return Some(("mesos", name.to_owned()));
    }
    if let Some(machine) = name.strip_prefix("lxc.payload.").filter(|machine| !machine.is_empty()) {
        return Some(("lxc", machine.to_owned()));
    }
    if matches!(place.parent, "lxc" | "lxc.payload") {
        return Some(("lxc", name.to_owned()));
    }
    // Virtual machines of libvirt have a `machine-….scope` too, but no `payload` in it.
    let scope = || name.strip_prefix("machine-")?.strip_suffix(".scope").filter(|_| next == Some("payload"));
    let service = || name.strip_prefix("systemd-nspawn@")?.strip_suffix(".service");
    if let Some(machine) = scope().or_else(service).filter(|machine| !machine.is_empty()) {
        return Some(("nspawn", unit::unescape(machine)));
    }
    match place.below {
        Manager::Nomad if is_nomad_task(stem) => Some(("nomad", stem.to_owned())),
        Manager::Ecs if is_fargate_id(name) => Some(("ecs", name.to_owned())),
        _ => None,
    }
}

fn runtime_of_prefix(prefix: &str) -> Option<&'static str> {
    match prefix {
        "docker" => Some("docker"),
        "cri-containerd" | "containerd" => Some("containerd"),
        "crio" => Some("crio"),
        "libpod" | "libpod-payload" => Some("podman"),
        "nerdctl" => Some("nerdctl"),
        "balena" => Some("balena"),
        "isulad" => Some("isulad"),
        _ => None,
    }
}

/// The UID of the pod whose directory is called `name`, with dashes.
///
/// The cgroupfs driver writes `pod<uid>`, the systemd driver `kubepods[-<class>]-pod<uid>.slice` with
/// underscores for the dashes; kind puts its own prefix before `kubepods`. A guaranteed pod has no
/// class, and a static pod's UID is a hash without dashes.
fn pod_uid(name: &str) -> Option<String> {
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => slice.split_once("kubepods")?.1.rsplit_once("-pod")?.1,
        None => name.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    let digits = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.bytes().filter(|&byte| byte == b'-').count();
    (digits == 32 && matches!(dashes, 0 | 4) && digits + dashes == uid.len()).then_some(uid)
}

fn is_container_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_hex)
}

/// On Fargate a container is called by its task's 32 digits and a number.
fn is_fargate_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(task, number)| {
        task.len() == 32 && task.bytes().all(is_hex) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The name in a directory of libvirt's LXC driver: with systemd, in a partition, and before libvirt 1.0.5.
fn libvirt_lxc(name: &str, place: &Place<'_>) -> Option<String> {
    let machine = if let Some(scope) = name.strip_prefix("machine-").and_then(|name| name.strip_suffix(".scope")) {
        // The number is that of the controller's process; libvirt before 1.3.3 wrote none.
        let scope = unit::unescape(scope);
        let rest = scope.strip_prefix("lxc-")?;
        match rest.split_once('-') {
            Some((number, name)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
            _ => rest.to_owned(),
        }
    } else if let Some(machine) = name.strip_suffix(".libvirt-lxc") {
        machine.to_owned()
    } else if (place.grandparent, place.parent) == ("libvirt", "lxc") {
        name.to_owned()
    } else {
        return None;
    };
    (!machine.is_empty()).then_some(machine)
}

/// Garden runs several servers beside each other as `garden-<n>`, and moves what uses too much CPU time to `bad`.
fn is_garden(place: &Place<'_>) -> bool {
    let is_root = |name: &str| name == "garden" || name.starts_with("garden-");
    is_root(place.parent) || (matches!(place.parent, "good" | "bad") && is_root(place.grandparent))
}

/// A UUID, of which Cloud Foundry leaves out the end: `6f265890-5165-7fab-6b52-18d1`.
fn is_garden_handle(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5 && groups.iter().all(|group| group.len() >= 4 && group.bytes().all(is_hex))
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || is_hex(byte))
}

/// `<allocation>.<task>`, the allocation being a UUID.
fn is_nomad_task(text: &str) -> bool {
    text.split_once('.').is_some_and(|(allocation, task)| {
        allocation.len() == 36 && allocation.bytes().all(|byte| is_hex(byte) || byte == b'-') && !task.is_empty()
    })
}

/// Runtimes write lower-case digits only.
fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
