//! Bytes a second of the exposition of 4,000 processes on a node with 4 zones, as text and
//! compressed, with copying the same bytes as the floor. And that of 250 pods with 500 containers, of which Kubernetes has
//! told the names or not.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../tests/http/support/mod.rs"]
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use kepler_core::workload::ContainerKind;
use kepler_http::Format;
use std::hint::black_box;
use std::io::Write;

fn encode(criterion: &mut Criterion) {
    let exporter = support::exporter(Some(support::populated(4000)), support::options());
    let mut group = criterion.benchmark_group("exposition");
    let mut out = Vec::new();
    for (name, format) in [("text", Format::Text), ("protobuf", Format::Protobuf), ("openmetrics", Format::OpenMetrics)]
    {
        out.clear();
        exporter.encode(format, &mut out);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                exporter.encode(format, black_box(&mut out));
            });
        });
    }
    let mut copy = Vec::with_capacity(out.len());
    group.bench_function("copy of the same bytes", |bencher| {
        bencher.iter(|| {
            copy.clear();
            copy.extend_from_slice(black_box(&out));
        });
    });
    group.bench_function("gzip of the same bytes", |bencher| {
        bencher.iter(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            for piece in out.chunks(64 * 1024) {
                let _ = encoder.write_all(piece);
            }
            black_box(encoder.finish())
        });
    });
    group.finish();
}

fn pods(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("250 pods");
    for (name, kind) in [("named", Some(ContainerKind::Regular)), ("not named", None)] {
        let exporter = support::exporter(Some(support::pods(250, kind)), support::options());
        let mut out = Vec::new();
        exporter.encode(Format::Text, &mut out);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                exporter.encode(Format::Text, black_box(&mut out));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode, pods);
criterion_main!(benches);
