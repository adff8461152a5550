//! Thousands of damaged tables, the same ones every time: reading them ends, and takes no more than a small multiple of their size.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot lay out its files fails"
)]

#[path = "../../kepler-core/tests/hostile/attack.rs"]
mod attack;
#[path = "../../kepler-core/tests/counting/mod.rs"]
mod counting;
#[path = "../../kepler-core/tests/hostile/mutate.rs"]
mod mutate;
#[path = "hostile/targets.rs"]
mod targets;

use attack::attack;

const ROWS: &str = "# a trace\n# semantics: exporter-0.7.11\ntimestamp,machine,bpf_cpu_time_ms,package_power\n\
    1,a,1000.5,40\n2,\"b, c\",2e3,NaN\n3,a,,41.25\n4,a,-5,\n";

#[test]
fn csv() {
    attack("csv", targets::csv, vec![ROWS.as_bytes().to_vec(), ROWS.repeat(20).into_bytes()], 1500, 1);
}

#[test]
fn columns_and_lines_without_end() {
    for (piece, count) in
        [(",", 500_000), ("\n", 500_000), ("#\n", 300_000), ("a", 1_000_000), ("\"", 500_000), ("a,b\n", 200_000)]
    {
        attack::bounded(piece, piece.repeat(count).as_bytes(), 1, targets::csv);
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    kepler_train::Table::from_csv("rows", ROWS.as_bytes()).unwrap().write_parquet(&path, &[]).unwrap();
    let file = std::fs::read(&path).unwrap();
    // The crate believes the header of a page, which may promise 2 GiB; beyond rows and columns that is all that bounds memory.
    attack("parquet", targets::parquet, vec![file], 1500, 1 << 20);
}
