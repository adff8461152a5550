//! The kubelet's log directories: names without any request.
//!
//! `/var/log/pods` has a directory a pod, `<namespace>_<name>_<uid>`, and `/var/log/containers` a link a container,
//! `<pod>_<namespace>_<container>-<id>.log`. No name of Kubernetes has an underscore. Only the directories are read, not what
//! was logged. Owners, resources, labels and kinds of containers are not known this way.

use super::failure::SourceFailure;
use super::source::PodSource;
use kepler_core::availability::Remedy;
use kepler_core::directory::{ContainerEntry, PodEntry};
use kepler_core::workload::ContainerKind;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

/// More entries than this are not read: the kubelet keeps a few a container.
const MOST_ENTRIES: usize = 200_000;

/// Lists the directories.
pub(super) struct Files {
    /// `/var/log`, as far as the host's root is visible.
    pub(super) logs: PathBuf,
}

impl PodSource for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn is_local(&self) -> bool {
        true
    }

    fn list(&mut self) -> Result<Vec<PodEntry>, SourceFailure> {
        let directory = self.logs.join("pods");
        let links = names(&self.logs.join("containers"));
        let target = |link: &str| {
            let target = std::fs::read_link(self.logs.join("containers").join(link)).ok()?;
            Some(target.components().rev().nth(2)?.as_os_str().to_str()?.to_owned())
        };
        let names = match (names(&directory), &links) {
            (Ok(names), _) => names,
            // Kubelets keep `pods` from users but root; anyone may list `containers`, and its links say whose they are.
            (Err(_), Ok(links)) if !links.is_empty() => {
                links.iter().filter_map(|link| target(link)).collect::<BTreeSet<_>>().into_iter().collect()
            }
            (Err(error), _) => return Err(failure(&directory, &error)),
        };
        let mut pods: Vec<PodEntry> = names.iter().filter_map(|name| pod(name)).collect();
        let by_name: HashMap<(String, String), usize> =
            pods.iter().enumerate().map(|(index, pod)| ((pod.namespace.clone(), pod.name.clone()), index)).collect();
        let Ok(links) = links else { return Ok(pods) };
        let by_uid: HashMap<String, usize> = pods.iter().enumerate().map(|(at, pod)| (pod.uid.clone(), at)).collect();
        for pod in &mut pods {
            pod.lists_containers = true;
        }
        for link in &links {
            let Some((pod, namespace, container, id)) = container(link) else { continue };
            // Two pods of one name, one after the other: the link says whose it is.
            let index = target(link).and_then(|folder| by_uid.get(folder.rsplit_once('_')?.1));
            let index = index.or_else(|| by_name.get(&(namespace.to_owned(), pod.to_owned())));
            let Some(pod) = index.and_then(|&index| pods.get_mut(index)) else { continue };
            match pod.containers.iter_mut().find(|known| known.name == container) {
                Some(known) => known.ids.push(id.to_owned()),
                None => pod.containers.push(ContainerEntry::new(container, ContainerKind::Regular, [id.to_owned()])),
            }
        }
        Ok(pods)
    }
}

fn failure(directory: &Path, error: &io::Error) -> SourceFailure {
    let reason = format!("{} cannot be listed: {error}", directory.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            SourceFailure::new("permission_denied", reason, Remedy::MakeReadable { path: directory.to_owned() })
        }
        _ => SourceFailure::new("not_found", reason, Remedy::MountHostPath { path: "/var/log/pods".into() }),
    }
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = std::fs::read_dir(directory)?.take(MOST_ENTRIES);
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}

fn pod(directory: &str) -> Option<PodEntry> {
    let mut parts = directory.split('_');
    let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = parts.next().is_none() && ![namespace, name, uid].contains(&"");
    is_whole.then(|| PodEntry::new(uid, name, namespace))
}

/// Pod, namespace, container and identifier.
fn container(link: &str) -> Option<(&str, &str, &str, &str)> {
    let mut parts = link.strip_suffix(".log")?.split('_');
    let (pod, namespace, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (container, id) = rest.rsplit_once('-')?;
    let is_whole = parts.next().is_none() && ![pod, namespace, container, id].contains(&"");
    is_whole.then_some((pod, namespace, container, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_alone_name_pods_where_their_folders_may_not_be_listed() {
        let root = tempfile::tempdir().unwrap();
        let mut files = Files { logs: root.path().to_owned() };
        let containers = root.path().join("containers");
        std::fs::create_dir(&containers).unwrap();
        // Another user's folder cannot be made here by root: one that is a file is not listed either.
        std::fs::write(root.path().join("pods"), "").unwrap();
        assert_eq!(files.list().unwrap_err().fault, "not_found", "nothing is known");
        let link = |name: &str, folder: &str| {
            std::os::unix::fs::symlink(format!("/var/log/pods/{folder}/c/0.log"), containers.join(name)).unwrap();
        };
        link("db-0_zoo_main-11aa.log", "zoo_db-0_c601eb8b");
        link("db-0_zoo_sidecar-22bb.log", "zoo_db-0_c601eb8b");
        link("static-web-node-a_kube-system_web-33cc.log", "kube-system_static-web-node-a_4901682520640de0");
        std::os::unix::fs::symlink("/dev/null", containers.join("odd_odd_odd-1.log")).unwrap();
        let pods = files.list().unwrap();
        let shown: Vec<_> =
            pods.iter().map(|pod| (&*pod.namespace, &*pod.name, &*pod.uid, pod.containers.len())).collect();
        assert_eq!(
            shown,
            [("kube-system", "static-web-node-a", "4901682520640de0", 1), ("zoo", "db-0", "c601eb8b", 2)]
        );
        assert!(pods.iter().all(|pod| pod.lists_containers));
    }

    #[test]
    fn names_are_taken_apart_at_underscores_and_the_last_dash() {
        let link = "nginx-light-76bcb6cd6b-fdp5j_workload-test_debugger-705d0079.log";
        assert_eq!(container(link), Some(("nginx-light-76bcb6cd6b-fdp5j", "workload-test", "debugger", "705d0079")));
        for odd in ["", ".log", "a_b_c.log", "a_b_-id.log", "a_b_c-.log", "_b_c-id.log", "a_b_c-id_d.log", "a_b_c-id"] {
            assert_eq!(container(odd), None, "{odd}");
        }
        let entry = pod("kube-system_static-web-node-a_0d39a6a9971de9b562e7e3ea64fc87a8").unwrap();
        assert_eq!((&*entry.namespace, &*entry.name), ("kube-system", "static-web-node-a"));
        assert!(pod("a_b").is_none() && pod("a_b_c_d").is_none() && pod("__").is_none());
    }
}
