//! What predicting and loading cost.
//!
//! `cargo bench -p kepler-core --features models --bench model`. The trees are made here: 100 of depth 6, complete, with
//! pseudo-random splits on five features, which is more than published ones have. The published database is
//! read from `KEPLER_SHARED_DATA` (default `../shared/data`) if it is there.
#![allow(missing_docs, reason = "criterion_group makes a public function without documentation")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a benchmark that cannot set up its files fails by panicking, and says what it skips"
)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kepler_core::model::{Catalogue, Model};
use serde_json::{Value, json};
use std::fs;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

const FEATURES: [&str; 5] = ["bpf_cpu_time_ms", "bpf_page_cache_hit", "cache_miss", "cpu_cycles", "cpu_instructions"];
const TREES: usize = 100;
const DEPTH: u32 = 6;
const ROWS: usize = 1_000_000;

/// Numbers from 0 up to 1, the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / f64::from(1 << 24)
    }

    fn rows(&mut self, count: usize) -> Vec<f64> {
        (0..count * FEATURES.len()).map(|_| self.next()).collect()
    }
}

/// A package of linear weights, as published: all of package, core, uncore and dram.
fn linear() -> Model {
    let variables: serde_json::Map<String, Value> =
        FEATURES.iter().map(|name| ((*name).to_owned(), json!({"scale": 3.0, "weight": 10.0}))).collect();
    let component =
        json!({"All_Weights": {"Bias_Weight": 20.0, "Categorical_Variables": {}, "Numerical_Variables": variables}});
    let model = json!({"package": component, "core": component, "uncore": component, "dram": component});
    Model::from_json("SGDRegressorTrainer_0", model.to_string().as_bytes()).unwrap()
}

fn tree(numbers: &mut Numbers) -> Value {
    let inner = 2usize.pow(DEPTH) - 1;
    let count = 2 * inner + 1;
    let child = |node: usize, side: usize| if node < inner { (2 * node + side) as i64 } else { -1 };
    let zeros = vec![0; count];
    json!({
        "left_children": (0..count).map(|node| child(node, 1)).collect::<Vec<_>>(),
        "right_children": (0..count).map(|node| child(node, 2)).collect::<Vec<_>>(),
        "split_indices": (0..count).map(|_| (numbers.next() * 5.0) as u32).collect::<Vec<_>>(),
        "split_conditions": (0..count).map(|_| numbers.next()).collect::<Vec<_>>(),
        "default_left": zeros,
        "tree_param": {"num_nodes": count.to_string()},
    })
}

/// The directory of a model of one component.
fn trees(directory: &Path) -> PathBuf {
    let mut numbers = Numbers(1);
    let trees: Vec<Value> = (0..TREES).map(|_| tree(&mut numbers)).collect();
    let model = json!({"learner": {
        "gradient_booster": {"name": "gbtree", "model": {"trees": trees, "tree_info": vec![0; TREES]}},
        "learner_model_param": {"base_score": "5E1", "num_feature": "5"},
        "objective": {"name": "reg:squarederror"},
    }});
    let directory = directory.join("XgboostFitTrainer_0");
    fs::create_dir(&directory).unwrap();
    let map = json!({"package": {"model_file": "package.json", "features": FEATURES}});
    let scaler = json!({"type": "MaxAbsScaler", "features": FEATURES, "scale": [1.0, 1.0, 1.0, 1.0, 1.0]});
    for (name, value) in [("XgboostFitTrainer_0.json", map), ("package.json", model), ("scaler.decoded.json", scaler)] {
        fs::write(directory.join(name), value.to_string()).unwrap();
    }
    directory
}

fn predict(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let models = [("linear", linear()), ("100 trees", Model::load(trees(folder.path())).unwrap())];
    let rows = Numbers(2).rows(ROWS);
    for (name, model) in &models {
        // Each time another row, as in use: the same one would be learnt by the branch predictor.
        let mut vectors = rows.chunks_exact(FEATURES.len()).take(4096).cycle();
        criterion.bench_function(&format!("predict/one vector: {name}"), |bencher| {
            bencher.iter(|| model.predict(black_box(vectors.next().unwrap())).unwrap());
        });
    }
    let mut group = criterion.benchmark_group("predict/1,000,000 vectors");
    group.sample_size(10);
    let mut predictions = Vec::new();
    for (name, model) in &models {
        for threads in [1, 2] {
            let threads = NonZeroUsize::new(threads).unwrap();
            group.bench_function(BenchmarkId::new(*name, threads), |bencher| {
                bencher.iter(|| model.predict_batch(black_box(&rows), threads, &mut predictions).unwrap());
            });
        }
    }
    group.finish();
}

fn load(criterion: &mut Criterion) {
    let database = std::env::var_os("KEPLER_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from)
        .join("models/kepler-model-db");
    let Ok(catalogue) = Catalogue::open(&database) else {
        eprintln!("SKIPPED: no {}; set KEPLER_SHARED_DATA", database.display());
        return;
    };
    let (trees, weights): (Vec<_>, Vec<_>) = catalogue.entries().iter().partition(|entry| entry.path.is_dir());
    let mut group = criterion.benchmark_group("load");
    group.sample_size(20);
    group.bench_function(format!("{} published weight files", weights.len()), |bencher| {
        bencher.iter(|| weights.iter().map(|entry| entry.load().unwrap().components().len()).sum::<usize>());
    });
    // The whole published database has as many; these are the ones at hand, again and again.
    group.bench_function("2,400 weight files, those at hand over and over", |bencher| {
        let again = || weights.iter().cycle().take(2400);
        bencher.iter(|| again().map(|entry| entry.load().unwrap().components().len()).sum::<usize>());
    });
    group.bench_function(format!("{} published tree models", trees.len()), |bencher| {
        bencher.iter(|| trees.iter().map(|entry| entry.load().unwrap().components().len()).sum::<usize>());
    });
    group.bench_function("the catalogue of them", |bencher| bencher.iter(|| Catalogue::open(&database).unwrap()));
    group.finish();
}

criterion_group!(benches, predict, load);
criterion_main!(benches);
