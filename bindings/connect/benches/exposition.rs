//! Reading the `/metrics` of a busy node, beside the least that reading it can cost: finding its lines.
//!
//! `cargo bench -p kepler-connect --features kepler`
#![allow(missing_docs, reason = "criterion's macros write a function without")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kepler_connect::exposition::samples;
use std::fmt::Write as _;
use std::hint::black_box;

/// 2,000 processes in four zones, joules and watts, as Kepler writes them.
fn text() -> String {
    let mut text = String::new();
    for metric in ["kepler_process_cpu_joules_total", "kepler_process_cpu_watts"] {
        for pid in 0..2000 {
            for zone in ["package", "core", "uncore", "dram"] {
                let _ = writeln!(
                    text,
                    "{metric}{{node_name=\"node-1\",pid=\"{pid}\",comm=\"java\",exe=\"/usr/lib/jvm/bin/java\",type=\"container\",\
                     state=\"running\",container_id=\"4f2b8c1d9e7a6053\",vm_id=\"\",zone=\"{zone}\"}} {}",
                    f64::from(pid) * 1.125
                );
            }
        }
    }
    text
}

fn read(criterion: &mut Criterion) {
    let text = text();
    let mut group = criterion.benchmark_group("exposition");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("read 16,000 samples", |bencher| {
        bencher.iter(|| {
            samples(black_box(text.as_bytes())).filter_map(Result::ok).map(|sample| sample.value).sum::<f64>()
        });
    });
    group.bench_function("floor: find their lines", |bencher| {
        bencher.iter(|| black_box(text.as_bytes()).iter().filter(|&&byte| byte == b'\n').count());
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
