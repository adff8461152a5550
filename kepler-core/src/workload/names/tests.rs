use super::*;
use std::fs;
use std::path::Path;

const ID: &str = "3f8a1c9e5b7d2046813fa5c7e9b1d3052746f8ac0e1b3d5f79182a4c6e8091b3";

/// What a container is called of which no name is found.
const SHORT: &str = "3f8a1c9e5b7d";

fn name(root: &Path, runtime: &'static str, id: &str, environ: &[u8]) -> String {
    let container = ContainerInfo::new(id, runtime);
    ContainerNames::open(&Host::default().with_root(root)).name(&container, environ)
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
    assert_eq!(name(root, "docker", ID, b"HOSTNAME=3f8a1c9e5b7d\0"), SHORT);
    assert_eq!(name(root, "docker", ID, b"MYHOSTNAME=x\0HOSTNAME=\0HOSTNAMES=y\0"), SHORT);
    assert_eq!(name(root, "docker", ID, b"HOSTNAME=caf\xe9\0"), "caf\u{fffd}");
    assert_eq!(name(root, "docker", ID, b""), SHORT);
}

#[test]
fn nerdctl_keeps_names_as_files() {
    let root = root_with("var/lib/nerdctl/1935db59/names/default/web", ID);
    assert_eq!(name(root.path(), "nerdctl", ID, b"HOSTNAME=h\0"), "web");
    assert_eq!(name(root.path(), "nerdctl", &ID.replace('3', "4"), b""), "4f8a1c9e5b7d");
}

#[test]
fn an_identifier_cannot_lead_out_of_the_engine_directory() {
    let root = root_with("var/lib/docker/config.v2.json", r#"{"Name":"/escaped"}"#);
    assert_eq!(name(root.path(), "docker", "..", b""), "..");
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

/// A host whose container engines are used in every way.
#[cfg(feature = "names")]
mod everywhere {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let file = tree.path().join(path.replace("ID", ID));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text.replace("ID", ID)).unwrap();
        }
        tree
    }

    const DOCKER: &str = r#"{"Name":"/web"}"#;
    const STORAGE: &str = r#"[{"id":"ID","names":["web"]}]"#;
    const BUNDLE: &str = r#"{"ociVersion":"1.0","annotations":{"io.kubernetes.cri.container-name":"web"}}"#;
    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nada:x:1000:1000:Ada:/home/ada:/bin/sh\nbroken\n";

    #[test]
    fn names_are_found_wherever_engines_keep_them() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            (
                "docker",
                &[
                    ("etc/docker/daemon.json", r#"{"data-root":"/srv/docker"}"#),
                    ("srv/docker/containers/ID/config.v2.json", DOCKER),
                ],
            ),
            (
                "docker",
                &[
                    ("etc/docker/daemon.json", r#"{"graph":"/srv/docker"}"#),
                    ("srv/docker/containers/ID/config.v2.json", DOCKER),
                ],
            ),
            (
                "docker",
                &[("etc/docker/daemon.json", "{broken"), ("var/lib/docker/containers/ID/config.v2.json", DOCKER)],
            ),
            ("docker", &[("var/lib/docker/100000.100000/containers/ID/config.v2.json", DOCKER)]),
            ("docker", &[("var/snap/docker/common/var-lib-docker/containers/ID/config.v2.json", DOCKER)]),
            (
                "docker",
                &[("etc/passwd", PASSWD), ("home/ada/.local/share/docker/containers/ID/config.v2.json", DOCKER)],
            ),
            (
                "docker",
                &[("var/lib/docker/containers/ID/config.v2.json", r#"{"Name":"/k8s_web_shop-0_default_1b5c_0"}"#)],
            ),
            ("unknown", &[("var/lib/docker/containers/ID/config.v2.json", DOCKER)]),
            ("balena", &[("mnt/data/docker/containers/ID/config.v2.json", DOCKER)]),
            ("isulad", &[("var/lib/isulad/engines/lcr/ID/configv2.json", r#"{"CommonConfig":{"Name":"web"}}"#)]),
            ("podman", &[("var/lib/containers/storage/overlay-containers/containers.json", STORAGE)]),
            ("podman", &[("var/lib/containers/storage/vfs-containers/volatile-containers.json", STORAGE)]),
            (
                "podman",
                &[
                    (
                        "etc/containers/storage.conf",
                        "[storage]\ndriver = \"overlay\"\ngraphroot = \"/srv/pods\" # moved\n",
                    ),
                    ("srv/pods/overlay-containers/containers.json", STORAGE),
                ],
            ),
            (
                "podman",
                &[
                    ("etc/passwd", PASSWD),
                    ("home/ada/.local/share/containers/storage/overlay-containers/containers.json", STORAGE),
                ],
            ),
            ("containerd", &[("run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json", BUNDLE)]),
            ("kubernetes", &[("run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json", BUNDLE)]),
            (
                "containerd",
                &[
                    ("etc/containerd/config.toml", "root = \"/x\"\nstate = \"/run/other\"\n"),
                    ("run/other/io.containerd.runtime.v2.task/k8s.io/ID/config.json", BUNDLE),
                ],
            ),
            (
                "crio",
                &[(
                    "run/containers/storage/overlay-containers/ID/userdata/config.json",
                    r#"{"annotations":{"io.kubernetes.container.name":"web"}}"#,
                )],
            ),
            (
                "nerdctl",
                &[(
                    "run/containerd/io.containerd.runtime.v2.task/default/ID/config.json",
                    r#"{"annotations":{"nerdctl/name":"web"}}"#,
                )],
            ),
        ];
        for (runtime, files) in cases {
            assert_eq!(name(tree(files).path(), runtime, ID, b"HOSTNAME=h\0"), "web", "{runtime} {files:?}");
        }
    }

    #[test]
    fn the_daemon_itself_says_where_its_data_are() {
        for arguments in [
            "dockerd\0--data-root\0/srv/d\0",
            "/usr/bin/dockerd\0-H\0fd://\0--data-root=/srv/d\0",
            "dockerd\0-g\0/srv/d\0",
        ] {
            let root = tree(&[("run/docker.pid", "42\n"), ("srv/d/containers/ID/config.v2.json", DOCKER)]);
            let procfs = tree(&[("42/cmdline", arguments)]);
            let host = Host::default().with_root(root.path()).with_procfs(procfs.path());
            assert_eq!(
                ContainerNames::open(&host).name(&ContainerInfo::new(ID, "docker"), b""),
                "web",
                "{arguments:?}"
            );
            fs::write(procfs.path().join("42/cmdline"), "bash\0--data-root\0/srv/d\0").unwrap();
            assert_eq!(ContainerNames::open(&host).name(&ContainerInfo::new(ID, "docker"), b""), SHORT);
        }
    }

    #[test]
    fn without_a_root_of_its_own_the_one_of_the_hosts_first_process_is_taken() {
        let root = tree(&[("var/lib/docker/containers/ID/config.v2.json", DOCKER)]);
        let procfs = tree(&[("1/comm", "systemd\n")]);
        symlink(root.path(), procfs.path().join("1/root")).unwrap();
        let host = Host::default().with_procfs(procfs.path());
        assert_eq!(ContainerNames::open(&host).name(&ContainerInfo::new(ID, "docker"), b""), "web");
        assert_eq!(
            ContainerNames::open(&host.with_root("/nonexistent")).name(&ContainerInfo::new(ID, "docker"), b""),
            SHORT
        );
    }

    #[test]
    fn links_and_pipes_of_a_hostile_root_are_not_followed() {
        let outside = tree(&[("config.v2.json", DOCKER)]);
        let root = tree(&[("var/lib/docker/containers/x", "")]);
        symlink(outside.path(), root.path().join("var/lib/docker/containers").join(ID)).unwrap();
        assert_eq!(name(root.path(), "docker", ID, b""), SHORT);
        let settings = tree(&[("etc/docker/x", "")]);
        let fifo = settings.path().join("etc/docker/daemon.json");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert_eq!(name(settings.path(), "docker", ID, b""), SHORT);
    }

    #[test]
    fn only_the_home_of_the_user_whose_slice_it_is_in_is_looked_through() {
        let files = [
            ("etc/passwd", PASSWD),
            ("home/ada/.local/share/containers/storage/overlay-containers/containers.json", STORAGE),
        ];
        let root = tree(&files);
        let of_user = |user: u32| {
            let cgroup = format!("/user.slice/user-{user}.slice/user@{user}.service/user.slice/libpod-{ID}.scope");
            let container = ContainerInfo { cgroup, ..ContainerInfo::new(ID, "podman") };
            ContainerNames::open(&Host::default().with_root(root.path())).name(&container, b"")
        };
        assert_eq!((of_user(1000), of_user(1001)), ("web".to_owned(), SHORT.to_owned()));
    }
}
