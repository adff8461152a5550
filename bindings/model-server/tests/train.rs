//! `POST /train` over a real socket: what Prometheus recorded becomes models that are served.
#![cfg(feature = "train")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions, but not what they share"
)]

use axum::Router;
use kepler_core::model::{Catalogue, Model, Semantics};
use kepler_core::units::ZoneKind;
use kepler_model_server::{MAX_TRAIN_BYTES, Store, router, train_router};
use serde_json::{Value, json};
use std::fs;
use std::io::Cursor;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn rejection(&self) -> String {
        assert_eq!(self.status, 400, "{}", self.text());
        self.text()
    }

    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default()
    }
}

/// Both routers behind one listener, as `kepler model-server --train.listen-address` has them on two.
struct Server {
    address: SocketAddr,
    store: Arc<Store>,
    folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::over(folder).await
    }

    async fn over(folder: tempfile::TempDir) -> Self {
        let store = Arc::new(Store::open_to_train(folder.path()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let both = Router::new()
            .nest_service("/a", router(Arc::clone(&store)))
            .fallback_service(train_router(Arc::clone(&store)));
        tokio::spawn(async move { axum::serve(listener, both).await });
        Server { address, store, folder }
    }

    async fn connect(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{head} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n").as_bytes()).await.unwrap();
        stream
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        let mut stream = self.connect(&format!("POST {path}")).await;
        let head = format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // The answer may come before the end of what is too much.
        let _ = stream.write_all(body.as_bytes()).await;
        answer(stream).await
    }

    async fn train(&self, changes: Value) -> Answer {
        self.post("/train", &request(changes).to_string()).await
    }
}

async fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    Answer { status, head, body: bytes.get(end + 4..).unwrap_or_default().to_vec() }
}

/// A counter as Prometheus tells it: one sample every 15 s.
fn counter(labels: Value, rates: impl Iterator<Item = f64>) -> Value {
    let mut total = 1000.0;
    let mut values = vec![json!([1_700_000_000, total.to_string()])];
    for (step, rate) in rates.enumerate() {
        total += rate * 15.0;
        values.push(json!([1_700_000_015 + 15 * step, total.to_string()]));
    }
    json!({"metric": labels, "values": values})
}

const INTERVALS: u32 = 60;

/// How busy the node is: milliseconds a second, never the same twice.
fn busy(step: u32) -> f64 {
    8000.0 * (f64::from(step) * 0.618_034).fract()
}

/// A node of 40 W and 10 mW a millisecond; memory 5 W and 1 mW. Two containers share the work.
fn recording(intervals: u32) -> Value {
    let steps = || (0..intervals).map(busy);
    let energy =
        |mode: &str| json!({"instance": "node", "job": "metal", "mode": mode, "package": "0", "source": "rapl-sysfs"});
    let container = |name: &str| json!({"instance": "node", "job": "metal", "container_id": name});
    json!({
        "kepler_node_package_joules_total": [counter(energy("idle"), steps().map(|_| 40.0)), counter(energy("dynamic"), steps().map(|ms| 0.01 * ms))],
        "kepler_node_dram_joules_total": [counter(energy("dynamic"), steps().map(|ms| 5.0 + 0.001 * ms))],
        "kepler_node_core_joules_total": [counter(energy("dynamic"), steps().map(|_| 0.0))],
        "kepler_container_bpf_cpu_time_ms_total": [counter(container("a"), steps().map(|ms| 0.25 * ms)), counter(container("b"), steps().map(|ms| 0.75 * ms))],
        "kepler_container_bpf_page_cache_hit_total": [counter(container("a"), steps().map(|_| 0.0))],
        "kepler_container_joules_total": "not looked at",
    })
}

fn request(changes: Value) -> Value {
    let mut request = json!({
        "name": "rack-1", "energy_source": "rapl-sysfs", "prom_response": recording(INTERVALS),
        "trainer": {"abs_trainers": ["SGDRegressorTrainer"], "dyn_trainers": ["SGDRegressorTrainer"],
            "idle_prom_response": {}, "isolator": "MinIdleIsolator", "isolator_args": {}},
    });
    for (key, value) in changes.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

fn watts(model: &Model, ms: f64, zone: ZoneKind) -> f64 {
    model.predict(&[ms, 0.0]).unwrap().power(zone).unwrap().watts()
}

#[tokio::test]
async fn what_was_recorded_becomes_models_that_are_served() {
    let server = Server::start().await;
    assert!(server.store.is_empty());
    let machine =
        json!({"processor": "intel_xeon_platinum_8259cl", "cores": 8, "chips": 1, "memory": 32, "frequency": 3500});
    let trainer = json!({"abs_trainers": ["SGDRegressorTrainer", "LinearRegressionTrainer", "PolynomialRegressionTrainer"],
        "dyn_trainers": ["SGDRegressorTrainer"]});
    let answer = server
        .train(json!({"trainer": trainer, "machine_spec": machine, "semantics": "as-named", "node_type": 3}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((answer.header("x-kepler-models"), answer.header("x-kepler-rows")), ("3", "60"));
    assert!(answer.header("x-kepler-left-out").contains("PolynomialRegressionTrainer"), "{}", answer.head);
    assert_eq!(answer.header("content-disposition"), "attachment; filename=rack-1.zip");
    let mut zip = zip::ZipArchive::new(Cursor::new(answer.body)).unwrap();
    let names: Vec<String> = (0..zip.len()).map(|n| zip.by_index(n).unwrap().name().unwrap().into_owned()).collect();
    assert!(names.contains(&"rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_3.json".to_owned()), "{names:?}");

    // The listing knows them, with their machine and what their features mean.
    let catalogue = Catalogue::open(server.folder.path()).unwrap();
    assert_eq!((catalogue.entries().len(), server.store.len()), (3, 3));
    assert!(catalogue.entries().iter().all(|entry| entry.semantics == Semantics::AsNamed));
    assert_eq!(catalogue.entries()[0].machine.as_ref().unwrap().threads, Some(8));

    // An older exporter asks.
    let asked = json!({"metrics": ["bpf_cpu_time_ms", "bpf_page_cache_hit"], "output_type": "AbsPower", "source": "rapl-sysfs", "weight": true});
    let weights = server.post("/a/model", &asked.to_string()).await;
    assert_eq!(weights.status, 200, "{}", weights.text());
    let keys: Value = serde_json::from_slice(&weights.body).unwrap();
    assert_eq!(
        keys.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["dram", "package"],
        "what draws nothing was not measured"
    );
    let model = Model::from_json("SGDRegressorTrainer_3", &weights.body).unwrap();
    for ms in [0.0, 1000.0, 8000.0] {
        assert!((watts(&model, ms, ZoneKind::Package) - 40.0 - 0.01 * ms).abs() < 1e-6, "at {ms}");
        assert!((watts(&model, ms, ZoneKind::Dram) - 5.0 - 0.001 * ms).abs() < 1e-6, "at {ms}");
    }
    let mut stream = server.connect("GET /a/best-models?filter=mae:0.01").await;
    stream.write_all(b"\r\n").await.unwrap();
    let best: Value = serde_json::from_slice(&self::answer(stream).await.body).unwrap();
    assert_eq!(best["AbsPower"]["BPFOnly"], "SGDRegressorTrainer_3");
    assert_eq!(best["DynPower"]["BPFOnly"], "SGDRegressorTrainer_3");
}

#[tokio::test]
async fn dynamic_power_has_no_bias_that_exporters_would_add_for_every_process() {
    let server = Server::start().await;
    let group = |name: &str| server.folder.path().join(name).join("rapl-sysfs/DynPower/BPFOnly");
    let profile = json!({"abs_trainers": [], "isolator": "ProfileBackgroundIsolator", "idle_prom_response": {
        "kepler_node_package_joules_total": [counter(json!({"source": "rapl-sysfs"}), (0..30).map(|_| 40.0))],
        "kepler_node_dram_joules_total": [counter(json!({"source": "rapl-sysfs"}), (0..30).map(|_| 5.0))],
        "kepler_container_bpf_cpu_time_ms_total": [counter(json!({}), (0..30).map(|_| 1.0))],
        "kepler_container_bpf_page_cache_hit_total": [counter(json!({}), (0..30).map(|_| 0.0))],
    }});
    let answer = server.train(json!({"trainer": profile})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let model = Model::load(group("rack-1").join("SGDRegressorTrainer_0.json")).unwrap();
    assert!((watts(&model, 5000.0, ZoneKind::Package) - 50.0).abs() < 1e-6);
    assert_eq!(model.components()[0].raw(&[0.0, 0.0]), 0.0);
    // Least power for idle: as far off as the least busy interval was busy.
    assert_eq!(server.train(json!({"name": "rack-2"})).await.status, 200);
    let model = Model::load(group("rack-2").join("SGDRegressorTrainer_0.json")).unwrap();
    assert_eq!(model.components()[0].raw(&[0.0, 0.0]), 0.0);
    assert!((watts(&model, 5000.0, ZoneKind::Package) - 50.0).abs() < 1.0);
}

#[tokio::test]
async fn curves_are_of_the_feature_that_readers_take_them_to_be_of() {
    let server = Server::start().await;
    let mut recording = recording(INTERVALS);
    let log = |step: u32| 30.0 * (1.0 + busy(step) / 800.0).ln() + 20.0;
    let node = json!({"instance": "node", "source": "rapl-sysfs"});
    recording["kepler_node_package_joules_total"] = json!([counter(node, (0..INTERVALS).map(log))]);
    recording.as_object_mut().unwrap().remove("kepler_node_dram_joules_total");
    let trainer = json!({"abs_trainers": ["LogarithmicRegressionTrainer"], "dyn_trainers": []});
    let answer = server.train(json!({"prom_response": recording, "trainer": trainer})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let path = server.folder.path().join("rack-1/rapl-sysfs/AbsPower/BPFOnly/LogarithmicRegressionTrainer_0.json");
    let model = Model::load(path).unwrap();
    assert!((watts(&model, busy(7), ZoneKind::Package) - log(7)).abs() < 0.1);
}

#[tokio::test]
async fn training_again_replaces_what_was_trained_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("published/rapl-sysfs")).unwrap();
    fs::create_dir_all(folder.path().join(".training/new/left behind")).unwrap();
    let server = Server::over(folder).await;
    for _ in 0..2 {
        assert_eq!(server.train(json!({})).await.status, 200);
    }
    let other = json!({"trainer": {"abs_trainers": ["LinearRegressionTrainer"], "dyn_trainers": []}});
    assert_eq!(server.train(other).await.status, 200);
    assert_eq!(server.store.len(), 1);
    let text = server.train(json!({"name": "published"})).await.rejection();
    assert!(text.contains("was not trained here") && text.contains("another name"), "{text}");
    let mut names: Vec<_> =
        fs::read_dir(server.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["published", "rack-1"]);
}

#[tokio::test]
async fn a_request_that_is_not_complete_keeps_no_other_from_training() {
    let server = Server::start().await;
    let mut first = server.connect("POST /train").await;
    let body = request(json!({})).to_string();
    first.write_all(format!("Content-Length: {}\r\n\r\n{}", body.len(), &body[..100]).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.train(json!({"name": "other"})).await.status, 200);
    first.write_all(&body.as_bytes()[100..]).await.unwrap();
    let first = answer(first).await;
    assert_eq!(first.status, 200, "{}", first.text());
}

#[tokio::test]
async fn what_cannot_be_trained_is_answered_with_what_where_and_how_to_mend_it() {
    let server = Server::start().await;
    let trainer = |changes: Value| json!({"trainer": changes});
    let without = |query: &str| {
        let mut recording = recording(INTERVALS);
        recording.as_object_mut().unwrap().remove(query);
        json!({"prom_response": recording})
    };
    let mut estimated = recording(INTERVALS);
    estimated["kepler_node_package_joules_total"][0]["metric"]["source"] = json!("trained_power_model");
    for zone in ["package", "core", "dram"] {
        for series in estimated[format!("kepler_node_{zone}_joules_total")].as_array_mut().unwrap() {
            series["metric"]["source"] = json!("trained_power_model");
        }
    }
    let cases = [
        (json!({"name": "../escape"}), "name: `../escape`"),
        (json!({"name": ".hidden"}), "no `.` first"),
        (json!({"name": ""}), "1 to 64 letters"),
        (json!({"name": "x".repeat(65)}), "1 to 64 letters"),
        (json!({"name": 5}), "line 1"),
        (json!({"energy_source": "redfish"}), "energy_source: `redfish` is neither rapl-sysfs nor acpi"),
        (json!({"energy_source": "acpi"}), "none of kepler_node_platform_joules_total has samples"),
        (json!({"semantics": "guessed"}), "semantics: unknown semantics `guessed`"),
        (json!({"node_type": -1}), "line 1"),
        (
            trainer(json!({"abs_trainers": ["MagicTrainer"]})),
            "trainer.abs_trainers: unknown trainer `MagicTrainer`; known are SGDRegressorTrainer",
        ),
        (
            trainer(json!({"abs_trainers": ["XgboostFitTrainer"], "dyn_trainers": []})),
            "no weights; `kepler train` makes trees",
        ),
        (trainer(json!({"abs_trainers": [], "dyn_trainers": []})), "give SGDRegressorTrainer"),
        (trainer(json!({"isolator": "TrainIsolator"})), "`TrainIsolator` is not here; give MinIdleIsolator"),
        (trainer(json!({"isolator": "ProfileBackgroundIsolator"})), "trainer.idle_prom_response, which is missing"),
        (
            trainer(json!({"isolator": "ProfileBackgroundIsolator", "idle_prom_response": recording(5)})),
            "trainer.idle_prom_response: BPFOnly: 5 intervals",
        ),
        (without("kepler_container_bpf_cpu_time_ms_total"), "no feature group complete"),
        (json!({"prom_response": {}}), "no feature group complete"),
        (json!({"prom_response": recording(5)}), "5 intervals to learn from where at least 20"),
        (json!({"prom_response": estimated}), "there is `trained_power_model`"),
        (
            json!({"prom_response": {"kepler_node_package_joules_total": [{"metric": {}, "value": [1, "2"]}]}}),
            "query_range",
        ),
        (json!({"prom_response": [1]}), "an object of range queries"),
    ];
    for (changes, expected) in cases {
        let text = server.train(changes).await.rejection();
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(server.post("/train", "{").await.rejection().contains("not understood"));
    assert!(server.post("/train", "{}").await.rejection().contains("missing field `name`"));
    assert_eq!(server.post("/elsewhere", "").await.status, 404);
    let long = server.post("/train", &" ".repeat(MAX_TRAIN_BYTES + 1)).await;
    assert_eq!(long.status, 413, "{}", long.text());
    assert!(
        server.store.is_empty() && fs::read_dir(server.folder.path()).unwrap().next().is_none(),
        "nothing was left"
    );
}

#[tokio::test]
async fn a_directory_that_cannot_take_it_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = folder.path().join("rack");
    fs::create_dir_all(pipeline.join("rapl-sysfs")).unwrap();
    let store = Arc::new(Store::open_to_train(&pipeline).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = train_router(Arc::clone(&store));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let server = Server { address, store, folder };
    let answer = server.train(json!({})).await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("is one pipeline; to train others"), "{}", answer.text());
    // A file where a directory is wanted stands for whatever keeps the server from writing.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".training"), "").unwrap();
    let server = Server::over(folder).await;
    let answer = server.train(json!({})).await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("needs a writable directory"), "{}", answer.text());
    assert!(Path::new(&server.folder.path().join(".training")).is_file());
}
