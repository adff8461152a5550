//! Pods of a kubelet, an API server and log directories that answer as real ones did, and as faulty ones do.

use crate::support::cluster::{
    Authority, TOKEN, kubelet, log_directories, recorded, recorded_kubelet, service_account,
};
use crate::support::{Reply, Server};
use kepler_connect::kubernetes::{
    Access, BearerToken, Kubeconfig, LabelFilter, Mode, Options, Refresher, follow_cluster, read_pods,
};
use kepler_core::availability::{Remedy, Setting, Unavailable};
use kepler_core::directory::{Directory, PodDirectory};
use kepler_core::workload::PodOwner;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const NGINX: &str = "a13400bf-8540-49f7-aed9-7e72047287f8";

/// The access of a pod in a cluster whose API server is `server`.
pub(crate) fn access(account: &Path, server: Option<&Server>) -> Access {
    let address = server.map(|server| server.address);
    let variable = |name: &str| match name {
        "KUBERNETES_SERVICE_HOST" => address.map(|address| address.ip().to_string()),
        "KUBERNETES_SERVICE_PORT" => address.map(|address| address.port().to_string()),
        _ => None,
    };
    Access::in_cluster(account, variable).unwrap()
}

/// The options for a kubelet at `address`, with nothing of this machine's in them.
pub(crate) fn options(access: Access, address: &str, root: &Path) -> Options {
    let mut options = Options::new("node-a", access);
    options.kubelet_address = Some(address.to_owned());
    options.kubelet_certificates = vec![root.join("kubelet.crt")];
    (options.logs, options.procfs) = (root.join("var/log"), root.join("proc"));
    options.interval = Duration::from_secs(1);
    options
}

/// What one source comes to.
fn probe(options: &Options, source: &str) -> Result<usize, Unavailable> {
    options.probe().into_iter().find(|(name, _)| *name == source).unwrap().1
}

pub(crate) fn wait_for(directory: &Directory, what: impl Fn(&PodDirectory) -> bool) -> Arc<PodDirectory> {
    let start = Instant::now();
    loop {
        let pods = directory.pods();
        if what(&pods) {
            return pods;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", directory.status());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_pod_of_the_recorded_kubelet_is_known_with_owner_resources_and_all_its_containers() {
    let pods = read_pods(recorded("kubelet-pods.json").as_bytes(), &LabelFilter::default()).unwrap();
    let pods = PodDirectory::new("kubelet", kepler_core::host::Timestamp::now(), pods);
    let owner = |uid: &str| pods.pod(uid).unwrap().owner.clone();
    assert_eq!(owner(NGINX), Some(PodOwner::new("Deployment", "nginx-light")));
    assert_eq!(owner("33dd6a23-6bd5-4710-95e8-1ba535d86106"), Some(PodOwner::new("StatefulSet", "redis-cache")));
    assert_eq!(owner("418adb3e-ebd4-4e5a-960f-27d076a1ec25"), Some(PodOwner::new("DaemonSet", "node-agent")));
    assert_eq!(owner("5bc73c67-f2c2-40d0-975b-1316adebbfca"), Some(PodOwner::new("Job", "batch-once")));
    assert_eq!(owner("191418fb-285b-4bf9-b545-36d2246fa78a"), Some(PodOwner::new("CronJob", "nightly-report")));
    assert_eq!(owner("0d39a6a9971de9b562e7e3ea64fc87a8"), None, "a static pod");
    let redis = pods.pod("33dd6a23-6bd5-4710-95e8-1ba535d86106").unwrap();
    let kinds: Vec<_> = redis.containers.iter().map(|own| format!("{} {}", own.kind, own.name)).collect();
    assert_eq!(kinds, ["init sysctl-init", "sidecar exporter-sidecar", "regular redis"]);
    assert_eq!(
        (redis.resources.cpu_request_millicores, redis.resources.memory_request_bytes),
        (Some(100), Some(32 << 20))
    );
    let two = pods.pod("9f3e3e33-aa01-474d-8f59-e6370b465ca5").unwrap();
    assert_eq!((two.qos_class.as_str(), two.resources.cpu_limit_millicores), ("Guaranteed", Some(60)));
    // Every container of the recorded cgroups whose pod is listed, and no sandbox.
    let mut found = 0;
    for process in recorded("proc-pid-cgroup.txt").split("# ").filter(|process| process.contains("kubepods")) {
        let head = process.lines().next().unwrap();
        let id = process.lines().nth(1).unwrap().rsplit('/').next().unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        let container =
            pods.pod_of_container(id).and_then(|pod| pod.container(id)).map(|container| container.name.as_str());
        if words[0] == "sandbox" {
            assert_eq!(container, None, "{head}");
        } else if pods.iter().any(|pod| pod.name == words[1]) {
            assert_eq!(container, Some(words[2]), "{head}");
            found += 1;
        }
    }
    assert_eq!(found, 11);
}

#[test]
fn a_kubelet_is_known_by_its_own_certificate_and_by_the_nodes_name() {
    let (root, cluster, own) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let account = service_account(root.path(), &cluster);
    let server = recorded_kubelet(&own);
    let mut options = options(access(&account, None), &server.address.to_string(), root.path());
    let refused = probe(&options, "kubelet").unwrap_err();
    assert!(refused.reason.contains("certificate"), "{refused}");
    assert_eq!(refused.remedy, Remedy::MountHostPath { path: "/var/lib/kubelet/pki/kubelet.crt".into() });
    assert!(server.asked().is_empty(), "no token is sent to whom is not trusted");
    std::fs::write(root.path().join("kubelet.crt"), &own.pem).unwrap();
    assert_eq!(probe(&options, "kubelet"), Ok(13));
    options.node = "node-b".into();
    let refused = probe(&options, "kubelet").unwrap_err();
    assert!(refused.reason.contains("not valid for name"), "{refused}");
    assert_eq!(refused.remedy, Remedy::CorrectSetting { setting: Setting::NodeName });
    options.kubelet_insecure = true;
    assert_eq!(probe(&options, "kubelet"), Ok(13), "where that is asked for");
}

#[test]
fn a_kubelet_whose_folder_is_not_mounted_is_known_by_the_certificate_in_its_own_file_system() {
    let (root, cluster, own) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let account = service_account(root.path(), &cluster);
    let server = recorded_kubelet(&own);
    let mut options = options(access(&account, None), &server.address.to_string(), root.path());
    let process = options.procfs.join("812");
    let folder = process.join("root/var/lib/kubelet/pki");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(process.join("comm"), "kubelet\n").unwrap();
    std::fs::write(process.join("cgroup"), "0::/../../../../system.slice/kubelet.service\n").unwrap();
    std::fs::write(process.join("status"), "Name:\tkubelet\nUid:\t0\t0\t0\t0\n").unwrap();
    std::fs::write(process.join("cmdline"), "/usr/bin/kubelet\0--v=2\0").unwrap();
    std::fs::write(folder.join("kubelet.crt"), &Authority::new().pem).unwrap();
    assert!(probe(&options, "kubelet").unwrap_err().reason.contains("certificate"), "another's");
    std::fs::write(folder.join("kubelet.crt"), &own.pem).unwrap();
    assert_eq!(probe(&options, "kubelet"), Ok(13));
    options.kubelet_process = false;
    assert!(
        probe(&options, "kubelet").unwrap_err().reason.contains("certificate"),
        "one that is stated is the only one"
    );
}

#[test]
fn each_fault_of_a_kubelet_is_named_and_bounded_in_time() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let whole = recorded("kubelet-pods.json");
    let faults: [(&str, Reply); 7] = [
        ("has not ended within 10 s", Reply::Slow(whole.clone(), Duration::from_millis(200))),
        ("status 401", Reply::Full(401, Vec::new(), recorded("kubelet-401.txt").into())),
        ("subresource(s)=[pods proxy]", Reply::Full(403, Vec::new(), recorded("kubelet-403.txt").into())),
        ("broke off", Reply::Truncated(whole.clone())),
        ("no list of pods", Reply::ok(recorded("apiserver-403.json"))),
        ("cannot be read", Reply::ok("<html>")),
        ("is broken", Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n")),
    ];
    for (expected, reply) in faults {
        let server = Server::start_tls(authority.server(&["node-a"]), move |_| reply.clone());
        let options = options(access(&account, None), &server.address.to_string(), root.path());
        let refused = probe(&options, "kubelet").unwrap_err();
        assert!(refused.reason.contains(expected), "{expected}: {refused}");
    }
    let options = options(access(&account, None), "127.0.0.1:1", root.path());
    let start = Instant::now();
    assert!(probe(&options, "kubelet").unwrap_err().reason.contains("cannot be reached"));
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_token_is_read_again_for_each_request() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let server = recorded_kubelet(&authority);
    std::fs::write(account.join("token"), "expired").unwrap();
    let options = options(access(&account, None), &server.address.to_string(), root.path());
    let directory = Directory::new();
    let refresher = Refresher::start(options, directory.clone()).unwrap();
    assert!(refresher.wait_for_first(Duration::from_secs(20)));
    assert_eq!(directory.status().faults[0].reason, "unauthorized");
    std::fs::write(account.join("token"), TOKEN).unwrap();
    assert_eq!(wait_for(&directory, |pods| !pods.is_empty()).source(), Some("kubelet"));
}

#[test]
fn a_list_of_ten_thousand_pods_is_read_and_a_node_asks_for_it_no_more_often_than_it_may() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let mut list = r#"{"kind":"PodList","items":["#.to_owned();
    for number in 0..10_000 {
        let comma = if number == 0 { "" } else { "," };
        let status = format!(r#"{{"containerStatuses":[{{"name":"c","containerID":"containerd://{number:064x}"}}]}}"#);
        let metadata = format!(r#"{{"name":"pod-{number}","namespace":"n","uid":"{:032x}"}}"#, number % 9_999);
        write!(list, r#"{comma}{{"metadata":{metadata},"spec":{{"containers":[{{"name":"c"}}]}},"status":{status}}}"#)
            .unwrap();
    }
    list.push_str("]}");
    let server =
        Server::start_tls(authority.server(&["node-a"]), move |request| kubelet(request, || Reply::ok(list.clone())));
    let options = options(access(&account, None), &server.address.to_string(), root.path());
    let directory = Directory::new();
    let _refresher = Refresher::start(options, directory.clone()).unwrap();
    let pods = wait_for(&directory, |pods| pods.len() == 10_000);
    assert_eq!(pods.pod(&format!("{:032x}", 0)).unwrap().name, "pod-0", "of two with one UID the first");
    let (start, before) = (Instant::now(), server.asked().len());
    while start.elapsed() < Duration::from_secs(2) {
        directory.ask();
        std::thread::sleep(Duration::from_millis(5));
    }
    let (lists, seconds) = (server.asked().len() - before, start.elapsed().as_secs_f64());
    assert!(lists as f64 <= 1.0 + 4.0 * seconds, "{lists} lists in {seconds} s");
}

/// An API server: what it lists, and what each watch brings.
pub(crate) fn api_server(authority: &Authority, watches: Vec<Reply>) -> Server {
    let (list, node, watches) = (recorded("pods-of-node.json"), recorded("node.json"), Mutex::new(watches));
    Server::start_tls(authority.server(&["127.0.0.1"]), move |request| {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Reply::status(401);
        }
        match (request.path(), request.target.contains("watch=true")) {
            ("/api/v1/pods", false) => Reply::ok(list.clone()),
            ("/api/v1/pods", true) => {
                let mut watches = watches.lock().unwrap();
                if watches.is_empty() { Reply::Silent(Duration::from_secs(60)) } else { watches.remove(0) }
            }
            ("/api/v1/nodes/node-a", _) => Reply::ok(node.clone()),
            _ => Reply::status(404),
        }
    })
}

#[test]
fn a_watch_brings_what_changes_and_goes_on_after_410() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let watch = recorded("pods-watch.jsonl");
    let pieces: Vec<(Duration, String)> =
        watch.lines().map(|line| (Duration::from_millis(2), format!("{line}\n"))).collect();
    let expired = Reply::ok(recorded("pods-watch-410.jsonl"));
    let server = api_server(&authority, vec![expired, Reply::Stream(pieces)]);
    let mut options = options(access(&account, Some(&server)), "127.0.0.1:1", root.path());
    options.mode = Mode::ApiServer;
    let directory = Directory::new();
    let _refresher = Refresher::start(options, directory.clone()).unwrap();
    // Listed by name, added by the watch, and gone with it.
    let pods = wait_for(&directory, |pods| pods.iter().any(|pod| pod.name == "nightly-report-29931691-lvr65"));
    assert!(pods.iter().all(|pod| pod.name != "stress-cpu-7d8dd5b5cd-nxkkj" && pod.name != "bound-by-hand"));
    let hash = "0d39a6a9971de9b562e7e3ea64fc87a8";
    assert_eq!(pods.pod(hash).map(|pod| pod.name.as_str()), Some("static-web-node-a"), "by its mirror pod");
    assert_eq!(pods.source(), Some("apiserver"));
    let asked = server.asked();
    assert_eq!(asked.iter().filter(|request| !request.target.contains("watch=")).count(), 2, "listed again after 410");
    assert!(asked.iter().all(|request| request.target.contains("fieldSelector=spec.nodeName%3Dnode-a")));
    let watches: Vec<_> = asked.iter().filter(|request| request.target.contains("watch=true")).collect();
    assert!(
        watches[0].target.contains("resourceVersion=1249") && watches[0].target.contains("allowWatchBookmarks=true")
    );
    assert!(directory.status().faults.is_empty(), "{:?}", directory.status());
}

#[test]
fn a_watch_that_is_refused_says_which_right_is_missing_and_the_kubelet_is_asked() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), |_| {
        Reply::Full(403, Vec::new(), recorded("apiserver-403.json").into())
    });
    let kubelet = recorded_kubelet(&authority);
    let mut options = options(access(&account, Some(&server)), &kubelet.address.to_string(), root.path());
    options.mode = Mode::ApiServer;
    let directory = Directory::new();
    let _refresher = Refresher::start(options, directory.clone()).unwrap();
    assert_eq!(wait_for(&directory, |pods| !pods.is_empty()).source(), Some("kubelet"));
    let status = directory.status();
    let refused = status.unavailable.iter().find(|refused| refused.source_name == "apiserver").unwrap();
    assert!(refused.reason.contains("cannot list resource"), "{refused}");
    let rule = Remedy::GrantClusterRole { api_group: "", resource: "pods", verbs: vec!["list", "watch"] };
    assert_eq!(refused.remedy, rule);
}

#[test]
fn a_list_in_pages_is_read_whole_and_from_the_start_where_a_page_has_been_forgotten() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let forgotten = AtomicUsize::new(1);
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), move |request| {
        if !request.target.contains("continue=") {
            return Reply::ok(recorded("pods-page-1.json"));
        }
        if forgotten.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Reply::Full(410, Vec::new(), recorded("pods-continue-410.json").into());
        }
        // The last one, whatever it says itself.
        let mut page: serde_json::Value = serde_json::from_str(&recorded("pods-page-2.json")).unwrap();
        page["metadata"]["continue"] = "".into();
        Reply::ok(page.to_string())
    });
    let mut options = options(access(&account, Some(&server)), "127.0.0.1:1", root.path());
    options.mode = Mode::ApiServer;
    let count = |name: &str| {
        let list: serde_json::Value = serde_json::from_str(&recorded(name)).unwrap();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(probe(&options, "apiserver"), Ok(count("pods-page-1.json") + count("pods-page-2.json")));
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn a_list_without_any_pod_is_that_of_another_node() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    // As the API server answers for a node that there is not.
    let empty = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1249"},"items":[]}"#;
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), move |_| Reply::ok(empty));
    let mut options = options(access(&account, Some(&server)), "127.0.0.1:1", root.path());
    options.mode = Mode::ApiServer;
    let refused = probe(&options, "apiserver").unwrap_err();
    assert!(refused.reason.contains("no pod on a node `node-a`"), "{refused}");
    assert_eq!(refused.remedy, Remedy::CorrectSetting { setting: Setting::NodeName });
    log_directories(root.path());
    let directory = Directory::new();
    let _refresher = Refresher::start(options, directory.clone()).unwrap();
    assert_eq!(wait_for(&directory, |pods| !pods.is_empty()).source(), Some("files"));
}

#[test]
fn the_log_directories_name_pods_and_containers_without_any_request() {
    let root = tempfile::tempdir().unwrap();
    let mut options = Options::new("node-a", None);
    (options.logs, options.procfs) = (root.path().join("var/log"), root.path().join("proc"));
    assert!(probe(&options, "files").unwrap_err().reason.contains("cannot be listed"));
    log_directories(root.path());
    let directory = Directory::new();
    let _refresher = Refresher::start(options, directory.clone()).unwrap();
    let pods = wait_for(&directory, |pods| pods.len() == 13);
    let container = |id: &str| {
        let pod = pods.pod_of_container(id)?;
        Some(format!("{}/{} {}", pod.namespace, pod.name, pod.container(id)?.name))
    };
    let nginx = container("bf9ecaec81401408d87f3fc7936ec4a5a9652bebb02451345a29357df4fff90a");
    assert_eq!(nginx.as_deref(), Some("workload-test/nginx-light-76bcb6cd6b-fdp5j nginx"));
    let web = container("13200127b312d3098e815a0afe5beb68db3ac4c77610771d6a588ea914f54b2a");
    assert_eq!(web.as_deref(), Some("kube-system/static-web-node-a web"));
}

#[test]
fn without_an_account_the_kubelet_is_asked_without_a_token() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    std::fs::write(root.path().join("kubelet.crt"), &authority.pem).unwrap();
    let server = Server::start_tls(authority.server(&["node-a"]), |_| Reply::ok(recorded("kubelet-pods.json")));
    let mut without = access(&service_account(root.path(), &authority), None);
    without.token = BearerToken::None;
    let options = options(without, &server.address.to_string(), root.path());
    assert_eq!(probe(&options, "kubelet"), Ok(13));
    assert_eq!(server.asked()[0].header("authorization"), None);
}

#[test]
fn a_compressed_answer_is_read_and_a_bomb_or_a_cut_one_is_none() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let compress = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let whole = compress(recorded("pods-of-node.json").as_bytes());
    let cut = whole[..whole.len() / 2].to_vec();
    // 300 MB of blanks before the list would begin.
    let bomb = compress(&vec![b' '; 300 << 20]);
    // A slow machine reaches the limit in time before the one in length.
    let (broken, endless) = (&["broke off"][..], &["longer than", "has not ended within"][..]);
    for (body, expected) in [(whole, None), (cut, Some(broken)), (bomb, Some(endless))] {
        let server = Server::start_tls(authority.server(&["127.0.0.1"]), move |request| {
            assert_eq!(request.header("accept-encoding"), Some("gzip"));
            Reply::Full(200, vec![("content-encoding", "gzip".into())], body.clone())
        });
        let mut options = options(access(&account, Some(&server)), "127.0.0.1:1", root.path());
        options.mode = Mode::ApiServer;
        match (probe(&options, "apiserver"), expected) {
            (found, None) => assert_eq!(found, Ok(13)),
            (found, Some(expected)) => {
                let refused = found.unwrap_err();
                assert!(expected.iter().any(|text| refused.reason.contains(text)), "{expected:?}: {refused}");
            }
        }
    }
}

#[test]
fn the_client_certificate_of_a_kubeconfig_is_shown() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let server = Server::start_tls(authority.demanding_server(&["127.0.0.1"]), |request| {
        assert_eq!(request.header("authorization"), None, "the certificate is enough");
        Reply::ok(recorded("pods-of-node.json"))
    });
    let (certificate, key) = authority.certificate(&["someone"]);
    for (name, text) in [("ca.crt", &authority.pem), ("c.crt", &certificate.pem()), ("c.key", &key.serialize_pem())] {
        std::fs::write(root.path().join(name), text).unwrap();
    }
    let config = |user: &str| {
        let text = format!(
            r#"{{"contexts": [{{"name": "x", "context": {{"cluster": "x", "user": "x"}}}}], "users": [{{"name": "x", "user": {user}}}],
                "clusters": [{{"name": "x", "cluster": {{"server": "https://{}", "certificate-authority": "ca.crt"}}}}]}}"#,
            server.address
        );
        let mut options = options(
            serde_json::from_str::<Kubeconfig>(&text).unwrap().access(root.path()).unwrap(),
            "127.0.0.1:1",
            root.path(),
        );
        options.mode = Mode::ApiServer;
        probe(&options, "apiserver")
    };
    assert_eq!(config(r#"{"client-certificate": "c.crt", "client-key": "c.key"}"#), Ok(13));
    assert!(config("{}").is_err(), "no answer without a certificate");
    std::fs::write(root.path().join("c.key"), "no key").unwrap();
    let refused = config(r#"{"client-certificate": "c.crt", "client-key": "c.key"}"#).unwrap_err();
    assert!(refused.reason.contains("the client key"), "{refused}");
}

#[test]
fn annotations_and_labels_about_energy_are_kept_and_no_others() {
    let list = r#"{"kind": "PodList", "items": [{"metadata": {"name": "a", "uid": "u",
        "labels": {"kepler.energy/pue": "1.9", "kepler.energy/language": "ko", "app": "shop"},
        "annotations": {"secret": "x", "kepler.energy/pue": "1.2", "kepler.energy/budget": "LONG"}}}]}"#;
    let list = list.replace("LONG", &"9".repeat(5000));
    let read = |filter: &LabelFilter| read_pods(list.as_bytes(), filter).unwrap().remove(0).annotations;
    let kept = read(&LabelFilter::default());
    let shown: Vec<_> = kept.iter().map(|own| (own.name.as_str(), own.value.len(), own.is_label)).collect();
    assert_eq!(shown, [("pue", 3, false), ("budget", 128, false), ("pue", 3, true), ("language", 2, true)]);
    assert_eq!(kept[0].value, "1.2");
    assert!(read(&LabelFilter::default().without_energy_annotations()).is_empty());
}

#[test]
fn namespaces_and_the_region_of_the_node_are_asked_of_the_api_server_and_a_missing_right_takes_nothing_away() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let server = Server::start_tls(authority.server(&["127.0.0.1"]), |request| {
        assert!(request.header("accept").unwrap().contains("PartialObjectMetadata"));
        match request.path() {
            "/api/v1/namespaces" => Reply::ok(
                r#"{"kind": "PartialObjectMetadataList", "metadata": {}, "items": [
                    {"metadata": {"name": "plain", "labels": {"kubernetes.io/metadata.name": "plain"}}},
                    {"metadata": {"name": "shop", "labels": {"kepler.energy/language": "ko"},
                                  "annotations": {"kepler.energy/standard": "KR_CARBON_2050"}}}]}"#,
            ),
            "/api/v1/nodes/node-a" => Reply::ok(
                r#"{"kind": "PartialObjectMetadata", "metadata": {"name": "node-a",
                    "labels": {"topology.kubernetes.io/region": "ap-northeast-2"}}}"#,
            ),
            _ => Reply::Full(403, Vec::new(), recorded("apiserver-403.json").into_bytes()),
        }
    });
    let directory = Directory::new();
    let look = |node: &str| {
        let patience = Duration::from_secs(30);
        let _once = follow_cluster(access(&account, Some(&server)), Some(node.into()), directory.clone(), patience);
        directory.cluster()
    };
    let facts = look("node-a");
    assert_eq!(facts.region.as_deref(), Some("ap-northeast-2"));
    let [shop] = facts.namespaces.as_slice() else { panic!("{facts:?}") };
    let shown: Vec<_> = shop.annotations.iter().map(|own| format!("{}={}", own.name, own.value)).collect();
    assert_eq!((shop.name.as_str(), shown.join(" ").as_str()), ("shop", "standard=KR_CARBON_2050 language=ko"));
    assert_eq!(look("node-b"), facts, "what the server refuses is left as it was");
    assert!(server.asked().iter().all(|request| request.method == "GET"));
}
