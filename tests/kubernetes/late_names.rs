//! What is named late keeps its series, and is known by its name beside them: in other series of the exporter, and to
//! those that ask it or a Prometheus.

use super::support::cluster::{self, Authority, recorded};
use super::support::prometheus::prometheus;
use super::support::{Reply, Server};
use super::{JOULES, flags, host, line, metrics, program, series, start, tool, wait_for};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const REDIS: &str = "33dd6a23-6bd5-4710-95e8-1ba535d86106";

/// An exporter that has shown all pods without names, since its kubelet answers later.
struct Late {
    host: tempfile::TempDir,
    _account: tempfile::TempDir,
    kubelet: Server,
    answers: Arc<AtomicBool>,
    exporter: program::Server,
    /// What it showed first.
    before: String,
}

fn late() -> Late {
    let (host, account, authority) = (host(), tempfile::tempdir().unwrap(), Authority::new());
    let answers = Arc::new(AtomicBool::new(false));
    let (is_up, pods) = (Arc::clone(&answers), recorded("kubelet-pods.json"));
    let kubelet = Server::start_tls(authority.server(&["node-a"]), move |request| {
        let unauthorized = || Reply::Full(401, Vec::new(), recorded("kubelet-401.txt").into_bytes());
        if is_up.load(Ordering::Relaxed) {
            cluster::kubelet(request, || Reply::ok(pods.clone()))
        } else {
            unauthorized()
        }
    });
    let kubeconfig = cluster::kubeconfig(account.path(), &authority, "https://127.0.0.1:9");
    let mut flags = flags(host.path(), &kubelet, &kubeconfig);
    flags.extend(["--kube.pod-informer.poll-interval=1s".to_owned(), "--metrics.compat=kepler-0.7".to_owned()]);
    let exporter = start(&flags);
    let before = wait_for(&exporter, |text| text.contains(JOULES));
    Late { host, _account: account, kubelet, answers, exporter, before }
}

/// The identifiers of the containers in lines that begin so.
fn containers<'a>(text: &'a str, family: &str) -> Vec<&'a str> {
    let lines = text.lines().filter(|line| line.starts_with(family));
    let mut ids: Vec<_> = lines.filter_map(|line| line.split_once("container_id=\"")?.1.get(..64)).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_kubelet_that_comes_late_and_goes_again_stops_nothing_and_takes_no_name_back() {
    let Late { kubelet, answers, exporter, before: text, .. } = &late();
    assert!(text.contains("reason=\"unauthorized\"") && !text.contains("pod_name=\"redis-cache-0\""), "{text}");
    assert!(!text.contains("kepler_container_info"), "{text}");
    let before = series(text);
    answers.store(true, Ordering::Relaxed);
    let text = wait_for(exporter, |text| text.contains("pod_name=\"redis-cache-0\""));
    // Names that come so late are told beside the series, which keep their labels: those that end are of sandboxes.
    let (after, processes) = (series(&text), recorded("proc-pid-cgroup.txt"));
    let id = |series: &str| series.split_once("container_id=\"")?.1.get(..64).map(str::to_owned);
    let is_sandbox = |text: &&str| text.starts_with("sandbox");
    let is_of_sandbox = |id: String| processes.split("# ").filter(is_sandbox).any(|text| text.contains(&id));
    assert!(after.iter().all(|own| before.contains(own)), "{after:#?}");
    let mut ended = before.iter().filter(|own| !after.contains(own));
    assert!(ended.all(|own| id(own).is_some_and(is_of_sandbox)), "{before:#?}\n{after:#?}");
    let info = line(&text, &["kepler_pod_info{", "pod_name=\"redis-cache-0\""]);
    assert!(info.contains(&format!("pod_id=\"{REDIS}\"")), "{info}");
    line(&text, &["kepler_container_resource_requests{", "container_name=\"redis\"", "resource=\"cpu\""]);
    let used = tool(exporter, "find_workloads", r#"{"query": "redis-cache-0"}"#);
    assert!(used.to_string().contains("workload-test"), "{used}");
    answers.store(false, Ordering::Relaxed);
    let before = kubelet.asked().len();
    while kubelet.asked().len() < before + 2 {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(metrics(exporter).contains("pod_name=\"redis-cache-0\""));
}

#[test]
fn a_container_that_is_named_late_is_told_by_name_kind_and_pod_beside_its_energy() {
    let Late { answers, exporter, .. } = &late();
    answers.store(true, Ordering::Relaxed);
    let text = wait_for(exporter, |text| text.contains("kepler_container_info{"));
    for (name, kind, pod) in [
        ("redis", "regular", "redis-cache-0"),
        ("exporter-sidecar", "sidecar", "redis-cache-0"),
        ("debugger", "ephemeral", "nginx-light-76bcb6cd6b-fdp5j"),
    ] {
        let info = line(&text, &["kepler_container_info{", &format!("container_name=\"{name}\"")]);
        assert!(info.contains(&format!("container_kind=\"{kind}\"")), "{info}");
        assert!(info.contains(&format!("pod_name=\"{pod}\",pod_namespace=\"workload-test\"}} 1")), "{info}");
        let id = containers(info, "kepler_container_info{")[0];
        let energy = line(&text, &["kepler_container_cpu_joules_total{", id]);
        assert!(energy.contains(&format!("container_name=\"{}\"", &id[..12])), "{energy}");
    }
    // To be joined by the identifier: each once, and none of a sandbox, nor of the pod that is not listed.
    let (infos, energy) =
        (containers(&text, "kepler_container_info{"), containers(&text, "kepler_container_cpu_joules_total{"));
    assert!(infos.windows(2).all(|two| two[0] != two[1]), "{infos:#?}");
    assert!(infos.iter().all(|id| energy.contains(id)), "{infos:#?}\n{energy:#?}");
}

/// The processes of a pod, by their directories.
fn processes_of(host: &Path, pod: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(host.join("proc")).unwrap().map(|entry| entry.unwrap().path());
    let is_of = |path: &PathBuf| fs::read_to_string(path.join("cgroup")).is_ok_and(|cgroup| cgroup.contains(pod));
    entries.filter(is_of).collect()
}

/// Has the pod of Redis run for a moment, of which this is the number, and the package draw power.
fn work(host: &Path, moment: u64) {
    // In place, since files are kept open, and nothing becomes shorter.
    let write = |path: PathBuf, text: String| {
        fs::OpenOptions::new().write(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    };
    let processes = processes_of(host, REDIS);
    let all = 1000 + moment * processes.len() as u64;
    for stat in processes.iter().map(|process| process.join("stat")) {
        let text = fs::read_to_string(&stat).unwrap();
        let (head, times) = text.split_once(" 4194304 0 0 0 0 ").unwrap();
        let (_, rest) = times.split_once(' ').unwrap();
        write(stat, format!("{head} 4194304 0 0 0 0 {} {rest}", 50 + moment));
    }
    let cpu = format!("{all} 0 0 {} 0 0 0 0 0 0", 9000 + moment);
    write(host.join("proc/stat"), format!("cpu  {cpu}\ncpu0 {cpu}\nintr 0\n"));
    let energy = host.join("sys/class/powercap/intel-rapl:0/energy_uj");
    write(energy, format!("{}\n", 1_000_000 + moment * 500_000));
}

#[test]
fn what_is_named_late_is_found_and_summed_by_name_over_every_source() {
    let Late { host, answers, exporter, .. } = &late();
    let url = format!("http://{}", exporter.address);
    let database = prometheus(std::slice::from_ref(&exporter.address));
    let mut sources = vec![format!("--source=kepler={url}")];
    sources.extend(database.as_ref().map(|server| format!("--source=prometheus={}", server.url)));
    let others: Vec<_> = sources.iter().map(|source| start(std::slice::from_ref(source))).collect();
    // The exporter itself too.
    let asked: Vec<&program::Server> = others.iter().chain([exporter]).collect();
    let (begun, is_done) = (Instant::now(), AtomicBool::new(false));
    let mut answered = vec![false; asked.len()];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for moment in 1.. {
                work(host.path(), moment);
                std::thread::sleep(Duration::from_millis(50));
                if is_done.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        while answered.contains(&false) && begun.elapsed() < Duration::from_secs(60) {
            // Its energy counts in its namespace from before it was named.
            answers.store(begun.elapsed() > Duration::from_secs(5), Ordering::Relaxed);
            for (server, is_answered) in asked.iter().zip(&mut answered) {
                *is_answered = *is_answered || knows(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert!(!answered.contains(&false), "{sources:?}: {answered:?}");
}

/// Whether a server finds the container and the pod by their names, and has the pod's energy in its namespace, as a sum and
/// over time.
fn knows(server: &program::Server) -> bool {
    let found = tool(server, "find_workloads", r#"{"query": "redis", "window": "12s"}"#);
    let all = found["workloads"].as_array().cloned().unwrap_or_default();
    let is = |kind: &str, name: &str| {
        all.iter().any(|own| own["kind"] == kind && own["workload"] == name && own["namespace"] == "workload-test")
    };
    if !(is("container", "redis") && is("pod", "redis-cache-0")) {
        return false;
    }
    let joules = |asked: &str| -> Option<(f64, f64)> {
        let answer = tool(server, "get_energy", asked);
        let steps = answer["series"].as_array()?;
        let steps: Option<f64> = steps.iter().map(|step| step["energy_joules"].as_f64()).sum();
        Some((answer["energy_joules"].as_f64()?, steps?))
    };
    let whole = joules(r#"{"namespace": "workload-test", "window": "9s", "step": "9s"}"#);
    let pod = joules(r#"{"workload": "redis-cache-0", "kind": "pod", "window": "9s", "step": "9s"}"#);
    let container = joules(r#"{"workload": "redis", "kind": "container", "window": "9s", "step": "9s"}"#);
    let (Some(whole), Some(pod), Some(container)) = (whole, pod, container) else { return false };
    let near = |a: f64, b: f64| a > 1.0 && (a - b).abs() < 0.35 * a;
    // All the energy of the namespace is that of this pod.
    near(whole.0, whole.1) && near(pod.0, whole.1) && near(pod.0, pod.1) && near(container.0, container.1)
}
