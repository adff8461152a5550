//! `kepler serve` beside a stand-in for Kubernetes that answers as a real cluster did.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

#[path = "kubernetes/late_names.rs"]
mod late_names;
mod program;
#[path = "../bindings/connect/tests/clients/support/mod.rs"]
mod support;

use program::{run, text};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::cluster::{self, Authority, TOKEN, recorded};
use support::{Reply, Server};

/// The host of the recorded cluster: its processes with their cgroups, and a processor package.
fn host() -> tempfile::TempDir {
    host_with(|cgroup| cgroup.to_owned())
}

/// The same, its cgroups in another form.
fn host_with(form: impl Fn(&str) -> String) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let procfs = root.path().join("proc");
    let processes = recorded("proc-pid-cgroup.txt");
    for (number, process) in processes.split("# ").filter(|text| text.contains(':')).enumerate() {
        let (head, cgroup) = process.split_once('\n').unwrap();
        let comm = head.split_once("comm=").map_or(head, |(_, comm)| comm).trim();
        let pid = number + 100;
        let directory = procfs.join(pid.to_string());
        fs::create_dir_all(&directory).unwrap();
        let stat = format!("{pid} ({comm}) S 1 {pid} {pid} 0 -1 4194304 0 0 0 0 50 0 0 0 20 0 1 0 5000 0 0\n");
        fs::write(directory.join("stat"), stat).unwrap();
        fs::write(directory.join("cgroup"), form(cgroup)).unwrap();
        fs::write(directory.join("environ"), "HOSTNAME=vm\0").unwrap();
        fs::write(directory.join("cmdline"), format!("{comm}\0")).unwrap();
    }
    fs::write(procfs.join("stat"), "cpu  1000 0 0 9000 0 0 0 0 0 0\ncpu0 1000 0 0 9000 0 0 0 0 0 0\nintr 0\n").unwrap();
    let zone = root.path().join("sys/class/powercap/intel-rapl:0");
    fs::create_dir_all(&zone).unwrap();
    for (file, content) in
        [("name", "package-0\n"), ("energy_uj", "1000000\n"), ("max_energy_range_uj", "262143328850\n")]
    {
        fs::write(zone.join(file), content).unwrap();
    }
    root
}

/// The flags of `kepler serve` on that host.
fn flags(host: &Path, kubelet: &Server, kubeconfig: &str) -> Vec<String> {
    let root = host.display();
    vec![
        format!("--host.procfs={root}/proc"),
        format!("--host.sysfs={root}/sys"),
        format!("--host.root={root}"),
        "--usage=procfs".to_owned(),
        "--kube.enable".to_owned(),
        "--kube.node-name=node-a".to_owned(),
        format!("--kube.config={kubeconfig}"),
        format!("--kube.kubelet-address={}", kubelet.address),
    ]
}

fn start(flags: &[String]) -> program::Server {
    program::Server::start(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}

fn metrics(server: &program::Server) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The metrics once they show what is waited for.
fn wait_for(server: &program::Server, what: impl Fn(&str) -> bool) -> String {
    let start = Instant::now();
    loop {
        let text = metrics(server);
        if what(&text) {
            return text;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The one line that has all of these in it.
fn line<'a>(text: &'a str, parts: &[&str]) -> &'a str {
    let mut lines = text.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
    let found = lines.next().unwrap_or_else(|| panic!("no line with {parts:?} in\n{text}"));
    assert_eq!(lines.next(), None, "{parts:?}");
    found
}

/// What a command prints.
fn text_of(arguments: &[String]) -> String {
    text(&run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).stdout)
}

const JOULES: &str = "kepler_pod_cpu_joules_total{";

/// The series of energy of pods, containers and processes.
fn series(text: &str) -> Vec<String> {
    let energy =
        ["pod", "container", "process"].map(|kind| [format!("kepler_{kind}_cpu_"), format!("kepler_{kind}_package_")]);
    let is_energy = |line: &&str| energy.iter().flatten().any(|name| line.starts_with(name));
    let energy = text.lines().filter(is_energy).filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
    let mut series: Vec<String> = energy.collect();
    series.sort();
    series
}

#[test]
fn pods_and_containers_are_named_from_the_first_measurement_on() {
    let (host, account, authority) = (host(), tempfile::tempdir().unwrap(), Authority::new());
    let kubelet = cluster::recorded_kubelet(&authority);
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, "https://127.0.0.1:9");
    let mut flags = flags(host.path(), &kubelet, &kubeconfig);
    flags.extend(["--kube.pod-label=app".to_owned(), "--metrics.compat=kepler-0.7".to_owned()]);
    let server = start(&flags);
    let text = wait_for(&server, |text| text.contains(JOULES));
    for (uid, name, namespace) in [
        ("a13400bf-8540-49f7-aed9-7e72047287f8", "nginx-light-76bcb6cd6b-fdp5j", "workload-test"),
        ("0d39a6a9971de9b562e7e3ea64fc87a8", "static-web-node-a", "kube-system"),
        ("9f3e3e33-aa01-474d-8f59-e6370b465ca5", "two-containers", "workload-test"),
        ("cd899086-d1c3-4a0b-9279-8c6374f2e59b", "pulls-nothing", "workload-test"),
    ] {
        let found = line(&text, &[JOULES, &format!("pod_id=\"{uid}\"")]);
        assert!(found.contains(&format!("pod_name=\"{name}\",pod_namespace=\"{namespace}\"")), "{found}");
    }
    for (id, name) in [
        ("705d0079e47ad910bffe30779704d85a7420578487de0b6095f6372f5ad1af89", "debugger"),
        ("bf9ecaec81401408d87f3fc7936ec4a5a9652bebb02451345a29357df4fff90a", "nginx"),
        ("cbc6e35fde8d8e1de5ce85e4ba5a94b09f1e56ea67e3e554521cf4a2d223ca7b", "exporter-sidecar"),
        ("13200127b312d3098e815a0afe5beb68db3ac4c77610771d6a588ea914f54b2a", "web"),
    ] {
        let id = format!("container_id=\"{id}\"");
        let found = line(&text, &["kepler_container_cpu_joules_total{", &id]);
        assert!(found.contains(&format!("container_name=\"{name}\"")), "{found}");
    }
    let older = line(&text, &["kepler_container_package_joules_total{", "container_name=\"redis\""]);
    assert!(older.contains("container_namespace=\"workload-test\",pod_name=\"redis-cache-0\""), "{older}");
    let sandbox = "01ed6f7c62ae4458d015caa16504f2c3bef879e141935ad698d9f017177af3fd";
    let is_of_sandbox = |line: &str| line.starts_with("kepler_container") && line.contains(sandbox);
    assert!(!text.lines().any(is_of_sandbox) && !text.contains("container_name=\"vm\""), "{text}");
    let info = line(&text, &["kepler_pod_info{", "pod_name=\"nginx-light-76bcb6cd6b-fdp5j\""]);
    assert!(
        info.contains(
            "owner_kind=\"Deployment\",owner_name=\"nginx-light\",qos_class=\"Burstable\",label_app=\"nginx-light\""
        ),
        "{info}"
    );
    line(&text, &["kepler_kubernetes_source_info{", "source=\"kubelet\"} 1"]);
    assert!(line(&text, &["kepler_kubernetes_pods{"]).ends_with(" 13"));
    // A pod that the kubelet does not list: not shown for two seconds, then without a name; and it was asked for.
    let text = wait_for(&server, |text| text.contains("pod_name=\"\""));
    assert_eq!(text.lines().filter(|line| line.starts_with(JOULES) && line.contains("pod_name=\"\"")).count(), 1);
    assert!(line(&text, &["kepler_kubernetes_unresolved_pods{"]).ends_with(" 1"));
    let asked = kubelet.asked();
    assert!(asked.len() >= 2 && asked.len() < 12, "{} lists", asked.len());
    assert!(asked.iter().all(|request| request.header("authorization") == Some(&format!("Bearer {TOKEN}"))));
}

#[test]
fn a_kubelet_that_refuses_is_said_with_the_missing_rule_and_the_log_directories_name_pods() {
    let (host, account, authority) = (host(), tempfile::tempdir().unwrap(), Authority::new());
    cluster::log_directories(host.path());
    let refusal = recorded("kubelet-403.txt");
    let kubelet = Server::start_tls(authority.server(&["node-a"]), move |_| {
        Reply::Full(403, Vec::new(), refusal.clone().into_bytes())
    });
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, "https://127.0.0.1:9");
    let flags = flags(host.path(), &kubelet, &kubeconfig);
    let mut arguments = vec!["doctor"];
    arguments.extend(flags.iter().map(String::as_str));
    let page = text(&run(&arguments).stdout);
    assert!(page.contains("Kubernetes, as node node-a"), "{page}");
    assert!(page.contains("{apiGroups: [\"\"], resources: [\"nodes/pods\"], verbs: [get]}"), "{page}");
    assert!(page.contains("system:serviceaccount:kepler-system:nobody"), "{page}");
    assert!(page.contains("files     usable, lists 13 pods"), "{page}");
    let server = start(&flags);
    let said = |what: &str| server.log.iter().any(|line| line.contains(what));
    assert!(said("not named by kubelet") && said("nodes/pods"), "{:#?}", server.log);
    let text = wait_for(&server, |text| text.contains("pod_name=\"redis-cache-0\""));
    assert!(text.contains("container_name=\"exporter-sidecar\""), "{text}");
    assert!(line(&text, &["kepler_kubernetes_errors_total{", "source=\"kubelet\""]).contains("reason=\"forbidden\""));
    line(&text, &["kepler_kubernetes_source_info{", "source=\"files\"} 1"]);
}

/// What of the pods is in a line of the recorded cgroups: QoS class, pod, container.
fn parts(cgroup: &str) -> Option<(&str, &str, &str)> {
    let path = cgroup.lines().next()?.split_once("/kubepods/")?.1;
    let (class, rest) = if path.starts_with("pod") { ("", path) } else { path.split_once('/')? };
    let (pod, container) = rest.split_once('/').unwrap_or((rest, ""));
    Some((class, pod, container))
}

/// The file of a process in a container of a pod of a class.
type Form<'a> = &'a dyn Fn(&str, &str, &str) -> String;

#[test]
fn every_form_of_cgroup_leads_to_the_same_names() {
    let (account, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let kubelet = cluster::recorded_kubelet(&authority);
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, "https://127.0.0.1:9");
    let slice = |root: &str, class: &str, pod: &str| {
        let (pod, class) = (pod.replace('-', "_"), if class.is_empty() { String::new() } else { format!("-{class}") });
        let around = if class.is_empty() { String::new() } else { format!("/{root}{class}.slice") };
        format!("/{root}.slice{around}/{root}{class}-{pod}.slice")
    };
    let systemd = |root: &'static str, prefix: &'static str, end: &'static str| {
        move |class: &str, pod: &str, id: &str| {
            let leaf = if id.is_empty() { String::new() } else { format!("/{prefix}{id}{end}") };
            format!("0::{}{leaf}\n", slice(root, class, pod))
        }
    };
    let (crio, kind) =
        (systemd("kubepods", "crio-", ".scope/container"), systemd("kubelet-kubepods", "cri-containerd-", ".scope"));
    let hybrid = |class: &str, pod: &str, id: &str| {
        let path = format!("{}/docker-{id}.scope", slice("kubepods", class, pod));
        format!("4:cpu,cpuacct:{path}\n1:name=systemd:{path}\n0::/system.slice/docker.service\n")
    };
    // A node that is a container itself: it is not called what a process in one of its pods has in its environment.
    let docker = |class: &str, pod: &str, id: &str| {
        let node = "ab".repeat(32);
        let class = if class.is_empty() { String::new() } else { format!("/{class}") };
        let path = format!("/docker/{node}/kubelet/kubepods{class}/{pod}/{id}");
        format!("4:cpu,cpuacct:{path}\n1:name=systemd:{path}\n")
    };
    let forms: [Form<'_>; 4] = [&crio, &kind, &hybrid, &docker];
    for form in forms {
        let host = host_with(|cgroup| match parts(cgroup) {
            Some((class, pod, container)) => form(class, pod, container),
            None => cgroup.to_owned(),
        });
        let server = start(&flags(host.path(), &kubelet, &kubeconfig));
        let text = wait_for(&server, |text| text.contains(JOULES));
        let names = |family: &str, label: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.starts_with(family));
            let of = |line: &str| Some(line.split_once(&format!("{label}=\""))?.1.split_once('"')?.0.to_owned());
            // A pod that is not listed and its containers, and the node, have no name.
            let is_id = |name: &String| name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_name = |name: &String| !(name.is_empty() || is_id(name));
            let mut names: Vec<String> = lines.filter_map(of).filter(is_name).collect();
            names.sort();
            names.dedup();
            names
        };
        let pods = names(JOULES, "pod_name");
        assert_eq!(pods.len(), 10, "{pods:?}");
        let containers = names("kepler_container_cpu_joules_total{", "container_name");
        let expected =
            ["agent", "busy", "debugger", "exporter-sidecar", "idle", "kepler", "nginx", "redis", "stress", "web"];
        assert_eq!(containers, expected);
    }
}

/// A wrong name: the kubelet's certificate has another one, and the API server lists no pods of such a node.
#[test]
fn a_wrong_node_name_is_said_and_the_log_directories_name_pods() {
    let (host, account, authority) = (host(), tempfile::tempdir().unwrap(), Authority::new());
    cluster::log_directories(host.path());
    let kubelet = cluster::recorded_kubelet(&authority);
    let api = Server::start_tls(authority.server(&["127.0.0.1"]), |_| {
        Reply::ok(r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1249"},"items":[]}"#)
    });
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, &format!("https://{}", api.address));
    let mut flags = flags(host.path(), &kubelet, &kubeconfig);
    let node = flags.iter_mut().find(|flag| flag.starts_with("--kube.node-name")).unwrap();
    *node = "--kube.node-name=node-b".to_owned();
    let mut arguments = vec!["doctor"];
    arguments.extend(flags.iter().map(String::as_str));
    let page = text(&run(&arguments).stdout);
    assert!(page.contains("certificate is only valid for DnsName(\"node-a\")"), "{page}");
    assert!(page.contains("lists no pod on a node `node-b`"), "{page}");
    let remedy = "remedy: state this node's name in the cluster with --kube.node-name, or in NODE_NAME";
    assert_eq!(page.matches(remedy).count(), 2, "{page}");
    assert!(kubelet.asked().is_empty(), "no token goes to another node");
    let server = start(&flags);
    let text = wait_for(&server, |text| text.contains("pod_name=\"redis-cache-0\""));
    assert!(text.contains("source=\"apiserver\",reason=\"no_pods\"}"), "{text}");
}

/// What a kubelet says after the first measurements completes what the log directories have named: no series of energy begins
/// or ends by it.
#[test]
fn a_kubelet_that_is_slow_splits_no_series() {
    let (host, account, authority) = (host(), tempfile::tempdir().unwrap(), Authority::new());
    cluster::log_directories(host.path());
    let waits = Arc::new(AtomicBool::new(true));
    let (still, pods) = (Arc::clone(&waits), recorded("kubelet-pods.json"));
    let kubelet = Server::start_tls(authority.server(&["node-a"]), move |request| {
        while still.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        cluster::kubelet(request, || Reply::ok(pods.clone()))
    });
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, "https://127.0.0.1:9");
    let server = start(&flags(host.path(), &kubelet, &kubeconfig));
    // The one pod that has no directory of logs is shown after two seconds, without a name.
    let before = wait_for(&server, |text| text.contains("pod_name=\"\""));
    line(&before, &["kepler_kubernetes_source_info{", "source=\"files\"} 1"]);
    assert!(line(&before, &["kepler_pod_info{", "pod_name=\"redis-cache-0\""]).contains("owner_kind=\"\""));
    waits.store(false, Ordering::Relaxed);
    let after = wait_for(&server, |text| text.contains("owner_kind=\"StatefulSet\",owner_name=\"redis-cache\""));
    assert_eq!(series(&before), series(&after));
    line(&after, &["kepler_kubernetes_source_info{", "source=\"kubelet\"} 1"]);
}

/// A kubelet that takes a connection and says nothing: what begins meanwhile is named before its request is given up.
#[test]
fn a_pod_that_begins_while_the_kubelet_hangs_is_named_by_the_log_directories() {
    let (host, account, authority) = (host(), tempfile::tempdir().unwrap(), Authority::new());
    cluster::log_directories(host.path());
    let uid = "33dd6a23-6bd5-4710-95e8-1ba535d86106";
    let later = host.path().join("later");
    fs::create_dir(&later).unwrap();
    let processes: Vec<_> =
        fs::read_dir(host.path().join("proc")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let of_pod =
        |path: &&std::path::PathBuf| fs::read_to_string(path.join("cgroup")).is_ok_and(|cgroup| cgroup.contains(uid));
    let moved: Vec<_> =
        processes.iter().filter(of_pod).map(|path| (path, later.join(path.file_name().unwrap()))).collect();
    moved.iter().for_each(|(from, to)| fs::rename(from, to).unwrap());
    let mut pods: serde_json::Value = serde_json::from_str(&recorded("kubelet-pods.json")).unwrap();
    pods["items"].as_array_mut().unwrap().retain(|pod| pod["metadata"]["uid"] != uid);
    let hangs = Arc::new(AtomicBool::new(false));
    let still = Arc::clone(&hangs);
    let kubelet = Server::start_tls(authority.server(&["node-a"]), move |request| {
        if still.load(Ordering::Relaxed) {
            return Reply::Silent(Duration::from_secs(60));
        }
        cluster::kubelet(request, || Reply::ok(pods.to_string()))
    });
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, "https://127.0.0.1:9");
    let mut flags = flags(host.path(), &kubelet, &kubeconfig);
    flags.push("--kube.pod-informer.poll-interval=1s".to_owned());
    let server = start(&flags);
    wait_for(&server, |text| text.contains("source=\"kubelet\"} 1") && text.contains(JOULES));
    hangs.store(true, Ordering::Relaxed);
    let before = kubelet.asked().len();
    while kubelet.asked().len() == before {
        std::thread::sleep(Duration::from_millis(20));
    }
    moved.iter().for_each(|(from, to)| fs::rename(to, from).unwrap());
    let text = wait_for(&server, |text| text.lines().any(|line| line.starts_with(JOULES) && line.contains(uid)));
    assert!(line(&text, &[JOULES, uid]).contains("pod_name=\"redis-cache-0\""), "{text}");
    assert!(!text.contains("reason=\"timeout\""), "its request is still under way: {text}");
}

#[test]
fn a_wrong_kubeconfig_is_said_and_stops_nothing() {
    let host = host();
    let path = host.path().join("kubeconfig");
    let text = "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: c}}]\n\
                clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\n\
                users: [{name: c, user: {exec: {command: aws}}}]\n";
    fs::write(&path, text).unwrap();
    let root = host.path().display();
    let flags =
        [format!("--host.procfs={root}/proc"), format!("--host.sysfs={root}/sys"), format!("--host.root={root}")];
    let more = ["--kube.enable".to_owned(), format!("--kube.config={}", path.display())];
    let server = start(&[&flags[..], &more].concat());
    assert!(server.log.iter().any(|line| line.contains("by running `aws` (exec)")), "{:#?}", server.log);
    let arguments = [&["doctor".to_owned()], &flags[..], &more].concat();
    let page = text_of(&arguments);
    for source in ["kubelet ", "apiserver"] {
        let found = line(&page, &[source, "not usable", "by running `aws` (exec)"]);
        assert!(found.starts_with("  "), "{found}");
    }
    wait_for(&server, |text| text.contains("kepler_node_cpu_joules_total"));
}

/// The recorded pods, of which nginx-light chooses a budget and a language.
fn annotated_pods() -> String {
    let mut pods: serde_json::Value = serde_json::from_str(&recorded("kubelet-pods.json")).unwrap();
    let items = pods["items"].as_array_mut().unwrap();
    let nginx = items.iter_mut().find(|pod| pod["metadata"]["name"] == "nginx-light-76bcb6cd6b-fdp5j").unwrap();
    nginx["metadata"]["annotations"]["kepler.energy/budget"] = "20 g/h".into();
    nginx["metadata"]["annotations"]["kepler.energy/energy-unit"] = "BTU".into();
    nginx["metadata"]["labels"]["kepler.energy/language"] = "ko".into();
    pods.to_string()
}

/// What a tool answers.
fn tool(server: &program::Server, name: &str, arguments: &str) -> serde_json::Value {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let length = arguments.len();
    write!(
        stream,
        "POST /tools/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{arguments}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
}

#[test]
fn pods_namespaces_and_the_node_choose_how_a_tool_judges() {
    let (host, account, authority) = (host(), tempfile::tempdir().unwrap(), Authority::new());
    let pods = annotated_pods();
    let kubelet = Server::start_tls(authority.server(&["node-a"]), move |request| {
        cluster::kubelet(request, || Reply::ok(pods.clone()))
    });
    let api = Server::start_tls(authority.server(&["127.0.0.1"]), |request| match request.path() {
        "/api/v1/namespaces" => Reply::ok(
            r#"{"metadata": {}, "items": [{"metadata": {"name": "workload-test", "annotations": {"kepler.energy/pue": "1.25"}}}]}"#,
        ),
        "/api/v1/nodes/node-a" => {
            Reply::ok(r#"{"metadata": {"name": "node-a", "labels": {"topology.kubernetes.io/region": "eu-north-1"}}}"#)
        }
        _ => Reply::status(404),
    });
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, &format!("https://{}", api.address));
    let mut flags = flags(host.path(), &kubelet, &kubeconfig);
    flags.push("--kube.annotations=cluster".to_owned());
    let server = start(&flags);
    let text = wait_for(&server, |text| text.contains("kepler_pod_annotation_info{"));
    let budget = line(&text, &["kepler_pod_annotation_info{", "annotation=\"budget\""]);
    assert!(budget.contains("value=\"20 g/h\",written_as=\"annotation\"} 1"), "{budget}");
    let asked = r#"{"workload": "nginx-light", "namespace": "workload-test", "window": "10s"}"#;
    let begun = Instant::now();
    let answer = loop {
        let answer = tool(&server, "assess_workload_compliance", asked);
        if answer["kind"] == "deployment" {
            break answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{answer}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let choices: Vec<String> = answer["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| format!("{}={} {} {}", own["name"], own["value"], own["origin"], own["place"]).replace('"', ""))
        .collect();
    let pod = "workload-test/nginx-light-76bcb6cd6b-fdp5j";
    let expected = [
        format!("budget=20 g/h pod annotation {pod}"),
        format!("language=ko pod label {pod}"),
        "pue=1.25 namespace annotation workload-test".to_owned(),
        "region=eu-north-1 node label node-a".to_owned(),
    ];
    assert_eq!(choices, expected);
    assert_eq!((&answer["pue"], &answer["region"]), (&1.25.into(), &"eu-north-1".into()));
    let caveats = answer["caveats"].to_string();
    assert!(caveats.contains("kepler.energy/energy-unit 값 `BTU`"), "{caveats}");
    assert!(answer["verdicts"].to_string().contains("WORKLOAD_BUDGET"), "{}", answer["verdicts"]);
}
