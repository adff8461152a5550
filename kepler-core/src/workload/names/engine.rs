//! The engines' own files.

use crate::host::{Host, HostRoot};
use crate::workload::ContainerInfo;
use crate::workload::process::ProcessReader;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// One container's description, and settings of an engine.
const LONGEST_DESCRIPTION: u64 = 4 << 20;
/// The list of all of a user's containers.
const LONGEST_LIST: u64 = 64 << 20;
/// Users whose homes are looked through at most.
const MOST_USERS: usize = 64;

/// The name of a container in its engine's files below `root`.
pub(super) fn name(root: &HostRoot, host: &Host, container: &ContainerInfo) -> Option<String> {
    let id = container.id.as_str();
    let users = || homes(root, &container.cgroup);
    match container.runtime {
        "docker" | "ecs" => docker_name(root, host, id, &users()),
        "balena" => BALENA_ROOTS.iter().find_map(|data| name_in_data_root(root, data, id)),
        "isulad" => isulad_name(root, id),
        "podman" => storage_name(root, id, &users()),
        "crio" => name_in_bundle(root, &format!("run/containers/storage/overlay-containers/{id}/userdata/config.json"))
            .or_else(|| storage_name(root, id, &[])),
        "containerd" | "nerdctl" => containerd_name(root, id),
        // In a pod by whatever runtime, or below a parent of the user's choice.
        "kubernetes" | "kata" | "unknown" => containerd_name(root, id)
            .or_else(|| docker_name(root, host, id, &[]))
            .or_else(|| storage_name(root, id, &users())),
        _ => None,
    }
}

/// Where balenaEngine keeps its data: on balenaOS, and elsewhere.
const BALENA_ROOTS: [&str; 3] = ["var/lib/docker", "mnt/data/docker", "var/lib/balena-engine"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerContainer {
    name: String,
}

/// Docker keeps a directory a container below its data root.
fn docker_name(root: &HostRoot, host: &Host, id: &str, homes: &[String]) -> Option<String> {
    let settings = docker_settings(root, "etc/docker/daemon.json");
    let configured = settings.or_else(|| dockerd_argument(root, host));
    let usual = ["var/lib/docker", "var/snap/docker/common/var-lib-docker"].map(str::to_owned);
    let users = homes.iter().map(|home| format!("{home}/.local/share/docker"));
    configured.into_iter().chain(usual).chain(users).find_map(|data| name_in_data_root(root, &data, id))
}

#[derive(Deserialize)]
struct DockerSettings {
    #[serde(rename = "data-root")]
    data_root: Option<String>,
    /// Its name before Docker 17.05.
    graph: Option<String>,
}

fn docker_settings(root: &HostRoot, file: &str) -> Option<String> {
    let settings: DockerSettings = read_json(root, file, LONGEST_DESCRIPTION)?;
    settings.data_root.or(settings.graph)
}

/// The data root in the arguments of the daemon, or in the settings that they name.
fn dockerd_argument(root: &HostRoot, host: &Host) -> Option<String> {
    let file = ["run/docker.pid", "run/snap.docker/docker.pid"].iter().find_map(|file| root.read(file, 32))?;
    let pid = crate::host::parse_decimal(file.trim_ascii()).and_then(|pid| u32::try_from(pid).ok())?;
    let mut reader = ProcessReader::open(host.procfs()).ok()?;
    let arguments = String::from_utf8_lossy(reader.cmdline(pid).ok()?).into_owned();
    let arguments: Vec<&str> = arguments.split('\0').collect();
    if !arguments.first()?.rsplit('/').next()?.starts_with("dockerd") {
        return None; // The number belongs to another one by now.
    }
    let value = |names: &[&str]| {
        arguments.iter().enumerate().find_map(|(at, argument)| {
            let (name, value) = argument.split_once('=').map_or((*argument, None), |(name, value)| (name, Some(value)));
            names.contains(&name).then(|| value.or_else(|| arguments.get(at + 1).copied()))?
        })
    };
    let given = value(&["--data-root", "--graph", "-g"]).map(str::to_owned);
    given.or_else(|| docker_settings(root, value(&["--config-file"])?))
}

/// In a data root: the container's directory, where user namespaces are mapped one level below.
fn name_in_data_root(root: &HostRoot, data: &str, id: &str) -> Option<String> {
    let name = |data: &str| {
        let file = format!("{data}/containers/{id}/config.v2.json");
        let container: DockerContainer = read_json(root, &file, LONGEST_DESCRIPTION)?;
        let name = container.name.strip_prefix('/').unwrap_or(&container.name);
        Some(container_of_kubernetes(name).to_owned())
    };
    let is_mapped = |name: &String| {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        name.split_once('.').is_some_and(|(user, group)| is_number(user) && is_number(group))
    };
    name(data).or_else(|| {
        let mapped = root.list(data, super::MOST_DIRECTORIES).into_iter().filter(is_mapped);
        mapped.take(MOST_USERS).find_map(|mapped| name(&format!("{data}/{mapped}")))
    })
}

/// What Kubernetes calls a container that its Docker and CRI-O call `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`.
fn container_of_kubernetes(name: &str) -> &str {
    name.strip_prefix("k8s_").and_then(|rest| rest.split('_').next()).filter(|name| !name.is_empty()).unwrap_or(name)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IsuladContainer {
    common_config: DockerContainer,
}

/// iSulad keeps a directory a container for each of its runtimes.
fn isulad_name(root: &HostRoot, id: &str) -> Option<String> {
    let engines = "var/lib/isulad/engines";
    root.list(engines, MOST_USERS).into_iter().find_map(|runtime| {
        let file = format!("{engines}/{runtime}/{id}/configv2.json");
        let container: IsuladContainer = read_json(root, &file, LONGEST_DESCRIPTION)?;
        Some(container_of_kubernetes(&container.common_config.name).to_owned())
    })
}

#[derive(Deserialize)]
struct StoredContainer {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

/// Podman and CRI-O (containers/storage) keep lists of a user's containers, one a storage driver, and in newer versions
/// one of those that do not outlive a restart.
fn storage_name(root: &HostRoot, id: &str, homes: &[String]) -> Option<String> {
    let settings = ["etc/containers/storage.conf", "usr/share/containers/storage.conf"];
    let system =
        settings.iter().filter_map(|file| graph_root(root, file)).chain(["var/lib/containers/storage".to_owned()]);
    let run = ["run/containers/storage".to_owned()];
    let users = homes.iter().flat_map(|home| {
        let configured = graph_root(root, &format!("{home}/.config/containers/storage.conf"));
        configured.into_iter().chain([format!("{home}/.local/share/containers/storage")])
    });
    system.chain(run).chain(users).find_map(|storage| {
        ["overlay", "vfs", "btrfs", "zfs"].iter().find_map(|driver| {
            ["containers.json", "volatile-containers.json"].iter().find_map(|list| {
                let file = format!("{storage}/{driver}-containers/{list}");
                let containers: Vec<StoredContainer> = read_json(root, &file, LONGEST_LIST)?;
                let name = containers.into_iter().find(|container| container.id == id)?.names.into_iter().next()?;
                Some(container_of_kubernetes(&name).to_owned())
            })
        })
    })
}

/// `graphroot = "…"` in a storage.conf (TOML).
fn graph_root(root: &HostRoot, file: &str) -> Option<String> {
    let text = String::from_utf8(root.read(file, LONGEST_DESCRIPTION)?).ok()?;
    let value = text.lines().find_map(|line| line.trim().strip_prefix("graphroot")?.trim_start().strip_prefix('='))?;
    let value = value.trim().strip_prefix(['"', '\''])?;
    let end = value.find(['"', '\''])?;
    value.get(..end).filter(|path| path.starts_with('/') && !path.contains('$')).map(str::to_owned)
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(default)]
    annotations: HashMap<String, String>,
}

/// A container's OCI configuration, into which the runtimes of Kubernetes and nerdctl write its name.
fn name_in_bundle(root: &HostRoot, file: &str) -> Option<String> {
    let bundle: Bundle = read_json(root, file, LONGEST_DESCRIPTION)?;
    let keys = ["io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"];
    keys.iter().find_map(|key| bundle.annotations.get(*key)).cloned()
}

/// Where containerd keeps what runs: its own, and those of Kubernetes distributions.
const CONTAINERD_STATES: [&str; 4] =
    ["run/containerd", "run/k3s/containerd", "run/k0s/containerd", "var/snap/microk8s/common/run/containerd"];

fn containerd_name(root: &HostRoot, id: &str) -> Option<String> {
    let configured = root.read("etc/containerd/config.toml", LONGEST_DESCRIPTION).and_then(|text| {
        let text = String::from_utf8(text).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix("state")?.trim_start().strip_prefix('='))?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    });
    configured.into_iter().chain(CONTAINERD_STATES.map(str::to_owned)).find_map(|state| {
        let tasks = format!("{state}/io.containerd.runtime.v2.task");
        root.list(&tasks, MOST_USERS)
            .into_iter()
            .find_map(|namespace| name_in_bundle(root, &format!("{tasks}/{namespace}/{id}/config.json")))
    })
}

/// The homes of users whose containers this cgroup may hold: of the one it names (`user-1000.slice`), else of all.
fn homes(root: &HostRoot, cgroup: &str) -> Vec<String> {
    let user = cgroup.split('/').find_map(|name| name.strip_prefix("user-")?.strip_suffix(".slice"));
    let text = String::from_utf8_lossy(&root.read("etc/passwd", LONGEST_DESCRIPTION).unwrap_or_default()).into_owned();
    let homes = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (number, home) = (fields.nth(2)?, fields.nth(2)?);
        (home.len() > 1 && user.is_none_or(|user| user == number)).then(|| home.to_owned())
    });
    let mut homes: Vec<String> = homes.take(MOST_USERS).collect();
    homes.sort_unstable();
    homes.dedup();
    homes
}

fn read_json<T: DeserializeOwned>(root: &HostRoot, file: &str, limit: u64) -> Option<T> {
    serde_json::from_slice(&root.read(file, limit)?).ok()
}
