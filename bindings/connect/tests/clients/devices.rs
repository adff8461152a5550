//! What is asked about accelerators: a stand-in for the kubelet's pod-resources service, and one for dcgm-exporter.

use crate::support::{Reply, Server};
use bytes::Bytes;
use h2::server;
use http::{HeaderMap, HeaderValue, Response};
use kepler_connect::devices::{DcgmError, DcgmExporter, DevicesFollower, GrpcError, PodResources};
use kepler_connect::http::HttpError;
use kepler_core::availability::Remedy;
use kepler_core::device::{DeviceAllocation, DeviceDirectory};
use kepler_core::host::Timestamp;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::UnixListener;

/// What the stand-in does with a call.
#[derive(Clone)]
enum Answer {
    /// A message, in frames of HTTP/2 of this many bytes.
    Message(Vec<u8>, usize),
    /// A status alone, without a body.
    Status(u32, &'static str),
    /// A message without the status at the end.
    BrokenOff(Vec<u8>),
    /// Nothing.
    Silence,
    /// Bytes that are no HTTP/2.
    Garbage,
    /// Without an end.
    Endless,
}

/// The methods that were called, with the message of each.
type Asked = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A kubelet's socket.
struct Kubelet {
    directory: TempDir,
    asked: Asked,
}

impl Kubelet {
    fn start(answer: Answer) -> Self {
        let kubelet = Kubelet { directory: tempfile::tempdir().unwrap(), asked: Arc::default() };
        let (path, asked) = (kubelet.socket(), Arc::clone(&kubelet.asked));
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().unwrap();
            runtime.block_on(async move {
                let listener = UnixListener::bind(path).unwrap();
                ready.send(()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, answer.clone(), Arc::clone(&asked)));
                }
            });
        });
        is_ready.recv().unwrap();
        kubelet
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("kubelet.sock")
    }

    fn client(&self) -> PodResources {
        PodResources::new(self.socket())
    }
}

async fn serve(mut stream: tokio::net::UnixStream, answer: Answer, asked: Asked) {
    if matches!(answer, Answer::Garbage) {
        use tokio::io::AsyncWriteExt as _;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        return;
    }
    let mut connection = server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (answer, asked) = (answer.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            let method = request.uri().path().to_owned();
            assert_eq!(request.headers()["content-type"], "application/grpc");
            assert_eq!(request.headers()["te"], "trailers");
            let mut body = request.into_body();
            let mut message = Vec::new();
            while let Some(Ok(chunk)) = body.data().await {
                message.extend_from_slice(&chunk);
            }
            asked.lock().unwrap().push((method, message));
            let head = || Response::builder().header("content-type", "application/grpc");
            let trailers = || HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
            match answer {
                Answer::Message(message, size) => {
                    let mut stream = respond.send_response(head().body(()).unwrap(), false).unwrap();
                    for chunk in framed(&message).chunks(size) {
                        send(&mut stream, chunk).await;
                    }
                    stream.send_trailers(trailers()).unwrap();
                }
                Answer::Status(code, message) => {
                    let head = head().header("grpc-status", code).header("grpc-message", message);
                    respond.send_response(head.body(()).unwrap(), true).unwrap();
                }
                Answer::BrokenOff(message) => {
                    let mut stream = respond.send_response(head().body(()).unwrap(), false).unwrap();
                    stream.send_data(framed(&message).into(), true).unwrap();
                }
                Answer::Endless => {
                    let mut stream = respond.send_response(head().body(()).unwrap(), false).unwrap();
                    while send(&mut stream, &[0; 1 << 14]).await {}
                }
                Answer::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
                Answer::Garbage => {}
            }
        });
    }
}

/// Sends bytes as the window allows. Whether they went.
async fn send(stream: &mut h2::SendStream<Bytes>, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(Ok(room)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else { return false };
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        if stream.send_data(Bytes::copy_from_slice(now), false).is_err() {
            return false;
        }
        bytes = later;
    }
    true
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// A field of a message that holds bytes: a text or a message. Written out here, not by the library that reads it.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

fn text(number: u8, content: &str) -> Vec<u8> {
    field(number, content.as_bytes())
}

/// A pod with one container, as `PodResources` is: a device of a plugin with its NUMA node, CPUs, memory, one claim.
fn pod(name: &str, resource: &str, ids: &[&str], claimed: Option<(&str, &str)>) -> Vec<u8> {
    let numa = field(1, &field(1, &[8, 0]));
    let ids: Vec<u8> = ids.iter().flat_map(|id| text(2, id)).collect();
    let devices = field(2, &[text(1, resource), ids, field(3, &numa)].concat());
    let claims = claimed.map_or_else(Vec::new, |(driver, device)| {
        let cdi = field(1, &text(1, "k8s.gpu.nvidia.com/claim=0c5e-gpu-0"));
        let claim = [cdi, text(2, driver), text(3, "pool"), text(4, device), text(5, "a field of later")].concat();
        field(5, &[text(2, "single-gpu"), text(3, "ml"), field(4, &claim)].concat())
    });
    // Exclusive CPUs are packed numbers, memory a message that is not read.
    let rest = [field(3, &[2, 3]), field(4, &[text(1, "memory"), vec![16, 5]].concat())].concat();
    let container = field(3, &[text(1, "worker"), devices, rest, claims].concat());
    [text(1, name), text(2, "ml"), container].concat()
}

fn list(pods: &[Vec<u8>]) -> Vec<u8> {
    pods.iter().flat_map(|pod| field(1, pod)).collect()
}

fn allocation(id: &str, pod: &str) -> DeviceAllocation {
    DeviceAllocation::new(id, "ml", pod, "worker")
}

#[test]
fn devices_of_plugins_and_of_claims_are_listed_with_their_containers() {
    let pods = [
        pod("train-0", "nvidia.com/gpu", &["GPU-a", "GPU-b::3"], None),
        pod("serve-0", "nvidia.com/mig-1g.10gb", &["MIG-c"], None),
        pod("claim-0", "intel.com/sriov", &["0000:41:00.0"], Some(("gpu.nvidia.com", "gpu-0"))),
    ];
    let kubelet = Kubelet::start(Answer::Message(list(&pods), 7));
    let found = kubelet.client().list().unwrap();
    let expected = [("GPU-a", "train-0"), ("GPU-b::3", "train-0"), ("MIG-c", "serve-0"), ("gpu-0", "claim-0")];
    assert_eq!(found, expected.map(|(id, pod)| allocation(id, pod)));
    let asked = kubelet.asked.lock().unwrap().clone();
    assert_eq!(asked, [("/v1.PodResourcesLister/List".to_owned(), framed(&[]))]);
}

#[test]
fn one_pod_can_be_asked_for() {
    let answer = field(1, &pod("train-0", "nvidia.com/gpu", &["GPU-a"], None));
    let kubelet = Kubelet::start(Answer::Message(answer, 4096));
    assert_eq!(kubelet.client().get("ml", "train-0").unwrap(), [allocation("GPU-a", "train-0")]);
    let asked = kubelet.asked.lock().unwrap().clone();
    let request = [text(1, "train-0"), text(2, "ml")].concat();
    assert_eq!(asked, [("/v1.PodResourcesLister/Get".to_owned(), framed(&request))]);
}

#[test]
fn a_node_of_many_pods_is_listed_whole() {
    let pods: Vec<_> = (0..2000).map(|n| pod(&format!("pod-{n}"), "nvidia.com/gpu", &["GPU-a"], None)).collect();
    let kubelet = Kubelet::start(Answer::Message(list(&pods), 1 << 14));
    assert_eq!(kubelet.client().list().unwrap().len(), 2000);
}

#[test]
fn a_kubelet_that_refuses_breaks_off_or_speaks_otherwise_says_so() {
    let error = |answer| Kubelet::start(answer).client().list().unwrap_err();
    match error(Answer::Status(12, "unknown service v1.PodResourcesLister")) {
        GrpcError::Status { code: 12, message, .. } => assert_eq!(message, "unknown service v1.PodResourcesLister"),
        other => panic!("{other}"),
    }
    for answer in [
        Answer::BrokenOff(list(&[pod("train-0", "nvidia.com/gpu", &["GPU-a"], None)])),
        Answer::Message(vec![0xff; 9], 64),
        Answer::Garbage,
    ] {
        let error = error(answer);
        assert!(matches!(error, GrpcError::Broken { .. }), "{error}");
    }
    // Whichever limit comes first, on a machine that is busy.
    let error = error(Answer::Endless);
    assert!(matches!(error, GrpcError::TooLarge { .. } | GrpcError::TimedOut { .. }), "{error}");
}

#[test]
fn a_kubelet_that_is_silent_is_not_waited_for_for_long() {
    let error = Kubelet::start(Answer::Silence).client().list().unwrap_err();
    assert!(matches!(error, GrpcError::TimedOut { .. }), "{error}");
    assert_eq!(error.unavailable("kubelet.sock".as_ref()).remedy, Remedy::Wait);
}

#[test]
fn a_socket_that_is_not_there_names_what_to_mount() {
    let client = PodResources::new("/nonexistent/pod-resources/kubelet.sock");
    let error = client.list().unwrap_err();
    let unavailable = error.unavailable(client.socket());
    assert_eq!(unavailable.remedy, Remedy::MountHostPath { path: "/nonexistent/pod-resources".into() });
    assert!(unavailable.reason.contains("kubelet.sock"), "{unavailable}");
}

const ACTIVITY: &str = "# TYPE DCGM_FI_PROF_GR_ENGINE_ACTIVE gauge\n\
    DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu=\"0\",UUID=\"GPU-a\",GPU_I_PROFILE=\"1g.10gb\",GPU_I_ID=\"8\",Hostname=\"n\"} 0.25\n";

#[test]
fn an_exporter_is_asked_for_metrics_and_one_that_fails_says_how() {
    let server = Server::start(|request| match request.path() {
        "/metrics" => Reply::ok(ACTIVITY),
        _ => Reply::status(404),
    });
    let exporter = DcgmExporter::new(&format!("http://{}", server.address)).unwrap();
    let found = exporter.activities().unwrap();
    assert_eq!((found.len(), &*found[0].device, found[0].instance, found[0].busy), (1, "GPU-a", 8, 0.25));

    let reason = |reply: Reply| {
        let server = Server::start(move |_| reply.clone());
        DcgmExporter::new(&format!("http://{}/metrics", server.address)).unwrap().activities().unwrap_err()
    };
    assert!(matches!(reason(Reply::status(503)), DcgmError::Http(HttpError::Status { status: 503, .. })));
    assert!(matches!(reason(Reply::ok("<html></html>\n")), DcgmError::Format { .. }));
    assert!(matches!(reason(Reply::Truncated(ACTIVITY.to_owned())), DcgmError::Http(_)));
    let large = format!("# {}\n", "x".repeat(17 << 20));
    assert!(matches!(reason(Reply::ok(large)), DcgmError::Http(HttpError::TooLarge { .. })));
    assert!(DcgmExporter::new("nvidia-dcgm-exporter").is_err());
}

#[test]
fn both_are_followed_while_there_are_devices_and_a_failure_is_said_until_it_is_over() {
    let is_well = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let server = Server::start(move |_| match well.load(std::sync::atomic::Ordering::Relaxed) {
        true => Reply::ok(ACTIVITY),
        false => Reply::status(503),
    });
    let kubelet = Kubelet::start(Answer::Message(list(&[pod("train-0", "nvidia.com/gpu", &["GPU-a"], None)]), 64));
    let directory = DeviceDirectory::new();
    let exporter = DcgmExporter::new(&format!("http://{}", server.address)).unwrap();
    let start = || {
        let exporter = DcgmExporter::new(&exporter.name()).unwrap();
        DevicesFollower::start(Some(exporter), Some(kubelet.client()), directory.clone()).unwrap()
    };
    let until = |is_so: &dyn Fn() -> bool| {
        for _ in 0..3000 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it never came: {:?} {directory:?}", directory.unavailable());
    };
    let follower = start();
    std::thread::sleep(Duration::from_millis(50));
    assert!(kubelet.asked.lock().unwrap().is_empty(), "there is no device");
    directory.set_wanted(true);
    until(&|| !directory.unavailable().is_empty());
    until(&|| directory.allocations(Timestamp::now()).is_some_and(|list| *list == [allocation("GPU-a", "train-0")]));
    let unavailable = directory.unavailable();
    assert_eq!((unavailable.len(), unavailable[0].source_name), (1, "dcgm"), "{unavailable:?}");
    drop(follower);
    is_well.store(true, std::sync::atomic::Ordering::Relaxed);
    let _follower = start();
    until(&|| directory.activity_of("GPU-a", 8, Timestamp::now()) == Some(0.25));
    until(&|| directory.unavailable().is_empty());
}
