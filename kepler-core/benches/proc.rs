//! What reading a file of `/proc` costs, by a reader of ours and by the parsers of `procfs-core`.
//!
//! `cargo bench -p kepler-core --bench proc`. Each row opens, reads and parses a file of this machine. The figures stand in
//! `docs/architecture.md`, "What reads /proc". Where the crate cannot read a file of this machine, its row is left out.
#![allow(missing_docs, reason = "criterion_group makes a public function without documentation")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot read its files fails by panicking")]

use criterion::{Criterion, criterion_group, criterion_main};
use kepler_core::host::file::{self, FileLimits};
use kepler_core::host::{Host, ProcessVisibility};
use kepler_core::workload::process::ProcessReader;
use procfs_core::process::{MountInfo, MountInfos, Status};
use procfs_core::{FromBufRead, Meminfo};
use std::hint::black_box;
use std::path::Path;

const LIMITS: FileLimits = FileLimits::bytes(1 << 20);

fn text(name: &str) -> String {
    String::from_utf8_lossy(&file::read(&Path::new("/proc").join(name), LIMITS).unwrap()).into_owned()
}

/// The words after the name of a line.
fn line(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn whole<T: FromBufRead>(name: &str) -> Option<T> {
    T::from_buf_read(text(name).as_bytes()).ok()
}

fn proc(criterion: &mut Criterion) {
    let host = Host::default();
    criterion.bench_function("all of ProcessVisibility", |b| b.iter(|| ProcessVisibility::of(black_box(&host))));
    criterion.bench_function("mountinfo/crate, line by line", |b| {
        b.iter(|| text("self/mountinfo").lines().filter_map(|line| MountInfo::from_line(line).ok()).count());
    });
    criterion.bench_function("self/status/ours", |b| b.iter(|| line(&text("self/status"), "NSpid:")));
    criterion.bench_function("meminfo/ours", |b| b.iter(|| line(&text("meminfo"), "MemTotal:")));
    let (mut reader, own) = (ProcessReader::open(host.procfs()).unwrap(), std::process::id());
    criterion.bench_function("PID/environ/ours", |b| {
        b.iter(|| {
            reader
                .environ(own)
                .unwrap()
                .split(|&byte| byte == 0)
                .find(|variable| variable.starts_with(b"HOSTNAME="))
                .map(<[u8]>::len)
        });
    });
    if whole::<MountInfos>("self/mountinfo").is_some() {
        criterion.bench_function("mountinfo/crate, whole", |b| b.iter(|| whole::<MountInfos>("self/mountinfo")));
    }
    if whole::<Status>("self/status").is_some() {
        criterion.bench_function("self/status/crate", |b| b.iter(|| whole::<Status>("self/status")));
    }
    if whole::<Meminfo>("meminfo").is_some() {
        criterion.bench_function("meminfo/crate", |b| b.iter(|| whole::<Meminfo>("meminfo")));
    }
}

criterion_group!(benches, proc);
criterion_main!(benches);
