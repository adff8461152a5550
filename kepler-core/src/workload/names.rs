//! Names of containers, as far as the host tells without asking a daemon.
//!
//! Best effort: a name that is not found is an empty string and no fault. Looked for are
//! 1. the identifier itself, which is or contains the name (LXC, nspawn, Nomad),
//! 2. the engine's own files below the host's root: nerdctl; with feature `names` Docker and Podman,
//! 3. the environment of one of its processes, as Kepler 0.11 does.
//!
//! Names from Kubernetes are not looked for here.

use super::ContainerInfo;
use std::fs;
use std::path::Path;

/// The name of `container`, or an empty string.
///
/// `root` is the host's root file system, `environ` the content of the `/proc/PID/environ` of a
/// process in the container, empty if it could not be read.
#[must_use]
pub fn container_name(root: &Path, container: &ContainerInfo, environ: &[u8]) -> String {
    let id = container.id.as_str();
    match container.runtime {
        "lxc" | "nspawn" => return id.to_owned(),
        "nomad" => {
            if let Some((_allocation, task)) = id.split_once('.') {
                return task.to_owned();
            }
        }
        _ => {}
    }
    // The identifier becomes part of a path.
    let from_files = if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        match container.runtime {
            "docker" | "ecs" => engine::docker_name(root, id),
            "podman" => engine::podman_name(root, id),
            "nerdctl" => nerdctl_name(root, id),
            _ => None,
        }
    } else {
        None
    };
    from_files.or_else(|| name_in_environment(environ, id)).unwrap_or_default()
}

/// nerdctl keeps one file a name in `/var/lib/nerdctl/<address hash>/names/<namespace>/`, with the
/// identifier in it (nerdctl, docs/dir.md).
fn nerdctl_name(root: &Path, id: &str) -> Option<String> {
    let entries = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten();
    entries(&root.join("var/lib/nerdctl"))
        .flat_map(|store| entries(&store.path().join("names")))
        .flat_map(|namespace| entries(&namespace.path()))
        .filter(|file| file.metadata().is_ok_and(|metadata| metadata.len() < 256))
        .find(|file| fs::read_to_string(file.path()).is_ok_and(|content| content.trim() == id))
        .map(|file| file.file_name().to_string_lossy().into_owned())
}

/// `CONTAINER_NAME`, else `HOSTNAME`: in a pod, that is the pod's name.
///
/// Docker's default host name is the front of the identifier, which is no name.
fn name_in_environment(environ: &[u8], id: &str) -> Option<String> {
    let value = |variable: &str| {
        let variables = environ.split(|&byte| byte == 0);
        let mut values = variables.filter_map(|pair| pair.strip_prefix(variable.as_bytes())?.strip_prefix(b"="));
        values.next().map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let is_name = |name: &String| !name.is_empty() && !id.starts_with(name.as_str());
    value("CONTAINER_NAME").filter(is_name).or_else(|| value("HOSTNAME").filter(is_name))
}

#[cfg(feature = "names")]
mod engine {
    //! The engines' JSON files.

    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use std::fs;
    use std::path::Path;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct DockerContainer {
        name: String,
    }

    /// Docker keeps a directory a container; its `Name` begins with a slash.
    pub(super) fn docker_name(root: &Path, id: &str) -> Option<String> {
        let file = root.join("var/lib/docker/containers").join(id).join("config.v2.json");
        let container: DockerContainer = read_json(&file)?;
        let name = container.name.strip_prefix('/').unwrap_or(&container.name);
        (!name.is_empty()).then(|| name.to_owned())
    }

    #[derive(Deserialize)]
    struct PodmanContainer {
        id: String,
        #[serde(default)]
        names: Vec<String>,
    }

    /// Podman (containers/storage) keeps one list of all containers of the root user.
    pub(super) fn podman_name(root: &Path, id: &str) -> Option<String> {
        let file = root.join("var/lib/containers/storage/overlay-containers/containers.json");
        let containers: Vec<PodmanContainer> = read_json(&file)?;
        containers.into_iter().find(|container| container.id == id)?.names.into_iter().next()
    }

    fn read_json<T: DeserializeOwned>(file: &Path) -> Option<T> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }
}

#[cfg(not(feature = "names"))]
mod engine {
    //! Without feature `names` no JSON is read.

    use std::path::Path;

    pub(super) fn docker_name(_root: &Path, _id: &str) -> Option<String> {
        None
    }

    pub(super) fn podman_name(_root: &Path, _id: &str) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f8a1c9e5b7d2046813fa5c7e9b1d3052746f8ac0e1b3d5f79182a4c6e8091b3";

    fn name(root: &Path, runtime: &'static str, id: &str, environ: &[u8]) -> String {
        let container = ContainerInfo::new(id, runtime);
        container_name(root, &container, environ)
    }

    fn root_with(path: &str, text: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        root
    }

    #[test]
    fn some_identifiers_are_names() {
        let root = Path::new("/nonexistent");
        assert_eq!(name(root, "lxc", "web", b""), "web");
        assert_eq!(name(root, "nspawn", "web", b""), "web");
        assert_eq!(name(root, "nomad", "9d2c8b1e-0c7e-4a5f-8a44-d9a1f2f3c4b5.redis", b""), "redis");
    }

    #[test]
    fn the_environment_names_a_container_but_not_by_its_identifier() {
        let root = Path::new("/nonexistent");
        assert_eq!(name(root, "docker", ID, b"PATH=/bin\0HOSTNAME=web-0\0"), "web-0");
        assert_eq!(name(root, "docker", ID, b"HOSTNAME=web-0\0CONTAINER_NAME=web\0"), "web");
        assert_eq!(name(root, "docker", ID, b"HOSTNAME=3f8a1c9e5b7d\0"), "");
        assert_eq!(name(root, "docker", ID, b"MYHOSTNAME=x\0HOSTNAME=\0HOSTNAMES=y\0"), "");
        assert_eq!(name(root, "docker", ID, b"HOSTNAME=caf\xe9\0"), "caf\u{fffd}");
        assert_eq!(name(root, "docker", ID, b""), "");
    }

    #[test]
    fn nerdctl_keeps_names_as_files() {
        let root = root_with("var/lib/nerdctl/1935db59/names/default/web", ID);
        assert_eq!(name(root.path(), "nerdctl", ID, b"HOSTNAME=h\0"), "web");
        assert_eq!(name(root.path(), "nerdctl", &ID.replace('3', "4"), b""), "");
    }

    #[test]
    fn an_identifier_cannot_lead_out_of_the_engine_directory() {
        let root = root_with("var/lib/docker/config.v2.json", r#"{"Name":"/escaped"}"#);
        assert_eq!(name(root.path(), "docker", "..", b""), "");
    }

    #[cfg(feature = "names")]
    #[test]
    fn docker_and_podman_tell_names_in_json() {
        let docker = root_with(
            &format!("var/lib/docker/containers/{ID}/config.v2.json"),
            r#"{"StreamConfig":{},"State":{"Running":true},"Name":"/web","Config":{"Hostname":"x"}}"#,
        );
        assert_eq!(name(docker.path(), "docker", ID, b"HOSTNAME=h\0"), "web");
        let podman = root_with(
            "var/lib/containers/storage/overlay-containers/containers.json",
            &format!(r#"[{{"id":"00","names":["other"]}},{{"id":"{ID}","names":["web"],"image":"i"}}]"#),
        );
        assert_eq!(name(podman.path(), "podman", ID, b""), "web");
    }

    #[cfg(feature = "names")]
    #[test]
    fn broken_json_leaves_the_environment() {
        let root = root_with(&format!("var/lib/docker/containers/{ID}/config.v2.json"), r#"{"Name": "#);
        assert_eq!(name(root.path(), "docker", ID, b"HOSTNAME=h\0"), "h");
    }
}
