//! Names of containers, as far as the host's files have them, without asking a daemon.
//!
//! Best effort: a name that is not found is no fault. Looked for are
//! 1. the identifier itself, which is or contains the name (LXC, nspawn, libvirt-lxc, Nomad),
//! 2. the engine's own files below the host's root: nerdctl; with feature `names` also Docker, balenaEngine, iSulad,
//!    Podman, containerd and CRI-O, wherever their configuration puts them,
//! 3. the environment of one of its processes, as Kepler 0.11 does; in a pod `HOSTNAME` is not its name and is left out.
//!
//! A container of which none is found is called by the first twelve characters of its identifier, as engines show it:
//! without a name, all of them would be one in whatever groups by name.
//!
//! The host's root is [`Host::root`]; where that is `/`, it is the root of the host's first process (`<procfs>/1/root`) if
//! that can be opened: in a container with the host's procfs, `/` is that of the container. No symbolic link in it leads
//! out of it, and files are read up to a limit.
//!
//! Names from Kubernetes are not looked for here, but those that its runtimes write into a container's own files.

#[cfg(feature = "names")]
mod engine;
#[cfg(feature = "names")]
mod machine;

use super::ContainerInfo;
use crate::host::{Host, HostRoot};
#[cfg(feature = "names")]
pub(crate) use machine::MachineFiles;

/// Finds names of containers.
#[derive(Debug)]
pub struct ContainerNames {
    host: Host,
    roots: Vec<HostRoot>,
}

impl ContainerNames {
    /// Looks for the roots of this host. None is no fault: then only the environment is left.
    ///
    /// ```
    /// use kepler_core::host::Host;
    /// use kepler_core::workload::{ContainerInfo, names::ContainerNames};
    ///
    /// let names = ContainerNames::open(&Host::default().with_root("/nonexistent"));
    /// assert_eq!(names.name(&ContainerInfo::new("web", "lxc"), b""), "web");
    /// assert_eq!(names.name(&ContainerInfo::new("4f".repeat(32), "docker"), b"CONTAINER_NAME=shop\0"), "shop");
    /// assert_eq!(names.name(&ContainerInfo::new("4f".repeat(32), "docker"), b""), "4f4f4f4f4f4f");
    /// ```
    #[must_use]
    pub fn open(host: &Host) -> Self {
        ContainerNames { roots: HostRoot::of(host), host: host.clone() }
    }

    /// The name of `container`. `environ` is the content of the `/proc/PID/environ` of a process in it, empty if it could
    /// not be read.
    #[must_use]
    pub fn name(&self, container: &ContainerInfo, environ: &[u8]) -> String {
        let id = container.id.as_str();
        match container.runtime {
            "lxc" | "nspawn" | "libvirt-lxc" => return id.to_owned(),
            "nomad" => {
                if let Some((_allocation, task)) = id.split_once('.') {
                    return task.to_owned();
                }
            }
            _ => {}
        }
        let name = self.roots.iter().find_map(|root| self.name_in_files(root, container));
        let name = name.or_else(|| name_in_environment(environ, id, container.pod.is_some()));
        name.unwrap_or_else(|| id.chars().take(SHORT_IDENTIFIER).collect())
    }

    fn name_in_files(&self, root: &HostRoot, container: &ContainerInfo) -> Option<String> {
        let id = container.id.as_str();
        // The identifier becomes part of a path.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let name = match container.runtime {
            "nerdctl" => nerdctl_name(root, id),
            _ => None,
        };
        #[cfg(feature = "names")]
        let name = name.or_else(|| engine::name(root, &self.host, container));
        #[cfg(not(feature = "names"))]
        let _ = &self.host;
        name.filter(|name| !name.is_empty())
    }
}

/// Engines show an identifier cut off to this length.
const SHORT_IDENTIFIER: usize = 12;

/// Directories of a kind that are looked through at most.
const MOST_DIRECTORIES: usize = 1000;

/// nerdctl keeps one file a name in `/var/lib/nerdctl/<address hash>/names/<namespace>/`, with the
/// identifier in it (nerdctl, docs/dir.md).
fn nerdctl_name(root: &HostRoot, id: &str) -> Option<String> {
    for store in root.list("var/lib/nerdctl", MOST_DIRECTORIES) {
        let names = format!("var/lib/nerdctl/{store}/names");
        for namespace in root.list(&names, MOST_DIRECTORIES) {
            let directory = format!("{names}/{namespace}");
            let holds = |file: &String| {
                let content = root.read(&format!("{directory}/{file}"), 256);
                content.is_some_and(|content| content.trim_ascii() == id.as_bytes())
            };
            if let Some(name) = root.list(&directory, 8 * MOST_DIRECTORIES).into_iter().find(holds) {
                return Some(name);
            }
        }
    }
    None
}

/// `CONTAINER_NAME`, else `HOSTNAME`. In a pod that is the pod's name, or the node's, never the container's.
///
/// Docker's default host name is the front of the identifier, which is no name.
fn name_in_environment(environ: &[u8], id: &str, is_in_pod: bool) -> Option<String> {
    let value = |variable: &str| {
        let variables = environ.split(|&byte| byte == 0);
        let mut values = variables.filter_map(|pair| pair.strip_prefix(variable.as_bytes())?.strip_prefix(b"="));
        values.next().map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let is_name = |name: &String| !name.is_empty() && !id.starts_with(name.as_str());
    let host_name = || if is_in_pod { None } else { value("HOSTNAME").filter(is_name) };
    value("CONTAINER_NAME").filter(is_name).or_else(host_name)
}

#[cfg(test)]
mod tests;
