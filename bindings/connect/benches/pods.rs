//! Reading the kubelet's list of a node with 250 pods, beside the least that reading it can cost: passing over its JSON. And
//! how much memory that takes at most.
//!
//! `cargo bench -p kepler-connect --features kubernetes --bench pods`
#![allow(missing_docs, reason = "criterion's macros write a function without")]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and fails as a test does"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kepler_connect::kubernetes::{LabelFilter, read_pods};
use kepler_core::directory::PodDirectory;
use kepler_core::host::Timestamp;
use serde_json::Value;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

const PODS: usize = 250;

/// The recorded pods again and again, each with identifiers of its own, as the kubelet writes them: without blanks.
fn list() -> String {
    let mut list: Value = serde_json::from_str(include_str!("../tests/fixtures/kubernetes/kubelet-pods.json")).unwrap();
    let recorded = list["items"].as_array().unwrap().clone();
    let items = (0..PODS).map(|number| {
        let mut pod = recorded.get(number % recorded.len()).unwrap().clone();
        let uid = pod["metadata"]["uid"].as_str().unwrap();
        pod["metadata"]["uid"] = format!("{number:08x}{}", uid.get(8..).unwrap()).into();
        let text = pod.to_string().replace("containerd://", &format!("containerd://{number:04x}"));
        serde_json::from_str::<Value>(&text).unwrap()
    });
    list["items"] = items.collect();
    list.to_string()
}

fn directory(list: &str) -> PodDirectory {
    let pods = read_pods(list.as_bytes(), &LabelFilter::default()).unwrap();
    PodDirectory::new("kubelet", Timestamp::now(), pods)
}

fn read(criterion: &mut Criterion) {
    let list = list();
    PEAK.store(HELD.load(Ordering::Relaxed), Ordering::Relaxed);
    let before = HELD.load(Ordering::Relaxed);
    let pods = directory(&list);
    let (peak, kept) = (PEAK.load(Ordering::Relaxed) - before, HELD.load(Ordering::Relaxed) - before);
    println!("{} pods of {} kB: {} kB at most, {} kB kept", pods.len(), list.len() / 1000, peak / 1000, kept / 1000);
    let mut group = criterion.benchmark_group(format!("{PODS} pods"));
    group.throughput(Throughput::Bytes(list.len() as u64));
    group.bench_function("read into a directory", |bencher| bencher.iter(|| black_box(directory(&list)).len()));
    group.bench_function("pass over", |bencher| {
        bencher.iter(|| serde_json::from_str::<serde::de::IgnoredAny>(black_box(&list)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, and how much of it is in use.
struct Counting;

// SAFETY: everything is left to the system's allocator; counting touches no memory that it manages.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
